# SPDX-License-Identifier: BSD-3-Clause
"""TCP against the kernel on the other side of the TAP, both ways."""
import hashlib
import socket
import threading
import time

import wire
from lab import FAR, GATEWAY, STATIC, Capture, Lab, Server, case, eq, has, refused, sh

STATUS = ("status", "allow = all")
BULK = 100 * 1000 * 1000


def tcp_lab(*more, **kw):
    lab = Lab(**kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("tcp", ("connect", "allow = *:*"), ("listen", "allow = interface-address:8000-8099"), *more)
    return lab


def write_pattern(write, size):
    """Writes size bytes that never repeat in step; their SHA-256."""
    digest, block = hashlib.sha256(), bytes(range(251)) * 1044
    left = size
    while left:
        part = block[:min(left, len(block))]
        write(part)
        digest.update(part)
        left -= len(part)
        block = block[1:] + block[:1]
    return digest.hexdigest()


def send_pattern(sock, size):
    digest = write_pattern(sock.sendall, size)
    sock.shutdown(socket.SHUT_WR)
    return digest


def receive_all(sock):
    digest, size = hashlib.sha256(), 0
    while data := sock.recv(1 << 18):
        digest.update(data)
        size += len(data)
    return size, digest.hexdigest()


def exchange(a, b, size):
    """size bytes each way at once, with checksums."""
    result = {}

    def run(name, function, *args):
        try:
            result[name] = function(*args)
        except OSError as e:
            result[name] = e
    threads = [threading.Thread(target=run, args=args) for args in
               (("a>", send_pattern, a, size), ("b>", send_pattern, b, size), (">a", receive_all, a),
                (">b", receive_all, b))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(result[">b"], (size, result["a>"]), "what the kernel got")
    eq(result[">a"], (size, result["b>"]), "what the client got")


class Kept(Server):
    """Keeps its connections for the case."""

    def __init__(self, **kw):
        self.queue = []
        super().__init__(self.keep, **kw)

    def keep(self, connection):
        self.queue.append(socket.socket(fileno=connection.detach()))

    def get(self):
        return wire.until(lambda: self.queue and self.queue.pop(0))


@case
def connect_out():
    """Local and far peer; the peer sees the stack's address; status tells of the connection and, later, of its end."""
    with tcp_lab() as lab:
        lab.far()
        lab.start()
        echo = lab.spawn("ip", "netns", "exec", "far", "socat", f"TCP-LISTEN:7,bind={FAR},fork", "EXEC:cat")
        wire.until(lambda: f"{FAR}:7" in sh("ip", "netns", "exec", "far", "ss", "-ltn").stdout)
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, f"{FAR}:7") as c:
                c.data.sendall(b"hello")
                eq(c.data.recv(100), b"hello")
                eq(c.local["address"], STATIC)
                (s,) = [s for s in lab.status("sockets")["sockets"] if s.get("peer") == f"{FAR}:7"]
                eq((s["state"], s["grant"], s["local"]), ("ESTAB", "tcp", f"{STATIC}:{c.local['port']}"))
                has(s["taken_by"], "python3", "uid 0")
                assert s["mss"] == 1460 - 12 and s.get("rtt_us", 1) > 0 and "end" not in s, s
                assert s["stack_recv_capacity"] > 0 and s["client_send_capacity"] > 0, s
                eq((s["bytes_in"], s["bytes_out"]), (5, 5))
                c.data.shutdown(socket.SHUT_WR)
                eq(c.data.recv(100), b"")
                eq(c.end(), "CLOSED")
            wire.until(lambda: any(s.get("peer") == f"{FAR}:7" and s.get("end") == "closed"
                                   for s in lab.status("sockets")["sockets"]))
        assert echo.poll() is None


@case(seconds=150)
def bulk_out():
    """100 MB each way over a connection to the kernel."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get() as peer:
            exchange(c.data, peer, BULK)
            eq(c.end(), "CLOSED")


@case(seconds=150)
def bulk_in():
    """100 MB each way over a connection from the kernel."""
    with tcp_lab() as lab:
        lab.start()
        with lab.take("tcp", "tcp-listen") as cap:
            listener, reply = wire.listen(cap, 8080)
            eq(reply["local"], {"address": STATIC, "port": 8080})
            with listener, socket.create_connection((STATIC, 8080)) as peer, wire.accept(listener) as c:
                eq(c.remote, {"address": GATEWAY, "port": peer.getsockname()[1]})
                exchange(c.data, peer, BULK)
                eq(c.end(), "CLOSED")


@case
def clients_talk():
    """capnet-cat as client and as server, from a pipe to a pipe."""
    with tcp_lab() as lab:
        lab.start()
        with Server(lambda c: c.sendall(b"from the kernel: " + c.recv(100))) as server:
            import subprocess
            from lab import program
            p = subprocess.run([program("capnet-cat"), "-g", "tcp", GATEWAY, str(server.port)], input=b"ping\n",
                               capture_output=True, env=lab.environment(), timeout=20, check=False)
            eq((p.returncode, p.stdout), (0, b"from the kernel: ping\n"), p.stderr)
            p = subprocess.Popen([program("capnet-cat"), "-g", "tcp", "-l", "8080"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, env=lab.environment())
            lab.children.append(p)
            wire.until(lambda: any(s["state"] == "LISTEN" for s in lab.status("sockets")["sockets"]))
            with socket.create_connection((STATIC, 8080)) as peer:
                peer.sendall(b"hello\n")
                peer.shutdown(socket.SHUT_WR)
                eq(p.communicate(b"welcome\n", 20)[0], b"hello\n")
                eq(peer.recv(100), b"welcome\n")
            eq(p.returncode, 0)


@case
def half_close_both_ways():
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, server.address) as c, server.get() as peer:
                c.data.shutdown(socket.SHUT_WR)
                eq(peer.recv(10), b"")
                peer.sendall(b"still here")
                eq(c.data.recv(100), b"still here")
                peer.close()
                eq(c.data.recv(10), b"")
                eq(c.end(), "CLOSED")
            with wire.connect(cap, server.address) as c, server.get() as peer:
                peer.shutdown(socket.SHUT_WR)
                eq(c.data.recv(10), b"")
                c.data.sendall(b"still here")
                eq(peer.recv(100), b"still here")
                c.data.shutdown(socket.SHUT_WR)
                eq(peer.recv(10), b"")
                eq(c.end(), "CLOSED")
            # Half-closed and idle: the daemon does not spin.
            with wire.connect(cap, server.address) as c, server.get() as peer:
                peer.shutdown(socket.SHUT_WR)
                eq(c.data.recv(10), b"")
                c.data.shutdown(socket.SHUT_WR)
                wire.until(lambda: peer.recv(10) == b"")
            with wire.connect(cap, server.address) as c, server.get() as peer:
                c.data.shutdown(socket.SHUT_WR)
                eq(peer.recv(10), b"")
                turns = lab.counters()["loop.turns"]
                time.sleep(1)
                spent = lab.counters()["loop.turns"] - turns
                assert spent < 200, f"{spent} turns in a second with nothing to do"


@case
def reset_both_ways():
    """The peer's reset is told as such; ours (close with unread bytes, abort) reaches the peer as a reset."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, server.address) as c:
                peer = server.get()
                wire.linger_reset(peer)
                peer.close()
                eq(c.end(), "RESET_BY_PEER")
                c.cut()

            def reset_arrives(peer):
                try:
                    while peer.recv(100):
                        pass
                except ConnectionResetError:
                    return
                raise AssertionError("the peer saw an orderly end")
            with wire.connect(cap, server.address) as c, server.get() as peer:
                c.control.call("Abort")
                reset_arrives(peer)
                eq(c.end(), "RESET_LOCAL")
            c = wire.connect(cap, server.address)
            with server.get() as peer:
                peer.sendall(b"never read")
                wire.until(lambda: wire.select.select([c.data], [], [], 0)[0])
                with c:
                    pass
                reset_arrives(peer)


@case
def connect_failures():
    """Refused, unreachable, over its time, cancelled: each its own. (The stack's time-out takes a minute: its own tests
    have it.)"""
    with tcp_lab() as lab:
        lab.far()
        lab.grant("short", ("connect", "allow = *:*", "connect.time = 700ms"))
        sh("ip", "route", "add", "unreachable", "10.97.0.0/24")
        sh("nft", "add table ip t; add chain ip t f { type filter hook forward priority 0; }; "
           f"add rule ip t f ip daddr {FAR} tcp dport 81 drop")
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap, lab.take("short", "tcp-connect") as short:
            refused("REFUSED", wire.connect, cap, f"{GATEWAY}:9")
            refused("REFUSED", wire.connect, cap, f"{FAR}:9")
            refused("UNREACHABLE", wire.connect, cap, "10.97.0.1:80", 10000)
            refused("DEADLINE", wire.connect, short, f"{FAR}:81")
            refused("DEADLINE", wire.connect, cap, f"{FAR}:81", 500)
            before = lab.live()
            call = cap.send("Connect", {"remote": wire.endpoint(f"{FAR}:81")})
            cap.cancel(call)
            eq(wire.CODE[cap.recv()[0]["error"]["code"]], "CANCELLED")
            lab.settles(before)
        p = lab.client("capnet-cat", "-g", "tcp", GATEWAY, "9")
        eq(p.returncode, 1)
        has(p.stderr.lower(), "refused")
        assert "refused" in {s.get("end") for s in lab.status("sockets")["sockets"]}


@case
def rights_decide():
    """Outside the rights nothing is sent: other ports, other prefixes, the special addresses; each names the grant."""
    with tcp_lab() as lab:
        lab.far()
        lab.grant("narrow", ("connect", f"allow = {GATEWAY}:80-81", "allow = 10.98.0.0/24:443"),
                  ("listen", "allow = interface-address:8080"))
        lab.start()
        capture = Capture(lab, "tcp")
        with lab.take("narrow", "tcp-connect") as cap:
            for remote in (f"{GATEWAY}:79", f"{GATEWAY}:82", f"{FAR}:442", "10.97.0.1:443", f"[::ffff:{FAR}]:442"):
                e = refused("DENIED", wire.connect, cap, remote)
                eq(e.grant, "narrow")
        with lab.take("tcp", "tcp-connect") as cap:
            for remote in ("127.0.0.1:80", "224.0.0.1:80", "255.255.255.255:80", "10.99.0.255:80", f"{STATIC}:80",
                           "0.0.0.0:80", "[::ffff:127.0.0.1]:80", "[::1]:80"):
                refused("DENIED", wire.connect, cap, remote)
            for remote in ({"address": GATEWAY}, {"address": "nonsense", "port": 80}, {"address": GATEWAY, "port": 70000}):
                refused("MALFORMED", cap.call, "Connect", {"remote": remote})
        with lab.take("narrow", "tcp-listen") as cap:
            refused("DENIED", wire.listen, cap, 8081)
            refused("DENIED", wire.listen, cap, 8080, "*")
        eq(capture.stop(), [])


@case
def listener_bounds():
    """The backlog is bounded, an end of the listener resets those who wait, the port is free again."""
    with tcp_lab() as lab:
        lab.start()
        with lab.take("tcp", "tcp-listen") as cap:
            before = lab.live()
            listener, _ = wire.listen(cap, 8080, backlog=4)
            refused("ADDRESS_IN_USE", wire.listen, cap, 8080)
            peers = []
            for _ in range(12):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((STATIC, 8080))
                peers.append(s)
            (row,) = wire.until(lambda: [s for s in lab.page("sockets")["sockets"]
                                         if s["kind"] == "tcp-listener" and s.get("waiting", 0) == 4])
            eq(row["backlog"], 4)
            refused("DEADLINE", lambda: [wire.accept(listener, 500) for _ in range(20)])
            listener.close()
            for s in peers:
                s.close()
            lab.settles(before)
            listener, _ = wire.listen(cap, 8080)
            listener.close()


@case
def accept_channel():
    """A channel is readable when a connection waits; each message is one connection."""
    with tcp_lab() as lab:
        lab.start()
        with lab.take("tcp", "tcp-listen") as cap:
            listener, _ = wire.listen(cap, 8080)
            reply, fds = listener.call("AcceptChannel")
            with listener, wire.adopt(fds[reply["channel"].get("slot", 0)], "TcpListener") as channel:
                peers = [socket.create_connection((STATIC, 8080)) for _ in range(16)]
                for _ in peers:
                    frame, fds = channel.recv()
                    connection = wire.Connection(wire.decode("TcpConnection", frame["body"]), fds)
                    with connection:
                        (peer,) = [p for p in peers if p.getsockname()[1] == connection.remote["port"]]
                        peer.sendall(b"x")
                        eq(connection.data.recv(1), b"x")
                for p in peers:
                    p.close()


@case
def backpressure():
    """A client that does not read stops its peer: what the daemon holds is bounded, and nothing is lost."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get() as peer:
            peer.setblocking(False)
            sent, block, quiet = 0, b"x" * 65536, 0
            while quiet < 10:
                try:
                    sent += peer.send(block)
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                    time.sleep(0.1)
            assert sent < 32 << 20, f"{sent} bytes went to a client that reads none"
            (s,) = [s for s in lab.status("sockets")["sockets"] if s["kind"] == "tcp" and "end" not in s]
            eq(s["blocked_on"], "client-not-reading")
            got = 0
            while got < sent:
                got += len(c.data.recv(1 << 18))
            eq(got, sent)


@case
def socket_options():
    """Keepalive and timeouts are set and shown; the idle timeout ends an idle connection."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get():
            asked = {"keepalive_idle_s": 30, "keepalive_interval_s": 5, "keepalive_count": 3, "user_timeout_ms": 20000}
            got = c.control.call("SetOptions", {"options": asked})[0]["options"]
            eq({k: got[k] for k in asked}, asked)
            got = c.control.call("Status")[0]
            eq({k: got["options"][k] for k in asked}, asked)
            c.control.call("SetOptions", {"options": {"idle_timeout_ms": 300}})
            eq(c.end(), "TIMED_OUT")


@case
def congestion_controllers():
    """The grant's controller carries a transfer to the kernel and is shown by name; a program may choose, live, too."""
    with tcp_lab() as lab, Kept() as server:
        lab.grant("tuned", ("connect", "allow = *:*", "socket.congestion = reno"))
        lab.start()
        with lab.take("tuned", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get() as peer:
            exchange(c.data, peer, BULK // 4)
            (s,) = [s for s in lab.status("sockets")["sockets"] if s["kind"] == "tcp" and s["grant"] == "tuned"]
            eq((s["congestion"], s["options"]["congestion"]), ("reno", "reno"))
            assert s["bytes_out"] == s["bytes_in"] == BULK // 4, s
            has(lab.client("capnet-status", "-v", "sockets").stdout.replace("\n", " "), "reno")
        with lab.take("tuned", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get() as peer:
            got = c.control.call("SetOptions", {"options": {"congestion": "cubic"}})[0]["options"]
            eq(got["congestion"], "cubic")
            error = refused("MALFORMED", c.control.call, "SetOptions", {"options": {"congestion": "vegas"}})
            has(error.message, "cubic, reno")
            exchange(c.data, peer, BULK // 10)


def with_pairs(function):
    """The same case where the operator wants no real sockets."""
    def case_with_pairs():
        import lab
        lab.SOCKETS = "pair"
        function()
    case_with_pairs.__name__, case_with_pairs.__module__ = function.__name__ + "_pair", function.__module__
    return case(case_with_pairs, seconds=function.seconds)


for each in (connect_out, bulk_out, bulk_in, clients_talk, half_close_both_ways, reset_both_ways, accept_channel,
             backpressure):
    with_pairs(each)
