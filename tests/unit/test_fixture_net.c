/* SPDX-License-Identifier: BSD-3-Clause
 * The far end over IPv4, frame against frame: ARP, echo, UDP, DHCP, DNS, TCP.
 */
#include "../unit/dhcp4_util.h"
#include "fixture_util.h"

static struct far far;
static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t mac_of_1[6] = {2, 0xf1, 10, 0, 0, 1};
static struct net_addr me, host;

static void begin(const char *script, bool follow) {
  far_open(&far, script, follow);
  me = far_addr("10.0.0.5");
  host = far_addr("10.0.0.1");
}
static void end(void) { far_close(&far); }
TestSuite(fixture_net, .fini = end);

/* The next frame, once it has come. */
static const char *next(void) {
  far_run(&far, 1);
  return far_next(&far);
}

static void send_arp(unsigned op, const char *sender, const char *target) {
  uint8_t b[42] = {0};
  struct net_addr s = far_addr(sender), t = far_addr(target);
  memcpy(b, everybody, 6);
  memcpy(b + 6, machine_mac, 6);
  memcpy(b + 12, "\x08\x06\x00\x01\x08\x00\x06\x04", 8);
  put16(b + 20, op);
  memcpy(b + 22, machine_mac, 6);
  memcpy(b + 28, s.b, 4);
  memcpy(b + 38, t.b, 4);
  cr_assert_eq(nic_send_one(far.nic, b, sizeof b), 1u);
}

Test(fixture_net, arp) {
  begin("host 10.0.0.1\nhost 10.0.0.9 mac 02:00:00:00:00:99\nhost 10.0.0.8 mac 02:00:00:00:00:07\n"
        "at 1s host 10.0.0.9 gone\nat 1s announce 10.0.0.5 mac 02:00:00:00:00:44\nat 1s probe 10.0.0.6\n", true);
  send_arp(1, "10.0.0.5", "10.0.0.1");
  cr_expect_eq(far.sink.n, 0, "nothing comes from inside a send");
  cr_expect_str_eq(next(), "ARP reply 10.0.0.1 is-at 02:f1:0a:00:00:01");
  cr_expect_eq(memcmp(far_last(&far), machine_mac, 6), 0);
  cr_expect_eq(far_last_len(&far), 60);
  send_arp(1, "0.0.0.0", "10.0.0.9");
  cr_expect_str_eq(next(), "ARP reply 10.0.0.9 is-at 02:00:00:00:00:99", "a probe is a question too");
  send_arp(1, "10.0.0.5", "10.0.0.7");
  send_arp(2, "10.0.0.5", "10.0.0.1");
  send_arp(1, "10.0.0.8", "10.0.0.8");
  cr_expect_str_eq(next(), "", "nobody's; a reply; our own address");
  far_run(&far, 1000);
  cr_expect_str_eq(next(), "ARP announcement 10.0.0.5 is-at 02:00:00:00:00:44");
  cr_expect_str_eq(next(), "ARP probe 10.0.0.6 from 02:f1:0a:00:00:06");
  send_arp(1, "10.0.0.5", "10.0.0.9");
  cr_expect_str_eq(next(), "", "gone");
}

static void send_echo(const uint8_t mac[6], const char *to, uint8_t type, size_t len) {
  uint8_t b[1472] = {type, 0, 0, 0, 1, 2, 3, 4};
  struct net_addr dst = far_addr(to);
  far_send_ip(&far, mac, &me, &dst, IP_ICMP, 64, b, len);
}

Test(fixture_net, echo) {
  begin("host 10.0.0.1\nhost 192.0.2.7\nhost 10.0.0.3 no-echo\n", false);
  send_echo(mac_of_1, "10.0.0.1", 8, 1472);
  cr_expect_str_eq(next(), "ICMP echo reply 10.0.0.1 > 10.0.0.5");
  cr_expect_eq(far_last_len(&far), 14 + 20 + 1472);
  cr_expect_eq(memcmp(far_last(&far) + 38, "\1\2\3\4", 4), 0);
  cr_expect_eq(wire_fold(wire_sum(0, far_last(&far) + 34, 1472)), 0);
  send_echo(mac_of_1, "192.0.2.7", 8, 8);
  cr_expect_str_eq(next(), "ICMP echo reply 192.0.2.7 > 10.0.0.5", "behind the gateway");
  cr_expect_eq(memcmp(far_last(&far) + 6, mac_of_1, 6), 0);
  send_echo(machine_mac, "10.0.0.1", 8, 8); /* to another station */
  send_echo(mac_of_1, "10.0.0.1", 0, 8);
  send_echo(mac_of_1, "10.0.0.3", 8, 8);
  send_echo(mac_of_1, "10.0.0.4", 8, 8);
  cr_expect_str_eq(next(), "");
}

