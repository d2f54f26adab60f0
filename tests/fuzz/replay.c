/* SPDX-License-Identifier: BSD-3-Clause
 * A fuzz target as an ordinary test: every file of a corpus directory as it is, cut short everywhere, and with
 * deterministic mutations. Any failure is a crash or a sanitizer's report, and then names its input.
 *
 *   replay [FILE|DIRECTORY…]      default: $top_srcdir/tests/fuzz/corpus/NAME of a program replay_NAME
 *   CAPNET_FUZZ_ROUNDS=N          mutations of each seed, 2000 by default
 */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEED_MAX 65536u
#define SEEDS_MAX 4096

struct seed {
  char name[NAME_MAX + 1];
  uint8_t *data;
  size_t len;
};

static struct seed seeds[SEEDS_MAX];
static size_t n_seeds;
static char current[NAME_MAX + 64]; /* what runs, for the last words */

static void last_words(int signo) {
  (void)!write(STDERR_FILENO, current, strlen(current));
  (void)signal(signo, SIG_DFL);
  (void)raise(signo);
}

static uint64_t state;
static uint32_t rnd(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}

/* A copy of the exact size: reading one byte past it is an error that the sanitizer sees. */
static void run(const uint8_t *data, size_t len, const char *name, const char *how, unsigned i) {
  uint8_t *copy = malloc(len ? len : 1);
  if (!copy)
    abort();
  memcpy(copy, data, len);
  snprintf(current, sizeof current, "replay: %s, %s %u\n", name, how, i);
  (void)LLVMFuzzerTestOneInput(copy, len);
  free(copy);
}

static size_t mutate(uint8_t *buf, size_t len) {
  for (unsigned n = 1 + rnd(4); n > 0; n--) {
    size_t at = len ? rnd((uint32_t)len) : 0;
    switch (rnd(6)) {
    case 0: if (len) buf[at] ^= (uint8_t)(1u << rnd(8)); break;
    case 1: if (len) buf[at] = (uint8_t)rnd(256); break;
    case 2: if (len) buf[at] = rnd(2) ? 0xff : 0x80; break; /* lengths and varints that run away */
    case 3: /* a byte more */
      if (len < SEED_MAX) {
        memmove(buf + at + 1, buf + at, len - at);
        buf[at] = (uint8_t)rnd(256);
        len++;
      }
      break;
    case 4: /* a piece less */
      if (len) {
        size_t cut = 1 + rnd((uint32_t)(len - at));
        memmove(buf + at, buf + at + cut, len - at - cut);
        len -= cut;
      }
      break;
    case 5: { /* a piece of another seed */
      const struct seed *s = &seeds[rnd((uint32_t)n_seeds)];
      size_t from = s->len ? rnd((uint32_t)s->len) : 0, take = s->len - from;
      if (take > SEED_MAX - at)
        take = SEED_MAX - at;
      memcpy(buf + at, s->data + from, take);
      len = at + take > len ? at + take : len;
      break;
    }
    }
  }
  return len;
}

static int load(const char *path, const char *name) {
  uint8_t *buf = malloc(SEED_MAX);
  FILE *f = fopen(path, "re");
  if (!f || !buf || n_seeds == SEEDS_MAX) {
    fprintf(stderr, "replay: cannot load %s\n", path);
    if (f)
      fclose(f);
    free(buf);
    return -1;
  }
  struct seed *s = &seeds[n_seeds++];
  snprintf(s->name, sizeof s->name, "%s", name);
  s->len = fread(buf, 1, SEED_MAX, f);
  s->data = buf;
  fclose(f);
  return 0;
}

static int load_dir(const char *path) {
  struct dirent **entries;
  int n = scandir(path, &entries, NULL, alphasort), r = n < 0 ? -1 : 0; /* sorted: the same run everywhere */
  for (int i = 0; i < n; i++) {
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.' && r == 0)
      r = load(file, entries[i]->d_name);
    free(entries[i]);
  }
  if (n >= 0)
    free(entries);
  return r;
}

static int load_default(const char *program) {
  char path[PATH_MAX];
  const char *top = getenv("top_srcdir"), *name = strstr(program, "replay_"), *later;
  while (name && (later = strstr(name + 1, "replay_")))
    name = later;
  snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name ? name + strlen("replay_") : "");
  return load_dir(path);
}

static void replay(const struct seed *s, unsigned rounds) {
  static uint8_t buf[SEED_MAX];
  run(s->data, s->len, s->name, "whole", 0);
  size_t step = s->len / 1000 + 1;
  for (size_t len = 0; len < s->len; len += step)
    run(s->data, len, s->name, "cut to", (unsigned)len);
  for (unsigned i = 0; i < rounds; i++) {
    memcpy(buf, s->data, s->len);
    state = UINT64_C(0x2545f4914f6cdd1d) ^ ((uint64_t)i << 20) ^ (uint64_t)(s - seeds);
    (void)rnd(1);
    run(buf, mutate(buf, s->len), s->name, "mutation", i);
  }
}

int main(int argc, char **argv) {
  const char *env = getenv("CAPNET_FUZZ_ROUNDS");
  unsigned rounds = env ? (unsigned)strtoul(env, NULL, 10) : 2000;
  int r = argc > 1 ? 0 : load_default(argv[0]);
  for (int i = 1; i < argc && r == 0; i++)
    r = load_dir(argv[i]) == 0 ? 0 : load(argv[i], argv[i]);
  if (r < 0 || n_seeds == 0) {
    fprintf(stderr, "replay: no corpus\n");
    return 1;
  }
  (void)signal(SIGABRT, last_words);
  (void)signal(SIGALRM, last_words); /* an input that takes so long is a failure, too */
  for (size_t i = 0; i < n_seeds; i++) {
    (void)alarm(120);
    replay(&seeds[i], rounds);
  }
  (void)alarm(0);
  printf("%zu seeds, %u mutations of each\n%zu passed, 0 failed, 0 skipped\n", n_seeds, rounds, n_seeds);
  for (size_t i = 0; i < n_seeds; i++)
    free(seeds[i].data);
  return 0;
}
