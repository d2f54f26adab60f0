# SPDX-License-Identifier: BSD-3-Clause
"""Real sockets: what a program is handed is a TCP socket of the kernel, sealed off from everything."""
import contextlib
import errno
import os
import socket
import struct
import threading
import time

import wire
from case_tcp import Kept, exchange, receive_all, send_pattern, tcp_lab
from lab import GATEWAY, STATIC, Lab, Server, Skip, case, eq, has, refused, sh

GIGABYTE = 1000 * 1000 * 1000


def sockets_or_skip(lab):
    """Namespaces of the kernel's are not everywhere to be had."""
    why = lab.page("daemon")["daemon"].get("no_sockets")
    if why:
        raise Skip(f"no real sockets here: {why}")


def helper(lab):
    """The pid of the daemon's helper process."""
    for line in sh("ps", "-o", "pid=,comm=", "--ppid", str(lab.daemon.pid)).stdout.splitlines():
        pid, name = line.split()
        if name == "capnet-seal":
            return int(pid)
    raise AssertionError("there is no helper process")


def namespaces(lab):
    """The network namespaces that the helper holds, as paths."""
    folder = f"/proc/{helper(lab)}/fd"
    return [f"{folder}/{n}" for n in os.listdir(folder) if os.readlink(f"{folder}/{n}").startswith("net:")]


def sockets_inside(lab):
    """TCP sockets in the sealed namespaces that are more than the store of fresh ones."""
    lines = []
    for path in namespaces(lab):
        lines += sh("nsenter", f"--net={path}", "ss", "-Htan").stdout.splitlines()
    return lines


