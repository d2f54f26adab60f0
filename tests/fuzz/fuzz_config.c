/* SPDX-License-Identifier: BSD-3-Clause
 * Both kinds of file from any bytes: an error is reported, or there is a value, never both and never neither.
 */
#include "core/config.h"
#include "fuzz.h"

static void count(void *arg, const char *file, unsigned line, const char *key, const char *reason) {
  (void)line;
  *(size_t *)arg += strlen(file) + strlen(reason) + (key ? strlen(key) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct config *c = NULL;
  struct grant *g = NULL;
  size_t reports = 0;
  if (size > CONFIG_FILE_MAX)
    return 0;
  int r = config_parse("fuzz.conf", (const char *)data, size, &c, count, &reports);
  if ((r == 0) != (c != NULL) || (r == 0) != (reports == 0))
    abort();
  config_free(c);
  reports = 0;
  r = grant_parse("fuzz.grant", "fuzz", (const char *)data, size, &g, count, &reports);
  if ((r == 0) != (g != NULL) || (r == 0) != (reports == 0))
    abort();
  if (g && !grant_equal(g, g))
    abort();
  grant_free(g);
  return 0;
}
