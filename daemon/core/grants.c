/* SPDX-License-Identifier: BSD-3-Clause
 * Grants on offer. Each is a bundle in the tree and a door in the file system.
 */
#include "core/grants.h"

#include "core/report.h"
#include "core/server.h"

#include <stdio.h>

struct offer {
  struct list link;
  struct grant *grant; /* borrowed from the set */
  struct cap_bundle *bundle;
  struct door *door;
};

struct reload {
  struct offers *offers; /* NULL: they went while names were looked up */
  struct grant_set *set;
  int error;
  void (*done)(void *arg, int r);
  void *arg;
};

struct offers {
  struct caps *caps;
  char *runtime_dir;
  struct grant_set *set;
  struct list list;
  unsigned n;
  struct reload *reload; /* under way */
};

/* --- one offer ----------------------------------------------------------------------------------------------------------------- */

static void on_enter(void *arg, int fd, const struct auth_taker *taker) {
  struct offer *of = arg;
  int r = cap_bundle_accept(of->bundle, fd, taker);
  if (r < 0)
    log_warning("grant %s: a client cannot be taken in: %s", of->grant->name, strerror(-r));
}

static void on_refused(void *arg, const struct auth_taker *taker) {
  struct offer *of = arg;
  char who[CAP_TAKER_STRLEN], uid[16];
  (void)snprintf(uid, sizeof uid, "%u", (unsigned)taker->uid);
  const struct log_field fields[] = {{"CAPNET_VERB", "refuse"}, {"CAPNET_GRANT", of->grant->name}, {"CAPNET_UID", uid}};
  log_event(LOG_LVL_NOTICE, fields, ARRAY_SIZE(fields), "refuse grant=%s by %s: not among its users", of->grant->name,
            cap_taker_format(taker, who));
}

static const struct door_ops door_ops = {.enter = on_enter, .refused = on_refused};

static void offer_free(struct offers *o, struct offer *of) {
  of->door = door_close(of->door);
  of->bundle = cap_bundle_revoke(of->bundle);
  list_remove(&of->link);
  o->n--;
  free(of);
}

static int make_bundle(struct offers *o, const struct grant *g, struct cap_bundle **ret) {
  struct cap_bundle_item items[CONFIG_ITEMS_MAX];
  const uint64_t now = loop_now(caps_loop(o->caps), CLOCK_ID_BOOT);
  for (unsigned i = 0; i < g->n_items; i++) {
    const struct grant_item *it = &g->items[i];
    const char *congestion = it->congestion[0] ? it->congestion : g->congestion;
    items[i] = (struct cap_bundle_item){.name = it->name,
                                        .kind = it->kind,
                                        .rights = it->rights,
                                        .limits = it->limits,
                                        .congestion = congestion[0] ? congestion : NULL,
                                        .expires_ns = it->expires_s ? now + it->expires_s * NSEC_PER_SEC : 0};
  }
  struct auth_refusal why = {0};
  int r = cap_bundle_new(o->caps, g->name, g->description, g->limits, items, g->n_items, ret, &why);
  if (r < 0)
    log_error("grant %s cannot be offered: %s", g->name, why.text[0] ? why.text : strerror(-r));
  return r;
}

static int offer_new(struct offers *o, struct grant *g) {
  char path[CONFIG_PATH_MAX + AUTH_NAME_MAX + 16];
  struct offer *of = calloc(1, sizeof *of);
  if (!of)
    return -ENOMEM;
  of->grant = g;
  list_append(&o->list, &of->link);
  o->n++;
  (void)snprintf(path, sizeof path, "%s/grants/%s.sock", o->runtime_dir, g->name);
  const struct door_config cfg = {
      .path = path, .uids = g->uids, .n_uids = g->n_users, .gids = g->gids, .n_gids = g->n_groups};
  int r = make_bundle(o, g, &of->bundle);
  if (r == 0) {
    r = door_open(caps_loop(o->caps), &cfg, &door_ops, of, &of->door);
    if (r < 0)
      log_error("grant %s: no socket at %s: %s", g->name, path, strerror(-r));
  }
  if (r < 0)
    offer_free(o, of);
  return r;
}

