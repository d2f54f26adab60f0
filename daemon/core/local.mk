# SPDX-License-Identifier: BSD-3-Clause
# Once main.c is there (everything else of core goes to libcapnetd_la_SOURCES):
# sbin_PROGRAMS += capnetd
# capnetd_SOURCES = daemon/core/main.c
# capnetd_LDADD = $(CAPNETD_LIBS)
libcapnetd_la_SOURCES += \
	daemon/core/config.c \
	daemon/core/config.h \
	daemon/core/config_file.c \
	daemon/core/config_grant.c \
	daemon/core/config_grants.c \
	daemon/core/config_ini.c \
	daemon/core/config_ini.h \
	daemon/core/config_interface.c \
	daemon/core/config_value.c
