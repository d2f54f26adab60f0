/* SPDX-License-Identifier: BSD-3-Clause
 * base/net.h: what is an address and what is not, and how it is written.
 */
#include "base/net.h"
#include "base/util.h"

#include <criterion/criterion.h>

static struct net_addr addr(const char *s) {
  struct net_addr a;
  cr_assert_eq(net_addr_parse(s, &a), 0, "%s", s);
  return a;
}

static struct net_prefix prefix(const char *s) {
  struct net_prefix p;
  cr_assert_eq(net_prefix_parse(s, &p), 0, "%s", s);
  return p;
}

Test(base_net, addresses_are_read_and_written_in_one_form) {
  static const struct {
    const char *in, *out;
  } t[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"10.0.200.9", "10.0.200.9"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},          /* one zero group is not shortened */
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},             /* the first of two equal runs */
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},                   /* the longer run */
      {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
      {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
      {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
      {"::1.2.3.4", "::102:304"},                                /* not mapped: stays IPv6 */
      {"::ffff:1.2.3.4", "1.2.3.4"},
      {"::FFFF:0102:0304", "1.2.3.4"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
    char buf[NET_ADDR_STRLEN];
    struct net_addr a = addr(t[i].in);
    cr_assert_str_eq(net_addr_format(&a, buf), t[i].out);
    struct net_addr again = addr(buf);
    cr_assert(net_addr_equal(&a, &again));
  }
}

Test(base_net, what_is_no_address_is_refused_and_the_result_left_alone) {
  static const char *const bad[] = {
      "",        " ",         "1",       "1.2.3",    "1.2.3.4.5", "1.2.3.256", "1.2.3.-4",  "1.2.3.4 ",
      " 1.2.3.4", "01.2.3.4",  "1.2.3.08", "1.2.3.00", "0x1.2.3.4", "1..3.4",   "1.2.3.4.",  ".1.2.3.4",
      "1.2.3.",  "1.2.3.4/8", ":",       ":::",      "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",
      "g::",     "::%1",      "fe80::1%eth0", "[::1]", "::ffff:1.2.3.04", "::ffff:1.2.3", "1::2::3", "99999999999999999999.1.1.1",
  };
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct net_addr a = {.family = 77};
    cr_assert_eq(net_addr_parse(bad[i], &a), -EINVAL, "'%s'", bad[i]);
    cr_assert_eq(a.family, 77);
  }
}

Test(base_net, v4_mapped_is_ipv4_everywhere) {
  struct net_addr raw = {.family = AF_INET6, .b = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
  struct net_addr v4 = net_addr_v4(0x7f000001), canonical = net_addr_canonical(raw);
  struct net_prefix p = prefix("127.0.0.0/8");
  cr_assert_eq(canonical.family, AF_INET);
  cr_assert_eq(net_addr_to_v4(&canonical), 0x7f000001);
  cr_assert(net_addr_equal(&raw, &v4));
  cr_assert_eq(net_addr_class(&raw), NET_LOOPBACK);
  cr_assert(net_prefix_contains(&p, &raw));
  char buf[NET_ADDR_STRLEN];
  cr_assert_str_eq(net_addr_format(&raw, buf), "127.0.0.1");
}

Test(base_net, classes) {
  static const struct {
    const char *in;
    enum net_class class;
  } t[] = {
      {"0.0.0.0", NET_UNSPECIFIED},     {"0.255.255.255", NET_UNSPECIFIED}, {"1.0.0.0", NET_UNICAST},
      {"126.255.255.255", NET_UNICAST}, {"127.0.0.0", NET_LOOPBACK},        {"127.255.255.255", NET_LOOPBACK},
      {"128.0.0.0", NET_UNICAST},       {"169.253.255.255", NET_UNICAST},   {"169.254.0.0", NET_LINK_LOCAL},
      {"169.255.0.0", NET_UNICAST},     {"223.255.255.255", NET_UNICAST},   {"224.0.0.0", NET_MULTICAST},
      {"239.255.255.255", NET_MULTICAST}, {"240.0.0.0", NET_RESERVED},      {"255.255.255.254", NET_RESERVED},
      {"255.255.255.255", NET_BROADCAST}, {"::", NET_UNSPECIFIED},          {"::1", NET_LOOPBACK},
      {"::2", NET_UNICAST},             {"fe7f::1", NET_UNICAST},           {"fe80::1", NET_LINK_LOCAL},
      {"febf::1", NET_LINK_LOCAL},      {"fec0::1", NET_UNICAST},           {"ff02::1", NET_MULTICAST},
      {"fd00::1", NET_UNICAST},
  };
  for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
    struct net_addr a = addr(t[i].in);
    cr_assert_eq(net_addr_class(&a), t[i].class, "%s", t[i].in);
  }
  cr_assert_eq(net_addr_class(&(struct net_addr){0}), NET_UNSPECIFIED);
}

Test(base_net, unspecified) {
  struct net_addr none = {0}, v4 = addr("0.0.0.0"), v6 = addr("::"), other = addr("0.0.0.1");
  cr_assert(net_addr_is_unspecified(&none));
  cr_assert(net_addr_is_unspecified(&v4));
  cr_assert(net_addr_is_unspecified(&v6));
  cr_assert_not(net_addr_is_unspecified(&other));
  cr_assert_not(net_addr_equal(&v4, &v6));
  cr_assert_not(net_addr_equal(&none, &v4));
}

Test(base_net, prefixes_are_read_and_written) {
  static const struct {
    const char *in, *out;
  } good[] = {
      {"10.0.0.0/8", "10.0.0.0/8"},   {"0.0.0.0/0", "0.0.0.0/0"},         {"10.1.2.3", "10.1.2.3/32"},
      {"10.1.2.3/32", "10.1.2.3/32"}, {"10.1.2.128/25", "10.1.2.128/25"}, {"::/0", "::/0"},
      {"2001:DB8::/32", "2001:db8::/32"}, {"::1", "::1/128"},             {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
      {"::ffff:0:0/96", "0.0.0.0/0"}, {"::ffff:1.2.3.4", "1.2.3.4/32"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
    char buf[NET_PREFIX_STRLEN];
    struct net_prefix p = prefix(good[i].in);
    cr_assert_str_eq(net_prefix_format(&p, buf), good[i].out);
  }
  static const char *const bad[] = {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "/8", "::/129",
                                    "10.0.0.0/8 ", "10.0.0.0/8/8", "::ffff:0:0/95", "2001:db8::1/64", "10.0.0.0/4294967304"};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct net_prefix p = {.len = 77};
    cr_assert_eq(net_prefix_parse(bad[i], &p), -EINVAL, "'%s'", bad[i]);
    cr_assert_eq(p.len, 77);
  }
}

Test(base_net, containment_stops_at_the_bit) {
  static const struct {
    const char *prefix, *in, *out;
  } t[] = {
      {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},       {"192.168.2.0/23", "192.168.3.255", "192.168.4.0"},
      {"10.1.2.128/25", "10.1.2.128", "10.1.2.127"},      {"10.1.2.3/32", "10.1.2.3", "10.1.2.2"},
      {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"}, {"0.0.0.0/0", "255.0.0.1", "::"},
      {"::/0", "ff::1", "1.2.3.4"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
    struct net_prefix p = prefix(t[i].prefix);
    struct net_addr in = addr(t[i].in), out = addr(t[i].out);
    cr_assert(net_prefix_contains(&p, &in), "%s", t[i].prefix);
    cr_assert_not(net_prefix_contains(&p, &out), "%s", t[i].prefix);
  }
  struct net_prefix all = prefix("0.0.0.0/0"), bad = {.addr = addr("1.2.3.4"), .len = 33};
  cr_assert_not(net_prefix_contains(&all, &(struct net_addr){0}));
  cr_assert_not(net_prefix_contains(&bad, &bad.addr), "a length that cannot be must not read past the address");
}

Test(base_net, subsets) {
  struct net_prefix all4 = prefix("0.0.0.0/0"), all6 = prefix("::/0"), ten = prefix("10.0.0.0/8"),
                    part = prefix("10.128.0.0/9"), other = prefix("11.0.0.0/9");
  cr_assert(net_prefix_subset(&ten, &ten));
  cr_assert(net_prefix_subset(&part, &ten));
  cr_assert(net_prefix_subset(&ten, &all4));
  cr_assert_not(net_prefix_subset(&ten, &part));
  cr_assert_not(net_prefix_subset(&other, &ten));
  cr_assert_not(net_prefix_subset(&all4, &all6));
  cr_assert_not(net_prefix_subset(&all6, &all4));
}

Test(base_net, directed_broadcast) {
  struct net_prefix p24 = prefix("10.1.2.0/24"), p30 = prefix("10.1.2.4/30"), p31 = prefix("10.1.2.4/31"),
                    v6 = prefix("2001:db8::/64");
  struct net_addr a255 = addr("10.1.2.255"), a254 = addr("10.1.2.254"), a7 = addr("10.1.2.7"), a5 = addr("10.1.2.5"),
                  outside = addr("10.1.3.255"), v6last = addr("2001:db8::ffff:ffff:ffff:ffff");
  cr_assert(net_prefix_broadcast(&p24, &a255));
  cr_assert_not(net_prefix_broadcast(&p24, &a254));
  cr_assert_not(net_prefix_broadcast(&p24, &outside));
  cr_assert(net_prefix_broadcast(&p30, &a7));
  cr_assert_not(net_prefix_broadcast(&p31, &a5));
  cr_assert_not(net_prefix_broadcast(&v6, &v6last));
}

Test(base_net, endpoints) {
  static const struct {
    const char *in, *out;
  } good[] = {
      {"10.0.0.1:80", "10.0.0.1:80"}, {"[::1]:65535", "[::1]:65535"}, {"0.0.0.0:0", "0.0.0.0:0"},
      {"[::FFFF:1.2.3.4]:1", "1.2.3.4:1"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
    char buf[NET_ENDPOINT_STRLEN];
    struct net_endpoint e;
    cr_assert_eq(net_endpoint_parse(good[i].in, &e), 0, "%s", good[i].in);
    cr_assert_str_eq(net_endpoint_format(&e, buf), good[i].out);
  }
  static const char *const bad[] = {"", ":", ":80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:080", "10.0.0.1:+8",
                                    "::1:80", "[::1]", "[::1]80", "[::1:80", "[]:80", "[10.0.0.1]:80", "10.0.0.1:80 ", "[:80"};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct net_endpoint e = {.port = 77};
    cr_assert_eq(net_endpoint_parse(bad[i], &e), -EINVAL, "'%s'", bad[i]);
    cr_assert_eq(e.port, 77);
  }
}

Test(base_net, endpoints_are_equal_by_address_and_port) {
  struct net_endpoint a = {.addr = addr("10.0.0.1"), .port = 80}, port = a, host = a;
  port.port = 81;
  host.addr = addr("10.0.0.2");
  cr_assert(net_endpoint_equal(&a, &a));
  cr_assert_not(net_endpoint_equal(&a, &port));
  cr_assert_not(net_endpoint_equal(&a, &host));
}

Test(base_net, port_ranges) {
  static const struct {
    const char *in;
    uint16_t first, last;
  } good[] = {{"80", 80, 80}, {"0", 0, 0}, {"80-443", 80, 443}, {"5-5", 5, 5}, {"0-65535", 0, 65535}, {"*", 0, 65535}};
  for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
    struct net_ports p;
    cr_assert_eq(net_ports_parse(good[i].in, &p), 0, "%s", good[i].in);
    cr_assert_eq(p.first, good[i].first);
    cr_assert_eq(p.last, good[i].last);
  }
  static const char *const bad[] = {"", "-", "80-", "-80", "443-80", "65536", "0-65536", "080", "80 ", "**", "80-90-100", "0x50", "100000"};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    struct net_ports p = {.first = 77, .last = 7};
    cr_assert_eq(net_ports_parse(bad[i], &p), -EINVAL, "'%s'", bad[i]);
    cr_assert_eq(p.first, 77);
  }
}

Test(base_net, mac_addresses) {
  uint8_t mac[6];
  char buf[NET_MAC_STRLEN];
  cr_assert_eq(net_mac_parse("02:aB:00:ff:9f:01", mac), 0);
  cr_assert_str_eq(net_mac_format(mac, buf), "02:ab:00:ff:9f:01");
  static const char *const bad[] = {"", "02:ab:00:ff:9f", "02:ab:00:ff:9f:01:", "02-ab-00-ff-9f-01", "2:ab:00:ff:9f:001", "0g:ab:00:ff:9f:01",
                                    "02:ab:00:ff:9f:1", "02ab00ff9f01"};
  for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
    cr_assert_eq(net_mac_parse(bad[i], mac), -EINVAL, "'%s'", bad[i]);
    cr_assert_eq(mac[1], 0xab);
  }
}
