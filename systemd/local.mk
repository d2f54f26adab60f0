# SPDX-License-Identifier: BSD-3-Clause
# nodist_systemdsystemunit_DATA = systemd/capnetd.service     (made from systemd/capnetd.service.in; name it in CLEANFILES)
# dist_sysusers_DATA = systemd/capnet.sysusers.conf
