# SPDX-License-Identifier: BSD-3-Clause
"""capnet-run with programs that know nothing of capnet: real sockets handed down as systemd does, one process for each
connection as inetd does, connections opened for them. The kernel behind the TAP is the other end."""
import ctypes
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading

import lab as labs
import wire
from lab import GATEWAY, STATIC, Lab, Server, Skip, case, eq, has, program, sh

STATUS = ("status", "allow = all")
RUN = "capnet-run"

# What it was given, into a file; then it answers each connection with who is connected to whom, and by which listener.
REPORT = r"""
import ctypes, json, os, select, socket, sys
fds = {}
for n in os.listdir("/proc/self/fd"):
    try:
        fds[n] = os.readlink("/proc/self/fd/" + n)
    except FileNotFoundError:
        pass  # the listing's own
systemd = None
if os.path.exists(sys.argv[2]):
    names = ctypes.POINTER(ctypes.c_char_p)()
    n = ctypes.CDLL(sys.argv[2]).sd_listen_fds_with_names(0, ctypes.byref(names))
    systemd = [names[i].decode() for i in range(n)]
with open(sys.argv[1] + ".new", "w") as f:
    json.dump({"pid": os.getpid(), "env": dict(os.environ), "fds": fds, "systemd": systemd}, f)
os.rename(sys.argv[1] + ".new", sys.argv[1])
listeners = [socket.socket(fileno=3 + i) for i in range(int(os.environ.get("LISTEN_FDS", 0)))]
while listeners:
    for l in select.select(listeners, [], [])[0]:
        try:
            c, peer = l.accept()
        except OSError as e:
            sys.exit(40 + (e.errno == 22))
        text = json.dumps([l.fileno(), c.family == socket.AF_INET, c.getsockname(), c.getpeername(), peer])
        c.sendall(text.encode())
        c.close()
"""
LIBSYSTEMD = "/usr/lib/x86_64-linux-gnu/libsystemd.so.0"


def run_lab(*, ready=True, **kw):
    lab = Lab(**kw)
    lab.tap()
    lab.grant("status", STATUS)
    lab.grant("web", ("connect", "allow = *:*"), ("listen", "allow = interface-address:8000-8099"),
              ("dns", "allow = lab.test", "dns.time = 10s"))
    lab.grant("wide", ("listen", "allow = *:8000-8199"))
    with open(f"{lab.dir}/report.py", "w", encoding="utf-8") as f:
        f.write(REPORT)
    if ready:
        lab.start()
        if labs.SOCKETS == "pair" or not lab.page("daemon")["daemon"].get("sockets"):
            raise Skip(f"no real sockets: {lab.page('daemon')['daemon'].get('no_sockets')}")
    return lab


def start(lab, *args, env=None, stderr=None, **kw):
    """capnet-run in the background; its errors are in lab.dir/err, unless it was told where."""
    with open(f"{lab.dir}/err", "wb") as err:
        p = subprocess.Popen([program(RUN), *args], stdin=kw.pop("stdin", subprocess.DEVNULL), stderr=stderr or err,
                             env=lab.environment(**(env or {})), **kw)
    lab.children.append(p)
    return p


def report(lab, *args, **kw):
    """Starts the reporting program behind args; (the process, what it was given)."""
    path = f"{lab.dir}/report.json"
    if os.path.exists(path):
        os.unlink(path)
    p = start(lab, *args, "--", "/usr/bin/python3", f"{lab.dir}/report.py", path, LIBSYSTEMD, **kw)
    wire.until(lambda: os.path.exists(path) or p.poll() is not None)
    eq(p.poll(), None, lab.read("err"))
    return p, json.loads(lab.read("report.json"))


def kinds(got):
    """The descriptors beyond 2, as {number: "socket" or a path}."""
    return {int(n): link.split(":")[0] for n, link in got["fds"].items() if int(n) > 2}


def grants_of(got):
    return {name: int(fd) for name, fd in (x.split("=") for x in got["env"]["CAPNET_FDS"].split(","))}


def ask(port, address=STATIC):
    """What the reporting program says of one connection, and our own address."""
    with socket.create_connection((address, port), 10) as s:
        own = list(s.getsockname())
        return json.loads(s.makefile().read()), own


