# SPDX-License-Identifier: BSD-3-Clause
"""Real DHCP servers and routers for the cases about leases: each is started with files of its own in the lab's directory,
and ended by its process. A server that is started again knows the leases it gave before.

The network of LeaseLab is one link with a switch in it, so that what is lost between the two is seen by neither server nor
kernel but by the capture:

    daemon ═ cap0 (TAP, captured here) ─ br0 10.99.0.1, fd99::1: the kernel, the servers
"""
import json
import os
import shutil
import signal
import subprocess
import time

import wire
from lab import GATEWAY, Lab, Skip, program, sh

LEASE_S, T1_S, T2_S = 6, 3, 5  # as the servers are told; one that cannot be told sends none, and 5.25 s is what follows
PREFIX6, GATEWAY6 = "fd99::", "fd99::1"
MTU = 1400
WAY = ("10.97.0.0/24", "10.99.0.53")  # by option 121, of those who can be told in a line
DNS, SEARCH = [GATEWAY, "10.99.0.53"], ["lab.test", "example.test"]


class Process:
    """command() writes what the server needs and gives how it is called; `ready` is what its log says when it serves."""
    ready, programs, ways = "", (), ()

    def __init__(self, lab, name):
        self.lab, self.name, self.p = lab, name, None
        for p in self.programs:
            if not shutil.which(p, path="/usr/sbin:/usr/bin:/sbin:/bin"):
                raise Skip(f"{p} is not installed (tools/setup test)")

    def file(self, suffix, text=None):
        path = f"{self.lab.dir}/{self.name}.{suffix}"
        if text is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path

    def command(self):
        raise NotImplementedError

    def start(self):
        command, env = self.command()
        self.p = self.lab.spawn(*command, log=f"{self.name}.log", env=dict(os.environ, **env))
        wire.until(lambda: self.p.poll() is not None or self.ready in self.log())
        assert self.p.poll() is None, self.log()
        return self

    def log(self):
        return self.lab.read(f"{self.name}.log")

    def stop(self, how=signal.SIGTERM):
        self.p.send_signal(how)
        self.p.wait(20)
        self.lab.children.remove(self.p)


class Kea4(Process):
    ready, programs = "DHCP4_STARTED", ("kea-dhcp4",)

    def command(self):
        options = [{"name": "routers", "data": GATEWAY}, {"name": "domain-name-servers", "data": ", ".join(DNS)},
                   {"name": "domain-name", "data": SEARCH[0]}, {"name": "domain-search", "data": ", ".join(SEARCH)},
                   {"name": "interface-mtu", "data": str(MTU)}]
        config = {"Dhcp4": {
            "interfaces-config": {"interfaces": ["br0"]}, "authoritative": True, "valid-lifetime": LEASE_S,
            "renew-timer": T1_S, "rebind-timer": T2_S, "sanity-checks": {"lease-checks": "none"},
            "lease-database": {"type": "memfile", "persist": True, "name": self.file("leases"), "lfc-interval": 0},
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
            "subnet4": [{"subnet": "10.99.0.0/24", "interface": "br0", "option-data": options,
                         "pools": [{"pool": "10.99.0.100-10.99.0.150"}]}]}}
        return (["kea-dhcp4", "-c", self.file("conf", json.dumps(config))],
                {"KEA_LOCKFILE_DIR": "none", "KEA_PIDFILE_DIR": self.lab.dir})


class Isc4(Process):
    ready, programs, ways = "Server starting service", ("dhcpd",), [WAY]

    def command(self):
        config = self.file("conf", f"""
            authoritative; ping-check false; option ways code 121 = array of unsigned integer 8;
            default-lease-time {LEASE_S}; max-lease-time {LEASE_S}; min-lease-time {LEASE_S};
            subnet 10.99.0.0 netmask 255.255.255.0 {{
              range 10.99.0.100 10.99.0.150;
              option routers {GATEWAY}; option domain-name-servers {", ".join(DNS)};
              option domain-name "{SEARCH[0]}"; option domain-search {", ".join(f'"{s}"' for s in SEARCH)};
              option dhcp-renewal-time {T1_S}; option dhcp-rebinding-time {T2_S}; option interface-mtu {MTU};
              option ways 24, 10, 97, 0, {WAY[1].replace(".", ", ")}, 0, {GATEWAY.replace(".", ", ")};
            }}\n""")
        leases = self.file("leases")
        with open(leases, "a", encoding="ascii"):
            pass
        return ["dhcpd", "-4", "-f", "-d", "-cf", config, "-lf", leases, "-pf", self.file("pid"), "br0"], {}


