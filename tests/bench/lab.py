# SPDX-License-Identifier: BSD-3-Clause
"""Where tools/bench measures: two network namespaces. "far" has the peers, a TAP that capnetd drives, and one end of a
veth; "near" has the other end, where the kernel's own TCP runs as the reference. Leaving the Lab's ExitStack takes
everything down, whatever happened."""
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time

TAP, VETH, EMBEDDED = "10.77.1", "10.77.2", "10.0.2"
PORT, SERVED, FORWARDED, NAME = "7077", "7078", "7079", "host.bench.test"
SERVED_BY = {"auto": SERVED, "pair": "7080", "socket": "7081"}  # the port of the granted listener, by form


SOCKETS = 1000
SETTLE_S = 7
RUN_S = 120  # of one measurement, the slowest included


class Missing(Exception):
    """Something that should be there is not: the message says what."""


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

    def start(self, command, ns=None, ready=None, stack=None, form="auto"):
        p = subprocess.Popen(self.inside(ns, command), stdin=subprocess.PIPE, env=self.environment(form),
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
            # The kernel's router solicitations would wake a daemon that is watched for being idle.
            self.sh("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1", ns=ns)
            self.sh("ip", "link", "set", "lo", "up", ns=ns)
        self.sh("ip", "link", "add", "vfar", "netns", self.far, "type", "veth", "peer", "name", "vnear", "netns",
                self.near)
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

    def environment(self, form="auto"):
        return dict(os.environ, CAPNET_GRANTS_DIR=self.grants, LD_LIBRARY_PATH=os.path.join(self.build, ".libs"),
                    BENCH_FORM=form)

    def run(self, figure, via, where, port, amount, ns=None, form="auto"):
        """ns: where the kernel's side runs, "near" unless told. form: of capnet's descriptors."""
        command = [self.program("tests/bench/bench-run"), figure, via, where, str(port), str(amount)]
        ns = (ns or self.near) if via == "kernel" else None
        try:
            p = subprocess.run(self.inside(ns, command), env=self.environment(form), capture_output=True, text=True,
                               timeout=RUN_S, check=False)
        except subprocess.TimeoutExpired as e:
            raise Missing(f"{figure} over {via} to {where}: not done after {RUN_S} s") from e
        if p.returncode:
            raise Missing(f"{figure} over {via}: {p.stderr.strip()}")
        return float(p.stdout)

    def try_run(self, *args):
        with contextlib.suppress(Missing):
            return self.run(*args)
        return None

    # --- the daemon

    def configure(self, device="tap"):
        """Rights for what the figures and the load do, no more. Limits: 1,000 connections at once."""
        os.makedirs(os.path.join(self.dir, "grants.d"), exist_ok=True)
        lines = {"tap": "device = tap\nifname = cnbtap\nmode = dhcp\n",
                 "slirp": f"device = slirp\nhost-loopback = yes\nforward = tcp:127.0.0.1:{FORWARDED}-{SERVED}\n"}
        net = {"tap": TAP, "slirp": EMBEDDED}[device]
        with open(os.path.join(self.dir, "capnetd.conf"), "w", encoding="ascii") as f:
            f.write(f"[interface bench]\n{lines[device]}")
        with open(os.path.join(self.dir, "grants.d", "bench.grant"), "w", encoding="ascii") as f:
            f.write(f"[grant]\ndescription = tools/bench\nusers = root\nlimit.sockets = {SOCKETS}\n"
                    f"limit.children = {2 * SOCKETS}\nlimit.endpoints = {2 * SOCKETS}\n\n"
                    f"[connect]\nallow = {net}.0/24:*\n\n"
                    f"[listen]\nallow = interface-address:7078-7081\n\n[ping]\nallow = {net}.0/24\n\n"
                    f"[dns]\nallow = bench.test\n\n[status]\nallow = all\n")

    def status(self, section):
        command = [self.program("capnet-status"), "--grant", "bench", "--json", section]
        out = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False).stdout
        return json.loads(out).get(section) if out else None

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

        def bound():
            if p.poll() is not None:
                raise Missing(f"capnetd ended: {self.log('capnetd')}")
            return any(lease.get("state") == "bound" for lease in self.status("leases") or ())

        self.wait_for(bound, 30, "the lease", step=0.002)
        return p, time.monotonic() - start

    def address(self):
        """That capnetd leased."""
        return next(a["address"] for i in self.status("interfaces") for a in i["addresses"])

    def serve(self, stack, forms=("auto",)):
        """The peer's program behind a granted listener: accept channels, but for real sockets a listening one."""
        for form in forms:
            self.start([self.program("tests/bench/bench-peer"), "capnet-socket" if form == "socket" else "capnet",
                        SERVED_BY[form]], ready=b"ready", stack=stack, form=form)


# --- what processes cost ("ip netns exec" replaces itself, so a Popen's pid is the program's own)

def cpu(pid=None):
    """Seconds, user and system: of a process with all its threads, or of our children that have ended."""
    if pid is None:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)


def switches(pid):
    """Voluntary context switches of all threads so far: each is one wait, hence one wake-up."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt"))
    return total


def kernel_memory():
    """Kilobytes that the kernel holds for itself and cannot give back: sockets and their buffers among it."""
    with open("/proc/meminfo", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f)
    return sum(int(fields[k].split()[0]) for k in ("SUnreclaim", "KernelStack", "PageTables") if k in fields)


def resident(pid):
    """Kilobytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def idle(pid, seconds):
    """Resident kilobytes; wake-ups per second, once what came before has settled: 5 s after a packet the kernel asks by ARP
    whether its neighbour is still there, and waking for that is right."""
    time.sleep(SETTLE_S)
    before = switches(pid)
    time.sleep(seconds)
    return resident(pid), (switches(pid) - before) / seconds
