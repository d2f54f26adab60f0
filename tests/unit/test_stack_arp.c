/* SPDX-License-Identifier: BSD-3-Clause
 * ARP beside lwIP: what is heard, what is not, what leaves, and that lwIP's own part goes on.
 */
#include "nic_util.h"
#include "stack/stack_arp.h"
#include "stack_util.h"

static struct net net;
struct ear {
  struct stack_arp *arp;
  unsigned n;
  struct stack_arp_packet last;
  struct ear *close;
};

static void heard(void *arg, const struct stack_arp_packet *p) {
  struct ear *e = arg;
  e->n++;
  e->last = *p;
  if (e->close != NULL) {
    e->close->arp = stack_arp_close(e->close->arp);
    e->close = NULL;
  }
}

static void open_ear(struct ear *e, struct stack_if *i) {
  *e = (struct ear){0};
  cr_assert_eq(stack_arp_open(i, heard, e, &e->arp), 0);
}

Test(stack_arp, sent_and_heard) {
  struct ear a, b;
  struct stack_if_info info;
  net_open(&net, NULL);
  run(&net, 10 * MS);
  open_ear(&a, net.a);
  open_ear(&b, net.b);
  stack_if_info(net.a, &info);
  struct stack_arp_packet p = {.op = STACK_ARP_REQUEST, .sender = net_addr_v4(0), .target = net.addr_b};
  memcpy(p.sender_mac, info.mac, 6);
  cr_assert_eq(stack_arp_send(a.arp, &p), 0);
  run(&net, 10 * MS);
  cr_assert_eq(b.n, 1);
  cr_assert(net_addr_equal(&b.last.target, &net.addr_b));
  cr_assert(net_addr_is_unspecified(&b.last.sender));
  cr_assert_arr_eq(b.last.sender_mac, info.mac, 6);
  cr_assert_eq(a.n, 1, "lwIP answered the probe of its address");
  cr_assert_eq(a.last.op, STACK_ARP_REPLY);
  cr_assert(net_addr_equal(&a.last.sender, &net.addr_b));
  p.target = net_addr_v4(0x0a000063);
  cr_assert_eq(stack_arp_send(a.arp, &p), 0);
  run(&net, 10 * MS);
  cr_assert_eq(a.n, 1, "nobody has that one");
  p.target = addr_of("::1");
  cr_assert_eq(stack_arp_send(a.arp, &p), -EINVAL);
  a.arp = stack_arp_close(a.arp);
  b.arp = stack_arp_close(b.arp);
  cr_assert_eq(stats_of(&net).asserts, 0);
  net_close(&net);
}

static void frame(struct nic *nic, size_t at, uint8_t value, size_t len) {
  uint8_t f[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
                   2,    0,    0,    0,    0,    9,    10, 0, 0, 9};
  if (at > 0)
    f[at] = value;
  (void)nic_send_one(nic, f, len);
}

Test(stack_arp, what_is_no_arp_for_ipv4_over_ethernet) {
  struct ear b;
  net_open(&net, NULL);
  run(&net, 10 * MS);
  open_ear(&b, net.b);
  frame(net.nic_a, 0, 0, 42);
  frame(net.nic_a, 0, 0, 60);
  run(&net, MS);
  cr_assert_eq(b.n, 2, "with and without padding");
  frame(net.nic_a, 0, 0, 41);
  frame(net.nic_a, 15, 6, 42);
  frame(net.nic_a, 16, 0x86, 42);
  frame(net.nic_a, 18, 8, 42);
  frame(net.nic_a, 19, 16, 42);
  frame(net.nic_a, 21, 3, 42);
  frame(net.nic_a, 1, 0, 42); /* a group of hosts is fine */
  run(&net, MS);
  cr_assert_eq(b.n, 3);
  b.arp = stack_arp_close(b.arp);
  net_close(&net);
}

Test(stack_arp, closed_while_it_is_told) {
  struct ear one, two, three;
  net_open(&net, NULL);
  run(&net, 10 * MS);
  open_ear(&one, net.b);
  open_ear(&two, net.b);
  open_ear(&three, net.b);
  one.close = &two;
  three.close = &three;
  frame(net.nic_a, 0, 0, 42);
  run(&net, MS);
  cr_assert_eq(one.n + three.n, 2);
  cr_assert_eq(two.n, 0);
  frame(net.nic_a, 0, 0, 42);
  run(&net, MS);
  cr_assert_eq(one.n, 2);
  cr_assert_eq(three.n, 1);
  one.arp = stack_arp_close(one.arp);
  net_close(&net);
}

Test(stack_arp, without_link) {
  struct ear a;
  net_open(&net, NULL);
  open_ear(&a, net.a);
  struct stack_arp_packet p = {.op = STACK_ARP_REQUEST, .sender = net_addr_v4(0), .target = net.addr_b};
  nic_set_link(net.nic_a, false);
  cr_assert_eq(stack_arp_send(a.arp, &p), -ENETDOWN);
  a.arp = stack_arp_close(a.arp);
  net_close(&net);
}
