# SPDX-License-Identifier: BSD-3-Clause
"""The life of a lease against the servers that people run, in real seconds: leases of six, renewed, rebound, lost and
had again. What was unicast and what was broadcast is read from the wire by tshark, not asked of the daemon."""
import hashlib
import socket
import threading
import time

import wire
from lab import GATEWAY, Server, case, eq, has, sh
from servers import DNS, LEASE_S, MTU, SEARCH, SERVERS4, T1_S, T2_S, LeaseLab, Wire

ALL_ONES = "ff:ff:ff:ff:ff:ff"
SLACK = 1.2  # of an hour hand on a busy machine, seconds


def plain_lab(**kw):
    """Without conflict detection: probing takes longer than these leases last until T1."""
    lab = LeaseLab(**kw)
    lab.configure("conflict-detection = no")
    return lab


def now_of(lab, *sections):
    """One answer of status: what is in it was true at one moment."""
    return lab.page(*(sections or ("interfaces", "leases", "routes", "resolver")))


def lease_of(page):
    """That of DHCPv4."""
    return next((x for x in page["leases"] if x.get("protocol", "dhcp4") == "dhcp4"), {})


def dhcp_addresses(page):
    return [a["address"] for i in page["interfaces"] for a in i.get("addresses", []) if a["origin"] == "dhcp"]


def dhcp_routes(page):
    return {(r["destination"], r.get("gateway")) for r in page.get("routes", []) if r["origin"] == "dhcp"}


