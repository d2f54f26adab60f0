# SPDX-License-Identifier: BSD-3-Clause
"""From the start of a DHCP client to an address that can be used: capnetd beside dhcpcd and udhcpc, against the same dnsmasq,
which answers at once (--no-ping). Each client has a link of its own that is up before it starts: capnetd a TAP, the others a
veth. The others run at their best: without hook scripts, and dhcpcd without its random delay."""
import json
import os
import shutil
import subprocess
import time

import proc
from group import Figure, Group, NotMeasurable, at_most
from lab import Missing

WAIT_S = 30
PLAIN = ("conflict-detection = no", "rapid-commit = no")
RAPID = ("conflict-detection = no", "rapid-commit = yes")
PROBING = ("conflict-detection = yes", "rapid-commit = no")
FAST = ("conflict-detection = fast", "rapid-commit = no")


def waiter(lab, via, where, ns=None, daemon=None):
    """It waits for the address from now on."""
    return lab.start(lab.command("address", via, where, "-", limit_s=WAIT_S), ns=ns, ready=b"ready",
                     env=lab.environment(daemon))


def seen(lab, w, start, who):
    """Milliseconds from start until the waiter saw the address."""
    line = lab.line(w, WAIT_S)
    if not line:
        raise Missing(f"{who} had no address after {WAIT_S} s: {lab.log(who)}")
    return (json.loads(line)["at"] - start) * 1000


class Client:
    """Another client, in a namespace of mounts too: what it keeps stays in the Lab's directory."""
    program = ""

    def __init__(self, lab, name):
        if not shutil.which(self.program, path="/usr/sbin:/sbin:/usr/bin:/bin"):
            raise NotMeasurable(f"{self.program} is not installed (tools/setup bench)")
        self.lab, self.name = lab, name
        self.dir = os.path.join(lab.dir, name)
        os.makedirs(os.path.join(self.dir, "kept"), exist_ok=True)
        self.dev, net = lab.next_net()
        lab.veth(lab.far, self.dev, lab.near, self.dev)
        lab.up(lab.far, self.dev, f"{net}.1/24")
        lab.up(lab.near, self.dev)
        self.inside = self.namespace()
        time.sleep(0.5)  # the server has noticed the link, and the link itself is settled

    def namespace(self):
        script = (f"mount --bind {self.dir}/kept {self.keeps} && mount -t tmpfs tmpfs /run && mkdir /run/{self.program} && "
                  "echo ready && exec sleep infinity")
        holder = self.lab.start(["unshare", "--mount", "--propagation", "private", "sh", "-c", script], ns=self.lab.near,
                                ready=b"ready")
        return ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", f"--net=/proc/{holder.pid}/ns/net"]

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def forget(self):
        for name in os.listdir(os.path.join(self.dir, "kept")):
            os.unlink(os.path.join(self.dir, "kept", name))

    def acquire(self, fresh=True):
        if fresh:
            self.forget()
        self.lab.sh("ip", "address", "flush", "dev", self.dev, ns=self.lab.near)
        w = waiter(self.lab, "kernel", self.dev, ns=self.lab.near)
        start = time.monotonic()
        p = self.lab.start([*self.inside, *self.command()])
        try:
            return {"ms": seen(self.lab, w, start, "nsenter")}
        finally:
            self.end(p)

    def end(self, p):
        self.lab.wait_for(lambda: p.poll() is not None, WAIT_S, f"{self.program} to end")


class Dhcpcd(Client):
    program, keeps = "dhcpcd", "/var/lib/dhcpcd"

    def __init__(self, lab, name, *lines):
        super().__init__(lab, name)
        options = ("nodelay", "noipv4ll", "option domain_name_servers, domain_name, domain_search, interface_mtu",
                   "option classless_static_routes", "require dhcp_server_identifier", *lines)
        self.conf = self.file("conf", "\n".join([*options, ""]))

    def command(self):
        return ["dhcpcd", "-4", "-1", "-B", "-f", self.conf, "--script", "/bin/true", self.dev]


class Udhcpc(Client):
    program, keeps = "udhcpc", "/mnt"

    def __init__(self, lab, name, *options):
        super().__init__(lab, name)
        self.options = options
        self.script = self.file("script", '#!/bin/sh\n[ "$1" != bound ] || exec ip address add "$ip/$mask" dev "$interface"\n',
                                0o755)

    def command(self):
        return ["udhcpc", "-f", "-q", "-n", "-i", self.dev, "-s", self.script, *self.options]


class Capnetd:
    name = "capnet"

    def __init__(self, daemon):
        self.lab, self.daemon = daemon.lab, daemon

    def acquire(self, fresh=True):
        self.daemon.prepare(fresh)
        w = waiter(self.lab, "capnet", "-", daemon=self.daemon)
        start = time.monotonic()
        self.daemon.launch()
        ms = seen(self.lab, w, start, "capnetd")
        return {"ms": ms, "kb": proc.resident(self.daemon.pid)}


class Lease(Group):
    """lines: of capnetd's configuration; those that it does not know are left out if they say no. other: a class and
    what it is told. again: with what a first, uncounted time left."""
    fixed_reference = True

    def __init__(self, name, lines, other, *told, again=False, goal=at_most(1), more=()):
        super().__init__(Figure(name, "ms", "ms", goal), *more)
        self.role, self.lines, self.other, self.told, self.again = name, lines, other, told, again

    def sides(self, ctx, stack):
        ctx.lab.dnsmasq()
        reference = self.reference(ctx.lab)
        mine = self.mine(ctx, stack)
        for side in (mine, reference) if self.again else ():
            if side:
                side.acquire()
        return mine, reference

    def reference(self, lab):
        """None where it is not installed, but for figures that are nothing without it."""
        try:
            return self.other(lab, f"{self.other.program}-{self.role}", *self.told)
        except NotMeasurable:
            if self.figures[1:]:
                return None
            raise

    def mine(self, ctx, stack):
        if ctx.args.references_only:
            return None
        daemon = ctx.lab.daemon(self.role, mode="dhcp", start=False)
        stack.callback(daemon.stop)
        daemon.configure()
        lines = [x for x in self.lines if daemon.check(x)]
        missing = [x for x in self.lines if x not in lines and not x.endswith("no")]
        if missing:
            raise NotMeasurable(f"the daemon does not know {missing[0]!r}")
        daemon.lines = lines
        return Capnetd(daemon)

    def measure(self, ctx, side, n):
        return side.acquire(fresh=not self.again)


def groups():
    yield Lease("start_to_lease", PLAIN, Dhcpcd, "noarp", more=(Figure("idle_rss", "kB", "kb"),))
    yield Lease("start_to_lease_udhcpc", PLAIN, Udhcpc)
    yield Lease("start_to_lease_rapid", RAPID, Dhcpcd, "noarp", "option rapid_commit")
    yield Lease("start_to_lease_again", PLAIN, Dhcpcd, "noarp", again=True)
    yield Lease("start_to_lease_probed", PROBING, Dhcpcd)
    yield Lease("start_to_lease_probed_again", PROBING, Dhcpcd, again=True)
    yield Lease("start_to_lease_fast", FAST, Dhcpcd)
