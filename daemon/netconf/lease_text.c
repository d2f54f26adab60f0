/* SPDX-License-Identifier: BSD-3-Clause
 * Lines, their sum, and the clocks.
 */
#include "netconf/lease_text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void lease_clock_read(uint64_t boot_ns, uint64_t wall_s, struct lease_clock *ret) {
  *ret = (struct lease_clock){.boot_ns = boot_ns, .wall_s = wall_s};
  _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, ret->boot_id, sizeof(ret->boot_id) - 1) : -1;
  ret->boot_id[n == LEASE_BOOT_ID_MAX - 1 ? n : 0] = 0;
}

bool lease_clock_same_boot(const struct lease_clock *written, const struct lease_clock *now) {
  return written->boot_id[0] != 0 && strcmp(written->boot_id, now->boot_id) == 0 && now->boot_ns >= written->boot_ns;
}

uint64_t lease_clock_passed_s(const struct lease_clock *written, const struct lease_clock *now) {
  return now->wall_s > written->wall_s ? now->wall_s - written->wall_s + 1 : 1;
}

bool lease_clock_behind(const struct lease_clock *written, const struct lease_clock *now) {
  return now->wall_s + LEASE_CLOCK_SLACK_S < written->wall_s;
}

/* FNV-1a, 64 bits: against accidents, not against people who can write here. */
static uint64_t sum_of(const char *text, size_t len) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < len; i++)
    h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
  return h;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

void lease_text_put(struct lease_text *o, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(o->buf + o->len, LEASE_FILE_MAX - o->len, fmt, ap);
  va_end(ap);
  o->len = MIN(o->len + (size_t)MAX(n, 0), (size_t)LEASE_FILE_MAX - 1);
}

void lease_text_put_hex(struct lease_text *o, const char *key, const uint8_t *b, size_t len) {
  lease_text_put(o, "%s ", key);
  for (size_t i = 0; i < len; i++)
    lease_text_put(o, "%02x", b[i]);
  lease_text_put(o, "\n");
}

void lease_text_put_clock(struct lease_text *o, const struct lease_clock *now) {
  if (now->boot_id[0] != 0)
    lease_text_put(o, "boot-id %s\n", now->boot_id);
  lease_text_put(o, "written-boot %" PRIu64 "\nwritten %" PRIu64 "\n", now->boot_ns, now->wall_s);
}

void lease_text_end(struct lease_text *o) {
  lease_text_put(o, "sum %016" PRIx64 "\n", sum_of(o->buf, o->len));
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

int lease_text_u64(const char *s, uint64_t *ret) {
  uint64_t v = 0;
  if (*s == 0)
    return -EBADMSG;
  for (; *s != 0; s++) {
    if (*s < '0' || *s > '9' || v > (UINT64_MAX - 9) / 10)
      return -EBADMSG;
    v = 10 * v + (uint64_t)(*s - '0');
  }
  *ret = v;
  return 0;
}

int lease_text_hex(const char *s, uint8_t *b, size_t max, size_t *ret_len) {
  static const char digits[] = "0123456789abcdef";
  size_t n = strlen(s) / 2;
  if (strlen(s) % 2 != 0 || n == 0 || n > max || strspn(s, digits) != 2 * n)
    return -EBADMSG;
  for (size_t i = 0; i < n; i++)
    b[i] = (uint8_t)((strchr(digits, s[2 * i]) - digits) << 4 | (strchr(digits, s[2 * i + 1]) - digits));
  *ret_len = n;
  return 0;
}

int lease_text_search(const char *s, char (*list)[NAMES_NAME_MAX], unsigned *n) {
  size_t len = strlen(s);
  if (len == 0 || len >= NAMES_NAME_MAX || *n >= NAMES_SEARCH_MAX ||
      strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != len)
    return -EBADMSG;
  memcpy(list[(*n)++], s, len + 1);
  return 0;
}

bool lease_text_clock(const char *key, const char *value, struct lease_clock *written, int *ret) {
  if (strcmp(key, "boot-id") == 0) {
    *ret = strlen(value) < sizeof(written->boot_id) ? 0 : -EBADMSG;
    if (*ret == 0)
      strcpy(written->boot_id, value);
  } else if (strcmp(key, "written-boot") == 0) {
    *ret = lease_text_u64(value, &written->boot_ns);
  } else if (strcmp(key, "written") == 0) {
    *ret = lease_text_u64(value, &written->wall_s);
  } else {
    return false;
  }
  return true;
}

int lease_text_check(const char *text, size_t len, const char *version, size_t *ret_len, const char **ret_why) {
  size_t last, first = strlen(version);
  char want[32];
  *ret_why = "it is damaged";
  if (len < first || len > LEASE_FILE_MAX)
    return -EBADMSG;
  if (memcmp(text, version, first) != 0) {
    *ret_why = "it is of another version, or no lease";
    return -EBADMSG;
  }
  if (text[len - 1] != '\n' || memchr(text, 0, len) != NULL)
    return -EBADMSG;
  for (last = len - 1; last > 0 && text[last - 1] != '\n'; last--)
    ;
  int n = snprintf(want, sizeof(want), "sum %016" PRIx64 "\n", sum_of(text, last));
  if (last < first || len - last != (size_t)n || memcmp(text + last, want, (size_t)n) != 0)
    return -EBADMSG;
  *ret_len = last;
  return 0;
}

int lease_text_lines(const char *text, size_t len, int (*fn)(void *arg, const char *key, const char *value), void *arg) {
  char line[NAMES_NAME_MAX + 64];
  const char *first = memchr(text, '\n', len);
  size_t pos = first != NULL ? (size_t)(first - text) + 1 : len;
  while (pos < len) {
    const char *end = memchr(text + pos, '\n', len - pos);
    size_t n = end != NULL ? (size_t)(end - (text + pos)) : len - pos;
    if (n >= sizeof(line))
      return -EBADMSG;
    memcpy(line, text + pos, n);
    line[n] = 0;
    char *blank = strchr(line, ' ');
    if (blank == NULL)
      return -EBADMSG;
    *blank = 0;
    int r = fn(arg, line, blank + 1);
    if (r < 0)
      return r;
    pos += n + 1;
  }
  return 0;
}
