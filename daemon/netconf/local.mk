# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_la_SOURCES += \
  daemon/netconf/netconf.h \
  daemon/netconf/netconf.c \
  daemon/netconf/netconf_private.h \
  daemon/netconf/netconf_ip4.c \
  daemon/netconf/netconf_text.c \
  daemon/netconf/dhcp4_msg.h \
  daemon/netconf/dhcp4_msg.c \
  daemon/netconf/dhcp4_machine.h \
  daemon/netconf/dhcp4_machine.c \
  daemon/netconf/dhcp4_client.h \
  daemon/netconf/dhcp4_client.c \
  daemon/netconf/duid.h \
  daemon/netconf/duid.c
