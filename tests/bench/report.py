# SPDX-License-Identifier: BSD-3-Clause
"""Rounds to figures. Single rounds on a shared machine scatter by a factor of two: only medians of several are said,
and the ratio is the median of each round's own ratio, since both of a round ran side by side."""
import json
import statistics

KEYS = ("figure", "value", "unit", "reference", "ratio", "rounds")


def summarize(figure, unit, rounds):
    """rounds: pairs (value, reference), either of them None where it was not measured."""
    values = [v for v, _ in rounds if v is not None]
    references = [r for _, r in rounds if r is not None]
    ratios = [v / r for v, r in rounds if v is not None and r]
    return {
        "figure": figure,
        "value": statistics.median(values) if values else None,
        "unit": unit,
        "reference": statistics.median(references) if references else None,
        "ratio": statistics.median(ratios) if ratios else None,
        "rounds": len(rounds),
    }


def as_json(row):
    def shorten(x):
        return float(f"{x:.4g}") if isinstance(x, float) else x

    return json.dumps({k: shorten(row[k]) for k in KEYS})


def human(x, unit):
    if x is None:
        return "-"
    return f"{x:,.2f} {unit}" if x < 10 else f"{x:,.1f} {unit}" if x < 100 else f"{x:,.0f} {unit}"


def as_line(row):
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
    return (f"{row['figure']:<18} {human(row['value'], row['unit']):>18} {human(row['reference'], row['unit']):>18} "
            f"{ratio:>8} {row['rounds']:>6}")


HEAD = f"{'FIGURE':<18} {'CAPNET':>18} {'REFERENCE':>18} {'RATIO':>8} {'ROUNDS':>6}"
