/* SPDX-License-Identifier: BSD-3-Clause
 * What is made of the kernel's messages about devices: made-up ones, cut ones, and any bytes.
 */
#include "nic/nic_link.h"

#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

static struct nic_link_state got[8];
static unsigned n_got;

static void on_state(void *arg _unused_, const struct nic_link_state *s) {
  if (n_got < ARRAY_SIZE(got))
    got[n_got] = *s;
  n_got++;
}

static uint8_t buf[4096] __attribute__((aligned(4)));

static struct nlmsghdr *begin(size_t at, uint16_t type, unsigned char family, int index, unsigned flags) {
  struct nlmsghdr *h = mnl_nlmsg_put_header(buf + at);
  struct ifinfomsg *m;
  h->nlmsg_type = type;
  m = mnl_nlmsg_put_extra_header(h, sizeof *m);
  m->ifi_family = family;
  m->ifi_index = index;
  m->ifi_flags = flags;
  return h;
}

static size_t a_tap(size_t at, const char *name, bool carrier) {
  static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
  struct nlmsghdr *h = begin(at, RTM_NEWLINK, AF_UNSPEC, 7, IFF_UP | IFF_LOWER_UP);
  mnl_attr_put_strz(h, IFLA_IFNAME, name);
  mnl_attr_put_u32(h, IFLA_MTU, 1400);
  mnl_attr_put_u8(h, IFLA_CARRIER, carrier);
  mnl_attr_put(h, IFLA_ADDRESS, sizeof mac, mac);
  struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
  mnl_attr_put_strz(h, IFLA_INFO_KIND, "tun");
  struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
  mnl_attr_put_u32(h, IFLA_TUN_OWNER, 65534);
  mnl_attr_nest_end(h, data);
  mnl_attr_nest_end(h, info);
  return at + h->nlmsg_len;
}

Test(nic_link, a_device_is_told_with_link_mtu_address_and_owner) {
  size_t len = a_tap(0, "cap0", true);
  len = a_tap(len, "cap0", false);
  len += begin(len, RTM_DELLINK, AF_UNSPEC, 7, IFF_UP | IFF_LOWER_UP)->nlmsg_len;
  nic_link_parse(buf, len, on_state, NULL);
  cr_assert_eq(n_got, 3u);
  cr_expect_eq(got[0].index, 7u);
  cr_expect_str_eq(got[0].name, "cap0");
  cr_expect_eq(got[0].mtu, 1400u);
  cr_expect(got[0].has_mac && got[0].mac[5] == 5);
  cr_expect_eq(got[0].owner, 65534u);
  cr_expect_eq(got[0].group, NIC_LINK_NOBODY);
  cr_expect(got[0].up && !got[0].deleted);
  cr_expect_not(got[1].up, "without a carrier there is no link");
  cr_expect(got[2].deleted && !got[2].up);
}

Test(nic_link, a_port_that_leaves_its_bridge_is_not_gone) {
  size_t len = begin(0, RTM_DELLINK, AF_BRIDGE, 7, IFF_UP)->nlmsg_len;
  nic_link_parse(buf, len, on_state, NULL);
  cr_expect_eq(n_got, 0u);
}

Test(nic_link, what_is_malformed_is_passed_over_and_what_is_behind_it_is_not) {
  struct nlmsghdr *h = begin(0, RTM_NEWLINK, AF_UNSPEC, 7, IFF_UP);
  mnl_attr_put_strz(h, IFLA_IFNAME, "a-name-that-is-far-too-long");
  mnl_attr_put_u8(h, IFLA_MTU, 1);             /* not a number of four bytes */
  mnl_attr_put(h, IFLA_ADDRESS, 4, "\1\2\3\4"); /* a tunnel's */
  mnl_attr_put(h, IFLA_LINKINFO, 2, "\377\377");
  size_t len = h->nlmsg_len;
  h = begin(len, RTM_NEWLINK, AF_UNSPEC, 0, 0); /* no index */
  len += h->nlmsg_len;
  h = mnl_nlmsg_put_header(buf + len); /* shorter than its own header */
  h->nlmsg_type = RTM_NEWLINK;
  len += h->nlmsg_len;
  h = mnl_nlmsg_put_header(buf + len);
  h->nlmsg_type = NLMSG_ERROR;
  len += h->nlmsg_len;
  len = a_tap(len, "cap1", true);
  nic_link_parse(buf, len, on_state, NULL);
  cr_assert_eq(n_got, 2u);
  cr_expect_str_eq(got[0].name, "");
  cr_expect_eq(got[0].mtu, 0u);
  cr_expect_not(got[0].has_mac);
  cr_expect_not(got[0].up, "IFF_UP without a carrier");
  cr_expect_str_eq(got[1].name, "cap1");
}

/* Each length, each byte wrong once, in memory of just that size: a sanitizer sees what is read beyond. */
Test(nic_link, cut_and_damaged_messages_are_survived) {
  size_t len = a_tap(0, "cap0", true);
  for (size_t cut = 0; cut <= len; cut++) {
    uint8_t *copy = malloc(cut ? cut : 1);
    memcpy(copy, buf, cut);
    nic_link_parse(copy, cut, on_state, NULL);
    free(copy);
  }
  for (size_t at = 0; at < len; at++)
    for (unsigned bit = 0; bit < 8; bit++) {
      uint8_t *copy = malloc(len);
      memcpy(copy, buf, len);
      copy[at] ^= (uint8_t)(1u << bit);
      nic_link_parse(copy, len, on_state, NULL);
      free(copy);
    }
  cr_expect_gt(n_got, 1u);
}
