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
  daemon/netconf/duid.c \
  daemon/netconf/backoff.h \
  daemon/netconf/iid.h \
  daemon/netconf/iid.c \
  daemon/netconf/dns_name_wire.h \
  daemon/netconf/dns_name_wire.c \
  daemon/netconf/ra_msg.h \
  daemon/netconf/ra_msg.c \
  daemon/netconf/dad_msg.h \
  daemon/netconf/dad_msg.c \
  daemon/netconf/dad_machine.h \
  daemon/netconf/dad_machine.c \
  daemon/netconf/dad_addrs.h \
  daemon/netconf/dad_addrs.c \
  daemon/netconf/slaac_machine.h \
  daemon/netconf/slaac_machine.c \
  daemon/netconf/slaac_lists.h \
  daemon/netconf/slaac_lists.c \
  daemon/netconf/slaac_take.c
