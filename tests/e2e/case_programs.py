# SPDX-License-Identifier: BSD-3-Clause
"""Programs as their distribution ships them, which know nothing of capnet. Each is started by capnet-run as a user of
its own, who is named in a grant of just what it needs, and in a network namespace that has no network. Servers log the
true address of who is connected; what goes over their connections is compared by SHA-256.
NAME_tap: the kernel is the peer, behind the TAP. NAME_embedded: the daemon is an ordinary process, the peer comes over
a forwarded port of the host's loopback, or is there."""
import concurrent.futures
import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess

import wire
from case_sockets import refused_by_kernel, sockets_or_skip
from case_tcp import receive_all, write_pattern
from lab import GATEWAY, STATIC, Lab, Server, Skip, case, eq, has, program, sh

UID, NAME = 61841, "e2e"  # of the programs
DAEMON = 61840
MEGABYTE = 1000 * 1000
SIZE = 10 * MEGABYTE
RUN = "capnet-run"
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
PYTHON = "/usr/bin/python3"


def need(*names):
    """The paths of programs that tools/packages has."""
    found = [shutil.which(n, path="/usr/sbin:/usr/bin:/sbin:/bin:/lib/systemd") for n in names]
    for name, path in zip(names, found):
        if not path:
            raise Skip(f"{name} is not installed")
    return found if len(found) > 1 else found[0]


def as_user(uid=UID):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]


# A network namespace with nothing in it: what a program reaches, it was handed.
ALONE = ["unshare", "--net"]


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def body(path, size):
    """Writes a file that nowhere repeats in step; its SHA-256."""
    with open(path, "wb") as f:
        return write_pattern(f.write, size)


@contextlib.contextmanager
def aside(function, *args):
    """Runs it meanwhile; its failure is the case's."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(function, *args)
        yield
        future.result()


def send_all(sock, data):
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def receive(sock, size):
    """The SHA-256 of so many bytes."""
    digest = hashlib.sha256()
    while size:
        part = sock.recv(min(size, 1 << 18))
        assert part, f"it ends, with {size} bytes to come"
        digest.update(part)
        size -= len(part)
    return digest.hexdigest()


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


# --- two networks -----------------------------------------------------------------------------------------------------


class Network:
    """A daemon without a privilege, and the folder that the programs work in."""

    def __init__(self, lab):
        self.lab, self.home = lab, f"{lab.dir}/home"
        os.mkdir(self.home)
        os.chown(self.home, UID, UID)
        lab.grant("status", ("status", "allow = all"), users=str(DAEMON))

    def ready(self):
        # Told that a service manager reads it, the daemon writes each line's level.
        self.lab.start(wrap=self.wrap, env={"INVOCATION_ID": "e2e"})
        sockets_or_skip(self.lab)

    def helper(self, name):
        return shutil.copy(f"{HERE}/{name}", f"{self.home}/{name}")

    def quiet(self):
        """The daemon had nothing to warn of."""
        for line in text_of(self.lab.log_path).splitlines():
            assert not line.startswith(("<0>", "<1>", "<2>", "<3>", "<4>")), f"the daemon's log: {line}"


class Tap(Network):
    own, wrap = STATIC, ()
    host = behind = GATEWAY  # where servers on the kernel's side listen, and where programs reach them
    seen_outside = STATIC  # as whom these see the programs

    def __init__(self):
        super().__init__(Lab(user="nobody"))
        self.lab.tap()

    def at(self, port):
        """Where a client reaches what the program has at this port."""
        return STATIC, port

    def seen(self, client):
        """The client's own address, as the server must see it."""
        return "{}:{}".format(*client)


