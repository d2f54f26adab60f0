# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_la_SOURCES += \
  daemon/nic/nic.h \
  daemon/nic/nic.c \
  daemon/nic/nic_fault.c \
  daemon/nic/nic_mac.c \
  daemon/nic/nic_memory.c \
  daemon/nic/nic_slirp.c \
  daemon/nic/nic_slirp.h \
  daemon/nic/nic_slirp_child.c \
  daemon/nic/nic_tap.c
