# SPDX-License-Identifier: BSD-3-Clause
"""The discipline of capabilities: what a holder may not do, and what ends when."""
import os
import select
import socket
import subprocess
import sys
import time

import wire
from lab import FAR, GATEWAY, STATIC, TOP, Capture, Lab, Server, case, eq, has, program, refused, sh

STATUS = ("status", "allow = all")
EVERYTHING = (STATUS, ("ping", "allow = *"), ("dns", "allow = *"), ("connect", "allow = *:*"),
              ("listen", "allow = interface-address:8000-8099"))


def caps_lab(*sections, **kw):
    lab = Lab(**kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("all", *(sections or EVERYTHING))
    return lab.start()


def warm(lab):
    """Both ends know the other's hardware address before somebody counts frames, and the kernel does not probe."""
    with lab.take("all", "ping") as ping:
        list(ping.stream("Echo", {"target": GATEWAY}))
    mac = lab.page("interfaces")["interfaces"][0]["mac"]
    sh("ip", "neighbour", "replace", STATIC, "lladdr", mac, "dev", "cap0", "nud", "permanent")
    time.sleep(0.2)


def ended(cap, code):
    """The endpoint ends with this reason; calls that were parked may be told the same before."""
    try:
        while True:
            frame, _ = cap.recv()
            eq((frame["kind"], wire.CODE[frame.get("error", {}).get("code", 0)]), (wire.KIND["ERROR"], code))
    except wire.Terminal as e:
        eq(e.code, code)


@case
def forged_calls_reach_nothing():
    """A holder of status who calls the methods of every other kind, and numbers that nobody has, gets a typed error
    each time, and no frame leaves."""
    with caps_lab() as lab, lab.take("status", "status") as cap:
        warm(lab)
        capture = Capture(lab)
        bodies = [wire.encode("TcpConnectRequest", {"remote": wire.endpoint(f"{GATEWAY}:80")}),
                  wire.encode("PingEchoRequest", {"target": GATEWAY}),
                  wire.encode("DnsResolveRequest", {"name": "web.lab.test", "types": [1]}),
                  wire.encode("TcpListenRequest", {"address": "*", "port": 80}),
                  wire.encode("GrantTakeRequest", {"kind": "tcp-connect"}), b""]
        own = {wire.method_number("NetworkStatus", m[0])[0] for m in wire.SCHEMA.services["NetworkStatus"]}
        for number in [n for n in range(3, 40) if n not in own] + [255, 65535, 2**31 - 1, 2**31, 2**32 - 1]:
            for body in bodies:
                e = refused("UNKNOWN_METHOD", lambda n=number, b=body: list(cap.replies(cap.send(n, b), "Error")))
                assert e.message
        for number in own:  # the right method with another's body
            for body in bodies[:5]:
                call = cap.send(number, body)
                try:
                    while cap.recv(0.3)[0].get("more"):
                        pass
                except wire.Late:
                    cap.cancel(call)  # Watch waits: it took the body for unknown fields
                    cap.recv()
        eq(capture.stop(), [])
        eq([s for s in lab.status("sockets")["sockets"]], [])


@case
def reading_status_sends_nothing_and_changes_nothing():
    with caps_lab() as lab, lab.take("status", "status") as cap:
        warm(lab)
        with Server(lambda c: c.recv(1)) as server, lab.take("all", "tcp-connect") as connect, \
                wire.connect(connect, server.address):
            time.sleep(0.3)
            def steady():
                page = lab.page("interfaces", "routes", "neighbours", "resolver", "sockets", "leases")
                return {k: str(v) for k, v in page.items() if k != "sockets"}
            before, capture = steady(), Capture(lab)
            for _ in range(20):
                list(cap.stream("Get"))
                cap.call("LookupRoute", {"destination": FAR})
                cap.describe()
            lab.client("capnet-status")
            lab.client("capnet-status", "route", "8.8.8.8")
            eq(capture.stop(), [])
            eq(steady(), before)


@case
def another_uid_can_do_nothing():
    """Without being named by a grant, or a descriptor, a user of the machine reaches nothing."""
    with caps_lab() as lab:
        lab.grant("members", ("ping", "allow = *"), users="4242", groups="4243")
        lab.daemon.send_signal(1)
        wire.until(lambda: os.path.exists(lab.path("members")))
        code = ("import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                "try: s.connect(sys.argv[1])\nexcept PermissionError: print('denied')\nelse: print('open')")

        def tries(grant, uid, gid):
            return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "/usr/bin/python3",
                                   "-c", code, lab.path(grant)], capture_output=True, text=True, check=False).stdout.strip()
        for uid in (4444, 65534):
            for grant in ("all", "status", "members"):
                eq(tries(grant, uid, uid), "denied", (grant, uid))
        eq(tries("members", 4242, 4444), "open")
        eq(tries("members", 4444, 4243), "open")
        p = lab.client("capnet-ping", "-g", "members", "-c", "1", GATEWAY, uid=4242)
        eq(p.returncode, 0, p.stderr)
        p = lab.client("capnet-ping", "-g", "all", "-c", "1", GATEWAY, uid=4242)
        eq(p.returncode, 3, p.stderr)
        p = lab.client("capnet-status", uid=4444)
        eq(p.returncode, 3, p.stderr)
        assert p.stderr, "a sentence"