class Embedded(Network):
    """The embedded network shows a client on the host's loopback as its gateway, with the client's port."""
    own, wrap = "10.0.2.15", as_user(DAEMON)
    host, behind, seen_outside = "127.0.0.1", "10.0.2.2", "127.0.0.1"
    PORTS = (8022, 8080, 8081, 8443, 8730)

    def __init__(self):
        forward = "\n".join(f"forward = tcp:127.0.0.1:{10000 + p}-{p}" for p in self.PORTS)
        super().__init__(Lab("dhcp", device="slirp", extra="host-loopback = yes\n" + forward))
        sh("ip", "link", "set", "lo", "up")
        for folder in (self.lab.runtime, f"{self.lab.dir}/state"):
            os.makedirs(folder)
            os.chown(folder, DAEMON, DAEMON)
        os.chown(self.lab.grants_dir, DAEMON, DAEMON)

    def ready(self):
        super().ready()
        self.lab.lease()

    def at(self, port):
        return "127.0.0.1", 10000 + port

    def seen(self, client):
        return f"10.0.2.2:{client[1]}"


def on(*networks, **kw):
    """The case once in each network."""
    kw.setdefault("seconds", 120)

    def add(function):
        for network in networks:
            def run(network=network):
                net = network()
                with net.lab:
                    function(net)
            run.__name__ = f"{function.__name__}_{network.__name__.lower()}"
            run.__module__, run.__doc__ = function.__module__, function.__doc__
            case(run, **kw)
        return function
    return add


# --- a program under capnet-run ---------------------------------------------------------------------------------------


class Running:
    """Use it in a `with`: capnet-run and the program behind it. Leaving it ends the program with a signal; then nothing
    is left of it, in the daemon neither. code: what its exit status must be."""

    def __init__(self, net, listens, *command, options=(), uid=UID, env=None, code=0, signo=signal.SIGTERM):
        self.net, self.lab, self.code, self.signo = net, net.lab, code, signo
        self.log, self.listens = f"{net.home}/program.log", listens
        args = [a for l in listens for a in ("--listen", l)]
        self.command = [*ALONE, *(as_user(uid) if uid else ()), program(RUN), "--grant", "program", *args, *options,
                        "--", *command]
        self.env = self.lab.environment(HOME=net.home, **(env or {}))
        self.before = self.lab.live()

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                      cwd=self.net.home, start_new_session=True)
        self.lab.children.append(self.p)

        def listening():
            """capnet-run has its listeners, or ended."""
            rows = [s for s in self.lab.page("sockets").get("sockets", []) if "backlog" in s and "end" not in s]
            return self.p.poll() is not None or len(rows) == len(self.listens)
        try:
            wire.until(listening)
            self.runs()
        except BaseException:
            self.tell()
            raise
        return self

    def runs(self):
        eq(self.p.poll(), None, f"the program ended:\n{text_of(self.log)}")

    def says(self, *parts):
        """These are in its log, or will be."""
        wire.until(lambda: all(p in text_of(self.log) for p in parts))

    def tell(self):
        for name in sorted(os.listdir(self.net.home)):
            if name.endswith("log"):
                print(f"--- {name}, its end\n" + "\n".join(text_of(f"{self.net.home}/{name}").splitlines()[-30:]))

    def end(self):
        self.runs()
        self.p.send_signal(self.signo)
        eq(self.p.wait(20), self.code, f"exit status of {self.command}")
        wire.until(lambda: not left())
        self.lab.settles(self.before)
        self.net.quiet()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.tell()
            return
        try:
            self.end()
        except BaseException:
            self.tell()
            raise


def left():
    """What runs as the programs' user. Orphans go to PID 1, the case itself, and stay as zombies."""
    return [l for l in sh("ps", "-o", "stat=,args=", "-u", str(UID), check=False).stdout.splitlines() if l[0] != "Z"]


def serving(net, *rules, users=UID):
    """The grant of a server, and the daemon."""
    rules = rules or ["interface-address:8080"]
    net.lab.grant("program", ("listen", *(f"allow = {r}" for r in rules)), users=str(users))
    net.ready()


# --- HTTP clients -----------------------------------------------------------------------------------------------------