/* --- UDP ---------------------------------------------------------------------------------------------------------- */

static void send_udp(const uint8_t mac[6], const struct net_addr *src, const char *to, unsigned from_port, unsigned port,
                     const void *data, size_t len) {
  uint8_t b[1472];
  struct net_addr dst = far_addr(to);
  put16(b, from_port);
  put16(b + 2, port);
  put16(b + 4, (unsigned)(8 + len));
  memcpy(b + 8, data, len);
  far_send_ip(&far, mac, src, &dst, IP_UDP, 64, b, 8 + len);
}

Test(fixture_net, udp_echo_and_its_damage) {
  begin("host 10.0.0.1 udp 7\nlink latency 0\n", false);
  send_udp(mac_of_1, &me, "10.0.0.1", 4000, 7, "hello", 5);
  cr_expect_str_eq(next(), "UDP 10.0.0.1 > 10.0.0.5 5 bytes");
  cr_expect_eq(get16(far_last(&far) + 36), 4000);
  send_udp(mac_of_1, &me, "10.0.0.1", 4000, 8, "hello", 5);
  cr_expect_str_eq(next(), "", "no such port");
  uint8_t b[13] = {15, 160, 0, 7, 0, 14}; /* a length over the packet's */
  far_send_ip(&far, mac_of_1, &me, &host, IP_UDP, 64, b, sizeof b);
  cr_expect_str_eq(next(), "");
}

/* --- DHCP --------------------------------------------------------------------------------------------------------- */

struct dhcp {
  uint8_t b[300];
  size_t len;
};

static struct dhcp dhcp(uint8_t type) {
  struct dhcp d = {.b = {1, 1, 6, 0, 0x11, 0x22, 0x33, 0x44}, .len = 243};
  memcpy(d.b + 28, machine_mac, 6);
  memcpy(d.b + 236, "\x63\x82\x53\x63\x35\x01", 6);
  d.b[242] = type;
  return d;
}
static void dhcp_opt(struct dhcp *d, uint8_t code, const char *addr) {
  struct net_addr a = far_addr(addr);
  d->b[d->len++] = code;
  d->b[d->len++] = 4;
  memcpy(d->b + d->len, a.b, 4);
  d->len += 4;
}
static void dhcp_send(struct dhcp *d) {
  struct net_addr any = {AF_INET, {0}};
  d->b[d->len++] = 255;
  send_udp(everybody, &any, "255.255.255.255", 68, 67, d->b, sizeof d->b);
}
static void discover(void) {
  struct dhcp d = dhcp(1);
  dhcp_send(&d);
}
static void request(const char *addr, const char *server) {
  struct dhcp d = dhcp(3);
  dhcp_opt(&d, 50, addr);
  if (server != NULL)
    dhcp_opt(&d, 54, server);
  dhcp_send(&d);
}
/* An option of the last frame. */
static const uint8_t *option(uint8_t code, size_t *len) {
  return raw_find(far_last(&far) + 42, far_last_len(&far) - 42, code, len);
}

#define ONE "server 10.0.0.1 pool 10.0.0.5-10.0.0.6 lease 60s "

