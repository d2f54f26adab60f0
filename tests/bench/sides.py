# SPDX-License-Identifier: BSD-3-Clause
"""Who is measured: the kernel's own TCP, a daemon through the descriptors it passes, a daemon's listener, another
program's network. Each runs the same measurement against the same far end, and can be pinned to processors."""
import proc
from lab import PORT, VETH

ALL = {0, 1}


class Kernel:
    name = "kernel"

    def __init__(self, lab, where=f"{VETH}.2", port=PORT, ns=None):
        self.lab, self.where, self.port, self.ns = lab, where, port, ns

    def run(self, mode, where=None, port=None, **load):
        return self.lab.run(mode, "kernel", where or self.where, port or self.port, ns=self.ns, **load)

    def command(self, mode, **load):
        return self.lab.inside(self.ns or self.lab.near, self.lab.command(mode, "kernel", self.where, self.port, **load))

    def environment(self):
        return self.lab.environment()

    def hold(self, stack, n, port="7076", **_):
        self.lab.hold(stack, n, "kernel", self.where, port)

    def pin(self, cpus):
        """Nobody but the program, which pins itself."""


class Capnet:
    name = "capnet"

    def __init__(self, lab, daemon, form="auto"):
        self.lab, self.daemon, self.form = lab, daemon, form

    def run(self, mode, where=None, port=None, **load):
        return self.lab.run(mode, "capnet", where or self.daemon.far, port or PORT, daemon=self.daemon, form=self.form, **load)

    def command(self, mode, **load):
        return self.lab.command(mode, "capnet", self.daemon.far, PORT, **load)

    def environment(self):
        return self.lab.environment(self.daemon, self.form)

    def hold(self, stack, n, port="7076", control=False):
        self.lab.hold(stack, n, "capnet", self.daemon.far, port, self.daemon, self.form, control)

    def pin(self, cpus):
        proc.pin(self.daemon.pid, cpus)


class Listener(Kernel):
    """The kernel connects to a listener that a daemon granted."""
    name = "capnet"

    def __init__(self, lab, daemon, form, stack):
        super().__init__(lab, daemon.address, daemon.serve(stack, form), lab.far)
        self.daemon = daemon