@case
def a_child_cannot_widen():
    """Whatever is not a subset is refused and named; a subset works, and only that."""
    with caps_lab(("connect", f"allow = {GATEWAY}:80-90", "allow = 10.98.0.0/24:*"),
                  ("ping", "allow = *", "ping.count = 10")) as lab, \
            lab.take("all", "tcp-connect") as cap, Server(lambda c: c.recv(1), port=85) as server:
        child, _ = cap.attenuate([f"{GATEWAY}:85"], label="one port")
        with child:
            wire.connect(child, server.address).__exit__()
            refused("DENIED", wire.connect, child, f"{GATEWAY}:86")
            for wider in (f"{GATEWAY}:80-90", f"{GATEWAY}:84-85", "10.99.0.0/24:85", "*:85", "*:*"):
                refused("NOT_SUBSET", child.attenuate, [wider])
            refused("NOT_SUBSET", child.attenuate, [f"{GATEWAY}:85", "10.98.0.0/24:1"])
            refused("MALFORMED", child.attenuate, ["no rule"])
        refused("NOT_SUBSET", cap.attenuate, [f"{GATEWAY}:80-91"])
        with lab.take("all", "ping") as ping:
            limit = {x["name"]: x["max"] for x in ping.describe()["limits"]}
            eq(limit["ping.count"], 10)
            e = refused("NOT_SUBSET", ping.attenuate, [], {"ping.count": 11})
            eq(e.rule, "ping.count")
            refused("NOT_SUBSET", ping.attenuate, [], {"ping.interval.min": 1})
            small, _ = ping.attenuate([], {"ping.count": 3})
            with small:
                refused("DENIED", small.call, "Echo", {"target": GATEWAY, "count": 4})
                seen = small.describe()
                eq({x["name"]: x["max"] for x in seen["limits"]}["ping.count"], 3)
                eq(seen["chain"][0]["parent"], seen["chain"][1]["id"])


@case
def a_budget_is_not_multiplied():
    """Two children of one parent share its sockets; what was given back can be used again; refusals are counted."""
    with caps_lab(("connect", "allow = *:*", "sockets = 4")) as lab, lab.take("all", "tcp-connect") as cap, \
            Server(lambda c: c.recv(1)) as server:
        a, _ = cap.attenuate([])
        b, _ = cap.attenuate([])
        with a, b:
            held = [wire.connect(x, server.address) for x in (a, b, a, b)]
            for x in (a, b, cap):
                e = refused("OVER_BUDGET", wire.connect, x, server.address)
                eq(e.rule, "sockets")
            limit = next(x for x in cap.describe()["limits"] if x["name"] == "sockets")
            assert limit["used"] == 4 and limit["refused"] >= 3, limit
            held.pop().__exit__()

            def again():
                try:
                    return wire.connect(a, server.address)
                except wire.Refused as e:
                    eq(e.code, "OVER_BUDGET")
                    return None
            held.append(wire.until(again))
            for c in held:
                c.__exit__()


