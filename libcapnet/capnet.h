/* SPDX-License-Identifier: BSD-3-Clause
 * libcapnet: the client's side of capnetd. A capability is a file descriptor; this library takes one from a grant,
 * speaks the daemon's protocol over it, and hands out the data descriptors that come back.
 *
 * Conventions, true of every function unless it says otherwise:
 *  - It blocks. It returns 0 (or a count) or a negative errno, and then fills *err, which may be NULL. Outputs (ret_…)
 *    are untouched on failure.
 *  - timeout_ms is in milliseconds, 0 means no limit. It is sent to the daemon as the call's deadline and guarded here
 *    as well: code DEADLINE, -ETIME.
 *  - Text that comes from the daemon may hold any bytes: escape it before it reaches a terminal.
 *  - Threads: a handle may be used by several threads, one call at a time (others wait). Handles are independent of
 *    each other. capnet_close must not race with a call.
 *  - fork: a capability belongs to the process that took it. In a child every call on it fails with FORKED
 *    (-EOWNERDEAD) before a byte is sent, so parent and child never see each other's replies. A Grant handle opens
 *    an endpoint of its own in the child instead. capnet_close is fine in both. execve: nothing is inherited but by capnet_fd and
 *    FD_CLOEXEC cleared.
 *  - Signals interrupt nothing: use capnet_set_stop_fd.
 */
#ifndef CAPNET_H
#define CAPNET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call failed. */
struct capnet_error {
  int error;         /* the errno, positive; the function returned its negative */
  char code[32];     /* the name of the daemon's code ("DENIED", "REVOKED", "NO_CONFIGURATION", …: frame.proto without
                      * ERROR_), or one of the library's own: NO_DAEMON (nobody answers at the grant's path),
                      * NOT_PERMITTED (its file may not be opened), NO_GRANT (nothing inherited, no name given),
                      * GONE (the endpoint ended without a reason), FORKED, PROTOCOL (the peer broke the protocol: the
                      * endpoint is unusable from then on), SYSTEM (a system call here failed), ARGUMENT */
  char message[256]; /* one sentence for a person */
  char grant[64];    /* whose rights or budget decided; empty where none did */
  char rule[64];     /* the rule or limit that decided; empty where none did */
};

/* One capability: an endpoint of the daemon. */
typedef struct capnet capnet;

/* "0.1.0" */
const char *capnet_version(void);

/* --- handles ------------------------------------------------------------------------------------------------------ */

/* Makes a handle of a descriptor that was received, inherited or taken from another handle (capnet_fd). It becomes the
 * handle's (also close-on-exec); on failure it stays the caller's. -EBADF when it is not a SEQPACKET UNIX socket.
 * An endpoint has one reader: nobody else may read from it. */
int capnet_adopt(int fd, capnet **ret, struct capnet_error *err);

/* Closes the handle and its descriptor; NULL is fine. This releases this holder: children that were attenuated from the
 * capability live on. */
void capnet_close(capnet *cap);
void capnet_closep(capnet **cap); /* for __attribute__((cleanup)) */

/* The descriptor, for passing it on (SCM_RIGHTS, or inheritance after clearing FD_CLOEXEC) or for poll: readable when
 * the daemon ended it, or on an accept channel when a connection waits. The handle's: do not close it, do not read
 * it. */
int capnet_fd(const capnet *cap);

/* From now on each blocking call on cap ends with CANCELLED (-ECANCELED) once fd is readable (an eventfd, a pipe, a
 * signalfd); it is not read. -1: none. The caller keeps fd open for as long. */
void capnet_set_stop_fd(capnet *cap, int fd);

/* --- grants ------------------------------------------------------------------------------------------------------- */