class Udhcpd(Process):
    """It has no T1 and T2."""
    ready, programs, ways = "started", ("udhcpd",), [WAY]

    def command(self):
        leases = self.file("leases")
        with open(leases, "ab"):
            pass
        config = self.file("conf", f"""
start 10.99.0.100
end 10.99.0.150
interface br0
min_lease 1
lease_file {leases}
pidfile {self.file("pid")}
opt lease {LEASE_S}
opt subnet 255.255.255.0
opt router {GATEWAY}
opt dns {" ".join(DNS)}
opt domain {SEARCH[0]}
opt search {" ".join(SEARCH)}
opt mtu {MTU}
opt staticroutes {WAY[0]} {WAY[1]}, 0.0.0.0/0 {GATEWAY}
""")
        return ["udhcpd", "-f", "-a", "10", config], {}


class Radvd(Process):
    """A router whose word is good for five seconds, and which gives it anew every three to four."""
    programs = ("radvd",)

    def __init__(self, lab, name="radvd", managed=False, other=False, names=True):
        super().__init__(lab, name)
        self.managed, self.other, self.names = managed, other, names

    def command(self):
        names = (f"RDNSS {GATEWAY6} {{ AdvRDNSSLifetime 5; }}; DNSSL {' '.join(SEARCH)} {{ AdvDNSSLLifetime 5; }};"
                 if self.names else "")
        config = self.file("conf", f"""interface br0 {{
            AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 5; AdvLinkMTU {MTU};
            AdvManagedFlag {"on" if self.managed else "off"}; AdvOtherConfigFlag {"on" if self.other else "off"};
            prefix {PREFIX6}/64 {{ AdvOnLink on; AdvAutonomous {"off" if self.managed else "on"};
                                   AdvValidLifetime 5; AdvPreferredLifetime 4; }};
            {names} }};\n""")
        return ["radvd", "--nodaemon", "--logmethod", "stderr", "--config", config, "--pidfile", self.file("pid")], {}


