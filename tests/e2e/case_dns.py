# SPDX-License-Identifier: BSD-3-Clause
"""Names: dnsmasq for the ordinary, a scripted server for every way to fail."""
import os
import socket
import struct
import threading
import time

import wire
from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord
from lab import GATEWAY, Capture, Lab, case, eq, has, program, refused, sh

STATUS = ("status", "allow = all")
PORT = 5300


class Script:
    """Answers by the first label of the name; UDP and TCP."""

    def __init__(self):
        self.asked = []  # (transport, name, type, source port, id)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((GATEWAY, PORT))
        self.tcp = socket.create_server((GATEWAY, PORT))
        for f in (self.run_udp, self.run_tcp):
            threading.Thread(target=f, daemon=True).start()

    def answer(self, data, transport, peer):
        query = DNSRecord.parse(data)
        name, kind = str(query.q.qname).rstrip("."), QTYPE[query.q.qtype]
        self.asked.append((transport, name, kind, peer[1], query.header.id))
        r = query.reply()
        what = name.split(".")[0]
        if what in ("nxdomain", "servfail", "refused"):
            r.header.rcode = getattr(RCODE, what.upper())
        elif what == "silent":
            return []
        elif what == "garbage":
            return [os.urandom(40)]
        elif what == "wrongid":
            r.header.id ^= 0x5555
            r.add_answer(RR(query.q.qname, QTYPE.A, rdata=A("192.0.2.66")))
        elif what == "truncated" and transport == "udp":
            r.header.tc = 1
        elif what == "loop":
            r.add_answer(RR(query.q.qname, QTYPE.CNAME, rdata=CNAME("other.lab.test")),
                         RR("other.lab.test", QTYPE.CNAME, rdata=CNAME(name)))
        elif what == "alias":
            r.add_answer(RR(query.q.qname, QTYPE.CNAME, rdata=CNAME("real.lab.test"), ttl=60))
            if kind == "A":
                r.add_answer(RR("real.lab.test", QTYPE.A, rdata=A("192.0.2.9"), ttl=30))
        elif what == "large":
            for i in range(int(name.split(".")[1])):
                r.add_answer(RR(query.q.qname, QTYPE.A, rdata=A(f"192.0.2.{i + 1}")))
        elif kind == "A":
            r.add_answer(RR(query.q.qname, QTYPE.A, rdata=A("192.0.2.7"), ttl=300))
        elif kind == "AAAA" and what != "four":
            r.add_answer(RR(query.q.qname, QTYPE.AAAA, rdata=AAAA("2001:db8::7"), ttl=300))
        return [r.pack()]

    def run_udp(self):
        while True:
            data, peer = self.udp.recvfrom(4096)
            for reply in self.answer(data, "udp", peer):
                self.udp.sendto(reply, peer)

    def run_tcp(self):
        while True:
            connection, peer = self.tcp.accept()
            with connection:
                connection.settimeout(10)
                size = connection.recv(2, socket.MSG_WAITALL)
                if len(size) == 2:
                    data = connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                    for reply in self.answer(data, "tcp", peer):
                        connection.sendall(struct.pack("!H", len(reply)) + reply)
                    connection.recv(1)