class Series(threading.Thread):
    """What status said of the lease, several times a second. renewals: how often its end moved away."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.renewals, self.rows, self.done, self.failed = lab, 0, [], threading.Event(), None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.done.set()
        self.join()
        if self.failed and kind is None:
            raise self.failed

    def one(self, cap, end):
        ((page, _),) = cap.stream("Get", {"sections": ["leases"]})
        lease = lease_of(page)
        until = time.monotonic() + lease["expiry_s"] if "expiry_s" in lease else 0
        self.rows.append(lease)
        self.renewals += until > end + T1_S - SLACK
        return max(until, end) if until else until

    def run(self):
        try:
            with self.lab.take("status", "status") as cap:
                end = self.one(cap, time.monotonic() + LEASE_S)
                while not self.done.wait(0.2):
                    end = self.one(cap, end)
        except Exception as e:  # told when the series ends
            self.failed = e

    def renewed(self, times, seconds=30):
        wire.until(lambda: self.renewals >= times or self.failed, seconds)


class Echo:
    """A connection that is there all the time."""

    def __init__(self, lab, address=GATEWAY):
        self.server = Server(self.answer, address)
        with lab.take("net", "tcp-connect") as cap:
            self.connection = wire.connect(cap, self.server.address)

    @staticmethod
    def answer(connection):
        while data := connection.recv(100):
            connection.sendall(data)

    def works(self, text):
        self.connection.data.sendall(text)
        eq(self.connection.data.recv(100), text)

    def lost(self):
        eq(self.connection.end(), "ADDRESS_LOST")
        self.connection.cut()
        self.connection.data.close()
        self.server.sock.close()


def options_in_status(lab, lease, server):
    """What the server said is what status shows, as JSON and in words."""
    s = lab.status()
    iface = s["interfaces"][0]
    (address,) = [a for a in iface["addresses"] if a["origin"] == "dhcp"]
    eq((address["address"], address["prefix"]), (lease["address"], 24))
    assert 0 < address["valid_for_s"] <= LEASE_S, address
    eq((lease["server"], lease["state"]), (GATEWAY, "bound"))
    assert lease["t1_s"] <= T1_S and lease["expiry_s"] <= LEASE_S, lease
    assert abs(lease["t2_s"] - lease["t1_s"] - (T2_S - T1_S)) <= 1, lease  # of the same moment, in whole seconds
    assert abs(lease["expiry_s"] - lease["t1_s"] - (LEASE_S - T1_S)) <= 1, lease
    ways = {("0.0.0.0/0", GATEWAY), ("10.99.0.0/24", None)}
    if lab.knows("conflict-detection = no"):  # of the same age as option 121
        ways |= set(server.ways)
    eq(dhcp_routes(s), ways)
    eq([(x["address"], x["origin"]) for x in s["resolver"]["servers"]], [(a, "dhcp") for a in DNS])
    eq([(x["domain"], x["origin"]) for x in s["resolver"]["search"]], [(d, "dhcp") for d in SEARCH])
    eq((iface["mtu"], iface["mtu_origin"]), (MTU, "dhcp"))
    has(lab.client("capnet-status").stdout, lease["address"], GATEWAY, *DNS, *SEARCH)


def expires(lab, echo):
    """Everything that the lease gave is gone in the moment in which its address is."""
    page = wire.until(lambda: next((p for p in [now_of(lab)] if not dhcp_addresses(p)), None), LEASE_S + 2 * SLACK, 0.05)
    when = time.time()
    eq((dhcp_routes(page), page["resolver"].get("servers", []), page["resolver"].get("search", [])), (set(), [], []))
    lease = lease_of(page)
    eq({k: lease.get(k) for k in ("address", "server", "t1_s", "t2_s", "expiry_s")}, dict.fromkeys(
        ("address", "server", "t1_s", "t2_s", "expiry_s")), "the lease's zero state")
    echo.lost()
    return when


def between(rows, start, end, kind="REQUEST"):
    return [r for r in rows if r["type"] == kind and start <= r["time"] <= end]


def is_renewal(row, address):
    """RFC 2131 4.3.2, RENEWING and REBINDING: the address in use, and neither option 50 nor 54."""
    eq((row.get("ciaddr"), row.get("src"), row.get("requested"), row.get("server")), (address, address, None, None), row)


def last_ack(rows, before):
    return max(r["time"] for r in rows if r["type"] == "ACK" and r["time"] < before)


def near(got, want, what):
    assert abs(got - want) <= SLACK, f"{what} after {got:.2f} s, not {want}"


def read_wire(rows, address, t, t2):
    """rows: what tshark read. t: when the phases were. t2: of this server."""
    first = [r["type"] for r in rows if r["time"] < t["bound"]]
    eq(first[0], "DISCOVER")
    assert first[-2:] == ["REQUEST", "ACK"], first
    renewals = between(rows, t["bound"], t["losing"])
    assert len(renewals) >= 3, renewals
    for r in renewals:
        is_renewal(r, address)
        eq(r["dst"], GATEWAY, "at T1, to the server alone")
        assert r["to"] != ALL_ONES, r
        near(r["time"] - last_ack(rows, r["time"]), T1_S, "renewing")
    # The unicast ones are lost: the one that was answered went to everybody.
    for start, end, answered in (("losing", "rebound", True), ("stopped", "expired", False)):
        asked = between(rows, t[start], t[end])
        ack = last_ack(rows, asked[0]["time"])
        unicast, everybody = [r for r in asked if r["to"] != ALL_ONES], [r for r in asked if r["to"] == ALL_ONES]
        assert unicast and everybody and unicast[-1]["time"] < everybody[0]["time"], asked
        for r in asked:
            is_renewal(r, address)
        eq({r["dst"] for r in unicast} | {r["dst"] for r in everybody}, {GATEWAY, "255.255.255.255"})
        near(unicast[0]["time"] - ack, T1_S, "renewing")
        near(everybody[0]["time"] - ack, t2, "rebinding")
        eq(bool(between(rows, everybody[0]["time"], t[end] + 0.1, "ACK")), answered, "an answer to everybody's")
    near(t["expired"] - ack, LEASE_S, "expired")
    again = [r["type"] for r in rows if r["time"] > t["stopped"] and r["type"] != "REQUEST"]
    assert again[0] == "DISCOVER" and "OFFER" in again and again[-1] == "ACK", again


def life(kind):
    """Acquired; renewed three times; rebound while unicast is lost; lost with the server; had again."""
    with plain_lab() as lab:
        server, capture, t = lab.serve(SERVERS4[kind]), Wire(lab), {}
        lab.start()
        lease = lab.lease()
        t["bound"] = time.time()
        options_in_status(lab, lease, server)
        echo = Echo(lab)
        with Series(lab) as series:
            series.renewed(3)
            echo.works(b"renewed")
            t["losing"] = time.time()
            lab.lose("ether daddr != ff:ff:ff:ff:ff:ff udp dport 67")
            series.renewed(series.renewals + 1)
            t["rebound"] = time.time()
            lab.recover()
            echo.works(b"rebound")
        eq({x["address"] for x in series.rows}, {lease["address"]}, "the address in all that time")
        eq({x["state"] for x in series.rows} - {"bound", "renewing", "rebinding"}, set())
        seconds = {x["expiry_s"] for x in series.rows}
        assert len(seconds) >= 3 and max(seconds) <= LEASE_S, seconds
        t["stopped"] = time.time()
        server.stop()
        t["expired"] = expires(lab, echo)
        server.start()
        eq(lab.lease()["server"], GATEWAY)
        Echo(lab).works(b"had again")
        capture.stop()
        read_wire(capture.dhcp(), lease["address"], t, T2_S if kind != "udhcpd" else LEASE_S * 7 / 8)


@case(seconds=120, waits=True)
def life_kea():
    life("kea")


@case(seconds=120, waits=True)
def life_isc():
    life("isc")


@case(seconds=120, waits=True)
def life_udhcpd():
    life("udhcpd")


@case(seconds=60, waits=True)
def dnsmasq_renews():
    """Its leases last two minutes at least; when they are renewed can be told."""
    with plain_lab() as lab:
        lab.dnsmasq("--dhcp-option-force=option:T1,3", "--dhcp-option-force=option:T2,60")
        capture = Wire(lab)
        lab.start()
        lease = lab.lease()
        assert lease["t1_s"] <= 3 and 50 <= lease["t2_s"] <= 60 and 110 <= lease["expiry_s"] <= 120, lease
        wire.until(lambda: lab.read("dnsmasq.log").count("DHCPACK") >= 2)
        after = lab.lease()
        eq(after["address"], lease["address"])
        assert after["expiry_s"] >= 117, after
        capture.stop()
        renewal = [r for r in capture.dhcp() if r["type"] == "REQUEST"][-1]
        is_renewal(renewal, lease["address"])
        eq(renewal["dst"], GATEWAY)


# --- what runs over it

STEP, STEPS, TRANSFER_S = 64 << 10, 640, 32  # 40 MB each way; the tenth renewal is after 30 s


class Paced(threading.Thread):
    """Sends the pattern at its pace and then closes; or receives until the end. digest is of what went through."""

    def __init__(self, sock, sends, seed):
        super().__init__(daemon=True)
        self.sock, self.sends, self.seed, self.digest, self.size, self.failed = sock, sends, seed, hashlib.sha256(), 0, None
        self.start()

    def run(self):
        try:
            if self.sends:
                self.send()
            else:
                while data := self.sock.recv(1 << 18):
                    self.digest.update(data)
                    self.size += len(data)
        except OSError as e:
            self.failed = e

    def send(self):
        block, start = bytes((i * 7 + self.seed) % 251 for i in range(STEP)), time.monotonic()
        for i in range(STEPS):
            part = block[i % 251:] + block[:i % 251]
            self.sock.sendall(part)
            self.digest.update(part)
            time.sleep(max(0, start + (i + 1) * TRANSFER_S / STEPS - time.monotonic()))
        self.sock.shutdown(socket.SHUT_WR)
        self.size = STEP * STEPS

    def result(self):
        self.join()
        if self.failed:
            raise self.failed
        return self.size, self.digest.hexdigest()


@case(seconds=120, waits=True)
def transfer_across_renewals():
    """40 MB each way, with the kernel's TCP, while the lease is renewed ten times: every byte, and no reset."""
    with plain_lab() as lab, socket.create_server((GATEWAY, 0)) as listener:
        lab.serve(SERVERS4["kea"])
        renewals, resets = Wire(lab), Wire(lab, "tcp[tcpflags] & tcp-rst != 0", "resets")
        lab.start()
        lab.lease()
        with lab.take("net", "tcp-connect") as cap, wire.connect(cap, f"{GATEWAY}:{listener.getsockname()[1]}") as c:
            peer, (address, _) = listener.accept()
            with peer:
                threads = {name: Paced(*args) for name, args in (("out", (c.data, True, 1)), ("in", (c.data, False, 0)),
                                                                  ("back", (peer, True, 2)), ("got", (peer, False, 0)))}
                got = {name: t.result() for name, t in threads.items()}
            eq(got["got"], got["out"], "from the client to the kernel")
            eq(got["in"], got["back"], "from the kernel to the client")
            eq(got["in"][0], STEP * STEPS)
            eq(c.end(), "CLOSED")
        renewals.stop()
        resets.stop()
        rows = [r for r in renewals.dhcp() if r["type"] == "REQUEST" and "ciaddr" in r]
        assert len(rows) >= 10, f"{len(rows)} renewals"
        eq({(r["dst"], r["ciaddr"]) for r in rows}, {(GATEWAY, address)})
        eq(resets.read("tcp"), [])


