# SPDX-License-Identifier: BSD-2-Clause
"""A thousand accounts: on one machine, in shards by GNU parallel and by Slurm; the recipes."""
import hashlib
import json
import os
import re
import subprocess

import pytest
import yaml

from lib import fleet as lib
from lib import net, paths, slurm
from lib.fleet import Fleet
from lib.measured import Measured
from lib.messages import message
from lib.program import Program, plain as plain_at
from lib.terminal import Terminal

RECIPES = paths.ROOT / "contrib" / "fleet"
MANUAL = paths.ROOT / "contrib" / "man" / "mailglean.1"
RETRY, FINAL = {69, 74, 75}, {64, 65, 70, 73, 76, 77, 78}
SHARDS = 4


def shard_of(account, shards):
    """As mailglean(1) has it, and not as the program does it."""
    return int(hashlib.sha256(account.encode()).hexdigest()[:12], 16) % shards + 1


# ---- a thousand accounts ----

@pytest.fixture(scope="module")
def fleet():
    fleet = Fleet()
    yield fleet
    fleet.stop()


@pytest.fixture(scope="module")
def alone(fleet):
    """alone(binary): what is on record, and the run, when one machine has done it all; made once."""
    made = {}

    def run(binary):
        if binary not in made:
            program = Measured(binary, fleet.home("alone"))
            fleet.configure(program)
            done = program.run("sync", "--json", "--jobs", "8", timeout=300)
            made[binary] = (program, done, lib.on_record(program))
        return made[binary]
    return run


def test_one_machine_does_a_thousand_accounts(fleet, alone, binary):
    program, run, _ = alone(binary)
    assert run.code == 77, run.err[-4000:]
    assert program.sanitized or run.peak_kb < 128 * 1024
    accounts = run.of("account")
    assert len(accounts) == lib.ACCOUNTS
    assert {item["account"] for item in accounts if item["status"] == 77} == fleet.wrong
    assert {item["account"] for item in accounts if item["status"] == 69} == fleet.dead
    assert {item["status"] for item in accounts} == {0, 69, 77}
    assert (len(fleet.wrong), len(fleet.dead)) == (20, 5)
    assert all(account in run.err for account in fleet.wrong | fleet.dead)
    assert {account: lib.stored(program, account) for account in fleet.sent} == fleet.expected()
    for account in (*fleet.wrong, *fleet.dead, lib.address("user0500")):
        assert set(program.stored(account)) <= set(fleet.sent[account]), "the stored octets are the sent ones"


def complete(fleet, program, alone):
    """The store that several shards filled is the one that a single run would have filled."""
    assert {account: lib.stored(program, account) for account in fleet.sent} == fleet.expected()
    recorded = lib.on_record(program)
    assert recorded.keys() == alone.keys()
    assert [(recorded[account], alone[account]) for account in alone if recorded[account] != alone[account]] == []


def report(program, *words):
    """
    Of one machine or of several, item by item; but for times, and for which server's copy came first, by its
    octets. A shard that ran twice has checked its accounts twice: of these, what is stored.
    """
    said = program.run("report", "--json", *words, timeout=300, check=0).out
    items = [json.loads(line) for line in re.sub(r'"\d{4}-\d\d-\d\dT[\d:]+Z"|(?<="bytes":)\d+', '"some"',
                                                 said).splitlines()]
    stored = ("type", "account", "accounts", "messages", "duplicates", "variants", "unreadable", "unknown", "twice")
    return [{name: item[name] for name in stored if name in item}
            if item["type"] == "report" or shard_of(item.get("account") or "", SHARDS) == 2 else item
            for item in items if item["type"] != "forecast"]


