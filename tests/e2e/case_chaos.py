# SPDX-License-Identifier: BSD-3-Clause
"""Everything at once, for a while: clients of several uids that call what they may and may not, die in the middle, keep
what they should give back, while grants change and descriptors run out. Afterwards nothing of it is left.

A seed makes each client's choices the same in every run; how they interleave is the kernel's affair.
CAPNET_CHAOS_SECONDS and CAPNET_CHAOS_SEED (environment) make a longer or another run by hand."""
import os
import random
import resource
import select
import signal
import socket
import time

import wire
from case_hostile import ALL, STATUS, answers_ping
from lab import FAR, GATEWAY, Lab, Server, case

SECONDS = int(os.environ.get("CAPNET_CHAOS_SECONDS", "12"))
SEED = int(os.environ.get("CAPNET_CHAOS_SEED", "20261123"))
UIDS = (0, 0, 1, 2, 2, 3)
NOISE = (ConnectionError, OSError, wire.Refused, wire.Gone, wire.Late, IndexError, KeyError, ValueError, AssertionError)


class Client:
    """One process of noise. Whatever it holds goes when it is killed."""

    def __init__(self, rng, paths, port):
        self.rng, self.paths, self.port = rng, paths, port
        self.caps, self.held = [], []

    def door(self):
        path = self.rng.choice(self.paths)
        opener = self.rng.choice((wire.door, wire.open_grant, wire.open_grant))
        self.caps.append(opener(path))

    def take(self):
        with wire.open_grant(self.rng.choice(self.paths)) as g:
            kind = self.rng.choice(sorted(wire.SERVICE_OF))
            self.caps.append(wire.take(g, kind))

    def some(self, service=None):
        fit = [c for c in self.caps if not service or c.service == service]
        return self.rng.choice(fit)

    def narrow(self):
        child, _ = self.some().attenuate(limits={self.rng.choice(("endpoints", "sockets", "calls")): self.rng.randrange(9)},
                                         expires_in_ms=self.rng.choice((0, 1, 20, 5000)))
        self.caps.append(child)

    def revoke(self):
        self.some().revoke(self.rng.choice((None, None, 1, self.rng.randrange(500))))

    def connect(self):
        target = self.rng.choice((f"{GATEWAY}:{self.port}", f"{GATEWAY}:1", f"{FAR}:9", "127.0.0.1:80", "10.99.0.2:8000"))
        self.some("TcpConnectAuthority").send("Connect", {"remote": wire.endpoint(target)},
                                              deadline_ms=self.rng.choice((0, 1, 50, 2000)))

    def listen(self):
        listener, _ = wire.listen(self.some("TcpListenAuthority"), self.rng.randrange(8000, 8100),
                                  backlog=self.rng.randrange(0, 70))
        listener.send(self.rng.choice(("Accept", "AcceptChannel")))
        self.caps.append(listener)

    def ask(self):
        service, method, body = self.rng.choice((
            ("Ping", "Echo", {"target": GATEWAY, "count": self.rng.randrange(5), "interval_ms": 200}),
            ("DnsResolver", "Resolve", {"name": self.rng.choice(("a.test", "x", "..", "\\000.test")), "types": [1, 2]}),
            ("NetworkStatus", "Watch", {}), ("NetworkStatus", "Get", {}), ("NetworkManager", "Get", {}),
            ("NetworkManager", "SetStatic", {"address": "10.99.0.77/24"})))
        self.some(service).send(method, body, deadline_ms=self.rng.choice((0, 0, 10)))

    def garbage(self):
        cap = self.some()
        if self.rng.random() < 0.5:
            cap.send_raw(self.rng.randbytes(self.rng.randrange(1, 200)))
        else:
            cap.send(self.rng.randrange(40), self.rng.randbytes(self.rng.randrange(30)))

    def descriptor(self):
        self.some().send("Describe", fds=[0, 1])

    def hear(self):
        for cap in select.select(self.caps, [], [], 0)[0]:
            try:
                for fd in cap.recv(0)[1]:
                    self.held.append(socket.socket(fileno=fd))
            except NOISE:
                cap.close()
        self.caps = [c for c in self.caps if c.fileno() >= 0]

    def data(self):
        s = self.rng.choice(self.held)
        s.setblocking(False)
        self.rng.choice((lambda: s.send(bytes(100000)), lambda: s.recv(100000), lambda: s.shutdown(socket.SHUT_WR)))()

    def drop(self):
        self.rng.choice((self.caps, self.held)).pop(0).close()

    def turn(self):
        todo = (self.door, self.take, self.take, self.narrow, self.revoke, self.connect, self.connect, self.listen, self.ask,
                self.ask, self.garbage, self.descriptor, self.hear, self.hear, self.data, self.data, self.drop)
        try:
            self.rng.choice(todo)()
        except NOISE:
            pass
        if len(self.caps) + len(self.held) > 300:
            self.drop()


