/* SPDX-License-Identifier: BSD-3-Clause
 * Writing DHCPv4 messages.
 */
#include "netconf/dhcp4_wire.h"

#define MESSAGE_MAX 128

struct writer {
  uint8_t *buf;
  size_t len;
};

/* In pieces where it is long (RFC 3396 5). What we send is bounded by construction: fixed options, and texts of known
 * lengths. */
static void put_option(struct writer *w, uint8_t code, const void *data, size_t len) {
  const uint8_t *from = data;
  do {
    size_t piece = MIN(len, 255u);
    w->buf[w->len++] = code;
    w->buf[w->len++] = (uint8_t)piece;
    if (piece > 0)
      memcpy(w->buf + w->len, from, piece);
    w->len += piece;
    from += piece;
    len -= piece;
  } while (len > 0);
}

static void put_addr_option(struct writer *w, uint8_t code, const struct net_addr *a) {
  if (a->family == AF_INET)
    put_option(w, code, a->b, 4);
}

static void put_client_id(struct writer *w, const struct dhcp4_identity *who) {
  uint8_t id[7] = {HTYPE_ETHERNET};
  memcpy(id + 1, who->mac, sizeof(who->mac));
  if (who->client_id_len > 0)
    put_option(w, OPT_CLIENT_ID, who->client_id, MIN(who->client_id_len, sizeof(who->client_id)));
  else
    put_option(w, OPT_CLIENT_ID, id, sizeof(id));
}

static void put_text(struct writer *w, uint8_t code, const char *text, size_t size) {
  size_t n = strnlen(text, size - 1);
  if (n > 0)
    put_option(w, code, text, n);
}

/* 121 before 3 and 33, as RFC 3442 asks. 108 stands here only if we mean it: that is what tells the server (RFC 8925
 * 3.2). */
static void put_wishes(struct writer *w, const struct dhcp4_identity *who, const struct dhcp4_send *m) {
  static const uint8_t wanted[] = {OPT_MASK,  OPT_CLASSLESS, OPT_ROUTER, OPT_STATIC_ROUTES, OPT_DNS,
                                   OPT_DOMAIN, OPT_SEARCH,   OPT_MTU,    OPT_BROADCAST,     OPT_NTP};
  static const uint8_t times[] = {OPT_LEASE, OPT_T1, OPT_T2};
  uint8_t list[sizeof(wanted) + sizeof(times) + 1];
  size_t n = sizeof(wanted);
  memcpy(list, wanted, sizeof(wanted));
  if (m->type != DHCP4_INFORM) {
    memcpy(list + n, times, sizeof(times));
    n += sizeof(times);
  }
  if (m->v6only)
    list[n++] = OPT_V6ONLY;
  put_text(w, OPT_HOSTNAME, who->hostname, sizeof(who->hostname));
  put_text(w, OPT_VENDOR_CLASS, who->vendor_class, sizeof(who->vendor_class));
  uint8_t max[2];
  put16(max, DHCP4_RECEIVE_MAX + 28);
  put_option(w, OPT_MAX_SIZE, max, sizeof(max));
  put_option(w, OPT_PARAMETERS, list, n);
}

size_t dhcp4_encode(const struct dhcp4_identity *who, const struct dhcp4_send *m, uint8_t buf[DHCP4_MSG_MAX]) {
  memset(buf, 0, DHCP4_MSG_MAX);
  buf[OFF_OP] = BOOTREQUEST;
  buf[OFF_HTYPE] = HTYPE_ETHERNET;
  buf[OFF_HLEN] = 6;
  put32(buf + OFF_XID, m->xid);
  put16(buf + OFF_SECS, m->secs);
  put16(buf + OFF_FLAGS, m->broadcast ? FLAG_BROADCAST : 0);
  if (m->ciaddr.family == AF_INET)
    memcpy(buf + OFF_CIADDR, m->ciaddr.b, 4);
  memcpy(buf + OFF_CHADDR, who->mac, sizeof(who->mac));
  memcpy(buf + OFF_COOKIE, dhcp4_cookie, sizeof(dhcp4_cookie));

  struct writer w = {buf, OFF_OPTIONS};
  uint8_t type = (uint8_t)m->type;
  put_option(&w, OPT_TYPE, &type, 1);
  put_client_id(&w, who);
  put_addr_option(&w, OPT_REQUESTED, &m->requested);
  put_addr_option(&w, OPT_SERVER, &m->server);
  if (m->message != NULL)
    put_text(&w, OPT_MESSAGE, m->message, MESSAGE_MAX);
  if (m->rapid)
    put_option(&w, OPT_RAPID_COMMIT, "", 0);
  if (m->type == DHCP4_DISCOVER || m->type == DHCP4_REQUEST || m->type == DHCP4_INFORM)
    put_wishes(&w, who, m);
  w.buf[w.len++] = OPT_END;
  return MAX(w.len, (size_t)DHCP4_MSG_MIN);
}
