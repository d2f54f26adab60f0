# SPDX-License-Identifier: BSD-3-Clause
sbin_PROGRAMS += capnetd
capnetd_SOURCES = daemon/core/main.c
capnetd_LDADD = $(CAPNETD_LIBS)
libcapnetd_a_SOURCES += \
	daemon/core/config.c \
	daemon/core/config.h \
	daemon/core/config_file.c \
	daemon/core/config_grant.c \
	daemon/core/config_grants.c \
	daemon/core/config_ini.c \
	daemon/core/config_ini.h \
	daemon/core/config_interface.c \
	daemon/core/config_script.c \
	daemon/core/config_value.c
libcapnetd_a_SOURCES += daemon/core/daemon.h daemon/core/daemon.c daemon/core/events.h daemon/core/events.c daemon/core/grants.h daemon/core/grants.c \
	daemon/core/interfaces.h daemon/core/interfaces.c daemon/core/peer.h daemon/core/peer.c daemon/core/privilege.h \
	daemon/core/privilege.c daemon/core/readiness.h daemon/core/readiness.c daemon/core/report.h daemon/core/report.c daemon/core/server.h daemon/core/server.c \
	daemon/core/systemd.h daemon/core/systemd.c
