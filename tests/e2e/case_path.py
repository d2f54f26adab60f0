# SPDX-License-Identifier: BSD-3-Clause
"""A path that takes less than the TAP: the far host is behind a link of 1400 bytes, and the kernel is the router."""
import socket

import wire
from case_tcp import tcp_lab, write_pattern
from lab import FAR, case, eq, sh

SIZE = 20 * 1000 * 1000


def narrow(lab):
    """The far host still says that it takes 1460 bytes, and answers with the hash of what it got."""
    lab.far()
    sh("ip", "link", "set", "far0", "mtu", "1400")
    lab.spawn("ip", "netns", "exec", "far", "socat", "-t", "60", f"TCP-LISTEN:7,bind={FAR},fork", "EXEC:sha256sum")
    wire.until(lambda: f"{FAR}:7" in sh("ip", "netns", "exec", "far", "ss", "-ltn").stdout)


def socket_of(lab, connection):
    local = f":{connection.local['port']}"
    return next(s for s in lab.status("sockets")["sockets"] if s["local"].endswith(local))


def send(lab, cap, size):
    """Sends so much; what status says of the connection when all of it was acknowledged."""
    with wire.connect(cap, f"{FAR}:7") as c:
        digest = write_pattern(c.data.sendall, size)
        said = wire.until(lambda: (s := socket_of(lab, c))["bytes_out"] == size and s, 60, 0.1)
        c.data.shutdown(socket.SHUT_WR)
        eq(c.data.recv(1000).decode().split()[0], digest)
    return said


@case
def the_router_says_so():
    """RFC 1191: nothing is fragmented, the router's word is taken, and the next connection knows it."""
    with tcp_lab() as lab:
        narrow(lab)
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap:
            s = send(lab, cap, SIZE)
            eq((s["mss"], s["path_mtu"], s["path_mtu_origin"], s["mtu"]), (1348, 1400, "icmp", 1500))
            s = send(lab, cap, SIZE)
            eq((s["mss"], s["path_mtu"], s["path_mtu_origin"]), (1348, 1400, "cache"))
        counters = lab.counters()
        eq((counters["stack.pmtu_reduced"], counters["stack.pmtu_black_holes"]), (1, 0))
        eq(int(sh("sh", "-c", "awk '/^Ip:/ {print $20}' /proc/net/snmp | tail -n1").stdout), 0, "fragments that the router made")


@case
def nobody_says_so():
    """The router's word is lost: smaller packets are tried, and get through."""
    with tcp_lab() as lab:
        narrow(lab)
        sh("nft", "add table ip t; add chain ip t o { type filter hook output priority 0; }; "
           "add rule ip t o icmp type destination-unreachable drop")
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap:
            s = send(lab, cap, SIZE)
            eq((s["mss"], s["path_mtu"], s["path_mtu_origin"]), (1188, 1240, "black-hole"))
            s = send(lab, cap, SIZE)
            eq((s["mss"], s["path_mtu_origin"]), (1188, "black-hole"), "what was only suspected is not remembered")
        counters = lab.counters()
        eq((counters["stack.pmtu_reduced"], counters["stack.pmtu_black_holes"]), (2, 2))


@case
def the_router_said_why():
    """RFC 1122 4.2.3.9: no ICMP error ends a connection, but it is the cause that is told when nothing more comes."""
    with tcp_lab() as lab:
        narrow(lab)
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, f"{FAR}:7") as c:
            sh("ip", "route", "add", "unreachable", FAR)
            c.control.call("SetOptions", {"options": {"user_timeout_ms": 3000}})
            c.data.sendall(b"hello")
            s = wire.until(lambda: (s := socket_of(lab, c)).get("icmp_error") and s)
            eq((s["state"], s["icmp_error"]), ("ESTAB", "host-unreachable"))
            eq(c.end(), "TIMED_OUT")
            eq(c.control.call("Status")[0]["error"]["message"], "host unreachable (ICMP), then timed out")
