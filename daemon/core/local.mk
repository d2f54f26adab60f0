# SPDX-License-Identifier: BSD-3-Clause
# Once main.c is there (everything else of core goes to libcapnetd_la_SOURCES):
# sbin_PROGRAMS += capnetd
# capnetd_SOURCES = daemon/core/main.c
# capnetd_LDADD = $(CAPNETD_LIBS)
