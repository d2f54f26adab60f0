/* SPDX-License-Identifier: BSD-3-Clause
 * Any bytes as a name server's answer to a question for host.test.
 */
#include "fuzz.h"

#include "base/util.h"
#include "names/names_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct names_parsed parsed;
  for (unsigned i = 0; i < 2; i++) {
    parsed.n_addresses = parsed.n_aliases = 0;
    int r = names_parse(data, size, "host.test", i == 0 ? NAMES_A : NAMES_AAAA, 256, &parsed);
    if ((r == 0) != (parsed.n_addresses > 0) || parsed.n_aliases > NAMES_ALIASES_MAX ||
        parsed.n_addresses * (i == 0 ? 4 : 16) > 256)
      abort();
  }
  return 0;
}
