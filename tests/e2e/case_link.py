# SPDX-License-Identifier: BSD-3-Clause
"""Links that come and go, and two interfaces in one daemon, with the kernel at the other end of each TAP.

    10.97.0.0/24   cap1: 10.97.0.1 is the kernel, 10.97.0.2 the daemon when static
"""
import hashlib
import os
import socket
import threading

import wire
from case_tcp import receive_all, tcp_lab
from lab import FAR, GATEWAY, STATIC, Lab, Server, case, eq, has, refused, sh

STATUS = ("status", "allow = all")
UID = 61840  # nobody's
GATEWAY1, STATIC1 = "10.97.0.1", "10.97.0.2"
UNPRIVILEGED = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all"]


def interface(lab, name="net0"):
    return next(i for i in lab.status("interfaces")["interfaces"] if i["name"] == name)


def becomes(lab, state, name="net0", seconds=10):
    return wire.until(lambda: (i := interface(lab, name))["state"] == state and i, seconds, 0.02)


class Watch(threading.Thread):
    """What capnet-status --watch prints of a section."""

    def __init__(self, lab, section="interfaces"):
        super().__init__(daemon=True)
        self.cap, self.events = lab.take("status", "status"), []
        self.call = self.cap.send("Watch", {"sections": [section]})
        self.start()

    def run(self):
        try:
            for event, _ in self.cap.replies(self.call, "StatusEvent", timeout=60):
                self.events.append(event)
        except Exception as e:  # the daemon ended
            self.events.append({"text": f"end: {e}"})

    def says(self, text, seconds=10):
        return wire.until(lambda: next((e for e in self.events if text in e.get("text", "")), None), seconds)


