/* SPDX-License-Identifier: BSD-3-Clause
 * The index of connections (stack_table.h). While it changes size there are two arrays: whoever adds or removes moves a
 * few chains on, so no single connection pays for all. Without memory for a larger one the chains become longer.
 */
#include "stack/stack_table.h"

#include "stack/stack_private.h"

#define PLACES_MIN 256u
#define MOVED_AT_ONCE 16u /* chains: half of those it has when it begins to shrink, so it is done in time */

static struct tcp_pcb *first_places[PLACES_MIN];

static struct {
  struct tcp_pcb **places, **old; /* old NULL: nothing is moving */
  uint32_t mask, old_mask, moved; /* chains of old below moved are empty */
  size_t n, time_wait;
  uint32_t port_users[UINT16_MAX + 1]; /* active connections */
} table = {.places = first_places, .mask = PLACES_MIN - 1};

static void push(struct tcp_pcb **place, struct tcp_pcb *pcb) {
  pcb->hook_data.hash_next = *place;
  *place = pcb;
}

static void free_places(struct tcp_pcb **places) {
  if (places != first_places)
    free(places);
}

static void move_some(void) {
  if (!table.old)
    return;
  for (unsigned i = 0; i < MOVED_AT_ONCE && table.moved <= table.old_mask; i++, table.moved++)
    for (struct tcp_pcb *pcb = table.old[table.moved], *next; pcb; pcb = next) {
      next = pcb->hook_data.hash_next;
      push(&table.places[pcb->hook_data.hash & table.mask], pcb);
      table.old[table.moved] = next;
    }
  if (table.moved <= table.old_mask)
    return;
  free_places(table.old);
  table.old = NULL;
}

/* One size follows another only when all have moved. */
static void fit(void) {
  size_t places = (size_t)table.mask + 1, want = places;
  if (table.n > places)
    want = places * 2;
  else if (table.n < places / 8 && places > PLACES_MIN)
    want = places / 2;
  if (table.old || want == places || want > UINT32_MAX / 2)
    return;
  struct tcp_pcb **fresh = want == PLACES_MIN ? memset(first_places, 0, sizeof(first_places))
                                              : calloc(want, sizeof(struct tcp_pcb *));
  if (!fresh)
    return;
  table.old = table.places;
  table.old_mask = table.mask;
  table.moved = 0;
  table.places = fresh;
  table.mask = (uint32_t)want - 1;
}

static bool matches(const struct tcp_pcb *pcb, uint32_t hash, const ip_addr_t *local, uint16_t lport,
                    const ip_addr_t *remote, uint16_t rport) {
  return pcb->hook_data.hash == hash && pcb->local_port == lport && pcb->remote_port == rport &&
         ip_addr_eq(&pcb->local_ip, local) && ip_addr_eq(&pcb->remote_ip, remote);
}

struct tcp_pcb *stack_table_find(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport) {
  uint32_t hash = stack_index_hash(local, lport, remote, rport);
  for (struct tcp_pcb *pcb = table.places[hash & table.mask]; pcb; pcb = pcb->hook_data.hash_next)
    if (matches(pcb, hash, local, lport, remote, rport))
      return pcb;
  for (struct tcp_pcb *pcb = table.old ? table.old[hash & table.old_mask] : NULL; pcb; pcb = pcb->hook_data.hash_next)
    if (matches(pcb, hash, local, lport, remote, rport))
      return pcb;
  return NULL;
}

bool stack_table_port_used(uint16_t port) { return table.port_users[port] > 0; }

void stack_table_counts(struct stack_table_counts *ret) {
  *ret = (struct stack_table_counts){.active = table.n - table.time_wait,
                                     .time_wait = table.time_wait,
                                     .places = (size_t)table.mask + 1,
                                     .moving = table.old != NULL};
}

void stack_table_add(struct tcp_pcb *pcb) {
  struct stack_pcb *k = &pcb->hook_data;
  k->hash = stack_index_hash(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port);
  k->indexed = pcb->state == TIME_WAIT ? STACK_PCB_WAITS : STACK_PCB_ACTIVE;
  push(&table.places[k->hash & table.mask], pcb);
  table.n++;
  if (k->indexed == STACK_PCB_WAITS)
    table.time_wait++;
  else
    table.port_users[pcb->local_port]++;
  move_some();
  fit();
}

static bool unchain(struct tcp_pcb **p, struct tcp_pcb *pcb) {
  for (; *p; p = &(*p)->hook_data.hash_next)
    if (*p == pcb) {
      *p = pcb->hook_data.hash_next;
      return true;
    }
  return false;
}

void stack_table_remove(struct tcp_pcb *pcb) {
  struct stack_pcb *k = &pcb->hook_data;
  if (!k->indexed)
    return;
  if (!unchain(&table.places[k->hash & table.mask], pcb) && table.old)
    (void)unchain(&table.old[k->hash & table.old_mask], pcb);
  table.n--;
  if (k->indexed == STACK_PCB_WAITS)
    table.time_wait--;
  else
    table.port_users[pcb->local_port]--;
  k->indexed = STACK_PCB_UNKNOWN;
  move_some();
  fit();
}
