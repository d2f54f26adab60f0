# SPDX-License-Identifier: BSD-3-Clause
"""One case's world: a daemon on a TAP device, the kernel at the TAP's other end as its peer, servers, a far network.
tests/e2e/run starts each case in network, mount and PID namespaces of its own, with a fresh /run: whatever a case
leaves behind goes with them.

    10.99.0.0/24   cap0: 10.99.0.1 is the kernel (and dnsmasq, and the gateway), 10.99.0.2 the daemon when static
    10.98.0.0/24   far0: 10.98.0.2 lives in the namespace "far", behind the gateway
"""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import wire

TOP = wire.TOP
BUILD = os.environ.get("top_builddir", os.path.join(TOP, "build"))
WORK = "/run/e2e"
GATEWAY, STATIC, FAR = "10.99.0.1", "10.99.0.2", "10.98.0.2"
CASES = []
SOCKETS = os.environ.get("E2E_SOCKETS", "auto")  # the daemon's sockets =


class Skip(Exception):
    """The case cannot be done here; the text says why."""


def case(function=None, *, root=True, seconds=60, waits=False, alone=False):
    """Marks a case. root: it needs namespaces. seconds: the runner ends it after that long, as failed. waits: for real
    seconds to pass, mostly; the runner lets more of these run beside each other. alone: no other case runs meanwhile."""
    def add(f):
        f.root, f.seconds, f.waits, f.alone = root, seconds, waits, alone
        CASES.append(f)
        return f
    return add(function) if function else add


def sh(*command, check=True, **kw):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **kw)
    if check and p.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p


