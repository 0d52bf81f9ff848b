# SPDX-License-Identifier: BSD-2-Clause
"""How time and memory grow: with the messages listed, the messages stored, and the jobs; as a picture."""
import html
import math
from dataclasses import dataclass

import report
from corpus import Recipe
from peers import Listed, Mailglean, WithLedger
from scenarios import Scenario, pair, single

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 230, 64, 56, 92
COLOURS = ["#1f5fa8", "#c2571a", "#3b7d3b"]
INK, GRID = "#333333", "#dddddd"


@dataclass
class Curve:
    """One panel of the picture."""
    scenario: Scenario
    label: str                  # of the x axis
    series: dict                # name: {peer: x}
    memory: bool = False        # not the time, but the peak memory


def sizes(scale):
    full = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
    return sorted({max(1, round(n * scale)) for n in full})


def curves(scale):
    late, accounts = max(1, round(1_000 * scale)), max(1, round(100 * scale))
    listed = {f"listed-{n}": n for n in sizes(scale)}
    stored = {f"stored-{n}": n for n in sizes(scale)}
    jobs = [1, 2, 4, 8, 16, 32, 64]
    listing = Scenario("listed", "nothing new among so many listed messages, all of them stored", [],
                       [Listed(n) for n in listed.values()], kept=True, scripted=True)
    ledger = Scenario("stored", f"{late:,} new messages; so many on record",
                      single(f"s9-{late}", Recipe(late, "9")),
                      [WithLedger(name, n) for name, n in stored.items()])
    many = Scenario("jobs", f"{accounts} accounts on two servers, 20 messages each, so many jobs",
                    [pair(f"s8-{number}", 20, "8") for number in range(accounts)],
                    [peer for n in jobs for peer in (Mailglean(f"jobs-{n}", jobs=n),
                                                     Mailglean(f"open-{n}", jobs=n, connections=n))])
    return [
        Curve(listing, "messages listed", {"seconds": listed}),
        Curve(listing, "messages listed", {"peak memory, MB": listed}, memory=True),
        Curve(ledger, "messages stored before", {"seconds": stored}),
        Curve(many, "jobs", {"seconds, 4 connections a server (default)": {f"jobs-{n}": n for n in jobs},
                             "seconds, as many connections as jobs": {f"open-{n}": n for n in jobs}}),
    ]


# ---- the picture ----

def text(x, y, what, anchor="middle", size=12, colour=INK):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">' \
           f"{html.escape(what)}</text>"


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def short(value):
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1_000:g} k" if value >= 1_000 else f"{value:g}"


class Axis:
    """A logarithmic one, from whole power of BASE to whole power."""

    def __init__(self, values, start, length, base):
        low, high = (math.log(edge(values), base) for edge in (min, max))
        self.base, self.low, self.high = base, math.floor(low + 1e-9), math.ceil(high - 1e-9)
        if self.low == self.high:
            self.high += 1
        self.start, self.length = start, length

    def at(self, value):
        return self.start + self.length * (math.log(value, self.base) - self.low) / (self.high - self.low)

    def marks(self):
        return [self.base ** n for n in range(self.low, self.high + 1)]


def panel(curve, points, left):
    """POINTS: for each series its name and its (x, y)."""
    all_x, all_y = ([point[k] for _, series in points for point in series] for k in (0, 1))
    across = Axis(all_x, left, WIDTH, 2 if curve.label == "jobs" else 10)
    up = Axis(all_y, TOP + HEIGHT, -HEIGHT, 10)
    parts = [text(left + WIDTH / 2, TOP + HEIGHT + 38, curve.label)]
    for mark in across.marks():
        parts += [line(across.at(mark), TOP, across.at(mark), TOP + HEIGHT, GRID),
                  text(across.at(mark), TOP + HEIGHT + 18, short(mark), size=11)]
    for mark in up.marks():
        parts += [line(left, up.at(mark), left + WIDTH, up.at(mark), GRID),
                  text(left - 6, up.at(mark) + 4, short(mark), "end", 11)]
    parts += [line(left, TOP + HEIGHT, left + WIDTH, TOP + HEIGHT, INK), line(left, TOP, left, TOP + HEIGHT, INK)]
    for number, (name, series) in enumerate(points):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(text(left, TOP - 10 - 15 * (len(points) - 1 - number), name, "start", 12, colour))
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in series) + '"/>')
        parts += [f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3" fill="{colour}">'
                  f"<title>{short(x)}: {y:.3g}</title></circle>" for x, y in series]
    return "\n".join(parts)


def picture(drawn):
    width, height = LEFT + len(drawn) * (WIDTH + GAP), TOP + HEIGHT + 64
    panels = [panel(curve, points, LEFT + number * (WIDTH + GAP)) for number, (curve, points) in enumerate(drawn)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
            "<title>mailglean: how time and memory grow</title>\n"
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(panels) + "\n</svg>\n")


def points_of(curve, rows):
    seen = report.Medians([row for row in rows if row.scenario == curve.scenario.name])
    value = seen.memory if curve.memory else seen.wall
    return [(name, [(x, value(peer)) for peer, x in places.items() if value(peer)])
            for name, places in curve.series.items()]


def draw(bench, given, play):
    """Measure and write curves.tsv and curves.svg; returns the rows."""
    wanted, rows, done = curves(given.scale), [], set()
    for curve in wanted:
        if curve.scenario.name in done:
            continue
        done.add(curve.scenario.name)
        for row in play(bench, curve.scenario, set(), given.runs, given.check):
            rows.append(row)
            report.write_raw(given.build / "curves.tsv", rows)
    drawn = [(curve, points_of(curve, rows)) for curve in wanted]
    drawn = [(curve, points) for curve, points in drawn if any(series for _, series in points)]
    (given.build / "curves.svg").write_text(picture(drawn))
    print(f"written: {given.build}/curves.svg, {given.build}/curves.tsv")
    return rows