Test(fixture_net, dhcp_four_messages) {
  size_t len;
  begin(ONE "t1 20s t2 40s prefix 16 router 10.0.0.1 dns 10.0.0.53,10.0.0.54 search a.test,b.c domain d.test mtu 1400 "
            "option 43 0102\n", false);
  discover();
  cr_expect_str_eq(next(), "DHCPOFFER 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344");
  cr_expect_eq(memcmp(far_last(&far), machine_mac, 6), 0, "unicast without the broadcast flag");
  cr_expect_eq(memcmp(option(1, &len), "\xff\xff\0\0", 4), 0);
  cr_expect_eq(memcmp(option(58, &len), "\0\0\0\x14", 4), 0);
  cr_expect_eq(memcmp(option(59, &len), "\0\0\0\x28", 4), 0);
  cr_expect_eq(memcmp(option(6, &len), "\x0a\0\0\x35\x0a\0\0\x36", 8), 0);
  cr_expect_eq(memcmp(option(119, &len), "\1a\4test\0\1b\1c\0", 13), 0);
  cr_expect_eq(len, 13);
  cr_expect_eq(memcmp(option(15, &len), "d.test", 6), 0);
  cr_expect_eq(memcmp(option(26, &len), "\x05\x78", 2), 0);
  cr_expect_eq(memcmp(option(43, &len), "\1\2", 2), 0);
  request("10.0.0.5", "10.0.0.1");
  cr_expect_str_eq(next(), "DHCPACK 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344");
  request("10.0.0.5", "10.0.0.2");
  cr_expect_str_eq(next(), "", "another server was chosen");
  request("10.0.0.6", NULL);
  cr_expect_str_eq(next(), "DHCPNAK from 10.0.0.1 xid 11223344", "that is not his");
  cr_expect_eq(far_last(&far)[0], 255, "to all");
  request("10.0.0.5", NULL);
  cr_expect_str_eq(next(), "DHCPACK 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344");
}

Test(fixture_net, dhcp_decline_and_an_empty_pool) {
  begin(ONE "\n", false);
  for (int i = 0; i < 2; i++) {
    discover();
    cr_expect_str_eq(next(), i == 0 ? "DHCPOFFER 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344"
                                    : "DHCPOFFER 10.0.0.6 from 10.0.0.1 lease 60s xid 11223344");
    struct dhcp d = dhcp(4);
    dhcp_opt(&d, 50, i == 0 ? "10.0.0.5" : "10.0.0.6");
    dhcp_opt(&d, 54, "10.0.0.1");
    dhcp_send(&d);
  }
  discover();
  cr_expect_str_eq(next(), "", "nothing is left");
}

Test(fixture_net, dhcp_options_of_the_script_win) {
  size_t len;
  begin(ONE "option 1 ffff0000 no-option 51 option 54 01020304\n", false);
  discover();
  cr_expect_str_eq(next(), "DHCPOFFER 10.0.0.5 from 1.2.3.4 xid 11223344");
  cr_expect_eq(memcmp(option(1, &len), "\xff\xff\0\0", 4), 0);
  cr_expect_null(option(51, &len));
}

Test(fixture_net, dhcp_faults) {
  static const struct {
    const char *how, *offer;
  } rows[] = {
      {"silent", ""},
      {"wrong-xid", "DHCPOFFER 10.0.0.5 from 10.0.0.1 lease 60s xid 11223345"},
      {"no-server-id", "DHCPOFFER 10.0.0.5 lease 60s xid 11223344"},
      {"other-server-id", "DHCPOFFER 10.0.0.5 from 10.0.0.129 lease 60s xid 11223344"},
      {"no-address", "DHCPOFFER from 10.0.0.1 lease 60s xid 11223344"},
      {"lease none", "DHCPOFFER 10.0.0.5 from 10.0.0.1 xid 11223344"},
      {"lease infinite", "DHCPOFFER 10.0.0.5 from 10.0.0.1 lease forever xid 11223344"},
      {"rapid-commit", "DHCPOFFER 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344"},
  };
  char script[200];
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    snprintf(script, sizeof script, ONE "%s\n", rows[i].how);
    begin(script, false);
    discover();
    cr_expect_str_eq(next(), rows[i].offer, "%s", rows[i].how);
    end();
  }
  begin(ONE "delay 3s wrong-chaddr twice\nat 10s server wrong-chaddr\n", true);
  discover();
  far_run(&far, 3000);
  cr_expect_eq(far.sink.n, 0);
  far_run(&far, 1);
  cr_expect_eq(far.sink.n, 2, "twice");
  far_run(&far, 10000);
  discover();
  far_run(&far, 3001);
  cr_expect_eq(far.sink.n, 3);
  cr_expect_eq(far.sink.got[2].data[42 + 33] ^ 1, 7, "somebody else's hardware address");
  end();
  begin(ONE "lose 2\n", false);
  for (int i = 0; i < 2; i++) {
    discover();
    cr_expect_str_eq(next(), "", "lost on its way");
  }
  discover();
  cr_expect_str_eq(next(), "DHCPOFFER 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344");
}