/* --- all of them ----------------------------------------------------------------------------------------------------------------- */

int offers_new(struct caps *caps, const char *runtime_dir, struct grant_set *set, struct offers **ret) {
  struct offers *o = calloc(1, sizeof *o);
  if (!o || !(o->runtime_dir = strdup(runtime_dir))) {
    free(o);
    grants_free(set);
    return -ENOMEM;
  }
  o->caps = caps;
  o->set = set;
  list_init(&o->list);
  for (unsigned i = 0; i < set->n; i++) {
    int r = offer_new(o, set->grants[i]);
    if (r < 0) {
      offers_free(o);
      return r;
    }
  }
  *ret = o;
  return 0;
}

struct offers *offers_free(struct offers *o) {
  if (!o)
    return NULL;
  if (o->reload)
    o->reload->offers = NULL;
  list_for_each(pos, &o->list) offer_free(o, list_entry(pos, struct offer, link));
  grants_free(o->set);
  free(o->runtime_dir);
  free(o);
  return NULL;
}

unsigned offers_count(const struct offers *o) { return o->n; }

/* --- reload ------------------------------------------------------------------------------------------------------------------------ */

static bool still_offered(const struct grant *g, const struct grant_set *set, struct grant **ret_new) {
  for (unsigned i = 0; i < set->n; i++)
    if (strcmp(set->grants[i]->name, g->name) == 0) {
      *ret_new = set->grants[i];
      return grant_equal(g, set->grants[i]);
    }
  return false;
}

static bool is_offered(const struct offers *o, const char *name) {
  for (const struct list *pos = o->list.next; pos != &o->list; pos = pos->next)
    if (strcmp(list_entry(pos, struct offer, link)->grant->name, name) == 0)
      return true;
  return false;
}

static int swap_sets(struct offers *o, struct grant_set *set) {
  int r = 0;
  list_for_each(pos, &o->list) {
    struct offer *of = list_entry(pos, struct offer, link);
    struct grant *same = NULL;
    if (still_offered(of->grant, set, &same))
      of->grant = same;
    else {
      log_notice("revoke grant=%s: its file %s", of->grant->name, same ? "changed" : "is gone");
      offer_free(o, of);
    }
  }
  for (unsigned i = 0; i < set->n; i++)
    if (!is_offered(o, set->grants[i]->name)) {
      int e = offer_new(o, set->grants[i]);
      r = r ? r : e;
    }
  grants_free(o->set);
  o->set = set;
  return r;
}

static void resolve_all(void *arg) {
  struct reload *rl = arg;
  for (unsigned i = 0; rl->error == 0 && i < rl->set->n; i++)
    rl->error = config_grant_resolve(rl->set->grants[i], report_config_error, NULL);
}

static void resolved(void *arg) {
  struct reload *rl = arg;
  int r = rl->error;
  if (rl->offers) {
    rl->offers->reload = NULL;
    if (r == 0)
      r = swap_sets(rl->offers, TAKE_PTR(rl->set));
    rl->done(rl->arg, r);
  }
  grants_free(rl->set);
  free(rl);
}

int offers_reload(struct offers *o, const char *dir, void (*done)(void *arg, int r), void *arg) {
  if (o->reload)
    return -EBUSY;
  struct reload *rl = calloc(1, sizeof *rl);
  if (!rl)
    return -ENOMEM;
  *rl = (struct reload){.offers = o, .done = done, .arg = arg};
  int r = grants_load(dir, &rl->set, report_config_error, NULL);
  if (r == 0)
    r = loop_offload(caps_loop(o->caps), resolve_all, resolved, rl);
  if (r < 0) {
    grants_free(rl->set);
    free(rl);
    return r;
  }
  o->reload = rl;
  return 0;
}
