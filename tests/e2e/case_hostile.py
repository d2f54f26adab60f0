# SPDX-License-Identifier: BSD-3-Clause
"""Hostile clients and a hostile wire: typed errors, the daemon alive, everything back to where it was."""
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import time

import wire
from lab import FAR, GATEWAY, STATIC, TOP, Lab, Server, case, eq, has, refused, sh

STATUS = ("status", "allow = all")
ALL = (STATUS, ("ping", "allow = *"), ("dns", "allow = *"), ("connect", "allow = *:*"),
       ("listen", "allow = interface-address:8000-8099"), ("manager", "allow = * get"))
SEED = 20260101


def hostile_lab(**kw):
    lab = Lab(**kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("all", *ALL)
    return lab


def answers_ping(lab):
    with lab.take("all", "ping") as cap:
        ((event, _),) = cap.stream("Echo", {"target": GATEWAY, "timeout_ms": 3000})
        eq(event["kind"], 1, "the daemon still pings")


def drain(cap):
    """Whatever it says; True when the endpoint is over."""
    try:
        while select.select([cap], [], [], 0)[0]:
            for fd in cap.recv(0)[1]:
                os.close(fd)
    except (wire.Gone, wire.Terminal, BrokenPipeError):
        return True
    return False


def throw(lab, make, frames):
    """Sends frames to endpoints of every sort, opening anew what the daemon ends."""
    openers = [lambda: wire.door(lab.path("all")), lambda: wire.open_grant(lab.path("all"))]
    openers += [lambda k=k: lab.take("all", k) for k in ("ping", "dns", "tcp-connect", "tcp-listen", "status", "manager")]
    for opener in openers:
        cap = opener()
        for i in range(frames):
            try:
                cap.send_raw(make(i))
                over = drain(cap)
            except (BrokenPipeError, ConnectionResetError):
                over = True
            if over:
                cap.close()
                cap = opener()
        cap.close()
    assert lab.alive()


@case
def random_frames():
    with hostile_lab() as lab:
        lab.start()
        answers_ping(lab)
        before, rng = lab.live(), random.Random(SEED)
        throw(lab, lambda i: rng.randbytes(rng.choice((1, 2, 7, 40, 300, 5000, 65535))), 60)
        lab.settles(before)
        answers_ping(lab)
        assert lab.counters()["rpc.malformed"] > 0


@case
def mutated_frames():
    """Good requests of every method with some bytes changed, cut, doubled."""
    with hostile_lab() as lab:
        lab.start()
        answers_ping(lab)
        before, rng, seeds = lab.live(), random.Random(SEED), []
        bodies = {"PingEchoRequest": {"target": "10.97.0.1", "count": 2, "timeout_ms": 20},
                  "DnsResolveRequest": {"name": "web.lab.test", "types": [1, 28], "timeout_ms": 50},
                  "TcpConnectRequest": {"remote": wire.endpoint(f"{GATEWAY}:9")},
                  "TcpListenRequest": {"address": "interface-address", "port": 8080, "backlog": 5},
                  "GrantTakeRequest": {"kind": "ping"}, "StatusGetRequest": {"sections": ["daemon"]},
                  "AttenuateRequest": {"rights": ["10.0.0.0/8:80"], "limits": [{"name": "sockets", "max": 3}]},
                  "RevokeRequest": {"id": 3}}
        for service, methods in wire.SCHEMA.services.items():
            for method, request, _ in methods:
                number = wire.method_number(service, method)[0]
                seeds.append(wire.encode("Frame", {"kind": 1, "call": 1, "method": number, "deadline_ms": 100,
                                                   "body": wire.encode(request, bodies.get(request, {}))}))

        def mutate(i):
            frame = bytearray(seeds[i % len(seeds)])
            for _ in range(rng.randint(0, 4)):
                at = rng.randrange(len(frame))
                match rng.randrange(4):
                    case 0: frame[at] = rng.randrange(256)
                    case 1: del frame[at:at + rng.randint(1, 4)]
                    case 2: frame[at:at] = rng.randbytes(rng.randint(1, 4))
                    case 3: frame += frame[at:]
                if not frame:
                    frame = bytearray(b"\x08")
            return bytes(frame)
        throw(lab, mutate, 150)
        lab.settles(before)
        answers_ping(lab)


@case
def call_numbers_are_checked():
    """0 is no number of a call, and no two calls under way share one: told, and nobody else's call is touched."""
    with hostile_lab() as lab:
        lab.start()
        before = lab.live()
        echo = {"kind": 1, "method": 16, "body": wire.encode("PingEchoRequest", {"target": "10.99.0.200", "timeout_ms": 5000})}
        for numbers in ((0,), (7, 7)):
            with lab.take("all", "ping") as cap:
                for n in numbers:
                    cap.send_raw(wire.encode("Frame", echo | {"call": n}))
                try:
                    frame, _ = cap.recv(3)
                    code = wire.CODE[frame["error"]["code"]]
                except wire.Terminal as e:
                    code = e.code
                eq(code, "MALFORMED")
        lab.settles(before)
        answers_ping(lab)


@case
def descriptors_where_none_belong():
    """A request that carries descriptors, a lingering TCP socket among them, is refused and does not stall the loop."""
    with hostile_lab() as lab:
        lab.start()
        answers_ping(lab)
        before = lab.live()
        with socket.create_server(("127.0.0.1", 0)) as server, lab.take("status", "status") as cap, \
                lab.take("all", "ping") as ping:
            lingering = socket.create_connection(server.getsockname())
            lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
            lingering.setblocking(False)
            try:
                while True:
                    lingering.send(b"x" * 65536)
            except BlockingIOError:
                pass
            with open("/dev/null", "rb") as null:
                for fds in ([lingering.fileno()], [null.fileno()] * 253):
                    try:
                        call = cap.send("Get", {"sections": ["daemon"]}, fds=fds)
                    except OSError as e:  # the kernel has SO_PASSRIGHTS and refused
                        eq(e.errno, 1, e)
                        continue
                    if fds[0] == lingering.fileno():
                        lingering.close()
                    frame, _ = cap.recv()
                    eq((frame["call"], frame["kind"]), (call, wire.KIND["ERROR"]))
                    eq(wire.CODE[frame["error"]["code"]], "DESCRIPTOR")
            ((event, _),) = ping.stream("Echo", {"target": GATEWAY}, timeout=3)
            eq(event["kind"], 1)
        server.close()
        lab.settles(before, 40)


@case
def killed_in_the_middle():
    """kill -9 of clients with calls, listeners, look-ups, connections under way: everything is given back."""
    with hostile_lab() as lab, Server(lambda c: c.recv(1)) as server:
        lab.start()
        answers_ping(lab)
        before = lab.live()
        code = (f"import sys; sys.path.insert(0, {os.path.join(TOP, 'tests/e2e')!r}); import wire, time\n"
                f"p = {lab.path('all')!r}; g = wire.open_grant(p); t = lambda k: wire.take(g, k)\n"
                "a, b, c, d, s = t('ping'), t('dns'), t('tcp-connect'), t('tcp-listen'), t('status')\n"
                f"a.send('Echo', {{'target': '{FAR}', 'count': 50, 'interval_ms': 200}})\n"
                "b.send('Resolve', {'name': 'a.test', 'types': [1, 28]}); s.send('Watch')\n"
                f"x = wire.connect(c, '{server.address}'); k, _ = c.attenuate([]); y = wire.connect(k, '{server.address}')\n"
                "c.send('Connect', {'remote': wire.endpoint('10.99.0.200:9')})\n"
                "l, _ = wire.listen(d, 8000 + int(sys.argv[1])); l.send('Accept'); x.control.send('WaitEnd')\n"
                "x.data.sendall(b'y' * 200000) if int(sys.argv[1]) % 2 else None\n"
                "print('up', flush=True); time.sleep(100)")
        for _ in range(3):
            processes = [subprocess.Popen(["/usr/bin/python3", "-B", "-c", code, str(i)], stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT) for i in range(5)]
            lab.children += processes
            for p in processes:
                eq(p.stdout.readline(), b"up\n")
            assert lab.live() != before
            for p in processes:
                p.kill()
            for p in processes:
                p.wait()
        lab.settles(before)
        answers_ping(lab)


@case
def budgets_hold():
    """One uid opens and parks until it is refused, typed; when it lets go all of it is usable again."""
    with hostile_lab() as lab:
        lab.grant("small", ("ping", "allow = *"), ("listen", "allow = interface-address:*"), users="root")
        with open(f"{lab.grants_dir}/small.grant", "r+", encoding="utf-8") as f:
            text = f.read().replace("[grant]\n", "[grant]\nlimit.endpoints = 20\nlimit.calls = 10\nlimit.children = 30\n")
            f.seek(0)
            f.write(text)
        lab.start()
        before = lab.live()
        held, code = [], None
        grant = wire.open_grant(lab.path("small"))
        try:
            for _ in range(100):
                held.append(wire.take(grant, "ping"))
        except wire.Refused as e:
            code = e.code
        assert code == "OVER_BUDGET" and 10 <= len(held) <= 20, (code, len(held))
        for cap in held[1:]:
            cap.close()
        call = [held[0].send("Echo", {"target": GATEWAY, "count": 50, "interval_ms": 1000}) for _ in range(12)]
        seen = set()
        while len(seen) < 2:
            frame, _ = held[0].recv()
            if frame["kind"] == wire.KIND["ERROR"]:
                seen.add(frame["call"])
                eq(wire.CODE[frame["error"]["code"]], "OVER_BUDGET")
        assert seen <= set(call)
        held[0].close()
        grant.close()
        lab.settles(before)


@case
def descriptor_exhaustion():
    """The daemon with few descriptors: new clients wait or are refused, old ones are served, and all recovers."""
    with hostile_lab() as lab:
        lab.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48)))
        answers_ping(lab)
        with lab.take("all", "ping") as old, lab.take("status", "status") as status:
            before = len(os.listdir(f"/proc/{lab.daemon.pid}/fd"))
            doors = []
            for _ in range(60):
                s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                s.setblocking(False)
                try:
                    s.connect(lab.path("all"))
                except OSError:
                    pass
                doors.append(s)
            time.sleep(0.5)
            for _ in range(3):
                ((event, _),) = old.stream("Echo", {"target": GATEWAY}, timeout=5)
                eq(event["kind"], 1)
            turns = [next(c["value"] for c in part["daemon"]["counters"] if c["name"] == "loop.turns")
                     for _ in range(2) for part, _ in status.stream("Get", {"sections": ["daemon"]})
                     if not time.sleep(1)]
            assert turns[1] - turns[0] < 300, f"{turns} turns: it spins on what it cannot accept"
            for s in doors:
                s.close()
            wire.until(lambda: len(os.listdir(f"/proc/{lab.daemon.pid}/fd")) <= before)
        answers_ping(lab)


