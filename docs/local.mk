# SPDX-License-Identifier: BSD-3-Clause
man_MANS += docs/man/capnetd.8
EXTRA_DIST += docs/man/capnetd.8
man_MANS += docs/man/capnet-status.1 docs/man/capnet-ping.1 docs/man/capnet-resolve.1
EXTRA_DIST += docs/man/capnet-status.1 docs/man/capnet-ping.1 docs/man/capnet-resolve.1
