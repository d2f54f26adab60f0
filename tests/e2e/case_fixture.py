# SPDX-License-Identifier: BSD-3-Clause
"""device = fixture: the daemon on a far end of its own making, by the real clock, and without any privilege."""
import os
import subprocess

import wire
from lab import Lab, case, eq, has, program, sh

UID = 61841
SCRIPT = """\
server 10.0.0.1 pool 10.0.0.5 lease 1h router 10.0.0.1,10.0.0.2 dns 10.0.0.53 search lan.test option 42 0a000007
dns 10.0.0.53
name echo.lan.test 192.0.2.7
host 192.0.2.7 tcp 7
"""


class Fixture:
    """A lab as an ordinary user, with this script."""

    def __init__(self, mode, script):
        self.wrap = []
        if os.geteuid() == 0:
            self.wrap = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
            sh("ip", "link", "set", "lo", "up")
        self.uid = UID if self.wrap else None
        self.lab = Lab(mode=mode, device="fixture", extra="script = net.sim")
        with open(f"{self.lab.dir}/net.sim", "w", encoding="utf-8") as f:
            f.write(script)

    def __enter__(self):
        lab = self.lab.__enter__()
        if self.wrap:
            os.chown(lab.dir, UID, UID)
        who = str(self.uid or os.getuid())
        lab.grant("status", ("status", "allow = all"), users=who)
        lab.grant("net", ("ping", "allow = *"), ("connect", "allow = *:*"), ("dns", "allow = *"), users=who)
        lab.start(wrap=self.wrap)
        return self

    def __exit__(self, *exc):
        return self.lab.__exit__(*exc)


@case(root=False)
def fixture_lease():
    """A lease of the script's server; ping, a name and a TCP echo beyond the gateway."""
    with Fixture("dhcp", SCRIPT) as f:
        lab = f.lab
        lab.lease()
        interface = lab.status("interfaces")["interfaces"][0]
        eq((interface["kind"], interface["device"], interface["mtu"]), ("fixture", "net0", 1500))
        address = interface["addresses"][0]
        eq((address["address"], address["prefix"], address["origin"]), ("10.0.0.5", 24, "dhcp"))
        eq(lab.status("leases")["leases"][0]["server"], "10.0.0.1")
        eq(interface["time_servers"], [{"address": "10.0.0.7", "origin": "dhcp"}])
        has(lab.client("capnet-status", "-g", "status", "interfaces", uid=f.uid).stdout, "time servers 10.0.0.7 (dhcp)")
        eq([(r.get("gateway"), r["origin"]) for r in lab.status("routes")["routes"] if r["destination"] == "0.0.0.0/0"],
           [("10.0.0.1", "dhcp"), ("10.0.0.2", "dhcp")])
        p = lab.client("capnet-ping", "-g", "net", "-c", "2", "-i", "0.2", "192.0.2.7", uid=f.uid)
        eq(p.returncode, 0, p.stderr)
        p = subprocess.run([*f.wrap, program("capnet-cat"), "-g", "net", "-w", "10", "echo", "7"], input="there and back\n",
                           capture_output=True, text=True, check=False, timeout=30, env=lab.environment())
        eq((p.returncode, p.stdout), (0, "there and back\n"), p.stderr)


@case(root=False)
def fixture_address():
    """An address that the script gives shows its own origin, and the script goes on by the real clock."""
    script = "address 10.0.0.2/24 gateway 10.0.0.1\nhost 10.0.0.1\nat 1s link down\nat 2s link up\nat 2s renew\n"
    with Fixture("", script) as f:
        lab = f.lab
        interface = lab.status("interfaces")["interfaces"][0]
        eq((interface["kind"], interface["mode"]), ("fixture", "static"))
        eq([(a["address"], a["origin"]) for a in interface["addresses"] if "." in a["address"]],
           [("10.0.0.2", "fixture")])
        wire.until(lambda: "link is up" in lab.read("log"), 20)
        wire.until(lambda: lab.client("capnet-ping", "-g", "net", "-c", "1", "10.0.0.1", uid=f.uid).returncode == 0, 20)


@case(root=False)
def fixture_script_is_checked():
    """A script that is wrong ends the start, with its own file and line; so does one that others may write."""
    lab = Lab(mode="dhcp", device="fixture", extra="script = net.sim")
    with lab:
        path = f"{lab.dir}/net.sim"
        with open(path, "w", encoding="utf-8") as f:
            f.write("# one\nserver 10.0.0.1 colour blue\n")
        lab.write_config()
        check = [*lab.command(), "--check-config"]
        p = subprocess.run(check, capture_output=True, text=True, check=False, env=lab.environment())
        eq(p.returncode, 1)
        has(p.stderr, f'{path}:2: server: "colour" is not known')
        os.chmod(path, 0o666)
        p = subprocess.run(check, capture_output=True, text=True, check=False, env=lab.environment())
        eq(p.returncode, 1)
        has(p.stderr, "is writable by its group or by others")
        os.unlink(path)
        p = subprocess.run(check, capture_output=True, text=True, check=False, env=lab.environment())
        eq(p.returncode, 1)
