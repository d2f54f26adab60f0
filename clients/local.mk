# SPDX-License-Identifier: BSD-3-Clause
# One program each, over <capnet.h> alone.
noinst_LIBRARIES += libclient.a
libclient_a_SOURCES = clients/client.c clients/client.h

# What the programs print, without the programs: the unit tests link it.
noinst_LIBRARIES += libclientview.a
libclientview_a_SOURCES = clients/text.c clients/text.h clients/table.c clients/status_render.h \
	clients/status_shape.c clients/status_render.c clients/status_sockets.c clients/status_grants.c \
	clients/ping_stats.c clients/ping_stats.h clients/resolve_render.c clients/resolve_render.h
CLIENT_LIBS = libclientview.a libclient.a libcapnet.la $(JANSSON_LIBS)

bin_PROGRAMS += capnet-status
capnet_status_SOURCES = clients/capnet_status.c
capnet_status_LDADD = $(CLIENT_LIBS)

bin_PROGRAMS += capnet-ping
capnet_ping_SOURCES = clients/capnet_ping.c
capnet_ping_LDADD = $(CLIENT_LIBS)

bin_PROGRAMS += capnet-resolve
capnet_resolve_SOURCES = clients/capnet_resolve.c
capnet_resolve_LDADD = $(CLIENT_LIBS)
bin_PROGRAMS += capnet-manager
capnet_manager_SOURCES = clients/capnet_manager.c
capnet_manager_LDADD = $(CLIENT_LIBS)
bin_PROGRAMS += capnet
capnet_SOURCES = clients/capnet.c
capnet_LDADD = libclient.a libcapnet.la $(JANSSON_LIBS)
# All but main(): the unit tests link it.
noinst_LIBRARIES += libclientrun.a
libclientrun_a_SOURCES = clients/run.h clients/run_parse.c clients/run_sockets.c clients/run_fds.c clients/run_inetd.c \
	clients/run_store.c
bin_PROGRAMS += capnet-run
capnet_run_SOURCES = clients/run.c
capnet_run_LDADD = libclientrun.a libclient.a libcapnet.la $(JANSSON_LIBS) $(SYSTEMD_LIBS)
bin_PROGRAMS += capnet-cat
capnet_cat_SOURCES = clients/cat.c
capnet_cat_LDADD = libclient.a libcapnet.la $(JANSSON_LIBS)

# LD_PRELOAD: getaddrinfo over a granted resolver.
noinst_LTLIBRARIES += libgai.la
libgai_la_SOURCES = clients/gai.c clients/gai.h clients/gai_lookup.c clients/gai_service.c
lib_LTLIBRARIES += libcapnet-getaddrinfo.la
libcapnet_getaddrinfo_la_SOURCES = clients/gai_shim.c
libcapnet_getaddrinfo_la_LIBADD = libgai.la libcapnet.la
libcapnet_getaddrinfo_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-Wl,--version-script=$(srcdir)/clients/getaddrinfo.map
EXTRA_libcapnet_getaddrinfo_la_DEPENDENCIES = clients/getaddrinfo.map
