/* SPDX-License-Identifier: BSD-3-Clause
 * Configuration as plain values: capnetd.conf(5) and the grants, capnet.grant(5). No global state, no logging: every
 * error goes to a callback with file, line, key and reason; after any error nothing is loaded.
 *
 * Files are read once, whole. They must be regular, at most CONFIG_FILE_MAX bytes, owned by root or our own uid, and
 * neither they nor their directory may be writable by anyone else.
 */
#ifndef CAPNET_CORE_CONFIG_H
#define CAPNET_CORE_CONFIG_H

#include "authority/authority.h"
#include "base/log.h"
#include "fixture/fixture.h"
#include "netconf/netconf.h"
#include "nic/nic.h"

#define CONFIG_FILE_MAX 65536
#define CONFIG_LINE_MAX 190 /* what the INI parser takes for certain */
#define CONFIG_PATH_MAX 108 /* of a directory; a socket's whole path has no more */
#define CONFIG_INTERFACES_MAX 4
#define CONFIG_FORWARDS_MAX 32
#define CONFIG_OFFER_WAIT 100 /* milliseconds, unless configured */
#define CONFIG_OFFER_WAIT_MAX 5000
#define CONFIG_GRANTS_MAX 256
#define CONFIG_ITEMS_MAX 32 /* of one grant */
#define CONFIG_WHO_MAX 32   /* users, and groups, of one grant */

/* line 0: the file as a whole; key NULL: no key is to blame. All strings are borrowed, and raw. */
typedef void (*config_report_fn)(void *arg, const char *file, unsigned line, const char *key, const char *reason);

enum config_device { CONFIG_TAP, CONFIG_SLIRP, CONFIG_FIXTURE };
enum config_sockets { CONFIG_SOCKETS_AUTO, CONFIG_SOCKETS_REAL, CONFIG_SOCKETS_PAIR };

struct config_interface {
  char name[NIC_NAME_MAX]; /* the section's: "net0" */
  enum config_device device;
  char ifname[NIC_NAME_MAX]; /* tap: of the host's device; name if not configured */
  char fd[64];               /* tap: name of an inherited descriptor; "": none */
  unsigned mtu;              /* 0: the device's */
  uint8_t mac[6];            /* all zero: nic_stable_mac */
  uint32_t metric;           /* of its routes: the smaller wins, then the order of the file */
  bool host_loopback;        /* slirp */
  struct nic_forward forwards[CONFIG_FORWARDS_MAX];
  unsigned n_forwards;
  bool conflict_detection_set; /* until the section is checked */
  char script[CONFIG_PATH_MAX];   /* fixture: the script's file, seen from the configuration's directory */
  struct fixture_script *fixture; /* what is in it, once the file is loaded */
  bool mode_set;
  bool hostname_set; /* false: netconf.hostname is for the caller to fill */
  struct netconf_config netconf; /* its resolver is that of the file */
};

struct config {
  char runtime_dir[CONFIG_PATH_MAX], state_dir[CONFIG_PATH_MAX]; /* "": not configured */
  char user[33];                                                 /* to become after start; "": stay */
  enum log_level log_level;
  enum config_sockets sockets; /* what data descriptors are: AUTO real sockets where they can be had, REAL or no start */
  struct config_interface interfaces[CONFIG_INTERFACES_MAX];
  unsigned n_interfaces;
  struct names_config resolver;
  uint64_t uid_limits[AUTH_LIMIT_COUNT]; /* AUTH_LIMIT_INHERIT: the table's */
};

/* 0, or -EINVAL after at least one report, -ENOMEM, what opening or reading the file says (reported). */
int config_load(const char *path, struct config **ret, config_report_fn report, void *arg);
int config_parse(const char *file, const char *text, size_t len, struct config **ret, config_report_fn report,
                 void *arg);
struct config *config_free(struct config *c); /* returns NULL */

struct grant_item {
  char name[33]; /* "connect", or what the section says */
  unsigned line;
  enum auth_kind kind;
  struct auth_rights *rights;
  uint64_t limits[AUTH_LIMIT_COUNT]; /* AUTH_LIMIT_INHERIT: the grant's; never looser than it */
  char congestion[AUTH_CONGESTION_MAX]; /* "": the grant's */
  uint64_t expires_s;                /* from the moment the grant is offered; 0: never */
};

struct grant_who {
  char text[64]; /* a name, or decimal */
  unsigned line;
};

struct grant {
  char name[AUTH_NAME_MAX]; /* the file's stem */
  char file[256];
  char description[CONFIG_LINE_MAX + 1];
  struct grant_who users[CONFIG_WHO_MAX], groups[CONFIG_WHO_MAX];
  unsigned n_users, n_groups; /* none at all: root and our own uid only */
  char congestion[AUTH_CONGESTION_MAX]; /* controller of its connections unless they ask; "": the daemon's default */
  uint64_t limits[AUTH_LIMIT_COUNT]; /* of the root; AUTH_LIMIT_INHERIT: the table's fallback */
  struct grant_item items[CONFIG_ITEMS_MAX];
  unsigned n_items;
  /* Filled by config_grant_resolve, in the order of users and groups. */
  bool resolved;
  uid_t uids[CONFIG_WHO_MAX];
  gid_t gids[CONFIG_WHO_MAX];
};

struct grant_set {
  struct grant **grants; /* by name */
  unsigned n;
};

/* Every NAME.grant of the directory; other files are left alone. NAME is [a-z0-9][a-z0-9-]{0,62}. */
int grants_load(const char *dir, struct grant_set **ret, config_report_fn report, void *arg);
struct grant_set *grants_free(struct grant_set *s); /* returns NULL */
int grant_parse(const char *file, const char *name, const char *text, size_t len, struct grant **ret,
                config_report_fn report, void *arg);
struct grant *grant_free(struct grant *g); /* returns NULL */
/* Do both give the same to the same? Descriptions count, places in the file do not. */
bool grant_equal(const struct grant *a, const struct grant *b);

/* Looks users and groups up. May block on NSS: for a worker thread; touches g alone. report, which may be NULL, is
 * called from that thread. 0; -ENOENT unknown; -EINVAL the overflow id, which never matches; -EIO NSS failed. */
int config_grant_resolve(struct grant *g, config_report_fn report, void *arg);

#endif
