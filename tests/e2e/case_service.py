# SPDX-License-Identifier: BSD-3-Clause
"""The daemon as a service: its configuration, its privileges, its sockets' life, systemd."""
import os
import signal
import socket
import subprocess
import time

import wire
from lab import GATEWAY, STATIC, TOP, Lab, Skip, case, eq, has, program, refused, sh

STATUS = ("status", "allow = all")
UID = 61840  # nobody's


def service_lab(**kw):
    lab = Lab(**kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("ping", ("ping", "allow = *"))
    return lab


def process_status(lab):
    with open(f"/proc/{lab.daemon.pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def nothing_left(lab, uid):
    status = process_status(lab)
    for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        eq(int(status[key], 16), 0, key)
    eq(status["NoNewPrivs"], "1")
    eq(set(status["Uid"].split()), {str(uid)})
    # What is not dumpable belongs to root in /proc, and may not be looked at by its own user.
    eq(os.stat(f"/proc/{lab.daemon.pid}/mem").st_uid, 0)
    if uid:
        p = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all",
                            "ls", f"/proc/{lab.daemon.pid}/fd"], capture_output=True, check=False)
        assert p.returncode != 0, "its own user may look into it"


@case
def privileges_of_root():
    with service_lab() as lab:
        lab.start()
        nothing_left(lab, 0)
        eq(int(process_status(lab)["CapBnd"], 16), 0)
        eq(lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY).returncode, 0)


@case
def privileges_of_a_configured_user():
    """user = in the configuration: root becomes it, with its group and no other."""
    with service_lab(user="daemon") as lab:
        lab.start()
        nothing_left(lab, 1)
        eq(process_status(lab)["Groups"].strip(), "")
        eq(lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY).returncode, 0)


@case
def privileges_of_the_unit():
    """An ordinary user with ambient CAP_NET_ADMIN, as the unit starts it, makes the TAP device and keeps nothing. Real
    sockets need no more: only a machine without user namespaces for him may be in the way."""
    with Lab() as lab:
        sh("ip", "link", "set", "lo", "up")
        lab.grant("status", STATUS)
        lab.grant("ping", ("ping", "allow = *"))
        os.chown(lab.dir, UID, UID)
        lab.start(wrap=["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all,+net_admin",
                        "--ambient-caps=-all,+net_admin", "--bounding-set=-all,+net_admin"])
        nothing_left(lab, UID)
        why = lab.page("daemon")["daemon"].get("no_sockets", "")
        assert not why or "user namespaces" in why, why
        sh("ip", "address", "add", GATEWAY + "/24", "dev", "cap0")
        sh("ip", "link", "set", "cap0", "up")
        wire.until(lambda: lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY).returncode == 0)


@case
def persistent_tap_of_the_user():
    """A TAP device that belongs to the user needs no privilege at all."""
    with Lab() as lab:
        lab.tap(user=str(UID))
        lab.grant("ping", ("ping", "allow = *"))
        os.chown(lab.dir, UID, UID)
        lab.start(wrap=["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all"])
        nothing_left(lab, UID)
        wire.until(lambda: lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY).returncode == 0)


