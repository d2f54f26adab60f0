#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The figures of tools/bench. Makes two network namespaces: "far" has the peers, a TAP that capnetd drives and one end
of a veth; "near" has the other end, where the kernel's own TCP runs as the reference, right before each measurement.
Everything is taken down at the end, whatever happens. README.md beside this file says what each figure means."""
import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import report

TAP, VETH = "10.77.1", "10.77.2"
PORT, NAME = "7077", "host.bench.test"


class Missing(Exception):
    pass


class Lab:
    def __init__(self, build, stack):
        self.build, self.stack, self.pid = build, stack, os.getpid()
        self.far, self.near = f"cnb-far-{self.pid}", f"cnb-near-{self.pid}"
        self.dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="capnet-bench-"))
        self.grants = os.path.join(self.dir, "run", "grants")

    def sh(self, *command, ns=None):
        subprocess.run(self.inside(ns, command), check=True, stdout=subprocess.DEVNULL)

    @staticmethod
    def inside(ns, command):
        return ["ip", "netns", "exec", ns, *command] if ns else list(command)

    def start(self, command, ns=None, ready=None, stack=None, env=None):
        p = subprocess.Popen(self.inside(ns, command), stdin=subprocess.PIPE, env=env,
                             stdout=subprocess.PIPE if ready else subprocess.DEVNULL,
                             stderr=open(os.path.join(self.dir, os.path.basename(command[0]) + ".log"), "ab"))
        (stack or self.stack).callback(self.stop, p)
        if ready and p.stdout.readline().strip() != ready:
            raise Missing(f"{command[0]} did not start: {self.log(command[0])}")
        return p

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
        with contextlib.suppress(OSError), open(os.path.join(self.dir, os.path.basename(program) + ".log")) as f:
            return f.read()[-2000:]
        return ""

    def program(self, name):
        path = os.path.join(self.build, name)
        inner = os.path.join(os.path.dirname(path), ".libs", os.path.basename(path))  # without libtool's script
        path = inner if os.access(inner, os.X_OK) else path
        if not os.access(path, os.X_OK):
            raise Missing(f"{path} is not built")
        return path

    def namespaces(self):
        for ns in (self.far, self.near):
            self.sh("ip", "netns", "add", ns)
            self.stack.callback(subprocess.run, ["ip", "netns", "delete", ns], check=False)
            self.sh("ip", "link", "set", "lo", "up", ns=ns)
        self.sh("ip", "link", "add", "vfar", "netns", self.far, "type", "veth", "peer", "name", "vnear", "netns", self.near)
        self.sh("ip", "tuntap", "add", "cnbtap", "mode", "tap", ns=self.far)
        for ns, dev, address in ((self.far, "vfar", f"{VETH}.2/24"), (self.near, "vnear", f"{VETH}.1/24"),
                                 (self.far, "cnbtap", f"{TAP}.1/24")):
            self.sh("ip", "address", "add", address, "dev", dev, ns=ns)
            self.sh("ip", "link", "set", dev, "up", ns=ns)

    def peers(self):
        self.start([self.program("tests/bench/bench-peer"), "0.0.0.0", PORT], ns=self.far, ready=b"ready")
        self.start(["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-ping",
                    "--user=root", "--interface=cnbtap", "--interface=vfar", "--bind-interfaces",
                    f"--dhcp-leasefile={self.dir}/leases", f"--dhcp-range={TAP}.50,{TAP}.99,255.255.255.0,1h",
                    f"--host-record={NAME},192.0.2.7", f"--pid-file={self.dir}/dnsmasq.pid"], ns=self.far)
        self.wait_for(lambda: self.try_run("names", "kernel", f"{VETH}.2", NAME, 1), 10, "dnsmasq to answer")

    @staticmethod
    def wait_for(done, seconds, what, step=0.02):
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise Missing(f"waited {seconds} s for {what}")
            time.sleep(step)

    def environment(self):
        return dict(os.environ, CAPNET_GRANTS_DIR=self.grants, LD_LIBRARY_PATH=os.path.join(self.build, ".libs"))

    def run(self, figure, via, where, port, amount):
        command = [self.program("tests/bench/bench-run"), figure, via, where, str(port), str(amount)]
        ns = self.near if via == "kernel" else None
        p = subprocess.run(self.inside(ns, command), env=self.environment(), capture_output=True, text=True, timeout=300,
                           check=False)
        if p.returncode:
            raise Missing(f"{figure} over {via}: {p.stderr.strip()}")
        return float(p.stdout)

    def try_run(self, *args):
        with contextlib.suppress(Missing):
            return self.run(*args)
        return None

    # --- the daemon

    def configure(self):
        os.makedirs(os.path.join(self.dir, "grants.d"))
        with open(os.path.join(self.dir, "capnetd.conf"), "w") as f:
            f.write("[interface bench]\ndevice = tap\nifname = cnbtap\nmode = dhcp\n")
        with open(os.path.join(self.dir, "grants.d", "bench.grant"), "w") as f:
            f.write(f"[grant]\ndescription = tools/bench\nusers = root\nlimit.sockets = 64\n\n"
                    f"[connect]\nallow = {TAP}.0/24:*\n\n[ping]\nallow = {TAP}.0/24\n\n[dns]\nallow = bench.test\n\n"
                    f"[status]\nallow = all\n")

    def daemon(self, stack, fresh):
        """Starts capnetd and waits for its lease; returns the process and the seconds it took."""
        state = os.path.join(self.dir, "state")
        if fresh:
            shutil.rmtree(state, ignore_errors=True)
        for d in (state, os.path.join(self.dir, "run")):
            os.makedirs(d, exist_ok=True)
        start = time.monotonic()
        p = self.start([self.program("capnetd"), "--config", f"{self.dir}/capnetd.conf", "--grants",
                        f"{self.dir}/grants.d", "--runtime-dir", f"{self.dir}/run", "--state-dir", state,
                        "--log-target", "stderr"], ns=self.far, stack=stack)
        status = [self.program("capnet-status"), "--grant", "bench", "--json", "leases"]

        def bound():
            if p.poll() is not None:
                raise Missing(f"capnetd ended: {self.log('capnetd')}")
            out = subprocess.run(status, env=self.environment(), capture_output=True, text=True, check=False).stdout
            return '"bound"' in out

        self.wait_for(bound, 30, "the lease", step=0.002)
        return p, time.monotonic() - start


def idle(pid, seconds):
    """Resident kilobytes; voluntary context switches of all threads per second."""
    def switches():
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt"))
        return total

    before = switches()
    time.sleep(seconds)
    woken = (switches() - before) / seconds
    with open(f"/proc/{pid}/status") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return rss, woken


# figure, unit, kernel's address and port, capnet's, amount
PAIRS = (
    ("tcp-up", "bit/s", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 256 << 20),
    ("tcp-down", "bit/s", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 256 << 20),
    ("tcp-rr", "us", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 5000),
    ("connects", "1/s", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 1000),
    ("calls", "1/s", ("-", "-"), ("-", "-"), 20000),
    ("names", "1/s", (f"{VETH}.2", NAME), ("-", NAME), 1000),
)


def paired(lab, args, emit):
    for figure, unit, kernel, capnet, amount in PAIRS:
        if args.figures and figure not in args.figures:
            continue
        n = max(1, int(amount * args.scale))
        rounds = []
        for _ in range(args.rounds):
            reference = lab.run(figure, "kernel", *kernel, n)
            rounds.append((None if args.references_only else lab.run(figure, "capnet", *capnet, n), reference))
        emit(report.summarize(figure, unit, rounds))


def alone(lab, args, emit):
    """What has no counterpart: the reference is null."""
    leases, rss, wakes = [], [], []
    for _ in range(args.rounds):
        with contextlib.ExitStack() as one:
            p, took = lab.daemon(one, fresh=True)
            leases.append((took * 1000, None))
            kilobytes, woken = idle(p.pid, args.idle)  # ip netns exec replaced itself
            rss.append((kilobytes, None))
            wakes.append((woken, None))
    for figure, unit, rounds in (("start-to-lease", "ms", leases), ("idle-rss", "kB", rss), ("idle-wakeups", "1/s", wakes)):
        if not args.figures or figure in args.figures:
            emit(report.summarize(figure, unit, rounds))


def measure(lab, args, emit):
    lab.namespaces()
    lab.peers()
    if args.references_only:
        paired(lab, args, emit)
        return
    lab.configure()
    if not args.figures or {"start-to-lease", "idle-rss", "idle-wakeups"} & set(args.figures):
        alone(lab, args, emit)
    with contextlib.ExitStack() as one:
        lab.daemon(one, fresh=False)
        paired(lab, args, emit)


def main():
    names = [row[0] for row in PAIRS] + ["start-to-lease", "idle-rss", "idle-wakeups"]
    ap = argparse.ArgumentParser(prog="tools/bench", description="Figures of capnet, each beside a reference.")
    ap.add_argument("--build", default=".", help=argparse.SUPPRESS)
    ap.add_argument("--json", action="store_true", help="one object a line: " + " ".join(report.KEYS))
    ap.add_argument("--rounds", type=int, default=5, help="of each figure (default: 5)")
    ap.add_argument("--scale", type=float, default=1, help="factor of the amounts (default: 1)")
    ap.add_argument("--idle", type=float, default=10, help="seconds of idleness that are watched (default: 10)")
    ap.add_argument("--references-only", action="store_true", help="without capnetd")
    ap.add_argument("figures", nargs="*", metavar="FIGURE", help=" ".join(names) + " (default: all)")
    args = ap.parse_args()
    unknown = set(args.figures) - set(names)
    if unknown or args.rounds < 1 or args.scale <= 0 or args.idle <= 0:
        ap.error(f"no figure {' '.join(sorted(unknown))}" if unknown else "rounds, scale and idle are more than 0")
    if os.geteuid() != 0:
        sys.exit("tools/bench: needs root, for network namespaces of its own")

    def emit(row):
        print(report.as_json(row) if args.json else report.as_line(row), flush=True)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        with contextlib.ExitStack() as stack:
            lab = Lab(os.path.abspath(args.build), stack)
            if not args.json:
                print(report.HEAD)
            measure(lab, args, emit)
    except (Missing, subprocess.CalledProcessError, FileNotFoundError) as why:
        sys.exit(f"tools/bench: {why}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