def make_tap(user=None, name="cap0", address=GATEWAY, up=True):
    """As Lab.tap, for a device that is made again."""
    sh("ip", "tuntap", "add", "dev", name, "mode", "tap", *(["user", str(user)] if user is not None else []))
    sh("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
    sh("ip", "address", "add", address + "/24", "dev", name)
    if up:
        sh("ip", "link", "set", name, "up")


def ping(lab, target, grant="ping"):
    return lab.client("capnet-ping", "-g", grant, "-c", "1", target).returncode == 0


@case
def down_and_up_are_seen_at_once():
    """Nobody sends a frame: the kernel says so. The lease is verified when the link is back."""
    with Lab(mode="dhcp") as lab:
        lab.tap()
        lab.dnsmasq()
        lab.grant("status", STATUS)
        lab.start()
        address = lab.lease()["address"]
        watch = Watch(lab)
        eq(becomes(lab, "up")["link"], True)
        sh("ip", "link", "set", "cap0", "down")
        eq(becomes(lab, "down", seconds=2)["link"], False)
        event = watch.says("net0: link is down")
        eq({k: event["transition"].get(k) for k in ("interface", "protocol", "from", "to")},
           {"interface": "net0", "protocol": "link", "from": "up", "to": "down"})
        acks = lab.read("dnsmasq.log").count(f"DHCPACK(cap0) {address}")
        sh("ip", "link", "set", "cap0", "up")
        sh("ip", "address", "replace", GATEWAY + "/24", "dev", "cap0")
        becomes(lab, "up", seconds=2)
        watch.says("net0: link is up")
        wire.until(lambda: lab.read("dnsmasq.log").count(f"DHCPACK(cap0) {address}") > acks)
        eq(lab.lease()["address"], address)
        has(lab.read("log"), "net0: link is down", "net0: link is up")


@case
def carrier():
    """TUNSETCARRIER, as a switch that loses its own uplink takes it away. The kernel itself waits up to a second."""
    with Lab() as lab:
        lab.tap()
        lab.grant("status", STATUS)
        lab.grant("ping", ("ping", "allow = *"))
        lab.start()
        assert ping(lab, GATEWAY)
        sh("ip", "link", "set", "cap0", "carrier", "off")
        eq(becomes(lab, "down")["link"], False)
        assert not ping(lab, GATEWAY)
        sh("ip", "link", "set", "cap0", "carrier", "on")
        becomes(lab, "up")
        assert ping(lab, GATEWAY)


@case
def mtu_changes_under_a_transfer():
    """A connection that is open sends smaller packets from then on, loses no byte, and offers no larger ones anew."""
    with tcp_lab() as lab:
        lab.start()
        result, stop = {}, threading.Event()

        def take(connection):
            result["got"] = receive_all(connection)

        def give(sock):
            digest, size = hashlib.sha256(), 0
            while not stop.is_set():
                part = os.urandom(100000)
                sock.sendall(part)
                digest.update(part)
                size += len(part)
            sock.shutdown(socket.SHUT_WR)
            result["sent"] = size, digest.hexdigest()
        with Server(take) as server, lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c:
            watch = Watch(lab)
            sender = threading.Thread(target=give, args=(c.data,))
            sender.start()
            wire.until(lambda: lab.status("sockets")["sockets"][0]["bytes_out"] > 1000000)
            eq(lab.status("sockets")["sockets"][0]["mss"], 1448)
            sh("ip", "link", "set", "cap0", "mtu", "1400")
            i = wire.until(lambda: (i := interface(lab))["mtu"] == 1400 and i, 2)
            eq(i["mtu_origin"], "device")
            watch.says("net0: mtu is 1400 (device)")
            s = lab.status("sockets")["sockets"][0]
            eq((s["mss"], s["mtu"], s["path_mtu_origin"]), (1348, 1400, "interface"))
            sh("ip", "link", "set", "cap0", "mtu", "1500")
            wire.until(lambda: lab.status("sockets")["sockets"][0]["mss"] == 1448)
            sh("ip", "link", "set", "cap0", "mtu", "1300")
            wire.until(lambda: interface(lab)["mtu"] == 1300, 2)
            sent = lab.status("sockets")["sockets"][0]["bytes_out"]
            wire.until(lambda: lab.status("sockets")["sockets"][0]["bytes_out"] > sent + 1000000)
            stop.set()
            sender.join(60)
            wire.until(lambda: "got" in result, 60)
            eq(result["got"], result["sent"])
            with wire.connect(cap, server.address) as again:
                s = next(s for s in lab.status("sockets")["sockets"] if s["local"].endswith(f":{again.local['port']}"))
                eq((s["mss"], s["mtu"]), (1248, 1300))
        eq(interface(lab)["tx_dropped"], 0)


def persistent(lab):
    lab.tap(user=str(UID))
    lab.grant("status", STATUS)
    lab.grant("tcp", ("connect", "allow = *:*"))
    lab.grant("ping", ("ping", "allow = *"))
    os.chown(lab.dir, UID, UID)


@case
def persistent_tap_comes_back():
    """A TAP of the daemon's user is deleted and made again, three times, while the daemon has no privilege and is in no
    network namespace that has it: it is used again, and a connection survives. With another MTU the last time."""
    with Lab() as lab:
        persistent(lab)
        lab.start(wrap=UNPRIVILEGED)
        with Server(lambda c: [c.sendall(x) for x in iter(lambda: c.recv(4096), b"")]) as server, \
                lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c:
            for n in range(3):
                watch = Watch(lab)
                sh("ip", "link", "delete", "cap0")
                eq(becomes(lab, "gone", seconds=3)["link"], False)
                has(watch.says("net0: the device is gone")["text"], "opened again when it is back")
                has(lab.client("capnet-status", "interfaces").stdout, "device gone")
                assert lab.alive()
                make_tap(UID)
                if n == 2:
                    sh("ip", "link", "set", "cap0", "mtu", "1400")
                becomes(lab, "up")
                watch.says("net0: the device is back")
                watch.says("net0: link is up")
                assert ping(lab, GATEWAY)
                c.data.sendall(b"still here")
                eq(c.data.recv(100), b"still here")
            eq(wire.until(lambda: (i := interface(lab))["mtu"] == 1400 and i, 3)["mtu_origin"], "device")


@case
def persistent_tap_comes_back_to_root_that_became_another():
    """The same when root opened it and became the user, which also leaves the host's network namespace."""
    with Lab(mode="dhcp", user="nobody") as lab:
        lab.tap(user="nobody")
        lab.grant("status", STATUS)
        dnsmasq = lab.dnsmasq()
        lab.start()
        address = lab.lease()["address"]
        sh("ip", "link", "delete", "cap0")
        becomes(lab, "gone", seconds=3)
        dnsmasq.kill()
        dnsmasq.wait()
        make_tap("nobody")
        acks = lab.read("dnsmasq.log").count("DHCPACK")
        lab.dnsmasq()
        becomes(lab, "up")
        wire.until(lambda: "DHCPACK" in lab.read("dnsmasq.log") and acks)
        eq(lab.lease()["address"], address)


def ends_with(lab, *texts):
    """The daemon ends by itself, with its own exit code and the reason."""
    eq(lab.daemon.wait(10), 4, "exit code")
    lab.daemon = None
    has(lab.read("log"), *texts)
    eq([n for n in os.listdir(lab.dir) if n.startswith("sanitizer")], [])


@case
def a_tap_that_cannot_come_back_ends_the_daemon():
    """One that the daemon made itself; one of somebody else's; one that comes back as somebody else's."""
    with Lab() as lab:  # made by the daemon
        lab.grant("status", STATUS)
        lab.start()
        sh("ip", "link", "delete", "cap0")
        ends_with(lab, "net0: the device is gone: it was deleted", "no device is left")
    with Lab(user="nobody") as lab:
        lab.tap(user="daemon")
        lab.start()
        sh("ip", "link", "delete", "cap0")
        ends_with(lab, "net0: the device is gone: it was deleted", "no device is left")
    with Lab(user="nobody") as lab:
        lab.tap(user="nobody")
        lab.grant("status", STATUS)
        lab.start()
        sh("ip", "link", "delete", "cap0")
        becomes(lab, "gone")
        make_tap("daemon")
        ends_with(lab, "net0: the device is gone: it is back, but belongs to somebody else", "no device is left")


# --- two interfaces ---------------------------------------------------------------------------------------------------

def second(mode, extra=""):
    text = f"[interface net1]\ndevice = tap\nifname = cap1\nmode = {mode}\n{extra}\n"
    text += "ipv6 = off\n"
    return text + (f"address = {STATIC1}/24\nconflict-detection = no\n" if mode == "static" else "")


def two(lab, user=None):
    lab.tap(user=user)
    make_tap(user, name="cap1", address=GATEWAY1)
    lab.grant("status", STATUS)
    lab.grant("ping", ("ping", "allow = *"))
    lab.grant("tcp", ("connect", "allow = *:*"), ("listen", "allow = *:8000-8099"))


@case
def two_static_interfaces():
    """Each reaches its own network, with its own address; the default route is the first's; both are listened on, and
    what comes to one is answered by it; a lost device ends what is bound to it and nothing else."""
    with Lab(more=second("static", f"gateway = {GATEWAY1}")) as lab:
        two(lab, user="daemon")  # root opens it, and cannot again without privilege
        lab.far()
        lab.start()
        assert ping(lab, GATEWAY) and ping(lab, GATEWAY1) and ping(lab, FAR)
        seen = {}

        def note(connection):
            seen[connection.getsockname()[0]] = connection.getpeername()[0]
            connection.recv(1)
        with Server(note, GATEWAY) as one, Server(note, GATEWAY1) as other, lab.take("tcp", "tcp-connect") as cap, \
                wire.connect(cap, one.address) as a, wire.connect(cap, other.address) as b:
            wire.until(lambda: len(seen) == 2)
            eq(seen, {GATEWAY: STATIC, GATEWAY1: STATIC1})
            with lab.take("status", "status") as status:
                for to, way in ((FAR, "net0"), (GATEWAY1, "net1")):
                    eq(status.call("LookupRoute", {"destination": to})[0]["interface"], way)
            with lab.take("tcp", "tcp-listen") as authority:
                listener, _ = wire.listen(authority, 8000, "*")
                for address in (STATIC, STATIC1):
                    with socket.create_connection((address, 8000), 5), wire.accept(listener, 5000) as c:
                        eq(c.local["address"], address)
            sh("ip", "link", "delete", "cap1")
            eq(b.end(), "ADDRESS_LOST")
            eq(becomes(lab, "gone", "net1")["addresses"], [])
            assert lab.alive() and ping(lab, GATEWAY)
            a.data.sendall(b"x")
            has(lab.read("log"), "net1 is lost until the daemon is started again")
            sh("ip", "link", "delete", "cap0")
            ends_with(lab, "no device is left")


@case
def the_smaller_metric_wins():
    """Of two default routes; without its link an interface has none."""
    with Lab(extra="metric = 10", more=second("static", f"gateway = {GATEWAY1}\nmetric = 9")) as lab:
        two(lab)
        lab.far()
        lab.start()
        with lab.take("status", "status") as status:
            def way():
                return status.call("LookupRoute", {"destination": FAR})[0]["interface"]
            eq(way(), "net1")
            sh("ip", "link", "set", "cap1", "down")
            becomes(lab, "down", "net1")
            eq(way(), "net0")
            assert ping(lab, FAR)
            sh("ip", "link", "set", "cap1", "up")
            becomes(lab, "up", "net1")
            eq(way(), "net1")


@case
def two_leases():
    """A DHCP server on each; each lease, route and neighbour is its own interface's, and each server's names are known."""
    with Lab(mode="dhcp", more=second("dhcp")) as lab:
        two(lab)
        lab.dnsmasq()
        p = lab.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--group=root",
                      "--interface=cap1", "--except-interface=lo", "--bind-interfaces", "--no-resolv", "--no-hosts",
                      "--no-ping", "--pid-file=", f"--dhcp-leasefile={lab.dir}/leases1", "--dhcp-authoritative",
                      "--dhcp-range=10.97.0.100,10.97.0.150,255.255.255.0,120", "--domain=other.test", "--log-dhcp",
                      "--log-queries", "--log-facility=-", "--host-record=box.other.test,10.97.0.1",
                      "--local=/other.test/", log="dnsmasq1.log")
        wire.until(lambda: p.poll() is not None or "started" in lab.read("dnsmasq1.log"))
        lab.start()
        leases = wire.until(lambda: (x := {y["interface"]: y for y in lab.status("leases")["leases"]
                                           if y["state"] == "bound"}) and len(x) == 2 and x)
        eq({k: v["server"] for k, v in leases.items()}, {"net0": GATEWAY, "net1": GATEWAY1})
        assert leases["net0"]["address"].startswith("10.99.") and leases["net1"]["address"].startswith("10.97.")
        s = lab.status()
        eq({x["address"] for x in s["resolver"]["servers"]}, {GATEWAY, GATEWAY1})
        eq({(r["interface"], r.get("gateway")) for r in s["routes"] if r["destination"] == "0.0.0.0/0"},
           {("net0", GATEWAY), ("net1", GATEWAY1)})
        assert ping(lab, GATEWAY) and ping(lab, GATEWAY1)
        sh("ip", "link", "set", "cap0", "down")
        becomes(lab, "down", "net0")
        with lab.take("status", "status") as status:
            eq(status.call("LookupRoute", {"destination": FAR})[0]["interface"], "net1")


