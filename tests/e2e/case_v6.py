# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 against the kernel on the other side of the TAP: echo and its errors, TCP both ways, the path's MTU."""
import hashlib
import socket

import wire
from lab import STATIC, Lab, Server, case, eq, has, refused, sh

GATEWAY6, STATIC6, FAR6 = "2001:db8:99::1", "2001:db8:99::2", "2001:db8:98::2"
CONFIG = f"ipv6 = static\nipv6-address = {STATIC6}/64\nipv6-gateway = {GATEWAY6}"
MAPPED = "::ffff:"


class V6Lab(Lab):
    def __init__(self, **kw):
        super().__init__(extra=CONFIG, **kw)
        self.tap()
        sh("sysctl", "-qw", "net.ipv6.conf.cap0.disable_ipv6=0", "net.ipv6.conf.all.forwarding=1")
        sh("ip", "address", "add", GATEWAY6 + "/64", "dev", "cap0", "nodad")
        self.grant("status", ("status", "allow = all"))
        self.grant("ping", ("ping", "allow = *", "ping.count = 10", "ping.interval.min = 50ms"))
        self.grant("tcp", ("connect", "allow = *:*"), ("listen", "allow = interface-address:8000-8099"))
        self.grant("narrow", ("connect", "allow = [2001:db8:98::/48]:*"))

    def far6(self, mtu=1500):
        """A host behind the gateway, over a link of this MTU."""
        self.far()
        sh("ip", "address", "add", "2001:db8:98::1/64", "dev", "far0", "nodad")
        for line in (f"address add {FAR6}/64 dev eth0 nodad", "route add default via 2001:db8:98::1"):
            sh("ip", "-6", "-n", "far", *line.split())
        sh("ip", "link", "set", "far0", "mtu", str(mtu))
        # The kernel asks for its neighbour once its own link-local address is verified.
        wire.until(lambda: sh("ping", "-6", "-c", "1", "-W", "1", FAR6, check=False).returncode == 0, 20)

    def started(self):
        self.start()
        wire.until(lambda: sh("ping", "-6", "-c", "1", "-W", "1", STATIC6, check=False).returncode == 0, 20)
        return self


@case
def echo6():
    """The kernel and a host behind it answer, the daemon answers the kernel, and each error is its own."""
    with V6Lab() as lab:
        lab.far6()
        sh("ip", "-6", "route", "add", "unreachable", "2001:db8:97::/64")
        sh("ip", "-6", "route", "add", "prohibit", "2001:db8:96::/64")
        lab.started()
        p = lab.client("capnet-ping", "-6", "-c", "3", "-i", "0.05", GATEWAY6)
        eq(p.returncode, 0, p.stderr)
        has(p.stdout, f"PING {GATEWAY6} ({GATEWAY6}) 56 data bytes", f"64 bytes from {GATEWAY6}: icmp_seq=1 ttl=64 time=",
            "3 packets transmitted, 3 received, 0% packet loss")
        has(lab.client("capnet-ping", "-c", "1", FAR6).stdout, f"64 bytes from {FAR6}: icmp_seq=1 ttl=63")
        has(lab.client("capnet-ping", "-c", "1", "-t", "1", FAR6).stdout,
            f"From {GATEWAY6} icmp_seq=1 Time exceeded: Hop limit")
        has(lab.client("capnet-ping", "-c", "1", "2001:db8:97::9").stdout, "Destination unreachable: ")
        has(lab.client("capnet-ping", "-c", "1", "2001:db8:96::9").stdout,
            f"From {GATEWAY6} icmp_seq=1 Destination unreachable: Administratively prohibited")
        has(lab.client("capnet-ping", "-c", "1", "-W", "5", "2001:db8:99::77").stdout,
            f"From {STATIC6} icmp_seq=1 Destination unreachable: Address unreachable")
        eq(sh("ping", "-6", "-c", "3", "-i", "0.2", "-s", "3000", STATIC6, check=False).returncode, 0, "fragments")


