# SPDX-License-Identifier: BSD-2-Clause
"""Programs under valgrind: each (--valgrind, see conftest.py), or those that ask for it."""
from lib import paths

# The exit code of a program that did something wrong; none of ours.
FOUND = 99

_always = False


def always(on):
    """Whether Program and the unit tests run under valgrind from here on."""
    global _always
    _always = on


def command():
    """The words before a program's own."""
    return [paths.tool("valgrind") or "valgrind", "-q", f"--error-exitcode={FOUND}", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible", "--num-callers=25",
            f"--suppressions={paths.ROOT / 'tests' / 'valgrind.supp'}"]


def words():
    return command() if _always else []


def told():
    """The environment that tells a unit test where it runs."""
    return {"UNDER_VALGRIND": "1"} if _always else {}


def slower():
    """How many times longer everything may take."""
    return 20 if _always else 1