def scripted(**kw):
    lab = Lab(resolver=f"servers = {GATEWAY}:{PORT}", **kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("resolve", ("dns", "allow = lab.test", "dns.time = 10s"))
    lab.script = Script()
    return lab.start()


def answers(cap, name, *types, **more):
    """{type: addresses, or the code of its error}; the types are wire numbers."""
    try:
        reply = cap.call("Resolve", {"name": name, "types": types or (1,), **more}, timeout=40)[0]
    except wire.Refused as e:
        return {t: e.code for t in types or (1,)}
    return {a["type"]: [x["address"] for x in a["addresses"]] if "addresses" in a else wire.CODE[a["error"]["code"]]
            for a in reply["answers"]}


@case
def resolve_over_a_lease():
    """A and AAAA from dnsmasq, whose address the lease brought; search domains; the CNAME; source and upstream."""
    with Lab(mode="dhcp") as lab:
        lab.tap()
        lab.dnsmasq()
        lab.grant("status", STATUS)
        lab.grant("resolve", ("dns", "allow = lab.test"))
        lab.grant("any", ("dns", "allow = *"))
        lab.start()
        lab.lease()
        with lab.take("any", "dns") as cap:
            eq(answers(cap, "web", 1), {1: ["10.98.0.2"]}, "with the search domain")
        with lab.take("resolve", "dns") as cap:
            eq(answers(cap, "web", 1), {1: ["10.98.0.2"]}, "what the search makes of it is granted")
            refused("DENIED", cap.call, "Resolve", {"name": "web", "types": [1], "no_search": True})
            eq(answers(cap, "web.lab.test", 1, 28), {1: ["10.98.0.2"], 28: ["fd98::2"]})
            eq(answers(cap, "gw.lab.test", 28), {28: "NO_DATA"})
            eq(answers(cap, "none.lab.test", 1), {1: "NOT_FOUND"})
            reply = cap.call("Resolve", {"name": "alias.lab.test", "types": [1]})[0]
            answer = reply["answers"][0]
            eq(answer["upstream"], GATEWAY + ":53")
            eq(answer["source"], "dns")
            has(" ".join(reply.get("aliases", [])), "web.lab.test")
        p = lab.client("capnet-resolve", "web.lab.test")
        eq(p.returncode, 0, p.stderr)
        has(p.stdout, "10.98.0.2", "fd98::2", GATEWAY)
        eq(lab.client("capnet-resolve", "none.lab.test").returncode, 5)


@case
def every_failure_is_its_own():
    with scripted() as lab, lab.take("resolve", "dns") as cap:
        eq(answers(cap, "good.lab.test", 1, 28), {1: ["192.0.2.7"], 28: ["2001:db8::7"]})
        eq(answers(cap, "nxdomain.lab.test"), {1: "NOT_FOUND"})
        eq(answers(cap, "four.lab.test", 1, 28), {1: ["192.0.2.7"], 28: "NO_DATA"})
        eq(answers(cap, "servfail.lab.test"), {1: "SERVER_FAILURE"})
        eq(answers(cap, "refused.lab.test"), {1: "SERVER_REFUSED"})
        eq(answers(cap, "silent.lab.test", timeout_ms=800), {1: "TIMED_OUT"})
        eq(answers(cap, "wrongid.lab.test", timeout_ms=800), {1: "TIMED_OUT"})
        assert answers(cap, "garbage.lab.test", timeout_ms=1500)[1] in ("MALFORMED_ANSWER", "TIMED_OUT")
        assert answers(cap, "loop.lab.test", timeout_ms=3000)[1] in ("MALFORMED_ANSWER", "NO_DATA", "TIMED_OUT")
        eq(answers(cap, "good.lab.test"), {1: ["192.0.2.7"]}, "after all of that")
        for name, code in (("nxdomain", 5), ("four", 6), ("servfail", 9), ("refused", 8)):
            p = lab.client("capnet-resolve", "-t", "AAAA", name + ".lab.test")
            eq(p.returncode, code, name + p.stderr)
        assert lab.status("resolver")["resolver"].get("last_error"), "the last error is shown"


@case
def truncated_goes_to_tcp():
    with scripted() as lab, lab.take("resolve", "dns") as cap:
        eq(answers(cap, "truncated.lab.test"), {1: ["192.0.2.7"]})
        asked = [a[0] for a in lab.script.asked if a[1] == "truncated.lab.test"]
        assert asked[0] == "udp" and asked[-1] == "tcp", asked


@case
def cname_chain_is_told():
    with scripted() as lab, lab.take("resolve", "dns") as cap:
        reply = cap.call("Resolve", {"name": "alias.lab.test", "types": [1]})[0]
        eq(reply["answers"][0]["addresses"], [{"address": "192.0.2.9", "ttl": 30}])
        has(" ".join(reply["aliases"]), "real.lab.test")


@case
def outside_the_suffix_nothing_is_sent():
    """Denied by name and by type, with the grant's name; no query leaves."""
    with scripted() as lab, lab.take("resolve", "dns") as cap:
        lab.grant("four", ("dns", "allow = lab.test A"))
        capture = Capture(lab, "udp or tcp")
        for name in ("www.example.org", "xlab.test", "test", "lab.test.example.org"):
            e = refused("DENIED", cap.call, "Resolve", {"name": name, "types": [1], "no_search": True})
            eq(e.grant, "resolve")
        p = lab.client("capnet-resolve", "www.example.org")
        eq(p.returncode, 3)
        has(p.stderr, "resolve")
        eq(capture.stop(), [])
        eq(lab.script.asked, [])


@case
def bounds_of_names():
    """dns.name and dns.time at N and N + 1."""
    with Lab(resolver=f"servers = {GATEWAY}:{PORT}") as lab:
        lab.tap()
        lab.grant("status", STATUS)
        lab.grant("resolve", ("dns", "allow = lab.test", "dns.name = 20", "dns.answer = 16", "lookups = 2"))
        lab.script = Script()
        lab.start()
        with lab.take("resolve", "dns") as cap:
            eq(answers(cap, "a" * 11 + ".lab.test"), {1: ["192.0.2.7"]})
            e = refused("DENIED", cap.call, "Resolve", {"name": "a" * 12 + ".lab.test", "types": [1]})
            eq(e.rule, "dns.name")
            eq(len(answers(cap, "large.4.lab.test")[1]), 4)
            eq(answers(cap, "large.5.lab.test"), {1: "TOO_LARGE"})
            calls = [cap.send("Resolve", {"name": "silent.lab.test", "types": [1], "timeout_ms": 3000}) for _ in range(3)]
            frame, _ = cap.recv()
            eq((frame["call"], frame["kind"]), (calls[2], 3))
            eq(wire.CODE[frame["error"]["code"]], "OVER_BUDGET")
            eq(frame["error"].get("rule"), "lookups")


@case
def ports_and_ids_are_random():
    with scripted() as lab, lab.take("resolve", "dns") as cap:
        for i in range(30):
            answers(cap, f"n{i}.lab.test")
        ports = {a[3] for a in lab.script.asked}
        ids = {a[4] for a in lab.script.asked}
        assert len(ports) >= 28 and len(ids) >= 28, (sorted(ports), sorted(ids))
        steps = [b - a for a, b in zip(sorted(ports), sorted(ports)[1:])]
        assert max(steps) > 100, "the ports follow each other"


@case
def cancelled_lookup_ends():
    with scripted() as lab:
        before = lab.live()
        with lab.take("resolve", "dns") as cap:
            call = cap.send("Resolve", {"name": "silent.lab.test", "types": [1], "timeout_ms": 9000})
            wire.until(lambda: lab.script.asked)
            cap.cancel(call)
            frame, _ = cap.recv()
            eq(wire.CODE[frame["error"]["code"]], "CANCELLED")
            cap.send("Resolve", {"name": "silent.lab.test", "types": [1], "timeout_ms": 9000})
            time.sleep(0.1)
        lab.settles(before)


@case
def getaddrinfo_shim():
    """An unmodified program, under a grant; numeric hosts need none; without a grant it fails and asks nobody else."""
    with scripted() as lab:
        shim = os.path.join(os.path.dirname(program("capnet-run")), ".libs", "libcapnet-getaddrinfo.so")
        preload = ":".join(filter(None, (sh("gcc", "-print-file-name=libasan.so").stdout.strip()
                                         if "libasan" in sh("ldd", shim).stdout else "", shim)))
        libs = os.path.dirname(shim)
        env = ["env", f"LD_PRELOAD={preload}", f"LD_LIBRARY_PATH={libs}", "ASAN_OPTIONS=detect_leaks=0"]
        p = lab.client("capnet-run", "--grant", "resolve", "--", *env, "getent", "ahosts", "good.lab.test")
        eq(p.returncode, 0, p.stderr)
        has(p.stdout, "192.0.2.7", "STREAM", "DGRAM")
        assert "2001:db8::7" not in p.stdout, "AI_ADDRCONFIG: there is no IPv6 to reach it with"
        code = ("import socket, sys\ntry: print(socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM))\n"
                "except socket.gaierror as e: print(e.errno == getattr(socket, sys.argv[2]), e)")
        for name, error in (("nxdomain.lab.test", "EAI_NONAME"), ("www.example.org", "EAI_FAIL"),
                            ("servfail.lab.test", "EAI_AGAIN")):
            p = lab.client("capnet-run", "--grant", "resolve", "--", *env, "/usr/bin/python3", "-c", code, name, error)
            has(p.stdout + p.stderr, "True")
        asked = len(lab.script.asked)
        capture = Capture(lab, "udp or tcp")
        import subprocess
        p = subprocess.run([*env, "CAPNET_GRANTS_DIR=/nonexistent", "/usr/bin/python3", "-c", code, "good.lab.test",
                            "EAI_FAIL"], capture_output=True, text=True, check=False, env=lab.environment())
        has(p.stdout + p.stderr, "True")
        p = subprocess.run([*env, "CAPNET_GRANTS_DIR=/nonexistent", "getent", "ahosts", "192.0.2.1"],
                           capture_output=True, text=True, check=False, env=lab.environment())
        has(p.stdout, "192.0.2.1")
        eq(capture.stop(), [])
        eq(len(lab.script.asked), asked)