def end(p, signo=signal.SIGKILL, code=None):
    p.send_signal(signo)
    p.wait(20)
    if code is not None:
        eq(p.returncode, code, "capnet-run's exit code")


def echo(s, data=b"x"):
    s.sendall(data)
    return s.recv(100)


def closed(s):
    """The connection is over, one way or the other."""
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def listening(port, address=STATIC):
    with socket.socket() as s:
        s.settimeout(10)
        return s.connect_ex((address, port)) == 0


def inetd(lab, *args, **kw):
    """capnet-run --inetd on 8080 and what else args say, once it listens."""
    p = start(lab, "-g", "web", "-l", "8080", "--inetd", *args, **kw)
    wire.until(lambda: p.poll() is not None or sum(
        s["kind"] == "tcp-listener" and "end" not in s
        for s in lab.page("sockets").get("sockets", [])) == 1 + args.count("-l"))
    eq(p.poll(), None, lab.read("err"))
    return p


def revoke(lab, grant):
    os.unlink(f"{lab.grants_dir}/{grant}.grant")
    lab.daemon.send_signal(signal.SIGHUP)


# --- handed down


@case
def listens_as_systemd_does():
    """Descriptor 3, the three variables, true addresses; nothing else is inherited but the grant and the control."""
    with run_lab() as lab:
        before = lab.live()
        p, got = report(lab, "-g", "web", "-l", "8080")
        eq((got["pid"], got["env"]["LISTEN_PID"]), (p.pid, str(p.pid)))
        eq((got["env"]["LISTEN_FDS"], got["env"]["LISTEN_FDNAMES"]), ("1", "8080"))
        if got["systemd"] is not None:
            eq(got["systemd"], ["8080"], "sd_listen_fds_with_names(3)")
        fds, grant = kinds(got), grants_of(got)["web"]
        (control,) = sorted(set(fds) - {3, grant})
        assert 3 < grant < 128 <= control, fds
        eq(set(fds.values()), {"socket"})
        for _ in range(3):
            said, own = ask(8080)
            eq(said, [3, True, [STATIC, 8080], own, own])
        (row,) = [s for s in lab.status("sockets")["sockets"] if s["kind"] == "tcp-listener"]
        eq((row["local"], row["grant"], row["form"]), (f"{STATIC}:8080", "web", "socket"))
        has(row["taken_by"], "capnet-run")
        end(p)
        wire.until(lambda: not listening(8080))
        lab.settles(before)


@case
def several_listeners_with_names():
    """In the order of the options, each with its name; every way to write an address; the grant that covers it."""
    with run_lab() as lab:
        p, got = report(lab, "-g", "web", "--grant", "wide", "--listen", "interface-address:8080=web",
                        "-l", f"{STATIC}:8100=an admin's", "-l", "*:8101", "-l", "8102", "-c")
        names = ["web", "an admin's", "8101", "8102"]
        eq((got["env"]["LISTEN_FDS"], got["env"]["LISTEN_FDNAMES"]), ("4", ":".join(names)))
        if got["systemd"] is not None:
            eq(got["systemd"], names)
        eq(len(kinds(got)), 4 + 4 + 2)
        for i, port in enumerate((8080, 8100, 8101, 8102)):
            said, own = ask(port)
            eq(said, [3 + i, True, [STATIC, port], own, own])
        rows = {s["local"].rpartition(":")[2]: s["grant"] for s in lab.status("sockets")["sockets"]
                if s["kind"] == "tcp-listener"}
        eq(rows, {"8080": "web", "8100": "wide", "8101": "wide", "8102": "wide"})
        end(p)


@case
def several_of_a_kind_in_a_grant():
    """Each capability of the kind is asked, by its name in the bundle."""
    with run_lab(ready=False) as lab:
        lab.grant("two", ("listen first", "allow = interface-address:8000"), ("listen second", "allow = *:8001"),
                  ("connect dns", "allow = 10.99.0.1:9"))
        lab.start()
        p, got = report(lab, "-g", "two", "-l", "8001", "-l", "8000")
        eq(got["env"]["LISTEN_FDNAMES"], "8001:8000")
        eq([ask(8000)[0][0], ask(8001)[0][0]], [4, 3])
        end(p)
        q = lab.client(RUN, "-g", "two", "-l", "8002", "true")
        eq(q.returncode, 3)
        has(q.stderr, "capnet-run: --listen 8002: ", "8002", "(grant two, rule ")


