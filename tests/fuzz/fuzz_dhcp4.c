/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as messages for a DHCP client. Each input is decoded and given to machines in each of their states; and it goes
 * as a datagram over a wire to an interface that is configured by DHCP, from its first DISCOVER to its renewals. The
 * transaction id and hardware address are put right, or nearly every input would end at that check.
 */
#include "fuzz.h"

#include "base/util.h"
#include "netconf/dhcp4_inform.h"
#include "netconf/dhcp4_machine.h"
#include "netconf/netconf.h"
#include "stack/stack_dgram.h"

static void must(bool ok) {
  if (!ok)
    abort();
}

/* --- the machine alone -------------------------------------------------------------------------------------------- */

static uint32_t same(void *arg _unused_) { return 0x01020304; }

static void check(const struct dhcp4_machine *m, const struct dhcp4_actions *acts, uint64_t now) {
  bool for_ever = m->has_lease && m->lease.expiry_ns == 0;
  must(acts->n < DHCP4_ACTIONS_MAX);
  must(!m->has_lease || for_ever || m->lease.expiry_ns > now);
  must(m->deadline_ns != 0 || for_ever);
}

static void run_machine(const struct dhcp4_reply *reply, unsigned how) {
  static const enum dhcp4_type order[] = {DHCP4_OFFER, DHCP4_ACK, DHCP4_ACK, DHCP4_NAK};
  struct dhcp4_config cfg = {.id.mac = {2, 0, 0, 0, 0, 7}, .random = same};
  cfg.probe = how & 1;
  cfg.rapid_commit = cfg.v6only = how & 2;
  struct dhcp4_reply r = *reply;
  struct dhcp4_machine m;
  struct dhcp4_actions acts;
  uint64_t now = NSEC_PER_SEC;
  dhcp4_init(&m, &cfg, true);
  dhcp4_start(&m, now, &acts);
  r.has_client_id = false;
  memcpy(r.mac, cfg.id.mac, 6);
  for (unsigned i = 0; i < 12; i++) {
    r.xid = m.xid;
    r.type = order[i % ARRAY_SIZE(order)];
    dhcp4_receive(&m, &r, now, &acts);
    check(&m, &acts, now);
    if (m.state == DHCP_PROBING) {
      dhcp4_probed(&m, i % 3 == 2, now, &acts);
      check(&m, &acts, now);
    }
    if (m.deadline_ns != 0)
      now = MAX(now, m.deadline_ns);
    dhcp4_timeout(&m, now, &acts);
    check(&m, &acts, now);
  }
  struct dhcp4_inform inform;
  struct dhcp4_send send;
  struct net_addr addr = net_addr_v4(0x0a010005);
  dhcp4_inform_init(&inform, &cfg, true);
  must(dhcp4_inform_set(&inform, &addr, now, &send));
  r.xid = inform.xid;
  r.type = DHCP4_ACK;
  (void)dhcp4_inform_receive(&inform, &r);
}

/* --- over a wire -------------------------------------------------------------------------------------------------- */

static struct {
  struct loop *loop;
  struct stack *stack;
  struct stack_if *a, *b;
  struct stack_udp *server;
  const uint8_t *data;
  size_t size;
} world;

static void on_request(void *arg _unused_, const struct net_endpoint *from _unused_, const struct net_endpoint *to _unused_,
                       const uint8_t *data, size_t len) {
  uint8_t out[1472];
  size_t n = MIN(world.size, sizeof(out));
  if (len < 240)
    return;
  memcpy(out, world.data, n);
  if (n >= 34) {
    memcpy(out + 4, data + 4, 4);
    memcpy(out + 28, data + 28, 6);
  }
  if (n >= 243 && out[240] == 53 && out[241] == 1 && out[242] == DHCP4_OFFER && data[242] != DHCP4_DISCOVER)
    out[242] = DHCP4_ACK; /* an offer that keeps its word */
  struct net_endpoint client = {net_addr_v4(INADDR_BROADCAST), DHCP4_CLIENT_PORT};
  (void)stack_udp_send(world.server, &client, out, n);
}
static const struct stack_udp_ops server_ops = {.received = on_request};

static void world_new(void) {
  struct nic *na, *nb;
  struct net_addr addr = net_addr_v4(0x0a010001);
  must(loop_sim_new(&world.loop) == 0);
  must(nic_memory_pair(world.loop, 1500, 64, &na, &nb) == 0);
  must(stack_new(world.loop, &world.stack) == 0);
  must(stack_if_add(world.stack, na, "a", NULL, NULL, &world.a) == 0);
  must(stack_if_add(world.stack, nb, "b", NULL, NULL, &world.b) == 0);
  must(stack_if_set_ipv4(world.b, &addr, 24, NULL) == 0);
  must(stack_udp_open_if(world.b, AF_INET, DHCP4_SERVER_PORT, &server_ops, NULL, &world.server) == 0);
}

static void on_lease(void *arg, const struct netconf_lease *l) {
  if (l->in_force && l->addr.family != 0)
    *(struct netconf_lease *)arg = *l;
}

static void run_wire(const uint8_t *data, size_t size) {
  static const struct netconf_upcalls up;
  static struct netconf_config cfg = {.mode = NETCONF_DHCP, .conflict_detection = NETCONF_ACD_FAST, .rapid_commit = true};
  struct netconf *n;
  if (world.loop == NULL)
    world_new();
  cfg.random = same;
  world.data = data;
  world.size = size;
  must(netconf_new(world.loop, world.a, &cfg, &up, NULL, &n) == 0);
  for (int i = 0; i < 6; i++) {
    struct netconf_lease l = {0};
    struct netconf_info info;
    must(loop_sim_advance(world.loop, (i + 1) * NSEC_PER_SEC) == 0);
    netconf_info(n, &info);
    netconf_each_lease(n, on_lease, &l);
    must((info.addr.family != 0) == (l.addr.family != 0));
    must(l.addr.family == 0 || l.expiry_ns == 0 || l.expiry_ns > loop_now(world.loop, CLOCK_ID_BOOT));
  }
  netconf_free(n);
  stack_if_clear_ipv4(world.a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct dhcp4_reply r;
  if (dhcp4_decode(data, size, &r) < 0)
    return 0;
  for (unsigned how = 0; how < 4; how++)
    run_machine(&r, how);
  run_wire(data, size);
  return 0;
}
