# SPDX-License-Identifier: BSD-2-Clause
"""A private Slurm of one machine: slurmctld and slurmd as plain processes, own folders, ports of its own."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess

from lib import net, paths

CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
KillWait=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4096 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
PROGRAMS = ("slurmctld", "slurmd", "slurmstepd", "sbatch", "scontrol")


def missing():
    """Why it cannot be had here; "": it can."""
    lacking = [name for name in PROGRAMS if not paths.tool(name)]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def user_name():
    return pwd.getpwuid(os.geteuid()).pw_name


class Slurm:
    """Started at once; stop() must be called. Whoever runs it is its administrator and only user."""

    def __init__(self):
        self.dir = paths.PrivateDir("slurm")
        self.base = self.dir.path
        self.processes = []
        controller, node = net.free_ports(2)
        for name in ("state", "spool"):
            self.dir.sub(name, owned=False)
        self.config = self.base / "slurm.conf"
        self.config.write_text(CONFIG.format(base=self.base, host=socket.gethostname().partition(".")[0],
                                             user=user_name(), controller=controller, node=node))
        try:
            for name in ("slurmctld", "slurmd"):
                self.processes.append(subprocess.Popen(
                    [paths.tool(name), "-D", "-f", self.config], env=self.environment(), start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=(self.base / f"{name}.stderr").open("wb")))
            net.until(self._idle, "Slurm's node to be ready")
        except BaseException:
            self.stop()
            raise

    def environment(self, **more):
        return {**os.environ, "SLURM_CONF": str(self.config), **more}

    def call(self, *words, **env):
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=self.environment(**env))
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{self.log()}"
        return done.stdout

    def _idle(self):
        ended = [process.args[0] for process in self.processes if process.poll() is not None]
        assert not ended, f"{ended} ended: {self.log()}"
        done = subprocess.run(["scontrol", "show", "node"], capture_output=True, text=True, env=self.environment())
        return "State=IDLE " in done.stdout

    def log(self):
        return "".join(path.read_text(errors="replace")[-4000:] for path in sorted(self.base.glob("slurm*.[ls]*")))

    def submit(self, *words, **env):
        """The number of the array that was submitted."""
        return self.call("sbatch", "--parsable", *words, **env).strip()

    def tasks(self, array):
        """Of each task of ARRAY: its state and its exit code, or the signal that ended it."""
        shown = self.call("scontrol", "--oneliner", "show", "job", array)
        return {int(task): (state, int(code), int(ended_by)) for task, state, code, ended_by in re.findall(
            r"ArrayTaskId=(\d+) .*?JobState=(\w+) .*?ExitCode=(\d+):(\d+)", shown)}

    def is_task(self, process, task):
        """PROCESS is the script of this cluster's TASK of an array."""
        try:
            environment = pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            return False
        return {f"SLURM_ARRAY_TASK_ID={task}".encode(), f"SLURM_CONF={self.config}".encode()} <= set(environment)

    def stop(self):
        # Its jobs would outlive it.
        if self.processes:
            subprocess.run(["scancel", "--quiet", "--full", "--signal=KILL", "--user", user_name()],
                           env=self.environment(), capture_output=True, timeout=30)
        for process in reversed(self.processes):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.dir.remove()
