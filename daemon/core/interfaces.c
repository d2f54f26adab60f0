/* SPDX-License-Identifier: BSD-3-Clause
 * Interfaces: opening, starting, and passing on what changes (the log, the resolver, those who watch).
 */
#include "core/interfaces.h"

#include "base/log.h"
#include "core/systemd.h"
#include "stack/stack_if6.h"
#include "nic/nic_link.h"

#include <ctype.h>
#include <stdio.h>

struct interface {
  struct interfaces *all;
  const struct config_interface *cfg;
  struct nic *nic; /* until it is the stack's */
  struct stack_if *stack_if;
  struct netconf *netconf; /* NULL: not started, or its device is lost */
  const char *state;       /* stack_if_info's, as it was told last */
};

struct interfaces {
  struct loop *loop;
  struct nic_links *links; /* NULL: what happens to devices is not heard */
  struct interface list[CONFIG_INTERFACES_MAX];
  unsigned n;
  struct cap_interfaces out;
  struct names *names;
  struct names_config resolver; /* of all, merged */
  struct cap_status_room *status;
  const struct interfaces_upcalls *up;
  void *up_arg;
};

/* --- what changes ------------------------------------------------------------------------------------------------------------------ */

static void say(struct interface *i, const char *section, const char *text) {
  const struct log_field fields[] = {{"CAPNET_INTERFACE", i->cfg->name}};
  char line[NETCONF_TEXT_MAX + NIC_NAME_MAX + 2];
  (void)snprintf(line, sizeof line, "%s: %s", i->cfg->name, text);
  log_event(LOG_LVL_NOTICE, fields, ARRAY_SIZE(fields), "%s", line);
  cap_status_event(i->all->status, &(struct status_event){.section = section, .text = line});
}

#define EVENT_FIELDS 10

struct event_texts {
  char addr[NET_PREFIX_STRLEN], server[NET_ADDR_STRLEN], next_s[24], valid_s[24];
};
/* What there is of a transition, for the journal. */
static size_t event_fields(const struct interface *i, const struct netconf_event *ev, struct event_texts *t,
                           struct log_field out[EVENT_FIELDS]) {
  const uint64_t now = loop_now(i->all->loop, CLOCK_ID_BOOT);
  char addr[NET_ADDR_STRLEN];
  (void)snprintf(t->addr, sizeof t->addr, "%s/%u", net_addr_format(&ev->addr, addr), ev->prefix_len);
  (void)net_addr_format(&ev->server, t->server);
  (void)snprintf(t->next_s, sizeof t->next_s, "%.3f", ev->next_ns > now ? (double)(ev->next_ns - now) / 1e9 : 0.0);
  (void)snprintf(t->valid_s, sizeof t->valid_s, "%.3f",
                 ev->valid_until_ns > now ? (double)(ev->valid_until_ns - now) / 1e9 : 0.0);
  const struct log_field all[EVENT_FIELDS] = {{"CAPNET_INTERFACE", i->cfg->name},
                                              {"CAPNET_PROTOCOL", ev->protocol},
                                              {"CAPNET_FROM", ev->from},
                                              {"CAPNET_STATE", ev->to},
                                              {"CAPNET_ADDRESS", ev->addr.family ? t->addr : NULL},
                                              {"CAPNET_SERVER", ev->server.family ? t->server : NULL},
                                              {"CAPNET_REASON", ev->reason},
                                              {"CAPNET_NEXT", ev->next},
                                              {"CAPNET_NEXT_S", ev->next ? t->next_s : NULL},
                                              {"CAPNET_VALID_S", ev->valid_until_ns ? t->valid_s : NULL}};
  size_t n = 0;
  for (size_t k = 0; k < EVENT_FIELDS; k++)
    if (all[k].value)
      out[n++] = all[k];
  return n;
}

static void on_event(void *arg, const struct netconf_event *ev) {
  struct interface *i = arg;
  struct event_texts texts;
  struct log_field fields[EVENT_FIELDS];
  char text[NETCONF_TEXT_MAX], line[NETCONF_TEXT_MAX + NIC_NAME_MAX + 2];
  (void)snprintf(line, sizeof line, "%s: %s", i->cfg->name,
                 netconf_event_text(ev, loop_now(i->all->loop, CLOCK_ID_BOOT), text));
  log_event(LOG_LVL_NOTICE, fields, event_fields(i, ev, &texts, fields), "%s", line);
  cap_status_event(i->all->status, &(struct status_event){.section = ev->section,
                                                          .text = line,
                                                          .ifname = i->cfg->name,
                                                          .transition = ev});
  if (strcmp(ev->section, "interfaces") == 0)
    cap_status_event(i->all->status, &(struct status_event){.section = "routes", .text = "routes follow the address"});
  i->all->up->changed(i->all->up_arg);
}

