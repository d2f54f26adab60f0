/* SPDX-License-Identifier: BSD-3-Clause
 * Does what the machines say: sends, sets the one timer, hands leases to netconf_ip4.c. Decides nothing.
 */
#include "netconf/dhcp4_client.h"

#include "base/util.h"
#include "stack/stack_dgram.h"

/* A release waits for the server's hardware address, which is looked for after 1, 2, 4 … ms: a second in all. */
#define RELEASE_WAIT_NS NSEC_PER_MSEC
#define RELEASE_TRIES 10

struct dhcp4_client {
  struct dhcp4_machine machine;
  struct dhcp4_inform inform;
  struct loop *loop;
  struct loop_timer *timer;
  struct stack_if *iface;
  struct stack_udp *udp;
  struct dhcp4_action release; /* that waits; looked at again at release_ns, 0: there is none */
  unsigned release_tries;
  uint64_t release_ns;
  const struct dhcp4_client_ops *ops;
  void *arg;
};

static uint64_t now(const struct dhcp4_client *c) { return loop_now(c->loop, CLOCK_ID_BOOT); }

static uint64_t earlier(uint64_t a, uint64_t b) { return a == 0 ? b : b == 0 ? a : MIN(a, b); }

static void set_timer(struct dhcp4_client *c) {
  uint64_t first = earlier(earlier(c->machine.deadline_ns, c->inform.deadline_ns), c->release_ns);
  if (first != 0)
    loop_timer_set(c->timer, first);
  else
    loop_timer_clear(c->timer);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

/* The address went before the message, and what waited for ARP with it: so the neighbour is asked for first. */
static void release_try(struct dhcp4_client *c) {
  uint8_t buf[DHCP4_MSG_MAX];
  const struct dhcp4_action *a = &c->release;
  struct net_endpoint to = {a->to, DHCP4_SERVER_PORT};
  bool known = stack_if_resolves(c->iface, &a->hop, c->release_tries == 0);
  c->release_ns = known || c->release_tries == RELEASE_TRIES ? 0 : now(c) + (RELEASE_WAIT_NS << c->release_tries++);
  if (known)
    (void)stack_udp_send_by(c->udp, &a->src, &a->hop, &to, buf, dhcp4_encode(&c->machine.cfg.id, &a->message, buf));
  set_timer(c);
}

/* One that cannot be sent is one that was lost: the machine tries again. Who asks for a lease anew may get the same one,
 * which a release that comes late would take away again. */
static void send_action(struct dhcp4_client *c, const struct dhcp4_action *a) {
  uint8_t buf[DHCP4_MSG_MAX];
  struct net_endpoint to = {a->to.family != 0 ? a->to : net_addr_v4(INADDR_BROADCAST), DHCP4_SERVER_PORT};
  if (a->src.family != 0) {
    c->release = *a;
    c->release_tries = 0;
    release_try(c);
    return;
  }
  if (a->message.type != DHCP4_INFORM)
    c->release_ns = 0;
  (void)stack_udp_send(c->udp, &to, buf, dhcp4_encode(&c->machine.cfg.id, &a->message, buf));
}

static void run_one(struct dhcp4_client *c, const struct dhcp4_action *a) {
  switch (a->kind) {
  case DHCP4_ACT_SEND:
    send_action(c, a);
    break;
  case DHCP4_ACT_APPLY:
    if (c->machine.has_lease)
      c->ops->apply(c->arg, &c->machine.lease);
    break;
  case DHCP4_ACT_DROP:
    c->ops->drop(c->arg, a->why);
    break;
  case DHCP4_ACT_STATE:
    c->ops->state(c->arg, a);
    break;
  case DHCP4_ACT_PROBE:
    c->ops->probe(c->arg, &c->machine.pending.params.addr);
    break;
  case DHCP4_ACT_PROBE_END:
    c->ops->probe(c->arg, NULL);
    break;
  case DHCP4_ACT_FORGET:
    c->ops->forget(c->arg);
    break;
  }
}

/* The timer is set before the callbacks run, since these may come back with a new event. */
static void run(struct dhcp4_client *c, const struct dhcp4_actions *acts) {
  set_timer(c);
  for (unsigned i = 0; i < acts->n; i++)
    run_one(c, &acts->a[i]);
}

static void run_inform(struct dhcp4_client *c, bool send, const struct dhcp4_send *m) {
  set_timer(c);
  if (send)
    send_action(c, &(struct dhcp4_action){.message = *m});
}

static void on_timer(void *arg) {
  struct dhcp4_client *c = arg;
  struct dhcp4_actions acts;
  struct dhcp4_send m;
  if (c->release_ns != 0 && now(c) >= c->release_ns)
    release_try(c);
  bool send = dhcp4_inform_timeout(&c->inform, now(c), &m);
  run_inform(c, send, &m);
  dhcp4_timeout(&c->machine, now(c), &acts);
  run(c, &acts);
}

static void on_received(void *arg, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                        const uint8_t *data, size_t len) {
  struct dhcp4_client *c = arg;
  struct dhcp4_reply reply;
  struct dhcp4_actions acts;
  int r = from->port == DHCP4_SERVER_PORT ? dhcp4_decode(data, len, &reply) : -EPROTO;
  if (r < 0) {
    c->machine.ignored[r == -EBADMSG ? DHCP4_MALFORMED : DHCP4_NOT_DHCP]++;
    return;
  }
  if (dhcp4_inform_receive(&c->inform, &reply)) {
    set_timer(c);
    c->ops->informed(c->arg, &c->inform.params);
    return;
  }
  dhcp4_receive(&c->machine, &reply, now(c), &acts);
  run(c, &acts);
}

static const struct stack_udp_ops udp_ops = {.received = on_received};

int dhcp4_client_new(struct loop *loop, struct stack_if *iface, const struct dhcp4_config *config,
                     const struct dhcp4_client_ops *ops, void *arg, struct dhcp4_client **ret) {
  struct dhcp4_client *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return -ENOMEM;
  c->loop = loop;
  c->iface = iface;
  c->ops = ops;
  c->arg = arg;
  struct stack_if_info info;
  stack_if_info(iface, &info);
  struct dhcp4_config cfg = *config;
  memcpy(cfg.id.mac, info.mac, sizeof(cfg.id.mac));
  dhcp4_init(&c->machine, &cfg, info.link_up);
  dhcp4_inform_init(&c->inform, &c->machine.cfg, info.link_up);
  int r = loop_timer_new(loop, CLOCK_ID_BOOT, on_timer, c, &c->timer);
  if (r == 0)
    r = stack_udp_open_if(iface, AF_INET, DHCP4_CLIENT_PORT, &udp_ops, c, &c->udp);
  if (r < 0) {
    dhcp4_client_free(c);
    return r;
  }
  *ret = c;
  return 0;
}

struct dhcp4_client *dhcp4_client_free(struct dhcp4_client *c) {
  if (c == NULL)
    return NULL;
  if (c->udp != NULL)
    c->udp = stack_udp_close(c->udp);
  c->timer = loop_timer_free(c->timer);
  free(c);
  return NULL;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void dhcp4_client_remember(struct dhcp4_client *c, const struct dhcp4_lease *l, bool ask, bool live) {
  dhcp4_remember(&c->machine, l, ask, live);
}

void dhcp4_client_start(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  dhcp4_start(&c->machine, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_stop(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  dhcp4_stop(&c->machine, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_standby(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  dhcp4_standby(&c->machine, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_link(struct dhcp4_client *c, bool up) {
  struct dhcp4_actions acts;
  struct dhcp4_send m;
  bool send = dhcp4_inform_link(&c->inform, up, now(c), &m);
  run_inform(c, send, &m);
  dhcp4_link(&c->machine, up, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_renew(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  dhcp4_renew(&c->machine, now(c), &acts);
  run(c, &acts);
}

int dhcp4_client_release(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  int r = dhcp4_release(&c->machine, now(c), &acts);
  run(c, &acts); /* an expiry noticed on the way has actions too */
  return r;
}

void dhcp4_client_probed(struct dhcp4_client *c, bool conflict) {
  struct dhcp4_actions acts;
  dhcp4_probed(&c->machine, conflict, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_conflict(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  dhcp4_conflict(&c->machine, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_inform(struct dhcp4_client *c, const struct net_addr *addr) {
  struct dhcp4_send m;
  bool known = c->inform.params.server.family != 0;
  bool send = dhcp4_inform_set(&c->inform, addr, now(c), &m);
  run_inform(c, send, &m);
  if (known && c->inform.params.server.family == 0)
    c->ops->informed(c->arg, NULL);
}

const struct dhcp4_machine *dhcp4_client_machine(const struct dhcp4_client *c) { return &c->machine; }
const struct dhcp4_inform *dhcp4_client_informing(const struct dhcp4_client *c) { return &c->inform; }
