// SPDX-License-Identifier: BSD-3-Clause
/*
 * Part of every Criterion program. Criterion starts each test in a process of its own, and each of them loads libgit2,
 * which reads all certificates of the machine to be ready for a server that no test asks: thousands of allocations under
 * AddressSanitizer, which LeakSanitizer looks through at the end, a third of what a small test costs. libgit2 finds this
 * function first. Where its TLS library is another one, nobody calls it.
 */
int mbedtls_x509_crt_parse_file(void *chain, const char *path);

int mbedtls_x509_crt_parse_file(void *chain, const char *path)
{
  (void)chain;
  (void)path;
  return 0;
}
