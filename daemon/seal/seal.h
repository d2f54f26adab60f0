/* SPDX-License-Identifier: BSD-3-Clause
 * Sealed network namespaces, for data descriptors that are real TCP sockets. A *chamber* is a pair of namespaces that
 * nobody is in: the programs' ends of connections live in one, the daemon's in the other, and a veth pair joins the two.
 * There is no way out of either. In the programs' namespace every address is local to what comes in, and everything that
 * goes out crosses to the daemon's, where nothing listens.
 *
 * Each owner (a grant, for the daemon) has a chamber of its own, so what a program does with its sockets, binding,
 * listening and connecting included, can be in the way of its own grant at most. The end that a program gets is always
 * the accepted one. In a chamber every port is a privileged one: only who owns the helper's user namespace may bind,
 * which is the daemon by its uid, with no capability left (user_namespaces(7)).
 *
 * A helper process, forked before privileges go, makes chambers and keeps the daemon supplied with fresh sockets of
 * them; it lives in a user namespace of its own and owns nothing of the host.
 */
#ifndef CAPNET_SEAL_H
#define CAPNET_SEAL_H

#include "base/net.h"
#include "loop/loop.h"

#include <sys/types.h>

struct seal;
struct seal_chamber;

#define SEAL_WHY_MAX 240
#define SEAL_CHAMBERS_MAX 256
#define SEAL_PROGRAMS_PORT 65535 /* the only one that a program could bind: not for connections and listeners of ours */
#define SEAL_IDLE_MAX 16 /* chambers without a holder that are kept for their owner's next connection */

struct seal_config {
  bool change_ids; /* root becomes uid and gid */
  uid_t uid;
  gid_t gid;
};

/* Forks the helper, while the process has one thread, and waits for nothing: the helper makes itself small beside us. The
 * first chamber is asked for by seal_join or seal_wait. -errno of fork(2) and socketpair(2), -ENOMEM. */
int seal_start(const struct seal_config *cfg, struct seal **ret);
/* Joins it to the loop. settled is called once, in a turn of its own, when it is known whether chambers can be had: the
 * first one stands and a connection in it carries a byte, or seal_why_not says why not (bounded in time). */
int seal_join(struct seal *s, struct loop *loop, loop_fn settled, void *arg);
/* Waits until that is known, milliseconds unless the machine is in trouble. -EPIPE: there are none. -ETIME: not known yet, after
 * half a second in which the loop stood still. */
int seal_wait(struct seal *s);
struct seal *seal_free(struct seal *s); /* after all chambers were given back; the helper ends. NULL is fine */
/* NULL while chambers can be had, else one sentence: it is not known yet, the helper cannot make them, or is gone. */
const char *seal_why_not(const struct seal *s);

/* A hold on the owner's chamber, made when it has none: that waits for the helper (and for the start, seal_wait),
 * milliseconds at most. Owners are numbers that are never used twice. -ENOBUFS: SEAL_CHAMBERS_MAX are held; -EPIPE: the helper is gone; -ETIME. */
int seal_chamber_get(struct seal *s, uint64_t owner, struct seal_chamber **ret);
struct seal_chamber *seal_chamber_ref(struct seal_chamber *c);
struct seal_chamber *seal_chamber_unref(struct seal_chamber *c); /* returns NULL; NULL is fine */

/* What it has cost so far, and what lies in store. */
struct seal_stats {
  uint64_t chambers;      /* made and not given up, the spare ones included */
  uint64_t sockets;       /* descriptors of ours that are for no connection yet: fresh ones, and one of sock_diag each */
  uint64_t waits;         /* times that the daemon waited for the helper */
};
void seal_get_stats(const struct seal *s, struct seal_stats *ret);

/* --- sockets of a chamber ------------------------------------------------------------------------------------------- */

/* A connection between two sockets of the chamber: the program's end has the local address and the remote peer that are
 * given, close-on-exec, blocking, TCP_NODELAY; ours is non-blocking, and any close of it that is not prepared (a crash)
 * resets. Both addresses of one family; link-local ones have the scope of the namespace's only link. -EADDRINUSE: a program of this owner is in the way, or local has
 * SEAL_PROGRAMS_PORT; -EMFILE, -ETIME, -EPIPE,
 * -ENOBUFS. */
int seal_connect(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                 int *ret_ours, int *ret_program);
/* A listening socket, blocking, close-on-exec. 0.0.0.0 is every IPv4 address, :: every IPv6 address alone; family 0: both,
 * by a socket of IPv6 that sees IPv4 peers as ::ffff:a.b.c.d (RFC 3493 3.7), or of IPv4 where the kernel has no IPv6.
 * -EADDRINUSE as above. */
int seal_listen(struct seal_chamber *c, const struct net_endpoint *local, unsigned backlog, int *ret_program);
/* Our end of a connection that comes in on a listening socket which a program holds. Whether it was there shows on the
 * descriptor (ECONNREFUSED when not). */
int seal_enter(struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote, int *ret_ours);

/* What lies in the program's end of a connection, bytes, and room as the kernel accounts for it; asked of the kernel, for
 * who wants to see it. false: the kernel cannot tell, or the end is gone. */
struct seal_queues {
  uint32_t unread, recv_capacity; /* received, and not read by the program */
  uint32_t unsent, send_capacity; /* written by it, and not received by our end */
};
bool seal_program_queues(const struct seal_chamber *c, const struct net_endpoint *local, const struct net_endpoint *remote,
                         struct seal_queues *ret);

/* Ends the program's end of such a connection, whatever it does not hear (ECONNABORTED). false: there is none, or the
 * kernel cannot (SOCK_DESTROY). */
bool seal_program_destroy(const struct seal_chamber *c, const struct net_endpoint *local,
                          const struct net_endpoint *remote);

/* How many connections wait in the accept queue of a listening socket, and how many may (listen(2)'s backlog as the
 * program set it last). false: it does not listen any more. */
bool seal_queue(int listener, unsigned *ret_waiting, unsigned *ret_backlog);
/* Nothing comes in any more: accept(2) wakes with EINVAL, what waits is reset. */
void seal_end_listener(int listener);

#endif