@case
def revoke_ends_everything_below():
    """Children, parked calls, listeners and connections end at once with REVOKED; the parent lives on."""
    with caps_lab() as lab, lab.take("all", "tcp-connect") as cap, lab.take("all", "tcp-listen") as listen, \
            Server(lambda c: c.recv(1)) as server:
        child, ident = cap.attenuate([], label="child")
        grandchild, _ = child.attenuate([], label="grandchild")
        connection = wire.connect(grandchild, server.address)
        connection.control.send("WaitEnd")
        wire.until(lambda: lab.counters()["calls_parked"] >= 2)  # it, and the one that asks
        cap.revoke(ident)
        ended(connection.control, "REVOKED")  # it is below the child as well
        connection.cut()
        for dead in (child, grandchild):
            ended(dead, "REVOKED")
        connection.__exit__()
        wire.connect(cap, server.address).__exit__()
        wire.until(lambda: any(s.get("end") == "revoked" for s in lab.status("sockets")["sockets"]))
        # A listener and a parked accept.
        child, ident = listen.attenuate([])
        listener, _ = wire.listen(child, 8080)
        listener.send("Accept")
        listen.revoke(ident)
        ended(listener, "REVOKED")
        with socket.socket() as s:
            eq(s.connect_ex((STATIC, 8080)), 111)
        refused("NOT_FOUND", cap.revoke, ident)
        refused("NOT_FOUND", cap.revoke, 1)


@case
def release_ends_only_the_holder():
    """A parent that is closed leaves its children, and their connections, alive."""
    with caps_lab() as lab, Server(lambda c: c.sendall(c.recv(1))) as server:
        cap = lab.take("all", "tcp-connect")
        child, _ = cap.attenuate([])
        connection = wire.connect(child, server.address)
        cap.close()
        time.sleep(0.3)
        with connection:
            connection.data.sendall(b"x")
            eq(connection.data.recv(1), b"x")
        wire.connect(child, server.address).__exit__()
        with child:
            pass
        # Nor does closing the authority end a connection that came of it.
        cap = lab.take("all", "tcp-connect")
        with wire.connect(cap, server.address) as connection:
            cap.close()
            time.sleep(0.3)
            connection.data.sendall(b"y")
            eq(connection.data.recv(1), b"y")


