/* SPDX-License-Identifier: BSD-3-Clause
 * Does what the machine says: sends, sets the one timer, hands leases to netconf.c. Decides nothing.
 */
#include "netconf/dhcp4_client.h"

#include "base/util.h"
#include "stack/stack_dgram.h"

#include <sys/random.h>

struct dhcp4_client {
  struct dhcp4_machine machine;
  struct loop *loop;
  struct loop_timer *timer;
  struct stack_udp *udp;
  const struct dhcp4_client_ops *ops;
  void *arg;
};

static uint32_t kernel_random(void *arg _unused_) {
  uint32_t v = 0;
  (void)getrandom(&v, sizeof(v), 0);
  return v;
}

static uint64_t now(const struct dhcp4_client *c) { return loop_now(c->loop, CLOCK_ID_BOOT); }

static void send_message(struct dhcp4_client *c, const struct dhcp4_action *a) {
  uint8_t buf[DHCP4_MSG_MAX];
  size_t len = dhcp4_encode(&a->message, buf);
  struct net_endpoint to = {a->to.family != 0 ? a->to : net_addr_v4(INADDR_BROADCAST), DHCP4_SERVER_PORT};
  /* One that cannot be sent is one that was lost: the machine tries again. */
  (void)stack_udp_send(c->udp, &to, buf, len);
}

/* The timer is set before the callbacks run, since these may come back with a new event. */
static void run(struct dhcp4_client *c, const struct dhcp4_actions *acts) {
  if (c->machine.deadline_ns != 0)
    loop_timer_set(c->timer, c->machine.deadline_ns);
  else
    loop_timer_clear(c->timer);
  for (unsigned i = 0; i < acts->n; i++) {
    const struct dhcp4_action *a = &acts->a[i];
    switch (a->kind) {
    case DHCP4_ACT_SEND:
      send_message(c, a);
      break;
    case DHCP4_ACT_APPLY:
      if (c->machine.has_lease)
        c->ops->apply(c->arg, &c->machine.lease);
      break;
    case DHCP4_ACT_DROP:
      c->ops->drop(c->arg);
      break;
    case DHCP4_ACT_STATE:
      c->ops->state(c->arg, a->from, a->state, a->why);
      break;
    }
  }
}

static void on_timer(void *arg) {
  struct dhcp4_client *c = arg;
  struct dhcp4_actions acts;
  dhcp4_timeout(&c->machine, now(c), &acts);
  run(c, &acts);
}

static void on_received(void *arg, const struct net_endpoint *from, const struct net_endpoint *to _unused_,
                        const uint8_t *data, size_t len) {
  struct dhcp4_client *c = arg;
  struct dhcp4_reply reply;
  struct dhcp4_actions acts;
  if (from->port != DHCP4_SERVER_PORT || dhcp4_decode(data, len, &reply) < 0) {
    c->machine.ignored++;
    return;
  }
  dhcp4_receive(&c->machine, &reply, now(c), &acts);
  run(c, &acts);
}

static const struct stack_udp_ops udp_ops = {.received = on_received};

int dhcp4_client_new(struct loop *loop, struct stack_if *iface, const char *hostname,
                     const struct dhcp4_client_ops *ops, void *arg, struct dhcp4_client **ret) {
  struct dhcp4_client *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return -ENOMEM;
  c->loop = loop;
  c->ops = ops;
  c->arg = arg;
  struct stack_if_info info;
  stack_if_info(iface, &info);
  struct dhcp4_config cfg = {.random = kernel_random};
  memcpy(cfg.mac, info.mac, sizeof(cfg.mac));
  strncpy(cfg.hostname, hostname, sizeof(cfg.hostname) - 1);
  dhcp4_init(&c->machine, &cfg, info.link_up);
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

void dhcp4_client_start(struct dhcp4_client *c) {
  struct dhcp4_actions acts;
  dhcp4_start(&c->machine, now(c), &acts);
  run(c, &acts);
}

void dhcp4_client_link(struct dhcp4_client *c, bool up) {
  struct dhcp4_actions acts;
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

enum dhcp_state dhcp4_client_state(const struct dhcp4_client *c) { return c->machine.state; }

const struct dhcp4_lease *dhcp4_client_lease(const struct dhcp4_client *c) {
  return c->machine.has_lease ? &c->machine.lease : NULL;
}
