/* SPDX-License-Identifier: BSD-3-Clause
 * The moment in which an interface has an IPv4 address that can be used, on the monotonic clock: told by the kernel for its
 * own, asked of the daemon for capnet's. "ready" is printed when the waiting begins, so that nothing is missed.
 */
#include "tests/bench/bench_run.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

static bool is_address_of(const struct nlmsghdr *h, unsigned ifindex) {
  const struct ifaddrmsg *m = NLMSG_DATA(h);
  return h->nlmsg_type == RTM_NEWADDR && m->ifa_index == ifindex && m->ifa_family == AF_INET;
}

static void wait_kernel(const char *ifname) {
  char buf[8192];
  unsigned ifindex = if_nametoindex(ifname);
  struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (ifindex == 0 || fd < 0 || bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0) {
    bench_die("rtnetlink");
  }
  (void)printf("ready\n");
  (void)fflush(stdout);
  for (bool found = false; !found;) {
    ssize_t n = recv(fd, buf, sizeof(buf), 0);
    if (n <= 0) {
      bench_die("rtnetlink");
    }
    unsigned len = (unsigned)n;
    for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, len) && !found; h = NLMSG_NEXT(h, len)) {
      found = is_address_of(h, ifindex);
    }
  }
  (void)close(fd);
}

static void pause_briefly(void) { (void)usleep(200); }

/* Ends the watch when the address of a lease is in force. */
static int preferred(const struct capnet_status_event *event, void *user) {
  (void)user;
  return strstr(event->text, " preferred (dhcp)") != NULL;
}

/* Status lists what is in force, and only a DHCP client is configured. Its events say when that changes, as rtnetlink does for
 * the kernel's; one that came between the look and the watch is made up for in 5 ms. */
static void wait_capnet(void) {
  static const char *const sections[] = {"interfaces"};
  struct capnet_error err;
  capnet *cap = NULL;
  (void)printf("ready\n");
  (void)fflush(stdout);
  while (capnet_open(BENCH_GRANT, BENCH_GRANT, "status", BENCH_TIMEOUT_MS, &cap, &err) < 0) {
    pause_briefly();
  }
  for (bool found = false; !found;) {
    char *json = NULL;
    if (capnet_status_get(cap, sections, 1, BENCH_TIMEOUT_MS, &json, &err) < 0) {
      bench_die_of(&err);
    }
    found = strstr(json, "\"origin\": \"dhcp\"") || strstr(json, "\"origin\":\"dhcp\"");
    found = found && !strstr(json, "\"tentative\"");
    free(json);
    if (!found) {
      found = capnet_status_watch(cap, sections, 1, 5, preferred, NULL, &err) == 1;
    }
  }
  capnet_close(cap);
}

void bench_address(bool over_capnet, const char *ifname) {
  if (over_capnet) {
    wait_capnet();
  } else {
    wait_kernel(ifname);
  }
  (void)printf("{\"at\": %.6f}\n", bench_now());
}
