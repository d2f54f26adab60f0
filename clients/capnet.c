/* SPDX-License-Identifier: BSD-3-Clause
 * capnet: runs capnet-NAME, as git does; alone it lists what there is.
 */
#include "clients/client.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMANDS_MAX 64
#define PREFIX "capnet-"

static const char help[] =
    "Usage: capnet COMMAND [ARGUMENT...]\n"
    "       capnet [--help | --version]\n"
    "\n"
    "Runs the program capnet-COMMAND, which is looked for beside capnet itself, in " CAPNET_LIBEXECDIR "\n"
    "and along PATH. Without a command it lists those that it finds.\n"
    "\n"
    "Exit status: that of the command; 1 when it cannot be run, 2 for wrong usage.\n"
    "\n"
    "See capnet(1).\n";

/* Where this program lies, without the final '/'. */
static const char *own_directory(void) {
  static char dir[4096];
  ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
  if (n <= 0)
    return CAPNET_BINDIR;
  dir[n] = 0;
  char *slash = strrchr(dir, '/');
  *slash = 0;
  return *dir ? dir : "/";
}

static bool runnable(const char *dir, const char *name, char path[4352]) {
  struct stat st;
  int n = snprintf(path, 4352, "%s/%s", *dir ? dir : ".", name);
  return n > 0 && n < 4352 && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Calls fn for each directory in order until it returns other than 0. */
static int each_directory(int (*fn)(const char *dir, void *arg), void *arg) {
  int r = fn(own_directory(), arg);
  if (r == 0)
    r = fn(CAPNET_LIBEXECDIR, arg);
  const char *path = getenv("PATH");
  while (r == 0 && path && *path) {
    char dir[4096];
    const char *end = strchrnul(path, ':');
    if ((size_t)(end - path) < sizeof dir) {
      memcpy(dir, path, (size_t)(end - path));
      dir[end - path] = 0;
      r = fn(dir, arg);
    }
    path = *end ? end + 1 : end;
  }
  return r;
}

struct run {
  const char *name;
  char **argv;
  int error;
};

static int try_run(const char *dir, void *arg) {
  struct run *run = arg;
  char path[4352];
  if (!runnable(dir, run->name, path))
    return 0;
  execv(path, run->argv);
  run->error = errno;
  return 1;
}

struct list {
  char *names[COMMANDS_MAX];
  size_t n;
};

static int add_directory(const char *dir, void *arg) {
  struct list *list = arg;
  char path[4352];
  DIR *d = opendir(*dir ? dir : ".");
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) != 0 || list->n == COMMANDS_MAX ||
        !runnable(dir, e->d_name, path))
      continue;
    bool known = false;
    for (size_t i = 0; i < list->n; i++)
      known |= strcmp(list->names[i], e->d_name + sizeof PREFIX - 1) == 0;
    if (!known && (list->names[list->n] = strdup(e->d_name + sizeof PREFIX - 1)))
      list->n++;
  }
  if (d)
    closedir(d);
  return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int list_commands(void) {
  struct list list = {.n = 0};
  (void)each_directory(add_directory, &list);
  qsort(list.names, list.n, sizeof *list.names, by_name);
  printf("usage: capnet COMMAND [ARGUMENT...]\n\nCommands:\n");
  for (size_t i = 0; i < list.n; i++) {
    printf("  %s\n", client_safe(list.names[i]));
    free(list.names[i]);
  }
  if (list.n == 0)
    printf("  (none found)\n");
  return client_done(CLIENT_OK);
}

int main(int argc, char **argv) {
  client_init("capnet");
  if (argc < 2)
    return list_commands();
  if (strcmp(argv[1], "--help") == 0) {
    fputs(help, stdout);
    return client_done(CLIENT_OK);
  }
  if (strcmp(argv[1], "--version") == 0)
    return client_done(client_version());
  if (argv[1][0] == '-' || !*argv[1] || strchr(argv[1], '/') || strlen(argv[1]) > 64)
    return client_usage("no such option or command: %s", client_safe(argv[1]));
  char name[sizeof PREFIX + 64];
  (void)snprintf(name, sizeof name, PREFIX "%s", argv[1]);
  argv[1] = name;
  struct run run = {.name = name, .argv = argv + 1};
  (void)each_directory(try_run, &run);
  if (run.error) {
    client_warn("%s: %s", client_safe(name), strerror(run.error));
    return CLIENT_FAILED;
  }
  client_warn("there is no command %s; 'capnet' alone lists them", client_safe(name + sizeof PREFIX - 1));
  return CLIENT_FAILED;
}
