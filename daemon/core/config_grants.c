/* SPDX-License-Identifier: BSD-3-Clause
 * The directory of grants, and who the names in them are.
 */
#include "core/config.h"
#include "core/config_ini.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#define SUFFIX ".grant"

/* --- the directory ------------------------------------------------------------------------------------------------ */

static int is_grant(const struct dirent *e) {
  size_t n = strlen(e->d_name), s = strlen(SUFFIX);
  return e->d_name[0] != '.' && n >= s && strcmp(e->d_name + n - s, SUFFIX) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static bool name_ok(const char *s) {
  size_t n = strlen(s);
  return n >= 1 && n <= 63 && s[0] != '-' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int load_one(int fd, const char *dir, const char *entry, struct grant_set *s, config_report_fn report,
                    void *arg) {
  char path[sizeof(((struct grant *)0)->file)], name[256];
  _cleanup_free_ char *text = NULL;
  size_t len = 0;
  (void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(entry) - strlen(SUFFIX)), entry);
  if (snprintf(path, sizeof(path), "%s/%s", dir, entry) >= (int)sizeof(path) || !name_ok(name)) {
    if (report)
      report(arg, path, 0, NULL, "a grant's name has 1 to 63 of a-z, 0-9 and -, and does not begin with -");
    return -EINVAL;
  }
  int r = config_read_at(fd, entry, path, &text, &len, report, arg);
  if (r == 0)
    r = grant_parse(path, name, text, len, &s->grants[s->n], report, arg);
  if (r == 0)
    s->n++;
  return r;
}

struct grant_set *grants_free(struct grant_set *s) {
  for (unsigned i = 0; s && i < s->n; i++)
    grant_free(s->grants[i]);
  if (s)
    free(s->grants);
  free(s);
  return NULL;
}

static void free_names(struct dirent **names, int n) {
  for (int i = 0; i < n; i++)
    free(names[i]);
  free(names);
}

/* All files are read, so that all errors are told; the first is returned. */
int grants_load(const char *dir, struct grant_set **ret, config_report_fn report, void *arg) {
  struct dirent **names = NULL;
  _cleanup_close_ int fd = config_open_dir(dir, report, arg);
  if (fd < 0)
    return fd;
  struct grant_set *s = calloc(1, sizeof(*s));
  if (s)
    s->grants = calloc(CONFIG_GRANTS_MAX, sizeof(*s->grants));
  int n = s && s->grants ? scandirat(fd, ".", &names, is_grant, by_name) : -1;
  int r = n < 0 ? (s && s->grants ? -errno : -ENOMEM) : 0;
  if (n > CONFIG_GRANTS_MAX) {
    r = -E2BIG;
    if (report)
      report(arg, dir, 0, NULL, "more than 256 grants");
  }
  for (int i = 0; i < n && n <= CONFIG_GRANTS_MAX; i++) {
    int e = load_one(fd, dir, names[i]->d_name, s, report, arg);
    r = r < 0 ? r : e;
  }
  if (n >= 0)
    free_names(names, n);
  if (r < 0) {
    grants_free(s);
    return r;
  }
  *ret = s;
  return 0;
}

/* --- names of users and groups ------------------------------------------------------------------------------------ */

#define NSS_BUFFER (256 * 1024) /* a group with many members */
#define OVERFLOW_ID 65534       /* what an id without a mapping looks like: anybody */

/* 0, 1 when it is no number. */
static int parse_id(const char *text, uint32_t *ret) {
  if (strspn(text, "0123456789") != strlen(text))
    return 1;
  if (strlen(text) > 10)
    return -EINVAL;
  unsigned long v = strtoul(text, NULL, 10);
  if (v >= UINT32_MAX)
    return -EINVAL;
  *ret = (uint32_t)v;
  return 0;
}

static int find_user(const char *name, char *buf, uint32_t *ret) {
  struct passwd pw, *found = NULL;
  int e = getpwnam_r(name, &pw, buf, NSS_BUFFER, &found);
  if (found)
    *ret = pw.pw_uid;
  return found ? 0 : e == 0 || e == ENOENT || e == ESRCH ? -ENOENT : -EIO;
}

static int find_group(const char *name, char *buf, uint32_t *ret) {
  struct group gr, *found = NULL;
  int e = getgrnam_r(name, &gr, buf, NSS_BUFFER, &found);
  if (found)
    *ret = gr.gr_gid;
  return found ? 0 : e == 0 || e == ENOENT || e == ESRCH ? -ENOENT : -EIO;
}

static const char *resolve_reason(int error) {
  return error == -ENOENT   ? "there is no such user or group"
         : error == -EINVAL ? "this id stands for ids without a mapping, or is no id: it never matches"
                            : "the user database failed";
}

static int resolve_list(struct grant *g, const struct grant_who *who, unsigned n, const char *key, bool group,
                        uint32_t *ids, char *buf, config_report_fn report, void *arg) {
  int first = 0;
  for (unsigned i = 0; i < n; i++) {
    int r = parse_id(who[i].text, &ids[i]);
    if (r == 1)
      r = (group ? find_group : find_user)(who[i].text, buf, &ids[i]);
    if (r == 0 && ids[i] == OVERFLOW_ID)
      r = -EINVAL;
    if (r == 0)
      continue;
    first = first < 0 ? first : r;
    char reason[REASON_MAX];
    (void)config_reason(reason, "%s: %s", who[i].text, resolve_reason(r));
    if (report)
      report(arg, g->file, who[i].line, key, reason);
  }
  return first;
}

int config_grant_resolve(struct grant *g, config_report_fn report, void *arg) {
  _cleanup_free_ char *buf = malloc(NSS_BUFFER);
  if (!buf)
    return -ENOMEM;
  int users = resolve_list(g, g->users, g->n_users, "users", false, g->uids, buf, report, arg);
  int groups = resolve_list(g, g->groups, g->n_groups, "groups", true, g->gids, buf, report, arg);
  g->resolved = users == 0 && groups == 0;
  return users < 0 ? users : groups;
}
