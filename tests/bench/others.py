# SPDX-License-Identifier: BSD-3-Clause
"""Other user-mode networks, for --peers: a namespace of their own whose traffic they carry to the kernel in "near", and so
over the same veth to the same far end. A program that is not installed is left out, and said so."""
import contextlib
import os
import shutil
import subprocess

import proc
from lab import PORT, VETH, Missing

MTU = "65520"


class Other:
    """A network namespace in which the measuring program runs with the kernel's own TCP."""

    def __init__(self, lab, name, holder):
        self.lab, self.name, self.holder, self.carrier = lab, name, holder, None

    def run(self, mode, **load):
        inside = ("nsenter", f"--net=/proc/{self.holder}/ns/net")
        return self.lab.run(mode, "kernel", f"{VETH}.2", PORT, prefix=inside, **load)

    def pin(self, cpus):
        if self.carrier:
            proc.pin(self.carrier.pid, cpus)


def other(lab, name):
    """The namespace is there once its holder has one that is not ours."""
    holder = lab.start(["unshare", "--net", "sleep", "infinity"], ns=lab.near)
    near = os.stat(f"/run/netns/{lab.near}").st_ino
    lab.wait_for(lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino not in (near, os.stat("/proc/self/ns/net").st_ino), 5,
                 "a namespace")
    return Other(lab, name, holder.pid)


def slirp4netns(lab):
    it = other(lab, "slirp4netns")
    it.carrier = lab.start(["slirp4netns", "--configure", f"--mtu={MTU}", str(it.holder), "tap0"], ns=lab.near)
    return it


def pasta(lab):
    """It makes its namespaces itself, and a user namespace around them."""
    carrier = lab.start(["pasta", "--config-net", "--foreground", "--runas", "0", "-a", "10.9.9.2", "-n", "24", "-g",
                         "10.9.9.1", "-i", "vnear", "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--", "sleep",
                         "infinity"], ns=lab.near)
    it = Other(lab, "pasta", 0)
    it.carrier = carrier

    def program():
        if carrier.poll() is not None:
            raise Missing("it ended")
        for pid in proc.children(carrier.pid)[1:]:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as f:
                it.holder = pid if f.read().strip() == "sleep" else it.holder
        return it.holder

    lab.wait_for(program, 10, "pasta to start its program")
    return it


def start(lab, say):
    found = []
    # Whoever carries wants a route to everywhere.
    lab.sh("ip", "route", "add", "default", "via", f"{VETH}.2", ns=lab.near)
    for make in (pasta, slirp4netns):
        name = make.__name__
        if not shutil.which(name):
            say(f"--peers: {name} is not installed (tools/setup bench)")
            continue
        try:
            it = make(lab)
            lab.wait_for(lambda it=it: works(it), 10, f"{name} to carry a connection", 0.2)
            found.append(it)
        except (Missing, OSError, subprocess.SubprocessError) as why:
            say(f"--peers: {name} is left out: {why}; {lab.log(name)}")
    say("--peers: liblwip is left out: Debian has the library, and no program that offers it to others")
    return found


def works(it):
    try:
        it.run("rr", count=1, limit_s=2)
        return True
    except Missing:
        return False
