# SPDX-License-Identifier: BSD-3-Clause
man_MANS += docs/man/capnetd.8
EXTRA_DIST += docs/man/capnetd.8
man_MANS += docs/man/capnet-status.1 docs/man/capnet-ping.1 docs/man/capnet-resolve.1
EXTRA_DIST += docs/man/capnet-status.1 docs/man/capnet-ping.1 docs/man/capnet-resolve.1
man_MANS += docs/man/capnet-sim.1
EXTRA_DIST += docs/man/capnet-sim.1
man_MANS += docs/man/capnetd.conf.5 docs/man/capnet.grant.5
examplesdir = $(docdir)/examples
dist_examples_DATA = docs/examples/admin.grant docs/examples/cat.grant docs/examples/ping.grant \
	docs/examples/resolve.grant docs/examples/web.grant
EXTRA_DIST += docs/man/capnetd.conf.5 docs/man/capnet.grant.5
man_MANS += docs/man/capnet.1
man_MANS += docs/man/capnet-cat.1
man_MANS += docs/man/capnet-getaddrinfo.7
man_MANS += docs/man/capnet-run.1
man_MANS += docs/man/capnet-manager.1
man_MANS += docs/man/libcapnet.3
EXTRA_DIST += docs/man/capnet.1 docs/man/capnet-cat.1 docs/man/capnet-getaddrinfo.7 docs/man/capnet-run.1 docs/man/libcapnet.3
EXTRA_DIST += docs/man/capnet-manager.1
dist_doc_DATA = docs/json.md docs/PROTOCOL.md docs/tap-lan.md docs/RFC2131.md docs/IPV6.md
