# SPDX-License-Identifier: BSD-3-Clause
# One line per Criterion program; its source is the name with .c, it is linked with libcapnetd.a and Criterion. More
# sources: tests_unit_test_x_SOURCES = …; other libraries: tests_unit_test_x_LDADD = … $(CRITERION).
CRITERION_TESTS =
# The object itself: nothing that the linker looks at asks for it.
EXTRA_LIBRARIES = libnocertificates.a
libnocertificates_a_SOURCES = tests/no_certificates.c
CRITERION = tests/no_certificates.$(OBJEXT) $(CRITERION_LIBS)
CRITERION_TESTS += tests/unit/test_codec
CRITERION_TESTS += tests/unit/test_proto_golden
CRITERION_TESTS += tests/unit/test_rpc_call
CRITERION_TESTS += tests/unit/test_rpc_hostile
CRITERION_TESTS += tests/unit/test_rpc_uv
RPC_UTIL = tests/unit/rpc_util.c tests/unit/rpc_util.h tests/unit/fd_util.h
tests_unit_test_rpc_call_SOURCES = tests/unit/test_rpc_call.c $(RPC_UTIL)
tests_unit_test_rpc_hostile_SOURCES = tests/unit/test_rpc_hostile.c $(RPC_UTIL)
tests_unit_test_rpc_uv_SOURCES = tests/unit/test_rpc_uv.c $(RPC_UTIL)
CRITERION_TESTS += tests/unit/test_loop
CRITERION_TESTS += tests/unit/test_loop_busy
CRITERION_TESTS += tests/unit/test_readiness
CRITERION_TESTS += tests/unit/test_base_net
CRITERION_TESTS += tests/unit/test_base_log
CRITERION_TESTS += tests/unit/test_nic_memory
CRITERION_TESTS += tests/unit/test_nic_gso
CRITERION_TESTS += tests/unit/test_nic_buf
CRITERION_TESTS += tests/unit/test_stack_offload
CRITERION_TESTS += tests/unit/test_fixture_script
CRITERION_TESTS += tests/unit/test_fixture_net
CRITERION_TESTS += tests/unit/test_fixture_net6
CRITERION_TESTS += tests/unit/test_authority_limits
CRITERION_TESTS += tests/unit/test_authority_rights
CRITERION_TESTS += tests/unit/test_nic_fault
CRITERION_TESTS += tests/unit/test_nic_slirp
CRITERION_TESTS += tests/unit/test_nic_tap
CRITERION_TESTS += tests/unit/test_nic_link
CRITERION_TESTS += tests/unit/test_nic_tap_link
CRITERION_TESTS += tests/unit/test_authority_tree
CRITERION_TESTS += tests/unit/test_authority_budget
CRITERION_TESTS += tests/unit/test_authority_random
CRITERION_TESTS += tests/unit/test_config_daemon
CRITERION_TESTS += tests/unit/test_config_grant
CRITERION_TESTS += tests/unit/test_dhcp4_msg
CRITERION_TESTS += tests/unit/test_dhcp4_machine
CRITERION_TESTS += tests/unit/test_dhcp4_ways
CRITERION_TESTS += tests/unit/test_dhcp4_random
CRITERION_TESTS += tests/unit/test_acd_machine
CRITERION_TESTS += tests/unit/test_lease_file
CRITERION_TESTS += tests/unit/test_stack_arp
CRITERION_TESTS += tests/unit/test_stack_tcp
# waits for the loop: CRITERION_TESTS += tests/unit/test_nic_memory
CRITERION_TESTS += tests/unit/test_libcapnet_call
tests_unit_test_libcapnet_call_LDADD = libcapnet.la libproto.a $(PROTOBUF_C_LIBS) $(JANSSON_LIBS) $(CRITERION)
CRITERION_TESTS += tests/unit/test_libcapnet_grant
tests_unit_test_libcapnet_grant_LDADD = $(tests_unit_test_libcapnet_call_LDADD)
CRITERION_TESTS += tests/unit/test_libcapnet_cost
tests_unit_test_libcapnet_cost_LDADD = $(tests_unit_test_libcapnet_call_LDADD)
CRITERION_TESTS += tests/unit/test_libcapnet_tcp
tests_unit_test_libcapnet_tcp_LDADD = $(tests_unit_test_libcapnet_call_LDADD)
CRITERION_TESTS += tests/unit/test_gai
tests_unit_test_gai_LDADD = libgai.la $(tests_unit_test_libcapnet_call_LDADD)
CRITERION_TESTS += tests/unit/test_clients_cat
tests_unit_test_clients_cat_LDADD = $(tests_unit_test_libcapnet_call_LDADD)
CRITERION_TESTS += tests/unit/test_stack_dgram
CRITERION_TESTS += tests/unit/test_stack_hostile
CRITERION_TESTS += tests/unit/test_stack_if6
CRITERION_TESTS += tests/unit/test_stack_route
CRITERION_TESTS += tests/unit/test_stack_nd
CRITERION_TESTS += tests/unit/test_stack_in6
CRITERION_TESTS += tests/unit/test_stack_icmp6
CRITERION_TESTS += tests/unit/test_stack_v6
CRITERION_TESTS += tests/unit/test_stack_lwip
CRITERION_TESTS += tests/unit/test_stack_sack
CRITERION_TESTS += tests/unit/test_stack_rto
CRITERION_TESTS += tests/unit/test_stack_ts
CRITERION_TESTS += tests/unit/test_stack_paws
CRITERION_TESTS += tests/unit/test_stack_recovery
CRITERION_TESTS += tests/unit/test_stack_pmtu
CRITERION_TESTS += tests/unit/test_stack_mtu
CRITERION_TESTS += tests/unit/test_stack_black_hole
CRITERION_TESTS += tests/unit/test_stack_sender
CRITERION_TESTS += tests/unit/test_stack_limits
CRITERION_TESTS += tests/unit/test_stack_listen
CRITERION_TESTS += tests/unit/test_stack_overflow
CRITERION_TESTS += tests/unit/test_stack_neigh
CRITERION_TESTS += tests/unit/test_stack_table
CRITERION_TESTS += tests/unit/test_stack_wheel
CRITERION_TESTS += tests/unit/test_stack_promise
CRITERION_TESTS += tests/sim/test_sim_tcp
CRITERION_TESTS += tests/sim/test_sim_many
CRITERION_TESTS += tests/sim/test_sim_promise
CRITERION_TESTS += tests/sim/test_sim_loss
CRITERION_TESTS += tests/sim/test_sim_acks
CRITERION_TESTS += tests/sim/test_sim_pmtu
CRITERION_TESTS += tests/sim/test_names
tests_sim_test_names_SOURCES = tests/sim/test_names.c tests/sim/dns_server.c tests/sim/dns_server.h
tests_sim_test_names_LDFLAGS = -Wl,--wrap=calloc
CRITERION_TESTS += tests/unit/test_review_rpc
tests_unit_test_review_rpc_SOURCES = tests/unit/test_review_rpc.c $(RPC_UTIL)
CRITERION_TESTS += tests/unit/test_review_cap
tests_unit_test_review_cap_SOURCES = tests/unit/test_review_cap.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_review_core
CRITERION_TESTS += tests/unit/test_seal
CRITERION_TESTS += tests/unit/test_seal_attack
CRITERION_TESTS += tests/unit/test_flow
# The same connections, on real sockets.
CRITERION_TESTS += tests/unit/test_flow_socket
tests_unit_test_flow_socket_SOURCES = tests/unit/test_flow.c
tests_unit_test_flow_socket_CPPFLAGS = $(AM_CPPFLAGS) -DRIG_SOCKETS
CRITERION_TESTS += tests/unit/test_flow_turn
CRITERION_TESTS += tests/unit/test_flow_real
tests_unit_test_flow_real_CPPFLAGS = $(AM_CPPFLAGS) -DRIG_SOCKETS
CRITERION_TESTS += tests/unit/test_flow_table
CAP_CLIENT = tests/unit/cap_client.c tests/unit/cap_client.h tests/unit/cap_methods.h
CRITERION_TESTS += tests/unit/test_cap_grant
tests_unit_test_cap_grant_SOURCES = tests/unit/test_cap_grant.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_congestion
tests_unit_test_cap_congestion_SOURCES = tests/unit/test_cap_congestion.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_tcp
tests_unit_test_cap_tcp_SOURCES = tests/unit/test_cap_tcp.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_cost
tests_unit_test_cap_cost_SOURCES = tests/unit/test_cap_cost.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_listen
tests_unit_test_cap_listen_SOURCES = tests/unit/test_cap_listen.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_status
tests_unit_test_cap_status_SOURCES = tests/unit/test_cap_status.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_echo
tests_unit_test_cap_echo_SOURCES = tests/unit/test_cap_echo.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_cap_v6
tests_unit_test_cap_v6_SOURCES = tests/unit/test_cap_v6.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_core_grants
tests_unit_test_core_grants_SOURCES = tests/unit/test_core_grants.c $(CAP_CLIENT)
CRITERION_TESTS += tests/unit/test_core_door
CRITERION_TESTS += tests/sim/test_netconf
CRITERION_TESTS += tests/sim/test_netconf_ip6
CRITERION_TESTS += tests/sim/test_netconf_ip6_ways
CRITERION_TESTS += tests/unit/test_netconf_ids
CRITERION_TESTS += tests/unit/test_ra_msg
CRITERION_TESTS += tests/unit/test_dad
CRITERION_TESTS += tests/unit/test_slaac
CRITERION_TESTS += tests/unit/test_slaac_ways
CRITERION_TESTS += tests/unit/test_dhcp6_msg
CRITERION_TESTS += tests/unit/test_dhcp6_machine
CRITERION_TESTS += tests/unit/test_dhcp6_ways
CRITERION_TESTS += tests/unit/test_lease6_file
CRITERION_TESTS += tests/sim/test_netconf_acd
CRITERION_TESTS += tests/sim/test_netconf_ways

