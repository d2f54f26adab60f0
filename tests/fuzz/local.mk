# SPDX-License-Identifier: BSD-3-Clause
# A fuzz target NAME is tests/fuzz/fuzz_NAME.c with its seeds in tests/fuzz/corpus/NAME/, and the block below: replay_NAME
# is an ordinary test; with --enable-fuzzers (CC=clang) there is also fuzz_NAME, which takes libFuzzer's arguments:
#   tests/fuzz/fuzz_frame -max_len=65536 NEW-CORPUS tests/fuzz/corpus/frame
# Others than frame need LDADD = $(CAPNETD_LIBS). What it finds worth keeping goes into the corpus, few and small.
FUZZ_REPLAY = tests/fuzz/replay.c tests/fuzz/fuzz.h
LIBFUZZER_FLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

check_PROGRAMS += tests/fuzz/replay_frame
OTHER_TESTS += tests/fuzz/replay_frame
tests_fuzz_replay_frame_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_frame.c
tests_fuzz_replay_frame_LDADD = libproto.a $(PROTOBUF_C_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_frame
tests_fuzz_fuzz_frame_LDADD = libproto.a $(PROTOBUF_C_LIBS)
tests_fuzz_fuzz_frame_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_stack
OTHER_TESTS += tests/fuzz/replay_stack
tests_fuzz_replay_stack_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_stack.c
tests_fuzz_replay_stack_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_stack
tests_fuzz_fuzz_stack_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_stack_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_rights
OTHER_TESTS += tests/fuzz/replay_rights
tests_fuzz_replay_rights_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_rights.c
tests_fuzz_replay_rights_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_rights
tests_fuzz_fuzz_rights_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_rights_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_config
OTHER_TESTS += tests/fuzz/replay_config
tests_fuzz_replay_config_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_config.c
tests_fuzz_replay_config_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_dhcp4
OTHER_TESTS += tests/fuzz/replay_dhcp4
tests_fuzz_replay_dhcp4_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_dhcp4.c
tests_fuzz_replay_dhcp4_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_dhcp4
tests_fuzz_fuzz_dhcp4_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_dhcp4_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_dns
OTHER_TESTS += tests/fuzz/replay_dns
tests_fuzz_replay_dns_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_dns.c
tests_fuzz_replay_dns_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_dns
tests_fuzz_fuzz_dns_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_dns_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_link
OTHER_TESTS += tests/fuzz/replay_link
tests_fuzz_replay_link_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_link.c
tests_fuzz_replay_link_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_link
tests_fuzz_fuzz_link_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_link_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_ra
OTHER_TESTS += tests/fuzz/replay_ra
tests_fuzz_replay_ra_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_ra.c
tests_fuzz_replay_ra_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_ra
tests_fuzz_fuzz_ra_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_ra_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_dhcp6
OTHER_TESTS += tests/fuzz/replay_dhcp6
tests_fuzz_replay_dhcp6_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_dhcp6.c
tests_fuzz_replay_dhcp6_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_dhcp6
tests_fuzz_fuzz_dhcp6_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_dhcp6_LDFLAGS = $(LIBFUZZER_FLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_fixture
OTHER_TESTS += tests/fuzz/replay_fixture
tests_fuzz_replay_fixture_SOURCES = $(FUZZ_REPLAY) tests/fuzz/fuzz_fixture.c
tests_fuzz_replay_fixture_LDADD = $(CAPNETD_LIBS)
if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_fixture
tests_fuzz_fuzz_fixture_LDADD = $(CAPNETD_LIBS)
tests_fuzz_fuzz_fixture_LDFLAGS = $(LIBFUZZER_FLAGS)
endif
