/* SPDX-License-Identifier: BSD-3-Clause
 * Rules from any bytes: the first byte picks the kind. What parses must format, and parse to the same again.
 */
#include "authority/rights.h"
#include "base/util.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char text[512], formatted[AUTH_RULE_STRLEN], again[AUTH_RULE_STRLEN], err[160];
  struct auth_rule a, b;
  if (size < 1 || size > sizeof(text))
    return 0;
  enum auth_kind kind = (enum auth_kind)(data[0] % AUTH_KIND_COUNT);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = 0;
  if (auth_rule_parse(kind, text, &a, err) < 0)
    return 0;
  if (auth_rule_parse(kind, auth_rule_format(kind, &a, formatted), &b, err) < 0 ||
      strcmp(formatted, auth_rule_format(kind, &b, again)) != 0 || !auth_rule_subset(kind, &a, &b) ||
      !auth_rule_subset(kind, &b, &a))
    abort();
  return 0;
}
