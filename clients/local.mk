# SPDX-License-Identifier: BSD-3-Clause
# One program each:
# bin_PROGRAMS += capnet-status
# capnet_status_SOURCES = clients/status.c
# capnet_status_LDADD = libclient.la libcapnet.la $(JANSSON_LIBS)
noinst_LTLIBRARIES += libclient.la
libclient_la_SOURCES = clients/client.c clients/client.h
