/* SPDX-License-Identifier: BSD-3-Clause
 * What the small programs share.
 */
#include "clients/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *program = "capnet";

void client_init(const char *name) {
  program = name;
  (void)signal(SIGPIPE, SIG_IGN);
  /* A capability must not become what a program prints to: 0, 1 and 2 are taken, by nothing where nothing was given. */
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)open("/dev/null", O_RDWR);
}

const char *client_name(void) { return program; }

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void warn(const char *format, va_list ap) {
  fflush(stdout);
  fprintf(stderr, "%s: ", program);
  vfprintf(stderr, format, ap);
  fputc('\n', stderr);
}

void client_warn(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  warn(format, ap);
  va_end(ap);
}

int client_usage(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  warn(format, ap);
  va_end(ap);
  fprintf(stderr, "Try '%s --help'.\n", program);
  return CLIENT_USAGE;
}

enum client_exit client_exit_code(const struct capnet_error *err) {
  static const char *const refused[] = {"DENIED", "REVOKED", "EXPIRED", "OVER_BUDGET", "NOT_PERMITTED", "NOT_SUBSET"};
  if (strcmp(err->code, "NO_DAEMON") == 0)
    return CLIENT_NO_DAEMON;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    if (strcmp(err->code, refused[i]) == 0)
      return CLIENT_REFUSED;
  return CLIENT_FAILED;
}

int client_fail(const struct capnet_error *err, const char *what) {
  fflush(stdout);
  fprintf(stderr, "%s: ", program);
  if (what) {
    client_print(stderr, what);
    fputs(": ", stderr);
  }
  client_print(stderr, *err->message ? err->message : err->code);
  if (*err->grant || *err->rule) {
    fputs(" (", stderr);
    if (*err->grant) {
      fputs("grant ", stderr);
      client_print(stderr, err->grant);
    }
    if (*err->rule) {
      fputs(*err->grant ? ", rule " : "rule ", stderr);
      client_print(stderr, err->rule);
    }
    fputc(')', stderr);
  }
  fputc('\n', stderr);
  return client_exit_code(err);
}

int client_version(void) {
  printf("%s (capnet) %s\n", program, capnet_version());
  return CLIENT_OK;
}

int client_done(int code) {
  if (fflush(stdout) == EOF || ferror(stdout)) {
    client_warn("cannot write to standard output");
    return code == CLIENT_OK ? CLIENT_FAILED : code;
  }
  return code;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

bool client_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret) {
  uint64_t n = 0;
  if (!*text)
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || n > (UINT64_MAX - 9) / 10)
      return false;
    n = n * 10 + (uint64_t)(*text - '0');
  }
  if (n < min || n > max)
    return false;
  *ret = n;
  return true;
}

bool client_seconds(const char *text, uint64_t min_ms, uint64_t max_ms, unsigned *ret_ms) {
  uint64_t ms = 0, unit = 100;
  bool digits = false;
  for (; *text >= '0' && *text <= '9'; text++, digits = true)
    if ((ms = ms * 10 + (uint64_t)(*text - '0') * 1000) > UINT32_MAX)
      return false;
  if (*text == '.')
    for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10, digits = true)
      ms += (uint64_t)(*text - '0') * unit;
  if (*text || !digits || ms < min_ms || ms > max_ms || ms > UINT32_MAX)
    return false;
  *ret_ms = (unsigned)ms;
  return true;
}

/* --- safe text ---------------------------------------------------------------------------------------------------- */

/* Bytes at s that may go to a terminal as they are: printable ASCII, or one UTF-8 sequence that is no C1 control
 * (U+0080 to U+009F), no bidirectional override and no line separator. */
static size_t plain(const unsigned char *s) {
  if (s[0] < 0x80)
    return s[0] >= 0x20 && s[0] != 0x7f;
  size_t n = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
      (s[0] == 0xf4 && s[1] >= 0x90) || (s[0] == 0xc2 && s[1] < 0xa0))
    return 0;
  if (s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae)
    return 0;
  if (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)
    return 0;
  return n;
}

/* One unit of s into out (at most 4 bytes); bytes of s used. */
static size_t escape(const unsigned char *s, char out[5], size_t *ret_len) {
  size_t n = plain(s);
  if (n) {
    memcpy(out, s, n);
    *ret_len = n;
    return n;
  }
  *ret_len = (size_t)snprintf(out, 5, "\\x%02x", *s);
  return 1;
}

const char *client_safe(const char *text) {
  static char buffers[8][1024];
  static unsigned next;
  char *buf = buffers[next++ % 8], unit[5];
  size_t used = 0, len;
  for (const unsigned char *s = (const unsigned char *)(text ? text : ""); *s;) {
    s += escape(s, unit, &len);
    if (used + len >= sizeof buffers[0])
      break;
    memcpy(buf + used, unit, len);
    used += len;
  }
  buf[used] = 0;
  return buf;
}

