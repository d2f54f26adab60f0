# SPDX-License-Identifier: BSD-3-Clause
# One program each:
# bin_PROGRAMS += capnet-status
# capnet_status_SOURCES = clients/status.c
# capnet_status_LDADD = libcapnet.la $(JANSSON_LIBS)