def curl(url, *args, consume=lambda out: out.read()):
    """What consume makes of the answer, and the client's own address."""
    with subprocess.Popen(["curl", "-sS", "--fail", "--max-time", "110", "--noproxy", "*", "-w",
                           "%{stderr}%{local_ip} %{local_port}", *args, url],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        result = consume(p.stdout)
        err = p.stderr.read().decode()
    eq(p.returncode, 0, f"curl {url}: {err}")
    return result, tuple(err.split())


def digest_of(out):
    return hashlib.file_digest(out, "sha256").hexdigest()


def down(net, port, want, path="/body"):
    got, own = curl("http://{}:{}".format(*net.at(port)) + path, consume=digest_of)
    eq(got, want, f"{path} from port {port}")
    return net.seen(own)


def up(net, port, file, path="/put"):
    """Sends a file; what the server answers."""
    got, own = curl("http://{}:{}".format(*net.at(port)) + path, "-T", file)
    return got.decode(), net.seen(own)


def web_program(net, *command, code=-signal.SIGTERM, **kw):
    """A server that serves the file `body` and answers PUT with a checksum, and logs FROM TO METHOD PATH."""
    want = body(f"{net.home}/body", SIZE)
    with Running(net, ["8080"], *command, code=code, **kw) as p:
        for _ in range(2):
            client = down(net, 8080, want)
            p.says(f"{client} {net.own}:8080 GET /body")
            got, client = up(net, 8080, f"{net.home}/body")
            eq(got, want, "what it says that it got")
            p.says(f"{client} {net.own}:8080 PUT /put")


# --- servers on listeners that they inherit ---------------------------------------------------------------------------

NGINX = """
worker_processes 2; pid {home}/pid; error_log {home}/error.log notice;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4;
  scgi_temp_path {home}/t5; client_max_body_size 0; sendfile on; tcp_nopush on; ssl_session_cache off;
  log_format e2e '$remote_addr:$remote_port $server_addr:$server_port $request_method $uri $status $bytes_sent';
  access_log {home}/access.log e2e;
  server {{ {directives} root {home}; location / {{ dav_methods PUT; }} }}
}}
"""


def nginx(net, *listens, listen=None, more=""):
    """nginx with one listener for each; the directives are what getsockname(2) says of them."""
    binary = need("nginx")
    directives = "".join(f"listen {x}; " for x in listen or listens) + more
    write(f"{net.home}/nginx.conf", NGINX.format(home=net.home, directives=directives))
    fds = "".join(f"{3 + i};" for i in range(len(listens)))
    return Running(net, listens, "env", f"NGINX={fds}", binary, "-e", f"{net.home}/error.log", "-c",
                   f"{net.home}/nginx.conf", "-g", "daemon off;", signo=signal.SIGQUIT)


def logged(net, *parts):
    """nginx writes its line when all is done, which may be after the client has it all."""
    wire.until(lambda: [l for l in text_of(f"{net.home}/access.log").splitlines() if all(p in l for p in parts)])


def nothing_wrong(net):
    for line in text_of(f"{net.home}/error.log").splitlines():
        assert any(f"[{x}]" in line for x in ("notice", "info")), f"nginx: {line}"


def certificate(folder, name):
    """A key and a self-signed certificate for a DNS name."""
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
       "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", f"{folder}/key.pem", "-out",
       f"{folder}/cert.pem")
    os.chmod(f"{folder}/key.pem", 0o644)


