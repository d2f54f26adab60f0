/* SPDX-License-Identifier: BSD-3-Clause
 * One "key value" a line, the first names the version, the last is the sum of all before it.
 */
#include "netconf/lease_file.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdio.h>

#define VERSION_LINE "capnet-lease 1\n"

/* --- out ---------------------------------------------------------------------------------------------------------- */

static void put_addr(struct lease_text *o, const char *key, const struct net_addr *a) {
  char text[NET_ADDR_STRLEN];
  if (a->family != 0)
    lease_text_put(o, "%s %s\n", key, net_addr_format(a, text));
}

static void put_who(struct lease_text *o, const struct dhcp4_identity *who) {
  char mac[NET_MAC_STRLEN];
  lease_text_put(o, "mac %s\n", net_mac_format(who->mac, mac));
  if (who->client_id_len == 0)
    return;
  lease_text_put_hex(o, "client-id", who->client_id, MIN(who->client_id_len, sizeof(who->client_id)));
}

static void put_params(struct lease_text *o, const struct dhcp4_params *p) {
  char prefix[NET_PREFIX_STRLEN], addr[NET_ADDR_STRLEN];
  lease_text_put(o, "address %s/%u\n", net_addr_format(&p->addr, addr), p->prefix_len);
  put_addr(o, "gateway", &p->gateway);
  for (unsigned i = 0; i < p->n_spares; i++)
    put_addr(o, "spare-gateway", &p->spares[i]);
  put_addr(o, "server", &p->server);
  put_addr(o, "broadcast", &p->broadcast);
  for (unsigned i = 0; i < p->n_dns; i++)
    put_addr(o, "dns", &p->dns[i]);
  for (unsigned i = 0; i < p->n_ntp; i++)
    put_addr(o, "ntp", &p->ntp[i]);
  for (unsigned i = 0; i < p->n_routes; i++)
    lease_text_put(o, "route %s %s\n", net_prefix_format(&p->routes[i].dst, prefix),
        p->routes[i].gateway.family != 0 ? net_addr_format(&p->routes[i].gateway, addr) : "link");
  if (p->search_present)
    lease_text_put(o, "search-list 1\n");
  for (unsigned i = 0; i < p->n_search; i++)
    lease_text_put(o, "search %s\n", p->search[i]);
  if (p->mtu != 0)
    lease_text_put(o, "mtu %u\n", p->mtu);
}