/* Opens a grant. name: its name, or a path when it has a '/'. What was inherited under that name is looked at first
 * (CAPNET_FDS="name=fd,…", then LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES), then the socket NAME.sock in
 * $CAPNET_GRANTS_DIR, or /run/capnet/grants, or $XDG_RUNTIME_DIR/capnet/grants; the environment is not read in a set-id
 * program. name NULL: the only inherited grant, or the one inherited as default_name; else $CAPNET_GRANT; else
 * default_name (may be NULL: NO_GRANT). The inherited descriptor itself stays open and shared: only Open is ever asked
 * of it. NO_DAEMON (-ECONNREFUSED, -ENOENT), NOT_PERMITTED (-EACCES, -EPERM). */
int capnet_grant_open(const char *name, const char *default_name, unsigned timeout_ms, capnet **ret,
                      struct capnet_error *err);

/* Connects to the grant's socket (or duplicates what was inherited) without opening a private endpoint, and returns the
 * shared descriptor: this is what CAPNET_FDS of a child process is made of. The caller's, close-on-exec. */
int capnet_grant_connect(const char *name, int *ret_fd, struct capnet_error *err);

/* Takes one capability out of a grant, by its name in the bundle or, when the bundle has one such only, by its kind
 * ("tcp-connect", "tcp-listen", "dns", "ping", "status", "manager"). NOT_FOUND (-ENOENT). */
int capnet_take(capnet *grant, const char *name_or_kind, unsigned timeout_ms, capnet **ret, struct capnet_error *err);

/* The common start of a client: opens the grant and takes from it. With name NULL every inherited grant is asked, in
 * order, and the first that has name_or_kind wins; then $CAPNET_GRANT or default_name. The errors of both. */
int capnet_open(const char *name, const char *default_name, const char *name_or_kind, unsigned timeout_ms, capnet **ret,
                struct capnet_error *err);

/* What the grant holds, as JSON: {"grant", "description", "items": [{"name", "kind", "rights": […]}]}. malloc'ed. */
int capnet_list(capnet *grant, unsigned timeout_ms, char **ret_json, struct capnet_error *err);

/* --- every capability --------------------------------------------------------------------------------------------- */

/* Kind, rights, limits and what is left, expiry, provenance, as JSON (DescribeReply of capability.proto). malloc'ed. */
int capnet_describe(capnet *cap, unsigned timeout_ms, char **ret_json, struct capnet_error *err);

struct capnet_limit {
  const char *name; /* "sockets", "ping.count", … */
  uint64_t max;
};
struct capnet_narrow {
  const char *const *rights; /* rules of capnet.grant(5); with n_rights 0 all of the parent's are kept */
  size_t n_rights;
  const struct capnet_limit *limits;
  size_t n_limits;
  uint64_t expires_in_ms; /* 0: with the parent */
  const char *label;      /* for status; at most 64 bytes; may be NULL */
};

/* Mints a child with a subset of the rights. NOT_SUBSET (-EDOM) names the first rule or limit that is not.
 * ret_id (may be NULL) is what capnet_revoke takes. */
int capnet_attenuate(capnet *cap, const struct capnet_narrow *narrow, unsigned timeout_ms, capnet **ret,
                     uint64_t *ret_id, struct capnet_error *err);

/* Ends a child that this endpoint minted, with all below it; id 0: the capability itself. NOT_FOUND (-ENOENT). */
int capnet_revoke(capnet *cap, uint64_t id, unsigned timeout_ms, struct capnet_error *err);

/* --- tcp ---------------------------------------------------------------------------------------------------------- */

struct capnet_addr {
  char address[46]; /* numeric; empty: none */
  uint16_t port;
};

/* Only the options whose bit is in set are sent; 0 switches off. An idle time alone gets Linux's 75 s and 9 probes.
 * NO_CONTROL is for connecting alone, and has no member: the connection comes without its control, for who only moves
 * bytes. It cannot be had later; making it costs about as much again as the data descriptor. IPV4_ONLY, IPV6_ONLY and
 * BOTH_FAMILIES are for listening on "*" and "interface-address" alone, without a member: one of them. Without any it is
 * both families, and of a listening socket IPv4. */
