# SPDX-License-Identifier: BSD-3-Clause
"""What an operator sees of a lease, and does about it, with the programs that are shipped."""
import json
import signal
import subprocess

import wire
from lab import GATEWAY, STATIC, Lab, case, eq, has, program, sh


def lease_lab(**kw):
    lab = Lab(mode="dhcp", **kw)
    lab.tap()
    lab.grant("status", ("status", "allow = all"))
    lab.grant("admin", ("manager", "allow = net0 get,set,renew,release"))
    lab.grant("looker", ("manager", "allow = net0 get"))
    return lab


class Watch:
    """capnet-status --json --watch SECTION…: its events as they come."""

    def __init__(self, lab, *sections):
        self.path = f"{lab.dir}/watch.out"
        with open(self.path, "wb") as out:
            self.p = subprocess.Popen([program("capnet-status"), "--json", "--watch", *sections], stdout=out,
                                      stdin=subprocess.DEVNULL, env=lab.environment())
        wire.until(lambda: len(self.lines()) >= 1)

    def lines(self):
        with open(self.path, encoding="utf-8") as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1]]

    def transitions(self):
        return [e["transition"] for e in self.lines()[1:] if "transition" in e]

    def until(self, protocol, state):
        return wire.until(lambda: next((t for t in self.transitions()
                                        if t["protocol"] == protocol and t["to"] == state), None), 20, 0.1)

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        eq(self.p.wait(10), 0, "capnet-status --watch after SIGINT")


def manage(lab, *words, code=0, grant="admin"):
    p = lab.client("capnet-manager", "--grant", grant, *words)
    eq(p.returncode, code, f"capnet-manager {words}: {p.stdout}{p.stderr}")
    return p.stdout + p.stderr


@case
def every_transition_is_told_with_server_reason_and_next():
    with lease_lab() as lab:
        lab.dnsmasq()
        lab.start()
        lab.lease()
        watch = Watch(lab, "lease", "interfaces")
        manage(lab, "release")
        gone = watch.until("dhcp4", "released")
        eq(gone["interface"], "net0")
        manage(lab, "renew")
        bound = watch.until("dhcp4", "bound")
        eq((bound["server"], bound["prefix"], bound["next"]), (GATEWAY, 24, "renew"))
        assert 0 < bound["next_s"] < bound["valid_for_s"] <= 120 and bound["reason"], bound
        eq(watch.until("dhcp", "preferred")["address"], bound["address"])
        watch.stop()
        has(lab.read("log"), "dhcp4 bound", "dhcp4 released")
        has(lab.client("capnet-status", "leases").stdout, "next: renew in")


@case
def the_manager_renews_releases_and_goes_static_and_back():
    with lease_lab() as lab:
        lab.dnsmasq()
        lab.start()
        address = lab.lease()["address"]
        has(manage(lab), "mode dhcp", address + "/24", "bound", GATEWAY)
        has(manage(lab, "renew"), address)
        has(manage(lab, "static", "10.99.0.77/24", "gateway", GATEWAY, "dns", "10.99.0.5", "search", "a.test"),
            "mode static", "10.99.0.77/24", "10.99.0.5", "a.test")
        def preferred():
            s = json.loads(manage(lab, "--json", "show"))
            return [a["address"] for a in s["addresses"] if a["state"] == "preferred"]
        wire.until(lambda: preferred() == ["10.99.0.77"], 20, 0.2)
        has(manage(lab, "dhcp"), "mode dhcp")
        wire.until(lambda: address in manage(lab), 20, 0.2)
        has(manage(lab, "static", "10.99.0.78/24"), "10.99.0.78/24")
        has(manage(lab, "reconfigure"), "mode dhcp")
        lab.lease()
        has(manage(lab, "release"), "no address", "released")
        has(manage(lab, "release", code=1), "no lease")
        has(manage(lab, "renew", grant="looker", code=3), "do not cover")
        has(manage(lab, "-i", "other", code=3), "do not cover")
        has(manage(lab, "static", "10.99.0.0/24", code=1), "no host of that network")


@case
def ready_when_configured_addresses_have_been_tried():
    """A program that starts after READY=1 finds the address, although it was probed; or hears who else has it."""
    with Lab(extra="conflict-detection = fast\nipv6 = auto\nipv6-address = fd99::2/64") as lab:
        lab.tap()
        lab.grant("status", ("status", "allow = all"))
        lab.grant("ping", ("ping", "allow = *"))
        lab.start()
        states = {a["address"]: a.get("state", "preferred") for a in lab.page("interfaces")["interfaces"][0]["addresses"]}
        eq([states.get(a) for a in (STATIC, "fd99::2")], ["preferred", "preferred"], f"at READY=1: {states}")
        p = lab.client("capnet-ping", "-c", "1", GATEWAY)
        eq(p.returncode, 0, p.stdout + p.stderr)
    with Lab(extra="conflict-detection = fast") as lab:
        sh("ip", "address", "add", STATIC + "/32", "dev", "cap0")  # the kernel has it too
        lab.grant("status", ("status", "allow = all"))
        lab.start()
        (a,) = lab.page("interfaces")["interfaces"][0]["addresses"]
        eq((a["address"], a.get("state")), (STATIC, "duplicate"), "at READY=1")
