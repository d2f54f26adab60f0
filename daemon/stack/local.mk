# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_la_SOURCES += \
  daemon/stack/lwip-port/arch/cc.h \
  daemon/stack/lwip-port/capnet_hooks.h \
  daemon/stack/lwip-port/lwipopts.h \
  daemon/stack/stack.c \
  daemon/stack/stack.h \
  daemon/stack/stack_addr.c \
  daemon/stack/stack_congestion.c \
  daemon/stack/stack_dgram.h \
  daemon/stack/stack_err.c \
  daemon/stack/stack_hooks.c \
  daemon/stack/stack_icmp.c \
  daemon/stack/stack_if.c \
  daemon/stack/stack_limit.c \
  daemon/stack/stack_limits.h \
  daemon/stack/stack_listen.h \
  daemon/stack/stack_listen_private.h \
  daemon/stack/stack_neigh.c \
  daemon/stack/stack_pcb.h \
  daemon/stack/stack_port.c \
  daemon/stack/stack_private.h \
  daemon/stack/stack_rand.c \
  daemon/stack/stack_table.c \
  daemon/stack/stack_table.h \
  daemon/stack/stack_tcp.c \
  daemon/stack/stack_tcp.h \
  daemon/stack/stack_tcp_info.c \
  daemon/stack/stack_tcp_io.c \
  daemon/stack/stack_tcp_listen.c \
  daemon/stack/stack_tcp_private.h \
  daemon/stack/stack_tcp_timeout.c \
  daemon/stack/stack_tcp_tune.c \
  daemon/stack/stack_timer.c \
  daemon/stack/stack_timer.h \
  daemon/stack/stack_udp.c \
  daemon/stack/stack_wheel.c \
  daemon/stack/stack_wheel.h
