# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 addresses that last for seconds: from the advertisements of radvd, and from kea-dhcp6."""
import ipaddress
import signal
import time

import wire
from case_lease4 import Echo, near
from lab import case, eq, has
from servers import GATEWAY6, MTU, PREFIX6, SEARCH, Kea6, LeaseLab, Radvd, Wire

CONFIRM, RENEW, REBIND, REPLY, SOLICIT, INFORMATION = "4", "5", "6", "7", "1", "11"
KEA_T1_S, KEA_T2_S, KEA_VALID_S, RA_VALID_S = 3, 5, 8, 5


class Lab6(LeaseLab):
    """IPv6 alone. It is skipped as long as the daemon has none: this is the one place that says so."""

    def __init__(self, **kw):
        super().__init__(mode="none", **kw)
        self.needs("ipv6 = auto")
        self.configure("ipv6 = auto")


def addresses(page, origin):
    """Those of this origin, in any state but the first."""
    return [a for i in page["interfaces"] for a in i.get("addresses", [])
            if a["origin"] == origin and a.get("state") != "tentative"]


def routes(page):
    """Beyond the link-local ones."""
    return {(r["destination"], r.get("gateway")) for r in page.get("routes", []) if not r["destination"].startswith("fe80")}


def acquired(lab, origin, seconds=20):
    """The one preferred address of this origin, in the prefix of the lab."""
    def one():
        return next((a for a in addresses(lab.page("interfaces"), origin) if a.get("state") == "preferred"), None)
    address = wire.until(one, seconds, 0.1)
    assert ipaddress.ip_address(address["address"]) in ipaddress.ip_network(f"{PREFIX6}/64"), address
    return address


def router_in_status(lab, on_link=True):
    """What the advertisement said: a router with its link-local address, the prefix."""
    page = lab.page("routes")
    (gateway,) = [g for d, g in routes(page) if d == "::/0"]
    has(gateway, "fe80::")
    eq((f"{PREFIX6}/64", None) in routes(page), on_link)


def names_in_status(lab):
    resolver = wire.until(lambda: next((r for r in [lab.page("resolver")["resolver"]] if r.get("servers")), None))
    eq(([x["address"] for x in resolver["servers"]], [x["domain"] for x in resolver["search"]]), ([GATEWAY6], SEARCH))


def settled_on(lab, origin, address, seconds):
    """For so long the address stays the one it is, and its end moves away each time before it comes."""
    left, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        (a,) = addresses(lab.page("interfaces"), origin)
        eq((a["address"], a.get("state")), (address, "preferred"))
        left.append(a["valid_for_s"])
        time.sleep(0.2)
    return left


def gone(lab, origin, echo, seconds):
    """When the address was, and all that came with it."""
    page = wire.until(lambda: next((p for p in [lab.page("interfaces", "routes", "resolver")]
                                    if not addresses(p, origin)), None), seconds, 0.05)
    when = time.time()
    echo.lost()
    return when, page


@case(seconds=120, waits=True)
def slaac():
    """Lifetimes of five seconds: renewed by each advertisement, over when the router is killed, the same when it is back."""
    with Lab6() as lab:
        router, capture = lab.serve(Radvd), Wire(lab)
        lab.start()
        address = acquired(lab, "slaac")
        eq(address["prefix"], 64)
        assert 0 < address["valid_for_s"] <= RA_VALID_S, address
        router_in_status(lab)
        names_in_status(lab)
        assert addresses(lab.page("interfaces"), "link-local")
        echo = Echo(lab, GATEWAY6)
        mine = [s for s in lab.status("sockets")["sockets"] if s.get("peer") == echo.server.address]
        eq([s["mtu"] for s in mine], [MTU])
        left = settled_on(lab, "slaac", address["address"], 10)
        assert len(set(left)) >= 3 and max(left) <= RA_VALID_S, left
        echo.works(b"refreshed")
        router.stop(signal.SIGKILL)  # it cannot say good-bye
        when, page = gone(lab, "slaac", echo, RA_VALID_S + 3)
        wire.until(lambda: not routes(lab.page("routes")) and not lab.page("resolver")["resolver"].get("servers"), 3)
        router.start()
        eq(acquired(lab, "slaac")["address"], address["address"])
        Echo(lab, GATEWAY6).works(b"had again")
        capture.stop()
        said = capture.read("icmpv6.type == 134")
        last = max(r["time"] for r in said if r["time"] < when)
        near(when - last, RA_VALID_S, "gone")
        assert capture.read("icmpv6.type == 133"), "a solicitation of routers"
        asked = capture.read(f"icmpv6.type == 135 && ipv6.src == :: && icmpv6.nd.ns.target_address == {address['address']}")
        assert asked, "duplicate address detection"
        assert asked[0]["time"] < said[-1]["time"], page


