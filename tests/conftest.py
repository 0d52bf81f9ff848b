# SPDX-License-Identifier: BSD-2-Clause
"""Builds under test, unit tests as items, and the fixtures: program, servers, certificates, clock."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

from lib import clock, messages, paths, sweeps, valgrind
from lib.certs import Certs
from lib.dovecot import Dovecot
from lib.measured import Measured
from lib.planted import Workshop
from lib.program import Program, plain
from lib.scripted import Scripted

HERE = pathlib.Path(__file__).parent

# What a build beside the ordinary one is for.
SANITIZED = "build-asan"
THREADED = "build-tsan"


def pytest_addoption(parser):
    parser.addoption("--builds", default="build", help="build folders, separated by commas: the first runs "
                     "everything, build-asan the unit and scripted tests, build-tsan those marked concurrent; others "
                     "are only built, by test_house.py")
    parser.addoption("--valgrind", action="store_true", help="run the program and the unit tests under valgrind; "
                     "for a build without sanitizers")


def pytest_configure(config):
    """What every program that is started from here inherits."""
    # A shell starts its background jobs deaf to these signals.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    valgrind.always(config.getoption("--valgrind"))
    suppressions = HERE / "tsan.supp"
    os.environ["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=99"
    os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:exitcode=99"
    os.environ["TSAN_OPTIONS"] = "exitcode=99" + (f":suppressions={suppressions}" if suppressions.exists() else "")


def builds(config):
    return [paths.ROOT / name for name in config.getoption("--builds").split(",") if name]


def concurrent(name):
    return re.search(r"(^|_)(threads?|concurrent(ly)?|at_once)(_|$)", name) is not None


# ---- unit tests: one item for each test function of each cmocka program ----

def pytest_collect_file(file_path, parent):
    if file_path.parent == HERE / "unit" and file_path.match("test_*.c"):
        return UnitFile.from_parent(parent, path=file_path)
    return None


def unit_tests(path):
    """
    The test functions of PATH and of what it includes from its own folder. None is left out of the run: the
    compiler complains of a static function that is not used.
    """
    text = path.read_text()
    names = re.findall(r"^static void (\w+)\(void \*\*\w*\)$", text, re.M)
    for name in re.findall(r'^#include "([^"/]+)"', text, re.M):
        if (path.parent / name).exists():
            names += unit_tests(path.parent / name)
    return names


class UnitFile(pytest.File):
    def collect(self):
        names = unit_tests(self.path)
        for build in builds(self.config):
            if build != builds(self.config)[0] and build.name not in (SANITIZED, THREADED):
                continue
            wanted = [name for name in dict.fromkeys(names)
                      if (build.name != THREADED or concurrent(name)) and
                      # Sanitizers need what a confined process may not do: there is no confinement in such builds.
                      not (build.name in (SANITIZED, THREADED) and name.startswith("when_confined"))]
            if not wanted:
                continue
            run = UnitRun(build / "tests" / "unit" / self.path.stem, set(names))
            for name in wanted:
                yield UnitItem.from_parent(self, name=f"{name}[{build.name}]", test=name, run=run)
            yield UnitItem.from_parent(self, name=f"ends_cleanly[{build.name}]", test=None, run=run)


class UnitRun:
    """One run of a test program, when its first item is due."""

    def __init__(self, program, names):
        self.program, self.names, self.lines = program, names, None

    def results(self):
        if self.lines is None:
            # Into a file: a child that outlives the program would keep a pipe open.
            with tempfile.TemporaryFile("w+", errors="replace") as output:
                try:
                    self.code = subprocess.run([*valgrind.words(), self.program], stdin=subprocess.DEVNULL,
                                               stdout=output, stderr=output, timeout=300 * valgrind.slower(),
                                               env={**os.environ, **valgrind.told(),
                                                    "CMOCKA_MESSAGE_OUTPUT": "TAP",
                                                    "LC_ALL": "C.UTF-8", "TZ": "UTC"}).returncode
                except FileNotFoundError:
                    self.code = f"none: {self.program} was not built"
                except subprocess.TimeoutExpired:
                    self.code = "none: it did not end"
                output.seek(0)
                self.output = output.read()
            self.lines = dict((name, "skip" if skip else word) for word, skip, name in
                              re.findall(r"^(ok|not ok) \d+ (?:- |(# SKIP) )(\w+)", self.output, re.M))
        return self.lines


class UnitFailure(Exception):
    pass


class UnitItem(pytest.Item):
    def __init__(self, *, test, run, **more):
        super().__init__(**more)
        self.test, self.unit = test, run

    def runtest(self):
        lines = self.unit.results()
        if self.test is None:
            unknown = set(lines) - self.unit.names
            if unknown:
                raise UnitFailure(f"not named in the source: {sorted(unknown)}")
            if self.unit.code != list(lines.values()).count("not ok"):
                raise UnitFailure(f"exit code {self.unit.code}\n{self.unit.output[-8000:]}")
        elif self.test not in lines:
            raise UnitFailure(f"did not run; exit code {self.unit.code}\n{self.unit.output[-8000:]}")
        elif lines[self.test] == "skip":
            pytest.skip("the test program skipped it")
        elif lines[self.test] == "not ok":
            raise UnitFailure(self.unit.output[-8000:])

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, UnitFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}: {self.name}"


# ---- what the sweeps counted ----

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test marked sweep("servers") is one place of that sweep; on the first build only, not counted twice."""
    report = (yield).get_result()
    mark = item.get_closest_marker("sweep")
    first = getattr(item, "funcargs", {}).get("build") in (None, builds(item.config)[0])
    if mark and call.when == "call" and first and "planted" not in item.fixturenames:
        sweeps.count(mark.args[0], 1, report.failed)


