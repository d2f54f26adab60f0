/* SPDX-License-Identifier: BSD-3-Clause
 * The grants on offer: from files to bundles and doors, and through reloads.
 */
#ifndef CAPNET_CORE_GRANTS_H
#define CAPNET_CORE_GRANTS_H

#include "cap/cap_grant.h"
#include "core/config.h"

struct offers;

/* Offers each grant of the set at RUNTIME/grants/NAME.sock. Takes the set over, also on failure. The set is resolved. */
int offers_new(struct caps *caps, const char *runtime_dir, struct grant_set *set, struct offers **ret);
struct offers *offers_free(struct offers *o);
unsigned offers_count(const struct offers *o);

/* Reads dir anew. Any error keeps all as it is and was reported. Users and groups are looked up off the loop; then what is
 * gone or changed is revoked, what is new or changed offered, the rest feels nothing. done is called once, r 0 or -errno.
 * -EBUSY: a reload is under way. */
int offers_reload(struct offers *o, const char *dir, void (*done)(void *arg, int r), void *arg);

#endif
