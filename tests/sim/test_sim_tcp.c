/* SPDX-License-Identifier: BSD-3-Clause
 * TCP of the whole stack over a wire that loses, reorders, doubles, corrupts and delays, under several seeds. Every
 * byte arrives once and in order, and nothing is left.
 */
#include "../unit/stack_end.h"

static void transfer(const struct nic_fault_config *fault, uint64_t bytes, uint64_t limit_s) {
  struct net n;
  struct end client = {.to_send = bytes, .shut_after = true}, server = {.to_send = bytes / 3, .shut_after = true};
  net_open(&n, fault);
  end_pair(&n, &client, &server);
  end_send(&server);
  end_recv(&server);
  for (uint64_t t = 0; t < limit_s && !(client.ended && server.ended); t += 10)
    run(&n, 10 * SEC);
  struct stack_conn_info info;
  stack_conn_info(client.c, &info);
  cr_expect_eq(server.got, bytes, "seed %lu: %lu of %lu bytes, retransmits %lu", (unsigned long)fault->seed,
               (unsigned long)server.got, (unsigned long)bytes, (unsigned long)info.retransmits);
  cr_expect_eq(client.got, bytes / 3);
  cr_expect(!client.bad && !server.bad);
  cr_expect(client.eof && server.eof);
  cr_expect_eq(client.why, STACK_END_CLOSED);
  cr_expect_eq(server.why, STACK_END_CLOSED);
  if (fault->loss_permille)
    cr_expect_gt(info.retransmits, 0);
  end_last(&n, &client, &server);
}

TestSuite(sim_tcp, .timeout = 300);

Test(sim_tcp, twenty_megabytes_with_five_percent_loss) {
  struct nic_fault_config f = {.seed = 1, .loss_permille = 50, .delay_ns = 1 * MS};
  transfer(&f, 20000000, 20000);
}

Test(sim_tcp, everything_at_once_under_several_seeds) {
  for (uint64_t seed = 1; seed <= 8; seed++) {
    struct nic_fault_config f = {.seed = seed * 7919, .loss_permille = 20, .duplicate_permille = 20,
                                 .reorder_permille = 50, .corrupt_permille = 10, .delay_ns = 5 * MS, .jitter_ns = 3 * MS};
    transfer(&f, 1000000, 5000);
  }
}

Test(sim_tcp, a_long_way) {
  struct nic_fault_config f = {.seed = 3, .delay_ns = 150 * MS};
  transfer(&f, 5000000, 500);
}
