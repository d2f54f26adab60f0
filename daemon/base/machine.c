/* SPDX-License-Identifier: BSD-3-Clause
 * The machine's id and SipHash-2-4 under it.
 */
#include "base/machine.h"

#include "base/util.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define PURPOSE_MAX 128

struct siphash {
  uint64_t a, b, c, d;
};

static uint64_t rotl(uint64_t x, unsigned bits) { return (x << bits) | (x >> (64 - bits)); }

static uint64_t load64le(const uint8_t *p) {
  uint64_t v = 0;
  for (unsigned i = 0; i < 8; i++)
    v |= (uint64_t)p[i] << (8 * i);
  return v;
}

static void sip_rounds(struct siphash *s, unsigned n) {
  while (n-- > 0) {
    s->a += s->b;
    s->c += s->d;
    s->b = rotl(s->b, 13) ^ s->a;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a = rotl(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotl(s->b, 17) ^ s->c;
    s->d = rotl(s->d, 21) ^ s->a;
    s->c = rotl(s->c, 32);
  }
}

uint64_t siphash24(const uint8_t key[16], const void *data, size_t len) {
  const uint8_t *in = data;
  uint64_t k0 = load64le(key), k1 = load64le(key + 8);
  struct siphash s = {
      k0 ^ UINT64_C(0x736f6d6570736575),
      k1 ^ UINT64_C(0x646f72616e646f6d),
      k0 ^ UINT64_C(0x6c7967656e657261),
      k1 ^ UINT64_C(0x7465646279746573),
  };
  uint8_t last[8] = {0};
  size_t whole = len & ~(size_t)7;

  memcpy(last, in + whole, len - whole);
  last[7] = (uint8_t)len;
  for (size_t i = 0; i <= whole; i += 8) {
    uint64_t m = load64le(i < whole ? in + i : last);
    s.d ^= m;
    sip_rounds(&s, 2);
    s.a ^= m;
  }
  s.c ^= 0xff;
  sip_rounds(&s, 4);
  return s.a ^ s.b ^ s.c ^ s.d;
}

/* 32 hexadecimal digits, as machine-id(5) has them; anything else ("uninitialized") is no id. */
static int machine_id_read(const char *path, uint8_t ret[16]) {
  char text[33] = "";
  uint8_t id[16];
  _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return -errno;
  if (read(fd, text, 32) != 32)
    return -EINVAL;
  for (unsigned i = 0; i < 16; i++) {
    if (!isxdigit((unsigned char)text[2 * i]) || !isxdigit((unsigned char)text[2 * i + 1]))
      return -EINVAL;
    char pair[3] = {text[2 * i], text[2 * i + 1], 0};
    id[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  memcpy(ret, id, sizeof id);
  return 0;
}

static struct {
  bool set;
  uint8_t id[16];
} pretended;

void machine_pretend(const uint8_t id[16]) {
  pretended.set = true;
  memcpy(pretended.id, id, sizeof pretended.id);
}

int machine_id(uint8_t ret[16]) {
  if (pretended.set) {
    memcpy(ret, pretended.id, sizeof pretended.id);
    return 0;
  }
  if (machine_id_read("/etc/machine-id", ret) == 0)
    return 0;
  return machine_id_read("/var/lib/dbus/machine-id", ret);
}

uint64_t machine_hash(const char *purpose) {
  char text[HOST_NAME_MAX + PURPOSE_MAX + 16], host[HOST_NAME_MAX + 1] = "";
  uint8_t key[16] = {0};

  if (machine_id(key) < 0 && gethostname(host, sizeof host - 1) < 0)
    host[0] = '\0';
  int len = snprintf(text, sizeof text, "capnet %.*s %s", PURPOSE_MAX - 1, purpose, host);
  return siphash24(key, text, (size_t)len);
}
