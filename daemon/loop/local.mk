# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += \
  daemon/loop/busy.c \
  daemon/loop/loop.c \
  daemon/loop/loop_uv.c \
  daemon/loop/loop_sim.c
