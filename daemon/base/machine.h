/* SPDX-License-Identifier: BSD-3-Clause
 * What is this machine's own and the same at every start: its id, and hashes keyed by it. The id itself is confidential
 * (machine-id(5)): it goes into a hash as the key and is never sent.
 */
#ifndef CAPNET_BASE_MACHINE_H
#define CAPNET_BASE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* -EINVAL, or what opening says: there is none, and ret is as it was. */
int machine_id(uint8_t ret[16]);

/* For a simulation: this process is on another machine from now on. */
void machine_pretend(const uint8_t id[16]);

/* SipHash-2-4. */
uint64_t siphash24(const uint8_t key[16], const void *data, size_t len);

/* Of a purpose ("mac net0", at most 127 bytes): keyed by the machine id or, where there is none, over the host's name as
 * well. */
uint64_t machine_hash(const char *purpose);

#endif