#define CAPNET_TCP_KEEPALIVE_IDLE (1u << 0)
#define CAPNET_TCP_KEEPALIVE_INTERVAL (1u << 1)
#define CAPNET_TCP_KEEPALIVE_COUNT (1u << 2)
#define CAPNET_TCP_USER_TIMEOUT (1u << 3)
#define CAPNET_TCP_IDLE_TIMEOUT (1u << 4)
#define CAPNET_TCP_NODELAY (1u << 5)
#define CAPNET_TCP_CONGESTION (1u << 6)
#define CAPNET_TCP_NO_CONTROL (1u << 7)
#define CAPNET_TCP_IPV4_ONLY (1u << 8)
#define CAPNET_TCP_IPV6_ONLY (1u << 9)
#define CAPNET_TCP_BOTH_FAMILIES (1u << 10)
struct capnet_tcp_options {
  unsigned set;
  uint32_t keepalive_idle_s;
  uint32_t keepalive_interval_s;
  uint32_t keepalive_count;
  uint32_t user_timeout_ms; /* RFC 5482 */
  uint32_t idle_timeout_ms;
  int nodelay;
  char congestion[16]; /* controller of the congestion window by name: "cubic", "reno"; on a live connection, too, as
                        * Linux's TCP_CONGESTION. MALFORMED (-EINVAL) names those that the daemon has */
};

enum capnet_tcp_end { /* the numbers of TcpEnd */
  CAPNET_END_NONE = 0,
  CAPNET_END_CLOSED,
  CAPNET_END_RESET_BY_PEER,
  CAPNET_END_RESET_LOCAL,
  CAPNET_END_REFUSED,
  CAPNET_END_TIMED_OUT,
  CAPNET_END_UNREACHABLE,
  CAPNET_END_REVOKED,
  CAPNET_END_ADDRESS_LOST,
  CAPNET_END_LIMIT,
};
/* "closed", "reset-by-peer", …; "unknown" for a number this build does not know. */
const char *capnet_tcp_end_name(enum capnet_tcp_end end);

/* What the descriptor of a connection is; the numbers of TcpForm. A real socket is a TCP socket of the kernel with the
 * connection's own addresses (getsockname, getpeername), on which a reset reads as ECONNRESET; not every machine lets
 * the daemon have them (status says). A stream pair is an AF_UNIX socket: every end reads as end of file. */
enum capnet_tcp_form {
  CAPNET_FORM_AUTO = 0, /* a real socket where it can be had, else a stream pair */
  CAPNET_FORM_SOCKET = 1,
  CAPNET_FORM_PAIR = 2,
};

/* A connection. fd carries the bytes: read, write, poll, dup, pass it on; it is a stream socket in blocking mode,
 * close-on-exec. control answers the functions below. Both are the caller's: capnet_tcp_close, or take either out. */
struct capnet_tcp {
  int fd;
  capnet *control; /* NULL when it was not wanted, or the daemon gave none */
  struct capnet_addr local, remote;
  uint64_t id; /* as in status; 0: unknown */
  enum capnet_tcp_form form; /* SOCKET or PAIR; AUTO: an old daemon does not say, so PAIR */
};

/* Opens a connection to a numeric address. options may be NULL. DENIED (-EACCES), REFUSED (-ECONNREFUSED), TIMED_OUT
 * (-ETIMEDOUT), UNREACHABLE (-EHOSTUNREACH), NO_CONFIGURATION, OVER_BUDGET, ADDRESS_IN_USE. */
int capnet_tcp_connect(capnet *cap, const char *address, uint16_t port, const struct capnet_tcp_options *options,
                       unsigned timeout_ms, struct capnet_tcp *ret, struct capnet_error *err);
/* The same, with a descriptor of the form that is named. UNAVAILABLE (-ENOPKG): real sockets cannot be had here. */
int capnet_tcp_connect_form(capnet *cap, enum capnet_tcp_form form, const char *address, uint16_t port,
                            const struct capnet_tcp_options *options, unsigned timeout_ms, struct capnet_tcp *ret,
                            struct capnet_error *err);