def pytest_terminal_summary(terminalreporter):
    if sweeps.line():
        terminalreporter.write_line(sweeps.line())


# ---- the program under test ----

def pytest_generate_tests(metafunc):
    if "build" not in metafunc.fixturenames:
        return
    folders = builds(metafunc.config)
    chosen = folders[:1]
    if metafunc.definition.path.parent == HERE / "scripted":
        chosen += [folder for folder in folders[1:] if folder.name == SANITIZED]
    if metafunc.definition.get_closest_marker("concurrent"):
        chosen += [folder for folder in folders[1:] if folder.name == THREADED]
    metafunc.parametrize("build", chosen, ids=[folder.name for folder in chosen])


@pytest.fixture
def binary(build):
    path = build / "src" / "cli" / "mailglean"
    assert path.exists(), f"{path} was not built"
    return path


@pytest.fixture
def mailglean(binary, tmp_path, request):
    """The program under test, with a home of its own; measured where servers are hostile."""
    kind = Measured if request.path.parent == HERE / "scripted" else Program
    return kind(binary, tmp_path / "home")


@pytest.fixture(scope="session")
def planted():
    """planted(fault): the path of a program that has this fault (lib.planted)."""
    workshop = Workshop()
    yield workshop.program
    workshop.close()


# ---- servers ----

@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = paths.PrivateDir("certs")
    yield Certs(folder.path)
    folder.remove()


@pytest.fixture
def dovecot():
    """dovecot(**how) starts a private Dovecot (lib.dovecot); all are ended afterwards."""
    started = []

    def start(**how):
        started.append(Dovecot(**how))
        return started[-1]
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def scripted():
    """scripted(messages, on={...}) starts a server that may misbehave (lib.scripted)."""
    started = []

    def start(*args, **how):
        started.append(Scripted(*args, **how))
        return started[-1]
    yield start
    for server in started:
        server.close()


@pytest.fixture
def day():
    """day(n, hours=…): a moment on the simulated clock, counted from 2026-06-01 09:00 UTC."""
    return lambda days=0, **more: clock.day("2026-06-01 09:00:00", days, **more)


@pytest.fixture(name="plain")
def plain_fixture():
    return plain


@pytest.fixture
def pair(dovecot, mailglean):
    """An old and a new Dovecot for taro@example.jp, configured in clear; .old, .new, .configure(**more), .deliver_both(token)."""
    class Pair:
        account = "taro@example.jp"

        def __init__(self):
            self.old, self.new = dovecot(), dovecot()
            self.configure()

        def configure(self, old=None, new=None, **more):
            mailglean.configure({self.account: {"old": plain(self.old, **(old or {})),
                                                "new": plain(self.new, **(new or {}))}}, **more)

        def deliver_both(self, token, **how):
            """One message, sent once, that came to both servers."""
            at_old, at_new = messages.both_copies(token, **how)
            self.old.deliver(at_old)
            self.new.deliver(at_new)
    return Pair()
