#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tests/bench/report.py: medians, ratios of rounds, the keys of --json."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests", "bench"))
sys.dont_write_bytecode = True
import report  # noqa: E402

passed = failed = 0


def check(name, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"not ok: {name}: {got!r}, wanted {want!r}")


row = report.summarize("x", "us", [(10, 5), (100, 10), (3, 1)])
check("value", row["value"], 10)
check("reference", row["reference"], 5)
check("the ratio is the rounds' own, not that of the medians", row["ratio"], 3)
check("rounds", row["rounds"], 3)
row = report.summarize("x", "us", [(1, 2), (3, 4)])
check("even", (row["value"], row["reference"], row["ratio"]), (2, 3, 0.625))
row = report.summarize("x", "us", [(None, 7)])
check("no value", (row["value"], row["reference"], row["ratio"]), (None, 7, None))
row = report.summarize("x", "us", [(7, None), (9, 0)])
check("no reference", (row["value"], row["reference"], row["ratio"]), (8, 0, None))
line = json.loads(report.as_json(report.summarize("calls", "1/s", [(1 / 3, 2)])))
check("keys", tuple(line), ("figure", "value", "unit", "reference", "ratio", "rounds"))
check("four digits", line["value"], 0.3333)
check("null", json.loads(report.as_json(report.summarize("calls", "1/s", [])))["value"], None)
check("a person's line", report.as_line(report.summarize("tcp-up", "MB/s", [(312.5, 1250)])).split(),
      ["tcp-up", "312", "MB/s", "1,250", "MB/s", "0.250", "1"])
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed != 0)