def merged(program, alone, folder):
    """The report of PROGRAM's shards, each with a store of its own, is that of the one machine."""
    stores = [folder / f"store-{shard}" for shard in range(1, SHARDS + 1)]
    for store in stores:
        store.mkdir(parents=True)
    for account in program.store.iterdir():
        if account.is_dir():
            account.rename(stores[shard_of(account.name, SHARDS) - 1] / account.name)
    assert all(len(list(store.iterdir())) > lib.ACCOUNTS // SHARDS // 2 for store in stores)
    one, many = report(alone), report(alone, "--merge", *stores)
    assert len([item for item in one if item["type"] == "report-account"]) == lib.ACCOUNTS
    assert [pair for pair in zip(many, one, strict=True) if pair[0] != pair[1]] == []


def second_shard(fleet):
    return [account for account in fleet.sent if shard_of(account, SHARDS) == 2]


@pytest.mark.skipif(not paths.tool("parallel"), reason="GNU parallel is not installed")
def test_gnu_parallel_runs_the_shards_and_one_that_is_killed_once_more(fleet, alone, binary, tmp_path):
    program, log = Program(binary, fleet.home("parallel")), tmp_path / "fleet.log"
    fleet.configure(program)
    config = str(program.config_file)
    process = subprocess.Popen(
        ["parallel", "--jobs", str(SHARDS), "--joblog", log, str(RECIPES / "retry"), "5", "0", str(binary), "-q",
         "-c", config, "sync", "--jobs", "2", "--shard", "{}/4", ":::", "1", "2", "3", "4"],
        env=program.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    lib.kill_midway(program, second_shard(fleet), lambda: [pid for pid, _ in lib.processes(
        str(binary), "-q", "-c", config, "sync", "--jobs", "2", "--shard", "2/4")])
    _, err = process.communicate(timeout=300)
    # A wrong password is no reason to run a shard again: each has one.
    assert [line.split("\t")[6] for line in log.read_text().splitlines()[1:]] == ["77"] * SHARDS, err
    assert process.returncode == SHARDS and err.count("once more in 0 s") == 1 and "exit code 137" in err
    assert all(account in err for account in fleet.wrong | fleet.dead)
    complete(fleet, program, alone(binary)[2])
    merged(program, alone(binary)[0], fleet.home("shards"))


@pytest.mark.skipif(bool(slurm.missing()), reason=f"Slurm: {slurm.missing()}")
def test_a_slurm_array_runs_the_shards_and_one_that_is_killed_once_more(fleet, alone, binary, tmp_path):
    program, tools = Program(binary, fleet.home("slurm")), tmp_path / "bin"
    fleet.configure(program)
    tools.mkdir()
    (tools / "mailglean").symlink_to(binary)
    environment = {**program.environment(), "PATH": f"{tools}:{os.environ['PATH']}"}
    cluster = slurm.Slurm()
    try:
        array = cluster.submit(f"--array=1-{SHARDS}", f"--output={tmp_path}/%a.log", RECIPES / "slurm.sh", SHARDS,
                               **environment)

        def of_the_second():
            return [pid for pid, parent in lib.processes("mailglean", "--quiet", "sync", "--shard", "auto/4")
                    if cluster.is_task(parent, 2)]
        lib.kill_midway(program, second_shard(fleet), of_the_second)
        net.until(lambda: cluster.tasks(array).get(2, ("",))[0] == "PENDING", "the second task to be queued again")
        # Not after its two minutes, but not in the second either in which the first try was called off.
        cluster.call("scontrol", "update", f"JobId={array}_2", "StartTime=now+2")
        net.until(lambda: [task[0] for task in cluster.tasks(array).values()] == ["FAILED"] * SHARDS,
                  "all tasks to end", seconds=120)
        assert cluster.tasks(array) == {task: ("FAILED", 77, 0) for task in range(1, SHARDS + 1)}
    finally:
        cluster.stop()
    said = {task: (tmp_path / f"{task}.log").read_text() for task in range(1, SHARDS + 1)}
    assert "exit code 137: once more" in said[2] and not [task for task in (1, 3, 4) if "once more" in said[task]]
    assert all(account in "".join(said.values()) for account in fleet.wrong | fleet.dead)
    complete(fleet, program, alone(binary)[2])


# ---- shards ----

NAMES = [f"user{i:02d}" for i in range(1, 13)] + ["太郎"]


def user_of(name):
    return name if name.isascii() else "taro"


def all_at(server):
    return {lib.address(name): {"old": plain_at(server, user_of(name))} for name in NAMES}


@pytest.fixture
def many(scripted, mailglean):
    """Accounts of one server, one message each."""
    mailglean.configure(all_at(scripted([message("a")], users=dict.fromkeys(map(user_of, NAMES), "pw"))))
    return mailglean


def accounts_of(run):
    kinds = ("account", "status", "drained", "check-account", "configured")
    return {item["account"] for item in run.json if item["type"] in kinds}


@pytest.mark.parametrize("command", ["check", "sync", "status", "drained", "list", "accounts list"])
def test_every_command_takes_the_accounts_that_the_manual_computes(many, command):
    if command == "list":
        many.run("sync", check=0)
    for shards in (1, 3, 7):
        for shard in range(1, shards + 1):
            run = many.run(*command.split(), "--json", "--shard", f"{shard}/{shards}")
            assert run.code in ((2,) if command == "drained" else (0,)) or not run.json, run
            shown = {item["account"] for item in run.json} if command == "list" else accounts_of(run)
            assert shown == {lib.address(name) for name in NAMES if shard_of(lib.address(name), shards) == shard}


def test_the_manual_names_the_commands_that_know_shards(binary):
    manual = MANUAL.read_text()
    said = re.search(r"^\.Cm (.*)\nand\n\.Cm (.*)\nhave also:\n\.Bl.*\n\.It Fl -shard", manual, re.M)
    named = {*said[1].split(" , "), said[2]}
    usage = set(re.findall(r"^\.Op Fl -json\n\.Cm (.*)\n(?:(?!\.Nm).*\n)*?\.Op Fl -shard", manual, re.M))
    commands = ["check", "sync", "status", "drained", "report", "list", "origin", "audit", "accounts import",
                "accounts list", "accounts check"]
    helped = {words for words in commands if "--shard" in subprocess.run(
        [binary, *words.split(), "--help"], capture_output=True, text=True, check=True).stdout}
    assert named == usage == helped


def test_the_manual_shows_how_a_shell_computes_a_shard():
    (line,) = re.findall(r"^\.Dl \$ (.*sha256sum.*)$", MANUAL.read_text(), re.M)
    (account,) = re.findall(r"\S+@\S+", line)
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
    assert int(said) == shard_of(account, 8)


@pytest.mark.parametrize("name, number, shard", [("JOB_COMPLETION_INDEX", 0, 1), ("JOB_COMPLETION_INDEX", 3, 4),
                                                 ("SLURM_ARRAY_TASK_ID", 1, 1), ("SLURM_ARRAY_TASK_ID", 4, 4)])
def test_the_environment_says_which_shard(many, name, number, shard):
    run = many.run("status", "--json", "--shard", "auto/4", env={name: str(number)}, check=0)
    assert accounts_of(run) == accounts_of(many.run("status", "--json", "--shard", f"{shard}/4", check=0)) != set()


@pytest.mark.parametrize("option, environment", [
    *((option, {}) for option in ("0/4", "5/4", "-1/4", "1/0", "1", "1/", "/4", "1/4/4", "1/4x", " 1/4", "",
                                  "99999999999/99999999999", "auto", "auto/0", "auto/4")),
    ("auto/4", {"JOB_COMPLETION_INDEX": ""}), ("auto/4", {"JOB_COMPLETION_INDEX": "4"}),
    ("auto/4", {"JOB_COMPLETION_INDEX": "-1"}), ("auto/4", {"JOB_COMPLETION_INDEX": "1x"}),
    ("auto/4", {"SLURM_ARRAY_TASK_ID": "0"}), ("auto/4", {"SLURM_ARRAY_TASK_ID": "5"}),
    ("auto/4", {"SLURM_ARRAY_TASK_ID": "1", "JOB_COMPLETION_INDEX": "0"})])
def test_a_shard_that_makes_no_sense_is_refused(many, option, environment):
    run = many.run("sync", "--shard", option, env=environment, check=64)
    assert "--shard" in run.err and not many.store.exists()


def test_without_the_option_the_environment_says_nothing(many):
    assert len(accounts_of(many.run("status", "--json", env={"JOB_COMPLETION_INDEX": "1"}, check=0))) == len(NAMES)


@pytest.mark.parametrize("command", ["check", "sync", "status", "drained", "list", "accounts list"])
def test_a_shard_without_an_account_says_so_and_is_well(many, command):
    empty = next(n for n in range(1, 1001) if n not in {shard_of(lib.address(name), 1000) for name in NAMES})
    run = many.run(*command.split(), "--shard", f"{empty}/1000", check=0)
    assert f"shard {empty} of 1000" in run.err and "nothing to do" in run.err
    assert not (many.store / lib.address(NAMES[0])).exists()


def test_an_account_that_is_named_is_left_to_its_shard(many):
    account = lib.address(NAMES[0])
    mine = shard_of(account, 2)
    assert "nothing to do" in many.run("sync", "--shard", f"{3 - mine}/2", account, check=0).err
    assert not many.store.exists() or not many.maildir(account).exists()
    many.run("sync", "--shard", f"{mine}/2", account, check=0)
    assert len(many.stored(account)) == 1


def test_the_same_shard_at_the_same_time_does_no_harm(many):
    """Two machines were told the same: what the one has under way the other tries again later."""
    first, second = (many.start("sync", "--shard", "1/1") for _ in range(2))
    codes = {many.finish(process).code for process in (first, second)}
    assert codes <= {0, 75} and 0 in codes | {many.run("sync", "--shard", "1/1").code}
    assert all(len(many.stored(lib.address(name))) == 1 for name in NAMES)


# ---- exit codes, and what makes use of them ----

def codes_of(words, text):
    return {int(code) for code in re.findall(r"\b\d\d\b", re.search(words, text, re.S)[1])}


def test_the_manual_and_the_recipes_agree_on_what_is_worth_a_retry():
    manual = MANUAL.read_text()
    described = {int(code) for code in re.findall(r"^\.It (\d+)$", manual, re.M)} - {0}
    assert described == RETRY | FINAL and not RETRY & FINAL
    assert codes_of(r"\n([^.]*?) may go away by itself", manual) == RETRY
    assert codes_of(r"by itself.*?\n([^.]*?) need a person", manual) == FINAL
    for name in ("retry", "slurm.sh"):
        cases = re.search(r"^\s*(69[ |\d]*)\)", (RECIPES / name).read_text(), re.M)[1]
        assert {int(code) for code in cases.split("|")} == RETRY | {137}, name
    readme = (RECIPES / "README.md").read_text()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|[^|]*\| again", readme, re.M)} == RETRY | {137}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|[^|]*\| a person", readme, re.M)} == FINAL