def eq(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def has(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in: {text}")


def refused(code, function, *args, **kw):
    """function must fail with this code; the error."""
    try:
        value = function(*args, **kw)
    except wire.Refused as e:
        if e.code != code:
            raise AssertionError(f"refused with {e}, want {code}") from e
        if not e.message:
            raise AssertionError(f"{code} without a sentence") from e
        return e
    raise AssertionError(f"not refused ({code}) but {value!r}")


def program(name):
    """The built program; sbin and bin alike."""
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Skip(f"{name} is not built in {BUILD}")
    return path


class Lab:
    """Use it in a `with`: leaving it stops the daemon, which must end with 0 and without a sanitizer's report."""

    def __init__(self, mode="static", *, user=None, device="tap", extra="", resolver="", daemon_limits="",
                 more=""):
        self.dir = os.path.join(WORK, "lab")
        self.grants_dir, self.runtime = f"{self.dir}/grants.d", f"{self.dir}/run"
        os.makedirs(self.grants_dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.mode, self.user, self.device, self.extra = mode, user, device, extra
        self.resolver, self.daemon_limits, self.more = resolver, daemon_limits, more
        self.daemon, self.children, self.log_path = None, [], f"{self.dir}/log"
        self.near = "cap0"  # where the kernel has its address on the daemon's link

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if self.daemon:
                self.stop(check=kind is None)
        finally:
            for p in self.children:
                if p.poll() is None:
                    p.kill()
                    p.wait()
            if kind is not None and os.path.exists(self.log_path):
                with open(self.log_path, encoding="utf-8", errors="replace") as f:
                    polling = ("Grant.Open: ok", "Grant.Take: ok", "take grant=status", "NetworkStatus.Get: ok")
                    lines = [line for line in f if not any(p in line for p in polling)]
                    print("--- the daemon's log, its end\n" + "".join(lines[-60:]), end="")

    # --- the network

    def tap(self, user=None):
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "tuntap", "add", "dev", "cap0", "mode", "tap", *(["user", user] if user else []))
        sh("sysctl", "-qw", "net.ipv6.conf.cap0.disable_ipv6=1", "net.ipv4.ip_forward=1")
        sh("ip", "address", "add", GATEWAY + "/24", "dev", "cap0")
        sh("ip", "link", "set", "cap0", "up")

    def far(self):
        """A host behind the gateway."""
        sh("ip", "netns", "add", "far")
        sh("ip", "link", "add", "far0", "type", "veth", "peer", "name", "eth0", "netns", "far")
        sh("ip", "address", "add", "10.98.0.1/24", "dev", "far0")
        sh("ip", "link", "set", "far0", "up")
        for line in ("address add 10.98.0.2/24 dev eth0", "link set eth0 up", "link set lo up",
                     "route add default via 10.98.0.1"):
            sh("ip", "-n", "far", *line.split())

    def spawn(self, *command, log=None, **kw):
        out = open(f"{self.dir}/{log}", "wb") if log else subprocess.DEVNULL
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **kw)
        self.children.append(p)
        return p

    def dnsmasq(self, *options, lease_s=120):
        p = self.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--group=root",
                       f"--interface={self.near}", "--except-interface=lo", "--bind-interfaces", "--no-resolv", "--no-hosts",
                       "--no-ping", "--pid-file=", f"--dhcp-leasefile={self.dir}/leases", "--dhcp-authoritative",
                       f"--dhcp-range=10.99.0.100,10.99.0.150,255.255.255.0,{lease_s}", "--domain=lab.test",
                       "--dhcp-option=option:domain-search,lab.test,example.test", "--log-dhcp", "--log-queries",
                       "--log-facility=-", "--host-record=web.lab.test,10.98.0.2,fd98::2",
                       "--host-record=gw.lab.test,10.99.0.1", "--cname=alias.lab.test,web.lab.test",
                       "--local=/lab.test/", *options, log="dnsmasq.log")
        wire.until(lambda: p.poll() is not None or "started" in self.read("dnsmasq.log"))
        assert p.poll() is None, self.read("dnsmasq.log")
        return p

    def read(self, name):
        with open(f"{self.dir}/{name}", encoding="utf-8", errors="replace") as f:
            return f.read()

    # --- the daemon

    def grant(self, name, *sections, users="root", groups=None):
        """Writes a grant: sections are ("ping", "allow = …", …)."""
        text = f"[grant]\ndescription = for a test\nusers = {users}\n" + (f"groups = {groups}\n" if groups else "")
        for section, *lines in sections:
            text += f"\n[{section}]\n" + "\n".join(lines) + "\n"
        with open(f"{self.grants_dir}/{name}.grant", "w", encoding="utf-8") as f:
            f.write(text)

    def write_config(self):
        text = f"[daemon]\nsockets = {SOCKETS}\n" + (f"user = {self.user}\n" if self.user else "") + f"\n[interface net0]\ndevice = {self.device}\n"
        if self.device == "tap":
            text += "ifname = cap0\n"
        text += (f"mode = {self.mode}\n" if self.mode else "") + f"{self.extra}\n"
        if self.mode == "static":
            text += f"address = {STATIC}/24\ngateway = {GATEWAY}\n"
            # Nobody else is there, and what is not about conflicts need not wait for the probes.
            if "conflict-detection" not in self.extra:
                text += "conflict-detection = no\n"
        if "ipv6" not in self.extra:  # case_v6 and case_lease6 are about it, others count their frames
            text += "ipv6 = off\n"
        if self.resolver:
            text += f"\n[resolver]\n{self.resolver}\n"
        if self.daemon_limits:
            text += f"\n[limits]\n{self.daemon_limits}\n"
        text += f"\n{self.more}\n"
        with open(f"{self.dir}/capnetd.conf", "w", encoding="utf-8") as f:
            f.write(text)

    def command(self):
        return [program("capnetd"), "--config", f"{self.dir}/capnetd.conf", "--grants", self.grants_dir,
                "--runtime-dir", self.runtime, "--state-dir", f"{self.dir}/state", "--log-target", "stderr",
                "--log-level", "debug"]

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if k not in ("CAPNET_FDS", "CAPNET_GRANT", "LISTEN_FDS")}
        # The daemon cannot be traced, by itself neither, so LeakSanitizer cannot look; counts of objects stand in.
        env["ASAN_OPTIONS"] = f"detect_leaks=0:log_path={self.dir}/sanitizer"
        env["UBSAN_OPTIONS"] = f"print_stacktrace=1:log_path={self.dir}/sanitizer"
        env["CAPNET_GRANTS_DIR"] = f"{self.runtime}/grants"
        env.update(more)
        return env

    def start(self, *, wrap=(), preexec=None, ready=True, env=None):
        """Starts the daemon and waits until it says READY=1."""
        self.write_config()
        path = f"{self.dir}/notify"
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            os.chmod(path, 0o666)
            notify.settimeout(0.1)
            with open(self.log_path, "ab") as log:
                self.daemon = subprocess.Popen([*wrap, *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                               env=self.environment(NOTIFY_SOCKET=path, **(env or {})),
                                               preexec_fn=preexec)
            end = time.monotonic() + 20
            while ready:
                try:
                    if "READY=1" in notify.recv(4096).decode().split("\n"):
                        return self
                except TimeoutError:
                    pass
                if self.daemon.poll() is not None or time.monotonic() > end:
                    code, self.daemon = self.daemon.poll(), None
                    raise AssertionError(f"the daemon is not ready (exit {code}):\n" + self.read("log"))
        return self

    def stop(self, check=True):
        p, self.daemon = self.daemon, None
        early = p.poll()
        if early is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
                if check:
                    raise AssertionError("the daemon did not end at SIGTERM") from None
        reports = [n for n in os.listdir(self.dir) if n.startswith("sanitizer")]
        for n in reports:
            print(self.read(n))
        if check:
            eq(early, None, "the daemon ended by itself; its exit code")
            eq(p.returncode, 0, "the daemon's exit code")
            eq(reports, [], "sanitizer reports")

    def alive(self):
        return self.daemon.poll() is None

    def path(self, grant):
        return f"{self.runtime}/grants/{grant}.sock"

    def take(self, grant, kind, name=None):
        with wire.open_grant(self.path(grant)) as g:
            return wire.take(g, kind, name)

    def client(self, name, *args, uid=None, timeout=30, env=None, **kw):
        """Runs a client; the CompletedProcess."""
        wrap = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid is not None else []
        return subprocess.run([*wrap, program(name), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, env=self.environment(**(env or {})), check=False, **kw)

    # --- what status says

    def status(self, *sections, grant="status"):
        p = self.client("capnet-status", "--json", "--grant", grant, *sections)
        eq(p.returncode, 0, f"capnet-status {sections}: {p.stderr}")
        return json.loads(p.stdout)

    def page(self, *sections, grant="status"):
        """The same over the bare protocol, all pages of it in one."""
        result = {}
        with self.take(grant, "status") as cap:
            for page, _ in cap.stream("Get", {"sections": sections}):
                for key, value in page.items():
                    if isinstance(value, list):
                        result.setdefault(key, []).extend(value)
                    else:
                        result[key] = value
        return result

    def counters(self):
        daemon = self.page("daemon")["daemon"]
        result = {c["name"]: c.get("value", 0) for c in daemon.get("counters", [])}
        for key in ("endpoints", "calls_parked", "descriptors"):
            result[key] = daemon.get(key, 0)
        return result

    LIVE = ("endpoints", "calls_parked", "descriptors", "cap.live", "flow.live", "flow.listeners", "flow.attempts",
            "names.in_flight")

    def live(self):
        """The daemon's own count of its descriptors is taken inside the call; one from outside would race with the end
        of this very client."""
        counters = self.counters()
        counters["descriptors"] -= counters["seal.store"]  # fresh sockets, kept for the next connections
        return {k: counters[k] for k in self.LIVE}

    def settles(self, before, seconds=20):
        """Objects and descriptors are back to where they were."""
        last = {}

        def back():
            last.update(self.live())
            return last == before
        try:
            wire.until(back, seconds, 0.1)
        except AssertionError:
            diff = {k: (before[k], v) for k, v in last.items() if v != before[k]}
            raise AssertionError(f"not back to where it was (before, now): {diff}") from None

    def lease(self, seconds=20):
        return wire.until(lambda: next((x for x in self.status("leases")["leases"] if x["state"] == "bound"), None),
                          seconds, 0.1)


class Server(threading.Thread):
    """A TCP server of the kernel: handler(connection) for each connection, in a thread of its own."""

    def __init__(self, handler, address=GATEWAY, port=0, backlog=64):
        super().__init__(daemon=True)
        v6 = ":" in address
        self.sock = socket.create_server((address, port), backlog=backlog,
                                         family=socket.AF_INET6 if v6 else socket.AF_INET)
        self.port, self.handler, self.failed = self.sock.getsockname()[1], handler, []
        self.address = f"[{address}]:{self.port}" if v6 else f"{address}:{self.port}"
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def one(self, connection):
        with connection:
            try:
                self.handler(connection)
            except Exception as e:  # told by the case that looks
                self.failed.append(e)

    def run(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()


class Capture:
    """tcpdump on the kernel's side of the TAP: an oracle of what went over the wire."""

    def __init__(self, lab, what="", interface="cap0"):
        self.file = f"{lab.dir}/capture.pcap"
        self.p = lab.spawn("tcpdump", "-i", interface, "-U", "--immediate-mode", "-n", "-w", self.file, "-Z", "root",
                           *what.split(), log="tcpdump.log")
        wire.until(lambda: "listening on" in lab.read("tcpdump.log"))

    def stop(self):
        """Its frames, one line each. A frame that was sent before is in it: tcpdump reads on until it is told."""
        time.sleep(0.2)
        self.p.send_signal(signal.SIGINT)
        self.p.wait(10)
        return sh("tcpdump", "-n", "-e", "-r", self.file).stdout.splitlines()
