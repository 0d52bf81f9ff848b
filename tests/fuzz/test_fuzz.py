# SPDX-License-Identifier: BSD-2-Clause
"""Each fuzz target over its corpus: the seeds, and what fuzzing found once (contrib/fuzz looks for more)."""
import subprocess

import pytest

from conftest import HERE, SANITIZED, builds

TARGETS = sorted(path.stem[len("fuzz_"):] for path in (HERE / "fuzz").glob("fuzz_*.c"))


def pytest_generate_tests(metafunc):
    if "folder" in metafunc.fixturenames:
        folders = [folder for number, folder in enumerate(builds(metafunc.config))
                   if number == 0 or folder.name == SANITIZED]
        metafunc.parametrize("folder", folders, ids=[folder.name for folder in folders])


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_in_the_corpus_breaks(target, folder):
    corpus = HERE / "fuzz" / "corpus" / target
    inputs = sorted(corpus.iterdir())
    done = subprocess.run([folder / "tests" / "fuzz" / f"fuzz_{target}", corpus], capture_output=True, text=True,
                          errors="replace", timeout=10)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-8000:]
    assert done.stdout.splitlines()[-1] == f"{len(inputs)} inputs"
