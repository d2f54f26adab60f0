# SPDX-License-Identifier: BSD-3-Clause
lib_LTLIBRARIES += libcapnet.la
include_HEADERS += libcapnet/capnet.h
libcapnet_la_SOURCES = \
	libcapnet/capnet_conn.c \
	libcapnet/conn.h \
	libcapnet/describe.c \
	libcapnet/dns.c \
	libcapnet/error.c \
	libcapnet/grant.c \
	libcapnet/inherit.c \
	libcapnet/json.c \
	libcapnet/manager.c \
	libcapnet/ping.c \
	libcapnet/process.c \
	libcapnet/status.c \
	libcapnet/tcp.c \
	libcapnet/tcp.h \
	libcapnet/tcp_io.c \
	libcapnet/util.h \
	libcapnet/version.c
libcapnet_la_LIBADD = libproto.la $(PROTOBUF_C_LIBS) $(JANSSON_LIBS)
libcapnet_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -Wl,--version-script=$(srcdir)/libcapnet/libcapnet.map
EXTRA_libcapnet_la_DEPENDENCIES = libcapnet/libcapnet.map
$(libcapnet_la_OBJECTS): | $(PROTO_H)
nodist_pkgconfig_DATA += libcapnet/capnet.pc
CLEANFILES += libcapnet/capnet.pc