@case
def the_listener_lives_as_its_program():
    """A program that leaves a child behind keeps it; the last one's end frees the port, and what waits is reset."""
    with run_lab() as lab:
        before = lab.live()
        keep = "sleep 1000 >/dev/null 2>&1 & echo $! >$0.new; mv $0.new $0"
        eq(lab.client(RUN, "-g", "web", "-l", "8080", "--", "sh", "-c", keep, f"{lab.dir}/pid").returncode, 0)
        with socket.create_connection((STATIC, 8080), 10) as waiting:
            os.kill(int(lab.read("pid")), signal.SIGKILL)
            assert closed(waiting)
        wire.until(lambda: not listening(8080))
        p, _ = report(lab, "-g", "web", "-l", "8080")
        eq(ask(8080)[0][0], 3)
        end(p)
        lab.settles(before)


@case
def backlog_and_overflow():
    """The accept queue and the daemon's hold as many as --backlog says each; beyond that --refuse refuses."""
    with run_lab() as lab:
        p, _ = report(lab, "-g", "web", "-l", "8080", "--backlog", "2", "--refuse")
        p.send_signal(signal.SIGSTOP)
        peers, refusals = [], 0
        while refusals == 0:
            s = socket.socket()
            s.settimeout(10)
            refusals += s.connect_ex((STATIC, 8080)) == 111
            peers.append(s)
            assert len(peers) < 12, "nobody was refused"
        (row,) = [s for s in lab.status("sockets")["sockets"] if s["kind"] == "tcp-listener"]
        eq((row["backlog"], row["refused"], row["queue_backlog"]), (2, 1, 2))
        p.send_signal(signal.SIGCONT)
        for s in peers[:-1]:
            eq(json.loads(s.makefile().read())[0], 3)
        eq(ask(8080)[0][0], 3)
        end(p)


@case
def revoked_under_the_program():
    """accept(2) wakes with EINVAL in a program that was handed the socket."""
    with run_lab() as lab:
        p, _ = report(lab, "-g", "web", "-l", "8080")
        revoke(lab, "web")
        eq(p.wait(20), 41)


@case
def activation_is_not_handed_on():
    """What an activator gave to capnet-run is neither named nor open in the program; its own listeners are."""
    with run_lab() as lab:
        shell = ['LISTEN_PID=$$ LISTEN_PIDFDID=1 LISTEN_FDS=3 LISTEN_FDNAMES=a:b:c exec "$@" 3</dev/zero 4</dev/zero '
                 '5</dev/zero 9</dev/full']
        for listens in ([], ["-l", "8080=own", "-l", "8081"]):
            path = f"{lab.dir}/report.json"
            if os.path.exists(path):
                os.unlink(path)
            p = subprocess.Popen(["sh", "-c", *shell, "sh", program(RUN), "-g", "web", *listens, "--",
                                  "/usr/bin/python3", f"{lab.dir}/report.py", path, LIBSYSTEMD],
                                 stdin=subprocess.DEVNULL, env=lab.environment())
            lab.children.append(p)
            wire.until(lambda: os.path.exists(path))
            got = json.loads(lab.read("report.json"))
            eq({k: v for k, v in got["env"].items() if k.startswith("LISTEN_")},
               {"LISTEN_FDS": "2", "LISTEN_PID": str(p.pid), "LISTEN_FDNAMES": "own:8081"} if listens else {})
            fds = kinds(got)
            eq(fds.pop(9), "/dev/full", "what was open otherwise stays")
            eq((len(fds), set(fds.values())), (1 + len(listens), {"socket"}), f"{fds}")
            if listens:
                eq([ask(8080)[0][0], ask(8081)[0][0]], [3, 4])
            end(p)


