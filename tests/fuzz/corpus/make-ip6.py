#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_ra and fuzz_dhcp6. Usage: tests/fuzz/corpus/make-ip6.py"""
import ipaddress
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
EVER = 0xffffffff


def a6(text):
    return ipaddress.IPv6Address(text).packed


def piece(what, message):
    return struct.pack(">BH", what, len(message)) + message


def write(folder, name, *pieces):
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(b"".join(pieces))


# --- router advertisements --------------------------------------------------------------------------------------------

def nd_opt(kind, body):
    body += bytes(-(len(body) + 2) % 8)
    return bytes([kind, (len(body) + 2) // 8]) + body


def ra(flags=0, lifetime=1800, *options, reachable=0, retrans=0):
    return struct.pack(">BBHBBHII", 134, 0, 0, 64, flags, lifetime, reachable, retrans) + b"".join(options)


def pio(prefix, flags=0xc0, valid=7200, preferred=3600, length=64):
    return nd_opt(3, struct.pack(">BBIII", length, flags, valid, preferred, 0) + a6(prefix))


def mtu(v):
    return nd_opt(5, struct.pack(">HI", 0, v))


def rio(prefix, length, flags, lifetime):
    return nd_opt(24, struct.pack(">BBI", length, flags, lifetime) + a6(prefix)[:0 if length == 0 else 8 if length <= 64 else 16])


def rdnss(lifetime, *servers):
    return nd_opt(25, struct.pack(">HI", 0, lifetime) + b"".join(map(a6, servers)))


def dnssl(lifetime, names):
    return nd_opt(31, struct.pack(">HI", 0, lifetime) + names)


P, Q = "2001:db8:1::", "2001:db8:2::"
full = ra(0xc8, 1800, nd_opt(1, b"\2\0\0\0\0\1"), pio(P), mtu(1400), rio("2001:db8:a::", 48, 8, 600), rio("::", 0, 0, 60),
          rdnss(600, "2001:db8::53", "fe80::53"), dnssl(600, b"\7example\3net\0\4corp\0"), reachable=20000, retrans=500)
write("ra", "full", piece(0x01, full))
write("ra", "twice", piece(0x19, full), piece(0x1a, full))
write("ra", "zero", piece(0x11, full), piece(0x11, ra(0, 0, pio(P, valid=0, preferred=0), rdnss(0, "2001:db8::53"))))
write("ra", "two-hours", piece(0x11, ra(0, 9000, pio(P, valid=86400))), piece(0x21, ra(0, 9000, pio(P, valid=1, preferred=1))))
write("ra", "for-ever", piece(0x11, ra(0, 65535, pio(P, valid=EVER, preferred=EVER), rdnss(EVER, "2001:db8::1"))))
write("ra", "expiry", piece(0x11, ra(0, 3, pio(P, valid=5, preferred=4), rdnss(2, "2001:db8::1"))), piece(0x19, b""), piece(0x19, b""))
write("ra", "renumber", piece(0x11, ra(0, 1800, pio(P))), piece(0x11, ra(0, 1800, pio(P, preferred=0), pio(Q))))
write("ra", "link", piece(0x11, full), piece(0x40, b""), piece(0xd2, ra(0, 1800, pio(Q))), piece(0x21, b""))
write("ra", "routers", *[piece(i, ra(0x18 if i % 2 else 8, 60 * i, pio(P))) for i in range(1, 8)])
write("ra", "overrun", piece(0x11, ra(0, 1800, b"\3\5" + bytes(14))))
write("ra", "no-length", piece(0x11, ra(0, 1800, b"\3\0" + bytes(30))))
write("ra", "name-loop", piece(0x11, ra(0, 1800, dnssl(60, b"\xc0\x08"), dnssl(60, b"\77" + bytes(13)))))
ns = struct.pack(">BBHI", 135, 0, 0, 0) + a6("2001:db8:1::1") + nd_opt(14, b"\1\2\3\4\5\6")
na = struct.pack(">BBHI", 136, 0, 0, 0x20000000) + a6("2001:db8:1::1") + nd_opt(2, b"\2\0\0\0\0\1")
write("ra", "conflict", piece(0x02, full), piece(0x12, ns), piece(0x13, na), piece(0x12, ns), piece(0x13, na), piece(0x13, na))

# --- DHCPv6 -----------------------------------------------------------------------------------------------------------

IAID = 0x01020304


def opt(code, body):
    return struct.pack(">HH", code, len(body)) + body


def addr(text, preferred, valid, more=b""):
    return opt(5, a6(text) + struct.pack(">II", preferred, valid) + more)


def ia(t1, t2, *inside, iaid=IAID):
    return opt(3, struct.pack(">III", iaid, t1, t2) + b"".join(inside))


def status(code):
    return opt(13, struct.pack(">H", code) + b"text")


def msg(kind, *options):
    return struct.pack(">BBH", kind, 1, 2) + opt(1, b"\0\4\1\2\3\4") + opt(2, b"\0\3\0\1\2\0\0\0\0\1") + b"".join(options)


BEST, OURS, SAME = 0x10, 0x20, 0x40
dns = opt(23, a6("2001:db8::53") + a6("fe80::53")) + opt(24, b"\7example\3net\0") + opt(56, opt(1, a6("2001:db8::123")))
lease = ia(50, 80, addr("2001:db8::5", 100, 200))
offer = piece(OURS | BEST, msg(2, opt(7, b"\xff"), lease))
bound = offer + piece(OURS | SAME, msg(7, lease, dns))
write("dhcp6", "bound", bound)
write("dhcp6", "rapid", piece(OURS, msg(7, opt(14, b""), lease, dns)))
write("dhcp6", "renew", bound, piece(OURS | SAME, msg(7, lease, dns)), piece(0, b""), piece(OURS | SAME, msg(7, lease)))
write("dhcp6", "expire", bound, *[piece(0, b"")] * 12)
write("dhcp6", "for-ever", piece(OURS, msg(7, opt(14, b""), ia(EVER, EVER, addr("2001:db8::5", EVER, EVER)))))
write("dhcp6", "statuses", bound, *[piece(OURS | SAME, msg(7, ia(0, 0, status(i)))) for i in range(1, 7)])
write("dhcp6", "taken-back", bound, piece(OURS | SAME, msg(7, ia(0, 0, addr("2001:db8::5", 0, 0)))))
write("dhcp6", "confirm", bound, piece(1, b""), piece(9, b""), piece(OURS, msg(7, status(4))))
write("dhcp6", "decline", bound, piece(4, b""), piece(OURS | SAME, msg(7, status(0))))
write("dhcp6", "release", bound, piece(2, b""), piece(OURS | SAME, msg(7, status(0))), piece(3, b""))
write("dhcp6", "information", piece(0x80 | OURS, msg(7, dns, opt(32, struct.pack(">I", 600)), opt(83, struct.pack(">I", 60)))), piece(0x80, b""))
write("dhcp6", "overrun", piece(OURS, msg(7, opt(14, b""), opt(3, struct.pack(">III", IAID, 0, 0) + struct.pack(">HH", 5, 99) + bytes(24)))))
write("dhcp6", "name-loop", piece(OURS, msg(7, opt(14, b""), lease, opt(24, b"\xc0\0"), opt(56, b"\0\1\0\x63"))))