@case(root=False)
def rootless_embedded():
    """The embedded network, started by an ordinary user: lease, ping, and the host's loopback out of reach."""
    wrap = []
    if os.geteuid() == 0:
        wrap = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        sh("ip", "link", "set", "lo", "up")
    with Lab(mode="dhcp", device="slirp") as lab, socket.create_server(("127.0.0.1", 0)) as secret:
        if wrap:
            os.chown(lab.dir, UID, UID)
        lab.grant("status", STATUS, users=str(UID) if wrap else str(os.getuid()))
        lab.grant("net", ("ping", "allow = *"), ("connect", "allow = *:*"), users=str(UID) if wrap else str(os.getuid()))
        lab.start(wrap=wrap)
        status = process_status(lab)
        eq((int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"]), (0, 0, "1"))
        lab.lease()
        eq(lab.status("interfaces")["interfaces"][0]["addresses"][0]["address"], "10.0.2.15")
        p = lab.client("capnet-ping", "-g", "net", "-c", "1", "10.0.2.2", uid=UID if wrap else None)
        eq(p.returncode, 0, p.stderr)
        secret.settimeout(1)
        p = lab.client("capnet-cat", "-g", "net", "-d", "-w", "2", "10.0.2.2", str(secret.getsockname()[1]),
                       uid=UID if wrap else None)
        eq(p.returncode, 1, p.stderr)
        try:
            secret.accept()
            raise AssertionError("the host's loopback was reached")
        except TimeoutError:
            pass


@case
def check_config():
    """Names file, line, key and the reason; exit 1; an unknown key is an error; opens nothing."""
    with service_lab() as lab:
        lab.write_config()
        check = [*lab.command(), "--check-config"]
        p = subprocess.run(check, capture_output=True, text=True, check=False, env=lab.environment())
        eq(p.returncode, 0, p.stderr)
        assert not os.path.exists(lab.runtime), "checking made the runtime directory"
        path = f"{lab.grants_dir}/bad.grant"
        for line, text, parts in ((4, "[grant]\n\n[ping]\nnonsense = 1\n", ["nonsense"]),
                                  (3, "[grant]\n[connect]\nallow = 10.0.0.0/8\n", ["allow", ":PORTS"]),
                                  (4, "[grant]\n[ping]\nallow = *\nping.count = 1000000\n", ["ping.count"])):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            p = subprocess.run(check, capture_output=True, text=True, check=False, env=lab.environment())
            eq(p.returncode, 1, text)
            has(p.stdout + p.stderr, f"bad.grant:{line}", *parts)
        os.unlink(path)
        with open(f"{lab.dir}/capnetd.conf", "a", encoding="utf-8") as f:
            f.write("\n[daemon\n")
        eq(subprocess.run(check, capture_output=True, check=False, env=lab.environment()).returncode, 1)
        lab.write_config()
        os.chmod(f"{lab.dir}/capnetd.conf", 0o666)
        p = subprocess.run(check, capture_output=True, text=True, check=False, env=lab.environment())
        eq(p.returncode, 1)
        has(p.stdout + p.stderr, "writable")
        eq(subprocess.run([program("capnetd"), "--no-such-option"], capture_output=True, check=False).returncode, 2)


@case
def reload_by_sighup():
    """A new grant appears, a removed one goes, a changed one is revoked and offered anew, the others feel nothing; with
    an error everything stays as it was."""
    with service_lab() as lab:
        lab.grant("changing", ("ping", f"allow = {GATEWAY}"))
        lab.grant("going", ("ping", "allow = *"))
        lab.start()
        same, changing, going = (lab.take(g, "ping") for g in ("ping", "changing", "going"))
        refused("DENIED", changing.call, "Echo", {"target": STATIC})
        with open(f"{lab.grants_dir}/broken.grant", "w", encoding="utf-8") as f:
            f.write("[grant]\n[ping]\nallow = nowhere\n")
        os.unlink(f"{lab.grants_dir}/going.grant")
        lab.daemon.send_signal(signal.SIGHUP)
        wire.until(lambda: "broken.grant" in lab.read("log"))
        for cap in (same, changing, going):
            list(cap.stream("Echo", {"target": GATEWAY}))
        os.unlink(f"{lab.grants_dir}/broken.grant")
        lab.grant("changing", ("ping", "allow = 10.98.0.0/24"))
        lab.grant("fresh", ("ping", "allow = *"))
        lab.daemon.send_signal(signal.SIGHUP)
        wire.until(lambda: os.path.exists(lab.path("fresh")) and not os.path.exists(lab.path("going")))
        for cap in (changing, going):
            try:
                raise AssertionError(cap.recv())
            except wire.Terminal as e:
                eq(e.code, "REVOKED")
        list(same.stream("Echo", {"target": GATEWAY}))
        with lab.take("changing", "ping") as cap:
            refused("DENIED", cap.call, "Echo", {"target": GATEWAY})
        with lab.take("fresh", "ping") as cap:
            list(cap.stream("Echo", {"target": GATEWAY}))


@case
def stale_socket_is_replaced_a_live_one_is_not():
    with service_lab() as lab:
        lab.start()
        second = subprocess.run(lab.command(), capture_output=True, text=True, check=False, env=lab.environment(),
                                timeout=20)
        assert second.returncode == 3 and second.stderr, second
        eq(lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY).returncode, 0, "the first one lives on")
        lab.daemon.kill()
        lab.daemon.wait()
        lab.daemon = None
        assert os.path.exists(lab.path("ping")), "kill -9 leaves its sockets"
        p = lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY)
        eq(p.returncode, 4)
        has(p.stderr, lab.path("ping"))
        lab.start()
        eq(lab.client("capnet-ping", "-g", "ping", "-c", "1", GATEWAY).returncode, 0)