@pytest.fixture
def counted(tmp_path):
    """counted(codes): what retry ends with, and after how many tries, when its command ends with these in turn."""
    script, runs = tmp_path / "command", tmp_path / "runs"

    def run(codes):
        script.write_text(f'#!/bin/sh\necho x >>{runs}\nset -- {" ".join(map(str, codes))}\n'
                          f'shift $(($(wc -l <{runs}) - 1))\n[ $1 -lt 128 ] || kill -$(($1 - 128)) $$\nexit $1\n')
        script.chmod(0o755)
        runs.unlink(missing_ok=True)
        done = subprocess.run([RECIPES / "retry", "5", "0", script], capture_output=True)
        return done.returncode, runs.read_text().count("x")
    return run


@pytest.mark.parametrize("codes, ends, runs", [
    ([0], 0, 1), ([75, 0], 0, 2), ([69, 74, 75, 0], 0, 4), ([137, 0], 0, 2), ([75, 77, 0], 77, 2),
    ([75] * 9, 75, 5), ([69] * 4 + [65], 65, 5), ([134, 0], 134, 1), ([143, 0], 143, 1),
    *(([code, 0], code, 1) for code in sorted(FINAL))])
def test_retry_goes_on_as_long_as_it_may_help(counted, codes, ends, runs):
    assert counted(codes) == (ends, runs)


