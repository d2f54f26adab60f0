/* SPDX-License-Identifier: BSD-3-Clause
 * A set of things that are waited for, and a clock.
 */
#include "core/readiness.h"

#include "base/log.h"
#include "base/util.h"

struct readiness {
  struct loop *loop;
  struct loop_timer *patience;
  struct loop_task tell;
  loop_fn ready;
  void *arg;
  bool reached[READINESS_COUNT], told;
};

static const char *const names[READINESS_COUNT] = {[READINESS_ADDRESSES] = "configured addresses",
                                                   [READINESS_SOCKETS] = "the sealed namespaces of real sockets"};

static void on_tell(void *arg) {
  struct readiness *r = arg;
  r->patience = loop_timer_free(r->patience);
  r->told = true;
  r->ready(r->arg);
}

static void on_patience(void *arg) {
  struct readiness *r = arg;
  for (int i = 0; i < READINESS_COUNT; i++)
    if (!r->reached[i])
      log_warning("%s take more than %d s: the daemon is ready without", names[i], READINESS_PATIENCE_S);
  loop_task_queue(r->loop, &r->tell);
}

int readiness_new(struct loop *loop, loop_fn ready, void *arg, struct readiness **ret) {
  struct readiness *r = calloc(1, sizeof *r);
  if (!r)
    return -ENOMEM;
  *r = (struct readiness){.loop = loop, .ready = ready, .arg = arg};
  loop_task_init(&r->tell, on_tell, r);
  int e = loop_timer_new(loop, CLOCK_ID_MONO, on_patience, r, &r->patience);
  if (e < 0) {
    free(r);
    return e;
  }
  loop_timer_set(r->patience, loop_now(loop, CLOCK_ID_MONO) + READINESS_PATIENCE_S * NSEC_PER_SEC);
  *ret = r;
  return 0;
}

struct readiness *readiness_free(struct readiness *r) {
  if (!r)
    return NULL;
  loop_task_cancel(&r->tell);
  r->patience = loop_timer_free(r->patience);
  free(r);
  return NULL;
}

void readiness_reach(struct readiness *r, enum readiness_of what) {
  if (!r || r->told || r->reached[what])
    return;
  r->reached[what] = true;
  for (int i = 0; i < READINESS_COUNT; i++)
    if (!r->reached[i])
      return;
  loop_task_queue(r->loop, &r->tell);
}

bool readiness_reached(const struct readiness *r) { return r && r->told; }
