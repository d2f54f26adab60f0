# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += daemon/cap/cap.h daemon/cap/cap.c daemon/cap/cap_util.c daemon/cap/cap_common.c \
	daemon/cap/kinds.c daemon/cap/cap_grant.h daemon/cap/cap_grant.c daemon/cap/interfaces.h daemon/cap/cap_manager.c \
	daemon/cap/status.h daemon/cap/cap_status.c daemon/cap/status_page.c daemon/cap/status_net.c \
	daemon/cap/status_sockets.c daemon/cap/status_grants.c daemon/cap/cap_ping.c daemon/cap/cap_dns.c daemon/cap/tcp.h daemon/cap/tcp_common.c \
	daemon/cap/cap_tcp_connect.c daemon/cap/cap_tcp_listen.c daemon/cap/tcp_listener.h \
	daemon/cap/cap_tcp_listener.c daemon/cap/cap_tcp_socket.c
