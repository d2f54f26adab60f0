/* SPDX-License-Identifier: BSD-3-Clause
 * Filling struct capnet_error: from the wire, from errno, or by the library itself. Text is cut, never grown.
 */
#include "libcapnet/conn.h"

#include <stdarg.h>
#include <stdio.h>

static void copy(char *to, size_t size, const char *from) { (void)snprintf(to, size, "%s", from ? from : ""); }

int fail(struct capnet_error *err, int error, const char *code, const char *format, ...) {
  if (err) {
    *err = (struct capnet_error){.error = error};
    copy(err->code, sizeof err->code, code);
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(err->message, sizeof err->message, format, ap);
    va_end(ap);
  }
  return -error;
}

int fail_errno(struct capnet_error *err, int error, const char *what) {
  char buf[128];
  if (error < 0)
    error = -error;
  return fail(err, error, "SYSTEM", "%s: %s", what, strerror_r(error, buf, sizeof buf));
}

int fail_code(struct capnet_error *err, Capnet__ErrorCode code, const char *message) {
  return fail(err, error_code_to_errno(code), error_code_name(code), "%s",
              message ? message : error_code_sentence(code));
}

int fail_wire(struct capnet_error *err, const Capnet__Error *e) {
  if (!e)
    return fail(err, EIO, "UNSPECIFIED", "the daemon gave no reason");
  Capnet__ErrorCode code = e->has_code ? e->code : CAPNET__ERROR_CODE__ERROR_UNSPECIFIED;
  int r = fail_code(err, code, e->message && *e->message ? e->message : NULL);
  if (err) {
    copy(err->grant, sizeof err->grant, e->grant);
    copy(err->rule, sizeof err->rule, e->rule);
  }
  return r;
}

int fail_copy(struct capnet_error *err, const struct capnet_error *from) {
  int error = from->error;
  if (err)
    *err = *from;
  return -error;
}