# --- links


def flap(down, up):
    """The link goes and comes back: the address is asked for as after a reboot, and what runs over it never knew."""
    with plain_lab() as lab:
        lab.dnsmasq()
        capture = Wire(lab)
        lab.start()
        lease, echo = lab.lease(), Echo(lab)
        sh("ip", "link", "set", "cap0", *down)
        echo.connection.data.sendall(b"written while it was away")
        wire.until(lambda: not now_of(lab)["interfaces"][0].get("link"))
        eq(dhcp_addresses(now_of(lab)), [lease["address"]], "a lease that lives is kept")
        up_at = time.time()
        sh("ip", "link", "set", "cap0", *up)
        eq(lab.lease()["address"], lease["address"])
        eq(echo.connection.data.recv(100), b"written while it was away")
        wire.until(lambda: lab.read("dnsmasq.log").count("DHCPACK") >= 2)
        capture.stop()
        asked = [r for r in capture.dhcp() if r["time"] > up_at and r["type"] != "ACK"]
        eq([(r["type"], r["to"], r["dst"], r["requested"], r.get("ciaddr"), r.get("server")) for r in asked[:1]],
           [("REQUEST", ALL_ONES, "255.255.255.255", lease["address"], None, None)])


@case(waits=True)
def link_down_and_up():
    flap(["down"], ["up"])


