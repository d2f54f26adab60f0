/* SPDX-License-Identifier: BSD-3-Clause
 * The file that lets the last lease of DHCPv6 outlive the daemon.
 */
#include "netconf/lease6_file.h"
#include "netconf/netconf_ip6.h"

#include "base/util.h"

/* Events carry static strings, so each is written out. */
static const char *refused(int error) {
  if (error == -EPERM)
    return "the file of the last lease is ignored: it is another client's";
  if (error == -ESTALE)
    return "the last lease is over, or nobody can know; asking for an address";
  return "the file of the last lease is ignored: it is damaged, or of another version";
}

static void take_up(struct netconf_ip6 *p, const char *text, size_t len) {
  struct lease_clock now;
  const char *why;
  _cleanup_free_ struct lease6 *l = malloc(sizeof(*l));
  if (l == NULL)
    return;
  netconf_lease_clock(p->n, &now);
  int r = lease6_file_parse(text, len, &p->dhcp.cfg, &now, l, &why);
  if (r < 0) {
    p->dhcp.memory_why = refused(r);
    return;
  }
  dhcp6_remember(&p->dhcp, &l->lease, &l->params);
  p->saved = l->lease;
}

int netconf_ip6_lease_open(struct netconf_ip6 *p) {
  struct stack_if_info info;
  stack_if_info(p->n->iface, &info);
  int r = lease_store_new(p->n->loop, p->n->cfg.state_dir, info.name, AF_INET6, &p->store);
  if (r < 0)
    return r;
  _cleanup_free_ char *text = malloc(LEASE_FILE_MAX);
  if (text == NULL)
    return -ENOMEM;
  ssize_t len = lease_store_read(p->store, text, LEASE_FILE_MAX);
  if (len >= 0)
    take_up(p, text, (size_t)len);
  else
    p->dhcp.memory_why = netconf_lease_unreadable(len);
  return 0;
}

static void write_file(struct netconf_ip6 *p) {
  struct lease_clock now;
  _cleanup_free_ char *text = malloc(LEASE_FILE_MAX);
  _cleanup_free_ struct lease6 *l = malloc(sizeof(*l));
  if (text == NULL || l == NULL)
    return;
  *l = (struct lease6){p->dhcp.lease, p->dhcp.params};
  netconf_lease_clock(p->n, &now);
  size_t len = lease6_file_format(&p->dhcp.cfg, &now, l, text);
  lease_store_write(p->store, text, len);
}

static bool same(const struct dhcp6_lease *a, const struct dhcp6_lease *b) {
  if (a->n_addrs != b->n_addrs || a->t1_ns != b->t1_ns || a->t2_ns != b->t2_ns)
    return false;
  for (unsigned i = 0; i < a->n_addrs; i++)
    if (!net_addr_equal(&a->addrs[i].addr, &b->addrs[i].addr) || a->addrs[i].valid_until != b->addrs[i].valid_until)
      return false;
  return true;
}

/* When DHCPv6 is switched off, or IPv6 is, the server's word still holds: the file stays. */
void netconf_ip6_lease_save(struct netconf_ip6 *p) {
  const struct dhcp6_machine *m = &p->dhcp;
  if (m->mode != DHCP6_MODE_ADDRESSES || p->n->cfg.state_dir[0] == 0 || same(&m->lease, &p->saved))
    return;
  p->saved = m->lease;
  if (m->lease.n_addrs > 0)
    write_file(p);
  else
    lease_store_remove(p->store);
}
