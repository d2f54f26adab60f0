/* SPDX-License-Identifier: BSD-3-Clause
 * The library's version.
 */
#include <capnet.h>

const char *capnet_version(void) { return PACKAGE_VERSION; }