@case
def passed_on_descriptor_works():
    """Possession is authority: another process, another uid, after the first holder has closed."""
    with caps_lab() as lab:
        cap = lab.take("all", "ping")
        ours, theirs = socket.socketpair()
        code = (f"import sys, socket; sys.path.insert(0, {os.path.join(TOP, 'tests/e2e')!r}); import wire\n"
                "s = socket.socket(fileno=int(sys.argv[1])); _, fds, _, _ = socket.recv_fds(s, 1, 1)\n"
                f"cap = wire.adopt(fds[0], 'Ping'); got = list(cap.stream('Echo', {{'target': '{GATEWAY}'}}))\n"
                "print(got[0][0]['kind'])")
        p = subprocess.Popen(["setpriv", "--reuid=4444", "--regid=4444", "--clear-groups", "/usr/bin/python3", "-B", "-c",
                              code, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        lab.children.append(p)
        socket.send_fds(ours, [b"x"], [cap.fileno()])
        cap.close()
        eq(p.communicate(timeout=20)[0].strip(), "1")
        # status names who took it, not who holds it
        has(lab.client("capnet-status", "grants").stdout, "all")


@case
def children_share_an_inherited_grant():
    """Many processes under one CAPNET_FDS, at once: each sees its own replies only."""
    with caps_lab() as lab:
        script = (f"export CAPNET_GRANTS_DIR=/nonexistent; for i in 1 2 3 4 5 6; do {program('capnet-ping')} -q -c 5 -i 0.2 {GATEWAY} & "
                  f"{program('capnet-status')} --json interfaces >/dev/null & done; "
                  "fail=0; for j in $(jobs -p); do wait $j || fail=1; done; exit $fail")
        p = lab.client("capnet-run", "--grant", "all", "--", "bash", "-c", script)
        eq(p.returncode, 0, p.stdout + p.stderr)
        eq(p.stdout.count("5 packets transmitted, 5 received"), 6, p.stdout)


@case
def the_shared_descriptor_answers_open_only():
    with caps_lab() as lab, wire.door(lab.path("all")) as door:
        for method in ("List", "Take", "Describe", "Attenuate", "Revoke"):
            try:
                door.call(method)
                raise AssertionError(f"{method} was answered")
            except wire.Refused as e:
                assert e.code in ("DENIED", "UNKNOWN_METHOD", "NOT_PERMITTED"), e
        reply, fds = door.call("Open")
        eq(reply["grant"], "all")
        with wire.adopt(fds[0], "Grant") as grant:
            items = grant.call("List")[0]["items"]
            eq({i["kind"] for i in items}, {"status", "ping", "dns", "tcp-connect", "tcp-listen"})
            refused("NOT_FOUND", grant.call, "Take", {"kind": "manager"})


@case
def expiry_ends_a_child():
    with caps_lab() as lab, lab.take("all", "ping") as cap:
        child, _ = cap.attenuate([], expires_in_ms=300)
        with child:
            try:
                child.recv()
            except wire.Terminal as e:
                eq(e.code, "EXPIRED")
        list(cap.stream("Echo", {"target": GATEWAY}))


@case
def a_stalled_client_costs_only_itself():
    """One client floods and never reads; another's pings keep being answered, and all is back when the first goes."""
    with caps_lab() as lab, lab.take("status", "status") as polite:
        before = lab.live()
        flood = [lab.take("all", "status") for _ in range(4)]
        for cap in flood:
            cap.sock.setblocking(False)
            try:
                for _ in range(5000):
                    cap.send("Get")
            except BlockingIOError:
                pass
        for _ in range(20):
            list(polite.stream("Get", timeout=5))
        p = lab.client("capnet-ping", "-g", "all", "-c", "5", "-i", "0.2", "-q", GATEWAY, timeout=20)
        has(p.stdout, "5 received")
        turns = lab.counters()["loop.turns"]
        time.sleep(1)
        spent = lab.counters()["loop.turns"] - turns
        assert spent < 500, f"{spent} turns in a second for clients that do not read"
        for cap in flood:
            cap.close()
        lab.settles(before)


@case
def status_scopes():
    """own sees the holder's process only, grant its grant's, all everything."""
    with Lab() as lab:
        lab.tap()
        lab.grant("status", STATUS)
        lab.grant("one", ("status", "allow = grant"), ("connect", "allow = *:*"))
        lab.grant("two", ("status", "allow = own"), ("connect", "allow = *:*"))
        lab.start()
        with Server(lambda c: c.recv(1)) as server, lab.take("one", "tcp-connect") as one, \
                lab.take("two", "tcp-connect") as two, wire.connect(one, server.address) as a, \
                wire.connect(two, server.address) as b:
            def ids(grant):
                return {s["id"] for s in lab.page("sockets", grant=grant).get("sockets", [])}
            eq(ids("status"), {a.id, b.id})
            eq(ids("one"), {a.id})
            eq(ids("two"), {b.id})
            p = subprocess.run([sys.executable, "-c", "pass"], check=True)
            mine = lab.client("capnet-status", "-g", "two", "--json", "sockets")
            has(mine.stdout, '"sockets"')
            assert f'"id": {b.id}' not in mine.stdout, "another process's socket in scope own"
            assert p.returncode == 0


@case
def watch_tells_changes():
    with caps_lab(("manager", "allow = net0 get,set")) as lab, lab.take("status", "status") as cap, \
            lab.take("all", "manager") as manager:
        call = cap.send("Watch")
        wire.until(lambda: lab.counters()["calls_parked"] >= 2)
        manager.call("SetStatic", {"interface": "net0", "address": "10.99.0.9/24", "gateway": GATEWAY})
        frame, _ = cap.recv()
        eq(frame["call"], call)
        event = wire.decode("StatusEvent", frame["body"])
        assert event["section"] and event["text"], event
        lab.take("all", "manager").close()
        while not (event["section"] == "grants" and event["text"].startswith("take ")):
            event = wire.decode("StatusEvent", cap.recv()[0]["body"])
        cap.cancel(call)
        while True:
            frame, _ = cap.recv()
            if frame["kind"] == wire.KIND["ERROR"]:
                eq(wire.CODE[frame["error"]["code"]], "CANCELLED")
                break
        assert not select.select([cap], [], [], 0.3)[0]