@case
def half_open_clients():
    """Clients that connect to a grant's socket and say nothing, or half a word, cost what their budget allows."""
    with hostile_lab() as lab:
        lab.start()
        answers_ping(lab)
        before, doors = lab.live(), []
        for _ in range(300):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.settimeout(2)
            try:
                s.connect(lab.path("all"))
            except (OSError, TimeoutError):
                pass
            doors.append(s)
        assert lab.alive()
        for s in doors[::2]:
            try:
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        lab.counters()
        for s in doors:
            s.close()
        lab.settles(before)
        answers_ping(lab)


# --- the wire --------------------------------------------------------------------------------------------------------


def raw_socket():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("cap0", 0))
    return s


def addresses(lab):
    ours = lab.page("interfaces")["interfaces"][0]["mac"]
    return ours, json.loads(sh("ip", "-j", "link", "show", "cap0").stdout)[0]["address"]


@case
def syn_flood():
    """20,000 SYNs from made-up addresses at a listener: half-open ones are bounded, others are served meanwhile."""
    import logging
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.all import IP, TCP, Ether
    with hostile_lab() as lab:
        lab.start()
        answers_ping(lab)
        before, (ours, theirs) = lab.live(), addresses(lab)
        rng, raw = random.Random(SEED), raw_socket()
        with lab.take("all", "tcp-listen") as cap:
            listener, _ = wire.listen(cap, 8080)
            template = bytes(Ether(dst=ours, src=theirs) / IP(src="10.98.0.1", dst=STATIC) / TCP(sport=1, dport=8080,
                                                                                               flags="S", seq=1))
            for i in range(20000):
                frame = bytearray(template)
                frame[26:30] = bytes((10, 96, rng.randrange(256), 1 + rng.randrange(254)))
                frame[34:36] = struct.pack("!H", rng.randint(1024, 65535))
                frame[24:26] = b"\0\0"
                frame[24:26] = checksum(frame[14:34])
                frame[50:52] = b"\0\0"
                frame[50:52] = checksum(frame[26:34] + b"\0\6\0\x14" + frame[34:54])
                try:
                    raw.send(frame)
                except OSError:
                    time.sleep(0.001)  # the TAP's queue is full
                if i % 5000 == 4999:
                    answers_ping(lab)
            counters = lab.counters()
            assert counters["stack.tcp_active"] < 2000, counters["stack.tcp_active"]
            assert counters["stack.syn_dropped"] > 0
            listener.close()
        lab.settles(before)
        answers_ping(lab)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


