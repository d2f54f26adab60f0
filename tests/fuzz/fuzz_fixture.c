/* SPDX-License-Identifier: BSD-3-Clause
 * The fixture from any bytes: as a script, whose settings a far end then takes, and as frames of a machine, each of which
 * is put into words and answered. A frame has its length in front, two bytes.
 */
#include "fixture/fixture.h"
#include "fuzz.h"

static const char rich[] = "host 10.0.0.1 tcp 7 udp 7\nserver 10.0.0.1 pool 10.0.0.5-10.0.0.9 dns 10.0.0.1 search a.test rapid-commit\n"
                           "dns 10.0.0.1\nname a.test 10.0.0.2,::2\nhost 2001:db8::1 tcp 7\n"
                           "router fe80::1 prefix 2001:db8::/64 dns 2001:db8::53 search a.test mtu 1400\n"
                           "server6 fe80::1 pool 2001:db8::100-2001:db8::1ff dns 2001:db8::53 search a.test rapid-commit\n";

static struct fixture_script *parse(const char *text, size_t len) {
  struct fixture_script *s = NULL;
  struct fixture_error err = {0};
  int r = fixture_script_parse(text, len, &s, &err);
  if ((r == 0) != (s != NULL) || (r == -EINVAL && err.reason[0] == '\0'))
    abort();
  return s;
}

static void received(void *arg, bool from_machine, const uint8_t *frame, size_t len) {
  char text[FIXTURE_TEXT_MAX];
  (void)arg, (void)from_machine;
  if (strlen(fixture_describe(frame, len, text)) >= sizeof text)
    abort();
}

static struct nic *open_far_end(struct loop *loop, const struct fixture_script *s) {
  static const struct nic_upcalls up = {0};
  struct fixture_config cfg = {.script = s, .frame = received};
  struct nic *nic;
  if (fixture_open(loop, &cfg, &nic) < 0 || nic_start(nic, &up, NULL) < 0)
    abort();
  return nic;
}

static void run_script(struct loop *loop, const uint8_t *data, size_t size) {
  struct fixture_script *s = parse((const char *)data, size);
  if (s == NULL)
    return;
  struct nic *nic = open_far_end(loop, s);
  for (unsigned i = 0; i < s->n && i < 64; i++) {
    fixture_do(nic, &s->steps[i]);
    (void)loop_sim_advance(loop, NSEC_PER_MSEC);
  }
  nic_free(nic);
  fixture_script_free(s);
}

static void run_frames(struct loop *loop, const uint8_t *data, size_t size) {
  struct fixture_script *s = parse(rich, sizeof rich - 1);
  struct nic *nic = open_far_end(loop, s);
  while (size > 2) {
    size_t len = MIN((size_t)data[0] << 8 | data[1], size - 2);
    data += 2;
    size -= 2;
    if (len >= NIC_HEADER_LEN)
      (void)nic_send_one(nic, data, len);
    (void)loop_sim_advance(loop, NSEC_PER_MSEC);
    data += len;
    size -= len;
  }
  nic_free(nic);
  fixture_script_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct loop *loop;
  if (size < 2 || loop_sim_new(&loop) < 0)
    return 0;
  if (data[0] == 'F')
    run_frames(loop, data + 1, size - 1);
  else
    run_script(loop, data, size);
  loop_free(loop);
  return 0;
}