def test_retry_says_what_it_is_up_to_and_waits_longer_each_time(tmp_path):
    """Its sleep is one that takes no time."""
    (tmp_path / "sleep").write_text(f'#!/bin/sh\necho $1 >>{tmp_path}/slept\n')
    (tmp_path / "sleep").chmod(0o755)
    done = subprocess.run([RECIPES / "retry", "9", "60", "sh", "-c", "exit 75"], capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 75
    assert (tmp_path / "slept").read_text().split() == ["60", "120", "240", "480", "960", "1920", "3600", "3600"]
    assert "exit code 75, once more in 60 s: sh -c exit 75" in done.stderr


@pytest.mark.parametrize("words", ["", "3", "3 1", "x 1 true", "0 1 true", "3 x true", "3 -1 true"])
def test_retry_refuses_what_it_does_not_understand(words):
    done = subprocess.run([RECIPES / "retry", *words.split()], capture_output=True, text=True)
    assert done.returncode == 64 and "usage: retry" in done.stderr


def test_recipes_are_scripts_without_a_complaint():
    for name in ("retry", "slurm.sh"):
        assert os.access(RECIPES / name, os.X_OK)
        assert subprocess.run(["sh", "-n", RECIPES / name], capture_output=True).returncode == 0


# ---- Kubernetes ----

def manifests(name, **changes):
    text = (RECIPES / "kubernetes" / name).read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    return list(yaml.safe_load_all(text))


def job_of(item):
    return item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]


