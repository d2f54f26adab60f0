# SPDX-License-Identifier: BSD-3-Clause
# man_MANS += docs/man/capnetd.8
