# SPDX-License-Identifier: Apache-2.0
"""Memory over time as a drawing (SVG)."""
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 320, 60, 34, 110, 40
COLOURS = ("#9aa5ab", "#1f6f8b", "#d08c2f", "#6b8e4e")


def text(x, y, words, anchor="start", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def svg(samples):
    """`samples` are {process: [(second, RSS in KiB, descriptors), …]}."""
    seconds = max(one[0] for taken in samples.values() for one in taken) or 1
    most = max(one[1] for taken in samples.values() for one in taken) / 1024 * 1.1
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(second, kib):
        return f"{LEFT + second / seconds * wide:.1f},{TOP + high - kib / 1024 / most * high:.1f}"

    parts = [text(LEFT, 20, "Resident memory, MiB, by minutes of the soak", size=14)]
    for part in range(5):
        y, x = TOP + high - part / 4 * high, LEFT + part / 4 * wide
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + wide}" y2="{y:.1f}" stroke="#dde2e4"/>' + text(LEFT - 6, y + 4, f"{most * part / 4:.0f}", "end"))
        parts.append(text(x, HEIGHT - BOTTOM + 16, f"{seconds / 60 * part / 4:.1f}", "middle"))
    for number, (name, taken) in enumerate(samples.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(place(one[0], one[1]) for one in taken)}"/>')
        last_y = float(place(*taken[-1][:2]).split(",")[1])
        parts.append(f'<rect x="{LEFT + wide + 8}" y="{TOP + number * 18}" width="10" height="10" fill="{colour}"/>'
                     + text(LEFT + wide + 22, TOP + number * 18 + 9, f"{name} {taken[-1][1] / 1024:.0f}") + f'<circle cx="{LEFT + wide}" cy="{last_y}" r="2" fill="{colour}"/>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" fill="#222">'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{"".join(parts)}</svg>\n')
