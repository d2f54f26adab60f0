#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/bench: rounds of reference and capnet, right after one another, in the Lab of lab.py. figures.py has the figures,
README.md beside this file says what each one means; load.py has the checks of --load, verify.py those of --verify."""
import argparse
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys

import figures
import instructions
import load
import others
import report
import verify
from lab import Lab, Missing
from path import PATH_NET, Path
from sides import Capnet, Kernel

FORMS = ("auto", "socket", "pair")


class Context:
    """The Lab as one run wants it: which build, which form, what stands in the reference's place."""

    def __init__(self, lab, args):
        self.lab, self.args, self.path = lab, args, None
        self.sizes = figures.QUICK if args.quick else figures.Sizes()
        changed = {k: v for k, v in (("serverclose", args.connections), ("idle_s", args.idle)) if v}
        self.sizes = dataclasses.replace(self.sizes, **changed)
        if args.versus_build:
            lab.builds["versus"] = os.path.abspath(args.versus_build)

    def kernel(self):
        return Kernel(self.lab)

    def mine(self, role="main", form=None, **how):
        if self.args.references_only:
            return None
        return Capnet(self.lab, self.lab.daemon(role, **how), form or self.args.form)

    def reference(self, role="versus", **how):
        """role: of the daemon, where a daemon stands in the reference's place."""
        if self.args.versus_build:
            return Capnet(self.lab, self.lab.daemon(role, build="versus", **how), self.args.versus or self.args.form)
        if self.args.versus:
            return Capnet(self.lab, self.lab.daemon("main" if role == "versus" else role, **how), self.args.versus)
        return self.kernel()

    def jumbo(self):
        where = self.lab.jumbo()
        mine = self.mine("jumbo", mtu=65520)
        if mine and mine.daemon.mtu() < 65520:
            raise figures.NotMeasurable(f"the daemon takes an MTU of {mine.daemon.mtu()} at most")
        other = self.args.versus or self.args.versus_build
        return mine, self.reference("jumbo-versus", mtu=65520) if other else Kernel(self.lab, where)

    def over_ipv6(self):
        where = self.lab.peers6()
        other = self.args.versus or self.args.versus_build
        mine = self.mine("v6", mode="static6")
        return mine, self.reference("v6-versus", mode="static6") if other else Kernel(self.lab, where)

    def on_path(self):
        if self.path is None:
            self.path = Path(self.lab)
            self.path.build()
        self.path.shape()
        mine = None if self.args.references_only else Capnet(self.lab, self.path.daemon(), self.args.form)
        if self.args.versus_build:
            return mine, Capnet(self.lab, self.path.daemon("versus"), self.args.versus or self.args.form)
        if self.args.versus:
            return mine, Capnet(self.lab, self.path.daemon(), self.args.versus)
        return mine, Kernel(self.lab, f"{PATH_NET}.1", ns=self.path.near)


def wanted(group, args):
    names = {f.name for f in group.figures}
    return bool(names & set(args.figures)) if args.figures else not group.extra


def goal_of(args, group, figure):
    """None where the ratio is to something else than what the goal is about."""
    other = (args.versus or args.versus_build) and not group.fixed_reference
    return None if other and figure.goal and figure.goal[2] == "ratio" else figure.goal


interrupts = []


def interrupt(*_):
    interrupts.append(True)
    raise KeyboardInterrupt


def round_of(ctx, group, sides, n):
    """An interrupt that comes while Python runs a finalizer is printed and forgotten: it is looked for here as well."""
    if interrupts:
        raise KeyboardInterrupt
    return group.round(ctx, sides, n)


def run_group(ctx, group, rivals, emit):
    """Of each side but the reference, which is the second, a row for each figure."""
    chosen = set(ctx.args.figures) or {f.name for f in group.figures}
    with contextlib.ExitStack() as stack:
        sides = [*group.sides(ctx, stack), *(rivals if group.peers else ())]
        rounds = [round_of(ctx, group, sides, n + 1) for n in range(ctx.args.rounds)]
    counted = instructions.count(ctx, group, say) if ctx.args.instructions and group.load else None
    for i, side in enumerate(sides):
        for f in group.figures if i != 1 else ():
            if f.name in chosen:
                pairs = [tuple(r[j] and r[j].get(f.key) for j in (i, 1)) for r in rounds]
                label = f.name if i == 0 else f"{f.name}@{side.name}"
                emit(report.summarize(label, f.unit, pairs, counted if i == 0 and f is group.figures[0] else None),
                     goal_of(ctx.args, group, f) if i == 0 else None)