CLIENT_VIEW_TESTS = tests/unit/test_client_text tests/unit/test_ping_stats tests/unit/test_resolve_render \
	tests/unit/test_status_json tests/unit/test_status_render
CRITERION_TESTS += $(CLIENT_VIEW_TESTS)
CRITERION_TESTS += tests/unit/test_client_programs
tests_unit_test_client_programs_LDADD = $(tests_unit_test_libcapnet_call_LDADD)
CRITERION_TESTS += tests/unit/test_run_parse
tests_unit_test_run_parse_LDADD = libclientrun.a libclient.a libcapnet.la $(JANSSON_LIBS) $(CRITERION)
CRITERION_TESTS += tests/unit/test_run_store
tests_unit_test_run_store_LDADD = $(tests_unit_test_run_parse_LDADD) $(SYSTEMD_LIBS)
CRITERION_TESTS += tests/unit/test_run_programs
tests_unit_test_run_programs_LDADD = $(tests_unit_test_libcapnet_call_LDADD)
tests_unit_test_client_text_LDADD = libclientview.a $(LDADD)
tests_unit_test_ping_stats_LDADD = libclientview.a $(LDADD)
tests_unit_test_resolve_render_LDADD = libclientview.a $(LDADD)
tests_unit_test_status_json_LDADD = libclientview.a $(LDADD)
tests_unit_test_status_render_LDADD = libclientview.a $(LDADD)