class Kea6(Process):
    ready, programs = "DHCP6_STARTED", ("kea-dhcp6",)
    preferred, valid, t1, t2 = 6, 8, 3, 5

    def command(self):
        config = {"Dhcp6": {
            "interfaces-config": {"interfaces": ["br0"]}, "preferred-lifetime": self.preferred, "valid-lifetime": self.valid,
            "renew-timer": self.t1, "rebind-timer": self.t2, "server-id": {"type": "LLT", "persist": False, "identifier": "00a0b0c0d0e0",
                                             "time": 700000000},
            "lease-database": {"type": "memfile", "persist": True, "name": self.file("leases"), "lfc-interval": 0},
            "loggers": [{"name": "kea-dhcp6", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
            "subnet6": [{"subnet": f"{PREFIX6}/64", "interface": "br0", "rapid-commit": True,
                         "option-data": [{"name": "dns-servers", "data": GATEWAY6},
                                         {"name": "domain-search", "data": ", ".join(SEARCH)}],
                         "pools": [{"pool": f"{PREFIX6}100-{PREFIX6}1ff"}]}]}}
        return (["kea-dhcp6", "-c", self.file("conf", json.dumps(config))],
                {"KEA_LOCKFILE_DIR": "none", "KEA_PIDFILE_DIR": self.lab.dir})


SERVERS4 = {"kea": Kea4, "isc": Isc4, "udhcpd": Udhcpd}


class LeaseLab(Lab):
    """A lab whose far end is behind a switch. What a server said is shown when the case fails."""

    def __init__(self, mode="dhcp", **kw):
        super().__init__(mode, **kw)
        self.near, self.servers, self.known = "br0", [], {}
        self.tap()
        self.grant("status", ("status", "allow = all"))
        self.grant("net", ("manager", "allow = net0 get,renew,release"), ("connect", "allow = *:*"))

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        for s in self.servers if kind is not None else ():
            print(f"--- {s.name}'s log, its end\n" + "\n".join(s.log().splitlines()[-30:]))

    def tap(self, user=None):
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "tuntap", "add", "dev", "cap0", "mode", "tap", *(["user", user] if user else []))
        sh("ip", "link", "add", "br0", "address", "02:00:00:00:99:01", "type", "bridge", "stp_state", "0",
           "mcast_snooping", "0")
        # A port that always has a carrier: servers want one. Its other end must not answer for the kernel's addresses.
        sh("ip", "link", "add", "stub0", "type", "veth", "peer", "name", "stub1")
        sh("ip", "link", "set", "stub1", "arp", "off")
        sh("sysctl", "-qw", "net.ipv4.ip_forward=1", *(f"net.ipv6.conf.{d}.disable_ipv6=1" for d in
                                                       ("cap0", "stub0", "stub1")))
        sh("sysctl", "-qw", "net.ipv6.conf.br0.forwarding=1", "net.ipv6.conf.br0.accept_dad=0")
        for dev in ("cap0", "stub0"):
            sh("ip", "link", "set", dev, "master", "br0")
        sh("ip", "address", "add", GATEWAY + "/24", "dev", "br0")
        sh("ip", "address", "add", GATEWAY6 + "/64", "dev", "br0")
        for dev in ("br0", "stub0", "stub1", "cap0"):
            sh("ip", "link", "set", dev, "up")

    def serve(self, kind, *args, **kw):
        """kind: a class of server. Started."""
        server = kind(self, kind.__name__.lower(), *args, **kw)
        self.servers.append(server)
        return server.start()

    def knows(self, line):
        """Whether the daemon takes this line in its section of the interface."""
        if line not in self.known:
            folder = f"{self.dir}/probe"
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/capnetd.conf", "w", encoding="ascii") as f:
                f.write(f"[interface net0]\nmode = dhcp\n{line}\n")
            p = subprocess.run([program("capnetd"), "--check-config", "--config", f.name, "--grants", self.grants_dir],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.environment(), check=False)
            self.known[line] = p.returncode == 0
        return self.known[line]

    def configure(self, *lines):
        """Adds the lines that this daemon knows."""
        self.extra = "\n".join([self.extra, *(x for x in lines if self.knows(x))])

    def needs(self, line):
        if not self.knows(line):
            raise Skip(f"the daemon does not know {line!r}")

    def lose(self, rule):
        """Frames from the daemon that match are lost behind the capture, until recover()."""
        sh("nft", "add table netdev lose; add chain netdev lose in { type filter hook ingress device cap0 priority 0; }; "
           f"add rule netdev lose in {rule} drop")

    def recover(self):
        sh("nft", "delete", "table", "netdev", "lose")


class Wire:
    """Everything that DHCP, ARP and ICMPv6 said on the daemon's link, as tshark reads it."""
    FIELDS = {"time": "frame.time_epoch", "to": "eth.dst", "src": "ip.src", "dst": "ip.dst", "type": "dhcp.option.dhcp",
              "ciaddr": "dhcp.ip.client", "yiaddr": "dhcp.ip.your", "requested": "dhcp.option.requested_ip_address",
              "server": "dhcp.option.dhcp_server_id", "xid": "dhcp.id", "lease": "dhcp.option.ip_address_lease_time",
              "msg6": "dhcpv6.msgtype"}
    TYPES = {"1": "DISCOVER", "2": "OFFER", "3": "REQUEST", "4": "DECLINE", "5": "ACK", "6": "NAK", "7": "RELEASE",
             "8": "INFORM"}

    WHAT = "udp port 67 or udp port 68 or udp port 546 or udp port 547 or arp or icmp6"

    def __init__(self, lab, what=WHAT, name="wire"):
        self.lab, self.file = lab, f"{lab.dir}/{name}.pcap"
        self.p = lab.spawn("tcpdump", "-i", "cap0", "-U", "--immediate-mode", "-n", "-w", self.file, "-Z", "root",
                           *what.split(), log=f"{name}.log")
        wire.until(lambda: "listening on" in lab.read(f"{name}.log"))

    def stop(self):
        time.sleep(0.2)
        self.p.send_signal(signal.SIGINT)
        self.p.wait(10)
        self.lab.children.remove(self.p)

    def read(self, display):
        """The frames that tshark's filter shows, each a dict of what it has."""
        fields = [x for f in self.FIELDS.values() for x in ("-e", f)]
        out = sh("tshark", "-n", "-r", self.file, "-Y", display, "-T", "fields", "-E", "separator=|", *fields).stdout
        rows = []
        for line in out.splitlines():
            row = {k: v for k, v in zip(self.FIELDS, line.split("|")) if v}
            row["time"] = float(row["time"])
            rows.append(row)
        return rows

    def dhcp(self):
        rows = self.read("dhcp")
        for row in rows:
            row["type"] = self.TYPES[row["type"]]
            for key in ("ciaddr", "yiaddr"):
                if row.get(key) == "0.0.0.0":
                    del row[key]
        return rows