def measure(ctx, emit):
    """A figure that fails is told with its reason, and the next one goes on. How many failed."""
    ctx.lab.namespaces()
    ctx.lab.peers()
    rivals = others.start(ctx.lab, say) if ctx.args.peers else []
    failed = 0
    for group in figures.groups():
        if not wanted(group, ctx.args):
            continue
        try:
            run_group(ctx, group, rivals, emit)
        except (Missing, OSError, subprocess.SubprocessError) as why:
            measurable = not isinstance(why, figures.NotMeasurable)
            failed += measurable
            for f in group.figures:
                say(f"{f.name}: {'failed' if measurable else 'not measurable'}: {why}")
                if not ctx.args.figures or f.name in ctx.args.figures:
                    emit(report.summarize(f.name, f.unit, []), f.goal)
            ctx.lab.stop_daemons()
    return failed


def say(text):
    print(f"tools/bench: {text}", file=sys.stderr, flush=True)


def arguments():
    names = [f.name for g in figures.groups() for f in g.figures]
    ap = argparse.ArgumentParser(prog="tools/bench", description="Figures of capnet, each beside a reference.")
    ap.add_argument("--build", default=".", help=argparse.SUPPRESS)
    ap.add_argument("--json", action="store_true", help="one object a line: " + " ".join(report.KEYS))
    ap.add_argument("--rounds", type=int, help="of each figure (default: 15)")
    ap.add_argument("--quick", action="store_true", help="3 rounds of small amounts: does it work? The figures say nothing")
    ap.add_argument("--connections", type=int, help="in a row, of connects_serverclose (default: 100,000)")
    ap.add_argument("--idle", type=float, help="seconds of each window of idle_wakeups (default: 10)")
    ap.add_argument("--form", choices=FORMS, default="auto", help="of capnet's descriptors (default: auto)")
    ap.add_argument("--versus", choices=FORMS, help="the reference is capnet with this form, not the kernel")
    ap.add_argument("--daemon", metavar="BUILDDIR", help="whose capnetd and libcapnet are measured")
    ap.add_argument("--versus-build", metavar="BUILDDIR", help="the reference is capnet of this build, not the kernel")
    ap.add_argument("--peers", action="store_true", help="pasta and slirp4netns in the same rounds")
    ap.add_argument("--instructions", action="store_true", help="count the daemon's too (perf, else callgrind: slow)")
    ap.add_argument("--references-only", action="store_true", help="without capnetd")
    ap.add_argument("--verify", action="store_true", help="no figures: is every byte right, with frames lost and reordered too?")
    ap.add_argument("--load", action="store_true", help="no figures: is everything right under load, and nothing left?")
    ap.add_argument("figures", nargs="*", metavar="FIGURE", help=" ".join(names) + " (default: all but those with _rx)")
    args = ap.parse_args()
    unknown = set(args.figures) - set(names)
    if unknown:
        ap.error(f"no figure {' '.join(sorted(unknown))}")
    args.rounds = args.rounds or (3 if args.quick else 15)
    if args.rounds < 1 or (args.idle or 1) <= 0 or (args.connections or 1) < 1:
        ap.error("rounds, idle and connections are more than 0")
    return args


def run(args, emit):
    with contextlib.ExitStack() as stack:
        lab = Lab(os.path.abspath(args.build), stack, args.daemon and os.path.abspath(args.daemon))
        if args.load:
            return load.run(lab, 0.05 if args.quick else 1)
        ctx = Context(lab, args)
        if args.verify:
            return verify.run(ctx)
        if not args.json:
            print(report.HEAD, flush=True)
        return 1 if measure(ctx, emit) else 0


def main():
    args = arguments()
    if os.geteuid() != 0:
        sys.exit("tools/bench: needs root, for network namespaces of its own")

    def emit(row, goal):
        print(report.as_json(row) if args.json else report.as_line(row, goal), flush=True)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, interrupt)
    try:
        sys.exit(run(args, emit))
    except (Missing, subprocess.SubprocessError, OSError) as why:
        sys.exit(f"tools/bench: {why}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