static void on_resolver(void *arg, const struct names_config *cfg) {
  struct interface *i = arg;
  struct names_config *all = &i->all->resolver;
  (void)cfg;
  *all = (struct names_config){0};
  for (unsigned k = 0; k < i->all->out.n; k++) {
    struct netconf_info info;
    netconf_info(i->all->out.list[k], &info);
    names_config_merge(all, info.resolver, info.ifname);
  }
  char text[64];
  if (names_configure(i->all->names, all) < 0)
    (void)snprintf(text, sizeof text, "resolver: no servers until there is memory for them");
  else
    (void)snprintf(text, sizeof text, "resolver: %u servers, %u search domains", all->n_servers, all->n_search);
  say(i, "resolver", text);
}

static const struct netconf_upcalls netconf_upcalls = {.event = on_event, .resolver = on_resolver};

/* Of the link or the device. */
static void tell_state(struct interface *i, enum log_level level, const char *to, const char *text, const char *reason) {
  const struct netconf_event ev = {
      .section = "interfaces", .protocol = "link", .from = i->state, .to = to, .reason = reason};
  const struct log_field fields[] = {{"CAPNET_INTERFACE", i->cfg->name},
                                     {"CAPNET_PROTOCOL", ev.protocol},
                                     {"CAPNET_FROM", ev.from},
                                     {"CAPNET_STATE", ev.to},
                                     {"CAPNET_REASON", ev.reason}};
  char line[256];
  (void)snprintf(line, sizeof line, "%s: %s%s%s", i->cfg->name, text, reason ? ": " : "", reason ? reason : "");
  log_event(level, fields, ARRAY_SIZE(fields), "%s", line);
  i->state = to;
  cap_status_event(i->all->status, &(struct status_event){
                                       .section = ev.section, .text = line, .ifname = i->cfg->name, .transition = &ev});
  cap_status_event(i->all->status, &(struct status_event){.section = "routes", .text = "routes follow the link"});
}

static void on_link(void *arg, bool up) {
  struct interface *i = arg;
  tell_state(i, LOG_LVL_NOTICE, up ? "up" : "down", up ? "link is up" : "link is down", NULL);
  if (i->netconf)
    netconf_link(i->netconf, up);
  i->all->up->changed(i->all->up_arg);
}

static void on_mtu(void *arg) {
  struct interface *i = arg;
  struct stack_if_info info;
  char line[128], mtu[16];
  if (!i->stack_if)
    return;
  stack_if_info(i->stack_if, &info);
  (void)snprintf(mtu, sizeof mtu, "%u", info.mtu);
  (void)snprintf(line, sizeof line, "%s: mtu is %s (%s)", i->cfg->name, mtu, info.mtu_origin);
  const struct log_field fields[] = {{"CAPNET_INTERFACE", i->cfg->name}, {"CAPNET_MTU", mtu}};
  log_event(LOG_LVL_NOTICE, fields, ARRAY_SIZE(fields), "%s", line);
  cap_status_event(i->all->status, &(struct status_event){.section = "interfaces", .text = line});
  if (i->netconf)
    netconf_mtu(i->netconf);
}

static void on_away(void *arg, bool away) {
  if (away)
    tell_state(arg, LOG_LVL_WARNING, "gone", "the device is gone", "it will be opened again when it is back");
  else
    tell_state(arg, LOG_LVL_NOTICE, "down", "the device is back", NULL);
}

static void drop_netconf(struct interface *i) {
  struct cap_interfaces *out = &i->all->out;
  for (unsigned k = 0; k < out->n; k++)
    if (out->list[k] == i->netconf) {
      memmove(&out->list[k], &out->list[k + 1], (out->n - k - 1) * sizeof out->list[0]);
      out->n--;
      break;
    }
  i->netconf = netconf_free(i->netconf);
}

