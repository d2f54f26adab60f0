# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += daemon/flow/flow.h daemon/flow/flow_impl.h daemon/flow/table.c daemon/flow/form_pair.c \
	daemon/flow/form_socket.c daemon/flow/ends.c daemon/flow/flow.c daemon/flow/attempt.c \
	daemon/flow/listener.c