def jobs():
    found = [(name, job_of(item)) for name in ("job.yaml", "cronjob.yaml", "shard.yaml")
             for item in manifests(name) if item["kind"] in ("Job", "CronJob")]
    assert len(found) == 3
    return found


def test_the_kinds_are_those_of_the_apis():
    kinds = {(item["apiVersion"], item["kind"]) for path in (RECIPES / "kubernetes").iterdir()
             for item in manifests(path.name)}
    assert kinds == {("batch/v1", "Job"), ("batch/v1", "CronJob"), ("v1", "PersistentVolumeClaim")}


def test_the_cron_job_is_the_job_again_and_again():
    (job,), (cron,) = manifests("job.yaml"), manifests("cronjob.yaml")
    assert job_of(cron) == job["spec"] and cron["spec"]["concurrencyPolicy"] == "Forbid"


def test_pod_failure_policies_map_the_exit_codes():
    for name, job in jobs():
        ignore, fail = job["podFailurePolicy"]["rules"]
        indexed = job.get("completionMode") == "Indexed"
        assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}, name
        assert fail["action"] == ("FailIndex" if indexed else "FailJob"), name
        assert fail["onExitCodes"] == {"containerName": "mailglean", "operator": "In",
                                       "values": sorted(FINAL)}, name
        # What the API demands of both: the first of any policy, the second of FailIndex.
        assert job["template"]["spec"]["restartPolicy"] == "Never", name
        assert job["backoffLimitPerIndex" if indexed else "backoffLimit"] > 0, name


@pytest.mark.parametrize("name", ["job.yaml", "cronjob.yaml", "shard.yaml"])
@pytest.mark.parametrize("imports", [True, False], ids=["imported", "by_hand"])
def test_a_pod_gets_the_configuration_with_what_it_includes(scripted, mailglean, tmp_path, name, imports):
    """What the line of the README makes a secret of, as the first container copies it."""
    server = scripted(users={"taro": "pw", "hanako": "pw"})
    accounts = {"taro@example.jp": {"old": plain_at(server)}}
    mailglean.configure(accounts, old={"address": server.host, "port": server.port, "tls": "none"})
    if imports:
        csv = tmp_path / "panel.csv"
        csv.write_text("address,user,password\nhanako@example.jp,hanako,pw\n")
        mailglean.run("accounts", "import", "--only", "old", csv, check=0)
    secret, inside = tmp_path / "secret", tmp_path / "inside"
    (line,) = re.findall("^    kubectl create secret .*$", (RECIPES / "README.md").read_text(), re.M)
    for path in (secret, inside):
        path.mkdir()
    for key, _, file in (word.rpartition("=") for word in re.findall(r"--from-file=(\S+)", line)):
        source = mailglean.config_file.parent / file
        if imports or not key:
            (secret / (key or source.name)).write_bytes(source.read_bytes())
    job = dict(jobs())[name]
    pod = job["template"]["spec"]
    (first,) = pod["initContainers"]
    places = {"/secret/": f"{secret}/", "/run/mailglean": str(inside)}

    def here(word):
        return re.sub("|".join(places), lambda found: places[found[0]], word)
    subprocess.run(list(map(here, first["command"])), check=True)
    command = pod["containers"][0]["command"]
    config = here(command[command.index("--config") + 1])
    listed = mailglean.run("--config", config, "accounts", "list", "--json", check=0).of("configured")
    assert {item["account"] for item in listed} == {*accounts, *(["hanako@example.jp"] if imports else [])}


