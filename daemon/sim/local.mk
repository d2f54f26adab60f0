# SPDX-License-Identifier: BSD-3-Clause
bin_PROGRAMS += capnet-sim
capnet_sim_SOURCES = \
  daemon/sim/sim.h \
  daemon/sim/sim_main.c \
  daemon/sim/sim.c \
  daemon/sim/sim_boot.c \
  daemon/sim/sim_expect.c \
  daemon/sim/sim_machine.c \
  daemon/sim/sim_port.c \
  daemon/sim/sim_print.c
capnet_sim_LDADD = $(CAPNETD_LIBS)
