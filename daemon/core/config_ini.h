/* SPDX-License-Identifier: BSD-3-Clause
 * What the parsers of both kinds of file share: lines and keys over inih, values, and reading a file that can be
 * trusted.
 */
#ifndef CAPNET_CORE_CONFIG_INI_H
#define CAPNET_CORE_CONFIG_INI_H

#include "core/config.h"

#define REASON_MAX 200
#define WORD_MAX 48 /* bytes of a section's or a key's name: inih keeps no more */

/* set: 0, or negative with the reason. A key without repeat may stand once in its section. */
struct config_key {
  const char *name;
  bool repeat;
  int (*set)(void *into, const char *value, char reason[REASON_MAX]);
};

struct config_parser {
  const char *file;
  config_report_fn report;
  void *arg;
  unsigned line, errors;
  /* A section begins: sets keys, n_keys, into and more for what follows. Negative with the reason: its keys are
   * skipped. */
  int (*section)(struct config_parser *p, const char *name, char reason[REASON_MAX]);
  void *user;
  const struct config_key *keys;
  size_t n_keys;
  void *into;
  /* For keys that are not in the table; -ENOENT: unknown. May be NULL. */
  int (*more)(void *into, const char *key, const char *value, char reason[REASON_MAX]);

  /* private */
  const char *text;
  size_t len, pos;
  bool in_section, skip;
  uint64_t seen; /* bit of each key in the table */
};

/* Runs over the text and reports. 0, -EINVAL when errors were reported, -ENOMEM. */
int config_run(struct config_parser *p, const char *text, size_t len);
void config_error(struct config_parser *p, unsigned line, const char *key, const char *reason);

/* Writes a reason and returns -EINVAL. */
int config_reason(char reason[REASON_MAX], const char *fmt, ...) _printf_(2, 3);
/* Copies a value that must not be empty and must fit. */
int config_text(char *into, size_t size, const char *value, char reason[REASON_MAX]);
/* The next word of a list divided by blanks and commas, or NULL; changes *list. */
char *config_word(char **list);
/* Letters, digits, '-', '_', '.'; 1..max bytes. */
bool config_plain_name(const char *s, size_t max);
/* A value of the limit; -EINVAL with the reason. limits[l] must be AUTH_LIMIT_INHERIT, or the key stands twice. */
int config_limit(uint64_t limits[AUTH_LIMIT_COUNT], enum auth_limit l, const char *value, char reason[REASON_MAX]);
void config_limits_init(uint64_t limits[AUTH_LIMIT_COUNT]);

/* [interface NAME] of capnetd.conf: its keys, and what only the whole section can tell. */
extern const struct config_key config_interface_keys[];
extern const size_t config_interface_n_keys;
void config_interface_check(struct config_parser *p, struct config_interface *i, unsigned line);

/* Reads the script of an interface with device = fixture, and takes from it who the machine is where the section does not
 * say. path is the configuration's. 0 or -errno, reported. */
int config_script_load(struct config_interface *i, const char *path, config_report_fn report, void *arg);

/* Opens a directory and checks who may write there. A descriptor or -errno, reported. */
int config_open_dir(const char *dir, config_report_fn report, void *arg);
/* Reads name in that directory; path is for messages. 0 or -errno, reported. */
int config_read_at(int dirfd, const char *name, const char *path, char **ret, size_t *ret_len, config_report_fn report,
                   void *arg);

#endif
