/* SPDX-License-Identifier: BSD-3-Clause
 * The values of capnet-run's options, at their edges.
 */
#include "clients/run.h"

#include <criterion/criterion.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

Test(run_parse, listen_good) {
  static const struct {
    const char *text, *address;
    unsigned port;
    const char *name;
  } good[] = {
      {"80", "", 80, "80"},
      {"0080", "", 80, "80"},
      {"1", "", 1, "1"},
      {"65535", "", 65535, "65535"},
      {"80=http", "", 80, "http"},
      {"80=a=b ~,", "", 80, "a=b ~,"},
      {"*:80", "*", 80, "80"},
      {"interface-address:80=x", "interface-address", 80, "x"},
      {"192.0.2.1:80", "192.0.2.1", 80, "80"},
      {"[2001:db8::1]:80=six", "2001:db8::1", 80, "six"},
      {"[::]:80", "::", 80, "80"},
      {"[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", 80, "80"},
  };
  for (size_t i = 0; i < COUNT(good); i++) {
    struct run_listen l;
    cr_assert(run_parse_listen(good[i].text, &l), "%s", good[i].text);
    cr_assert_str_eq(l.address, good[i].address, "%s", good[i].text);
    cr_assert_eq(l.port, good[i].port);
    cr_assert_str_eq(l.name, good[i].name);
    cr_assert_str_eq(l.text, good[i].text);
    cr_assert(l.fd == -1 && !l.control);
  }
}

Test(run_parse, listen_bad) {
  static const char *const bad[] = {
      "", "=", "=x", "0", "65536", "99999999999999999999", "-1", "+80", " 80", "80 ", "0x50", "http", ":80", "80:",
      "80:=x",
      "a:80", "eth0:80", "192.0.2:80", "192.0.2.1.:80", "192.0.2.256:80", "[192.0.2.1]:80", "2001:db8::1:80", "[]:80",
      "[::1]80", "[::1:80", "::1]:80", "[::1]:", "[::g]:80", "[::1%eth0]:80", "**:80", "interface-addres:80",
      "80=", "80=a:b", "80=\n", "80=\x7f", "80=\xc3\xa9", "80=a\tb",
      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
  struct run_listen l;
  for (size_t i = 0; i < COUNT(bad); i++)
    cr_assert(!run_parse_listen(bad[i], &l), "'%s'", bad[i]);
}

/* 255 bytes of a name as in systemd, and no more. */
Test(run_parse, listen_name_length) {
  char text[300] = "80=";
  struct run_listen l;
  memset(text + 3, 'n', 255);
  cr_assert(run_parse_listen(text, &l));
  cr_assert_eq(strlen(l.name), 255);
  text[3 + 255] = 'n';
  cr_assert(!run_parse_listen(text, &l));
}

Test(run_parse, connect_good) {
  static const struct {
    const char *text, *host;
    unsigned port;
    int target;
  } good[] = {
      {"192.0.2.1:80=0", "192.0.2.1", 80, 0},
      {"db.example:5432=5", "db.example", 5432, 5},
      {"[2001:db8::1]:1=1023", "2001:db8::1", 1, 1023},
      {"a=b:80=7", "a=b", 80, 7}, /* the daemon knows what a name is */
  };
  for (size_t i = 0; i < COUNT(good); i++) {
    struct run_connect c;
    cr_assert(run_parse_connect(good[i].text, &c), "%s", good[i].text);
    cr_assert_str_eq(c.host, good[i].host);
    cr_assert(c.port == good[i].port && c.target == good[i].target && c.fd == -1, "%s", good[i].text);
  }
}

Test(run_parse, connect_bad) {
  static const char *const bad[] = {
      "", "a:80", "a:80=", "a:80=x", "a:80=-1", "a:80=1024", "a:0=5", "a:65536=5", "a=5", "80=5", ":80=5", "a:=5",
      "::1:80=5", "[::1]=5", "[::g]:80=5", "[a]:80=5", "[]:80=5", "a:80=5=", "a:80 =5", "a:80=5 "};
  struct run_connect c;
  for (size_t i = 0; i < COUNT(bad); i++)
    cr_assert(!run_parse_connect(bad[i], &c), "'%s'", bad[i]);
  char text[400];
  memset(text, 'h', sizeof text);
  strcpy(text + 255, ":80=5");
  cr_assert(run_parse_connect(text, &c));
  memset(text, 'h', sizeof text);
  strcpy(text + 256, ":80=5");
  cr_assert(!run_parse_connect(text, &c));
}

Test(run_parse, grants) {
  struct run_grant g;
  cr_assert(run_parse_grant("web", &g));
  cr_assert(strcmp(g.name, "web") == 0 && strcmp(g.where, "web") == 0 && g.fd == -1 && !g.grant);
  cr_assert(run_parse_grant("/run/x/web.sock", &g));
  cr_assert(strcmp(g.name, "web") == 0 && strcmp(g.where, "/run/x/web.sock") == 0);
  cr_assert(run_parse_grant("mine=/run/x/web.sock", &g));
  cr_assert(strcmp(g.name, "mine") == 0 && strcmp(g.where, "/run/x/web.sock") == 0);
  static const char *const bad[] = {"", "=", "=web", "a=", "a,b", "a/b=/x", "/run/x/"};
  for (size_t i = 0; i < COUNT(bad); i++)
    cr_assert(!run_parse_grant(bad[i], &g), "'%s'", bad[i]);
  char text[80] = {0};
  memset(text, 'n', 63);
  cr_assert(run_parse_grant(text, &g));
  text[63] = 'n';
  cr_assert(!run_parse_grant(text, &g));
}

Test(run_parse, forms) {
  enum capnet_tcp_form form = CAPNET_FORM_PAIR;
  cr_assert(run_parse_form("auto", &form) && form == CAPNET_FORM_AUTO);
  cr_assert(run_parse_form("socket", &form) && form == CAPNET_FORM_SOCKET);
  cr_assert(run_parse_form("pair", &form) && form == CAPNET_FORM_PAIR);
  cr_assert(!run_parse_form("", &form) && !run_parse_form("sockets", &form) && !run_parse_form("Pair", &form));
}
