# SPDX-License-Identifier: BSD-2-Clause
"""The faults of lib.planted: each fits the source as it is, and some sweep is asked whether it finds it."""
import pytest

from lib.paths import ROOT
from lib.planted import PLANTED


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_fits_the_source_and_is_looked_for(fault):
    texts = {}
    for name, old, new in PLANTED[fault]:
        text = texts.setdefault(name, (ROOT / name).read_text())
        assert text.count(old) == 1, f"{text.count(old)} times in {name}:\n{old}"
        texts[name] = text.replace(old, new)
    used = [path for path in (ROOT / "tests").rglob("test_*.py") if f'"{fault}"' in path.read_text()]
    assert texts and used
