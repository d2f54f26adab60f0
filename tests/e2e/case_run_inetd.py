# SPDX-License-Identifier: BSD-3-Clause
"""capnet-run --inetd: a process for each connection, and every way in which the service ends."""
import os
import re
import resource
import signal
import socket
import threading
import time

import wire
from case_run import ask, closed, echo, end, inetd, listening, report, revoke, run_lab, start
from lab import GATEWAY, STATIC, case, eq, has, sh


def children(pid):
    out = sh("ps", "--no-headers", "-o", "pid,stat,comm", "--ppid", str(pid), check=False).stdout
    return [line.split() for line in out.splitlines()]


@case(seconds=120)
def serves_many():
    """200 connections to cat, 20 at a time: each its own process, none left, no descriptor left."""
    with run_lab() as lab:
        before = lab.live()
        p = inetd(lab, "--", "cat")
        with socket.create_connection((STATIC, 8080), 20) as s:
            eq(echo(s), b"x")
        wire.until(lambda: children(p.pid) == [])
        fds, failed = len(os.listdir(f"/proc/{p.pid}/fd")), []

        def client(number):
            try:
                for i in range(10):
                    with socket.create_connection((STATIC, 8080), 20) as s:
                        data = f"{number} {i} ".encode() * 1000
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        eq(s.makefile("rb").read(), data)
            except Exception as e:
                failed.append(e)
        threads = [threading.Thread(target=client, args=(n,)) for n in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(failed, [])
        wire.until(lambda: children(p.pid) == [])
        eq(len(os.listdir(f"/proc/{p.pid}/fd")), fds)
        end(p, signal.SIGTERM, 0)
        eq(lab.read("err"), "")
        lab.settles(before)


@case
def tells_who_is_there():
    """REMOTE_ADDR and REMOTE_PORT, no LISTEN_*; the grant, the connection as 0 and 1, stderr as it was; no more."""
    with run_lab() as lab:
        script = ('echo $REMOTE_ADDR $REMOTE_PORT ${LISTEN_FDS-no} ${LISTEN_PID-no} ${LISTEN_FDNAMES-no} $CAPNET_FDS; '
                  'python3 -c "import socket; print(*socket.socket(fileno=0).getpeername())" 2>&1; '
                  'ls -l /proc/self/fd; echo "told $REMOTE_PORT" >&2')
        p = inetd(lab, "-l", "8081", "--", "sh", "-c", script, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
        for port in (8080, 8081):
            with socket.create_connection((STATIC, port), 10) as s:
                own = s.getsockname()[1]
                lines = s.makefile().read().splitlines()
            eq(lines[0].split()[:5], [GATEWAY, str(own), "no", "no", "no"])
            (grant,) = re.fullmatch("web=([0-9]+)", lines[0].split()[5]).groups()
            eq(lines[1].split(), [GATEWAY, str(own)])
            links = re.findall(r" ([0-9]+) -> ([^:\n]+)", "\n".join(lines[2:]))
            eq([x for x in links if not x[1].endswith("/fd")],  # the directory that ls reads
               [("0", "socket"), ("1", "socket"), ("2", f"{lab.dir}/err"), (grant, "socket")])
            wire.until(lambda: f"told {own}\n" in lab.read("err"))
        end(p, signal.SIGTERM, 0)


@case
def bounds_its_children():
    """--max: the others wait until one is over."""
    with run_lab() as lab:
        p = inetd(lab, "--max", "3", "--", "cat")
        peers = [socket.create_connection((STATIC, 8080), 20) for _ in range(6)]
        for s in peers:
            s.settimeout(20)
            s.sendall(b"x")
        for s in peers[:3]:
            eq(s.recv(1), b"x")
        (row,) = wire.until(lambda: [s for s in lab.status("sockets")["sockets"]
                                     if s["kind"] == "tcp-listener" and s.get("queue") == 3])
        eq(row.get("waiting", 0), 0)
        eq(len(children(p.pid)), 3)
        for i in range(3):
            peers[i].close()
            eq(peers[3 + i].recv(1), b"x", "the next one's turn")
        eq(len(children(p.pid)), 3)
        # The end of the listener is noticed although nobody polls for connections.
        revoke(lab, "web")
        eq(p.wait(20), 3, lab.read("err"))


@case
def children_that_cannot_run():
    """A child's failure is its own: told, and the next connection gets its own chance."""
    with run_lab() as lab:
        p = inetd(lab, "--", "./no-such-program")
        for i in range(3):
            with socket.create_connection((STATIC, 8080), 10) as s:
                eq(s.makefile("rb").read(), b"")
            said = "capnet-run: ./no-such-program: No such file or directory\n"
            wire.until(lambda n=i: lab.read("err") == said * (n + 1))
        wire.until(lambda: children(p.pid) == [])
        end(p, signal.SIGINT, 0)


@case
def ends_in_good_order():
    """SIGTERM closes the door, and goes to every child and what it started; the second one kills."""
    with run_lab() as lab:
        before = lab.live()
        script = 'trap "echo bye; exit" TERM; echo ready; sleep 1000 & wait'
        p = inetd(lab, "--", "sh", "-c", script)
        peers = [socket.create_connection((STATIC, 8080), 20) for _ in range(3)]
        for s in peers:
            eq(s.recv(100), b"ready\n")
        eq(len(children(p.pid)), 3)
        end(p, signal.SIGTERM, 0)
        for s in peers:
            eq(s.makefile("rb").read(), b"bye\n")
        assert not listening(8080)
        wire.until(lambda: sh("pgrep", "-r", "RSD", "-x", "sleep", check=False).stdout == "")
        p = inetd(lab, "--", "sh", "-c", 'trap "echo no" TERM; echo ready; while :; do sleep 0.1; done')
        with socket.create_connection((STATIC, 8080), 20) as s:
            s.settimeout(20)
            eq(s.recv(100), b"ready\n")
            p.send_signal(signal.SIGTERM)
            eq(s.recv(100), b"no\n")
            assert not listening(8080), "the door is closed while the last one stays"
            eq(p.poll(), None)
            end(p, signal.SIGINT, 0)
            assert closed(s)
        wire.until(lambda: sh("pgrep", "-r", "RSD", "-x", "sleep", check=False).stdout == "")
        lab.settles(before)


@case
def is_revoked():
    """The grant goes: the reason, exit 3, the children too."""
    with run_lab() as lab:
        p = inetd(lab, "-l", "8081", "--", "cat")
        with socket.create_connection((STATIC, 8081), 20) as s:
            eq(echo(s), b"x")
            revoke(lab, "web")
            eq(p.wait(20), 3)
            assert closed(s)
        said = re.findall(r"capnet-run: --listen 808[01]: .*", lab.read("err"))
        eq(len(said), 1, f"{said}")
        has(said[0], "revoked", "(grant web)")


@case
def expires():
    """Its time is over: exit 3; a grant that has expired stands in nobody's way."""
    with run_lab(ready=False) as lab:
        lab.grant("late", ("listen", "allow = *:8000-8199", "expires = 2s"))
        lab.start()
        p = start(lab, "-g", "late", "-l", "8080", "--inetd", "cat")
        eq(p.wait(20), 3)
        has(lab.read("err"), "capnet-run: --listen 8080: ", "(grant late")
        p, _ = report(lab, "-g", "late", "-g", "wide", "-l", "8100")
        eq(ask(8100)[0][0], 3)
        (row,) = [s for s in lab.status("sockets")["sockets"] if s["kind"] == "tcp-listener" and "end" not in s]
        eq(row["grant"], "wide")
        end(p)


@case
def loses_its_address_or_the_daemon():
    """An address that was named and goes is exit 3; one that the interface has is followed; no daemon any more is 4."""
    with run_lab(mode="dhcp", ready=False) as lab:
        lab.dnsmasq()
        lab.grant("manager", ("manager", "allow = net0 get,set,renew,release"))
        lab.start()
        address = wire.until(lambda: lab.lease())["address"].partition("/")[0]
        lost = start(lab, "-g", "wide", "-l", f"{address}:8100", "--inetd", "cat")
        wire.until(lambda: listening(8100, address))
        follows = start(lab, "-g", "web", "-l", "8080", "--inetd", "cat")
        wire.until(lambda: listening(8080, address))
        with lab.take("manager", "manager") as manager:
            manager.call("Release", {"interface": "net0"})
            eq(lost.wait(20), 3)
            manager.call("Renew", {"interface": "net0"})
        address = lab.lease()["address"].partition("/")[0]
        wire.until(lambda: listening(8080, address))
        eq(follows.poll(), None)
        lab.stop()
        eq(follows.wait(20), 4)
        has(lab.read("err"), "--listen 8080: ")


@case
def runs_out_of_descriptors():
    """It says so once, does not spin, and goes on when there are some again."""
    with run_lab() as lab:
        p = inetd(lab, "--", "cat")
        with socket.create_connection((STATIC, 8080), 20) as s:
            eq(echo(s), b"x")
        least = max(int(n) for n in os.listdir(f"/proc/{p.pid}/fd")) + 1
        taken = sh("ls", f"/proc/{p.pid}/fd").stdout.split()
        holes = [n for n in range(least) if str(n) not in taken]
        resource.prlimit(p.pid, resource.RLIMIT_NOFILE, (holes[0] if holes else least, least + 20))
        with socket.create_connection((STATIC, 8080), 20) as s:
            s.settimeout(20)
            s.sendall(b"x")
            wire.until(lambda: "capnet-run: 8080: Too many open files\n" in lab.read("err"))

            def switches():
                with open(f"/proc/{p.pid}/status", encoding="utf-8") as f:
                    return sum(int(x) for x in re.findall(r"ctxt_switches:\s*(\d+)", f.read()))
            began, at = switches(), time.monotonic()
            wire.until(lambda: switches() >= began + 3, every=0.05)  # it tries again by itself
            rate = (switches() - began) / (time.monotonic() - at)
            assert rate < 200, f"{rate} wake-ups a second with nothing to be had"
            resource.prlimit(p.pid, resource.RLIMIT_NOFILE, (least + 20, least + 20))
            eq(s.recv(1), b"x")
        eq(lab.read("err").count("\n"), 1)
        end(p, signal.SIGTERM, 0)
