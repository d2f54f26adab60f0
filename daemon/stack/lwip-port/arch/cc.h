/* SPDX-License-Identifier: BSD-3-Clause
 * lwIP's port to this compiler. An assertion that fails is counted and execution goes on: the patches of
 * third_party/lwip/ see to it that no byte from the wire leads past one into undefined behaviour (ADR 0002).
 */
#ifndef CAPNET_LWIP_ARCH_CC_H
#define CAPNET_LWIP_ARCH_CC_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/types.h>

#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_NO_CTYPE_H 0
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1 /* <arpa/inet.h> has them */

void stack_port_assert(const char *message, const char *file, int line);
uint32_t stack_port_rand(void);
void *stack_port_malloc(size_t size);
void *stack_port_calloc(size_t n, size_t size);
void stack_port_free(void *p);

#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(x) stack_port_assert((x), __FILE__, __LINE__)
/* The handlers of LWIP_ERROR return an error; their messages are for programmers. */
#define LWIP_ERROR(message, expression, handler) \
  do { \
    if (!(expression)) { \
      stack_port_assert((message), __FILE__, __LINE__); \
      handler; \
    } \
  } while (0)
#define LWIP_RAND() stack_port_rand()

#endif
