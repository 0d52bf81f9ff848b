# SPDX-License-Identifier: BSD-2-Clause
"""
Instructions that the pieces of the main path take for each message or listed entry, as callgrind counts them: the same
whatever else the machine does. Figures are those of one compiler, kept in tests/data/instructions.tsv; after a change
that is worth its price, or makes one cheaper: python3 tests/system/test_instructions.py BUILD.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import paths

RECORD = paths.ROOT / "tests" / "data" / "instructions.tsv"
GROWTH = 1.10
# Work: how often in the shorter run; the longer one is twice that.
WORKS = {"frame": 400, "scan": 50, "list": 500, "plan": 500, "observe": 1000, "commit": 100}
# The library of the digests counts for itself: beside it nothing else would be seen.
DIGESTS = "digest"
FIGURES = [*WORKS, DIGESTS]
# Whatever the processor could do, libraries choose the same code.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-ERMS,-FSRM", "OPENSSL_ia32cap": "0", "LC_ALL": "C"}


def compiler(build):
    """What the program says of its making, and the optimisation: "gcc 12.2.0 x86_64 2"."""
    text = (build / "tests" / "micro" / "micro").read_bytes()
    name, found = "clang", re.search(rb"clang version ([\d.]+)", text)
    if not found:
        name, found = "gcc", re.search(rb"GCC: \([^)]*\) ([\d.]+)", text)
    options = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())
    level = next(option["value"] for option in options if option["name"] == "optimization")
    return f"{name} {found.group(1).decode()} {os.uname().machine} {level}"


def costs(text):
    """(instructions of the digests' library, those of all else) in TEXT, which callgrind wrote."""
    names, here, skip, sums = {}, "", False, [0, 0]
    for line in text.splitlines():
        if (found := re.match(r"(c?)ob=\((\d+)\)(?: (.*))?", line)):
            name = names.setdefault(found.group(2), found.group(3))
            here = here if found.group(1) else name
        elif line.startswith("calls="):
            skip = True  # what was called is counted where it is
            continue
        elif (found := re.match(r"(?:\*|[+-]?\d+) (\d+)$", line)) and not skip:
            sums["libcrypto" not in here] += int(found.group(1))
        skip = False
    return sums


def total(program, work, count):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        done = subprocess.run([paths.tool("valgrind") or "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                               program, work, str(count), folder], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **ENVIRONMENT})
        assert done.returncode == 0, done.stdout + done.stderr
        sums = costs(out.read_text())
    assert sum(sums) == int(re.search(r"Collected : (\d+)", done.stderr).group(1)), "read wrongly"
    return sums


def measured(program, work):
    """(digests, all else) of a message or entry: what a run of twice as many takes more."""
    count = WORKS[work]
    return [(twice - once) / count for twice, once in zip(total(program, work, 2 * count), total(program, work, count))]


def recorded():
    """{compiler: {work: figure}}"""
    rows = [line.split("\t") for line in RECORD.read_text().splitlines() if not line.startswith("#")]
    found = {}
    for by, work, figure in rows:
        found.setdefault(by, {})[work] = float(figure)
    return found


def grew(figure, before):
    return figure > before * GROWTH


@pytest.mark.parametrize("work", WORKS)
def test_it_takes_no_more_instructions_than_before(build, work):
    figures = recorded().get(compiler(build))
    if figures is None and not os.environ.get("CI"):
        pytest.skip(f"no figures of {compiler(build)}")
    assert figures, f"no figures of {compiler(build)} in {RECORD}"
    digests, rest = measured(build / "tests" / "micro" / "micro", work)
    for name, figure in ((work, rest), (DIGESTS, digests))[:1 + (work == "scan")]:
        print(f"{name}: {figure:.0f}, on record {figures[name]:.0f}")
        assert not grew(figure, figures[name]), f"{name}: {figure:.0f} instructions, {figures[name]:.0f} before"


def test_a_figure_that_grew_by_more_than_a_tenth_is_seen():
    assert grew(111, 100) and not grew(109, 100)
    assert all(set(figures) == set(FIGURES) for figures in recorded().values())


def main(build):
    program, figures = build / "tests" / "micro" / "micro", {}
    for work in WORKS:
        digests, figures[work] = measured(program, work)
        if work == "scan":
            figures[DIGESTS] = digests
    kept = {by: rest for by, rest in (recorded() if RECORD.exists() else {}).items()} | {compiler(build): figures}
    lines = ["# for each message (frame, scan, digest, commit) or listed entry (list, plan, observe); by compiler"]
    for by in sorted(kept):
        lines += [f"{by}\t{name}\t{kept[by][name]:.0f}" for name in FIGURES]
    RECORD.write_text("\n".join(lines) + "\n")
    print(RECORD.read_text(), end="")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