static const char *why_gone(const struct interface *i, int error) {
  if (error == -EPERM)
    return "it is back, but belongs to somebody else";
  if (error == -EBUSY)
    return "it is back, but somebody else has it open";
  if (error == -ENODEV && i->cfg->device == CONFIG_TAP)
    return "it was deleted, and cannot be opened again without privilege";
  return strerror(-error);
}

/* For good. With others left the daemon goes on: to end would cut connections that nothing happened to. */
static void on_gone(void *arg, int error) {
  struct interface *i = arg;
  tell_state(i, LOG_LVL_ERROR, "gone", "the device is gone", why_gone(i, error));
  drop_netconf(i);
  if (i->all->out.n == 0) {
    i->all->up->gone(i->all->up_arg);
    return;
  }
  i->all->up->changed(i->all->up_arg);
  on_resolver(i, NULL);
  log_warning("%s is lost until the daemon is started again, the other interfaces go on", i->cfg->name);
}

static const struct stack_if_upcalls if_upcalls = {
    .link = on_link, .mtu = on_mtu, .away = on_away, .gone = on_gone};

/* --- opening -------------------------------------------------------------------------------------------------------------------------- */

/* An inherited TAP descriptor by its name, as systemd passes it. */
static int inherited_fd(const char *name) {
#ifdef HAVE_SYSTEMD
  char **names = NULL;
  const struct systemd *sd = getenv("LISTEN_FDS") ? systemd_get() : NULL;
  int found = -1, n = sd ? sd->listen_fds_with_names(0, &names) : 0;
  for (int i = 0; i < n; i++) {
    if (found < 0 && strcmp(names[i], name) == 0)
      found = SD_LISTEN_FDS_START + i;
    free(names[i]);
  }
  free(names);
  return found;
#else
  (void)name;
  return -1;
#endif
}

static int open_tap(struct interfaces *is, const struct config_interface *c, const struct privilege *who,
                    struct nic **ret) {
  struct nic_tap_config tap = {.ifname = c->ifname[0] ? c->ifname : c->name, .fd = -1, .mtu = c->mtu,
                               .links = is->links, .uid = who->uid, .gid = who->gid};
  memcpy(tap.mac, c->mac, sizeof tap.mac);
  if (c->fd[0]) {
    tap.fd = inherited_fd(c->fd);
    if (tap.fd < 0) {
      log_error("%s: no descriptor named \"%s\" was inherited", c->name, c->fd);
      return -ENODEV;
    }
  }
  return nic_tap_open(is->loop, &tap, ret);
}

static int open_slirp(struct loop *loop, const struct config_interface *c, const struct privilege *who, struct nic **ret) {
  struct nic_slirp_config slirp = {
      .host_loopback = c->host_loopback, .forwards = c->forwards, .n_forwards = c->n_forwards, .mtu = c->mtu,
      .change_ids = who->change, .uid = who->uid, .gid = who->gid};
  memcpy(slirp.mac, c->mac, sizeof slirp.mac);
  return nic_slirp_open(loop, &slirp, ret);
}

/* What the script says of the machine is in the section already; what happens when, the device does by itself. */
static int open_fixture(struct loop *loop, const struct config_interface *c, struct nic **ret) {
  struct fixture_config fixture = {.script = c->fixture, .name = c->name, .mtu = c->mtu, .follow = true};
  memcpy(fixture.mac, c->mac, sizeof fixture.mac);
  return fixture_open(loop, &fixture, ret);
}

static int open_device(struct interfaces *is, const struct config_interface *c, const struct privilege *who,
                       struct nic **ret) {
  switch (c->device) {
  case CONFIG_TAP:
    return open_tap(is, c, who, ret);
  case CONFIG_SLIRP:
    return open_slirp(is->loop, c, who, ret);
  case CONFIG_FIXTURE:
    return open_fixture(is->loop, c, ret);
  }
  return -EINVAL;
}

static const char *hint(const struct config_interface *c, int error) {
  if (c->device == CONFIG_TAP && (error == -EPERM || error == -EACCES))
    return " (a TAP needs CAP_NET_ADMIN, or a persistent one owned by this user)";
  if (error == -EADDRINUSE)
    return " (a port of forward= is in use)";
  if (error == -ELIBACC)
    return " (libslirp 4, which makes the embedded network, is not installed)";
  return "";
}

