# SPDX-License-Identifier: BSD-3-Clause
# libcapnetd_la_SOURCES += daemon/rpc/FILE.c
