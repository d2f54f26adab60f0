#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The figures of tools/bench: rounds of reference and capnet, right after one another, in the Lab of lab.py. README.md
beside this file says what each figure means; load.py has the checks of --load."""
import argparse
import contextlib
import os
import signal
import subprocess
import sys

import load
import report
from lab import NAME, PORT, SERVED_BY, SOCKETS, TAP, VETH, Lab, Missing, cpu, idle, kernel_memory

# figure, unit, kernel's address and port, capnet's, amount, the figure of its CPU time per GB
PAIRS = (
    ("tcp-up", "MB/s", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 256 << 20, "cpu-up"),
    ("tcp-down", "MB/s", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 256 << 20, "cpu-down"),
    ("tcp-rr", "us", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 5000, None),
    ("connects", "1/s", (f"{VETH}.2", PORT), (f"{TAP}.1", PORT), 1000, None),
    ("connects-in", "1/s", (f"{VETH}.2", PORT), None, 1000, None),
    ("calls", "1/s", ("-", "-"), ("-", "-"), 20000, None),
    ("names", "1/s", (f"{VETH}.2", NAME), ("-", NAME), 1000, None),
)
ALONE = (("start-to-lease", "ms"), ("idle-rss", "kB"), ("idle-wakeups", "1/s"), ("held-rss", "kB"),
         ("held-wakeups", "1/s"), ("held-kernel", "kB"))
FORMS = ("auto", "socket", "pair")


def one(lab, figure, daemon, form, row, amount):
    """The value, and the CPU seconds of the measuring program and of the daemon, without the peer's. form None: the
    kernel's own TCP."""
    _, _, kernel, capnet, _, _ = row
    before = cpu() + (cpu(daemon.pid) if form else 0)
    if form and capnet is None:  # from the kernel to capnet's listener
        value = lab.run(figure.removesuffix("-in"), "kernel", lab.leased, SERVED_BY[form], amount, ns=lab.far)
    else:
        value = lab.run(figure.removesuffix("-in"), "capnet" if form else "kernel", *(capnet if form else kernel), amount,
                        form=form or "auto")
    return value, cpu() + (cpu(daemon.pid) if form else 0) - before


def paired(lab, args, daemon, emit):
    for row in PAIRS:
        figure, unit, _, _, amount, cost = row
        if args.figures and not {figure, cost} & set(args.figures):
            continue
        n = max(1, int(amount * args.scale))
        rounds, costs = [], []
        for _ in range(args.rounds):
            reference, spent = one(lab, figure, daemon, args.versus, row, n)
            value, mine = one(lab, figure, daemon, args.form, row, n) if daemon else (None, None)
            rounds.append((value, reference))
            costs.append((mine and mine * 1e9 / n, spent * 1e9 / n))
        emit(report.summarize(figure, unit, rounds))
        if cost:
            emit(report.summarize(cost, "s/GB", costs))


def hold(lab, p, args, form):
    """With connections that do nothing: resident, wake-ups, and what the kernel holds for each, both its ends and the
    peer's among it."""
    with contextlib.ExitStack() as stack:
        before = kernel_memory()
        lab.start([lab.program("tests/bench/bench-run"), "hold", "capnet", f"{TAP}.1", PORT, str(SOCKETS)],
                  ready=b"ready", stack=stack, form=form)
        grown = (kernel_memory() - before) / SOCKETS
        return (*idle(p.pid, args.idle), grown)


def alone(lab, args, emit):
    """What has no counterpart, so the reference is null, but with --versus the other form's."""
    rounds = {figure: [] for figure, _ in ALONE}
    for _ in range(args.rounds):
        sides = []
        for form in (args.form, args.versus):
            if not form:
                sides.append([None] * len(ALONE))
                continue
            with contextlib.ExitStack() as stack:
                p, took = lab.daemon(stack, fresh=True)
                sides.append([took * 1000, *idle(p.pid, args.idle), *hold(lab, p, args, form)])
        for i, (figure, _) in enumerate(ALONE):
            rounds[figure].append((sides[0][i], sides[1][i]))
    for figure, unit in ALONE:
        if not args.figures or figure in args.figures:
            emit(report.summarize(figure, unit, rounds[figure]))


def measure(lab, args, emit):
    lab.namespaces()
    lab.peers()
    if args.references_only:
        paired(lab, args, None, emit)
        return
    lab.configure()
    if not args.figures or {figure for figure, _ in ALONE} & set(args.figures):
        alone(lab, args, emit)
    with contextlib.ExitStack() as stack:
        p, _ = lab.daemon(stack, fresh=False)
        lab.leased = lab.address()
        lab.serve(stack, {args.form, args.versus or args.form})
        paired(lab, args, p, emit)


def arguments():
    names = [n for row in PAIRS for n in (row[0], row[5]) if n] + [figure for figure, _ in ALONE]
    ap = argparse.ArgumentParser(prog="tools/bench", description="Figures of capnet, each beside a reference.")
    ap.add_argument("--build", default=".", help=argparse.SUPPRESS)
    ap.add_argument("--json", action="store_true", help="one object a line: " + " ".join(report.KEYS))
    ap.add_argument("--rounds", type=int, default=5, help="of each figure (default: 5)")
    ap.add_argument("--scale", type=float, default=1, help="factor of the amounts (default: 1)")
    ap.add_argument("--idle", type=float, default=10, help="seconds of idleness that are watched (default: 10)")
    ap.add_argument("--form", choices=FORMS, default="auto", help="of capnet's descriptors (default: auto)")
    ap.add_argument("--versus", choices=FORMS, help="the reference is capnet with this form, not the kernel")
    ap.add_argument("--references-only", action="store_true", help="without capnetd")
    ap.add_argument("--load", action="store_true", help="no figures: is everything right under load, and nothing left?")
    ap.add_argument("figures", nargs="*", metavar="FIGURE", help=" ".join(names) + " (default: all)")
    args = ap.parse_args()
    unknown = set(args.figures) - set(names)
    if unknown or args.rounds < 1 or args.scale <= 0 or args.idle <= 0:
        ap.error(f"no figure {' '.join(sorted(unknown))}" if unknown else "rounds, scale and idle are more than 0")
    return args


def main():
    args = arguments()
    if os.geteuid() != 0:
        sys.exit("tools/bench: needs root, for network namespaces of its own")

    def emit(row):
        print(report.as_json(row) if args.json else report.as_line(row), flush=True)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        with contextlib.ExitStack() as stack:
            lab = Lab(os.path.abspath(args.build), stack)
            if args.load:
                sys.exit(load.run(lab, args.scale))
            if not args.json:
                print(report.HEAD)
            measure(lab, args, emit)
    except (Missing, subprocess.CalledProcessError, FileNotFoundError) as why:
        sys.exit(f"tools/bench: {why}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
