# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark behind contrib/bench: prepares, runs the peers in turn, reports. Runs as root."""
import argparse
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import corpus
import curves
import ledger
import machine
import peers
import report
import scenarios
import servers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CLIENT = "nobody"
TOOLS = {"measure": [], "delayproxy": [], "floor": ["-lssl", "-lcrypto", "-lpthread"]}
LOST_ENOUGH = 2             # after so many lost runs a peer is not asked again in that scenario
FORGET_S = 300              # so long ext4 looks at inodes that were deleted


def say(text, end="\n"):
    print(text, end=end, flush=True)


class Bench:
    """State folder, servers, and how a client is run."""

    def __init__(self, state, build, port, limit_s, quiet_s):
        self.state, self.build, self.port, self.limit_s, self.quiet_s = state, build, port, limit_s, quiet_s
        self.trash = state / "trash"
        self.corpora = {}
        self.helpers = {}
        self.client = pwd.getpwnam(CLIENT)
        self.scripted = (servers.SCRIPTED, port)
        self.far = (servers.FAR, port)

    # ---- preparation ----

    def prepare(self):
        for name in ("bin", "program/src/cli", "templates", "trash", "corpus"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        for folder in self.state.glob("run-*"):         # of a benchmark that was interrupted
            self.throw_away(folder)
        for name, libraries in TOOLS.items():
            subprocess.run(["cc", "-O2", "-o", self.tool(name), HERE / f"{name}.c", *libraries], check=True)
        # A copy of what was built, where the client's user can reach it.
        self.program = self.state / "program/src/cli/mailglean"
        shutil.copy2(self.build / "src/cli/mailglean", self.program)
        for path in (self.build / "src").glob("libmailglean.so*"):
            if path.is_file():
                shutil.copy2(path, self.state / "program/src" / path.name)
        self.certificate = self.state / "cert.pem"
        if not self.certificate.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
                            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2",
                            "-keyout", self.state / "key.pem", "-out", self.certificate],
                           check=True, capture_output=True)
        self.old, self.new = (servers.Dovecot(self.state, side, host, self.port, self.certificate,
                                              self.state / "key.pem")
                              for side, host in (("old", servers.OLD), ("new", servers.NEW)))

    def start(self):
        self.old.start()
        self.new.start()
        self.old.load("empty", None)

    def stop(self):
        for helper in self.helpers.values():
            helper.stop()
        self.helpers.clear()
        self.old.stop()
        self.new.stop()

    def need(self, scenario):
        """Mailboxes and servers of SCENARIO."""
        for pair in scenario.mailboxes:
            for box in pair:
                getattr(self, box.side).load(box.user, self.corpus(box.recipe))
        for pair in scenario.mailboxes:
            for box in pair:
                getattr(self, box.side).read(box.user)
        if scenario.far and "far" not in self.helpers:
            self.helpers["far"] = servers.far_away(self.state, self.tool("delayproxy"), self.port, self.port,
                                                   scenarios.ROUND_TRIP_MS)
            self.helpers["far"].start()
        if scenario.scripted and "scripted" not in self.helpers:
            self.helpers["scripted"] = servers.scripted(self.state, self.port)
            self.helpers["scripted"].start()

    def tool(self, name):
        return self.state / "bin" / name

    def corpus(self, recipe):
        if recipe not in self.corpora:
            self.corpora[recipe] = corpus.Corpus(self.state / "corpus", recipe)
        return self.corpora[recipe]

    def server(self, host):
        return self.new if host == servers.NEW else self.old

    def template(self, peer, job):
        """A ledger with PEER's messages in it, made once of the empty one that JOB has."""
        empty = job.mail / job.accounts[0].pair / "ledger.sqlite"
        name = f"{peer.count}-{'gone' if peer.gone else 'listed'}-version{ledger.version(empty)}.sqlite"
        path = self.state / "templates" / name
        if not path.exists():
            part = path.with_suffix(".part")
            shutil.copyfile(empty, part)
            ledger.fill(part, peer.count, peer.gone)
            part.rename(path)
        return path

    # ---- files ----

    def folder(self, name):
        path = pathlib.Path(tempfile.mkdtemp(prefix=f"run-{name}-", dir=self.state))
        path.chmod(0o755)
        return path

    def own(self, folder):
        subprocess.run(["chown", "-R", f"{self.client.pw_uid}:{self.client.pw_gid}", folder], check=True)

    def throw_away(self, folder):
        """
        Files are emptied, not deleted: ext4 takes minutes to use a deleted inode again, and looks at each of
        them whenever it needs a new one, which would make the next run slower by seconds.
        """
        for top, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(top, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    os.truncate(path, 0)
        if folder.exists():
            folder.rename(pathlib.Path(tempfile.mkdtemp(dir=self.trash)) / folder.name)
        room = os.statvfs(self.state)
        if room.f_files and room.f_favail < room.f_files / 5:
            say(f"few inodes are left: deleting, then waiting {FORGET_S} s for the file system to forget them")
            self.empty_trash()
            time.sleep(FORGET_S)

    def empty_trash(self):
        shutil.rmtree(self.trash, ignore_errors=True)
        self.trash.mkdir(exist_ok=True)

    # ---- running a client ----

    def run_as_client(self, words, job, name, limit_s):
        """Returns the exit code, or None when it took longer than LIMIT_S."""
        self.own(job.work)
        environment = {"HOME": str(job.work), "USER": CLIENT, "LOGNAME": CLIENT, "PATH": os.environ["PATH"],
                       "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        with open(job.work / name, "wb") as log:
            process = subprocess.Popen(list(map(str, words)), env=environment, cwd=job.work,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                       user=self.client.pw_uid, group=self.client.pw_gid, extra_groups=[])
            try:
                return process.wait(limit_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                # What it left behind, and it, too, when it was not to be waited for.
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()

    def untimed(self, words, job):
        code = self.run_as_client(words, job, "log-untimed", None)
        if code != 0:
            raise peers.Lost(f"{' '.join(map(str, words))} ended with {code}:\n"
                             + (job.work / "log-untimed").read_text()[-2000:])

    def job(self, scenario, peer):
        """Returns the job and the words of its command; the state that it begins with is there."""
        job = peers.Job(self, self.folder(f"{scenario.name}-{peer.name}"), scenario.accounts(self), scenario.tls,
                        scenario.drain, scenario.kept)
        words = peer.command(job)
        peer.seed(job)
        return job, words

    def measure(self, scenario, peer, job, words, number, full):
        if scenario.drain:
            for account in job.accounts:
                self.server(account.host).reset(account.user)
        row = report.Row(scenario.name, peer.name, peer.ours, number)
        os.sync()
        row.began_quiet = machine.quiet(self.quiet_s)
        before = machine.busy_seconds()
        code = self.run_as_client([self.tool("measure"), job.work / "measured", *words], job, "log", self.limit_s)
        row.machine_cpu_s = round(machine.busy_seconds() - before, 2)
        if code is None:
            row.verdict = f"no end after {self.limit_s} s"
            return row
        fields = (job.work / "measured").read_text().split()
        row.wall_s, row.user_s, row.sys_s = map(float, fields[:3])
        row.peak_kb, code = map(int, fields[3:])
        row.verdict = self.judge(scenario, peer, job, code, full)
        return row

    def judge(self, scenario, peer, job, code, full):
        if code not in peer.codes:
            said = (job.work / "log").read_text(errors="replace").strip().splitlines()
            return f"exit code {code}" + (f" ({said[-1][:120]})" if said else "")
        problem = peer.problem(job, full)
        if scenario.drain and not problem:
            left = sum(self.server(account.host).left(account.user) for account in job.accounts)
            problem = f"{left} left on the server" if left else ""
        return problem or "ok"


def once(bench, scenario, peer, kept, number, full):
    """One run; KEPT: the jobs of peers whose folder stays."""
    if peer.name not in kept:
        kept[peer.name] = bench.job(scenario, peer)
    job, words = kept[peer.name]
    try:
        return bench.measure(scenario, peer, job, words, number, full)
    finally:
        if not scenario.kept:
            bench.throw_away(kept.pop(peer.name)[0].work)


def play(bench, scenario, wanted, runs, full):
    """Yields the rows of SCENARIO, the peers in turn, each round beginning with another."""
    bench.need(scenario)
    kept, lost = {}, {}
    here = [peer for peer in scenario.peers if not wanted or peer.name in wanted]
    for number in range(1, runs * max((peer.rounds for peer in here), default=0) + 1):
        for place in range(len(here)):
            peer = here[(place + number) % len(here)]
            if number > runs * peer.rounds or lost.get(peer.name, 0) >= LOST_ENOUGH:
                continue
            try:
                row = once(bench, scenario, peer, kept, number, full)
            except peers.NotForThis:
                row = report.Row(scenario.name, peer.name, peer.ours, number, verdict="n/a")
                lost[peer.name] = LOST_ENOUGH
            if row.verdict not in ("ok", "n/a"):
                lost[peer.name] = lost.get(peer.name, 0) + 1
            say(f"  {scenario.name} {number:3} {peer.name:24} {row.wall_s:9.3f} s  {row.peak_kb / 1024:7.1f} MB"
                f"  {row.verdict}")
            yield row
    for job, _ in kept.values():
        bench.throw_away(job.work)


def arguments():
    parser = argparse.ArgumentParser(prog="contrib/bench", add_help=False)
    parser.add_argument("--state", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scale", type=float)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--peers", default="")
    parser.add_argument("--port", type=int, default=24100)
    parser.add_argument("--limit", type=int, default=900)
    parser.add_argument("--quiet", type=int, default=10)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    given.scale = given.scale or (.1 if given.quick else 1)
    given.runs = given.runs or (3 if given.quick else 5)
    given.check = given.check or os.environ.get("CHECK") == "full"
    return given


def choose(given):
    every = scenarios.scenarios(given.scale)
    names = given.names or list(every)
    for name in names:
        if name not in every:
            raise SystemExit(f"there is no scenario “{name}”; there are {', '.join(every)}, and curves")
    known = {peer.name for scenario in every.values() for peer in scenario.peers}
    wanted = set(filter(None, given.peers.split(",")))
    if wanted - known:
        raise SystemExit(f"there is no peer “{', '.join(wanted - known)}”; there are {', '.join(sorted(known))}")
    return every, [every[name] for name in names], wanted


def give_to_owner(build):
    """What root wrote belongs to the owner of the folder."""
    for name in ("report.md", "results.tsv", "curves.svg", "curves.tsv"):
        if (build / name).exists():
            shutil.chown(build / name, build.stat().st_uid, build.stat().st_gid)


def compare(bench, given):
    """Returns the rows; the report is written of what there is, also after an interruption."""
    every, chosen, wanted = choose(given)
    said = machine.describe(bench.state, bench.program, ROOT)
    rows = []
    try:
        for scenario in chosen:
            say(f"{scenario.name}: {scenario.title}")
            for row in play(bench, scenario, wanted, given.runs, given.check):
                rows.append(row)
                report.write_raw(given.build / "results.tsv", rows)
    finally:
        text = report.whole(said, chosen, scenarios.targets(every), rows,
                            report.remarks(rows, given.runs, given.scale, given.check))
        (given.build / "report.md").write_text(text)
        say("\n" + text)
        say(f"written: {given.build}/report.md, {given.build}/results.tsv")
    return rows


def interrupted(number, _):
    raise KeyboardInterrupt(number)


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    if given.names == ["clean"]:
        servers.stop_all(given.state.resolve())
        shutil.rmtree(given.state)
        return 0
    bench = Bench(given.state.resolve(), given.build.resolve(), given.port, given.limit, given.quiet)
    bench.prepare()
    if given.names != ["curves"]:
        choose(given)
    try:
        bench.start()
        if given.names == ["curves"]:
            rows = curves.draw(bench, given, play)
        else:
            rows = compare(bench, given)
    except KeyboardInterrupt:
        say("\ninterrupted")
        return 130
    finally:
        bench.stop()
        give_to_owner(given.build)
        bench.empty_trash()
    wrong = [row for row in rows if row.ours and row.verdict != "ok"]
    for row in wrong:
        say(f"WRONG: {row.scenario}, run {row.run} of {row.peer}: {row.verdict}")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        code = main()
    except peers.Lost as lost:
        say(f"WRONG: {lost}")
        code = 1
    except SystemExit as failure:
        # 1 is for mail that was lost.
        if isinstance(failure.code, str):
            print(f"contrib/bench: {failure.code}", file=sys.stderr)
        code = 69 if isinstance(failure.code, str) else 64
    sys.exit(code)