int interfaces_open(struct loop *loop, const struct config *cfg, const struct privilege *who, struct interfaces **ret) {
  struct interfaces *is = calloc(1, sizeof *is);
  if (!is)
    return -ENOMEM;
  is->loop = loop;
  int l = nic_links_open(&is->links);
  if (l < 0)
    log_warning("what happens to devices is not heard, only what their descriptors tell: %s", strerror(-l));
  for (; is->n < cfg->n_interfaces; is->n++) {
    const struct config_interface *c = &cfg->interfaces[is->n];
    struct interface *i = &is->list[is->n];
    *i = (struct interface){.all = is, .cfg = c};
    int r = open_device(is, c, who, &i->nic);
    if (r < 0) {
      log_error("%s: the device cannot be opened: %s%s", c->name, strerror(-r), hint(c, r));
      interfaces_free(is);
      return r;
    }
  }
  *ret = is;
  return 0;
}

/* --- starting -------------------------------------------------------------------------------------------------------------------------- */

/* RFC 2132 3.14 and RFC 952: letters, digits and hyphens, the host's own name up to its first dot. */
static void host_name(char out[64]) {
  char name[256] = "";
  size_t n = 0;
  (void)gethostname(name, sizeof name - 1);
  for (const char *s = name; *s && *s != '.' && n < 63; s++)
    if (isalnum((unsigned char)*s) || (*s == '-' && n > 0))
      out[n++] = *s;
  out[n] = '\0';
}

static int start_one(struct interface *i, struct stack *stack, const char *state_dir) {
  int r = stack_if_add(stack, TAKE_PTR(i->nic), i->cfg->name, &if_upcalls, i, &i->stack_if);
  if (r < 0)
    return r;
  struct stack_if_info if_info;
  stack_if_info(i->stack_if, &if_info);
  i->state = if_info.state;
  stack_if_set_metric(i->stack_if, i->cfg->metric);
  struct netconf_config *nc = malloc(sizeof *nc);
  if (!nc)
    return -ENOMEM;
  *nc = i->cfg->netconf;
  if (!i->cfg->hostname_set)
    host_name(nc->hostname);
  (void)snprintf(nc->state_dir, sizeof nc->state_dir, "%s", state_dir);
  r = netconf_new(i->all->loop, i->stack_if, nc, &netconf_upcalls, i, &i->netconf);
  free(nc);
  if (r < 0)
    return r;
  i->all->out.list[i->all->out.n++] = i->netconf;
  return 0;
}

static void on_resume(void *arg, uint64_t slept_ns) {
  struct interfaces *is = arg;
  log_notice("the machine was asleep for %.0f s: addresses are verified", (double)slept_ns / NSEC_PER_SEC);
  for (unsigned k = 0; k < is->n; k++)
    if (is->list[k].netconf)
      netconf_resumed(is->list[k].netconf);
}

int interfaces_start(struct interfaces *is, struct stack *stack, struct names *names, struct cap_status_room *status,
                     const char *state_dir, const struct interfaces_upcalls *up, void *arg) {
  is->names = names;
  is->status = status;
  is->up = up;
  is->up_arg = arg;
  loop_on_resume(is->loop, on_resume, is);
  if (is->links && nic_links_start(is->links, is->loop) < 0)
    log_warning("what happens to devices is not heard");
  for (unsigned k = 0; k < is->n; k++) {
    int r = start_one(&is->list[k], stack, state_dir);
    if (r < 0) {
      log_error("%s: cannot be started: %s", is->list[k].cfg->name, strerror(-r));
      return r;
    }
  }
  return 0;
}

bool interfaces_settled(const struct interfaces *is) {
  for (unsigned k = 0; k < is->n; k++)
    if (is->list[k].netconf && !netconf_settled(is->list[k].netconf))
      return false;
  return true;
}

struct cap_interfaces *interfaces_list(struct interfaces *is) { return &is->out; }

void interfaces_stop(struct interfaces *is) {
  if (is)
    loop_on_resume(is->loop, NULL, NULL);
  for (unsigned k = 0; is && k < is->n; k++)
    is->list[k].netconf = netconf_free(is->list[k].netconf);
}

/* Devices that the stack took look at links until they are freed. */
struct interfaces *interfaces_free(struct interfaces *is) {
  if (!is)
    return NULL;
  for (unsigned k = 0; k < is->n; k++)
    is->list[k].nic = nic_free(is->list[k].nic);
  is->links = nic_links_free(is->links);
  free(is);
  return NULL;
}
