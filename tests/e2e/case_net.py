# SPDX-License-Identifier: BSD-3-Clause
"""The lease and ping, against dnsmasq and the kernel."""
import json
import re

import wire
from lab import FAR, GATEWAY, STATIC, Capture, Lab, case, eq, has, refused, sh

STATUS = ("status", "allow = all")
PING = ("ping", "allow = *", "ping.count = 10", "ping.interval.min = 50ms", "ping.payload = 1000")


def ping_lab(**kw):
    lab = Lab(**kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("ping", PING)
    return lab


@case
def lease():
    """An address, its route, the resolver's servers and the search list come from dnsmasq, and are shown as such."""
    with ping_lab(mode="dhcp", extra="hostname = capnet-test") as lab:
        lab.dnsmasq()
        lab.start()
        got = lab.lease()
        assert got["server"] == GATEWAY and got["interface"] == "net0", got
        assert 0 < got["t1_s"] <= 60 and got["t1_s"] < got["t2_s"] < got["expiry_s"] <= 120, got
        s = lab.status()
        iface = s["interfaces"][0]
        (address,) = iface["addresses"]
        assert re.fullmatch(r"10\.99\.0\.1[0-9]{2}", address["address"]), address
        eq((address["prefix"], address["origin"]), (24, "dhcp"))
        assert 0 < address["valid_for_s"] <= 120, address
        eq((iface["kind"], iface["link"], iface["mtu"]), ("tap", True, 1500))
        has(lab.client("capnet-status", "interfaces").stdout.replace("\n", " "), "offloads " + iface["offloads"])
        routes = {(r["destination"], r.get("gateway")) for r in s["routes"]}
        assert ("0.0.0.0/0", GATEWAY) in routes and ("10.99.0.0/24", None) in routes, routes
        eq([(x["address"], x["origin"]) for x in s["resolver"]["servers"]], [(GATEWAY, "dhcp")])
        eq([(x["domain"], x["origin"]) for x in s["resolver"]["search"]],
           [("lab.test", "dhcp"), ("example.test", "dhcp")])
        has(lab.read("leases"), iface["mac"], address["address"], "capnet-test")
        has(lab.client("capnet-status").stdout, address["address"], "bound", GATEWAY)


@case
def mac_is_stable():
    """The same MAC and so the same address after a restart; another interface has another."""
    with ping_lab(mode="dhcp") as lab:
        lab.dnsmasq()
        lab.start()
        lab.lease()
        first = lab.status("interfaces")["interfaces"][0]
        lab.stop()
        lab.start()
        lab.lease()
        again = lab.status("interfaces")["interfaces"][0]
        eq(again["mac"], first["mac"])
        eq(again["addresses"][0]["address"], first["addresses"][0]["address"])
        assert int(first["mac"][:2], 16) & 3 == 2, first["mac"]  # locally administered, one station


@case
def no_configuration_before_lease():
    """Without an address everything says so, at once, and differently from a time-out or a refusal."""
    with Lab(mode="dhcp") as lab:
        lab.tap()
        lab.grant("status", STATUS)
        lab.grant("all", ("ping", "allow = *"), ("connect", "allow = *:*"), ("dns", "allow = *"),
                  ("listen", "allow = interface-address:*"))
        lab.start()
        with lab.take("all", "ping") as cap:
            refused("NO_CONFIGURATION", cap.call, "Echo", {"target": GATEWAY})
        with lab.take("all", "tcp-connect") as cap:
            refused("NO_CONFIGURATION", wire.connect, cap, f"{GATEWAY}:80")
        with lab.take("all", "tcp-listen") as cap:
            refused("NO_CONFIGURATION", wire.listen, cap, 8080)
        with lab.take("all", "dns") as cap:
            try:
                code = wire.CODE[cap.call("Resolve", {"name": "web.lab.test"})[0]["answers"][0]["error"]["code"]]
            except wire.Refused as e:
                code = e.code
            eq(code, "NO_CONFIGURATION")
        with lab.take("status", "status") as cap:
            refused("NO_CONFIGURATION", cap.call, "LookupRoute", {"destination": FAR})
        p = lab.client("capnet-ping", "-g", "all", "-c", "1", GATEWAY)
        assert p.returncode not in (0, 1), p
        has((p.stdout + p.stderr).lower(), "configuration")
        eq([x["state"] for x in lab.status("leases")["leases"]], ["selecting"])
        eq(lab.status("interfaces")["interfaces"][0]["addresses"], [])


@case
def manager_release_and_renew():
    """Release gives the address up and ends what used it, with the reason; renew brings it back; reading needs no more
    than get."""
    with Lab(mode="dhcp") as lab:
        lab.tap()
        lab.dnsmasq()
        lab.grant("status", STATUS)
        lab.grant("net", ("manager", "allow = net0 get,renew,release"), ("connect", "allow = *:*"))
        lab.start()
        lab.lease()
        import lab as world
        with world.Server(lambda c: c.recv(1)) as server, lab.take("net", "manager") as manager, \
                lab.take("net", "tcp-connect") as connect, wire.connect(connect, server.address) as connection:
            before = manager.call("Get", {})[0]["address"]
            manager.call("Renew", {"interface": "net0"})
            lab.lease()
            refused("DENIED", manager.call, "SetStatic", {"interface": "net0", "address": "10.99.0.9/24"})
            manager.call("Release", {"interface": "net0"})
            eq(connection.end(), "ADDRESS_LOST")
            connection.cut()
            refused("NO_CONFIGURATION", wire.connect, connect, server.address)
            eq(lab.status("interfaces")["interfaces"][0]["addresses"], [])
            wire.until(lambda: "DHCPRELEASE" in lab.read("dnsmasq.log"))
            manager.call("Renew", {"interface": "net0"})
            lab.lease()
            wire.until(lambda: manager.call("Get", {})[0].get("address") == before)


@case
def static_address():
    with ping_lab() as lab:
        lab.start()
        s = lab.status()
        (address,) = s["interfaces"][0]["addresses"]
        eq((address["address"], address["origin"], address.get("valid_for_s")), (STATIC, "static", None))
        p = lab.client("capnet-status", "route", FAR)
        eq(p.returncode, 0)
        has(p.stdout, GATEWAY, STATIC)


@case
def ping_replies():
    """The kernel's peer, a host behind the gateway, and what iputils' users expect of the output."""
    with ping_lab() as lab:
        lab.far()
        lab.start()
        p = lab.client("capnet-ping", "-c", "3", "-i", "0.05", GATEWAY)
        eq(p.returncode, 0, p.stderr)
        has(p.stdout, f"64 bytes from {GATEWAY}: icmp_seq=1 ttl=64 time=",
            "3 packets transmitted, 3 received, 0% packet loss")
        assert re.search(r"rtt min/avg/max/mdev = [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms", p.stdout), p.stdout
        p = lab.client("capnet-ping", "-c", "2", "-i", "0.05", "-s", "1000", "-q", FAR)
        eq(p.returncode, 0, p.stderr)
        has(p.stdout, "2 packets transmitted, 2 received")
        lines = lab.client("capnet-ping", "--json", "-c", "1", FAR).stdout.splitlines()
        event = json.loads(lines[0])
        eq((event["event"], event["from"], event["ttl"]), ("reply", FAR, 63))
        eq([n["state"] for n in lab.status("neighbours")["neighbours"] if n["address"] == GATEWAY], ["reachable"])


@case
def ping_failures():
    """Time-out, unreachable with code and sender, time to live exceeded with its sender: each its own."""
    with ping_lab() as lab:
        lab.far()
        sh("ip", "-n", "far", "route", "add", "blackhole", "10.99.0.0/24")
        sh("ip", "route", "add", "unreachable", "10.97.0.0/24")
        lab.start()
        with lab.take("ping", "ping") as cap:
            def event(**request):
                ((got, _),) = cap.stream("Echo", request)
                return got
            got = event(target=FAR, timeout_ms=300)
            eq(got["kind"], 2, "a time-out")
            got = event(target="10.97.0.1")
            eq((got["kind"], got["from"], got["code"]), (3, GATEWAY, 1), "host unreachable")
            got = event(target=FAR, ttl=1)
            eq((got["kind"], got["from"]), (4, GATEWAY), "time to live exceeded")
        p = lab.client("capnet-ping", "-c", "1", "-W", "0.3", FAR)
        eq(p.returncode, 1)
        has(p.stdout, "1 packets transmitted, 0 received, 100% packet loss")
        has(lab.client("capnet-ping", "-c", "1", "-t", "1", FAR).stdout, f"From {GATEWAY}", "Time to live exceeded")
        # Nobody on the link has this address.
        got = lab.client("capnet-ping", "-c", "1", "-W", "0.5", "10.99.0.77")
        eq(got.returncode, 1, got.stdout + got.stderr)


@case
def ping_bounds():
    """Each bound at N and at N + 1; a refusal names the grant and the bound and sends nothing."""
    with ping_lab() as lab:
        lab.grant("near", ("ping", f"allow = {GATEWAY}"))
        lab.start()
        with lab.take("ping", "ping") as cap:
            eq(len(list(cap.stream("Echo", {"target": GATEWAY, "count": 10, "interval_ms": 50}))), 10)
            list(cap.stream("Echo", {"target": GATEWAY, "payload": 1000}))
            capture = Capture(lab, "icmp")
            for rule, request in (("ping.count", {"count": 11}), ("ping.interval.min", {"interval_ms": 49, "count": 2}),
                                  ("ping.payload", {"payload": 1001})):
                e = refused("DENIED", cap.call, "Echo", {"target": GATEWAY, **request})
                eq((e.grant, e.rule), ("ping", rule))
            refused("MALFORMED", cap.call, "Echo", {"target": GATEWAY, "ttl": 256})
            refused("MALFORMED", cap.call, "Echo", {"target": "gateway"})
            for special in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "10.99.0.255", "0.0.0.0", STATIC):
                refused("DENIED", cap.call, "Echo", {"target": special})
            with lab.take("near", "ping") as near:
                e = refused("DENIED", near.call, "Echo", {"target": FAR})
                eq(e.grant, "near")
            eq(capture.stop(), [])
        p = lab.client("capnet-ping", "-g", "near", "-c", "1", FAR)
        eq(p.returncode, 3)
        has(p.stderr, "near")


@case
def ping_ends_with_its_caller():
    """A call that is cancelled, and one whose endpoint closes, sends no further request."""
    with ping_lab() as lab:
        lab.start()
        before = lab.live()
        with lab.take("ping", "ping") as cap:
            list(cap.stream("Echo", {"target": GATEWAY, "timeout_ms": 5000}))  # a TAP that has just come up is slow once
            call = cap.send("Echo", {"target": GATEWAY, "count": 10, "interval_ms": 150})
            cap.recv()
            cap.cancel(call)
            try:
                while True:
                    list(cap.replies(call, "PingEchoEvent"))
            except wire.Refused as e:
                eq(e.code, "CANCELLED")
            cap.send("Echo", {"target": GATEWAY, "count": 10, "interval_ms": 150})
            cap.recv()
        lab.settles(before)
        eq(Capture(lab, "icmp").stop(), [])
