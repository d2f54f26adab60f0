/* SPDX-License-Identifier: BSD-3-Clause
 * The three symbols that LD_PRELOAD puts before libc's.
 */
#include "clients/gai.h"

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
  return gai_getaddrinfo(node, service, hints, res);
}

void freeaddrinfo(struct addrinfo *res) { gai_freeaddrinfo(res); }

const char *gai_strerror(int code) { return gai_error_text(code); }
