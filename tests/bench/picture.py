#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tests/bench/picture.py FIGURES.json DOCUMENT.md: the lines of tools/bench --json as a table, put between the marks
"<!-- figures -->" and "<!-- /figures -->" of the document, and as a picture beside it, DOCUMENT's name in small letters
with .svg. With "-" for the document: the table alone, to standard output."""
import json
import math
import os
import sys
from xml.sax.saxutils import escape

sys.dont_write_bytecode = True
import figures  # noqa: E402
import report  # noqa: E402

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
LEFT, RIGHT, ROW, TOP, WIDTH = 230, 270, 20, 56, 1000  # pixels
LEAST, MOST = 0.01, 100.0  # the axis: ratios, logarithmic
GOOD, BAD, PLAIN, GOAL = "#2e7d32", "#c62828", "#546e7a", "#111111"
NOTE = "bar: median of the rounds' ratios; whisker: its 95 % interval; black mark: goal; green: met, red: missed"


def goals():
    return {f.name: f.goal for g in figures.groups() for f in g.figures}


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.startswith("{")]


def table(rows):
    lines = ["| figure | capnet | reference | ratio | 95 % interval | goal | | rounds | instructions |",
             "| --- | ---: | ---: | ---: | --- | --- | --- | ---: | ---: |"]
    known = goals()
    for r in rows:
        goal = known.get(r["figure"])
        ratio = "–" if r["ratio"] is None else f"{r['ratio']:.3g}"
        cells = (f"`{r['figure']}`", report.human(r["value"], r["unit"]), report.human(r["reference"], r["unit"]), ratio,
                 report.spread(r), report.goal_text(goal), report.verdict(r, goal), str(r["rounds"]),
                 "–" if r["instructions"] is None else report.count(r["instructions"]))
        lines.append("| " + " | ".join("–" if c == "-" else c for c in cells) + " |")
    return "\n".join(lines)


def x_of(ratio, least, most):
    part = math.log(min(max(ratio, least), most) / least) / math.log(most / least)
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def scale(rows):
    """From the least to the greatest power of ten that is needed, 0.1 to 10 at least."""
    seen = [x for r in rows for x in (r["low"], r["high"]) if x and x > 0] + [0.11, 9]
    least = 10.0 ** math.floor(math.log10(max(min(seen), LEAST)))
    return least, 10.0 ** math.ceil(math.log10(min(max(seen), MOST)))


def text(x, y, words, anchor="start", size=12, fill="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>')


def line(x1, y1, x2, y2, color, width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"/>'


def axis(least, most, bottom):
    out, at = [], least
    while at <= most * 1.001:
        x = x_of(at, least, most)
        out.append(line(x, TOP - 4, x, bottom, "#888" if abs(at - 1) < 1e-9 else "#ddd", 1.5 if abs(at - 1) < 1e-9 else 1))
        out.append(text(x, TOP - 10, f"{at:g}", "middle", 11))
        at *= 10
    return out


def value_of(r, goal):
    """Where the goal is not about the ratio that is drawn."""
    return "" if goal[2] == "ratio" else report.human(r["value"], r["unit"]) + " "


def bar(r, goal, y, least, most):
    """From 1, the reference, to the ratio: to the right is more than it, to the left less."""
    one, end, middle = x_of(1, least, most), x_of(r["ratio"], least, most), y + ROW / 2
    color = {None: PLAIN, True: GOOD, False: BAD}[report.met(r, goal)]
    out = [text(LEFT - 8, middle + 4, r["figure"], "end"),
           f'<rect x="{min(one, end):.1f}" y="{y + 4}" width="{max(abs(end - one), 1):.1f}" height="{ROW - 8}" fill="{color}"/>']
    low, high = (x_of(r[k] if r[k] > 0 else least, least, most) for k in ("low", "high"))
    out.append(line(low, middle, high, middle, "#222"))
    out += [line(x, middle - 4, x, middle + 4, "#222") for x in (low, high)]
    if goal and goal[2] == "ratio":
        x = x_of(goal[1], least, most)
        out.append(line(x, y + 1, x, y + ROW - 1, GOAL, 3))
    wanted = f"; {value_of(r, goal)}{report.goal_text(goal)} {report.verdict(r, goal)}" if goal else ""
    out.append(text(WIDTH - RIGHT + 12, middle + 4, f"{r['ratio']:.3g} ({report.spread(r)}){wanted}", size=11, fill=color))
    return out


def picture(rows):
    """Figures that have a ratio; peers come below the figure that they belong to, as in the table."""
    known = goals()
    rows = [r for r in rows if r["ratio"] is not None and r["ratio"] > 0]
    least, most = scale(rows)
    bottom = TOP + ROW * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + 30}" '
           f'viewBox="0 0 {WIDTH} {bottom + 30}" font-family="sans-serif">',
           f'<rect width="{WIDTH}" height="{bottom + 30}" fill="#fff"/>',
           text(LEFT, 20, "Ratio to the reference of the same round (logarithmic)", size=14), *axis(least, most, bottom)]
    for i, r in enumerate(rows):
        out += bar(r, known.get(r["figure"]), TOP + ROW * i, least, most)
    out += [text(LEFT, bottom + 20, NOTE, size=11), "</svg>", ""]
    return "\n".join(out)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = read(sys.argv[1])
    if sys.argv[2] == "-":
        print(table(rows))
        return
    folder, name = os.path.split(sys.argv[2])
    with open(sys.argv[2], encoding="utf-8") as f:
        document = f.read()
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{sys.argv[2]}: no {BEGIN} … {END}")
    with open(os.path.join(folder, os.path.splitext(name)[0].lower() + ".svg"), "w", encoding="utf-8") as f:
        f.write(picture(rows))
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(f"{head}{BEGIN}\n{table(rows)}\n{END}{tail}")


if __name__ == "__main__":
    main()