@on(Tap, Embedded)
def nginx_inherits(net):
    """A listener on the interface's address, one on an exact address, one with TLS; master and workers; 50 MB down and
    50 MB up; the access log has both true addresses; a reload keeps the listeners."""
    serving(net, "interface-address:8080", f"{net.own}:8081", "interface-address:8443")
    want, small = body(f"{net.home}/body", 50 * MEGABYTE), body(f"{net.home}/small", SIZE)
    certificate(net.home, "nginx.test")
    with nginx(net, "8080", f"{net.own}:8081", "8443", listen=("8080", f"{net.own}:8081", "8443 ssl"),
               more=f"ssl_certificate {net.home}/cert.pem; ssl_certificate_key {net.home}/key.pem;") as p:
        for port, name, digest in (8080, "body", want), (8081, "small", small):
            logged(net, f"{down(net, port, digest, '/' + name)} {net.own}:{port} GET /{name} 200 ")
            _, client = up(net, port, f"{net.home}/{name}", f"/put{port}")
            logged(net, f"{client} {net.own}:{port} PUT /put{port} 201 ")
            eq(sha256(f"{net.home}/put{port}"), digest)
        tls = ["--cacert", f"{net.home}/cert.pem", "--connect-to", "nginx.test:443:{}:{}".format(*net.at(8443))]
        got, client = curl("https://nginx.test/small", *tls, consume=digest_of)
        eq(got, small)
        logged(net, f"{net.seen(client)} {net.own}:8443 GET /small 200 ")
        curl("https://nginx.test/put8443", *tls, "-T", f"{net.home}/small")
        eq(sha256(f"{net.home}/put8443"), small)
        workers = sh("pgrep", "-P", str(p.p.pid)).stdout.split()
        eq(len(workers), 2)
        eq(sh("ps", "-o", "uid=", "-p", ",".join([str(p.p.pid), *workers])).stdout.split(), [str(UID)] * 3)
        p.p.send_signal(signal.SIGHUP)
        wire.until(lambda: not set(workers) & set(sh("pgrep", "-P", str(p.p.pid)).stdout.split()))
        logged(net, f"{down(net, 8080, small, '/small')} {net.own}:8080 GET /small 200 ")
        has(text_of(f"{net.home}/error.log"), "using inherited sockets from")
        nothing_wrong(net)
    for port in (8080, 8081, 8443):
        no_server(net, port)


def no_server(net, port):
    """Nobody answers there any more. The host's side of a forwarded port listens always, and then has nobody."""
    if isinstance(net, Tap):
        refused_by_kernel(net.at(port))
        return
    with socket.create_connection(net.at(port), 10) as s, contextlib.suppress(ConnectionResetError):
        eq(s.recv(1), b"")


@on(Tap, seconds=170)
def nginx_sends_a_gigabyte(net):
    """With sendfile(2), from a file on disk."""
    serving(net)
    folder = os.environ["CAPNET_E2E_DIR"]
    os.chmod(folder, 0o711)
    want = body(f"{folder}/big", 1000 * MEGABYTE)
    with nginx(net, "8080", more=f"location = /big {{ root {folder}; }}"):
        client = down(net, 8080, want, "/big")
        logged(net, f"{client} {net.own}:8080 GET /big 200 1000000")
        nothing_wrong(net)


@on(Tap, Embedded)
def gunicorn(net):
    """Activated as by systemd: LISTEN_FDS. Two workers; down and up."""
    binary = need("gunicorn")
    net.helper("wsgi_app.py")
    serving(net)
    web_program(net, binary, "--workers", "2", "--worker-tmp-dir", net.home, "--access-logfile", "-",
                "--access-logformat", f"%(h)s:%({{REMOTE_PORT}}e)s {net.own}:%({{SERVER_PORT}}e)s %(m)s %(U)s %(s)s",
                "wsgi_app:application", code=0)


@on(Tap, Embedded)
def systemd_socket_proxyd(net):
    """Activated as by systemd; in front of a server on a UNIX socket."""
    binary = need("systemd-socket-proxyd")
    serving(net)
    path = f"{net.home}/backend"
    with socket.socket(socket.AF_UNIX) as backend, Running(net, ["8080"], binary, path, code=-signal.SIGTERM):
        backend.bind(path)
        os.chown(path, UID, UID)
        backend.listen(5)
        backend.settimeout(20)
        for _ in range(2):
            with socket.create_connection(net.at(8080), 10) as client:
                behind, _ = backend.accept()
                with behind:  # one way after the other: it takes the end of one for the end of both
                    for a, b in ((client, behind), (behind, client)):
                        data = os.urandom(SIZE)
                        with aside(a.sendall, data):
                            eq(receive(b, SIZE), hashlib.sha256(data).hexdigest())


