# SPDX-License-Identifier: BSD-3-Clause
"""tools/bench measures what it says, in small, and leaves nothing behind. Its figures are not looked at."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from lab import TOP, Skip, case, eq

BUILD = os.path.abspath(os.environ.get("top_builddir", os.path.join(TOP, "build")))
KEYS = ["figure", "value", "unit", "reference", "ratio", "rounds", "low", "high", "instructions"]
FIGURES = ["bulk_tx_1", "bulk_rx_8", "bulk_tx_1_v6", "rr_p50", "connects", "path_100mbit_20ms", "calls"]
if shutil.which("dhcpcd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
    FIGURES.append("start_to_lease")


def bench(*arguments):
    p = subprocess.run(["make", "-s", "-C", BUILD, "bench-programs"], capture_output=True, text=True, check=False)
    if p.returncode:
        raise Skip(f"the bench cannot be built here: {p.stderr[-200:]}")
    return subprocess.Popen([sys.executable, "-B", os.path.join(TOP, "tests/bench/bench.py"), "--build", BUILD, "--quick",
                             *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def namespaces(p):
    found = os.listdir("/run/netns") if os.path.isdir("/run/netns") else ()
    return [name for name in found if name.startswith("cnb-") and name.endswith(f"-{p.pid}")]


@case(seconds=300, alone=True)
def figures_have_all_keys_and_nothing_is_left():
    p = bench("--json", "--rounds", "1", *FIGURES)
    out, err = p.communicate(timeout=280)
    eq(p.returncode, 0, err)
    rows = {r["figure"]: r for r in map(json.loads, out.splitlines())}
    eq(sorted(rows), sorted(FIGURES))
    for name, row in rows.items():
        eq(list(row), KEYS, name)
        eq(row["rounds"], 1, name)
        eq([row[k] is not None and row[k] > 0 for k in ("value", "reference", "ratio", "low", "high")], [True] * 5, name)
    eq(namespaces(p), [])


@case(seconds=120, alone=True)
def interrupted_it_leaves_nothing():
    p = bench("--rounds", "1000", "rr_p50")
    end = time.monotonic() + 60
    while len(namespaces(p)) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(2)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=60)
    eq(p.returncode, 130, err)
    eq(namespaces(p), [])