Test(fixture_net, rapid_commit_and_inform) {
  begin(ONE "rapid-commit\n", false);
  struct dhcp d = dhcp(1);
  d.b[d.len++] = 80;
  d.b[d.len++] = 0;
  dhcp_send(&d);
  cr_expect_str_eq(next(), "DHCPACK 10.0.0.5 from 10.0.0.1 lease 60s xid 11223344");
  size_t len;
  cr_expect_not_null(option(80, &len));
  d = dhcp(8);
  memcpy(d.b + 12, me.b, 4);
  dhcp_send(&d);
  cr_expect_str_eq(next(), "DHCPACK from 10.0.0.1 xid 11223344", "no address, no lease");
}

/* --- DNS ---------------------------------------------------------------------------------------------------------- */

static void ask(const char *query, size_t len) { send_udp(mac_of_1, &me, "10.0.0.1", 5000, 53, query, len); }
#define QUERY(name, type) "\x12\x34\x01\0\0\1\0\0\0\0\0\0" name "\0\0" type "\0\1"

Test(fixture_net, dns) {
  begin("dns 10.0.0.1\nname www.test 10.0.0.80,10.0.0.81,2001:db8::80\nname empty.test\n"
        "at 1s dns servfail\nat 2s dns refused\nat 3s dns silent\nat 4s dns normal delay 1s\n", true);
  ask(QUERY("\3www\4test", "\1"), 26);
  cr_expect_str_eq(next(), "DNS answer www.test A NOERROR, 2 records from 10.0.0.1");
  cr_expect_eq(get16(far_last(&far) + 42), 0x1234);
  cr_expect_eq(memcmp(far_last(&far) + far_last_len(&far) - 4, "\x0a\0\0\x51", 4), 0);
  ask(QUERY("\3WWW\4test", "\x1c"), 26);
  cr_expect_str_eq(next(), "DNS answer WWW.test AAAA NOERROR, 1 records from 10.0.0.1", "case does not matter, and stays");
  ask(QUERY("\5empty\4test", "\1"), 28);
  cr_expect_str_eq(next(), "DNS answer empty.test A NOERROR, 0 records from 10.0.0.1");
  ask(QUERY("\1x\4test", "\1"), 24);
  cr_expect_str_eq(next(), "DNS answer x.test A NXDOMAIN, 0 records from 10.0.0.1");
  ask(QUERY("\3www\4test", "\1"), 20);
  ask("\x12\x34\x81\0\0\1\0\0\0\0\0\0\3www\0\0\1\0\1", 21);
  cr_expect_str_eq(next(), "", "cut; an answer");
  static const char *const rows[] = {"DNS answer www.test A SERVFAIL, 0 records from 10.0.0.1",
                                     "DNS answer www.test A REFUSED, 0 records from 10.0.0.1", ""};
  for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    far_run(&far, 1000);
    ask(QUERY("\3www\4test", "\1"), 26);
    cr_expect_str_eq(next(), rows[i]);
  }
}

/* --- TCP ---------------------------------------------------------------------------------------------------------- */

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static void send_tcp(uint32_t seq, uint32_t ack, unsigned flags, unsigned port, const char *data) {
  uint8_t b[100] = {0};
  put16(b, 6000);
  put16(b + 2, port);
  put32(b + 4, seq);
  put32(b + 8, ack);
  b[12] = 5 << 4;
  b[13] = (uint8_t)flags;
  put16(b + 14, 8000);
  memcpy(b + 20, data, strlen(data));
  far_send_ip(&far, mac_of_1, &me, &host, IP_TCP, 64, b, 20 + strlen(data));
}

Test(fixture_net, tcp_echo) {
  begin("host 10.0.0.1 tcp 7\n", false);
  send_tcp(100, 0, SYN, 7, "");
  cr_expect_str_eq(next(), "TCP SYN ACK 10.0.0.1 > 10.0.0.5 0 bytes");
  uint32_t isn = get32(far_last(&far) + 38);
  cr_expect_eq(get32(far_last(&far) + 42), 101);
  cr_expect_eq(get16(far_last(&far) + 56), 1460, "the segment size");
  send_tcp(101, isn + 1, ACK, 7, "hello");
  cr_expect_str_eq(next(), "TCP PSH ACK 10.0.0.1 > 10.0.0.5 5 bytes");
  cr_expect_eq(memcmp(far_last(&far) + 54, "hello", 5), 0);
  cr_expect_eq(get32(far_last(&far) + 42), 106);
  send_tcp(101, isn + 6, ACK, 7, "hello");
  cr_expect_str_eq(next(), "TCP ACK 10.0.0.1 > 10.0.0.5 0 bytes", "again: where we are");
  cr_expect_eq(get32(far_last(&far) + 38), isn + 6);
  send_tcp(106, isn + 6, FIN | ACK, 7, "");
  cr_expect_str_eq(next(), "TCP FIN ACK 10.0.0.1 > 10.0.0.5 0 bytes");
  send_tcp(107, isn + 7, ACK, 7, "");
  cr_expect_str_eq(next(), "");
  send_tcp(107, isn + 7, ACK, 7, "x");
  cr_expect_str_eq(next(), "TCP RST 10.0.0.1 > 10.0.0.5 0 bytes", "over");
  send_tcp(1, 0, SYN, 8, "");
  cr_expect_str_eq(next(), "TCP RST ACK 10.0.0.1 > 10.0.0.5 0 bytes", "nobody listens");
  send_tcp(1, 0, RST, 8, "");
  cr_expect_str_eq(next(), "");
}