def test_as_many_pods_as_shards_each_with_a_folder_of_its_own():
    for name in ("job.yaml", "cronjob.yaml"):
        (item,) = manifests(name)
        job = job_of(item)
        pod = job["template"]["spec"]
        (container,) = pod["containers"]
        command = container["command"]
        assert command[command.index("--shard") + 1] == f"auto/{job['completions']}" and job["completions"] > 1
        (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "store"]
        assert mount["subPathExpr"] == "shard-$(JOB_COMPLETION_INDEX)"
        (claim,) = manifests("store.yaml")
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "store"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_a_shard_with_a_volume_of_its_own_can_be_multiplied():
    """By the line that stands in the file."""
    path = RECIPES / "kubernetes" / "shard.yaml"
    line = re.search(r"^# (for i in .*?) \| kubectl", path.read_text(), re.M)[1]
    made = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, cwd=path.parent).stdout
    items = [item for item in yaml.safe_load_all(made) if item]
    claims = [item["metadata"]["name"] for item in items if item["kind"] == "PersistentVolumeClaim"]
    crons = [item for item in items if item["kind"] == "CronJob"]
    wanted = [f"mailglean-{i}" for i in range(1, SHARDS + 1)]
    assert claims == [item["metadata"]["name"] for item in crons] == wanted
    for i, item in enumerate(crons, 1):
        pod = job_of(item)["template"]["spec"]
        assert pod["containers"][0]["command"][-2:] == ["--shard", f"{i}/{SHARDS}"]
        assert {"name": "store", "persistentVolumeClaim": {"claimName": f"mailglean-{i}"}} in pod["volumes"]


def test_pods_are_confined_and_every_mount_has_its_volume():
    for name, job in jobs():
        pod = job["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False, name
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["initContainers"] + pod["containers"]:
            inside = container["securityContext"]
            assert inside["readOnlyRootFilesystem"] and not inside["allowPrivilegeEscalation"], name
            assert inside["capabilities"] == {"drop": ["ALL"]} and container["resources"]["limits"]["memory"], name
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name


# ---- progress ----

def test_a_run_over_many_accounts_has_a_line_for_the_whole(many):
    terminal = Terminal(many, "sync", "--jobs", "2", columns=100)
    assert terminal.end() == 0
    shown = re.findall(r"(\d+)/13 accounts  \[[#.]+\]  (\d+) messages?, [\d.]+ k?B", terminal.text())
    done, messages = ([int(pair[i]) for pair in shown] for i in (0, 1))
    assert done == sorted(done) and messages == sorted(messages) and done[0] < 13, terminal.text()


def test_failures_are_counted_in_it(scripted, mailglean):
    accounts = all_at(scripted([message("a")], users=dict.fromkeys(map(user_of, NAMES), "pw")))
    accounts[lib.address(NAMES[0])]["old"]["password"] = "wrong"
    mailglean.configure(accounts)
    terminal = Terminal(mailglean, "sync", "--jobs", "1", columns=100)
    assert terminal.end() == 77
    assert re.search(r"\d+/13 accounts  .*1 failed", terminal.text()), terminal.text()


def test_one_account_needs_no_line_for_the_whole(pair, mailglean):
    pair.old.deliver(message("a"))
    terminal = Terminal(mailglean, "sync", columns=100)
    assert terminal.end() == 0 and re.search(r"^taro@example.jp (old|new)  \[", terminal.text())
    assert "/1 account" not in terminal.text()
