/* SPDX-License-Identifier: BSD-3-Clause
 * A path between two TAP devices: bench-link TAP_A TAP_B. Frames from A reach B and the other way round after a delay; in
 * the direction of the data also through a bottleneck (rate, and a queue that drops at its tail), with frames lost, doubled
 * and held back by chance, the same ones for the same seed. Standard input has one line for each path,
 *   DIRECTION SEED DELAY_US RATE_BIT_S QUEUE_FRAMES LOSS_PPM DUPLICATE_PPM REORDER_PPM LATE_US
 * with DIRECTION a (data from A to B) or b, RATE 0: no bottleneck. The answer is a JSON object of what was dropped since the
 * line before. Ends when its standard input does. Chance concerns frames of more than SMALL bytes alone: a handshake, an
 * ACK and ARP always come through, so that each run measures loss and not the luck of its first packet.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define SLOTS 32768u /* of a line: a power of two */
#define SMALL 200
#define BATCH 64

struct frame {
  uint64_t due; /* ns */
  uint64_t departs; /* ns: out of the queue, into the delay */
  unsigned len;
  unsigned char bytes[FRAME_MAX];
};

/* First in, first out; due times never decrease in it. */
struct line {
  struct frame *frames;
  unsigned head, tail, departed; /* head: next in; departed: first that still queues at the bottleneck */
};

struct way {
  int from, to;
  struct line line, late;
  uint64_t free_at; /* the bottleneck, ns */
};

static struct {
  uint64_t random, delay, late, rate; /* ns, ns, bit/s */
  unsigned queue, loss, duplicate, reorder;
  int data; /* the way that has all of it */
} path;
static struct {
  unsigned long long frames, lost, queue_full, duplicated, reordered, no_slot;
} seen;