@case(waits=True)
def carrier_lost_and_back():
    """Nothing but rtnetlink tells of that."""
    flap(["carrier", "off"], ["carrier", "on"])


# --- what is remembered, and what is somebody else's


@case(waits=True)
def restart_asks_for_the_same():
    """RFC 2131 4.3.2, INIT-REBOOT: the address of the last lease is asked for at once, without looking for servers."""
    with plain_lab() as lab:
        lab.needs("conflict-detection = no")
        lab.dnsmasq()
        lab.start()
        lease = lab.lease()
        lab.stop()
        capture = Wire(lab)
        lab.start()
        eq(lab.lease()["address"], lease["address"])
        capture.stop()
        rows = capture.dhcp()
        eq([r["type"] for r in rows], ["REQUEST", "ACK"])
        eq((rows[0]["to"], rows[0]["requested"], rows[0].get("ciaddr"), rows[0].get("server")),
           (ALL_ONES, lease["address"], None, None))


@case(seconds=120, waits=True)
def address_of_somebody_else():
    """RFC 5227: the address that is offered is in use on the link: declined, and another one is had."""
    with plain_lab() as lab:
        lab.needs("conflict-detection = yes")
        lab.dnsmasq()
        lab.start()
        taken = lab.lease()["address"]
        with lab.take("net", "manager") as manager:
            manager.call("Release", {"interface": "net0"})
        wire.until(lambda: "DHCPRELEASE" in lab.read("dnsmasq.log"))
        lab.stop()
        other = "02:00:00:00:99:77"
        sh("ip", "netns", "add", "other")
        sh("ip", "link", "add", "other0", "type", "veth", "peer", "name", "eth0", "address", other, "netns", "other")
        sh("ip", "link", "set", "other0", "master", "br0", "up")
        sh("ip", "-n", "other", "address", "add", f"{taken}/24", "dev", "eth0")
        sh("ip", "-n", "other", "link", "set", "eth0", "up")
        lab.extra = "conflict-detection = yes"
        capture = Wire(lab)
        lab.start()
        lease = lab.lease(60)
        assert lease["address"] != taken, lease
        capture.stop()
        rows = capture.dhcp()
        (declined,) = [r for r in rows if r["type"] == "DECLINE"]
        eq((declined["requested"], declined["server"], declined["to"]), (taken, GATEWAY, ALL_ONES))
        for address in (taken, lease["address"]):
            assert capture.read(f"arp.opcode == 1 && arp.src.proto_ipv4 == 0.0.0.0 && arp.dst.proto_ipv4 == {address}"), address
        assert not capture.read(f"arp.src.proto_ipv4 == {taken} && arp.src.hw_mac != {other}"), "it was never ours"