void client_print(FILE *to, const char *text) {
  char unit[5];
  size_t len;
  for (const unsigned char *s = (const unsigned char *)(text ? text : ""); *s;) {
    s += escape(s, unit, &len);
    fwrite(unit, 1, len, to);
  }
}

/* --- colour, JSON ------------------------------------------------------------------------------------------------- */

static const char *colour(FILE *f, const char *sequence) {
  const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
  return isatty(fileno(f)) && !(no && *no) && term && strcmp(term, "dumb") != 0 ? sequence : "";
}
const char *client_bold(FILE *f) { return colour(f, "\033[1m"); }
const char *client_red(FILE *f) { return colour(f, "\033[31m"); }
const char *client_green(FILE *f) { return colour(f, "\033[32m"); }
const char *client_dim(FILE *f) { return colour(f, "\033[2m"); }
const char *client_reset(FILE *f) { return colour(f, "\033[0m"); }

/* ASCII only: C1 controls inside strings would otherwise reach the terminal. */
int client_json(json_t *root) {
  int r = root ? json_dumpf(root, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) : -1;
  json_decref(root);
  if (r < 0 || putchar('\n') == EOF) {
    client_warn("cannot write JSON");
    return CLIENT_FAILED;
  }
  return client_done(CLIENT_OK);
}

json_t *client_json_error(const struct capnet_error *err) {
  return json_pack("{s:{s:s, s:s, s:s, s:s, s:i}}", "error", "code", client_safe(err->code), "message",
                   client_safe(err->message), "grant", client_safe(err->grant), "rule", client_safe(err->rule), "errno",
                   err->error);
}

/* --- signals, names ----------------------------------------------------------------------------------------------- */

int client_stop_fd(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
    return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool numeric(const char *host, int family) {
  unsigned char b[sizeof(struct in6_addr)];
  return (family != AF_INET6 && inet_pton(AF_INET, host, b) == 1) ||
         (family != AF_INET && inet_pton(AF_INET6, host, b) == 1);
}

/* What is no address is passed over: it would go to the terminal as one. */
static bool choose_type(const struct capnet_dns_result *found, unsigned type, char ret_address[46]) {
  for (size_t i = 0; i < found->n_answers; i++)
    for (size_t k = 0; found->answers[i].type == type && k < found->answers[i].n_addresses; k++)
      if (numeric(found->answers[i].addresses[k].address, type == CAPNET_DNS_A ? AF_INET : AF_INET6)) {
        memcpy(ret_address, found->answers[i].addresses[k].address, 46);
        return true;
      }
  return false;
}

/* The first address, of IPv4 unless only IPv6 can be reached; else the first answer's error. */
static int choose(const struct capnet_dns_result *found, char ret_address[46], struct capnet_error *err) {
  const bool v6_first = found->reachable == CAPNET_DNS_AAAA;
  if (choose_type(found, v6_first ? CAPNET_DNS_AAAA : CAPNET_DNS_A, ret_address) ||
      choose_type(found, v6_first ? CAPNET_DNS_A : CAPNET_DNS_AAAA, ret_address))
    return 0;
  if (found->n_answers && found->answers[0].error.error) {
    *err = found->answers[0].error;
    return -err->error;
  }
  *err = (struct capnet_error){.error = ENODATA, .code = "NO_DATA", .message = "the name has no address"};
  return -ENODATA;
}

int client_resolve(const char *host, const char *grant, const char *default_grant, int family, int stop_fd,
                   unsigned timeout_ms, char ret_address[46], struct capnet_error *err) {
  struct capnet_error scratch;
  if (!err)
    err = &scratch;
  if (strlen(host) < 46 && numeric(host, family)) {
    strcpy(ret_address, host);
    return 0;
  }
  __attribute__((cleanup(capnet_closep))) capnet *resolver = NULL;
  int r = capnet_open(grant, default_grant, "dns", timeout_ms, &resolver, err);
  if (r < 0)
    return r;
  capnet_set_stop_fd(resolver, stop_fd);
  unsigned types = family == AF_INET ? CAPNET_DNS_A : family == AF_INET6 ? CAPNET_DNS_AAAA
                                                                           : CAPNET_DNS_A | CAPNET_DNS_AAAA;
  struct capnet_dns_result *found;
  r = capnet_resolve(resolver, host, types, 0, timeout_ms, &found, err);
  if (r < 0)
    return r;
  r = choose(found, ret_address, err);
  capnet_dns_result_free(found);
  return r;
}
