# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += daemon/seal/seal.h daemon/seal/seal_internal.h daemon/seal/seal_net.h \
	daemon/seal/seal_protocol.h daemon/seal/seal.c daemon/seal/seal_diag.c daemon/seal/seal_helper.c daemon/seal/seal_net.c \
	daemon/seal/seal_socket.c daemon/seal/seal_start.c
