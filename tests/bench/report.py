# SPDX-License-Identifier: BSD-3-Clause
"""Rounds to figures. Single rounds on a shared machine scatter by a factor of two: only medians of several are said, and
the ratio is the median of each round's own ratio, since both of a round ran side by side. Its interval is the narrowest
pair of order statistics that holds the median with 95 % (binomial; with fewer than 6 rounds: least and greatest)."""
import json
import math
import statistics

KEYS = ("figure", "value", "unit", "reference", "ratio", "rounds", "low", "high", "instructions")
CONFIDENCE = 0.95


def interval(numbers):
    """(low, high) of the median."""
    if not numbers:
        return None, None
    s, n = sorted(numbers), len(numbers)
    k, outside = 0, 0.0  # the k least and the k greatest are left out
    while 2 * (k + 1) < n:
        outside += 2 * math.comb(n, k) / 2 ** n
        if outside > 1 - CONFIDENCE:
            break
        k += 1
    k = max(k - 1, 0)
    return s[k], s[n - 1 - k]


def median(numbers):
    return statistics.median(numbers) if numbers else None


def summarize(figure, unit, rounds, instructions=None):
    """rounds: pairs (value, reference), either of them None where it was not measured. low and high are those of the
    ratio, or of the value when there is no ratio."""
    values = [v for v, _ in rounds if v is not None]
    references = [r for _, r in rounds if r is not None]
    ratios = [v / r for v, r in rounds if v is not None and r]
    low, high = interval(ratios or values)
    return {"figure": figure, "value": median(values), "unit": unit, "reference": median(references),
            "ratio": median(ratios), "rounds": len(rounds), "low": low, "high": high, "instructions": instructions}


def as_json(row):
    def shorten(x):
        return float(f"{x:.4g}") if isinstance(x, float) else x

    return json.dumps({k: shorten(row[k]) for k in KEYS})


def human(x, unit):
    if x is None:
        return "-"
    return f"{x:,.3f} {unit}" if abs(x) < 1 else f"{x:,.2f} {unit}" if abs(x) < 100 else f"{x:,.0f} {unit}"


def count(x):
    """1.2G and the like."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= factor:
            return f"{x / factor:.3g}{letter}"
    return f"{x:.3g}"


def goal_text(goal):
    """goal: (">=" or "<=", number, "ratio" or "value"), or None."""
    return "-" if goal is None else f"{'≥' if goal[0] == '>=' else '≤'} {goal[1]:g}"


def met(row, goal):
    """None: no goal, or not measured. By the median."""
    got = row[goal[2]] if goal else None
    if got is None:
        return None
    return got >= goal[1] if goal[0] == ">=" else got <= goal[1]


def verdict(row, goal):
    return {None: "", True: "met", False: "missed"}[met(row, goal)]


def spread(row):
    if row["low"] is None:
        return "-"
    return f"{row['low']:.3g}–{row['high']:.3g}"


FORMAT = "{:<27} {:>16} {:>16} {:>7} {:>15} {:>8} {:<7} {:>6} {:>8}"
HEAD = FORMAT.format("FIGURE", "CAPNET", "REFERENCE", "RATIO", "INTERVAL", "GOAL", "", "ROUNDS", "INSTR")


def as_line(row, goal=None):
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
    instructions = "-" if row["instructions"] is None else count(row["instructions"])
    return FORMAT.format(row["figure"], human(row["value"], row["unit"]), human(row["reference"], row["unit"]), ratio,
                         spread(row), goal_text(goal), verdict(row, goal), row["rounds"], instructions).rstrip()