size_t lease_file_format(const struct dhcp4_identity *who, const struct lease_clock *now, const struct dhcp4_lease *l,
                         char buf[LEASE_FILE_MAX]) {
  struct lease_text o = {.buf = buf};
  lease_text_put(&o, VERSION_LINE);
  put_who(&o, who);
  lease_text_put_clock(&o, now);
  if (l->expiry_ns != 0)
    lease_text_put(&o, "t1-boot %" PRIu64 "\nt2-boot %" PRIu64 "\nend-boot %" PRIu64 "\n", l->t1_ns, l->t2_ns, l->expiry_ns);
  put_params(&o, &l->params);
  lease_text_end(&o);
  return o.len;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

struct in {
  struct dhcp4_identity who;
  struct lease_clock written;
  struct dhcp4_lease lease;
};

static int get_addr(const char *s, struct net_addr *ret) {
  struct net_addr a;
  if (net_addr_parse(s, &a) < 0 || a.family != AF_INET)
    return -EBADMSG;
  enum net_class c = net_addr_class(&a);
  if (c != NET_UNICAST && c != NET_LINK_LOCAL)
    return -EBADMSG;
  *ret = a;
  return 0;
}

static int get_addr_list(const char *s, struct net_addr *list, unsigned *n, unsigned max) {
  if (*n >= max)
    return -EBADMSG;
  int r = get_addr(s, &list[*n]);
  *n += r == 0;
  return r;
}

static int get_host(const char *s, struct dhcp4_params *p) {
  char copy[NET_PREFIX_STRLEN], *slash;
  uint64_t len;
  if (strlen(s) >= sizeof(copy))
    return -EBADMSG;
  strcpy(copy, s);
  slash = strchr(copy, '/');
  if (slash == NULL)
    return -EBADMSG;
  *slash++ = 0;
  if (lease_text_u64(slash, &len) < 0 || len < 1 || len > 32 || get_addr(copy, &p->addr) < 0 ||
      net_addr_class(&p->addr) != NET_UNICAST)
    return -EBADMSG;
  uint32_t v = net_addr_to_v4(&p->addr), host = len == 32 ? 0 : UINT32_MAX >> len;
  if (len <= 30 && ((v & host) == 0 || (v & host) == host))
    return -EBADMSG;
  p->prefix_len = (uint8_t)len;
  return 0;
}

static int get_route(const char *s, struct dhcp4_params *p) {
  char copy[NET_PREFIX_STRLEN + NET_ADDR_STRLEN], *blank;
  if (strlen(s) >= sizeof(copy) || p->n_routes >= DHCP4_ROUTES_MAX)
    return -EBADMSG;
  strcpy(copy, s);
  blank = strchr(copy, ' ');
  if (blank == NULL)
    return -EBADMSG;
  *blank++ = 0;
  struct dhcp4_route r = {0};
  if (net_prefix_parse(copy, &r.dst) < 0 || r.dst.addr.family != AF_INET || r.dst.len == 0)
    return -EBADMSG;
  if (strcmp(blank, "link") != 0 && get_addr(blank, &r.gateway) < 0)
    return -EBADMSG;
  p->routes[p->n_routes++] = r;
  return 0;
}

static int get_mtu(const char *s, struct dhcp4_params *p) {
  uint64_t v;
  if (lease_text_u64(s, &v) < 0 || v < DHCP4_MTU_MIN || v > UINT16_MAX)
    return -EBADMSG;
  p->mtu = (uint16_t)v;
  return 0;
}

static int get_params(const char *key, const char *value, struct dhcp4_params *p) {
  if (strcmp(key, "address") == 0)
    return get_host(value, p);
  if (strcmp(key, "gateway") == 0)
    return get_addr(value, &p->gateway);
  if (strcmp(key, "spare-gateway") == 0)
    return get_addr_list(value, p->spares, &p->n_spares, DHCP4_SPARES_MAX);
  if (strcmp(key, "server") == 0)
    return get_addr(value, &p->server);
  if (strcmp(key, "broadcast") == 0)
    return get_addr(value, &p->broadcast);
  if (strcmp(key, "dns") == 0)
    return get_addr_list(value, p->dns, &p->n_dns, NAMES_SERVERS_MAX);
  if (strcmp(key, "ntp") == 0)
    return get_addr_list(value, p->ntp, &p->n_ntp, DHCP4_NTP_MAX);
  if (strcmp(key, "route") == 0)
    return get_route(value, p);
  if (strcmp(key, "search") == 0)
    return lease_text_search(value, p->search, &p->n_search);
  if (strcmp(key, "search-list") == 0) {
    p->search_present = true;
    return 0;
  }
  return strcmp(key, "mtu") == 0 ? get_mtu(value, p) : -EBADMSG;
}

static int get_line(void *arg, const char *key, const char *value) {
  struct in *in = arg;
  int r;
  if (lease_text_clock(key, value, &in->written, &r))
    return r;
  if (strcmp(key, "mac") == 0)
    return net_mac_parse(value, in->who.mac);
  if (strcmp(key, "client-id") == 0)
    return lease_text_hex(value, in->who.client_id, sizeof(in->who.client_id), &in->who.client_id_len);
  if (strcmp(key, "t1-boot") == 0)
    return lease_text_u64(value, &in->lease.t1_ns);
  if (strcmp(key, "t2-boot") == 0)
    return lease_text_u64(value, &in->lease.t2_ns);
  if (strcmp(key, "end-boot") == 0)
    return lease_text_u64(value, &in->lease.expiry_ns);
  return get_params(key, value, &in->lease.params);
}

static int read_lines(const char *text, size_t len, struct in *in) {
  if (lease_text_lines(text, len, get_line, in) < 0)
    return -EBADMSG;
  const struct dhcp4_lease *l = &in->lease;
  bool times = l->expiry_ns == 0 ? l->t1_ns == 0 && l->t2_ns == 0 : l->t1_ns <= l->t2_ns && l->t2_ns <= l->expiry_ns;
  return times && l->params.addr.family != 0 && l->params.server.family != 0 ? 0 : -EBADMSG;
}

static bool same_client(const struct dhcp4_identity *a, const struct dhcp4_identity *b) {
  return memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->client_id_len == b->client_id_len &&
         memcmp(a->client_id, b->client_id, MIN(a->client_id_len, sizeof(a->client_id))) == 0;
}

static uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 1; }

/* Moves the times to the clock of now. */
static int place(struct in *in, const struct lease_clock *now, bool *ret_live, const char **ret_why) {
  struct dhcp4_lease *l = &in->lease;
  *ret_live = true;
  if (l->expiry_ns == 0)
    return 0;
  if (!lease_clock_same_boot(&in->written, now)) {
    uint64_t length = minus(l->expiry_ns, in->written.boot_ns), aged = lease_clock_passed_s(&in->written, now);
    if (lease_clock_behind(&in->written, now)) {
      *ret_live = false;
      *ret_why = "the time of day is behind it: its end is unknown";
    }
    uint64_t left = aged >= length / NSEC_PER_SEC + 1 ? 0 : minus(length, aged * NSEC_PER_SEC);
    uint64_t expiry = now->boot_ns + left;
    l->t1_ns = minus(expiry, l->expiry_ns - l->t1_ns);
    l->t2_ns = minus(expiry, l->expiry_ns - l->t2_ns);
    l->expiry_ns = expiry;
  }
  if (l->expiry_ns > now->boot_ns + NSEC_PER_SEC)
    return 0;
  *ret_live = false;
  *ret_why = "it is over";
  return -ESTALE;
}

int lease_file_parse(const char *text, size_t len, const struct dhcp4_identity *who, const struct lease_clock *now,
                     struct dhcp4_lease *ret, bool *ret_live, const char **ret_why) {
  struct in in = {0};
  size_t body;
  if (lease_text_check(text, len, VERSION_LINE, &body, ret_why) < 0 || read_lines(text, body, &in) < 0)
    return -EBADMSG;
  if (!same_client(&in.who, who)) {
    *ret_why = "it is another client's: the hardware address or the client identifier differs";
    return -EPERM;
  }
  *ret_why = NULL;
  int r = place(&in, now, ret_live, ret_why);
  *ret = in.lease;
  return r;
}