@on(Tap, Embedded)
def python_http_server(net):
    """http.server of the standard library with socket.socket(fileno=3)."""
    serving(net)
    web_program(net, PYTHON, net.helper("http_server.py"))


@on(Tap, Embedded)
def node(net):
    """server.listen({fd: 3})"""
    binary = need("nodejs")
    serving(net)
    web_program(net, binary, net.helper("http_server.js"))


HAPROXY = """
global
  log stdout format raw local0
  maxconn 100
defaults
  mode http
  log global
  option forwardfor
  log-format "%ci:%cp %fi:%fp %HM %HP %ST %B"
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend web
  bind fd@3
  default_backend app
backend app
  server app unix@{home}/app.sock
"""


@on(Tap, Embedded)
def haproxy(net):
    """bind fd@3; it tells the server behind it, on a UNIX socket, who the client is. Master and worker, and alone."""
    binary = need("haproxy")
    serving(net)
    write(f"{net.home}/haproxy.cfg", HAPROXY.format(home=net.home))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{net.home}/app.sock")
        listener.listen(20)
        os.chown(f"{net.home}/app.sock", UID, UID)
        app = net.lab.spawn(PYTHON, net.helper("http_server.py"), str(listener.fileno()), log="app.log", cwd=net.home,
                            pass_fds=[listener.fileno()])
    for mode, code in (("-db", 0), ("-Ws", 0)):
        web_program(net, binary, mode, "-f", f"{net.home}/haproxy.cfg", code=code, signo=signal.SIGUSR1)
    has(net.lab.read("app.log"), "GET /body 200 " + net.seen((GATEWAY, "")).rstrip(":"))
    app.kill()


@on(Tap, Embedded)
def a_static_program(net):
    """No library between it and the kernel: accept(2), getpeername(2), getsockname(2), read and write."""
    binary = program("tests/e2e/programs/static_echo")
    has(sh("file", "-b", binary).stdout, "statically linked")
    serving(net)
    shutil.copy(binary, f"{net.home}/static_echo")
    with Running(net, ["8080"], f"{net.home}/static_echo", code=-signal.SIGTERM) as p:
        for _ in range(2):
            data = os.urandom(SIZE)
            with socket.create_connection(net.at(8080), 10) as client, aside(send_all, client, data):
                own = client.getsockname()
                eq(receive_all(client), (SIZE, hashlib.sha256(data).hexdigest()))
            p.says(f"{net.seen(own)} {net.own}:8080 {SIZE}\n")


# --- a process for each connection ------------------------------------------------------------------------------------


def add_user(net):
    """The programs' user has an entry in the user database, as ssh wants it."""
    for path, line in (("/etc/passwd", f"{NAME}:x:{UID}:{UID}::{net.home}:/bin/sh\n"),
                       ("/etc/shadow", f"{NAME}:*:1::::::\n")):
        own = net.lab.dir + path.replace("/", "-")
        write(own, text_of(path).rstrip("\n") + "\n" + line)
        sh("mount", "--bind", own, path)


def sshd_config(net, folder, *more):
    """Keys and configuration of an sshd for the programs' user."""
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host_key", "key"):
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "e2e", "-f", f"{folder}/{name}")
    shutil.copy(f"{folder}/key.pub", f"{folder}/authorized_keys")
    write(f"{folder}/sshd_config", "\n".join((
        f"HostKey {folder}/host_key", f"AuthorizedKeysFile {folder}/authorized_keys", "StrictModes no", "UsePAM no",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no", f"AllowUsers {NAME}", "UseDNS no",
        "PidFile none", "LogLevel VERBOSE", *more)) + "\n")
    write(f"{folder}/known_hosts", "server " + text_of(f"{folder}/host_key.pub"))


