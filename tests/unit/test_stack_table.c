/* SPDX-License-Identifier: BSD-3-Clause
 * The index of connections against a list that is walked, while it grows and shrinks.
 */
#include "stack/stack_table.h"

#include "lwip/priv/tcp_priv.h"

#include <criterion/criterion.h>

TestSuite(stack_table, .timeout = 120);

enum { PCBS = 6000 };

static struct tcp_pcb pcbs[PCBS];
static bool in[PCBS];
static uint64_t seed;

static uint32_t draw(uint32_t n) {
  seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
  return (uint32_t)(seed >> 33) % n;
}

/* Few values, so that most tuples share parts with many others. Each tuple belongs to one pcb. */
static void make(unsigned i) {
  struct tcp_pcb *pcb = &pcbs[i];
  memset(pcb, 0, sizeof(*pcb));
  ip_addr_set_ip4_u32_val(pcb->local_ip, 0x0a000000 + i % 3);
  ip_addr_set_ip4_u32_val(pcb->remote_ip, 0x0a000000 + i / 3 % 10);
  pcb->local_port = (u16_t)(i / 30 % 20 + 1);
  pcb->remote_port = (u16_t)(i / 600 + 1);
  pcb->state = i % 5 ? ESTABLISHED : TIME_WAIT;
}

static struct tcp_pcb *find(unsigned i) {
  const struct tcp_pcb *p = &pcbs[i];
  return stack_table_find(&p->local_ip, p->local_port, &p->remote_ip, p->remote_port);
}

static void check_counts(void) {
  struct stack_table_counts c;
  size_t active = 0, waits = 0, users[32] = {0};
  for (unsigned i = 0; i < PCBS; i++) {
    active += in[i] && i % 5;
    waits += in[i] && !(i % 5);
    users[pcbs[i].local_port] += in[i] && i % 5;
  }
  stack_table_counts(&c);
  cr_assert_eq(c.active, active);
  cr_assert_eq(c.time_wait, waits);
  for (uint16_t port = 1; port < 32; port++)
    cr_assert_eq(stack_table_port_used(port), users[port] > 0, "port %u", port);
}

static void change(unsigned i) {
  if (in[i])
    stack_table_remove(&pcbs[i]);
  else
    stack_table_add(&pcbs[i]);
  in[i] = !in[i];
}

/* Mostly adds, then mostly removes, and so on: through every size, several times. */
Test(stack_table, it_finds_what_a_walk_finds) {
  for (unsigned i = 0; i < PCBS; i++)
    make(i);
  for (unsigned wave = 0; wave < 8; wave++) {
    for (unsigned step = 0; step < 3 * PCBS; step++) {
      unsigned i = draw(PCBS);
      bool grow = wave % 2 == 0;
      if (in[i] != grow || draw(20) == 0)
        change(i);
      unsigned k = draw(PCBS);
      cr_assert_eq(find(k), in[k] ? &pcbs[k] : NULL);
      cr_assert_eq(find(i), in[i] ? &pcbs[i] : NULL);
    }
    check_counts();
    for (unsigned i = 0; i < PCBS; i++)
      cr_assert_eq(find(i), in[i] ? &pcbs[i] : NULL);
  }
}

Test(stack_table, its_size_follows) {
  struct stack_table_counts c;
  stack_table_counts(&c);
  size_t empty = c.places;
  for (unsigned i = 0; i < PCBS; i++) {
    make(i);
    change(i);
    stack_table_counts(&c);
    cr_assert(c.places >= i + 1 || c.moving, "%zu places for %u", c.places, i + 1);
    cr_assert(c.places <= 2 * (i + 1) + empty);
  }
  for (unsigned i = 0; i < PCBS; i++)
    change(i);
  stack_table_counts(&c);
  cr_expect_eq(c.active + c.time_wait, 0);
  cr_expect_leq(c.places, 4 * empty, "%zu places for nothing", c.places);
}

Test(stack_table, to_leave_twice_is_harmless) {
  struct stack_table_counts c;
  make(1);
  change(1);
  change(1);
  stack_table_remove(&pcbs[1]);
  stack_table_counts(&c);
  cr_expect_eq(c.active, 0);
  cr_expect_null(find(1));
}

Test(stack_table, ipv6_tuples_are_told_apart) {
  make(1), make(2);
  for (unsigned i = 1; i <= 2; i++) {
    IP_ADDR6(&pcbs[i].local_ip, lwip_htonl(0x20010db8), 0, 0, lwip_htonl(i));
    IP_ADDR6(&pcbs[i].remote_ip, lwip_htonl(0x20010db8), 0, 0, lwip_htonl(9));
    pcbs[i].local_port = 5, pcbs[i].remote_port = 6;
    change(i);
  }
  cr_expect_eq(find(1), &pcbs[1]);
  cr_expect_eq(find(2), &pcbs[2]);
  change(1);
  cr_expect_null(find(1));
  cr_expect_eq(find(2), &pcbs[2]);
  change(2);
}
