#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of tests/fuzz/corpus/frame/: one frame of each kind, with bodies of several shapes."""
import os


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def num(field, n):
    return varint(field << 3) + varint(n)


def text(field, value):
    value = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def frame(kind, call=None, method=None, deadline=None, more=None, body=None, error=None):
    out = num(1, kind)
    out += num(2, call) if call is not None else b""
    out += num(3, method) if method is not None else b""
    out += num(4, deadline) if deadline is not None else b""
    out += num(5, more) if more is not None else b""
    out += text(6, body) if body is not None else b""
    out += text(7, error) if error is not None else b""
    return out


REQUEST, REPLY, ERROR, CANCEL, TERMINAL = range(1, 6)
endpoint = text(1, "10.0.2.15") + num(2, 443)
slot = lambda n: num(1, n)
limit = text(1, "ping.count") + num(2, 10) + num(3, 0) + num(4, 2**64 - 1) + text(5, "")
address = text(1, "10.0.2.15") + num(2, 24) + text(3, "dhcp") + num(4, 86400)
interface = text(1, "net0") + text(3, "tap") + num(4, 1) + text(5, "02:00:00:00:00:01") + num(6, 1500) + 2 * text(8, address)
seeds = {
    "request-ping": frame(REQUEST, 1, 16, 5000, body=text(1, "10.0.2.2") + num(2, 3) + num(3, 1000) + num(6, 64)),
    "request-describe": frame(REQUEST, 2**64 - 1, 0, body=b""),
    "request-attenuate": frame(REQUEST, 3, 1, body=2 * text(1, "10.0.0.0/8:80-443") + text(2, limit) + num(3, 9) + text(4, "x")),
    "request-connect": frame(REQUEST, 4, 16, body=text(1, endpoint) + text(2, endpoint) + text(3, num(1, 60) + num(6, 1))),
    "request-connect-form": frame(REQUEST, 4, 16, body=text(1, endpoint) + num(4, 1)),
    "request-listen-socket": frame(REQUEST, 4, 16, body=text(1, "*") + num(2, 80) + num(3, 4) + num(4, 1) + num(5, 9)),
    "reply-listen-socket": frame(REPLY, 4, body=text(1, slot(0)) + text(2, endpoint) + num(3, 7) + text(4, slot(1))),
    "request-resolve": frame(REQUEST, 5, 16, body=text(1, "www.example.test.") + num(2, 1) + num(2, 28) + num(4, 1)),
    "reply-connection": frame(REPLY, 4, body=text(1, slot(0)) + text(2, slot(1)) + text(3, endpoint) + text(4, endpoint)),
    "reply-status": frame(REPLY, 6, more=1, body=3 * text(1, interface) + text(4, num(3, 0)) + text(8, num(2, 7))),
    "reply-answers": frame(REPLY, 5, body=text(1, "a") + text(2, "b") + 2 * text(3, num(1, 28) + text(2, text(1, "::1")))),
    "error": frame(ERROR, 7, error=num(1, 3) + text(2, "denied by grant web") + text(3, "web") + text(4, "connect")),
    "cancel": frame(CANCEL, 8),
    "terminal": frame(TERMINAL, error=num(1, 4) + text(2, "revoked")),
    "unknown-fields": frame(REQUEST, 9, 16) + varint(99 << 3 | 1) + 8 * b"\xff" + varint(98 << 3 | 5) + 4 * b"\x00" + text(97, "?"),
    "error-twice": frame(ERROR, 10, error=num(1, 3)) + text(7, text(2, "merged")) + text(6, "body") + text(6, "again"),
}
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "frame")
os.makedirs(here, exist_ok=True)
for name, data in seeds.items():
    with open(os.path.join(here, name), "wb") as out:
        out.write(data)