@case
def grants_that_name_an_interface():
    """Only over that one, to connect, ping and listen; the refusal names the way; narrowing adds the name and never drops it."""
    with Lab(more=second("static", f"gateway = {GATEWAY1}")) as lab:
        two(lab)
        lab.grant("one", ("connect", "allow = *:* via net1"), ("ping", "allow = * via net1"),
                  ("listen", "allow = interface-address:8000-8099 via net1"))
        lab.start()
        assert ping(lab, GATEWAY1, "one")
        p = lab.client("capnet-ping", "-g", "one", "-c", "1", GATEWAY)
        has(p.stderr + p.stdout, "via net0", "one")
        with Server(lambda c: c.recv(1), GATEWAY) as here, Server(lambda c: c.recv(1), GATEWAY1) as there, \
                lab.take("one", "tcp-connect") as cap:
            eq(list(cap.describe()["rights"]), ["*:* via net1"])
            wire.connect(cap, there.address).__exit__()
            has(refused("DENIED", wire.connect, cap, here.address).message, "via net0")
            refused("DENIED", wire.connect, cap, f"{FAR}:80")  # by the default route
            child, _ = cap.attenuate(["10.97.0.0/24:* via net1"])
            with child:
                wire.connect(child, there.address).__exit__()
            for wider in ("10.97.0.0/24:*", "10.97.0.0/24:* via net0"):
                refused("NOT_SUBSET", cap.attenuate, [wider])
            # The address says the way: what leaves from net0's leaves by net0.
            refused("DENIED", cap.call, "Connect", {"remote": wire.endpoint(there.address),
                                                    "local": {"address": STATIC, "port": 0}})
            sh("ip", "link", "set", "cap1", "down")
            becomes(lab, "down", "net1")
            has(refused("DENIED", wire.connect, cap, there.address).message, "via net0")  # the default route is left
            sh("ip", "link", "set", "cap1", "up")
            becomes(lab, "up", "net1")
        with lab.take("one", "tcp-listen") as cap:
            listener, reply = wire.listen(cap, 8001)
            eq(reply["local"]["address"], STATIC1)
            refused("DENIED", wire.listen, cap, 8002, STATIC)
            refused("DENIED", wire.listen, cap, 8002, "*")
            with socket.create_connection((STATIC1, 8001), 5), wire.accept(listener, 5000):
                pass