/* Binds a listener. address: "interface-address" (all addresses of the interface), "*" (all of both families), "0.0.0.0"
 * or "::" (all of one), a numeric address, or NULL for what the only covering rule names; backlog 0: the daemon's. ret_local (may be NULL) is where it listens. The listener ends when it is closed. */
int capnet_tcp_listen(capnet *cap, const char *address, uint16_t port, unsigned backlog, unsigned timeout_ms,
                      capnet **ret_listener, struct capnet_addr *ret_local, struct capnet_error *err);
/* The same, and what comes back in *ret_fd is a listening TCP socket (the caller's, blocking, close-on-exec), for accept(2)
 * by any program that holds it; one of both families is of IPv6, and sees IPv4 peers as ::ffff:a.b.c.d (RFC 3493 3.7); capnet_tcp_accept is not for its connections (CONFLICT). The listener ends when
 * ret_listener is closed, or its last copy in another process, or revoked: accept(2) then fails with EINVAL. refuse:
 * whether connections beyond the backlog are reset instead of left to try again. UNAVAILABLE (-ENOPKG). */
int capnet_tcp_listen_socket(capnet *cap, const char *address, uint16_t port, unsigned backlog, int refuse,
                             unsigned timeout_ms, int *ret_fd, capnet **ret_listener, struct capnet_addr *ret_local,
                             struct capnet_error *err);
/* Either of them, by ret_fd NULL or not, with options that each connection begins with; options may be NULL. */
int capnet_tcp_listen_options(capnet *cap, const char *address, uint16_t port, unsigned backlog, int refuse,
                              const struct capnet_tcp_options *options, unsigned timeout_ms, int *ret_fd,
                              capnet **ret_listener, struct capnet_addr *ret_local, struct capnet_error *err);
/* Waits for a connection. ADDRESS_LOST, REVOKED. */
int capnet_tcp_accept(capnet *listener, unsigned timeout_ms, struct capnet_tcp *ret, struct capnet_error *err);
/* A descriptor that is readable (poll capnet_fd) when a connection waits; capnet_tcp_channel_accept takes it. */
int capnet_tcp_accept_channel(capnet *listener, unsigned timeout_ms, capnet **ret_channel, struct capnet_error *err);
/* The same, with the form of the connections' descriptors named. UNAVAILABLE (-ENOPKG). */
int capnet_tcp_accept_channel_form(capnet *listener, enum capnet_tcp_form form, unsigned timeout_ms,
                                   capnet **ret_channel, struct capnet_error *err);
int capnet_tcp_channel_accept(capnet *channel, unsigned timeout_ms, struct capnet_tcp *ret, struct capnet_error *err);

/* Reads up to len bytes (len > 0): > 0 their number; 0 when the peer ended its side in good order; else negative: the
 * descriptor cannot say why it ended, so at its end the control is asked: -ECONNRESET, -ETIMEDOUT, … with the matching
 * code. Without a control 0 is all there is to know. */
ssize_t capnet_tcp_read(struct capnet_tcp *tcp, void *buf, size_t len, unsigned timeout_ms, struct capnet_error *err);
/* Writes all of it. -EPIPE is replaced by the reason where the control knows one. No SIGPIPE. */
int capnet_tcp_write(struct capnet_tcp *tcp, const void *buf, size_t len, unsigned timeout_ms,
                     struct capnet_error *err);
/* Closes what is there; NULL is fine. */
void capnet_tcp_close(struct capnet_tcp *tcp);

struct capnet_tcp_status {
  char state[32];          /* as ss prints it */
  enum capnet_tcp_end end; /* CAPNET_END_NONE while it lives */
  struct capnet_error reason; /* of the end, where there is more to say; else all zero */
  struct capnet_tcp_options options; /* set: those that are known */
  uint64_t bytes_in, bytes_out;
  struct capnet_addr local, remote;
};
int capnet_tcp_get_status(capnet *control, unsigned timeout_ms, struct capnet_tcp_status *ret,
                          struct capnet_error *err);