Test(fixture_net, tcp_connections_are_bounded) {
  begin("host 10.0.0.1 tcp 7\n", false);
  uint8_t syn[20] = {0};
  for (unsigned i = 0; i <= 64; i++) {
    put16(syn, 1000 + i);
    put16(syn + 2, 7);
    syn[12] = 5 << 4;
    syn[13] = SYN;
    far_send_ip(&far, mac_of_1, &me, &host, IP_TCP, 64, syn, sizeof syn);
    cr_expect_eq(strncmp(next(), i < 64 ? "TCP SYN ACK" : "TCP RST ACK", 11), 0, "%u", i);
  }
}

/* --- the wire ----------------------------------------------------------------------------------------------------- */

Test(fixture_net, link_and_device) {
  begin("host 10.0.0.1\nat 1s link down\nat 2s link up\nat 3s link mtu 1000\nat 4s send 020000000007020000000001"
        "88b50000\nat 5s link gone\n", true);
  far_run(&far, 999);
  send_arp(1, "10.0.0.5", "10.0.0.1"); /* its answer would come while the link is down */
  far_run(&far, 2);
  cr_expect_eq(far.sink.link_calls, 1);
  cr_expect(!far.sink.link);
  uint8_t frame[60] = {0};
  cr_expect_eq(nic_send_one(far.nic, frame, sizeof frame), 0u);
  far_run(&far, 1000);
  cr_expect(far.sink.link);
  far_run(&far, 1000);
  cr_expect_eq(far.nic->mtu, 1000);
  far_run(&far, 1000);
  cr_expect_str_eq(next(), "frame type 88b5, 16 bytes");
  cr_expect_str_eq(far.nic->ops->kind, "fixture");
  far_run(&far, 1000);
  cr_expect_eq(far.sink.gone_error, -ENODEV);
}

Test(fixture_net, frames_under_way_are_bounded) {
  begin("host 10.0.0.1\nlink latency 1s\n", false);
  for (unsigned i = 0; i < FIXTURE_QUEUE_MAX + 3; i++)
    send_arp(1, "10.0.0.5", "10.0.0.1");
  far_run(&far, 1000);
  cr_expect_eq(far.sink.n, FIXTURE_QUEUE_MAX);
  cr_expect_eq(far.nic->counters.rx_dropped, 3);
}

Test(fixture_net, any_bytes_are_put_into_words) {
  uint64_t random = 99;
  uint8_t frame[200];
  char text[FIXTURE_TEXT_MAX];
  static const uint8_t types[][2] = {{8, 0}, {8, 6}, {0x86, 0xdd}};
  begin("host 10.0.0.1 tcp 7 udp 7\nserver 10.0.0.1 pool 10.0.0.5\ndns 10.0.0.1\nhost fe80::1\nrouter fe80::1\n"
        "server6 fe80::1\n", false);
  for (unsigned i = 0; i < 20000; i++) {
    size_t len = fixture_random(&random) % sizeof frame;
    for (size_t k = 0; k < len; k++)
      frame[k] = (uint8_t)fixture_random(&random);
    if (len > 54) {
      memset(frame, 255, 6);
      memcpy(frame + 12, types[i % 3], 2);
      frame[14] = i % 3 == 2 ? 0x60 : 0x45;
      frame[23] = (uint8_t[]){1, 6, 17, 58}[i / 3 % 4];
    }
    cr_assert_lt(strlen(fixture_describe(frame, len, text)), (size_t)FIXTURE_TEXT_MAX);
    if (len >= NIC_HEADER_LEN)
      nic_send_one(far.nic, frame, len);
  }
}
