/* SPDX-License-Identifier: BSD-3-Clause
 * Options of DHCPv4 messages. They are looked up one code at a time over the areas that may hold them; pieces of one code
 * are put together in the order of RFC 3396: options field, file, sname.
 */
#include "netconf/dhcp4_wire.h"

const uint8_t dhcp4_cookie[4] = {99, 130, 83, 99};

/* --- options in -------------------------------------------------------------------------------------------------- */

/* Steps over one option; *pos is at its code. Returns 1 with the option's place, 0 at the end, -EBADMSG on overrun. */
static int option_next(const struct area *a, size_t *pos, uint8_t *ret_code, const uint8_t **ret_data,
                       size_t *ret_len) {
  while (*pos < a->len && a->data[*pos] == OPT_PAD)
    (*pos)++;
  if (*pos >= a->len || a->data[*pos] == OPT_END)
    return 0;
  if (*pos + 2 > a->len)
    return -EBADMSG;
  size_t len = a->data[*pos + 1];
  if (*pos + 2 + len > a->len)
    return -EBADMSG;
  *ret_code = a->data[*pos];
  *ret_data = a->data + *pos + 2;
  *ret_len = len;
  *pos += 2 + len;
  return 1;
}

static int area_check(const struct area *a) {
  size_t pos = 0, len;
  uint8_t code;
  const uint8_t *data;
  int r;
  do
    r = option_next(a, &pos, &code, &data, &len);
  while (r > 0);
  return r;
}

ssize_t dhcp4_option(const struct areas *areas, uint8_t want, uint8_t out[OPTION_MAX]) {
  ssize_t total = -1;
  for (unsigned i = 0; i < areas->n; i++) {
    size_t pos = 0, len;
    uint8_t code;
    const uint8_t *data;
    while (option_next(&areas->a[i], &pos, &code, &data, &len) > 0) {
      if (code != want)
        continue;
      if (total < 0)
        total = 0;
      len = MIN(len, (size_t)(OPTION_MAX - total));
      memcpy(out + total, data, len);
      total += (ssize_t)len;
    }
  }
  return total;
}

bool dhcp4_option_u32(const struct areas *areas, uint8_t code, uint32_t *ret) {
  uint8_t buf[OPTION_MAX];
  if (dhcp4_option(areas, code, buf) != 4)
    return false;
  *ret = get32(buf);
  return true;
}

int dhcp4_areas(const uint8_t *data, size_t len, struct areas *ret) {
  struct areas areas = {.n = 1};
  areas.a[0] = (struct area){data + OFF_OPTIONS, len - OFF_OPTIONS};
  if (area_check(&areas.a[0]) < 0)
    return -EBADMSG;
  uint8_t buf[OPTION_MAX];
  uint8_t overload = 0;
  if (dhcp4_option(&areas, OPT_OVERLOAD, buf) == 1)
    overload = buf[0];
  if (overload > 3)
    return -EBADMSG;
  if (overload & 1)
    areas.a[areas.n++] = (struct area){data + OFF_FILE, LEN_FILE};
  if (overload & 2)
    areas.a[areas.n++] = (struct area){data + OFF_SNAME, LEN_SNAME};
  for (unsigned i = 1; i < areas.n; i++)
    if (area_check(&areas.a[i]) < 0)
      return -EBADMSG;
  *ret = areas;
  return 0;
}
