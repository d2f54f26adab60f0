# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += \
  daemon/base/block.c \
  daemon/base/child.c \
  daemon/base/clock.c \
  daemon/base/log.c \
  daemon/base/machine.c \
  daemon/base/net.c \
  daemon/base/net_text.c \
  daemon/base/pair.c \
  daemon/base/resolvconf.c
