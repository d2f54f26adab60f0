# SPDX-License-Identifier: BSD-3-Clause
"""What each figure is: its unit, its goal, who is measured and how. A Group is what one run measures together; README.md
beside this file says it in words."""
import contextlib
import json
import os
import subprocess
import time

import leases
import proc
from group import QUICK, Figure, Group, NotMeasurable, Sizes, at_least, at_most  # noqa: F401 (bench.py)
from lab import NAME, VETH, Missing
from path import PATHS
from sides import ALL, Capnet, Listener


class Bulk(Group):
    peers = True

    def __init__(self, way, streams, suffix="", extra=False):
        goals = (at_least(0.8 if streams == 1 else 0.5), at_most(1.4 if streams == 1 else 2.0)) if not suffix else (None, None)
        name = f"{way}_{streams}{suffix}"
        super().__init__(Figure(f"bulk_{name}", "MB/s", "mb_s", goals[0]), Figure(f"cpu_{name}", "s/GB", "s_gb", goals[1]))
        self.way, self.streams, self.extra, self.suffix = way, streams, extra, suffix
        self.peers = not suffix
        self.load = (way, {"streams": streams, "size": (1 << 20) // streams},
                     {"streams": streams, "size": (33 << 20) // streams}, (32 << 20) / 1e9)

    def sides(self, ctx, stack):
        if self.suffix == "_v6":
            return ctx.over_ipv6()
        if self.suffix == "_65520":
            return ctx.jumbo()
        return super().sides(ctx, stack)

    def measure(self, ctx, side, n):
        return side.run(self.way, streams=self.streams, ms=ctx.sizes.bulk_ms)


PLACES = {"": None, "_v6": None, "_onecpu": (0, {0}, {0}), "_twocpu": (0, {0}, {1})}  # program, daemon, peer
RR_GOALS = {"": 1.5, "_onecpu": 1.8, "_twocpu": 1.4}


class RoundTrip(Group):
    def __init__(self, place=""):
        super().__init__(Figure(f"rr_p50{place}", "us", "p50", at_most(RR_GOALS[place]) if place in RR_GOALS else None),
                         Figure(f"rr_p99{place}", "us", "p99"))
        self.place, self.peers, self.v6 = PLACES[place], not place, place == "_v6"
        self.load = None if place else ("rr", {"count": 10}, {"count": 1010}, 1000)

    def sides(self, ctx, stack):
        return ctx.over_ipv6() if self.v6 else super().sides(ctx, stack)

    def measure(self, ctx, side, n):
        cpu, daemon, peer = self.place or (None, ALL, ALL)
        proc.pin(ctx.lab.peer.pid, peer)
        side.pin(daemon)
        try:
            return side.run("rr", count=ctx.sizes.trips, cpu=cpu)
        finally:
            side.pin(ALL)
            proc.pin(ctx.lab.peer.pid, ALL)


class RoundTripIdle(Group):
    """With that many connections that do nothing; the reference is capnet with none, by a daemon of its own."""
    fixed_reference = True

    def __init__(self, size, goal=None):
        super().__init__(Figure(f"rr_idle_{'1k' if size == 'thousand' else '10k'}", "us", "p50", goal))
        self.size = size

    def sides(self, ctx, stack):
        busy = ctx.mine("idle")
        stack.callback(busy.daemon.stop)
        busy.hold(stack, getattr(ctx.sizes, self.size))
        return busy, ctx.mine()

    def measure(self, ctx, side, n):
        return side.run("rr", count=ctx.sizes.trips)


class RoundTripUnderBulk(Group):
    def measure(self, ctx, side, n):
        command = side.command("tx", ms=60000)
        p = subprocess.Popen(command, env=side.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
        try:
            time.sleep(ctx.sizes.warm_s)
            result = side.run("rr", count=ctx.sizes.trips // 5)
            if p.poll() is not None:
                raise Missing("the bulk transfer beside it ended")
            return result
        finally:
            ctx.lab.end_group(p)


class Connects(Group):
    """amount: the name of the size; held: so many idle ones on the same side, ports for them."""
    peers = True

    def __init__(self, name, mode="connects", amount="connects", held=None, inward=False, goal=None, refused=False,
                 extra=False):
        figures = [Figure(name, "1/s", "rate", goal)]
        if refused:
            figures.append(Figure(f"{name}_refused", "", "refused", at_most(0, "value")))
        super().__init__(*figures)
        self.mode, self.amount, self.held, self.inward, self.extra = mode, amount, held, inward, extra
        self.peers = not (held or inward or refused)
        self.load = ("connects", {"count": 10}, {"count": 210}, 200) if self.peers else None

    def sides(self, ctx, stack):
        mine, reference = ctx.mine("idle" if self.held else "main"), ctx.reference("idle-versus" if self.held else "versus")
        if self.held:
            for side, port in ((mine, "7076"), (reference, "7075")):
                if isinstance(side, Capnet):
                    stack.callback(side.daemon.stop)
                if side:
                    side.hold(stack, getattr(ctx.sizes, self.held), port)
        if self.inward:
            return tuple(Listener(ctx.lab, s.daemon, s.form, stack) if isinstance(s, Capnet) else s for s in (mine, reference))
        return mine, reference

    def measure(self, ctx, side, n):
        count = getattr(ctx.sizes, self.amount)
        return side.run(self.mode, count=count, limit_s=60 + count // 500)


class TurnWork(Group):
    """A program of its own over a memory device, without data descriptors: more pcbs than a process may have of those."""
    program = "tests/bench/turn_work"

    def sides(self, ctx, stack):
        if not os.access(os.path.join(ctx.lab.builds["own"], self.program), os.X_OK):
            raise NotMeasurable(f"this build has no {self.program}")
        return self, None

    def measure(self, ctx, side, n):
        command = [ctx.lab.program(self.program, ctx.lab.builds["own"]), str(ctx.sizes.pcbs)]
        p = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if p.returncode:
            raise Missing(f"turn_work: {p.stderr.strip()}")
        said = {line["figure"]: line for line in map(json.loads, p.stdout.splitlines())}["turn_work_95k"]
        return {"cpu_ms": said["value"], "touched": said["pcbs_per_turn"]}


class MemIdle(Group):
    """KiB for each idle connection: the daemon's own memory and the kernel's, without the far end's socket. That socket
    is half of what the kernel's own TCP takes for a connection, the reference is the other half."""

    def __init__(self, form, control, goal):
        super().__init__(Figure(f"mem_idle_{form}" + ("_control" if control else ""), "KiB", "kib", at_most(goal, "value")))
        self.form, self.control = form, control

    def sides(self, ctx, stack):
        mine = ctx.mine("mem", form=self.form)
        stack.callback(mine.daemon.stop)
        return mine, ctx.kernel()

    def growth(self, ctx, side, pid=None):
        """Of those that come after the first: these bring what is there once, and the store of fresh sockets."""
        with contextlib.ExitStack() as stack:
            side.hold(stack, max(ctx.sizes.held // 5, 1), "7075", control=self.control)
            time.sleep(ctx.sizes.warm_s)
            kernel, daemon = proc.kernel_memory(), proc.private(pid) if pid else 0
            side.hold(stack, ctx.sizes.held, control=self.control)
            grown = proc.kernel_memory() - kernel + (proc.private(pid) - daemon if pid else 0)
        time.sleep(ctx.sizes.warm_s)  # until the kernel has given it all back
        return grown / ctx.sizes.held

    def round(self, ctx, sides, n):
        end = self.growth(ctx, sides[1]) / 2
        sides[0].daemon.start(fresh=True)
        return [{"kib": self.growth(ctx, sides[0], sides[0].daemon.pid) - end}, {"kib": end}]


class OnPath(Group):
    def __init__(self, path, way="tx"):
        super().__init__(Figure(f"path_{path}" + ("_rx" if way == "rx" else ""), "Mbit/s", "mbit_s", at_least(0.95)))
        self.path, self.way, self.extra = PATHS[path], way, way == "rx"

    def sides(self, ctx, stack):
        return ctx.on_path()

    def measure(self, ctx, side, n):
        delay, rate, queue, loss = self.path
        ctx.path.shape("a" if self.way == "tx" else "b", n, delay, rate, queue, loss)
        # What is in the buffers when time is up has to get through, too.
        return {"mbit_s": side.run(self.way, ms=ctx.sizes.path_ms, limit_s=60)["mb_s"] * 8}


class Calls(Group):
    load = ("calls", {"count": 10}, {"count": 1010}, 1000)

    def measure(self, ctx, side, n):
        return side.run("calls", where="-", port="-", count=ctx.sizes.calls)


class Lookups(Group):
    load = ("lookups", {"count": 10, "port": NAME}, {"count": 210, "port": NAME}, 200)

    def sides(self, ctx, stack):
        ctx.lab.dnsmasq()
        return super().sides(ctx, stack)

    def measure(self, ctx, side, n):
        return side.run("lookups", where=f"{VETH}.2" if side.name == "kernel" else "-", port=NAME, count=ctx.sizes.lookups)


class Wakeups(Group):
    """Rounds are windows of time, one after the other on one daemon that has been left alone before."""

    def __init__(self, held=False):
        super().__init__(Figure("idle_wakeups" + ("_1k" if held else ""), "1/s", "rate", at_most(0, "value")))
        self.held = held

    def sides(self, ctx, stack):
        mine = ctx.mine("quiet")
        stack.callback(mine.daemon.stop)
        if self.held:
            mine.hold(stack, ctx.sizes.thousand)
        time.sleep(ctx.sizes.settle_s)
        return mine, None

    def measure(self, ctx, side, n):
        before, start = proc.switches(side.daemon.pid), time.monotonic()
        time.sleep(ctx.sizes.idle_s)
        return {"rate": (proc.switches(side.daemon.pid) - before) / (time.monotonic() - start)}


def groups():
    """In the order of the issue's list, what is asked for by name alone last."""
    yield from (Bulk(way, n) for n in (1, 8) for way in ("tx", "rx"))
    yield from (Bulk(way, n, suffix) for suffix in ("_65520", "_v6") for n in (1, 8) for way in ("tx", "rx"))
    yield from (RoundTrip(place) for place in PLACES)
    yield from (RoundTripIdle("thousand"), RoundTripIdle("many", at_most(1.1)))
    yield RoundTripUnderBulk(Figure("rr_under_bulk", "us", "p50"))
    yield Connects("connects", goal=at_least(0.75))
    yield Connects("connects_serverclose", "connects-serverclose", "serverclose", goal=at_least(0.75), refused=True)
    yield Connects("connects_idle_10k", held="many")
    yield Connects("connects_in", inward=True)
    yield Connects("connects_in_serverclose", "connects-serverclose", "serverclose", inward=True, refused=True, extra=True)
    yield TurnWork(Figure("turn_work_95k", "ms", "cpu_ms", at_most(0.2, "value")),
                   Figure("turn_work_95k_touched", "pcbs", "touched"))
    yield from (MemIdle(form, control, kib + (6 if control else 0)) for control in (False, True)
                for form, kib in (("pair", 6), ("socket", 7.5)))
    yield from (OnPath(path) for path in PATHS)
    yield Calls(Figure("calls", "1/s", "rate", at_least(0.6)))
    yield Lookups(Figure("lookups", "1/s", "rate"))
    yield from (Wakeups(), Wakeups(held=True))
    yield from leases.groups()
    yield from (OnPath(path, "rx") for path in PATHS)