/* ret (may be NULL): the options in force afterwards. */
int capnet_tcp_set_options(capnet *control, const struct capnet_tcp_options *options, unsigned timeout_ms,
                           struct capnet_tcp_options *ret, struct capnet_error *err);
/* FIN after what was written to the descriptor; shutdown(fd, SHUT_WR) does the same. */
int capnet_tcp_shutdown(capnet *control, unsigned timeout_ms, struct capnet_error *err);
/* RST now. */
int capnet_tcp_abort(capnet *control, unsigned timeout_ms, struct capnet_error *err);
/* Waits until the connection is over. */
int capnet_tcp_wait_end(capnet *control, unsigned timeout_ms, struct capnet_tcp_status *ret, struct capnet_error *err);

/* --- names -------------------------------------------------------------------------------------------------------- */

#define CAPNET_DNS_A (1u << 0)
#define CAPNET_DNS_AAAA (1u << 1)
#define CAPNET_DNS_NO_SEARCH (1u << 0) /* flag: no search domains */

struct capnet_dns_address {
  char address[46];
  uint32_t ttl; /* seconds */
};
struct capnet_dns_answer {
  unsigned type;                        /* CAPNET_DNS_A or CAPNET_DNS_AAAA */
  struct capnet_dns_address *addresses;
  size_t n_addresses;
  struct capnet_error error; /* error.error 0: there are addresses */
  char source[32];           /* "dns" */
  char upstream[64];         /* address:port of the server; empty: unknown */
  uint64_t elapsed_us;
};
struct capnet_dns_result {
  char *name; /* that was found, after search */
  char **aliases;
  size_t n_aliases;
  struct capnet_dns_answer *answers; /* one for each type asked */
  size_t n_answers;
  unsigned reachable; /* the types of which the stack has a way to an address; 0 also: the daemon does not say */
};

/* Resolves name. types: CAPNET_DNS_A, CAPNET_DNS_AAAA or both. Succeeds when at least one type could be asked: each
 * answer has its own error (NOT_FOUND, NO_DATA, TIMED_OUT, SERVER_FAILURE, SERVER_REFUSED, MALFORMED_ANSWER,
 * UNAVAILABLE). The daemon gives up by itself after the grant's dns.time (TIMED_OUT). DENIED when the name or every
 * type is outside the rights. Free with capnet_dns_result_free. */
int capnet_resolve(capnet *cap, const char *name, unsigned types, unsigned flags, unsigned timeout_ms,
                   struct capnet_dns_result **ret, struct capnet_error *err);
void capnet_dns_result_free(struct capnet_dns_result *result); /* NULL is fine */

/* --- ping --------------------------------------------------------------------------------------------------------- */

struct capnet_ping_params { /* 0: the daemon's default; payload: CAPNET_PING_PAYLOAD_SET in flags makes a 0 count */
  uint32_t count;           /* 1 */
  uint32_t interval_ms;     /* 1000 */
  uint32_t payload;         /* bytes, 56 */
  uint32_t timeout_ms;      /* of each request, 1000 */
  uint32_t ttl;             /* 64 */
  unsigned flags;
};
#define CAPNET_PING_PAYLOAD_SET (1u << 0)

enum capnet_ping_kind { /* the numbers of PingEchoEvent.Kind */
  CAPNET_PING_REPLY = 1,
  CAPNET_PING_TIMEOUT,
  CAPNET_PING_UNREACHABLE,
  CAPNET_PING_TTL_EXCEEDED,
  CAPNET_PING_SEND_FAILED,
  CAPNET_PING_DUPLICATE,
  CAPNET_PING_TOO_BIG,           /* ICMPv6: mtu */
  CAPNET_PING_PARAMETER_PROBLEM, /* ICMPv6: code, pointer */
};
struct capnet_ping_event {
  enum capnet_ping_kind kind;
  uint32_t seq;    /* from 1 */
  char from[46];   /* empty: unknown */
  uint32_t ttl;    /* 0: unknown */
  uint32_t bytes;  /* ICMP header and payload */
  uint64_t rtt_ns; /* of REPLY and DUPLICATE */
  uint32_t code;   /* RFC 792; of an IPv6 target RFC 4443 */
  struct capnet_error error; /* of SEND_FAILED */
  uint32_t mtu, pointer;
};
/* 0 goes on; anything else ends the call, which returns that value. Called on the calling thread; it may not call
 * functions on the same handle. */
