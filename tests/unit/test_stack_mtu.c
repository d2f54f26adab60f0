/* SPDX-License-Identifier: BSD-3-Clause
 * Packet scripts: the MTU of the interface changes under a connection, by its device or because the network asks for
 * less; and what an interface says of itself. The peer's packets are of 1000 bytes, so of 1040 with their headers.
 */
#include "stack_icmp.h"

#include "stack/stack_private.h"

TestSuite(stack_mtu, .init = setup, .fini = teardown, .timeout = 60);

static struct stack_if_info if_info(void) {
  struct stack_if_info i;
  stack_if_info(w.i, &i);
  return i;
}

Test(stack_mtu, a_smaller_mtu_of_the_device_holds_for_open_connections_at_once) {
  open_script(500, true);
  put(2 * K);
  expect_out("0..1");
  pass(5);
  nic_set_mtu(w.near, 840);
  expect_quiet(5); /* what is on its way is not sent again for it */
  cr_expect_eq(info().mss, 800);
  cr_expect_eq(info().path_mtu, 840);
  cr_expect_eq(info().mtu, 840);
  cr_expect_eq(if_info().mtu, 840);
  put(4 * K);
  expect_out("2000+800 2800+800 3600+800 4400+800 5200+800");
  ack("6");
  cr_expect_eq(stats().pmtu_reduced, 0, "no path was found narrow");
  cr_expect_eq(w.near->counters.tx_dropped, 0);
}

Test(stack_mtu, what_is_lost_is_sent_again_in_smaller_packets) {
  open_script(500, true);
  put(2 * K);
  expect_out("0..1");
  nic_set_mtu(w.near, 840);
  pass(3000);
  cr_expect_eq(strncmp(out(), "1600+400 0+800", 14), 0, "the probe of the tail, then the first: %s", script.text);
  cr_expect_eq(w.near->counters.tx_dropped, 0);
}

Test(stack_mtu, a_larger_one_is_used_again_and_not_more_than_the_peer_takes) {
  open_script(500, true);
  nic_set_mtu(w.near, 840);
  put(2 * K);
  expect_out("0+800 800+800 1600+400");
  ack("2");
  nic_set_mtu(w.near, 900);
  put(2 * K);
  (void)out();
  ack("4");
  cr_expect_eq(info().mss, 860);
  nic_set_mtu(w.near, 9000);
  put(4 * K);
  answer_all();
  put(3 * K);
  expect_out("8..10");
  cr_expect_eq(info().mss, 1000);
  cr_expect_eq(info().mtu, 9000);
}

Test(stack_mtu, a_new_connection_knows_it) {
  nic_set_mtu(w.near, 840);
  open_script(500, true);
  const uint8_t *syn = NULL;
  for (unsigned i = 0; i < w.n && !syn; i++)
    if (w.got[i].data[23] == 6 && w.got[i].data[47] == (WIRE_SYN | WIRE_ACK))
      syn = w.got[i].data;
  cr_assert_not_null(syn);
  cr_expect_eq(syn[54], 2);
  cr_expect_eq(wire_get(syn + 56, 2), 800, "what it offers to take");
  put(2 * K);
  expect_out("0+800 800+800 1600+400");
}

Test(stack_mtu, the_network_may_ask_for_less_than_the_device_takes) {
  open_script(500, true);
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET, 67, "dhcp"), -EINVAL);
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET6, 1279, "router advertisement"), -EINVAL);
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_UNIX, 1400, "dhcp"), -EINVAL);
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET, 9000, "dhcp"), 0);
  cr_expect_eq(if_info().mtu, 1500);
  cr_expect_str_eq(if_info().mtu_origin, "configuration", "the device is smaller");
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET6, 1280, "router advertisement"), 0);
  cr_expect_eq(info().mss, 1000, "the other family's");
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET, 840, "dhcp"), 0);
  cr_expect_eq(if_info().mtu, 840);
  cr_expect_str_eq(if_info().mtu_origin, "dhcp");
  cr_expect_str_eq(info().mtu_origin, "dhcp");
  put(2 * K);
  expect_out("0+800 800+800 1600+400");
  ack("2");
  nic_set_mtu(w.near, 700);
  cr_expect_eq(if_info().mtu, 700);
  cr_expect_str_eq(if_info().mtu_origin, "device");
  nic_set_mtu(w.near, 1500);
  cr_expect_str_eq(if_info().mtu_origin, "dhcp");
  cr_expect_eq(stack_if_limit_mtu(w.i, AF_INET, 0, NULL), 0);
  cr_expect_eq(if_info().mtu, 1500);
  put(2 * K);
  expect_out("2..3");
}

Test(stack_mtu, a_device_that_is_away_is_gone_and_back) {
  open_script(500, true);
  cr_expect_str_eq(if_info().state, "up");
  nic_set_link(w.near, false);
  cr_expect_str_eq(if_info().state, "down");
  nic_set_away(w.near, true);
  cr_expect_str_eq(if_info().state, "gone");
  cr_expect_not(if_info().link_up);
  put(1 * K);
  expect_quiet(10);
  nic_set_away(w.near, false);
  cr_expect_str_eq(if_info().state, "down");
  nic_set_link(w.near, true);
  cr_expect_str_eq(if_info().state, "up");
  cr_expect_eq(info().state, STACK_TCP_ESTABLISHED, "its connections wait");
}
