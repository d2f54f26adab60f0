/* SPDX-License-Identifier: BSD-3-Clause
 * Lines, their sum, and the clocks.
 */
#include "netconf/lease_text.h"

#include "base/resolvconf.h"
#include "base/util.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

void lease_clock_read(uint64_t boot_ns, uint64_t wall_s, struct lease_clock *ret) {
  *ret = (struct lease_clock){.boot_ns = boot_ns, .wall_s = wall_s};
  _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, ret->boot_id, sizeof(ret->boot_id) - 1) : -1;
  ret->boot_id[n == LEASE_BOOT_ID_MAX - 1 ? n : 0] = 0;
}

/* FNV-1a, 64 bits: against accidents, not against people who can write here. */
static uint64_t sum_of(const char *text, size_t len) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < len; i++)
    h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
  return h;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

void lease_text_vput(struct lease_text *o, const char *fmt, va_list ap) {
  int n = vsnprintf(o->buf + o->len, LEASE_FILE_MAX - o->len, fmt, ap);
  o->len = MIN(o->len + (size_t)MAX(n, 0), (size_t)LEASE_FILE_MAX - 1);
}

void lease_text_end(struct lease_text *o) {
  int n = snprintf(o->buf + o->len, LEASE_FILE_MAX - o->len, "sum %016" PRIx64 "\n", sum_of(o->buf, o->len));
  o->len = MIN(o->len + (size_t)MAX(n, 0), (size_t)LEASE_FILE_MAX - 1);
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