def spawn(rng, uid, paths, port):
    seed = rng.random()
    pid = os.fork()
    if pid:
        return pid
    try:
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        client = Client(random.Random(seed), paths, port)
        while True:
            client.turn()
    finally:
        os._exit(1)


def change_grants(lab, rng):
    """A grant that comes, goes and changes; now and then a file that is none."""
    text = rng.choice((None, ("ping", "allow = *"), ("connect", "allow = *:*", f"sockets = {rng.randrange(1, 50)}"), ("nonsense",)))
    if text:
        lab.grant("fickle", *([text] if text[0] == "nonsense" else [text, *ALL[3:5][text[0] == "connect":]]), users="root 1 2")
    elif os.path.exists(f"{lab.grants_dir}/fickle.grant"):
        os.unlink(f"{lab.grants_dir}/fickle.grant")


def limit_descriptors(lab, soft=None):
    hard = resource.prlimit(lab.daemon.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(lab.daemon.pid, resource.RLIMIT_NOFILE, (min(soft or hard, hard), hard))


def storm(lab, rng, port, seconds):
    paths = [lab.path(n) for n in ("all", "shared", "fickle")]
    clients = {spawn(rng, uid, paths, port): uid for uid in UIDS}
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            time.sleep(rng.random() * 0.2)
            assert lab.alive(), "the daemon ended"
            if rng.random() < 0.4:
                pid = rng.choice(sorted(clients))
                uid = clients.pop(pid)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                clients[spawn(rng, uid, paths, port)] = uid
            if rng.random() < 0.4:
                change_grants(lab, rng)
                for _ in range(rng.randrange(1, 6)):
                    lab.daemon.send_signal(signal.SIGHUP)
            if rng.random() < 0.15:
                limit_descriptors(lab, len(os.listdir(f"/proc/{lab.daemon.pid}/fd")) + rng.randrange(8))
            elif rng.random() < 0.3:
                limit_descriptors(lab)
    finally:
        for pid in clients:
            os.kill(pid, signal.SIGKILL)
        for pid in clients:
            os.waitpid(pid, 0)
        limit_descriptors(lab)


def back_on_the_ground(lab):
    if os.path.exists(f"{lab.grants_dir}/fickle.grant"):
        os.unlink(f"{lab.grants_dir}/fickle.grant")
    lab.daemon.send_signal(signal.SIGHUP)
    wire.until(lambda: not os.path.exists(lab.path("fickle")))


@case(seconds=120 + SECONDS)
def everything_at_once():
    rng = random.Random(SEED)
    with Lab() as lab:
        lab.tap()
        lab.grant("status", STATUS)
        lab.grant("all", *ALL)
        lab.grant("shared", *ALL[1:5], users="root 1 2")
        lab.start()
        answers_ping(lab)
        before, nodes = lab.live(), lab.counters()["cap.nodes"]
        with Server(lambda c: c.recv(100000)) as server:
            storm(lab, rng, server.port, SECONDS)
        back_on_the_ground(lab)
        lab.settles(before, 40)
        wire.until(lambda: lab.counters()["cap.nodes"] == nodes)
        answers_ping(lab)
        counters = lab.counters()
        assert counters["stack.asserts"] == 0, counters
        print({k: v for k, v in counters.items() if v})