def status_field(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(line.split(None, 1)[1].strip() for line in f if line.startswith(key + ":"))


# --- what it is -------------------------------------------------------------------------------------------------------


@case
def a_tcp_socket_with_true_addresses():
    """Its family, its names, its options; status shows the form; a pair can be asked for, nonsense not."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, server.address, form="SOCKET") as c, server.get() as peer:
                s = c.data
                eq((s.family, s.type & 0xF), (socket.AF_INET, socket.SOCK_STREAM))
                eq(s.getpeername(), (GATEWAY, server.port))
                eq(s.getsockname(), peer.getpeername())
                eq(s.getsockname()[0], STATIC)
                eq(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
                state = struct.unpack_from("B", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))[0]
                eq(state, 1, "TCP_INFO says established")
                (row,) = [x for x in lab.status("sockets")["sockets"] if x.get("form") == "socket"]
                eq(row["local"], "{}:{}".format(*s.getsockname()))
                assert row["client_recv_capacity"] <= 1 << 20, row
            with wire.connect(cap, server.address, form="PAIR") as c, server.get():
                eq(c.data.family, socket.AF_UNIX)
            refused("MALFORMED", cap.call, "Connect", {"remote": wire.endpoint(server.address), "form": 9})
        out = lab.client("capnet-status", "daemon").stdout
        has(out, "programs get real sockets")


@case
def sealed_off():
    """The daemon has no capability, no network of the host's and a filter; its helper is in namespaces of its own; in a
    sealed namespace there is one link and no address."""
    with tcp_lab(user="nobody") as lab:
        lab.start()
        sockets_or_skip(lab)
        pid, seal = lab.daemon.pid, helper(lab)
        for what in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            eq(int(status_field(pid, what), 16), 0, what)
        eq((status_field(pid, "Seccomp"), status_field(pid, "NoNewPrivs"), status_field(seal, "NoNewPrivs")), ("2", "1", "1"))
        eq(status_field(seal, "Uid").split()[0], status_field(pid, "Uid").split()[0])
        mine = os.readlink("/proc/self/ns/net")
        assert os.readlink(f"/proc/{pid}/ns/net") != mine, "the daemon is in the host's network"
        assert os.readlink(f"/proc/{seal}/ns/user") != os.readlink("/proc/self/ns/user")
        assert os.readlink(f"/proc/{seal}/ns/net") != mine
        eq(sh("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "address").stdout, "", "addresses in the daemon's namespace")
        with Kept() as server, lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address), server.get():
            inside = [n for n in namespaces(lab) if "seal" in sh("nsenter", f"--net={n}", "ip", "-o", "link").stdout]
            assert len(inside) >= 2, inside
            for n in inside:
                eq(sh("nsenter", f"--net={n}", "ip", "-o", "address").stdout, "", "no address is configured")
                has(sh("nsenter", f"--net={n}", "ip", "-o", "link").stdout, "lo: <LOOPBACK> ")


def refused_here(lab, sentence):
    lab.grant("status", ("status", "allow = all"))
    lab.start(wrap=("chroot", lab.jail))
    has(lab.read("log"), "data descriptors are stream pairs, not real sockets", sentence)
    daemon = lab.page("daemon")["daemon"]
    eq(daemon["sockets"], False)
    has(daemon["no_sockets"], sentence)
    has(" ".join(lab.client("capnet-status", "daemon").stdout.split()), "programs get stream pairs, not real sockets", sentence)


@case
def where_user_namespaces_are_refused():
    """In a chroot the kernel refuses them: pairs, and one sentence says why; who insists on a socket is told the same."""
    with tcp_lab() as lab, Kept() as server:
        lab.jail = f"{lab.dir}/jail"
        os.mkdir(lab.jail)
        sh("mount", "--rbind", "/", lab.jail)
        refused_here(lab, "user namespaces are not allowed here")
        with lab.take("tcp", "tcp-connect") as cap, lab.take("tcp", "tcp-listen") as listen:
            with wire.connect(cap, server.address) as c, server.get() as peer:
                eq(c.real, False)
                c.data.sendall(b"x")
                eq(peer.recv(1), b"x")
            e = refused("UNAVAILABLE", wire.connect, cap, server.address, 0, "SOCKET")
            has(e.message, "user namespaces are not allowed here")
            refused("UNAVAILABLE", wire.listen_socket, listen, 8080)
            wire.listen(listen, 8080)[0].close()
        lab.stop()
        with open(f"{lab.dir}/capnetd.conf", encoding="ascii") as f:
            text = f.read().replace("sockets = auto", "sockets = real")
        lab.write_config = lambda: open(f"{lab.dir}/capnetd.conf", "w", encoding="ascii").write(text)
        try:
            lab.start(wrap=("chroot", lab.jail))
        except AssertionError:
            has(lab.read("log"), "the configuration says sockets = real, but user namespaces")
        else:
            raise AssertionError("it started without what the configuration insists on")


@case
def where_no_process_can_be_made():
    """The helper cannot be forked: pairs, and the log says why."""
    uid = 61840
    with Lab("", device="fixture") as lab:
        with open(f"{lab.dir}/far.sim", "w", encoding="ascii") as f:
            f.write("address 10.0.0.2/24\n")
        lab.extra = f"script = {lab.dir}/far.sim"
        os.chown(lab.dir, uid, uid)
        lab.start(wrap=("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "prlimit", "--nproc=0:0"))
        has(lab.read("log"), "stream pairs, not real sockets: the helper process cannot be started", "ready: 1 interfaces")


@case
def an_ordinary_user_has_them_too():
    """Rootless, over the embedded network: no privilege anywhere, and a real socket with the stack's address."""
    with Lab("dhcp", device="slirp", extra="host-loopback = yes") as lab, Kept(address="127.0.0.1") as server:
        uid = 61840
        sh("ip", "link", "set", "lo", "up")
        lab.grant("status", ("status", "allow = all"), users=str(uid))
        lab.grant("tcp", ("connect", "allow = 10.0.2.2:*"), users=str(uid))
        os.makedirs(lab.runtime)
        os.makedirs(f"{lab.dir}/state")
        sh("chown", "-R", f"{uid}:{uid}", lab.dir)
        lab.start(wrap=("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"))
        sockets_or_skip(lab)
        lab.lease()
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, f"10.0.2.2:{server.port}", form="SOCKET") as c, \
                server.get() as peer:
            eq(c.data.getsockname()[0], "10.0.2.15")
            eq(c.data.getpeername(), ("10.0.2.2", server.port))
            exchange(c.data, peer, 1000 * 1000)
            eq(c.end(), "CLOSED")


# --- no end is silent ---------------------------------------------------------------------------------------------------


def reads_error(data, want):
    """Everything up to an error that names it; a clean end would be a truncation."""
    got = 0
    try:
        while part := data.recv(1 << 16):
            got += len(part)
    except OSError as e:
        eq(errno.errorcode[e.errno], want)
        return got
    raise AssertionError(f"{got} bytes and a clean end")


