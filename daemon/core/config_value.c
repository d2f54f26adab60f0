/* SPDX-License-Identifier: BSD-3-Clause
 * Values that more than one key has.
 */
#include "core/config_ini.h"

int config_text(char *into, size_t size, const char *value, char reason[REASON_MAX]) {
  size_t n = strlen(value);
  if (n == 0)
    return config_reason(reason, "the value is empty");
  if (n >= size)
    return config_reason(reason, "the value has more than %zu bytes", size - 1);
  memcpy(into, value, n + 1);
  return 0;
}

char *config_word(char **list) {
  char *word;
  while ((word = strsep(list, " \t,")))
    if (*word)
      return word;
  return NULL;
}

bool config_plain_name(const char *s, size_t max) {
  size_t n = strlen(s);
  return n > 0 && n <= max &&
         strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

void config_limits_init(uint64_t limits[AUTH_LIMIT_COUNT]) {
  for (unsigned i = 0; i < AUTH_LIMIT_COUNT; i++)
    limits[i] = AUTH_LIMIT_INHERIT;
}

int config_limit(uint64_t limits[AUTH_LIMIT_COUNT], enum auth_limit l, const char *value, char reason[REASON_MAX]) {
  const struct auth_limit_def *def = &auth_limits[l];
  if (limits[l] != AUTH_LIMIT_INHERIT)
    return config_reason(reason, "the key stands twice in its section");
  int r = auth_limit_parse(l, value, &limits[l]);
  if (r == -ERANGE)
    return config_reason(reason, "\"%.40s\" is %s %llu%s%s", value, def->minimum ? "below" : "over",
                         (unsigned long long)def->ceiling, def->unit[0] ? " " : "", def->unit);
  if (r < 0)
    return config_reason(reason, "\"%.40s\" is no number%s", value,
                         strcmp(def->unit, "bytes") == 0 ? " of bytes (K, M, G)"
                         : def->unit[0]                  ? " of milliseconds (or with ms, s, m)"
                                                         : "");
  return 0;
}
