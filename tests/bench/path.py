# SPDX-License-Identifier: BSD-3-Clause
"""A slow path: daemon and kernel on one bridge, behind it two TAPs with bench-link between them, then the far end.

    capnetd's TAP ─┐
                   ├ bridge ─ TAP ═ bench-link ═ TAP ─ far end     (namespaces: "link" up to bench-link, "end" behind it)
    kernel's veth ─┘
"""
import json

from daemon import Daemon
from lab import NET, PORT, Missing

PATH_NET = f"{NET}.3"
BUFFER = 6 << 20  # bytes, what the daemon's connections grow to (STACK_SNDBUF_MAX, socket.rcvbuf) and the kernel's beside it
# delay one way in us, bit/s, frames in the queue, loss in ppm
PATHS = {"100mbit_20ms": (10000, 100_000_000, 340, 0), "20ms_0.1": (10000, 0, 0, 1000), "20ms_1": (10000, 0, 0, 10000),
         "100ms_0": (50000, 0, 0, 0), "100ms_0.1": (50000, 0, 0, 1000)}


class Path:
    def __init__(self, lab):
        self.lab = lab
        self.link, self.end, self.near = (f"cnb-{x}-{lab.pid}" for x in ("link", "end", "pnear"))
        self.daemons, self.shuttle = {}, None

    def build(self):
        lab = self.lab
        for ns in (self.link, self.end, self.near):
            lab.namespace(ns)
            lab.sh("sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1", ns=ns)  # no round learns from the one before
        lab.sh("sysctl", "-qw", f"net.ipv4.tcp_wmem=4096 16384 {BUFFER}", f"net.ipv4.tcp_rmem=4096 131072 {BUFFER}",
               ns=self.near)
        self.bridge()

    def bridge(self):
        lab, link = self.lab, self.link
        lab.sh("ip", "link", "add", "name", "bridge", "type", "bridge", "stp_state", "0", "mcast_snooping", "0", ns=link)
        lab.up(link, "bridge")
        for tap in ("la", "lb"):
            lab.sh("ip", "tuntap", "add", tap, "mode", "tap", ns=link)
        self.shuttle = lab.start([lab.program("tests/bench/bench-link"), "la", "lb"], ns=link, ready=b"ready")
        lab.sh("ip", "link", "set", "lb", "netns", self.end, ns=link)
        lab.up(self.end, "lb", f"{PATH_NET}.1/24")
        lab.veth(link, "vlink", self.near, "vnear")
        lab.up(self.near, "vnear", f"{PATH_NET}.3/24")
        for port in ("la", "vlink"):
            self.plug(port)
        lab.start([lab.program("tests/bench/bench-peer"), "0.0.0.0", PORT], ns=self.end, ready=b"ready")

    def plug(self, dev):
        self.lab.sh("ip", "link", "set", dev, "master", "bridge", ns=self.link)
        self.lab.up(self.link, dev)

    def daemon(self, build="own"):
        d = self.daemons.get(build)
        if d is None:
            tap = f"cp{len(self.daemons)}"
            self.lab.sh("ip", "tuntap", "add", tap, "mode", "tap", ns=self.link)
            self.plug(tap)
            d = Daemon(self.lab, f"path-{build}", self.lab.builds[build], tap, PATH_NET, ns=self.link,
                       host=10 + len(self.daemons))
            self.daemons[build] = d
            self.lab.stack.callback(d.stop)
        if not d.alive():
            d.start()
        return d

    def shape(self, direction="a", seed=1, delay_us=0, rate=0, queue=0, loss=0, duplicate=0, reorder=0, late_us=2000):
        """What bench_link.c says of its lines; the answer is what happened on the path before."""
        line = f"{direction} {seed} {delay_us} {rate} {queue} {loss} {duplicate} {reorder} {late_us}\n"
        if self.shuttle is None:
            raise Missing("there is no path: see above")
        self.shuttle.stdin.write(line.encode())
        self.shuttle.stdin.flush()
        answer = self.lab.line(self.shuttle, 5)
        if not answer:
            raise Missing(f"bench-link is silent: {self.lab.log('bench-link')}")
        return json.loads(answer)