@case
def the_end_is_told():
    """SIGTERM: every endpoint gets its last word, connections are reset, the sockets go, the exit code is 0."""
    with service_lab() as lab:
        lab.grant("tcp", ("connect", "allow = *:*"))
        lab.start()
        with socket.create_server((GATEWAY, 0)) as server, lab.take("tcp", "tcp-connect") as cap, \
                lab.take("status", "status") as watch:
            watch.send("Watch")
            connection = wire.connect(cap, f"{GATEWAY}:{server.getsockname()[1]}")
            peer = server.accept()[0]
            lab.stop()
            for c in (cap, watch):
                try:
                    while True:
                        c.recv(5)
                except wire.Terminal as e:
                    eq(e.code, "SHUTTING_DOWN")
            connection.cut()
            peer.settimeout(5)
            try:
                eq(peer.recv(1), b"")
            except ConnectionResetError:
                pass
        eq(os.listdir(f"{lab.runtime}/grants"), [])
        p = lab.client("capnet-status")
        eq(p.returncode, 4)
        has(p.stderr, "no daemon answers", lab.runtime)


@case
def idle_means_idle():
    """With a lease and a connection that nobody uses, the loop does not turn."""
    with service_lab() as lab:
        lab.start()
        list(lab.take("ping", "ping").stream("Echo", {"target": GATEWAY}))
        time.sleep(0.5)
        with lab.take("status", "status") as cap:
            def turns():
                page = {}
                for part, _ in cap.stream("Get", {"sections": ["daemon"]}):
                    page.update(part)
                return next(c["value"] for c in page["daemon"]["counters"] if c["name"] == "loop.turns")
            first = turns()
            time.sleep(2)
            spent = turns() - first
            assert spent <= 20, f"{spent} turns in two idle seconds"


@case(seconds=240)
def systemd_as_pid_1():
    """The shipped unit under a real systemd in a container, with its drop-ins and the example of a service. Slow, and
    it needs a tree: E2E_SYSTEMD=TREE, a Debian 12 tree with systemd, python3-minimal and capnet's libraries;
    systemd-nspawn on PATH."""
    tree = os.environ.get("E2E_SYSTEMD")
    if not tree:
        raise Skip("E2E_SYSTEMD names no tree to boot; tests/e2e/systemd-boot says how to make one")
    if subprocess.run(["systemd-nspawn", "--version"], capture_output=True, check=False).returncode != 0:
        raise Skip("systemd-nspawn is missing (Debian: systemd-container)")
    p = subprocess.run([os.path.join(TOP, "tests/e2e/systemd-boot"), tree], capture_output=True, text=True, check=False)
    print(p.stdout + p.stderr)
    eq(p.returncode, 0)
