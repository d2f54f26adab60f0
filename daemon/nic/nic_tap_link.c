/* SPDX-License-Identifier: BSD-3-Clause
 * What the kernel tells of a TAP besides frames: its link, its MTU, its name, that it was deleted, that it is back.
 *
 * A descriptor whose device was deleted is not lost: it still belongs to the network namespace in which /dev/net/tun was
 * opened, and TUNSETIFF attaches it to the next device of that name. For a persistent device that only asks whether its
 * owner is us, so it needs no privilege, and no access to that namespace. That is why nothing is held in reserve.
 *
 * Whoever makes the device again holds it for a moment, and there is no message when he lets go of it: a few tries with
 * growing pauses after each message, then the reason why not is the end of it.
 */
#include "nic/nic_tap.h"

#include <grp.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#define FIRST_PAUSE_NS (10 * NSEC_PER_MSEC)
#define TRIES 6u /* after 10 ms, 40 ms, 160 ms, 640 ms, 2.5 s */

/* tun(4): both that are set must be ours. */
static bool may_attach(const struct nic_tap *t, const struct nic_link_state *s) {
  bool group = s->group == NIC_LINK_NOBODY || s->group == t->gid || (t->uid == geteuid() && group_member(s->group));
  return (s->owner == NIC_LINK_NOBODY || s->owner == t->uid) && group;
}

static void take_state(struct nic_tap *t, const struct nic_link_state *s) {
  t->index = s->index;
  t->may_return = t->persistent && may_attach(t, s);
  if (s->name[0])
    memcpy(t->nic.name, s->name, sizeof t->nic.name);
}

void tap_link_init(struct nic_tap *t, const struct nic_tap_config *cfg) {
  struct nic_link_state s;
  struct ifreq mac = {0};
  memcpy(t->ifname, t->nic.name, sizeof t->ifname);
  t->fixed_mtu = cfg->mtu > 0;
  t->uid = cfg->uid;
  t->gid = cfg->gid;
  /* An inherited device may live in another namespace, where its name means another one: the addresses tell. */
  if (!cfg->links || ioctl(t->fd, SIOCGIFHWADDR, &mac) < 0 || nic_links_get(cfg->links, 0, t->nic.name, &s) < 0 ||
      !s.has_mac || memcmp(mac.ifr_hwaddr.sa_data, s.mac, 6) != 0)
    return;
  t->links = cfg->links;
  take_state(t, &s);
  t->nic.link_up = s.up;
  if (!t->fixed_mtu && s.mtu > 0)
    nic_set_mtu(&t->nic, s.mtu);
}

/* --- back again ------------------------------------------------------------------------------------------------- */

/* Tells all of it, in the order in which it became so. */
static void returned(struct nic_tap *t, const struct nic_link_state *s) {
  bool freed = false;
  t->ret_freed = &freed;
  take_state(t, s);
  t->tries = 0;
  loop_timer_clear(t->again);
  nic_set_away(&t->nic, false);
  if (!freed && !t->fixed_mtu && s->mtu > 0)
    nic_set_mtu(&t->nic, s->mtu);
  if (!freed)
    nic_set_link(&t->nic, s->up);
  if (!freed)
    t->ret_freed = NULL;
}

static void try_again(void *arg) {
  struct nic_tap *t = arg;
  struct nic_link_state s;
  if (nic_links_get(t->links, 0, t->ifname, &s) < 0) {
    t->tries = 0;
    return; /* not, or no more: there will be a message */
  }
  int r = tap_attach_again(t);
  if (r == 0)
    r = tap_begin(t);
  if (r == 0 && nic_links_get(t->links, 0, t->ifname, &s) == 0) {
    returned(t, &s);
    return;
  }
  if (++t->tries < TRIES) {
    loop_timer_set(t->again, loop_now(t->nic.loop, CLOCK_ID_MONO) + (FIRST_PAUSE_NS << 2 * (t->tries - 1)));
    return;
  }
  tap_fail(t, r < 0 ? r : -ENODEV);
}

void tap_vanished(struct nic_tap *t) {
  bool freed = false;
  if (!t->may_return) {
    tap_fail(t, -ENODEV);
    return;
  }
  t->watch = loop_watch_free(t->watch);
  t->index = 0;
  t->ret_freed = &freed;
  nic_set_link(&t->nic, false);
  if (!freed)
    nic_set_away(&t->nic, true);
  if (freed)
    return;
  t->ret_freed = NULL;
  try_again(t); /* it may be back already, and nothing more to be told of it */
}

/* --- what is told ----------------------------------------------------------------------------------------------- */

/* Its name is free, or it was moved to another namespace: then the descriptor works on, and is all that tells of it. */
static void deleted(struct nic_tap *t) {
  struct ifreq ifr = {0};
  if (ioctl(t->fd, TUNGETIFF, &ifr) < 0) {
    tap_vanished(t);
    return;
  }
  t->index = 0;
  t->may_return = false;
  nic_links_unwatch(t->links, &t->told);
  t->links = NULL;
  (void)loop_watch_set(t->watch, LOOP_READ | LOOP_WRITE);
}

static void changed(struct nic_tap *t, const struct nic_link_state *s) {
  bool freed = false;
  t->ret_freed = &freed;
  take_state(t, s);
  if (!t->fixed_mtu && s->mtu > 0)
    nic_set_mtu(&t->nic, s->mtu);
  if (!freed)
    nic_set_link(&t->nic, s->up);
  if (!freed)
    t->ret_freed = NULL;
}

static void on_told(void *arg, const struct nic_link_state *s) {
  struct nic_tap *t = arg;
  struct nic_link_state now;
  if (t->nic.away) {
    if (s && (s->deleted || strcmp(s->name, t->ifname) != 0))
      return;
    t->tries = 0; /* whoever sets it up has it open, and may have much to set up */
    try_again(t);
    return;
  }
  if (!s) { /* messages were lost */
    int r = nic_links_get(t->links, t->index, NULL, &now);
    now.deleted = r == -ENODEV;
    now.index = t->index;
    if (r < 0 && r != -ENODEV)
      return;
    s = &now;
  }
  if (s->index != t->index)
    return;
  if (s->deleted)
    deleted(t);
  else
    changed(t, s);
}

/* What happened since it was opened was told to nobody. */
int tap_link_start(struct nic_tap *t) {
  struct nic_link_state s;
  if (!t->links)
    return 0;
  int r = loop_timer_new(t->nic.loop, CLOCK_ID_MONO, try_again, t, &t->again);
  if (r < 0)
    return r;
  nic_links_watch(t->links, &t->told, on_told, t);
  if (nic_links_get(t->links, t->index, NULL, &s) == 0) {
    t->nic.link_up = s.up;
    if (!t->fixed_mtu && s.mtu > 0)
      nic_set_mtu(&t->nic, s.mtu);
  }
  return 0;
}

void tap_link_done(struct nic_tap *t) {
  if (t->ret_freed)
    *t->ret_freed = true;
  if (t->links)
    nic_links_unwatch(t->links, &t->told);
  t->again = loop_timer_free(t->again);
}
