# SPDX-License-Identifier: BSD-3-Clause
"""One capnetd in the Lab: its configuration, its life, what it says of itself, listeners of its grant."""
import contextlib
import json
import os
import shutil
import subprocess
import time

LIMIT = 60000  # connections, and whatever comes with one
LISTEN = "7078-7081"


class Daemon:
    """mode: static, static6, dhcp, or slirp (then tap names nothing)."""

    def __init__(self, lab, role, build, tap, net, mode="static", prefix=(), ns=None, host=2,
                 lines=()):
        self.lab, self.build, self.tap, self.net, self.mode, self.prefix = lab, build, tap, net, mode, prefix
        self.ns, self.host, self.lines = ns or lab.far, host, lines
        self.dir = os.path.join(lab.dir, role)
        self.grants = os.path.join(self.dir, "run", "grants")
        self.subnet = lab.net6(net) if mode == "static6" else f"{net}."
        self.far, self.address, self.process = f"{self.subnet}1", None, None
        self.stack = contextlib.ExitStack()
        os.makedirs(os.path.join(self.dir, "grants.d"), exist_ok=True)

    def configure(self):
        """Rights for what the figures and the load do, no more."""
        lines = {"static": f"device = tap\nifname = {self.tap}\nmode = static\naddress = {self.net}.{self.host}/24\n"
                           "conflict-detection = no\nipv6 = off\n",
                 "static6": f"device = tap\nifname = {self.tap}\nmode = none\nipv6 = static\n"
                            f"ipv6-address = {self.subnet}{self.host}/64\n",
                 "dhcp": "\n".join([f"device = tap\nifname = {self.tap}\nmode = dhcp\nipv6 = off", *self.lines, ""]),
                 "slirp": "device = slirp\nhost-loopback = yes\nforward = tcp:127.0.0.1:7079-7078\n"}[self.mode]
        allow = f"[{self.subnet}/64]" if self.mode == "static6" else f"{self.net}.0/24"
        resolver = "" if self.mode in ("slirp", "static6") else f"[resolver]\nservers = {self.net}.1\n"
        with open(os.path.join(self.dir, "capnetd.conf"), "w", encoding="ascii") as f:
            f.write(f"[interface bench]\n{lines}\n{resolver}\n[limits]\nuid.sockets = {LIMIT}\nuid.endpoints = {LIMIT}\n"
                    f"uid.children = {LIMIT}\nuid.bytes = 256M\n")
        with open(os.path.join(self.dir, "grants.d", "bench.grant"), "w", encoding="ascii") as f:
            f.write(f"[grant]\ndescription = tools/bench\nusers = root\nlimit.sockets = {LIMIT}\n"
                    f"limit.children = {LIMIT}\nlimit.endpoints = {LIMIT}\n\n"
                    f"[connect]\nallow = {allow}:*\n\n[listen]\nallow = interface-address:{LISTEN}\n\n"
                    f"[ping]\nallow = {allow.replace('[', '').replace(']', '')}\n\n[dns]\nallow = bench.test\n\n[status]\nallow = all\n")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def check(self, line):
        """Whether this capnetd takes this line in its section of the interface."""
        with open(os.path.join(self.dir, "check.conf"), "w", encoding="ascii") as f:
            f.write(f"[interface bench]\nmode = dhcp\n{line}\n")
        command = [self.lab.program("capnetd", self.build), "--check-config", "--config", f.name, "--grants",
                   f"{self.dir}/grants.d"]
        return subprocess.run(command, env=self.lab.environment(self), capture_output=True, check=False).returncode == 0

    def prepare(self, fresh=False):
        """Everything but the start. fresh: with nothing kept of earlier leases."""
        self.stop()
        self.configure()
        state = os.path.join(self.dir, "state")
        if fresh:
            shutil.rmtree(state, ignore_errors=True)
        for d in (state, os.path.join(self.dir, "run")):
            os.makedirs(d, exist_ok=True)

    def launch(self):
        self.process = self.lab.start(
            [*self.prefix, self.lab.program("capnetd", self.build), "--config", f"{self.dir}/capnetd.conf", "--grants",
             f"{self.dir}/grants.d", "--runtime-dir", f"{self.dir}/run", "--state-dir", f"{self.dir}/state", "--log-target",
             "stderr"], ns=self.ns, stack=self.stack, env=self.lab.environment(self))

    def start(self, fresh=False):
        """Waits until it has its address; the seconds that took."""
        self.prepare(fresh)
        start = time.monotonic()
        self.launch()
        self.wait_ready()
        return time.monotonic() - start

    def wait_ready(self):
        from lab import Missing

        def ready():
            if not self.alive():
                log = self.lab.log(self.prefix[0] if self.prefix else "capnetd")
                raise Missing(f"capnetd ended: {log}")
            addresses = [a["address"] for i in self.status("interfaces") or () for a in i["addresses"]
                         if a.get("state", "preferred") == "preferred" and a["origin"] != "link-local"]
            self.address = addresses[0].split("/")[0] if addresses else None
            return bool(addresses)

        self.lab.wait_for(ready, 60, "capnetd to have its address", step=0.002)

    def stop(self):
        self.stack.close()
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def status(self, section):
        command = [self.lab.program("capnet-status", self.build), "--grant", "bench", "--json", section]
        p = subprocess.run(command, env=self.lab.environment(self), capture_output=True, text=True, check=False, timeout=20)
        return json.loads(p.stdout).get(section) if p.stdout else None

    def counters(self):
        return {c["name"]: c["value"] for c in self.status("daemon")["counters"]}

    def mtu(self):
        return next(i["mtu"] for i in self.status("interfaces"))

    def serve(self, stack, form):
        """The peer's program behind a granted listener; the port. An accept channel, but for real sockets a listening one."""
        from lab import SERVED_BY
        self.lab.start([self.lab.program("tests/bench/bench-peer"), "capnet-socket" if form == "socket" else "capnet",
                        SERVED_BY[form]], ready=b"ready", stack=stack, env=self.lab.environment(self, form))
        return SERVED_BY[form]
