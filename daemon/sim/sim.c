/* SPDX-License-Identifier: BSD-3-Clause
 * Runs a script: makes the far end and the machine, and moves the clocks from step to step.
 */
#include "sim/sim.h"

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void on_frame(void *arg, bool from_machine, const uint8_t *frame, size_t len) {
  struct sim *sim = arg;
  char text[FIXTURE_TEXT_MAX];
  if (sim->off)
    return;
  (void)fixture_describe(frame, len, text);
  sim_expect_frame(sim, from_machine, text);
  sim_print(sim, from_machine ? SIM_SENT : SIM_RECEIVED, "%s", text);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int start(struct sim *sim) {
  const struct fixture_config cfg = {.script = sim->script, .frame = on_frame, .arg = sim};
  sim->random = sim->script->machine.seed ^ UINT64_C(0xbb67ae8584caa73b);
  sim->counts = calloc(sim->script->n + 1, sizeof *sim->counts);
  if (sim->counts == NULL)
    return -ENOMEM;
  int r = loop_sim_new(&sim->loop);
  if (r < 0)
    return r;
  sim->start_ns = loop_now(sim->loop, CLOCK_ID_BOOT);
  r = sim_state_open(sim);
  if (r == 0)
    r = sim_far_open(sim, &cfg);
  return r < 0 ? r : sim_start_machine(sim);
}

static void stop(struct sim *sim) {
  sim->quiet = true;
  sim_stop_machine(sim);
  sim->far = nic_free(sim->far);
  if (sim->loop != NULL)
    sim->loop = loop_free(sim->loop);
  sim_state_close(sim);
  free(sim->counts);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static int advance_to(struct sim *sim, uint64_t at_ns) {
  uint64_t now = sim_elapsed(sim);
  return at_ns > now ? loop_sim_advance(sim->loop, at_ns - now) : loop_run(sim->loop);
}

/* Without `at TIME`. */
static const char *statement(const char *line) {
  if (strncmp(line, "at ", 3) != 0)
    return line;
  line += 3 + strspn(line + 3, " ");
  line += strcspn(line, " ");
  return line + strspn(line, " ");
}

static int do_step(struct sim *sim, const struct fixture_step *step) {
  int r = advance_to(sim, step->at_ns);
  if (r < 0 || sim->gone)
    return r;
  if (step->first && step->key != KEY_EXPECT) {
    sim_print(sim, SIM_SCRIPT, "%s", statement(fixture_script_line(sim->script, step->line)));
  }
  if (step->key == KEY_SUSPEND)
    return loop_sim_suspend(sim->loop, step->v.number);
  if (step->object == FIXTURE_MACHINE)
    r = sim_do(sim, step);
  else
    fixture_do(sim->far, step);
  return r < 0 ? r : loop_run(sim->loop);
}

int sim_run(struct sim *sim) {
  int r = start(sim);
  if (r == 0)
    r = loop_run(sim->loop);
  for (unsigned i = 0; r == 0 && i < sim->script->n && !sim->gone; i++)
    if (!sim->script->steps[i].begins)
      r = do_step(sim, &sim->script->steps[i]);
  stop(sim);
  return r;
}
