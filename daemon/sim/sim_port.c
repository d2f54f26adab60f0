/* SPDX-License-Identifier: BSD-3-Clause
 * The plug between the stack and the far end, which goes on when the stack is taken away. What arrives while nobody is
 * there is lost, as on a wire.
 */
#include "sim/sim.h"

struct sim_port {
  struct nic nic; /* the stack's */
  struct sim *sim;
};

/* --- the far end to the stack ------------------------------------------------------------------------------------- */

static void on_frames(void *arg, struct nic_rx *frames, unsigned n) {
  struct sim *sim = arg;
  if (sim->port != NULL)
    nic_deliver(&sim->port->nic, frames, n);
}

static void on_link(void *arg, bool up) {
  struct sim *sim = arg;
  if (sim->port != NULL)
    nic_set_link(&sim->port->nic, up);
}

static void on_mtu(void *arg) {
  struct sim *sim = arg;
  if (sim->port != NULL)
    nic_set_mtu(&sim->port->nic, sim->far->mtu);
}

static void on_gone(void *arg, int error) {
  struct sim *sim = arg;
  if (sim->port != NULL)
    nic_gone(&sim->port->nic, error);
  else
    sim->gone = true;
}

static const struct nic_upcalls far_up = {.frames = on_frames, .link = on_link, .mtu = on_mtu, .gone = on_gone};

int sim_far_open(struct sim *sim, const struct fixture_config *cfg) {
  int r = fixture_open(sim->loop, cfg, &sim->far);
  return r < 0 ? r : nic_start(sim->far, &far_up, sim);
}

/* --- the stack to the far end ------------------------------------------------------------------------------------- */

static unsigned port_send(struct nic *nic, const struct nic_frame *frames, unsigned n) {
  struct sim *sim = container_of(nic, struct sim_port, nic)->sim;
  return sim->off ? n : nic_send(sim->far, frames, n); /* who is switched off says nothing more */
}

static int port_start(struct nic *nic) {
  (void)nic;
  return 0;
}

static void port_free(struct nic *nic) {
  struct sim_port *p = container_of(nic, struct sim_port, nic);
  p->sim->port = NULL;
  free(p);
}

int sim_port_open(struct sim *sim, struct nic **ret) {
  static const struct nic_ops ops = {.kind = "fixture", .send = port_send, .start = port_start, .free = port_free};
  struct sim_port *p = calloc(1, sizeof *p);
  if (p == NULL)
    return -ENOMEM;
  p->sim = sim;
  p->nic = *sim->far;
  p->nic.ops = &ops;
  p->nic.up = NULL;
  p->nic.up_arg = NULL;
  p->nic.counters = (struct nic_counters){0};
  sim->port = p;
  *ret = &p->nic;
  return 0;
}
