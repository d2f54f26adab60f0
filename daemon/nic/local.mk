# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += \
  daemon/nic/nic.h \
  daemon/nic/nic.c \
  daemon/nic/nic_buf.c \
  daemon/nic/nic_buf.h \
  daemon/nic/nic_fault.c \
  daemon/nic/nic_frame.h \
  daemon/nic/nic_gso.c \
  daemon/nic/nic_gso.h \
  daemon/nic/nic_link.c \
  daemon/nic/nic_link.h \
  daemon/nic/nic_mac.c \
  daemon/nic/nic_memory.c \
  daemon/nic/nic_slirp.c \
  daemon/nic/nic_slirp.h \
  daemon/nic/nic_slirp_child.c \
  daemon/nic/nic_tap.c \
  daemon/nic/nic_tap.h \
  daemon/nic/nic_tap_link.c \
  daemon/nic/nic_tap_open.c