def ssh_options(folder):
    options = ("IdentitiesOnly=yes", "BatchMode=yes", "LogLevel=ERROR", f"UserKnownHostsFile={folder}/known_hosts",
               "GlobalKnownHostsFile=none", "HostKeyAlias=server", "HostKeyAlgorithms=ssh-ed25519")
    return ["-F", "none", "-i", f"{folder}/key", *(a for o in options for a in ("-o", o))]


def through_ssh(net, *ssh, want):
    """A command's output, an exit status, 10 MB each way; what the server's side sees of the connection."""
    def run(command, stdin=subprocess.DEVNULL):
        p = subprocess.run([*ssh, command], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50,
                           env=net.lab.environment(HOME=net.home), check=False, cwd=net.home)
        eq(p.stderr.decode(), "", f"stderr of ssh {command}")
        return p
    connection = run("id -u; echo $SSH_CONNECTION").stdout.decode().split()
    eq(connection.pop(0), str(UID))
    eq(run("exit 7").returncode, 7)
    eq(hashlib.sha256(run(f"cat {net.home}/body").stdout).hexdigest(), want)
    with open(f"{net.home}/body", "rb") as f:
        has(run("sha256sum", stdin=f).stdout.decode(), want)
    return connection


@on(Tap, Embedded)
def sshd_for_each_connection(net):
    """sshd -i under --inetd, which needs root to become its user: commands, exit statuses, 10 MB each way."""
    binary = need("sshd")
    serving(net, "interface-address:8022", users="root")
    add_user(net)
    folder = f"{net.lab.dir}/ssh"
    os.mkdir(folder)
    sshd_config(net, folder)
    want = body(f"{net.home}/body", SIZE)
    host, port = net.at(8022)
    with Running(net, ["8022"], binary, "-i", "-f", f"{folder}/sshd_config", "-E", f"{net.home}/sshd.log",
                 options=["--inetd"], uid=None):
        said = through_ssh(net, "ssh", *ssh_options(folder), "-p", str(port), f"{NAME}@{host}", want=want)
        address, client_port, own, own_port = said
        eq((f"{address}:{client_port}", own, own_port), (net.seen((GATEWAY, client_port)), net.own, "8022"))
        log = text_of(f"{net.home}/sshd.log")
        has(log, f"Connection from {address} port {client_port} on {net.own} port 8022",
            f"Accepted publickey for {NAME} from {address} port {client_port}")
        eq(log.count("Connection from "), 4)
        assert "error" not in log and "fatal" not in log, log


RSYNCD = """
use chroot = no
log file = {home}/rsyncd.log
reverse lookup = no
transfer logging = yes
log format = %a %o %f %l
[data]
path = {home}/data
read only = no
"""


@on(Tap, Embedded)
def rsync_daemon(net):
    """rsync --daemon finds a socket as its standard input, and asks that for the peer: 50 MB up, and down again."""
    binary = need("rsync")
    serving(net, "interface-address:8730")
    os.mkdir(f"{net.home}/data")
    os.chown(f"{net.home}/data", UID, UID)
    write(f"{net.home}/rsyncd.conf", RSYNCD.format(home=net.home))
    want = body(f"{net.lab.dir}/body", 50 * MEGABYTE)
    url = "rsync://{}:{}/data/".format(*net.at(8730))
    with Running(net, ["8730"], binary, "--daemon", "--config", f"{net.home}/rsyncd.conf", options=["--inetd"]):
        eq(sh(binary, "-W", f"{net.lab.dir}/body", url).stderr, "")
        eq(sha256(f"{net.home}/data/body"), want)
        eq(sh(binary, "-W", f"{url}body", f"{net.lab.dir}/again").stderr, "")
        eq(sha256(f"{net.lab.dir}/again"), want)
        eq(sh(binary, url).stdout.split()[-1], "body")
        client = net.seen((GATEWAY, "")).rstrip(":")
        connects = re.compile(rf"connect from \S+ \({client}\)$", re.MULTILINE)
        wire.until(lambda: len(connects.findall(text_of(f"{net.home}/rsyncd.log"))) == 3)
        has(text_of(f"{net.home}/rsyncd.log"), *(f"{client} {what} body {50 * MEGABYTE}" for what in ("recv", "send")))


