# SPDX-License-Identifier: Apache-2.0
"""The figures by subject as a table for the terminal, and as a drawing (SVG) for people."""
import math
from html import escape

COLUMNS = (
    ("CPU per request", "µs/request", "{:.1f}"), ("requests per second", "requests/s", "{:,.0f}"), ("added to a lone request, p50", "+p50 ms", "{:.3f}"),
    ("added to a lone request, p99", "+p99 ms", "{:.3f}"), ("CPU per SSE frame", "µs/frame", "{:.1f}"),
    ("added to the first token at 20 streams, p50", "+TTFT p50", "{:.3f}"), ("added to the first token at 20 streams, p99", "+TTFT p99", "{:.3f}"),
    ("resident memory, idle", "MiB idle", "{:.0f}"), ("resident memory, after load", "MiB after", "{:.0f}"), ("memory per silent stream", "KiB/stream", "{:.1f}"),
    ("silent streams at one time", "streams", "{:,.0f}"), ("prompts of 1 MiB for a core", "GB/s·core", "{:.2f}"))
WIDTH, BAR, NAME, RIGHT = 800, 18, 190, 130
OWN, OTHER = "#1f6f8b", "#9aa5ab"


def table(rows):
    """One line a subject, one column a figure."""
    found = {(row["subject"], row["what"]): row for row in rows}
    subjects = list(dict.fromkeys(row["subject"] for row in rows if any(row["what"] == what for what, *_ in COLUMNS)))
    columns = [column for column in COLUMNS if any((subject, column[0]) in found for subject in subjects)]
    lines = [["", *(head for _, head, _ in columns)]]
    for subject in subjects:
        lines.append([subject, *(shape.format(found[subject, what]["value"]) if (subject, what) in found else "–" for what, _, shape in columns)])
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(line[1:], widths[1:], strict=True))]) for line in lines)


def text(x, y, words, anchor="start", size=12, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'


def bars(rows, what, unit, top):
    """Bars on a logarithmic scale, the shortest first, with the range of the ratios to nginx; (SVG, height)."""
    wanted = sorted((row for row in rows if row["what"] == what and row["value"] > 0), key=lambda row: row["value"])
    if not wanted:
        return "", 0
    low = 10 ** math.floor(math.log10(wanted[0]["value"]))
    decades = max(1, math.ceil(math.log10(wanted[-1]["value"] / low)))
    scale = (WIDTH - NAME - RIGHT) / decades
    height = 34 + len(wanted) * BAR + 26
    parts = [text(0, top + 16, f"{what}, {unit} (logarithmic)", size=14, weight="bold")]
    bottom = top + 30 + len(wanted) * BAR
    for decade in range(decades + 1):
        x = NAME + decade * scale
        parts.append(f'<line x1="{x:.1f}" y1="{top + 26}" x2="{x:.1f}" y2="{bottom}" stroke="#dde2e4"/>' + text(x, bottom + 13, f"{low * 10 ** decade:g}", "middle", 10))
    for number, row in enumerate(wanted):
        y, length = top + 30 + number * BAR, math.log10(row["value"] / low) * scale
        label = (f"{row['value']:,.0f}" if row["value"] >= 100 else f"{row['value']:.3g}") + (f"  ({row['ratio']:.2f}×)" if row["ratio"] else "")
        colour = OWN if row["subject"].startswith("penstock") else OTHER
        parts.append(text(NAME - 6, y + 12, row["subject"], "end") + f'<rect x="{NAME}" y="{y + 2}" width="{max(1, length):.1f}" height="{BAR - 5}" fill="{colour}"/>'
                     + text(NAME + max(1, length) + 5, y + 12, label, size=11))
    return "".join(parts), height


def svg(rows):
    """CPU by subject, and our gateway's by number of keys and of backends."""
    parts, top = [], 8
    for what, unit in (("CPU per request", "µs; in brackets over nginx"), ("CPU per SSE frame", "µs; in brackets over nginx"), ("memory per silent stream", "KiB"),
                       ("CPU per request, by number of keys", "µs; in brackets over one"), ("CPU per request, by number of backends", "µs; in brackets over one")):
        drawn, height = bars(rows, what, unit, top)
        parts.append(drawn)
        top += height
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" fill="#222">'
            f'<rect width="{WIDTH}" height="{top}" fill="white"/>{"".join(parts)}</svg>\n')
