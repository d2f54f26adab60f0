#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of tests/fuzz/fuzz_stack.c into corpus/stack/ beside this file."""
import pathlib
import struct

OUT = pathlib.Path(__file__).parent / "stack"
MAC = bytes([2, 0, 0, 0, 0, 9])
SUMS, ACK, WAIT, SACKS, ECHO = 1, 2, 4, 8, 16
FIN, SYN, RST, PSH, ACKF = 1, 2, 4, 8, 16


def entry(frame, flags=SUMS):
    return struct.pack(">HB", len(frame), flags) + frame


def ip(proto, payload, frag=0):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 7, frag, 64, proto, 0)
    return MAC + b"\x08\x00" + head + bytes([10, 0, 0, 2, 10, 0, 0, 1]) + payload


def tcp(seq, flags, options=b"", data=b"", window=65000):
    head = struct.pack(">HHIIBBHHH", 999, 80, seq, 0, (20 + len(options)) // 4 << 4, flags, window, 0, 0)
    return ip(6, head + options + data)


def arp(op):
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, op) + MAC + bytes([10, 0, 0, 2]) + bytes(6) + bytes([10, 0, 0, 1])
    return MAC + b"\x08\x06" + body


def udp(data, frag=0):
    return ip(17, struct.pack(">HHHH", 53, 80, 8 + len(data), 0) + data, frag)


def sack(*blocks):
    return struct.pack(">BBBB", 1, 1, 5, 2 + 8 * len(blocks)) + b"".join(struct.pack(">II", *b) for b in blocks)


def stamp(val, echo=0):
    return struct.pack(">BBBBII", 1, 1, 8, 10, val & 0xFFFFFFFF, echo)


OWN6, PEER6, ALL6 = (bytes.fromhex(a) for a in ("fe80" + 27 * "0" + "1", "fe80" + 27 * "0" + "9", "ff02" + 27 * "0" + "1"))
MAYBE6 = bytes.fromhex("20010db8" + 23 * "0" + "1")
NODE6 = bytes.fromhex("ff02" + 19 * "0" + "1ff000001")


def ip6(proto, payload, src=PEER6, dst=OWN6, hops=255):
    return MAC + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(payload), proto, hops) + src + dst + payload


def nd(kind, target=b"", flags=0, option=0, body=bytes(4)):
    tail = bytes([option, 1]) + MAC if option else b""
    return bytes([kind, 0, 0, 0, flags]) + body[1:] + target + tail


def frag6(proto, ident, at, more, data):
    return ip6(44, struct.pack(">BBHI", proto, 0, at | more, ident) + data)


def udp6(data, port=9):
    return struct.pack(">HHHH", 53, port, 8 + len(data), 0) + data