@on(Tap, Embedded)
def git_daemon(net):
    """git daemon --inetd logs who REMOTE_ADDR says it is: a push, and a clone of what was pushed."""
    binary = need("git")
    serving(net)
    env = net.lab.environment(HOME=net.lab.dir, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="e", GIT_AUTHOR_EMAIL="e@test",
                              GIT_COMMITTER_NAME="e", GIT_COMMITTER_EMAIL="e@test")

    def git(*args):
        return sh(binary, "-C", net.lab.dir, *args, env=env).stdout.strip()
    sh(*as_user(), binary, "init", "-q", "--bare", f"{net.home}/all.git", env=dict(env, HOME=net.home))
    git("init", "-q", "mine")
    body(f"{net.lab.dir}/mine/body", SIZE)
    git("-C", "mine", "add", "body")
    git("-C", "mine", "commit", "-q", "-m", "all")
    url = "git://{}:{}/all.git".format(*net.at(8080))
    with Running(net, ["8080"], binary, "daemon", "--inetd", "--verbose", "--log-destination=stderr", "--export-all",
                 "--enable=receive-pack", f"--base-path={net.home}", options=["--inetd"],
                 env={"GIT_CONFIG_NOSYSTEM": "1"}) as p:
        git("-C", "mine", "push", "-q", url, "HEAD:refs/heads/main")
        git("clone", "-q", "-b", "main", url, "theirs")
        eq(git("-C", "theirs", "rev-parse", "HEAD"), git("-C", "mine", "rev-parse", "HEAD"))
        eq(sha256(f"{net.lab.dir}/theirs/body"), sha256(f"{net.lab.dir}/mine/body"))
        p.says("Connection from " + net.seen((GATEWAY, "")), "Request receive-pack for", "Request upload-pack for")


# --- clients on connections that they inherit -------------------------------------------------------------------------


def connecting(net, *rules, resolver=()):
    net.lab.grant("program", ("connect", *(f"allow = {r}" for r in rules)), *resolver, users=str(UID))
    net.ready()


def as_client(net, *args, stdin=subprocess.DEVNULL):
    """capnet-run to its end; what its program prints."""
    p = subprocess.run([*ALONE, *as_user(), program(RUN), "--grant", "program", *args], stdin=stdin,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50, cwd=net.home, check=False,
                       env=net.lab.environment(HOME=net.home))
    eq((p.returncode, p.stderr.decode()), (0, ""), args)
    return p.stdout


@on(Tap)
def a_tls_client(net):
    """To openssl s_server, by its name: the connection is descriptor 3. The name is the only one that the grant
    resolves, the port the only one that it connects to."""
    net.lab.resolver = f"servers = {GATEWAY}"
    net.lab.dnsmasq()
    connecting(net, f"{GATEWAY}:4433", resolver=[("dns", "allow = gw.lab.test")])
    certificate(net.home, "gw.lab.test")
    want = body(f"{net.home}/body", SIZE)
    before = net.lab.live()
    with open(f"{net.lab.dir}/received", "wb") as out:
        server = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", f"{GATEWAY}:4433", "-naccept", "1",
                                   "-cert", f"{net.home}/cert.pem", "-key", f"{net.home}/key.pem"],
                                  stdin=subprocess.PIPE, stdout=out)
    net.lab.children.append(server)
    wire.until(lambda: sh("ss", "-Htln", "sport = 4433").stdout)
    with open(f"{net.home}/body", "rb") as f:
        feed = subprocess.Popen(["cat"], stdin=f, stdout=server.stdin)
    said = as_client(net, "--connect", "gw.lab.test:4433=3", "--", PYTHON, net.helper("tls_client.py"), "gw.lab.test",
                     f"{net.home}/cert.pem").decode().split()
    feed.wait(10)
    server.wait(20)
    server.stdin.close()
    eq(said, ["TLSv1.3", f"{GATEWAY}:4433", want, "0"])
    eq((os.path.getsize(f"{net.lab.dir}/received"), sha256(f"{net.lab.dir}/received")), (SIZE, want))
    net.lab.settles(before)
    net.quiet()


