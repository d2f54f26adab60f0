# SPDX-License-Identifier: BSD-3-Clause
nodist_systemdsystemunit_DATA = systemd/capnetd.service
dist_sysusers_DATA = systemd/capnet.sysusers.conf
nodist_tmpfiles_DATA = systemd/capnet.tmpfiles.conf
CLEANFILES += systemd/capnetd.service systemd/capnet.tmpfiles.conf

# Configuration that somebody may have changed is never overwritten, nor taken away.
CONFIG_FILES = capnetd.conf $(patsubst $(srcdir)/systemd/%,%,$(wildcard $(srcdir)/systemd/grants.d/*.grant))
install-data-local:
	@for f in $(CONFIG_FILES); do to="$(DESTDIR)$(sysconfdir)/capnet/$$f"; \
	  $(MKDIR_P) "$${to%/*}" || exit 1; \
	  if test -e "$$to"; then echo "kept $$to"; \
	  else echo " $(INSTALL_DATA) $$f $$to"; $(INSTALL_DATA) "$(srcdir)/systemd/$$f" "$$to" || exit 1; fi; done
uninstall-local:
	@for f in $(CONFIG_FILES); do to="$(DESTDIR)$(sysconfdir)/capnet/$$f"; \
	  if cmp -s "$(srcdir)/systemd/$$f" "$$to"; then rm -f "$$to"; fi; done
systemdexamplesdir = $(docdir)/examples/systemd
dist_systemdexamples_DATA = systemd/examples/10-grant-252.conf systemd/examples/10-grant-253.conf \
	systemd/examples/15-stream-pairs.conf systemd/examples/20-embedded-network.conf \
	systemd/examples/listen-252.service systemd/examples/listen-fdstore.service
EXTRA_DIST += systemd/capnetd.conf systemd/capnetd.service.in systemd/capnet.tmpfiles.conf.in
