# SPDX-License-Identifier: BSD-3-Clause
# Once the sources are there:
# lib_LTLIBRARIES += libcapnet.la
# include_HEADERS += libcapnet/capnet.h
# libcapnet_la_SOURCES = libcapnet/FILE.c
# libcapnet_la_LIBADD = libproto.la $(PROTOBUF_C_LIBS)
# libcapnet_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -Wl,--version-script=$(srcdir)/libcapnet/libcapnet.map
# nodist_pkgconfig_DATA += libcapnet/capnet.pc        (made from libcapnet/capnet.pc.in; name it in CLEANFILES)