@case(seconds=120, waits=True)
def dhcp6_address():
    """IA_NA for eight seconds: renewed three times; asked of everybody and then lost with the server; had again."""
    with Lab6() as lab:
        lab.serve(Radvd, managed=True)
        server, capture = lab.serve(Kea6), Wire(lab)
        lab.start()
        address = acquired(lab, "dhcp6")
        bound = time.time()
        assert 0 < address["valid_for_s"] <= KEA_VALID_S, address
        eq(addresses(lab.page("interfaces"), "slaac"), [])
        router_in_status(lab)
        names_in_status(lab)
        echo = Echo(lab, GATEWAY6)
        settled_on(lab, "dhcp6", address["address"], 3 * KEA_T1_S + 1)
        echo.works(b"renewed")
        stopped = time.time()
        server.stop()
        when, _ = gone(lab, "dhcp6", echo, KEA_VALID_S + 3)
        server.start()
        acquired(lab, "dhcp6")
        Echo(lab, GATEWAY6).works(b"had again")
        capture.stop()
        rows = capture.read("dhcpv6")
        said = [r["msg6"] for r in rows if bound < r["time"] < stopped]
        assert said.count(RENEW) >= 3 and said.count(REPLY) >= 3 and REBIND not in said, said
        last = max(r["time"] for r in rows if r["msg6"] == REPLY and r["time"] < stopped)
        asked = [(r["msg6"], r["time"]) for r in rows if stopped < r["time"] < when]
        near(next(t for m, t in asked if m == RENEW) - last, KEA_T1_S, "renewing")
        near(next(t for m, t in asked if m == REBIND) - last, KEA_T2_S, "rebinding")
        near(when - last, KEA_VALID_S, "gone")


class LongKea6(Kea6):
    preferred, valid, t1, t2 = 600, 1200, 300, 400


@case(waits=True)
def dhcp6_restart():
    """RFC 8415 18.2.3: the lease of the last run is confirmed, and is what it was."""
    with Lab6() as lab:
        lab.serve(Radvd, managed=True)
        lab.serve(LongKea6)
        lab.start()
        address = acquired(lab, "dhcp6")["address"]
        lab.stop()
        capture = Wire(lab)
        lab.start()
        eq(acquired(lab, "dhcp6")["address"], address)
        names_in_status(lab)
        wire.until(lambda: any(l["state"] == "bound" for l in lab.page("leases")["leases"] if l.get("protocol") == "dhcp6"))
        capture.stop()
        eq([r["msg6"] for r in capture.read("dhcpv6")], [CONFIRM, REPLY])


@case(waits=True)
def dhcp6_rapid_commit():
    """RFC 8415 18.2.1: two messages, when both ends want that."""
    with Lab6() as lab:
        lab.needs("rapid-commit = yes")
        lab.configure("rapid-commit = yes")
        lab.serve(Radvd, managed=True)
        lab.serve(Kea6)
        capture = Wire(lab)
        lab.start()
        acquired(lab, "dhcp6")
        capture.stop()
        eq([r["msg6"] for r in capture.read("dhcpv6")][-2:], [SOLICIT, REPLY])


@case(waits=True)
def dhcp6_for_the_rest():
    """An address of one's own, and the name servers by DHCPv6."""
    with Lab6() as lab:
        lab.serve(Radvd, other=True, names=False)
        lab.serve(Kea6)
        capture = Wire(lab)
        lab.start()
        acquired(lab, "slaac")
        names_in_status(lab)
        capture.stop()
        said = {r["msg6"] for r in capture.read("dhcpv6")}
        eq(said, {INFORMATION, REPLY})
