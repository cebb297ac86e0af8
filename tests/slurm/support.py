"""A SLURM of two nodes on this machine: its daemons, its commands and what its jobs did."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "setpriv")
STEADY, SHAKY = "steady", "shaky"  # the nodes, and their features: one is there to fail
PATIENCE = float(os.environ.get("NEUROMF_SLURM_PATIENCE", "600"))  # seconds, for one wait
CONFIGURATION = """\
ClusterName=neuromf
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until the credential of its last start is void: 120 s by default.
AuthInfo=socket={folder}/munge/socket,cred_expire=35
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=5,batch_sched_delay=1
KillWait=30
ReturnToService=1
GresTypes=shelf
# More cores than the machine has: its jobs mostly wait.
SlurmdParameters=config_overrides
NodeName={steady} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=16 RealMemory=16000 \
Features={steady} Gres=shelf:4
NodeName={shaky} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=16 RealMemory=16000 \
Features={shaky}
PartitionName=main Nodes={steady},{shaky} Default=YES MaxTime=120 State=UP
"""


class Cluster:
    """The daemons of a SLURM in a folder, each a child of this process that ends with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen] = []

    def __enter__(self) -> "Cluster":
        for name in ("munge", "state", f"spool/{STEADY}", f"spool/{SHAKY}"):
            (self.folder / name).mkdir(parents=True)
        self._configure()
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")

        self._start_munge()
        self._start("slurmctld", "-D", "-c")
        for node in (STEADY, SHAKY):
            self._start_node(node)
        wait("both nodes to be idle", lambda: self.states() == {STEADY: "idle", SHAKY: "idle"})
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            called("scancel", "--user", getpass.getuser(), "--signal=KILL", "--full")
            called("scancel", "--user", getpass.getuser())
            wait("the queue to be empty", lambda: not called("squeue", "--noheader"), 60)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
        os.environ.pop("SLURM_CONF")

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        text = CONFIGURATION.format(
            host=host,
            folder=self.folder,
            user=getpass.getuser(),
            ports=free_ports(3),
            steady=STEADY,
            shaky=SHAKY,
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text(f"NodeName={STEADY} Name=shelf Count=4\n")

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        (folder / "key").write_bytes(os.urandom(64))
        (folder / "key").chmod(0o600)
        options = [f"--{name}-file={folder / name}" for name in ("key", "pid", "log", "seed")]
        # --force: the folders of pytest are for their owner alone
        self._start("munged", "--foreground", "--force", f"--socket={folder}/socket", *options)
        wait("munge's socket", (folder / "socket").is_socket)

    def _start_node(self, node: str) -> None:
        """Start a node without control groups; what turns them off depends on SLURM's version."""
        for plugin in ("disabled", "cgroup/v1"):
            (self.folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
            daemon = self._start("slurmd", "-D", "-N", node)
            time.sleep(2)
            if daemon.poll() is None:
                return
            self.daemons.remove(daemon)
        raise RuntimeError((self.folder / f"slurmd-{node}.log").read_text())

    def _start(self, name: str, *words: str) -> subprocess.Popen:
        command = ["setpriv", "--pdeathsig", "TERM", shutil.which(name) or name, *words]
        with (self.folder / f"{name}.out").open("a") as out:
            daemon = subprocess.Popen(command, stdout=out, stderr=out)
        self.daemons.append(daemon)
        return daemon

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        lines = called("sinfo", "--noheader", "-N", "-o", "%N %t").splitlines()
        return dict(line.split() for line in lines)


def missing() -> list[str]:
    """Return the programs that are not installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in DAEMONS if shutil.which(name, path=path) is None]


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def called(*words: str) -> str:
    """Return what a command of SLURM prints."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise AssertionError(f"{words}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout.strip()


def wait(what: str, true, seconds: float = PATIENCE, every: float = 0.5):
    """Return what `true` returns once that is not empty. Raises AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(every)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")
