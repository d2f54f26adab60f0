# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += daemon/rpc/rpc.h daemon/rpc/rpc_internal.h daemon/rpc/endpoint.c daemon/rpc/dispatch.c daemon/rpc/call.c
