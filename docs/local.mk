# SPDX-License-Identifier: BSD-3-Clause
man_MANS += docs/man/capnetd.8
EXTRA_DIST += docs/man/capnetd.8