def pattern(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@case
def tcp6():
    """Both ways and both forms of a descriptor, a refusal, and rights over a prefix."""
    data = pattern(20_000_000)
    digest = hashlib.sha256(data).hexdigest()

    def digest_then_data(c):
        h = hashlib.sha256()
        while block := c.recv(1 << 18):
            h.update(block)
        c.sendall(h.hexdigest().encode() + data)

    with V6Lab() as lab:
        lab.started()
        with Server(digest_then_data, GATEWAY6) as server:
            with lab.take("tcp", "tcp-connect") as cap:
                for form in ("PAIR", "SOCKET"):
                    with wire.connect(cap, server.address, form=form) as c:
                        if form == "SOCKET":
                            eq(c.data.getpeername()[:2], (GATEWAY6, server.port))
                            eq(c.data.getsockname()[0], STATIC6)
                        c.data.sendall(data)
                        c.data.shutdown(socket.SHUT_WR)
                        got = b""
                        while block := c.data.recv(1 << 18):
                            got += block
                    eq(got[:64].decode(), digest, form)
                    eq(hashlib.sha256(got[64:]).hexdigest(), digest, form)
                refused("REFUSED", wire.connect, cap, f"[{GATEWAY6}]:1")
            with lab.take("narrow", "tcp-connect") as cap:
                refused("DENIED", wire.connect, cap, server.address)
            eq(server.failed, [])


@case
def listen6():
    """interface-address is every address of the interface, for Accept and for a real listening socket."""
    with V6Lab() as lab:
        lab.started()
        with lab.take("tcp", "tcp-listen") as cap:
            listener, _ = wire.listen(cap, 8000)
            control, ear, _ = wire.listen_socket(cap, 8001, family="BOTH")
            with listener, control, ear:
                for own in (STATIC, STATIC6):
                    with socket.create_connection((own, 8000)) as peer, wire.accept(listener) as c:
                        peer.sendall(b"x")
                        eq(c.data.recv(1), b"x")
                        eq(c.remote["address"], peer.getsockname()[0])
                    with socket.create_connection((own, 8001)) as peer:
                        s, address = ear.accept()
                        with s:
                            eq(address[:2], (("" if ":" in own else MAPPED) + peer.getsockname()[0], peer.getsockname()[1]))
                            s.sendall(b"y")
                            eq(peer.recv(1), b"y")


@case
def path_mtu6():
    """A router with a narrow link says so (ICMPv6 packet too big), and TCP's packets fit."""
    size = 3_000_000
    with V6Lab() as lab:
        lab.far6(mtu=1300)
        lab.started()
        code = ("import socket\ns = socket.create_server(('::', 5000), family=socket.AF_INET6)\nc, _ = s.accept()\nn = 0\n"
                "while b := c.recv(1 << 18): n += len(b)\nc.sendall(str(n).encode())\n")
        lab.spawn("ip", "netns", "exec", "far", "python3", "-c", code)
        wire.until(lambda: ":5000" in sh("ip", "netns", "exec", "far", "ss", "-tln").stdout)
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, f"[{FAR6}]:5000") as c:
            c.data.sendall(bytes(size))
            (found,) = [s for s in lab.status("sockets")["sockets"] if s.get("peer") == f"[{FAR6}]:5000"]
            c.data.shutdown(socket.SHUT_WR)
            eq(c.data.recv(64), str(size).encode())
        eq((found["path_mtu"], found["path_mtu_origin"]), (1300, "icmp"))
        sh("ip", "-6", "-n", "far", "address", "add", "2001:db8:98::3/64", "dev", "eth0", "nodad")
        has(lab.client("capnet-ping", "-c", "1", "-s", "1400", "2001:db8:98::3").stdout,
            f"From {GATEWAY6} icmp_seq=1 Packet too big: mtu=1300")


@case
def a_device_too_narrow():
    """Below 1280 bytes there is no IPv6 (RFC 8200 5): what is connected over it ends, status says why, IPv4 goes on; then it
    is there again."""
    with V6Lab() as lab:
        lab.started()

        def interface():
            return lab.status("interfaces")["interfaces"][0]
        with Server(lambda c: c.recv(1), GATEWAY6) as server, lab.take("tcp", "tcp-connect") as cap, \
                wire.connect(cap, server.address) as c:
            sh("ip", "link", "set", "cap0", "mtu", "1279")
            eq(c.end(), "ADDRESS_LOST")
        i = wire.until(lambda: (i := interface()).get("ipv6_why") and i)
        has(i["ipv6_why"], "1280")
        eq([a["state"] for a in i["addresses"] if ":" in a["address"]], ["standby"])
        eq([r for r in lab.status("routes")["routes"] if ":" in r["destination"]], [])
        eq(sh("ping", "-c", "1", "-W", "5", STATIC).returncode, 0)
        sh("ip", "link", "set", "cap0", "mtu", "1500")  # the kernel has forgotten its own address too
        sh("sysctl", "-qw", "net.ipv6.conf.cap0.disable_ipv6=0")
        sh("ip", "address", "replace", GATEWAY6 + "/64", "dev", "cap0", "nodad")
        wire.until(lambda: sh("ping", "-6", "-c", "1", "-W", "1", STATIC6, check=False).returncode == 0, 20)
        eq(interface().get("ipv6_why"), None)
