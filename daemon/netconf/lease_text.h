/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of leases have in common, of both families: one "key value" a line, the first names the version, the last
 * is the sum of all before it; and the clocks that the times in them are of.
 */
#ifndef CAPNET_LEASE_TEXT_H
#define CAPNET_LEASE_TEXT_H

#include "base/resolvconf.h"
#include "base/util.h"

#define LEASE_FILE_MAX 8192 /* the longest text, with room */
#define LEASE_BOOT_ID_MAX 37
#define LEASE_CLOCK_SLACK_S 2 /* by which the time of day is rounded and read at different moments */

struct lease_clock {
  char boot_id[LEASE_BOOT_ID_MAX]; /* random(4): another at each boot; "": unknown */
  uint64_t boot_ns;
  uint64_t wall_s; /* since the epoch */
};
/* These two, and the boot that it is now. */
void lease_clock_read(uint64_t boot_ns, uint64_t wall_s, struct lease_clock *ret);
/* What was written so is of this boot: times of the boot-time clock still are what they were. */
bool lease_clock_same_boot(const struct lease_clock *written, const struct lease_clock *now);
/* Seconds between two boots by the time of day, rounded up: an end that comes a second too early does no harm. */
uint64_t lease_clock_passed_s(const struct lease_clock *written, const struct lease_clock *now);
/* The time of day is behind what was written: it says nothing. */
bool lease_clock_behind(const struct lease_clock *written, const struct lease_clock *now);

/* --- out ---------------------------------------------------------------------------------------------------------- */

struct lease_text {
  char *buf; /* of LEASE_FILE_MAX bytes; what is too long is cut, and does not parse */
  size_t len;
};
void lease_text_put(struct lease_text *o, const char *fmt, ...) _printf_(2, 3);
void lease_text_put_hex(struct lease_text *o, const char *key, const uint8_t *b, size_t len);
void lease_text_put_clock(struct lease_text *o, const struct lease_clock *now);
void lease_text_end(struct lease_text *o); /* the sum */

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* version: the whole first line. *ret_len: without the last one. -EBADMSG, and *ret_why, a clause for a person. */
int lease_text_check(const char *text, size_t len, const char *version, size_t *ret_len, const char **ret_why);
/* Each line between those two to fn, until it fails; what that said. -EBADMSG: no "key value", or too long for one. */
int lease_text_lines(const char *text, size_t len, int (*fn)(void *arg, const char *key, const char *value), void *arg);
/* Values; -EBADMSG. */
int lease_text_u64(const char *s, uint64_t *ret);
int lease_text_hex(const char *s, uint8_t *b, size_t max, size_t *ret_len); /* 1 to max bytes */
/* One more search domain, as the codecs make them: lower case letters, digits, '-', '_' and dots. */
int lease_text_search(const char *s, char (*list)[NAMES_NAME_MAX], unsigned *n);
/* The lines of lease_text_put_clock. *ret: 0 or -EBADMSG. false: it is none of them. */
bool lease_text_clock(const char *key, const char *value, struct lease_clock *written, int *ret);

#endif
