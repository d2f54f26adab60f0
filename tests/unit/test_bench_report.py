#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tests/bench: medians, ratios of rounds, intervals, the keys of --json, the names of figures."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests", "bench"))
sys.dont_write_bytecode = True
import figures  # noqa: E402
import report  # noqa: E402

KEYS = ("figure", "value", "unit", "reference", "ratio", "rounds", "low", "high", "instructions")
NAMES = """bulk_tx_1 bulk_rx_1 bulk_tx_8 bulk_rx_8 bulk_tx_1_v6 bulk_rx_8_v6 bulk_tx_1_65520 bulk_rx_8_65520
cpu_tx_1 cpu_rx_1 cpu_tx_8 cpu_rx_8 rr_p50 rr_p99 rr_p50_onecpu rr_p50_twocpu rr_p99_onecpu rr_p99_twocpu rr_idle_1k rr_idle_10k
rr_under_bulk connects connects_serverclose connects_idle_10k turn_work_95k mem_idle_pair mem_idle_socket
mem_idle_pair_control mem_idle_socket_control path_100mbit_20ms path_20ms_0.1 path_20ms_1 path_100ms_0 path_100ms_0.1 calls
lookups idle_wakeups""".split()
passed = failed = 0


def check(name, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"not ok: {name}: {got!r}, wanted {want!r}")


def medians():
    row = report.summarize("x", "us", [(10, 5), (100, 10), (3, 1)])
    check("value", row["value"], 10)
    check("reference", row["reference"], 5)
    check("the ratio is the rounds' own, not that of the medians", row["ratio"], 3)
    check("rounds", row["rounds"], 3)
    row = report.summarize("x", "us", [(1, 2), (3, 4)])
    check("even", (row["value"], row["reference"], row["ratio"]), (2, 3, 0.625))
    row = report.summarize("x", "us", [(None, 7)])
    check("no value", (row["value"], row["reference"], row["ratio"], row["low"]), (None, 7, None, None))
    row = report.summarize("x", "us", [(7, None), (9, 0)])
    check("no reference", (row["value"], row["reference"], row["ratio"]), (8, 0, None))
    check("without a ratio the interval is the value's", (row["low"], row["high"]), (7, 9))


def intervals():
    # Ranks by the binomial distribution: 0.965 of the 4th to the 12th of 15, 0.9785 of the 2nd to the 9th of 10.
    check("15 rounds", report.interval(list(range(15, 0, -1))), (4, 12))
    check("10 rounds", report.interval(list(range(1, 11))), (2, 9))
    check("6 rounds", report.interval(list(range(1, 7))), (1, 6))
    check("few rounds: least and greatest", report.interval([2, 9, 4]), (2, 9))
    check("one", report.interval([5]), (5, 5))
    check("none", report.interval([]), (None, None))
    row = report.summarize("x", "us", [(r, 10) for r in range(1, 16)])
    check("of the ratio", (row["low"], row["high"]), (0.4, 1.2))


def texts():
    line = json.loads(report.as_json(report.summarize("calls", "1/s", [(1 / 3, 2)])))
    check("keys", tuple(line), KEYS)
    check("four digits", line["value"], 0.3333)
    check("null", json.loads(report.as_json(report.summarize("calls", "1/s", [])))["value"], None)
    row = report.summarize("bulk_tx_1", "MB/s", [(312.5, 1250)], 2.5e9)
    check("a person's line", report.as_line(row, (">=", 0.8, "ratio")).split(),
          ["bulk_tx_1", "312", "MB/s", "1,250", "MB/s", "0.250", "0.25–0.25", "≥", "0.8", "missed", "1", "2.5G"])
    check("nothing measured", report.as_line(report.summarize("x", "us", []), ("<=", 1, "ratio")).split(),
          ["x", "-", "-", "-", "-", "≤", "1", "0", "-"])


def goals():
    row = report.summarize("x", "us", [(3, 2)])
    check("at most, met exactly", report.met(row, ("<=", 1.5, "ratio")), True)
    check("at most, missed", report.met(row, ("<=", 1.4, "ratio")), False)
    check("of the value", report.met(row, (">=", 3, "value")), True)
    check("none", report.met(row, None), None)


def names():
    every = [f.name for g in figures.groups() for f in g.figures]
    check("each once", len(every), len(set(every)))
    check("all that were promised", [n for n in NAMES if n not in every], [])


for part in (medians, intervals, texts, goals, names):
    part()
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed != 0)
