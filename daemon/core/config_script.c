/* SPDX-License-Identifier: BSD-3-Clause
 * device = fixture: the script, as trustworthy as the configuration, and what it says of the machine.
 */
#include "core/config_ini.h"

#include <libgen.h>
#include <stdio.h>

/* The section comes first; an address that the script gives shows where it is from. */
static void take_machine(struct config_interface *i) {
  const struct fixture_machine *m = &i->fixture->machine;
  static const uint8_t none[6];
  if (memcmp(i->mac, none, 6) == 0)
    memcpy(i->mac, m->mac, 6);
  if (!i->hostname_set && m->hostname[0]) {
    memcpy(i->netconf.hostname, m->hostname, sizeof i->netconf.hostname);
    i->hostname_set = true;
  }
  if (i->mode_set)
    return;
  switch (m->mode) {
  case FIXTURE_MODE_DHCP:
    break;
  case FIXTURE_MODE_NONE:
    i->netconf.mode = NETCONF_NONE;
    break;
  case FIXTURE_MODE_STATIC:
    i->netconf.mode = NETCONF_STATIC;
    i->netconf.fixed = (struct netconf_static){.addr = m->addr, .prefix_len = m->prefix_len, .gateway = m->gateway};
    i->netconf.fixed_origin = m->given ? "fixture" : NULL;
    break;
  }
}

int config_script_load(struct config_interface *i, const char *path, config_report_fn report, void *arg) {
  _cleanup_free_ char *conf = strdup(path), *full = NULL, *dir = NULL, *base = NULL, *text = NULL;
  struct fixture_error err;
  size_t len;
  if (!conf || asprintf(&full, "%s%s%s", i->script[0] == '/' ? "" : dirname(conf), i->script[0] == '/' ? "" : "/", i->script) < 0)
    return -ENOMEM;
  dir = strdup(full);
  base = strdup(full);
  if (!dir || !base)
    return -ENOMEM;
  _cleanup_close_ int fd = config_open_dir(dirname(dir), report, arg);
  if (fd < 0)
    return fd;
  int r = config_read_at(fd, basename(base), full, &text, &len, report, arg);
  if (r < 0)
    return r;
  r = fixture_script_parse(text, len, &i->fixture, &err);
  if (r == -EINVAL && report)
    report(arg, full, err.line, NULL, err.reason);
  if (r == 0)
    take_machine(i);
  return r;
}