@case
def descriptors_are_where_they_were_promised():
    """Everything at once: inherited ones, listeners, connections under high numbers, few files allowed."""
    with run_lab() as lab, Server(lambda c: c.recv(1)) as server:
        args = ["-g", "web", "-g", "second=" + lab.path("web"), "-l", "8080", "-l", "8081"]
        for n in (5, 6, 7, 8, 128, 129, 1023):
            args += ["--connect", f"{server.address}={n}"]
        p, got = report(lab, *args)
        fds, grants = kinds(got), grants_of(got)
        eq(set(fds) - set(grants.values()), {3, 4, 5, 6, 7, 8, 128, 129, 130, 131, 1023})
        assert not set(grants.values()) & {3, 4, 5, 6, 7, 8}, grants
        eq([ask(8080)[0][0], ask(8081)[0][0]], [3, 4])
        end(p)

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
        p, got = report(lab, "-g", "web", "-l", "8080", "--connect", f"{server.address}=5", preexec_fn=few)
        eq(len(kinds(got)), 4)
        eq(ask(8080)[0][0], 3)
        end(p)
        q = lab.client(RUN, "-g", "web", "--connect", f"{server.address}=24", "true", preexec_fn=few)
        eq(q.returncode, 1)
        has(q.stderr, f"--connect {server.address}=24: the number is beyond the limit of open files")


# --- in a store


class Manager:
    """What systemd does for --fdstore: a store of descriptors by name, and an answer to barriers."""

    def __init__(self, lab, room):
        self.path, self.room, self.store = f"{lab.dir}/manager", room, []  # (name, descriptor), the first stored first
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            text, fds, _, _ = socket.recv_fds(self.socket, 4096, 250)
            what, _, name = text.decode().partition("=1\nFDNAME=")
            if what == "FDSTORE":
                while fds and len(self.store) < self.room:
                    self.store.append((name, fds.pop(0)))
            elif what == "FDSTOREREMOVE":
                for _, fd in (x for x in self.store if x[0] == name):
                    threading.Timer(0.2, os.close, (fd,)).start()  # nor does systemd wait for it
                self.store = [x for x in self.store if x[0] != name]
            for fd in fds:
                os.close(fd)
            if text == b"end":
                return

    def names(self):
        """In the order in which systemd hands them out."""
        return [n for n, _ in reversed(self.store)]

    def answer(self, name):
        """Takes one connection at a listener, and says who is there."""
        with socket.socket(fileno=os.dup(dict(self.store)[name])) as listener:
            listener.settimeout(10)
            c, peer = listener.accept()
        with c:
            c.sendall(json.dumps([c.getsockname(), c.getpeername(), peer]).encode())

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"end", self.path)
        self.thread.join()
        self.socket.close()
        os.unlink(self.path)
        for _, fd in self.store:
            os.close(fd)


def store(lab, *args, code=0):
    """capnet-run --fdstore, until it is over; what it says."""
    p = lab.client(RUN, "-g", "web", *args, "--fdstore", env={"NOTIFY_SOCKET": f"{lab.dir}/manager"})
    eq(p.returncode, code, p.stderr)
    return p.stderr


def built_with_systemd():
    p = subprocess.run([program(RUN), "-g", "x", "-l", "1", "--fdstore"], capture_output=True, text=True, check=False)
    return "built without" not in p.stderr


@case
def left_in_a_store():
    """The listeners outlive capnet-run, in their order; another run takes the ports over; the store's end ends them."""
    if not built_with_systemd():
        raise Skip("built without libsystemd")
    with run_lab() as lab:
        before = lab.live()
        manager = Manager(lab, room=4)
        for _ in range(5):
            eq(store(lab, "-l", "8080=web", "-l", "8081"), "")
            eq(manager.names(), ["web", "8081", "web.control", "8081.control"])
        for name, port in (("web", 8080), ("8081", 8081)):
            with socket.create_connection((STATIC, port), 10) as s:
                manager.answer(name)
                own = list(s.getsockname())
                eq(json.loads(s.makefile().read()), [[STATIC, port], own, own])
        rows = [s for s in lab.status("sockets")["sockets"] if s["kind"] == "tcp-listener" and "end" not in s]
        eq(sorted(s["local"] for s in rows), [f"{STATIC}:8080", f"{STATIC}:8081"])
        has(rows[0]["taken_by"], "capnet-run")
        manager.close()
        wire.until(lambda: not listening(8080) and not listening(8081))
        lab.settles(before)