OPTIONS = bytes([2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 1, 1])
START = entry(arp(2)) + entry(tcp(1000, SYN, OPTIONS)) + entry(tcp(1001, ACKF), SUMS | ACK)
START_TS = entry(arp(2)) + entry(tcp(1000, SYN, OPTIONS + stamp(5))) + entry(tcp(1001, ACKF, stamp(6)), SUMS | ACK | ECHO)
QUOTE = ip(6, bytes(8))[8:]
SEEDS = {
    "arp": entry(arp(1)) + entry(arp(2)),
    "data-and-close": START + entry(tcp(1001, ACKF | PSH, data=b"hello"), SUMS | ACK)
    + entry(tcp(1006, ACKF | FIN), SUMS | ACK | WAIT) + entry(tcp(1007, ACKF), SUMS | ACK),
    "out-of-order": START + entry(tcp(2001, ACKF, data=bytes(500)), SUMS | ACK)
    + entry(tcp(3001, ACKF | FIN, data=bytes(500)), SUMS | ACK) + entry(tcp(1001, ACKF, data=bytes(1000)), SUMS | ACK)
    + entry(tcp(2001, ACKF, data=bytes(1000)), SUMS | ACK | WAIT),
    "zero-window": START + entry(tcp(1001, ACKF, window=0), SUMS | ACK | WAIT) + entry(tcp(1001, ACKF, window=3), SUMS | ACK | WAIT)
    + entry(tcp(1001, RST), SUMS),
    # blocks count back from the end of what was sent
    "sack": START + entry(tcp(1001, ACKF, sack((1000, 0))), SUMS | ACK | SACKS)
    + entry(tcp(1001, ACKF, sack((1460, 0), (2920, 2000))), SUMS | ACK | SACKS | WAIT)
    + entry(tcp(1001, ACKF, sack((9000, 8000), (3000, 10), (2, 1))), SUMS | ACK | SACKS | WAIT)
    + entry(tcp(1001, ACKF), SUMS | ACK),
    "sack-nonsense": START + entry(tcp(1001, ACKF, sack((0, 1000), (7, 7), (0x7FFFFFFF, 0), (0, 0x80000000))), SUMS | ACK | SACKS | WAIT)
    + entry(tcp(1001, ACKF, sack((3, 2), (5, 4), (9, 8), (100, 7))[:-1] + b"\0"), SUMS | ACK | SACKS)
    + entry(tcp(1001, ACKF, bytes([1, 1, 5, 40, 0, 0, 0, 9, 0, 0, 0, 1])), SUMS | ACK | SACKS | WAIT),
    # an old one, one from the future, one without; an echo that is ours and one that is not; out of order, and the hole filled
    "timestamps": START_TS + entry(tcp(1001, ACKF, stamp(10), b"hello"), SUMS | ACK | ECHO | WAIT)
    + entry(tcp(1006, ACKF, stamp(9), b"old"), SUMS | ACK) + entry(tcp(1006, ACKF, b"", b"none"), SUMS | ACK)
    + entry(tcp(2006, ACKF, stamp(12, 1), bytes(500)), SUMS | ACK) + entry(tcp(1006, ACKF, stamp(11), bytes(1000)), SUMS | ACK | ECHO)
    + entry(tcp(2506, ACKF, stamp(0x7FFFFFFF) + sack((2000, 1000))), SUMS | ACK | WAIT) + entry(tcp(2506, RST, stamp(1)), SUMS),
    "timestamps-wrap-and-close": entry(arp(2)) + entry(tcp(1000, SYN, OPTIONS + stamp(-2)))
    + entry(tcp(1000, SYN, OPTIONS + stamp(-1))) + entry(tcp(1001, ACKF, stamp(1)), SUMS | ACK | ECHO)
    + entry(tcp(1001, ACKF, stamp(2), window=0), SUMS | ACK | ECHO | WAIT) + entry(tcp(1001, ACKF, stamp(3)[:-1]), SUMS | ACK)
    + entry(tcp(1001, ACKF | FIN, stamp(3)), SUMS | ACK | ECHO | WAIT) + entry(tcp(1002, ACKF, stamp(4)), SUMS | ACK | ECHO)
    + entry(tcp(500, SYN, stamp(5))) + entry(tcp(501, ACKF, stamp(6)), SUMS | ACK | ECHO),
    "fragments": entry(udp(bytes(24), 0x2000)) + entry(ip(17, bytes(32), 0x2004)) + entry(ip(17, bytes(9), 8)),
    "icmp": entry(arp(2)) + entry(ip(1, bytes([8, 0, 0, 0, 1, 2, 3, 4]) + b"ping"))
    + entry(ip(1, bytes([3, 1, 0, 0, 0, 0, 0, 0]) + QUOTE)) + entry(ip(1, bytes([0, 0, 0, 0, 0, 0, 0, 1]))),
    "nd": entry(ip6(58, nd(135, OWN6, option=1), dst=NODE6)) + entry(ip6(17, udp6(b"question")))
    + entry(ip6(58, nd(136, PEER6, 0xE0, 2))) + entry(ip6(58, nd(135, MAYBE6), src=bytes(16), dst=NODE6))
    + entry(ip6(58, nd(136, MAYBE6, 0x20, 2), dst=ALL6)) + entry(ip6(58, nd(137, PEER6 + MAYBE6, option=2)), SUMS | WAIT)
    + entry(ip6(58, nd(134, b"", 0, 1, bytes([64, 0, 0, 30]) + bytes(8)), dst=ALL6)),
    "mld": entry(ip6(0, bytes([58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 3, 232, 0, 0]) + bytes(20), dst=ALL6, hops=1), SUMS | WAIT)
    + entry(ip6(0, bytes([58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 0, 9, 0, 0]) + NODE6, dst=ALL6, hops=1), SUMS | WAIT),
    "headers6": entry(ip6(0, bytes([60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0])
                         + bytes([17, 0, 0, 0, 0, 0, 0, 1]) + udp6(b"deep")))
    + entry(ip6(43, bytes([17, 2, 0, 1, 0, 0, 0, 0]) + MAYBE6 + udp6(b"source route")))
    + entry(ip6(60, bytes([17, 0, 0x85, 4, 0, 0, 0, 0]) + udp6(b"unknown option"))) + entry(ip6(59, b"")) + entry(ip6(99, b"x")),
    "fragments6": entry(frag6(17, 1, 0, 1, udp6(bytes(64))[:40])) + entry(frag6(17, 1, 40, 0, bytes(32)))
    + entry(frag6(17, 2, 64, 1, bytes(64))) + entry(frag6(17, 2, 0, 1, bytes(72)), SUMS | WAIT)
    + entry(frag6(17, 3, 0, 0, udp6(b"atomic"))) + entry(frag6(60, 4, 0, 1, bytes([44, 0, 1, 4, 0, 0, 0, 0])))
    + entry(frag6(60, 4, 8, 0, bytes(8))),
    "icmp6": entry(ip6(58, nd(135, OWN6, option=1), dst=NODE6))
    + entry(ip6(58, bytes([128, 0, 0, 0, 1, 2, 3, 4]) + b"ping", hops=64)) + entry(ip6(58, bytes([129, 0, 0, 0, 0, 0, 0, 1])))
    + entry(ip6(58, bytes([2, 0, 0, 0, 0, 0, 5, 0]) + ip6(6, bytes(20), OWN6, PEER6)[8:]))
    + entry(ip6(58, bytes([1, 4, 0, 0, 0, 0, 0, 0]) + ip6(17, udp6(b""), OWN6, PEER6)[8:])),
    "udp6": entry(ip6(17, udp6(b"datagram", 9))) + entry(ip6(17, udp6(b"", 7))) + entry(ip6(17, udp6(b"x")), 0),
    "udp": entry(udp(b"datagram")) + entry(udp(b"")),
}

OUT.mkdir(exist_ok=True)
for name, data in SEEDS.items():
    (OUT / name).write_bytes(data)
