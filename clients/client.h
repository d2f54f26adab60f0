/* SPDX-License-Identifier: BSD-3-Clause
 * What the small programs share: exit codes, messages, options with values, safe printing. <capnet.h> only.
 */
#ifndef CAPNET_CLIENT_H
#define CAPNET_CLIENT_H

#include <capnet.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum client_exit {
  CLIENT_OK = 0,
  CLIENT_FAILED = 1,    /* failed, or a negative answer */
  CLIENT_USAGE = 2,
  CLIENT_REFUSED = 3,   /* denied, revoked, expired, over budget, not permitted */
  CLIENT_NO_DAEMON = 4, /* no daemon answers at PATH */
};

/* First thing in main: the name that messages begin with; unblocks nothing, ignores SIGPIPE. */
void client_init(const char *name);
const char *client_name(void);

/* "capnet-x: …" on stderr; format arguments that came from outside go through client_safe. */
void client_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same plus "try --help"; returns CLIENT_USAGE. */
int client_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "capnet-x: WHAT: sentence (grant …, rule …)"; WHAT may be NULL, it and the error are escaped. Returns the exit code
 * that fits. */
int client_fail(const struct capnet_error *err, const char *what);
enum client_exit client_exit_code(const struct capnet_error *err);
/* Prints "NAME (capnet) VERSION" to stdout; returns CLIENT_OK. */
int client_version(void);

/* A decimal number in min..max, nothing else. */
bool client_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
/* Seconds, with a fraction perhaps ("0.2"), as milliseconds, in min_ms..max_ms. */
bool client_seconds(const char *text, uint64_t min_ms, uint64_t max_ms, unsigned *ret_ms);

/* Text with control characters, DEL, C1, direction overrides and invalid UTF-8 as \xNN, safe for a terminal. One of
 * eight rotating buffers of 1 KiB, cut at its end; NULL gives "". For one thread. */
const char *client_safe(const char *text);
/* The same without a bound. */
void client_print(FILE *to, const char *text);

/* Colour: an SGR sequence when f is a terminal, NO_COLOR is unset and TERM is not dumb; else "". */
const char *client_bold(FILE *f);
const char *client_red(FILE *f);
const char *client_green(FILE *f);
const char *client_dim(FILE *f);
const char *client_reset(FILE *f);

/* Prints one JSON value and a newline to stdout (control characters are escaped by JSON itself); CLIENT_FAILED when
 * stdout could not be written. Steals root. */
int client_json(json_t *root);
/* {"error": {"code", "message", "grant", "rule", "errno"}}; new reference. */
json_t *client_json_error(const struct capnet_error *err);
/* Flushes stdout: CLIENT_FAILED with a message when that fails, else code. The last line of main. */
int client_done(int code);

/* Blocks SIGINT and SIGTERM and gives a descriptor that is readable once one arrived: for capnet_set_stop_fd. -1 on
 * failure. Kept open for the life of the process. */
int client_stop_fd(void);

/* A numeric address as it is; else a name through the resolver of a grant (names as in capnet_open), first A then AAAA
 * unless family says AF_INET or AF_INET6. Writes the address; 0 or -errno with err. */
int client_resolve(const char *host, const char *grant, const char *default_grant, int family, int stop_fd,
                   unsigned timeout_ms, char ret_address[46], struct capnet_error *err);

#endif
