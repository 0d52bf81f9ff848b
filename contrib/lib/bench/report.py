# SPDX-License-Identifier: BSD-2-Clause
"""The results: raw, as tables, and against the targets."""
import dataclasses
import statistics
from dataclasses import dataclass


@dataclass
class Row:
    """One run. VERDICT: "ok", "n/a" (the peer cannot do that), or what was wrong: then it is lost."""
    scenario: str
    peer: str
    ours: bool
    run: int
    wall_s: float = 0
    user_s: float = 0
    sys_s: float = 0
    peak_kb: int = 0
    machine_cpu_s: float = 0
    began_quiet: bool = True
    verdict: str = "ok"


COLUMNS = [column.name for column in dataclasses.fields(Row)]


def write_raw(path, rows):
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        lines.append("\t".join(str(getattr(row, name)).replace("\t", " ").replace("\n", " ") for name in COLUMNS))
    path.write_text("\n".join(lines) + "\n")


class Medians:
    """What the good runs of one scenario say."""

    def __init__(self, rows):
        self.rows = rows

    def good(self, peer):
        return [row for row in self.rows if row.peer == peer and row.verdict == "ok"]

    def wall(self, peer):
        good = self.good(peer)
        return statistics.median(row.wall_s for row in good) if good else None

    def memory(self, peer):
        good = self.good(peer)
        return max(row.peak_kb for row in good) / 1024 if good else None

    def milliseconds(self, peer):
        wall = self.wall(peer)
        return None if wall is None else wall * 1000


def seconds(value):
    return f"{value:.4f}" if value < .1 else f"{value:.2f}"


def verdict(rows, kept):
    if rows[0].verdict == "n/a":
        return "cannot do this"
    lost = [row.verdict for row in rows if row.verdict != "ok"]
    if not lost:
        return "well" if kept else "all arrived intact" if rows[0].ours else "all arrived"
    return f"{len(lost)} of {len(rows)} runs **lost**: " + lost[0].replace("|", "/")


def table(scenario, rows, ours):
    """Markdown: one line for each peer, the fastest first; ratios to OURS."""
    seen = Medians(rows)
    base = seen.wall(ours)
    lines = [f"## {scenario.name}: {scenario.title}", "",
             "| peer | runs | median s | min | max | ratio to ours | user + sys s | peak MB | verdict |",
             "| --- | --: | --: | --: | --: | --: | --: | --: | --- |"]
    names = list(dict.fromkeys(row.peer for row in rows))
    for name in sorted(names, key=lambda one: seen.wall(one) or float("inf")):
        mine, good = [row for row in rows if row.peer == name], seen.good(name)
        if good:
            walls = [row.wall_s for row in good]
            processor = statistics.median(row.user_s + row.sys_s for row in good)
            figures = [seconds(seen.wall(name)), seconds(min(walls)), seconds(max(walls)),
                       f"{seen.wall(name) / base:.2f} ×" if base else "–", seconds(processor),
                       f"{seen.memory(name):.1f}"]
        else:
            figures = ["–"] * 6
        lines.append(f"| {name} | {len(good)} | " + " | ".join(figures) + f" | {verdict(mine, scenario.kept)} |")
    return "\n".join(lines) + "\n"


def figure(value, unit):
    return "not measured" if value is None else f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"


def target_table(targets, rows):
    lines = ["## Targets", "", "| scenario | target | measured | held |", "| --- | --- | --: | --- |"]
    for target in targets:
        mine = [row for row in rows if row.scenario == target.scenario]
        if not mine:
            continue
        value = target.measure(Medians(mine))
        held = "–" if value is None else "yes" if target.held(value) else "**no**"
        lines.append(f"| {target.scenario} | {target.text} | {figure(value, target.unit)} | {held} |")
    return "\n".join(lines) + "\n"


def remarks(rows, runs, scale, full):
    ran = [row for row in rows if row.verdict != "n/a"]
    busy = sum(not row.began_quiet for row in ran)
    lines = [f"{runs} runs of each peer, in turn; the middle one counts. Before each run everything was flushed.",
             "What mailglean delivered was compared octet for octet with what the servers hold, after every run; "
             "what the others delivered was "
             + ("compared by Message-ID and body." if full else "counted (`--check` compares it, too)."),
             "Runs that were lost are in no figure. Peak memory is that of the largest process of the peer's own."]
    if busy:
        lines.append(f"**{busy} of {len(ran)} runs began while other programs were busy on this machine.**")
    if scale != 1:
        lines.append(f"**Everything is {scale:g} times its size: the targets are meant for the full size.**")
    if runs < 5:
        lines.append("**Fewer than 5 runs: the targets are meant for 5 or more.**")
    return "\n".join(lines) + "\n"


def whole(machine, chosen, targets, rows, said):
    """The report in Markdown."""
    about = ["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in machine.items())]
    parts = ["# mailglean beside its peers\n", said, "\n".join(about) + "\n"]
    for scenario in chosen:
        mine = [row for row in rows if row.scenario == scenario.name]
        if mine:
            ours = next((peer.name for peer in scenario.peers if peer.ours), None)
            parts.append(table(scenario, mine, ours))
    parts.append(target_table(targets, rows))
    return "\n".join(parts)
