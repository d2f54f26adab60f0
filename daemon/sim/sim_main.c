/* SPDX-License-Identifier: BSD-3-Clause
 * capnet-sim: the command line, and reading the script.
 */
#include "sim/sim.h"

#include <getopt.h>
#include <stdio.h>

#define EXIT_EXPECT 1 /* an expectation failed */
#define EXIT_USAGE 2
#define EXIT_SCRIPT 3 /* the script cannot be read or run */

static const char usage[] =
    "Usage: capnet-sim [OPTION]... SCRIPT\n"
    "Run a script of network events on the stack of capnetd, without a network, and print the timeline.\n\n"
    "  -c, --check     read the script, say what is wrong with it, and end\n"
    "  -j, --json      one JSON object a line\n"
    "  -q, --quiet     print expectations alone\n"
    "  -V, --version   print the version and end\n"
    "  -h, --help      print this and end\n\n"
    "SCRIPT may be - for standard input; capnet-sim(1) has the language.\n"
    "Exit: 0 done, 1 an expectation failed, 2 usage, 3 the script cannot be read or run.\n";

static int usage_error(const char *what) {
  (void)fprintf(stderr, "capnet-sim: %s\nTry 'capnet-sim --help'.\n", what);
  return EXIT_USAGE;
}

/* Up to a byte more than a script may have. */
static int read_file(const char *path, char **ret, size_t *ret_len) {
  FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (f == NULL)
    return -errno;
  int r = 0;
  char *text = malloc(FIXTURE_SCRIPT_MAX + 2);
  size_t len = text != NULL ? fread(text, 1, FIXTURE_SCRIPT_MAX + 1, f) : 0;
  if (text == NULL)
    r = -ENOMEM;
  else if (ferror(f))
    r = errno != 0 ? -errno : -EIO;
  if (f != stdin)
    (void)fclose(f);
  if (r < 0) {
    free(text);
    return r;
  }
  *ret = text;
  *ret_len = len;
  return 0;
}

static int check_expects(const struct fixture_script *s, struct fixture_error *err) {
  for (unsigned i = 0; i < s->n; i++)
    if (s->steps[i].key == KEY_EXPECT && sim_expect_check(&s->steps[i], err->reason, sizeof err->reason) < 0) {
      err->line = s->steps[i].line;
      return -EINVAL;
    }
  return 0;
}

static int load(const char *path, struct fixture_script **ret) {
  _cleanup_free_ char *text = NULL;
  size_t len = 0;
  struct fixture_error err;
  struct fixture_script *s = NULL;
  int r = read_file(path, &text, &len);
  if (r < 0) {
    (void)fprintf(stderr, "capnet-sim: %s: %s\n", path, strerror(-r));
    return r;
  }
  r = fixture_script_parse(text, len, &s, &err);
  if (r == 0)
    r = check_expects(s, &err);
  if (r < 0) {
    (void)fprintf(stderr, "%s:%u: %s\n", path, err.line, r == -EINVAL ? err.reason : strerror(-r));
    fixture_script_free(s);
    return r;
  }
  *ret = s;
  return 0;
}

static int run(struct sim *sim) {
  int r = sim_run(sim);
  if (r < 0) {
    (void)fprintf(stderr, "capnet-sim: %s cannot be run: %s\n", sim->file, strerror(-r));
    return EXIT_SCRIPT;
  }
  if (fflush(stdout) != 0 || ferror(stdout)) {
    (void)fprintf(stderr, "capnet-sim: standard output: %s\n", strerror(errno));
    return EXIT_SCRIPT;
  }
  if (sim->failed > 0)
    (void)fprintf(stderr, "capnet-sim: %s: %u of %u expectations failed\n", sim->file, sim->failed,
                  sim->failed + sim->passed);
  return sim->failed > 0 ? EXIT_EXPECT : 0;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"check", no_argument, NULL, 'c'},   {"json", no_argument, NULL, 'j'},
                                          {"quiet", no_argument, NULL, 'q'},   {"version", no_argument, NULL, 'V'},
                                          {"help", no_argument, NULL, 'h'},    {NULL, 0, NULL, 0}};
  struct sim sim = {0};
  struct fixture_script *script = NULL;
  bool check = false;
  int c;
  while ((c = getopt_long(argc, argv, "cjqVh", options, NULL)) != -1)
    switch (c) {
    case 'c': check = true; break;
    case 'j': sim.json = true; break;
    case 'q': sim.quiet = true; break;
    case 'V': (void)puts("capnet-sim " PACKAGE_VERSION); return 0;
    case 'h': (void)fputs(usage, stdout); return 0;
    default: return usage_error("that option is not known");
    }
  if (optind + 1 != argc)
    return usage_error("one script is expected");
  sim.file = argv[optind];
  if (load(sim.file, &script) < 0)
    return EXIT_SCRIPT;
  sim.script = script;
  int code = check ? 0 : run(&sim);
  script = fixture_script_free(script);
  return code;
}
