/* SPDX-License-Identifier: BSD-3-Clause
 * The kernel's messages about devices, from any bytes.
 */
#include "fuzz.h"
#include "nic/nic_link.h"

static void on_state(void *arg, const struct nic_link_state *s) {
  (void)arg;
  if (s->index == 0 || memchr(s->name, 0, sizeof s->name) == NULL || (s->deleted && s->up))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size ? size : 1); /* aligned, and of just that size */
  if (!copy)
    return 0;
  if (size)
    memcpy(copy, data, size);
  nic_link_parse(copy, size, on_state, NULL);
  free(copy);
  return 0;
}