@case(seconds=120)
def truncation_is_an_error():
    """In the middle of a body the peer resets, falls silent, the grant goes, the address goes, the holder aborts, the
    daemon dies: the program reads what came, then an error, never a clean end."""
    with tcp_lab(("manager", "allow = * get,set")) as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)

        def body(connection):
            peer = server.get()
            peer.sendall(b"x" * 5000)
            wire.until(lambda: len(connection.data.recv(5000, socket.MSG_PEEK)) == 5000)
            return peer
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, server.address) as c:
                peer = body(c)
                wire.linger_reset(peer)
                peer.close()
                eq(c.end(), "RESET_BY_PEER")
                eq(reads_error(c.data, "ECONNRESET"), 5000)
            with wire.connect(cap, server.address) as c, body(c):
                c.control.call("SetOptions", {"options": {"idle_timeout_ms": 300}})
                eq(c.end(), "TIMED_OUT")
                eq(reads_error(c.data, "ECONNRESET"), 5000)
            with wire.connect(cap, server.address) as c, body(c):
                c.control.call("Abort")
                eq(reads_error(c.data, "ECONNRESET"), 5000)
            child, ident = cap.attenuate([], label="child")
            with wire.connect(child, server.address) as c, body(c):
                cap.revoke(ident)
                eq(reads_error(c.data, "ECONNRESET"), 5000)
            with wire.connect(cap, server.address) as c, body(c), lab.take("tcp", "manager") as manager:
                manager.call("SetStatic", {"interface": "net0", "address": "10.99.0.77/24", "gateway": GATEWAY})
                eq(c.end(), "ADDRESS_LOST")
                eq(reads_error(c.data, "ECONNRESET"), 5000)
            with wire.connect(cap, server.address) as c, body(c):
                # While the body is on its way: what the daemon held is lost, and the program is told.
                lab.daemon.kill()
                lab.daemon.wait()
                eq(reads_error(c.data, "ECONNRESET"), 5000)
        lab.daemon = None


@case
def a_slow_reader_loses_nothing():
    """The peer sends, resets or closes, long before the program reads: every byte that was acknowledged arrives, and then
    the end that it was."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-connect") as cap:
            for reset in (True, False):
                with wire.connect(cap, server.address) as c:
                    peer = server.get()
                    peer.settimeout(1)
                    sent = 0
                    with contextlib.suppress(TimeoutError):
                        while sent < 8 << 20:
                            sent += peer.send(b"y" * 65536)
                    if reset:
                        (unsent,) = struct.unpack("i", _ioctl(peer, 0x894B))
                        acked = sent - struct.unpack("i", _ioctl(peer, 0x5411))[0]
                        assert unsent >= 0
                        wire.linger_reset(peer)
                        peer.close()
                        time.sleep(0.3)
                        got = reads_error(c.data, "ECONNRESET")
                        assert got >= acked, (got, acked)
                    else:
                        peer.shutdown(socket.SHUT_WR)
                        time.sleep(0.3)
                        eq(receive_all(c.data)[0], sent)
                        peer.close()


def _ioctl(sock, request):
    import fcntl
    return fcntl.ioctl(sock.fileno(), request, b"\0\0\0\0")


# --- ends ---------------------------------------------------------------------------------------------------------------


@case
def who_closes_first():
    """The program's close reaches the peer as FIN, or as a reset with bytes unread; after its half-close it is noticed; a
    close is noticed even if the peer never says anything again."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)
        before = lab.live()
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, server.address) as c:
                peer = server.get()
            eq(peer.recv(1), b"")
            wire.until(lambda: "closed" in {s.get("end") for s in lab.status("sockets")["sockets"]})
            peer.sendall(b"to nobody")  # which is told so
            wire.until(lambda: peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (errno.ECONNRESET, errno.EPIPE))
            peer.close()
            c = wire.connect(cap, server.address)
            with server.get() as peer:
                peer.sendall(b"never read")
                wire.until(lambda: wire.select.select([c.data], [], [], 0)[0])
                with c:
                    pass
                reads_error(peer, "ECONNRESET")
        lab.settles(before)


