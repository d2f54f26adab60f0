# SPDX-License-Identifier: BSD-3-Clause
"""A client of the protocol that shares no code with capnet but the schema: numbers and types come from proto/*.proto.
It can say what libcapnet cannot: forged calls, methods that do not exist, bytes that are no frame."""
import array
import os
import re
import select
import socket
import struct
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Schema:
    """Messages: {name: {field: (number, type, repeated)}}; services: {name: [(method, request, reply)]}."""

    def __init__(self, folder):
        self.messages, self.enums, self.services = {}, {}, {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".proto"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    self.parse(re.sub(r"//[^\n]*", "", f.read()))

    def parse(self, text):
        for name, body in re.findall(r"enum\s+(\w+)\s*\{([^}]*)\}", text):
            self.enums[name] = {k: int(v) for k, v in re.findall(r"(\w+)\s*=\s*(\d+)", body)}
        text = re.sub(r"enum\s+\w+\s*\{[^}]*\}", "", text)
        for name, body in re.findall(r"message\s+(\w+)\s*\{([^}]*)\}", text):
            self.messages[name] = {field: (int(number), kind, label == "repeated") for label, kind, field, number in
                                   re.findall(r"(optional|repeated)\s+(\w+)\s+(\w+)\s*=\s*(\d+)", body)}
        for name, body in re.findall(r"service\s+(\w+)\s*\{([^}]*)\}", text):
            self.services[name] = re.findall(r"rpc\s+(\w+)\s*\(\s*(\w+)\s*\)\s*returns\s*\(\s*(\w+)\s*\)", body)


SCHEMA = Schema(os.path.join(TOP, "proto"))
KIND = {"INVALID": 0, "REQUEST": 1, "REPLY": 2, "ERROR": 3, "CANCEL": 4, "TERMINAL": 5}
CODE = {v: k.removeprefix("ERROR_") for k, v in SCHEMA.enums["ErrorCode"].items()}


def method_number(service, method):
    for base, name in ((0, "Capability"), (16, service)):
        for i, (m, request, reply) in enumerate(SCHEMA.services[name]):
            if m == method:
                return base + i, request, reply
    raise KeyError(f"{service}.{method}")


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def encode(message, values):
    out = bytearray()
    for field, value in values.items():
        number, kind, repeated = SCHEMA.messages[message][field]
        for v in value if repeated else [value]:
            if kind in SCHEMA.messages:
                v = encode(kind, v)
            if isinstance(v, str):
                v = v.encode()
            if isinstance(v, bytes):
                out += varint(number << 3 | 2) + varint(len(v)) + v
            else:
                out += varint(number << 3) + varint(int(v))
    return bytes(out)


def read_varint(data, at):
    n = shift = 0
    while True:
        b = data[at]
        at += 1
        n |= (b & 0x7F) << shift
        if b < 0x80:
            return n, at
        shift += 7


def decode(message, data):
    fields = {n: (name, kind, repeated) for name, (n, kind, repeated) in SCHEMA.messages[message].items()}
    result, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {key & 7}")
        if key >> 3 not in fields:
            continue
        name, kind, repeated = fields[key >> 3]
        if kind in SCHEMA.messages:
            value = decode(kind, value)
        elif kind == "string":
            value = value.decode(errors="surrogateescape")  # it may hold any bytes: docs/PROTOCOL.md
        elif kind == "bool":
            value = bool(value)
        if repeated:
            result.setdefault(name, []).append(value)
        else:
            result[name] = value
    return result


class Refused(Exception):
    """A typed error of the daemon."""

    def __init__(self, error):
        self.code = CODE.get(error.get("code", 0), "?")
        self.message, self.grant = error.get("message", ""), error.get("grant", "")
        self.rule = error.get("rule", "")
        super().__init__(f"{self.code}: {self.message} (grant {self.grant}, rule {self.rule})")


class Terminal(Refused):
    """The daemon ended the endpoint and said why."""


class Gone(Exception):
    """The endpoint ended without a word."""


class Late(Exception):
    """Nothing came in time. It bounds a failing test; no test measures with it."""


class Cap:
    """One endpoint. A `with` closes it."""

    def __init__(self, sock, service):
        self.sock, self.service, self.calls = sock, service, 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()

    def send_raw(self, data, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        return self.sock.sendmsg([data], control)

    def send(self, method, request=None, deadline_ms=0, fds=(), service=None):
        """Sends a request and does not wait. method: a name, or a bare number with the body as bytes."""
        self.calls += 1
        if isinstance(method, int):
            number, body = method, request or b""
        else:
            number, message, _ = method_number(service or self.service, method)
            body = encode(message, request or {})
        frame = {"kind": KIND["REQUEST"], "call": self.calls, "method": number, "body": body}
        if deadline_ms:
            frame["deadline_ms"] = deadline_ms
        self.send_raw(encode("Frame", frame), fds)
        return self.calls

    def cancel(self, call):
        self.send_raw(encode("Frame", {"kind": KIND["CANCEL"], "call": call}))

    def recv(self, timeout=20):
        """The next frame and its descriptors."""
        if not select.select([self.sock], [], [], timeout)[0]:
            raise Late(f"{self.service}: no frame in {timeout} s")
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 70000, 253)
        except ConnectionResetError as e:
            raise Gone(f"{self.service}: reset") from e
        if not data:
            raise Gone(self.service)
        frame = decode("Frame", data)
        if frame["kind"] == KIND["TERMINAL"]:
            raise Terminal(frame.get("error", {}))
        return frame, fds

    def replies(self, call, reply, timeout=20):
        """Each reply of one call as (message, descriptors). Nothing else may be under way."""
        while True:
            frame, fds = self.recv(timeout)
            if frame.get("call") != call:
                raise AssertionError(f"a frame of call {frame.get('call')}, not of {call}")
            if frame["kind"] == KIND["ERROR"]:
                raise Refused(frame.get("error", {}))
            assert frame["kind"] == KIND["REPLY"], frame
            yield decode(reply, frame.get("body", b"")), fds
            if not frame.get("more"):
                return

    def stream(self, method, request=None, deadline_ms=0, timeout=20):
        call = self.send(method, request, deadline_ms)
        yield from self.replies(call, method_number(self.service, method)[2], timeout)

    def call(self, method, request=None, deadline_ms=0, timeout=20):
        """One reply and its descriptors."""
        result = list(self.stream(method, request, deadline_ms, timeout))
        assert len(result) == 1, result
        return result[0]

    # What every capability answers.

    def describe(self):
        return self.call("Describe")[0]

    def attenuate(self, rights=(), limits=None, expires_in_ms=0, label=""):
        request = {"rights": rights, "limits": [{"name": k, "max": v} for k, v in (limits or {}).items()]}
        if expires_in_ms:
            request["expires_in_ms"] = expires_in_ms
        if label:
            request["label"] = label
        reply, fds = self.call("Attenuate", request)
        return Cap(socket.socket(fileno=fds[reply["endpoint"].get("slot", 0)]), self.service), reply["id"]

    def revoke(self, ident=None):
        self.call("Revoke", {} if ident is None else {"id": ident})


SERVICE_OF = {"tcp-connect": "TcpConnectAuthority", "tcp-listen": "TcpListenAuthority", "dns": "DnsResolver",
              "ping": "Ping", "status": "NetworkStatus", "manager": "NetworkManager"}


def adopt(fd, service):
    return Cap(socket.socket(fileno=fd), service)


def door(path):
    """The shared descriptor of a grant's socket: answers Open only."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    return Cap(s, "Grant")


def open_grant(path):
    with door(path) as d:
        reply, fds = d.call("Open")
        return adopt(fds[reply["endpoint"].get("slot", 0)], "Grant")


def take(grant, kind, name=None):
    reply, fds = grant.call("Take", {"name": name} if name else {"kind": kind})
    return adopt(fds[reply["endpoint"].get("slot", 0)], SERVICE_OF[reply["kind"]])


def endpoint(text):
    address, _, port = text.rpartition(":")
    address = address.strip("[]")
    return {"address": address.strip("[]"), "port": int(port)}


class Connection:
    """The data and the control of one TCP connection."""

    def __init__(self, reply, fds):
        self.local, self.remote, self.id = reply.get("local"), reply.get("remote"), reply.get("id")
        self.real = reply.get("form") == SCHEMA.enums["TcpForm"]["TCP_FORM_SOCKET"]
        self.data = socket.socket(fileno=fds[reply["data"].get("slot", 0)])
        self.control = adopt(fds[reply["control"].get("slot", 0)], "TcpSocket") if "control" in reply else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.data.close()
        if self.control:
            self.control.close()

    def cut(self):
        """Reads on to where it was cut off: a real socket says so, a stream pair cannot."""
        try:
            while self.data.recv(1 << 16):
                pass
            reset = False
        except ConnectionResetError:
            reset = True
        if reset != self.real:
            raise AssertionError(f"a {'real socket' if self.real else 'stream pair'} {'was' if reset else 'was not'} reset")

    def end(self):
        """Waits for the end of the connection; its name without TCP_END_."""
        reply = self.control.call("WaitEnd")[0]
        names = {v: k.removeprefix("TCP_END_") for k, v in SCHEMA.enums["TcpEnd"].items()}
        return names[reply.get("end", 0)]


def connect(cap, remote, deadline_ms=0, form=None):
    request = {"remote": endpoint(remote)}
    if form:
        request["form"] = SCHEMA.enums["TcpForm"][f"TCP_FORM_{form}"]
    return Connection(*cap.call("Connect", request, deadline_ms))


def listen(cap, port, address="interface-address", backlog=None):
    request = {"address": address, "port": port}
    if backlog:
        request["backlog"] = backlog
    reply, fds = cap.call("Listen", request)
    return adopt(fds[reply["listener"].get("slot", 0)], "TcpListener"), reply


def listen_socket(cap, port, address="interface-address", backlog=16, overflow="WAIT", family=None):
    """The control, the real listening socket, and the reply."""
    request = {"address": address, "port": port, "backlog": backlog, "socket": True,
               "overflow": SCHEMA.enums["TcpOverflow"][f"TCP_OVERFLOW_{overflow}"]}
    if family:
        request["family"] = SCHEMA.enums["TcpFamily"][f"TCP_FAMILY_{family}"]
    reply, fds = cap.call("Listen", request)
    return (adopt(fds[reply["listener"].get("slot", 0)], "TcpListener"),
            socket.socket(fileno=fds[reply["socket"].get("slot", 0)]), reply)


def accept(listener, deadline_ms=0):
    return Connection(*listener.call("Accept", {}, deadline_ms))


def until(what, seconds=20, every=0.02):
    """Waits until what() is true; its value. It bounds a failing test; no test measures with it."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"never came true in {seconds} s: {getattr(what, '__doc__', None) or what}")
        time.sleep(every)


def linger_reset(sock):
    """close() will send a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
