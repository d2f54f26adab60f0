# SPDX-License-Identifier: BSD-3-Clause
"""Where tools/bench measures: network namespaces. "far" has the peers, the TAPs that daemons drive, and one end of a veth;
"near" has the other end, where the kernel's own TCP runs as the reference. Leaving the Lab's ExitStack takes everything
down, whatever happened. daemon.py starts daemons in it, path.py puts a slow path between the two."""
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time

from daemon import Daemon

NET, VETH, EMBEDDED = "10.77", "10.77.2", "10.0.2"
PORT, FORWARDED, NAME = "7077", "7079", "host.bench.test"
SERVED_BY = {"auto": "7078", "pair": "7080", "socket": "7081"}  # the port of the granted listener, by form
FIRST_NET = 10  # of the daemons' networks
RUN_S = 60  # of one measurement, unless it says otherwise


class Missing(Exception):
    """Something that should be there is not: the message says what."""


class Lab:
    def __init__(self, build, stack, daemon_build=None):
        self.build, self.stack, self.pid = build, stack, os.getpid()
        self.builds = {"own": daemon_build or build}
        self.far, self.near = f"cnb-far-{self.pid}", f"cnb-near-{self.pid}"
        self.dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="capnet-bench-"))
        self.subnets, self.peer, self.names, self.daemons = FIRST_NET, None, None, {}

    # --- processes

    def sh(self, *command, ns=None):
        p = subprocess.run(self.inside(ns, command), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if p.returncode:
            raise Missing(f"{' '.join(command)}: {p.stderr.strip()}")

    @staticmethod
    def inside(ns, command):
        return ["ip", "netns", "exec", ns, *command] if ns else list(command)

    def start(self, command, ns=None, ready=None, stack=None, env=None, wait_s=RUN_S):
        log = open(os.path.join(self.dir, os.path.basename(command[0]) + ".log"), "ab")
        p = subprocess.Popen(self.inside(ns, command), stdin=subprocess.PIPE, env=env or self.environment(), stderr=log,
                             stdout=subprocess.PIPE if ready else subprocess.DEVNULL)
        log.close()
        (stack or self.stack).callback(self.stop, p)
        if ready and self.line(p, wait_s) != ready:
            raise Missing(f"{os.path.basename(command[0])} did not start: {self.log(command[0])}")
        return p

    @staticmethod
    def line(p, wait_s):
        """The next line of what it says, None when none comes in this time."""
        readable, _, _ = select.select([p.stdout], [], [], wait_s)
        return p.stdout.readline().strip() if readable else None

    @staticmethod
    def stop(p):
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        for f in (p.stdin, p.stdout):
            if f:
                with contextlib.suppress(OSError):
                    f.close()

    def log(self, program):
        with contextlib.suppress(OSError), open(os.path.join(self.dir, os.path.basename(program) + ".log"),
                                                encoding="utf-8", errors="replace") as f:
            return f.read()[-500:].strip()
        return ""

    def program(self, name, build=None):
        path = os.path.join(build or self.build, name)
        inner = os.path.join(os.path.dirname(path), ".libs", os.path.basename(path))  # without libtool's script
        path = inner if os.access(inner, os.X_OK) else path
        if not os.access(path, os.X_OK):
            raise Missing(f"{path} is not built")
        return path

    @staticmethod
    def wait_for(done, seconds, what, step=0.02):
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise Missing(f"waited {seconds} s for {what}")
            time.sleep(step)

    # --- networks

    def namespace(self, name):
        self.sh("ip", "netns", "add", name)
        self.stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=False)
        # The kernel's router solicitations would wake a daemon that is watched for being idle.
        self.sh("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                "net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=10000 65000", ns=name)
        self.sh("ip", "link", "set", "lo", "up", ns=name)

    def up(self, ns, dev, address=None, mtu=1500):
        if address:
            self.sh("ip", "address", "add", address, "dev", dev, ns=ns)
        self.sh("ip", "link", "set", dev, "mtu", str(mtu), "up", ns=ns)

    def veth(self, a, dev_a, b, dev_b):
        self.sh("ip", "link", "add", dev_a, "netns", a, "type", "veth", "peer", "name", dev_b, "netns", b)

    def namespaces(self):
        for ns in (self.far, self.near):
            self.namespace(ns)
        self.veth(self.far, "vfar", self.near, "vnear")
        self.up(self.far, "vfar", f"{VETH}.2/24")
        self.up(self.near, "vnear", f"{VETH}.1/24")

    def jumbo(self, mtu=65520):
        """The same two ends again, with this MTU; the far end's address."""
        if "jumbo" not in self.builds:
            self.veth(self.far, "jfar", self.near, "jnear")
            self.up(self.far, "jfar", f"{NET}.4.2/24", mtu)
            self.up(self.near, "jnear", f"{NET}.4.1/24", mtu)
            self.builds["jumbo"] = None
        return f"{NET}.4.2"

    def ipv6(self, ns, dev, address):
        """This one device speaks it."""
        self.sh("sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=0", f"net.ipv6.conf.{dev}.accept_ra=0",
                f"net.ipv6.conf.{dev}.router_solicitations=0", ns=ns)
        self.sh("ip", "address", "add", f"{address}/64", "dev", dev, "nodad", ns=ns)

    def net6(self, net):
        """The prefix beside an IPv4 network of ours."""
        return f"fd77:{net.split('.')[2]}::"

    def peers6(self):
        """IPv6 over the veth, and somebody who listens there; the far end's address."""
        if "v6" not in self.builds:
            self.ipv6(self.far, "vfar", "fd77:2::2")
            self.ipv6(self.near, "vnear", "fd77:2::1")
            self.start([self.program("tests/bench/bench-peer"), "::", PORT], ns=self.far, ready=b"ready")
            self.builds["v6"] = None
        return "fd77:2::2"

    def next_net(self):
        """A name for a link at the far end, and the first three numbers of its network, whose .1 is the far end."""
        self.subnets += 1
        return f"cnb{self.subnets - 1}", f"{NET}.{self.subnets - 1}"

    def tap(self, mtu=1500):
        """A TAP for one daemon."""
        name, net = self.next_net()
        self.sh("ip", "tuntap", "add", name, "mode", "tap", ns=self.far)
        self.up(self.far, name, f"{net}.1/24", mtu)
        return name, net

    def serve_peer(self, port=PORT, stack=None):
        return self.start([self.program("tests/bench/bench-peer"), "0.0.0.0", port], ns=self.far, ready=b"ready", stack=stack)

    def peers(self):
        self.peer = self.serve_peer()

    def dnsmasq(self):
        """DHCP and DNS at the far end of every daemon's TAP, DNS over the veth too; started once."""
        if self.names:
            return
        ranges = [f"--dhcp-range={NET}.{i}.50,{NET}.{i}.99,255.255.255.0,1h" for i in range(FIRST_NET, FIRST_NET + 40)]
        self.names = self.start(["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-ping",
                                 "--dhcp-rapid-commit", "--user=root", "--interface=cnb*", "--interface=vfar", "--bind-dynamic", *ranges,
                                 f"--dhcp-leasefile={self.dir}/leases", f"--host-record={NAME},192.0.2.7",
                                 f"--pid-file={self.dir}/dnsmasq.pid"], ns=self.far)
        self.wait_for(lambda: self.try_run("lookups", "kernel", f"{VETH}.2", NAME, count=1), 10, "dnsmasq to answer")

    # --- measurements

    def environment(self, daemon=None, form="auto"):
        if daemon is None:
            return dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.build, ".libs"))
        return dict(os.environ, CAPNET_GRANTS_DIR=daemon.grants, BENCH_FORM=form,
                    LD_LIBRARY_PATH=os.path.join(daemon.build, ".libs"))

    def command(self, mode, via, where, port, count=None, streams=1, ms=None, size=None, cpu=None, limit_s=RUN_S):
        options = [("-n", streams), ("-t", ms), ("-b", size), ("-a", count), ("-c", cpu), ("-l", limit_s)]
        return [self.program("tests/bench/bench-run"), *(str(x) for o in options if o[1] is not None for x in o), mode, via,
                where, str(port)]

    def run(self, mode, via, where, port, ns=None, daemon=None, form="auto", limit_s=RUN_S, prefix=(), **load):
        """What bench-run says, as an object. ns: where the kernel's side runs, "near" unless told; capnet's side needs no
        network at all."""
        command = self.command(mode, via, where, port, limit_s=limit_s, **load)
        env = self.environment(daemon, form)
        ns = (ns or self.near) if via == "kernel" and not prefix else None
        p = subprocess.Popen([*prefix, *self.inside(ns, command)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, start_new_session=True)
        try:
            out, err = p.communicate(timeout=limit_s + 2)
        except subprocess.TimeoutExpired:
            out, err = "", ""
        finally:
            self.end_group(p)
        if p.returncode:
            late = p.returncode in (-signal.SIGALRM, -signal.SIGKILL)
            raise Missing(f"{mode} over {via}: " + (f"not done after {limit_s} s" if late else (err or "failed").strip()))
        return json.loads(out)

    @staticmethod
    def end_group(p):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(p.pid, signal.SIGKILL)  # its streams too
        p.communicate()

    def try_run(self, *args, **load):
        with contextlib.suppress(Missing):
            return self.run(*args, **load)
        return None

    def hold(self, stack, n, via, where, port="7076", daemon=None, form="auto", control=False):
        """n connections on which nothing happens, until the stack is left, to a peer of their own. Several can be held at
        once, to different ports."""
        self.serve_peer(port, stack)
        command = self.command("hold-control" if control else "hold", via, where, port, count=n)
        self.start(command, ns=self.near if via == "kernel" else None, ready=b"ready", stack=stack,
                   env=self.environment(daemon, form))

    # --- daemons

    def daemon(self, role="main", build="own", mtu=1500, start=True, **how):
        """The running daemon of this role; a dead one is replaced. start: False leaves that to whoever asks."""
        d = self.daemons.get(role)
        if d is None:
            tap, net = self.tap(mtu)
            if how.get("mode") == "static6":
                self.ipv6(self.far, tap, f"{self.net6(net)}1")
            d = self.daemons[role] = Daemon(self, role, self.builds[build], tap, net, **how)
            self.stack.callback(d.stop)
        if start and not d.alive():
            d.start()
        return d

    def stop_daemons(self):
        for d in self.daemons.values():
            d.stop()
