/* SPDX-License-Identifier: BSD-3-Clause
 * What a fuzz target is: one function that takes any bytes and returns 0; what it must not do is crash, leak or hang.
 * tests/fuzz/fuzz_NAME.c defines it, tests/fuzz/corpus/NAME/ holds its seeds. Linked with replay.c it is an ordinary
 * test; with --enable-fuzzers (CC=clang) it is a libFuzzer program as well: tests/fuzz/fuzz_NAME.
 */
#ifndef CAPNET_TEST_FUZZ_H
#define CAPNET_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
