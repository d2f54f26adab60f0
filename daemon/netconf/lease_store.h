/* SPDX-License-Identifier: BSD-3-Clause
 * The file of a lease: read once, written whole or not at all, and never on the loop's thread.
 */
#ifndef CAPNET_LEASE_STORE_H
#define CAPNET_LEASE_STORE_H

#include "loop/loop.h"

struct lease_store;

/* dir/lease-IFNAME-v4 or -v6, by family; dir "": a store that forgets. Touches nothing yet. -ENOMEM, -ENAMETOOLONG. */
int lease_store_new(struct loop *loop, const char *dir, const char *ifname, uint8_t family,
                    struct lease_store **ret);
/* What is queued is still done. Returns NULL; NULL is fine. */
struct lease_store *lease_store_free(struct lease_store *s);

/* Before the loop runs: this waits for the disk. The length, or -ENOENT, -EFBIG (over max), what open and read say. */
ssize_t lease_store_read(const struct lease_store *s, char *buf, size_t max);
/* The last call counts, whatever order the threads run in. The old file is whole until the new one is (rename(2)). */
void lease_store_write(struct lease_store *s, const char *text, size_t len);
void lease_store_remove(struct lease_store *s);

#endif