@on(Tap)
def a_name_of_ipv4_alone(net):
    """A grant that resolves a name's A, and not its AAAA, is enough for a connection to that."""
    net.lab.resolver = f"servers = {GATEWAY}"
    net.lab.dnsmasq()
    with Server(lambda c: c.sendall(b"hello")) as server:
        connecting(net, server.address, resolver=[("dns", "allow = gw.lab.test A")])
        eq(as_client(net, "--connect", f"gw.lab.test:{server.port}=0", "--", "cat"), b"hello")


@on(Tap, Embedded)
def socat_on_a_descriptor(net):
    """socat - FD:3, both ways at once."""
    binary = need("socat")
    data, want, seen = os.urandom(SIZE), body(f"{net.home}/body", SIZE), []

    def handler(connection):
        with aside(send_all, connection, data):
            seen.extend((connection.getpeername()[0], receive_all(connection)))
    with Server(handler, address=net.host) as server, open(f"{net.home}/body", "rb") as f:
        address = f"{net.behind}:{server.port}"
        connecting(net, address)
        before = net.lab.live()
        got = as_client(net, "--connect", f"{address}=3", "--", binary, "-t", "30", "-", "FD:3", stdin=f)
        eq(hashlib.sha256(got).hexdigest(), hashlib.sha256(data).hexdigest())
        wire.until(lambda: seen or server.failed)
        eq((seen, server.failed), ([net.seen_outside, (SIZE, want)], []))
        net.lab.settles(before)
        net.quiet()


@on(Tap, Embedded)
def ssh_as_client(net):
    """ssh to a server outside, on the real socket itself (ProxyUseFdpass), and through socat - FD:3 (ProxyCommand)."""
    binary, sshd, socat = need("ssh", "sshd", "socat")
    add_user(net)
    folder = f"{net.home}/ssh"
    os.mkdir(folder)
    sshd_config(net, folder, f"ListenAddress {net.host}", "Port 2222")
    for name in ("", "/key", "/known_hosts"):
        os.chown(folder + name, UID, UID)
    server = net.lab.spawn(sshd, "-D", "-f", f"{folder}/sshd_config", "-E", f"{net.lab.dir}/sshd.log")
    connecting(net, f"{net.behind}:2222")
    want = body(f"{net.home}/body", SIZE)
    before = net.lab.live()
    through = f"{program(RUN)} --grant program --connect %h:%p=3 -- "
    for proxy in (["-o", "ProxyUseFdpass=yes", "-o", f"ProxyCommand={through}{PYTHON} {net.helper('fdpass.py')}"],
                  ["-o", f"ProxyCommand={through}{socat} - FD:3"]):
        said = through_ssh(net, *ALONE, *as_user(), binary, *ssh_options(folder), *proxy, "-p", "2222",
                           f"{NAME}@{net.behind}", want=want)
        eq((said[0], said[2:]), (net.seen_outside, [net.host, "2222"]))
        has(net.lab.read("sshd.log"), f"Accepted publickey for {NAME} from {net.seen_outside} port {said[1]}")
    net.lab.settles(before)
    net.quiet()
    eq(server.poll(), None)