@case
def a_store_that_refuses():
    """No room: a sentence, and no listener. A grant that refuses leaves nothing in the store."""
    if not built_with_systemd():
        raise Skip("built without libsystemd")
    with run_lab() as lab:
        before = lab.live()
        manager = Manager(lab, room=3)
        eq(store(lab, "-l", "8080", "-l", "8081", code=1), "capnet-run: --fdstore: the store takes 3 of 4 descriptors: "
           "FileDescriptorStoreMax= of the unit says how many\n")
        has(store(lab, "-l", "8100", code=3), "--listen 8100: ", "(grant web, rule tcp-listen)")
        p = inetd(lab, "cat")
        has(store(lab, "-l", "8080", code=1), "--listen 8080: ", "in use")
        end(p, signal.SIGTERM, 0)
        eq(manager.names(), [])
        manager.close()
        has(store(lab, "-l", "8080", code=1), "--fdstore: the service manager cannot be told: No such file")
        lab.settles(before)


# --- connections

STATIC_C = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_in peer;
  socklen_t len = sizeof peer;
  char buf[256];
  if (getpeername(7, (struct sockaddr *)&peer, &len) < 0 || peer.sin_family != AF_INET) return 11;
  if (write(7, "hello\n", 6) != 6) return 12;
  ssize_t n = read(7, buf, sizeof buf);
  if (n <= 0) return 13;
  printf("%s %u %.*s", inet_ntoa(peer.sin_addr), ntohs(peer.sin_port), (int)n, buf);
  return 0;
}
"""


def named_lab(**kw):
    lab = run_lab(resolver=f"servers = {GATEWAY}", **kw)
    lab.dnsmasq("--host-record=two.lab.test,10.99.0.77,10.99.0.1", "--host-record=six.lab.test,fd98::9",
                "--host-record=both.lab.test,fd98::9,10.99.0.1")
    return lab


def answering(c):
    c.sendall(b"got " + c.recv(100))


@case
def connects_for_a_static_program():
    """A name through the grant's resolver, a number for the descriptor: a program linked statically needs no more."""
    with named_lab() as lab, Server(answering) as server:
        with open(f"{lab.dir}/static.c", "w", encoding="utf-8") as f:
            f.write(STATIC_C)
        sh("gcc", "-static", "-O1", "-o", f"{lab.dir}/static", f"{lab.dir}/static.c")
        before = lab.live()
        for form in ("auto", "socket"):
            p = lab.client(RUN, "-g", "web", "--connect", f"gw.lab.test:{server.port}=7", "--form", form, "--",
                           f"{lab.dir}/static")
            eq((p.returncode, p.stdout), (0, f"{GATEWAY} {server.port} got hello\n"), p.stderr)
        p = lab.client(RUN, "-g", "web", "--connect", f"{server.address}=7", "--form", "pair", f"{lab.dir}/static")
        eq(p.returncode, 11, "a stream pair has no such address")
        lab.settles(before)


@case
def connects_standard_streams():
    """=0 and =1: what comes from one peer goes to the other. =2: an exec that fails still says so where it should."""
    heard = []
    with named_lab() as lab, Server(lambda c: c.sendall(b"from the first")) as first, \
            Server(lambda c: heard.append(c.makefile("rb").read())) as second:
        for to in (1, 2):
            p = lab.client(RUN, "-g", "web", "--connect", f"both.lab.test:{first.port}=0", "--connect",
                           f"two.lab.test:{second.port}={to}", "--", "sh", "-c", f"cat >&{to}")
            eq((p.returncode, p.stdout, p.stderr), (0, "", ""))
            wire.until(lambda: len(heard) == to)
            eq(heard[-1], b"from the first")
        p = lab.client(RUN, "-g", "web", "--connect", f"{second.address}=2", "./no-such")
        eq((p.returncode, p.stderr), (127, "capnet-run: ./no-such: No such file or directory\n"))
        wire.until(lambda: len(heard) == 3)
        eq(heard[-1], b"")