# One line per other test: a script (.sh, .py; exit 0 passed, 77 skipped) or a program that prints
# "N passed, N failed, N skipped" as its last line (programs go to check_PROGRAMS as well).
OTHER_TESTS =
OTHER_TESTS += tests/symbols-test.sh
OTHER_TESTS += tests/test-runner-test.sh
OTHER_TESTS += tests/unit/test_client_options.sh
OTHER_TESTS += tests/unit/test_bench_report.py
OTHER_TESTS += tests/sim/run-scripts.sh

# Run by tests/e2e/case_lib.py: over <capnet.h> alone.
check_PROGRAMS += tests/e2e/lib_walk
tests_e2e_lib_walk_SOURCES = tests/e2e/lib_walk.c
tests_e2e_lib_walk_LDADD = libcapnet.la
# Run by tests/e2e/case_programs.py. No sanitizer: there is none for static programs.
check_PROGRAMS += tests/e2e/programs/static_echo
tests_e2e_programs_static_echo_SOURCES = tests/e2e/programs/static_echo.c
tests_e2e_programs_static_echo_CFLAGS = $(WARN_FLAGS)
tests_e2e_programs_static_echo_LDFLAGS = -all-static
tests_e2e_programs_static_echo_LDADD =

include tests/fuzz/local.mk
include tests/bench/local.mk

# The long ones are among the others: started last, one of them would run alone at the end.
TESTS += $(OTHER_TESTS)
if HAVE_CRITERION
check_PROGRAMS += $(CRITERION_TESTS)
TESTS += $(CRITERION_TESTS)
endif

# The runner turns what must not pass into a failure: a sanitizer's report, a Criterion program that ran nothing.
TEST_EXTENSIONS = .sh .py
LOG_COMPILER = $(top_srcdir)/tests/test-runner
SH_LOG_COMPILER = $(top_srcdir)/tests/test-runner
PY_LOG_COMPILER = $(top_srcdir)/tests/test-runner
AM_TESTS_ENVIRONMENT = top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)'; export top_srcdir top_builddir;

check-local:
if !HAVE_CRITERION
	@echo "Criterion is missing (Debian: libcriterion-dev): the unit tests cannot run" >&2; exit 1
endif
