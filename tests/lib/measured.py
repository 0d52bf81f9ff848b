# SPDX-License-Identifier: BSD-2-Clause
"""The program measured from outside: how long it took, and how much memory at most."""
from lib import paths, valgrind
from lib.program import Program

MEMORY_KB = 64 * 1024
SECONDS = 30
SANITIZERS = ("asan", "tsan")


class Measured(Program):
    """
    Every run must end within its time limit and keep below MEMORY_KB, except where a sanitizer keeps what was freed.
    Its result tells .peak_kb and .cpu_s. A small process starts it: a child of this one would begin with our size.
    """
    def run(self, *args, timeout=SECONDS, check=None, wrapper=(), **how):
        if wrapper or valgrind.words():
            result = super().run(*args, timeout=timeout, check=check, wrapper=wrapper, **how)
            result.peak_kb = result.cpu_s = 0  # valgrind's own would tell nothing
            return result
        note = self.home.with_name(self.home.name + ".measured")
        wrapper = [paths.tool("time"), "-f", "%M %U %S", "-o", note]
        result = super().run(*args, timeout=timeout, wrapper=wrapper, **how)
        assert result.code < 128, f"ended by signal {result.code - 128}\n{result}"
        peak_kb, user_s, system_s = note.read_text().splitlines()[-1].split()
        result.peak_kb, result.cpu_s = int(peak_kb), float(user_s) + float(system_s)
        assert self.sanitized or 1000 < result.peak_kb < MEMORY_KB, f"{result.peak_kb} KB\n{result}"
        return result if check is None else result.expect(check)

    @property
    def sanitized(self):
        return any(word in part for part in self.binary.parts for word in SANITIZERS)
