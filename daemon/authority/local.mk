# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += \
	daemon/authority/budget.c \
	daemon/authority/decide.c \
	daemon/authority/limits.c \
	daemon/authority/revoke.c \
	daemon/authority/rights.c \
	daemon/authority/rights_cover.c \
	daemon/authority/rights_format.c \
	daemon/authority/rights_internal.h \
	daemon/authority/rights_parse.c \
	daemon/authority/tree.c \
	daemon/authority/tree_internal.h