@case(seconds=90)
def malformed_packets():
    """Broken ARP, IP, ICMP, TCP and UDP, short, long, lying about lengths, fragments that never end, and noise."""
    import logging
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, IPOption, Raw, fuzz
    with hostile_lab() as lab:
        lab.start()
        answers_ping(lab)
        before, (ours, theirs) = lab.live(), addresses(lab)
        random.seed(SEED)
        rng, raw = random.Random(SEED), raw_socket()
        ether = Ether(dst=ours, src=theirs)
        ip = IP(src=GATEWAY, dst=STATIC)
        sent = []
        for make in (lambda: ether / fuzz(ARP()), lambda: ether / ARP(op=2, psrc=STATIC, hwsrc="02:00:00:00:00:66"),
                     lambda: ether / IP(src=GATEWAY, dst=STATIC, ihl=rng.randrange(16)) / b"x" * 30,
                     lambda: ether / IP(src=GATEWAY, dst=STATIC, len=rng.randrange(65536)) / ICMP(),
                     lambda: ether / ip / fuzz(ICMP()), lambda: ether / ip / fuzz(TCP(dport=8080)),
                     lambda: ether / ip / TCP(dport=8080, dataofs=rng.randrange(16), flags=rng.randrange(256)),
                     lambda: ether / ip / TCP(dport=8080, flags="S", options=[("MSS", 0), ("WScale", 255)]),
                     lambda: ether / ip / UDP(sport=53, dport=rng.randrange(65536), len=rng.randrange(65536)) / b"x",
                     lambda: ether / ip / UDP(sport=67, dport=68) / Raw(rng.randbytes(300)),
                     lambda: ether / IP(src=GATEWAY, dst=STATIC, flags="MF", id=rng.randrange(65536),
                                        frag=rng.randrange(8191)) / Raw(rng.randbytes(64)),
                     lambda: ether / IP(src=STATIC, dst=STATIC) / TCP(sport=8080, dport=8080, flags="S"),
                     lambda: ether / IP(src="127.0.0.1", dst=STATIC) / ICMP(),
                     lambda: ether / IP(src=GATEWAY, dst=STATIC, options=IPOption(rng.randbytes(8))) / ICMP(),
                     lambda: ether / ip / ICMP(type=3, code=rng.randrange(16)) / Raw(rng.randbytes(20)),
                     lambda: Ether(dst=ours, src=theirs, type=0x86dd) / Raw(rng.randbytes(rng.randrange(80))),
                     lambda: Ether(dst=ours, src=theirs, type=rng.randrange(65536)) / Raw(rng.randbytes(64))):
            for _ in range(40):
                try:
                    sent.append(bytes(make()))
                except (struct.error, ValueError, OverflowError, TypeError, AttributeError):
                    pass  # scapy itself would not build it
        for _ in range(1000):
            frame = bytearray(rng.choice(sent))
            for _ in range(rng.randint(1, 6)):
                frame[rng.randrange(12, len(frame))] = rng.randrange(256)
            sent.append(bytes(frame[:rng.randint(14, len(frame))]))
        assert len(sent) > 1500, len(sent)
        with lab.take("all", "tcp-listen") as cap:
            listener, _ = wire.listen(cap, 8080)
            for frame in sent:
                try:
                    raw.send(frame[:1514])
                except OSError:
                    time.sleep(0.001)
            assert lab.alive()
            listener.close()
        sh("ip", "neighbour", "flush", "dev", "cap0")
        wire.until(lambda: lab.client("capnet-ping", "-g", "all", "-c", "1", GATEWAY).returncode == 0)
        eq(lab.counters()["stack.asserts"], 0)
        wire.until(lambda: lab.counters()["stack.pbuf_bytes"] < 1 << 20, 30)
        lab.settles(before)


@case
def status_escapes_what_it_shows():
    """A process name with control characters does not reach the terminal, nor the log, as such."""
    with hostile_lab() as lab:
        lab.start()
        code = ("import ctypes, sys, time; ctypes.CDLL(None).prctl(15, b'\\x1b[31mred\\n\\x07', 0, 0, 0)\n"
                f"sys.path.insert(0, {os.path.join(TOP, 'tests/e2e')!r}); import wire\n"
                f"c = wire.take(wire.open_grant({lab.path('all')!r}), 'ping'); print('up', flush=True); time.sleep(60)")
        p = subprocess.Popen(["/usr/bin/python3", "-B", "-c", code], stdout=subprocess.PIPE)
        lab.children.append(p)
        eq(p.stdout.readline(), b"up\n")
        for out in (lab.client("capnet-status", "grants").stdout, lab.client("capnet-status", "--json").stdout,
                    lab.read("log")):
            assert "\x1b" not in out and "\x07" not in out, repr(out)
            has(out, "red")
        p.send_signal(signal.SIGKILL)
        p.wait()
        refused("DENIED", lab.take("all", "manager").call, "Release", {"interface": "net0"})
