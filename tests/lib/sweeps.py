# SPDX-License-Identifier: BSD-2-Clause
"""What all sweeps need: places tried several at once, what came of them, and the counts told at the end of a run."""
import collections
import concurrent.futures
import os
import pathlib
import tempfile

# What the sweeps of this run have counted: {what: [places, violations]}.
COUNTED = {}


def count(what, places, violations=0):
    """Note so many PLACES ("kill points") and VIOLATIONS of a sweep; several tests may add to one."""
    entry = COUNTED.setdefault(what, [0, 0])
    entry[0] += places
    entry[1] += violations


def line():
    """What was counted, for the end of a run."""
    if not COUNTED:
        return ""
    shown = ", ".join(f"{places:,} {what}" for what, (places, _) in COUNTED.items())
    return f"sweeps: {shown}: {sum(violations for _, violations in COUNTED.values())} violations"


class Report:
    """What a sweep came to. MISSED is the outcome of a place that was not reached: it is not counted."""
    MISSED = "not reached"

    def __init__(self):
        self.outcomes = collections.Counter()
        self.violations = []  # (place, faults)

    @property
    def places(self):
        return sum(count for outcome, count in self.outcomes.items() if outcome != self.MISSED)

    def add(self, place, outcome, faults, places=1):
        self.outcomes[outcome] += places
        if faults:
            self.violations.append((place, faults))

    def __str__(self):
        return "\n".join(f"VIOLATION {place}\n\t" + "\n\t".join(faults) for place, faults in self.violations) + \
            f"\n{self.places} places ({dict(self.outcomes)}), {len(self.violations)} violations"


def sweep(places, play, jobs=2, tell=lambda done, place, faults: None):
    """play(place) for each: (outcome, faults, or none). What it raises is a fault as well."""
    report = Report()

    def case(place):
        try:
            return place, *play(place)
        except (AssertionError, OSError, ValueError) as error:
            return place, "no end", [f"the case came to no end: {error!r}"]

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done, (place, outcome, faults) in enumerate(pool.map(case, places), 1):
            report.add(place, outcome, faults)
            tell(done, place, faults)
    return report


def quick_folder(label):
    """In memory where that can be had: for what does not depend on the disk."""
    shm = pathlib.Path("/dev/shm")
    return pathlib.Path(tempfile.mkdtemp(prefix=f"mailglean-{label}-", dir=shm if os.access(shm, os.W_OK) else None))
