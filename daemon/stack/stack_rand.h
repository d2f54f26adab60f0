/* SPDX-License-Identifier: BSD-3-Clause
 * For simulations: what is random in the stack follows from a seed.
 */
#ifndef CAPNET_STACK_RAND_H
#define CAPNET_STACK_RAND_H

#include <stdint.h>

/* Before stack_new. Never where there is a network: sequence numbers and ports can be foreseen then. */
void stack_rand_seed(uint64_t from);

#endif