typedef int (*capnet_ping_cb)(const struct capnet_ping_event *event, void *user);

/* Pings a numeric address; returns 0 after the last event, or what cb returned. timeout_ms bounds the whole call.
 * params may be NULL. */
int capnet_ping(capnet *cap, const char *target, const struct capnet_ping_params *params, unsigned timeout_ms,
                capnet_ping_cb cb, void *user, struct capnet_error *err);

/* --- status ------------------------------------------------------------------------------------------------------- */

/* The sections asked for ("interfaces", "routes", …; n 0: all) as one JSON object whose keys are the field names of
 * status.proto (docs/json.md); a field that the daemon left out is absent, lists are always there when their section
 * was asked for. malloc'ed. */
int capnet_status_get(capnet *cap, const char *const *sections, size_t n, unsigned timeout_ms, char **ret_json,
                      struct capnet_error *err);
/* The route to a numeric address, as JSON (StatusRoute). NO_CONFIGURATION, UNREACHABLE. malloc'ed. */
int capnet_status_route(capnet *cap, const char *destination, unsigned timeout_ms, char **ret_json,
                        struct capnet_error *err);

struct capnet_status_event {
  uint64_t at_us;      /* wall clock, microseconds since the epoch */
  const char *section; /* valid during the callback, as is text */
  const char *text;
  uint64_t lost;       /* events dropped since the last one */
  const char *json;    /* the whole event as one JSON object, with what it is about (docs/json.md); during the callback */
};
typedef int (*capnet_status_cb)(const struct capnet_status_event *event, void *user);
/* Calls cb for each event until it returns other than 0, which is then returned. Rules of capnet_ping_cb. */
int capnet_status_watch(capnet *cap, const char *const *sections, size_t n, unsigned timeout_ms, capnet_status_cb cb,
                        void *user, struct capnet_error *err);

/* --- manager ------------------------------------------------------------------------------------------------------ */

/* Each gives the configuration afterwards as JSON (ManagerConfig); ret_json may be NULL. interface NULL: the only one.
 * CONFLICT when the state does not allow it. */
int capnet_manager_get(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                       struct capnet_error *err);
int capnet_manager_renew(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                         struct capnet_error *err);
int capnet_manager_release(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                           struct capnet_error *err);
int capnet_manager_use_dhcp(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                            struct capnet_error *err);
/* Forgets what was changed live, and starts over with what is configured. */
int capnet_manager_reconfigure(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                               struct capnet_error *err);
struct capnet_static {
  const char *address; /* "10.0.2.15/24", "2001:db8::7/64": its family is set, the other one stays as it is */
  const char *gateway; /* may be NULL */
  const char *const *dns;
  size_t n_dns;
  const char *const *search;
  size_t n_search;
  const char *const *more; /* further IPv6 addresses, with their prefix lengths */
  size_t n_more;
};
/* The same for IPv6: a lease of DHCPv6; what routers and DHCPv6 give instead of configured addresses. */
int capnet_manager_renew6(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                          struct capnet_error *err);
int capnet_manager_release6(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                            struct capnet_error *err);
int capnet_manager_use_auto6(capnet *cap, const char *interface, unsigned timeout_ms, char **ret_json,
                             struct capnet_error *err);
int capnet_manager_set_static(capnet *cap, const char *interface, const struct capnet_static *config,
                              unsigned timeout_ms, char **ret_json, struct capnet_error *err);

#ifdef __cplusplus
}
#endif
#endif
