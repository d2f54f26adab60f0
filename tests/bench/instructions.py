# SPDX-License-Identifier: BSD-3-Clause
"""Instructions of the daemon for each GB, round trip, connection or call: noise does not touch them. perf counts them where
the machine can, else callgrind on a daemon of its own, user space alone. Two loads, a small and a larger one, from start to
end of a daemon each: the difference is what the work itself cost."""
import glob
import os
import re
import shutil
import signal
import subprocess

from lab import Missing
from sides import Capnet

SLOW_S = 300  # under callgrind


def perf_counts():
    if not shutil.which("perf"):
        return False
    p = subprocess.run(["perf", "stat", "-x,", "-e", "instructions", "true"], capture_output=True, text=True, check=False)
    return p.returncode == 0 and p.stderr.split(",")[0].isdigit()


def wrapped(directory):
    """What is put before capnetd, and what reads the count afterwards."""
    out = os.path.join(directory, "count")
    if perf_counts():
        return ["perf", "stat", "-x,", "-e", "instructions", "-o", out, "--"], lambda: perf_read(out)
    if shutil.which("valgrind"):
        return ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}.%p"], lambda: callgrind_read(out)
    raise Missing("neither does perf count here nor is valgrind installed")


def perf_read(out):
    with open(out, encoding="ascii") as f:
        return sum(int(line.split(",")[0]) for line in f if "instructions" in line and line[0].isdigit())


def callgrind_read(out):
    total = 0
    for path in glob.glob(out + ".*"):
        with open(path, encoding="utf-8", errors="replace") as f:
            found = re.findall(r"^(?:totals|summary): (\d+)", f.read(), re.M)
        total += int(found[-1]) if found else 0
        os.unlink(path)
    return total


def once(ctx, read, prefix, load):
    """Instructions of a daemon that is started, does this and ends."""
    mode, how = load
    daemon = ctx.lab.daemon("counted", prefix=prefix)
    daemon.start()
    # A pair: the helper of sealed namespaces is not what is counted, and valgrind cannot follow it everywhere.
    side = Capnet(ctx.lab, daemon, "socket" if ctx.args.form == "socket" else "pair")
    if mode in ("calls", "lookups"):
        how = {"port": "-", **how, "where": "-"}
    try:
        side.run(mode, limit_s=SLOW_S, **how)
    finally:
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(60)
        daemon.stop()
    return read()


def count(ctx, group, say):
    """None when it could not be counted; say tells why."""
    if ctx.args.references_only:
        return None
    mode, small, large, units = group.load
    try:
        prefix, read = wrapped(ctx.lab.dir)
        ctx.lab.daemons.pop("counted", None)
        less = once(ctx, read, prefix, (mode, small))
        return (once(ctx, read, prefix, (mode, large)) - less) / units
    except (Missing, OSError, subprocess.SubprocessError) as why:
        say(f"{group.figures[0].name}: instructions are not counted: {why}")
        return None