@case
def connections_that_fail():
    """Refused by the peer, no such name, no address of it that works: exit 1, with the option."""
    with named_lab() as lab, Server(answering) as server:
        before = lab.live()
        for host, part in ((f"{GATEWAY}:9", "refused"), ("no.lab.test:80", "name"), ("gw.lab.test:9", "refused"),
                           ("six.lab.test:80", "unreachable")):
            p = lab.client(RUN, "-g", "web", "--connect", f"{host}=5", "true")
            eq(p.returncode, 1, p.stderr)
            has(p.stderr, f"capnet-run: --connect {host}=5: ", part)
        assert server.failed == []
        lab.settles(before)


# --- refusals


@case
def refusals_name_option_grant_and_rule():
    with run_lab(ready=False, resolver=f"servers = {GATEWAY}") as lab:
        lab.dnsmasq()
        lab.grant("narrow", ("connect", f"allow = {GATEWAY}:80"), ("dns", "allow = gw.lab.test"))
        lab.start()
        before = lab.live()
        for args, code, parts in (
                (["-g", "web", "-l", "8100"], 3, ["--listen 8100: ", "8100", "(grant web, rule tcp-listen)"]),
                (["-g", "web", "-l", "*:8080"], 3, ["--listen *:8080: ", "(grant web, rule tcp-listen)"]),
                (["-g", "web", "-g", "narrow", "-l", "8100"], 3, ["--listen 8100: ", "(grant web, rule tcp-listen)"]),
                (["-g", "narrow", "-l", "8100=x"], 3, ["--listen 8100=x: no grant has a tcp-listen", "(grant narrow)"]),
                (["-g", "narrow", "-g", "status", "-l", "8100"], 3, ["no grant has a tcp-listen capability\n"]),
                (["-g", "web", "-l", "8080", "--backlog", "65"], 3, ["--listen 8080: ", "rule listen.backlog"]),
                (["-g", "wide", "-l", "10.99.0.77:8100"], 1, ["--listen 10.99.0.77:8100: ", "address"]),
                (["-g", "narrow", "--connect", f"{GATEWAY}:81=5"], 3,
                 [f"--connect {GATEWAY}:81=5: ", "(grant narrow, rule tcp-connect)"]),
                (["-g", "narrow", "--connect", "gw.lab.test:81=5"], 3,
                 ["--connect gw.lab.test:81=5: ", "(grant narrow, rule tcp-connect)"]),
                (["-g", "narrow", "--connect", "web.lab.test:80=5"], 3,
                 ["--connect web.lab.test:80=5: ", "(grant narrow, rule dns)"]),
                (["-g", "wide", "--connect", "web.lab.test:80=5"], 3, ["no grant has a dns capability (grant wide)"]),
                (["-g", "wide", "--connect", "10.99.0.1:80=5"], 3, ["no grant has a tcp-connect capability"]),
                (["-g", "nobody", "-l", "8080"], 4, ["nobody.sock"])):
            p = lab.client(RUN, *args, "--", "touch", f"{lab.dir}/ran")
            eq(p.returncode, code, f"{args}: {p.stderr}")
            has(p.stderr, "capnet-run: ", *parts)
        assert not os.path.exists(f"{lab.dir}/ran")
        p = inetd(lab, "cat")
        q = lab.client(RUN, "-g", "web", "-l", "8080", "true")
        eq(q.returncode, 1)
        has(q.stderr, "--listen 8080: ", "in use")
        end(p, signal.SIGTERM, 0)
        lab.settles(before)


@case
def where_there_are_no_real_sockets():
    """The daemon's sentence, exit 1; connections fall back to a stream pair unless they were to be real."""
    labs.SOCKETS = "pair"
    with run_lab(ready=False) as lab, Server(answering) as server:
        lab.start()
        sentence = lab.page("daemon")["daemon"]["no_sockets"]
        to = f"{server.address}=5"
        for args, text in ((["-l", "8080"], "--listen 8080: "),
                           (["--connect", to, "--form", "socket"], f"--connect {to}: ")):
            p = lab.client(RUN, "-g", "web", *args, "true")
            eq(p.returncode, 1, p.stderr)
            has(p.stderr, text, sentence)
        p = lab.client(RUN, "-g", "web", "--connect", to, "--", "bash", "-c", "echo hi >&5; cat <&5")
        eq((p.returncode, p.stdout), (0, "got hi\n"), p.stderr)
