/* SPDX-License-Identifier: BSD-3-Clause
 * Inside capnet-run: what the options ask for, and what became of it.
 */
#ifndef CAPNET_RUN_H
#define CAPNET_RUN_H

#include "clients/client.h"

#define RUN_GRANTS_MAX 64
#define RUN_LISTENS_MAX 32
#define RUN_CONNECTS_MAX 64
#define RUN_TARGET_MAX 1023 /* of --connect */
#define RUN_FIRST_FD 3      /* SD_LISTEN_FDS_START */
#define RUN_NAME_SIZE 256   /* FDNAME_MAX of systemd, and NUL */
#define RUN_CONTROL_SUFFIX ".control" /* to the name of a listener: its control, in the store */

struct run_grant {
  char name[64];
  const char *where;
  int fd;        /* the shared connection that PROGRAM gets */
  capnet *grant; /* our own, opened when something is asked of it */
};

struct run_listen {
  const char *text; /* of the option, for messages */
  char address[48]; /* empty: what the rules name */
  uint16_t port;
  char name[RUN_NAME_SIZE]; /* in LISTEN_FDNAMES */
  int fd;                   /* the listening socket */
  capnet *control;          /* the listener lives as long as this is open somewhere */
};

struct run_connect {
  const char *text;
  char host[256];
  uint16_t port;
  int target; /* the number it gets */
  int fd;
};

struct run {
  struct run_grant grants[RUN_GRANTS_MAX];
  size_t n_grants;
  struct run_listen listens[RUN_LISTENS_MAX];
  size_t n_listens;
  struct run_connect connects[RUN_CONNECTS_MAX];
  size_t n_connects;
  enum capnet_tcp_form form; /* of connections */
  unsigned backlog;          /* 0: the daemon's */
  unsigned max;              /* of --inetd, at once; 0: not given */
  bool check, refuse, both, inetd, fdstore;
  bool form_given;
};

/* --- run_parse.c: values of options; false is wrong usage --------------------------------------------------------- */

/* "web", "/path/web.sock" (named by its file, without the suffix), "name=/path". */
bool run_parse_grant(const char *text, struct run_grant *ret);
/* "[ADDRESS:]PORT[=FDNAME]" */
bool run_parse_listen(const char *text, struct run_listen *ret);
/* "HOST:PORT=FD" */
bool run_parse_connect(const char *text, struct run_connect *ret);
bool run_parse_form(const char *text, enum capnet_tcp_form *ret);
/* What options say together; CLIENT_OK, or CLIENT_USAGE after a message. */
int run_parse_check(const struct run *r);

/* --- run_sockets.c: the grants are asked; an exit code after a message -------------------------------------------- */

int run_take_grants(struct run *r);
int run_open_listens(struct run *r);
int run_open_connects(struct run *r);
/* Our handles of the grants: PROGRAM opens its own. */
void run_close_grants(struct run *r);

/* --- run_fds.c: what PROGRAM inherits ----------------------------------------------------------------------------- */

/* What an activator meant for us is not for PROGRAM: what its variables name is closed at exec, and they go. */
void run_drop_activation(void);
/* Moves each descriptor to the number that it is promised, and sets the variables. */
int run_place(struct run *r);
/* CAPNET_FDS alone, for --inetd. */
int run_name_grants(const struct run *r);
/* Becomes the program, or says why not; the exit code. */
int run_exec(char **argv);

/* --- run_inetd.c -------------------------------------------------------------------------------------------------- */

/* Serves until a signal or the end of a listener; the exit code. */
int run_inetd(struct run *r, char **argv);

/* --- run_store.c: an exit code after a message -------------------------------------------------------------------- */

/* Takes out of the store what an earlier run left there, and makes sure that there is room. */
int run_store_begin(const struct run *r);
/* Stores the listeners and their controls; the manager has them then. */
int run_store_end(const struct run *r);

#endif