@case
def urgent_data():
    """MSG_OOB is carried in its place as an ordinary byte, both ways (RFC 6093), and the daemon does not spin."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get() as peer:
            for a, b in ((c.data, peer), (peer, c.data)):
                b.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
                a.sendall(b"ab")
                a.send(b"c", socket.MSG_OOB)
                a.sendall(b"d")
                got = b""
                while len(got) < 4:
                    got += b.recv(4 - len(got))
                eq(got, b"abcd")
            turns = lab.counters()["loop.turns"]
            time.sleep(1)
            spent = lab.counters()["loop.turns"] - turns
            assert spent < 200, f"{spent} turns in a second with nothing to do"


# --- listeners ------------------------------------------------------------------------------------------------------------


@case
def a_listening_socket():
    """accept(2) by two processes; the true peer; status shows the queue; Accept calls are not for it; the end."""
    with tcp_lab() as lab:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-listen") as cap:
            control, listener, reply = wire.listen_socket(cap, 8080, backlog=5)
            eq(reply["local"]["port"], 8080)
            eq(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
            refused("CONFLICT", wire.accept, control)
            peers = [socket.create_connection((STATIC, 8080)) for _ in range(8)]
            row = wire.until(lambda: next((s for s in lab.status("sockets")["sockets"] if s["state"] == "LISTEN"
                                           and s.get("queue", 0) + s.get("waiting", 0) == 8), None))
            eq((row["form"], row["queue"], row["queue_backlog"], row["waiting"], row["blocked_on"]),
               ("socket", 5, 5, 3, "nothing"))
            pids = []
            for _ in range(2):
                pid = os.fork()
                if pid == 0:
                    for _ in range(4):
                        connection, peer = listener.accept()
                        connection.sendall("{}:{} {}:{}".format(*peer, *connection.getsockname()).encode())
                        connection.close()
                    os._exit(0)
                pids.append(pid)
            for p in peers:
                eq(p.recv(100).decode(), "{}:{} {}:8080".format(*p.getsockname(), STATIC))
                eq(p.recv(1), b"")
                p.close()
            for pid in pids:
                eq(os.waitpid(pid, 0)[1], 0)
            with socket.create_connection((STATIC, 8080)) as waits:
                wire.until(lambda: wire.select.select([listener], [], [], 0)[0])
                control.close()
                try:
                    while True:  # the one that waited is reset, but it may be handed out first
                        listener.accept()[0].close()
                except OSError as e:
                    eq(errno.errorcode[e.errno], "EINVAL")
                with contextlib.suppress(ConnectionResetError):
                    eq(waits.recv(1), b"")
            refused_by_kernel((STATIC, 8080))
            listener.close()
            wire.listen_socket(cap, 8080)[0].close()


def refused_by_kernel(where):
    try:
        socket.create_connection(where, 5).close()
    except ConnectionRefusedError:
        return
    raise AssertionError(f"somebody listens at {where}")


@case
def a_blocked_accept_wakes_when_revoked():
    with tcp_lab() as lab:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-listen") as cap:
            child, ident = cap.attenuate([], label="child")
            control, listener, _ = wire.listen_socket(child, 8080)
            seen = []

            def block():
                try:
                    listener.accept()
                except OSError as e:
                    seen.append(errno.errorcode[e.errno])
            thread = threading.Thread(target=block)
            thread.start()
            time.sleep(0.2)
            with socket.create_connection((STATIC, 8080)) as peer:
                del peer  # wakes it with a connection
            thread.join(5)
            thread = threading.Thread(target=block)
            thread.start()
            time.sleep(0.2)
            cap.revoke(ident)
            thread.join(5)
            eq((thread.is_alive(), seen), (False, ["EINVAL"]))
            control.close()
            # The dead socket listens again: nobody comes, and another listener on the port has it for itself.
            listener.listen(5)
            refused_by_kernel((STATIC, 8080))


@case
def overflow_by_policy():
    """Beyond the backlog: left to try again, or refused; each is counted."""
    with tcp_lab() as lab:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-listen") as cap:
            control, listener, _ = wire.listen_socket(cap, 8080, backlog=2, overflow="REFUSE")
            peers = [socket.create_connection((STATIC, 8080), 5) for _ in range(4)]  # 2 in its queue, 2 in the stack
            wire.until(lambda: any(s.get("queue") == 2 and s.get("waiting") == 2 for s in lab.status("sockets")["sockets"]))
            refused_by_kernel((STATIC, 8080))
            (row,) = [s for s in lab.status("sockets")["sockets"] if s["state"] == "LISTEN"]
            eq((row["refused"], row["dropped"], row["blocked_on"]), (1, 0, "accept-queue"))
            for p in peers:
                listener.accept()[0].close()
                p.close()
            control.close()
            refused("MALFORMED", cap.call, "Listen", {"port": 8081, "socket": True, "overflow": 5})


@case
def a_listener_follows_the_lease():
    """interface-address is where the interface is: the same listening socket serves the next address."""
    with tcp_lab(("manager", "allow = * get,set")) as lab:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-listen") as cap, lab.take("tcp", "manager") as manager:
            control, listener, _ = wire.listen_socket(cap, 8080)
            with socket.create_connection((STATIC, 8080)) as p:
                connection, peer = listener.accept()
                eq((connection.getsockname()[0], peer), (STATIC, p.getsockname()))
                manager.call("SetStatic", {"interface": "net0", "address": "10.99.0.77/24", "gateway": GATEWAY})
                reads_error(connection, "ECONNRESET")
                connection.close()
            with socket.create_connection(("10.99.0.77", 8080)) as p:
                connection, peer = listener.accept()
                eq((connection.getsockname(), peer), (("10.99.0.77", 8080), p.getsockname()))
                connection.close()
            (row,) = [s for s in lab.status("sockets")["sockets"] if s["state"] == "LISTEN"]
            eq(row["local"], "10.99.0.77:8080")
            control.close()


# --- grants do not meet ---------------------------------------------------------------------------------------------------


@case
def one_grant_is_not_in_another_s_way():
    """A program keeps the dead socket of its listener and listens on it again; its grant is told that the port is taken,
    another grant gets the port and its connections."""
    with tcp_lab() as lab:
        lab.grant("other", ("listen", "allow = interface-address:8000-8099"))
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-listen") as mine, lab.take("other", "tcp-listen") as other:
            control, stale, _ = wire.listen_socket(mine, 8080)
            control.close()
            wire.until(lambda: not [s for s in lab.status("sockets")["sockets"] if s["state"] == "LISTEN"])
            stale.listen(100)
            refused("ADDRESS_IN_USE", wire.listen_socket, mine, 8080)
            control, listener, _ = wire.listen_socket(other, 8080)
            with socket.create_connection((STATIC, 8080)) as p:
                eq(listener.accept()[1], p.getsockname())
            stale.setblocking(False)
            try:
                stale.accept()
                raise AssertionError("it got another grant's connection")
            except BlockingIOError:
                pass
            control.close()
            stale.close()
            wire.listen_socket(mine, 8080)[0].close()


# --- many -----------------------------------------------------------------------------------------------------------------


@case(seconds=170)
def ten_thousand_connections():
    """Opened, used and closed on 100 ports, by both sides first in turn: none refused, and nothing stays behind, in the
    daemon and in either namespace."""
    with tcp_lab() as lab, contextlib.ExitStack() as stack:
        lab.start()
        sockets_or_skip(lab)

        def one_byte(c):
            what = c.recv(1)
            c.sendall(what)
            if what == b"p":  # the peer closes first
                c.shutdown(socket.SHUT_WR)
                c.recv(1)
            else:
                eq(c.recv(1), b"")
        servers = [stack.enter_context(Server(one_byte)) for _ in range(100)]
        with lab.take("tcp", "tcp-connect") as cap:
            before = lab.live()
            for i in range(10000):
                first = b"p" if i % 2 else b"m"
                with wire.connect(cap, servers[i % 100].address, form="SOCKET") as c:
                    c.control.close()
                    c.control = None
                    c.data.sendall(first)
                    eq(c.data.recv(1), first)
                    if first == b"p":
                        eq(c.data.recv(1), b"")
            lab.settles(before)
        eq([f for s in servers for f in s.failed], [])
        wire.until(lambda: not sockets_inside(lab))
        eq(lab.counters()["flow.fallbacks"], 0)


@case(seconds=170)
def a_gigabyte():
    """1 GB, by checksum, and 200 MB each way at once."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-connect") as cap:
            with wire.connect(cap, server.address) as c, server.get() as peer:
                digest = []
                thread = threading.Thread(target=lambda: digest.append(send_pattern(peer, GIGABYTE)))
                thread.start()
                eq(receive_all(c.data), (GIGABYTE, digest[0] if thread.join() is None else None))
            with wire.connect(cap, server.address) as c, server.get() as peer:
                exchange(c.data, peer, 200 * 1000 * 1000)
                eq(c.end(), "CLOSED")


@case
def the_helper_dies():
    """Connections live on; new ones are pairs, and status says why."""
    with tcp_lab() as lab, Kept() as server:
        lab.start()
        sockets_or_skip(lab)
        with lab.take("tcp", "tcp-connect") as cap, wire.connect(cap, server.address) as c, server.get() as peer:
            os.kill(helper(lab), 9)
            wire.until(lambda: lab.page("daemon")["daemon"].get("no_sockets"))
            has(lab.page("daemon")["daemon"]["no_sockets"], "the helper process ended")
            exchange(c.data, peer, 100000)
            with wire.connect(cap, server.address) as pair, server.get():
                eq(pair.real, False)
            refused("UNAVAILABLE", wire.connect, cap, server.address, 0, "SOCKET")