static void die(const char *what) {
  (void)fprintf(stderr, "bench-link: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int tap_open(const char *name) {
  struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  (void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0) {
    die(name);
  }
  return fd;
}

static bool chance(unsigned ppm) {
  path.random ^= path.random << 13;
  path.random ^= path.random >> 7;
  path.random ^= path.random << 17;
  return path.random % 1000000u < ppm;
}

/* When the bottleneck has sent it; 0: its queue is full. */
static uint64_t bottleneck(struct way *w, unsigned len, uint64_t now) {
  struct line *l = &w->line;
  while (l->departed != l->head && l->frames[l->departed % SLOTS].departs <= now) {
    l->departed++;
  }
  if (l->head - l->departed >= path.queue)
    return 0;
  w->free_at = (w->free_at > now ? w->free_at : now) + (uint64_t)len * 8u * 1000000000u / path.rate;
  return w->free_at;
}

static void put(struct line *l, const unsigned char *bytes, unsigned len, uint64_t departs, uint64_t due) {
  if (l->head - l->tail >= SLOTS) {
    seen.no_slot++;
    return;
  }
  struct frame *f = &l->frames[l->head++ % SLOTS];
  f->len = len;
  f->departs = departs;
  f->due = due;
  memcpy(f->bytes, bytes, len);
}

static void arrive(struct way *w, bool data, const unsigned char *bytes, unsigned len, uint64_t now) {
  uint64_t departs = now;
  bool random = data && len > SMALL;
  seen.frames++;
  if (random && chance(path.loss)) {
    seen.lost++;
    return;
  }
  if (data && path.rate && (departs = bottleneck(w, len, now)) == 0) {
    seen.queue_full++;
    return;
  }
  bool late = random && chance(path.reorder);
  put(late ? &w->late : &w->line, bytes, len, departs, departs + path.delay + (late ? path.late : 0));
  seen.reordered += late;
  if (random && chance(path.duplicate)) {
    put(&w->line, bytes, len, departs, departs + path.delay);
    seen.duplicated++;
  }
}

static void receive(struct way *w, bool data) {
  unsigned char bytes[FRAME_MAX];
  uint64_t now = now_ns();
  for (unsigned i = 0; i < BATCH; i++) {
    ssize_t n = read(w->from, bytes, sizeof(bytes));
    if (n <= 0)
      return;
    arrive(w, data, bytes, (unsigned)n, now);
  }
}

/* Sends what is due; when the next one is, or UINT64_MAX. A frame that the device does not take is lost. */
static uint64_t deliver(struct line *l, int to, uint64_t now) {
  while (l->tail != l->head) {
    struct frame *f = &l->frames[l->tail % SLOTS];
    if (f->due > now)
      return f->due;
    (void)!write(to, f->bytes, f->len);
    l->departed += l->departed == l->tail;
    l->tail++;
  }
  return UINT64_MAX;
}

static void empty(struct way *w) {
  w->line.tail = w->line.departed = w->line.head;
  w->late.tail = w->late.departed = w->late.head;
  w->free_at = 0;
}

/* False at the end of standard input. */
static bool command(struct way ways[2]) {
  char text[256], direction;
  unsigned long long seed, delay, rate, late;
  ssize_t n = read(0, text, sizeof(text) - 1);
  if (n <= 0)
    return false;
  text[n] = 0;
  if (sscanf(text, "%c %llu %llu %llu %u %u %u %u %llu", &direction, &seed, &delay, &rate, &path.queue, &path.loss,
             &path.duplicate, &path.reorder, &late) != 9) {
    errno = EINVAL;
    die(text);
  }
  path.data = direction == 'b';
  path.random = (seed + 1) * 0x9e3779b97f4a7c15u;
  path.delay = delay * 1000;
  path.late = late * 1000;
  path.rate = rate;
  (void)printf("{\"frames\": %llu, \"lost\": %llu, \"queue_full\": %llu, \"duplicated\": %llu, \"reordered\": %llu, "
               "\"no_slot\": %llu}\n",
               seen.frames, seen.lost, seen.queue_full, seen.duplicated, seen.reordered, seen.no_slot);
  (void)fflush(stdout);
  memset(&seen, 0, sizeof(seen));
  empty(&ways[0]);
  empty(&ways[1]);
  return true;
}

static uint64_t deliver_all(struct way ways[2]) {
  uint64_t next = UINT64_MAX, now = now_ns();
  for (unsigned i = 0; i < 2; i++) {
    uint64_t a = deliver(&ways[i].line, ways[i].to, now), b = deliver(&ways[i].late, ways[i].to, now);
    next = a < next ? a : next;
    next = b < next ? b : next;
  }
  return next;
}

static void shuttle(struct way ways[2]) {
  struct pollfd fds[3] = {{.fd = 0, .events = POLLIN}, {.fd = ways[0].from, .events = POLLIN},
                          {.fd = ways[1].from, .events = POLLIN}};
  for (;;) {
    uint64_t next = deliver_all(ways), now = now_ns();
    uint64_t wait = next == UINT64_MAX || next > now + 1000000000u ? 1000000000u : next > now ? next - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    (void)ppoll(fds, 3, &ts, NULL);
    if (fds[0].revents && !command(ways))
      return;
    for (int i = 0; i < 2; i++) {
      if (fds[i + 1].revents)
        receive(&ways[i], i == path.data);
    }
  }
}

static void line_init(struct line *l) {
  l->frames = calloc(SLOTS, sizeof(*l->frames));
  if (!l->frames) {
    die("memory");
  }
}

int main(int argc, char **argv) {
  static struct way ways[2];
  if (argc != 3) {
    (void)fprintf(stderr, "usage: bench-link TAP_A TAP_B\n");
    return 2;
  }
  (void)prctl(PR_SET_TIMERSLACK, 1);
  ways[0].from = ways[1].to = tap_open(argv[1]);
  ways[1].from = ways[0].to = tap_open(argv[2]);
  for (unsigned i = 0; i < 2; i++) {
    line_init(&ways[i].line);
    line_init(&ways[i].late);
  }
  (void)puts("ready");
  (void)fflush(stdout);
  shuttle(ways);
  return 0;
}
