# SPDX-License-Identifier: BSD-3-Clause
# Not part of all or check: tools/bench makes bench-programs.
EXTRA_PROGRAMS = tests/bench/bench-peer tests/bench/bench-run tests/bench/bench-link tests/bench/turn_work
bench-programs: $(EXTRA_PROGRAMS)
.PHONY: bench-programs
tests_bench_bench_peer_SOURCES = tests/bench/bench_peer.c tests/bench/bench.h tests/bench/bench_endpoint.h
tests_bench_bench_peer_LDADD = libcapnet.la
tests_bench_bench_run_SOURCES = tests/bench/bench_run.c tests/bench/bench_bulk.c tests/bench/bench_conn.c \
	tests/bench/bench_calls.c tests/bench/bench_address.c tests/bench/bench_run.h tests/bench/bench.h tests/bench/bench_endpoint.h
tests_bench_bench_run_LDADD = libcapnet.la $(CARES_LIBS)
tests_bench_turn_work_SOURCES = tests/bench/turn_work.c
tests_bench_turn_work_LDADD = $(CAPNETD_LIBS)
tests_bench_bench_link_SOURCES = tests/bench/bench_link.c
CLEANFILES += $(EXTRA_PROGRAMS)
