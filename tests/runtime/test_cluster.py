"""The job: a script that can be read and run, and one that submitit takes."""

import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from neuromf import cli
from neuromf.latents.shard import StoreError
from neuromf.runtime import cluster
from neuromf.runtime import config as settings
from neuromf.runtime.cluster import Job, Slurm
from neuromf.runtime.files import write_json
from neuromf.runtime.run import Stopped
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import TrainConfig
from training.support import tiny_config


def job_of(config, out):
    return Job("train", "neuromf.training.command", config, out)


def test_the_script_holds_the_whole_run(tmp_path, store):
    config = tiny_config(
        store,
        devices=4,
        nodes=2,
    )
    slurm = Slurm("gpu", "lab", hours=1.5, setup="module load x")
    script = cluster.script(job_of(config, tmp_path / "a run"), slurm)
    for line in (
        "--nodes=2", "--ntasks-per-node=4", "--gpus-per-node=4", "--time=1:30:00", "--signal=USR1@180", "--requeue",
        "--partition=gpu", "--account=lab", "module load x",
    ):  # fmt: skip
        assert line in script
    assert "--resume" in script
    path = tmp_path / "job.sh"
    path.write_text(script)
    subprocess.run(["bash", "-n", str(path)], check=True)
    yaml = script.split("<<'YAML'\n")[1].split("YAML\n")[0]
    (tmp_path / "config.yaml").write_text(yaml)
    assert settings.load(TrainConfig, [str(tmp_path / "config.yaml")], "train") == config


def test_a_job_replaces_no_file_of_the_user(tmp_path, store):
    """`neuromf train cfg/mine.yaml out=cfg/mine launch=print`: mine.yaml is not the job's."""
    for name in ("srun", "scontrol"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$@"\n')
        (tmp_path / name).chmod(0o755)
    mine, config = tmp_path / "a run.yaml", tiny_config(store)
    mine.write_text("# my notes\n")
    script = cluster.script(job_of(config, tmp_path / "a run"), Slurm())
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    done = subprocess.run(
        ["bash"], input=script, env=environment, text=True, capture_output=True, check=False
    )
    own = tmp_path / "a run-slurm" / "config-7.yaml"
    assert f"neuromf.cli train {own} out={tmp_path / 'a run'} --resume" in done.stdout
    assert settings.load(TrainConfig, [str(own)], "train") == config
    assert mine.read_text() == "# my notes\n"


EVERYTHING = Slurm(
    "gpu",
    "lab",
    qos="long",
    constraint="a100|h100",
    hours=2,
    gres="gpu:a100:2",
    extra=("--mail-type=END", "--exclusive", "--comment=two words"),
    setup="module load cuda\nexport A=1",
    container="my image.sif",
    warning_seconds=300,
)


def test_every_setting_is_in_the_script(tmp_path, store):
    slurm = replace(EVERYTHING, logs=str(tmp_path / "logs"))
    script = cluster.script(job_of(tiny_config(store), tmp_path / "run"), slurm)
    lines = script.splitlines()
    for option in (
        "--partition=gpu", "--account=lab", "--qos=long", "--constraint='a100|h100'", "--time=2:00:00",
        "--gres=gpu:a100:2", "--mail-type=END", "--exclusive", "--comment='two words'", "--signal=USR1@300",
        "--requeue", "--open-mode=append", f"--output={tmp_path}/logs/%x-%j.out",
    ):  # fmt: skip
        assert f"#SBATCH {option}" in lines
    assert "--gpus-per-node" not in script
    assert lines[lines.index("module load cuda") + 1] == "export A=1"
    assert (
        "srun --kill-on-bad-exit=1 --cpus-per-task=8 apptainer exec --nv 'my image.sif' python3 -m"
        in script
    )
    assert (tmp_path / "logs").is_dir()  # SLURM makes none, and the job would end at once


def test_every_setting_is_in_what_submitit_submits(tmp_path, store):
    text = submission(job_of(tiny_config(store), tmp_path / "run"), EVERYTHING, tmp_path / "logs")
    lines = text.splitlines()
    for option in (
        "--partition=gpu", "--account=lab", "--qos=long", "--constraint='a100|h100'", "--time=120",
        "--gres=gpu:a100:2", "--mail-type=END", "--exclusive", "--comment='two words'", "--signal=USR2@300",
        "--requeue", "--open-mode=append", f"--output={tmp_path}/logs/%j_0_log.out", "--mem=64GB",
    ):  # fmt: skip
        assert f"#SBATCH {option}" in lines
    assert "--gpus-per-node" not in text
    assert lines[lines.index("module load cuda") + 1] == "export A=1"
    assert (
        "--kill-on-bad-exit=1 --cpus-per-task=8 apptainer exec --nv 'my image.sif' python3 -u -m submitit"
        in text
    )


def submission(job, slurm, folder):
    """What submitit would give to sbatch."""
    with_srun = folder.parent / "bin"
    with_srun.mkdir()
    (with_srun / "srun").write_text("")
    (with_srun / "srun").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{with_srun}:{os.environ['PATH']}")
        executor = cluster.executor_of(job, slurm, folder)
        return executor._executor._make_submission_file_text(
            executor._executor._submitit_command_str, "uid"
        )


def test_after_submitits_srun_the_shell_queues_the_job_again(tmp_path, store):
    """Where the process left its mark or died of the warning, not where it ended or failed."""
    (tmp_path / "scontrol").write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/queued\n')
    (tmp_path / "scontrol").chmod(0o755)
    wanted = cluster.parameters(job_of(tiny_config(store), tmp_path / "run"), Slurm(), tmp_path)
    path = tmp_path / "job.sh"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7"}
    for mark, code, again in (
        (False, 0, False),
        (True, 0, True),
        (False, 2, False),
        (False, 140, True),
    ):
        path.write_text("\n".join([f"(exit {code})", *wanted["slurm_teardown"]]))
        if mark:
            (tmp_path / "7.requeue").touch()
        done = subprocess.run(["bash", str(path)], check=False, env=environment)
        assert done.returncode == code
        assert (tmp_path / "queued").is_file() == again
        assert not (tmp_path / "7.requeue").exists()
        (tmp_path / "queued").unlink(missing_ok=True)


def test_the_script_trains_and_asks_for_more_time(tmp_path, store):
    """With stand-ins for srun and scontrol: the job queues itself again after an interruption or when it died of the
    warning, not after the end.
    """
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "scontrol").write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/queued\n')
    for state, code, again in (
        ("finished", 0, False),
        ("failed", 2, False),
        ("interrupted", 0, True),
        ("running", 138, True),
    ):
        out = tmp_path / state
        out.mkdir()
        # Earlier starts are in the record too, and both were interrupted.
        earlier = [{"state": "interrupted"}, {"state": "interrupted"}]
        write_json(tmp_path / "record.json", {"state": state, "earlier": earlier})
        record = f"cp {tmp_path}/record.json {out}/run.json"
        (tools / "srun").write_text(f"#!/bin/bash\n{record}\nexit {code}\n")
        for tool in tools.iterdir():
            tool.chmod(0o755)
        path = tmp_path / "job.sh"
        path.write_text(cluster.script(job_of(tiny_config(store), out), Slurm()))
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "SLURM_JOB_ID": "7"}
        done = subprocess.run(["bash", str(path)], check=False, env=environment, cwd=tmp_path)
        assert done.returncode == code
        assert (tmp_path / "queued").is_file() == again
        (tmp_path / "queued").unlink(missing_ok=True)


def test_submitit_runs_it(tmp_path, store):
    config = tiny_config(store, updates=2)
    said = cluster.submit(job_of(config, tmp_path / "run"), Slurm(), cluster="debug")
    assert "job" in said
    job = job_of(config, tmp_path / "run")
    assert job() == str(tmp_path / "run" / "model")
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
    again = job.checkpoint()
    assert again.function is job


def test_without_a_cluster_it_says_what_to_do(tmp_path, store, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="launch=print"):
        cluster.submit(job_of(tiny_config(store), tmp_path / "run"), Slurm())


def test_a_job_whose_time_is_over_saves_and_asks_to_be_queued_again(tmp_path, store, monkeypatch):
    config, last = tiny_config(store, updates=20), tmp_path / "run" / "checkpoints" / "last.ckpt"
    job, mark = job_of(config, tmp_path / "run"), tmp_path / "7.requeue"
    monkeypatch.setenv("SUBMITIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    before = signal.getsignal(signal.SIGUSR2)
    warned = threading.Thread(target=warn_when_training, args=(tmp_path / "run" / "log.csv",))
    try:
        warned.start()
        with pytest.raises(SystemExit) as ended:
            job()
    finally:
        warned.join()
    assert ended.value.code == 0
    assert mark.is_file()
    assert 0 < read_checkpoint(last)["state"]["update"] < 20
    assert signal.getsignal(signal.SIGUSR2) == before

    job()
    assert not mark.exists()
    assert [r["update"] for r in read_checkpoint(last)["state"]["rows"]] == list(range(1, 21))


def test_signals_that_a_command_does_not_answer_end_it(tmp_path, monkeypatch):
    """submitit ignores SIGTERM and calls scontrol from within the process."""
    found = {}
    module = SimpleNamespace(
        run=lambda *_, **__: found.update(
            {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2)}
        )
    )
    monkeypatch.setattr(cluster.importlib, "import_module", lambda name: module)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        Job("encode", "any", None, tmp_path)()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert set(found.values()) == {signal.SIG_DFL}


def test_only_the_first_process_asks_to_be_queued_again(tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise Stopped("stopped after update 3")

    monkeypatch.setattr(
        cluster.importlib, "import_module", lambda name: SimpleNamespace(run=stopped)
    )
    monkeypatch.setenv("SUBMITIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for rank, asked in (("1", False), ("0", True)):
        monkeypatch.setenv("SLURM_PROCID", rank)
        with pytest.raises(SystemExit):
            Job("train", "any", None, tmp_path)()
        assert (tmp_path / "7.requeue").is_file() == asked


def warn_when_training(log):
    end = time.time() + 250
    while time.time() < end:
        if log.is_file():
            os.kill(os.getpid(), signal.SIGUSR2)
            return
        time.sleep(0.01)


def test_overwriting_is_not_for_jobs(tmp_path, store):
    with pytest.raises(ValueError, match="--overwrite does not go with launch="):
        cluster.launch(
            job_of(tiny_config(store), tmp_path / "run"), cluster.Launch("print"), overwrite=True
        )


def test_every_verb_becomes_a_job(tmp_path, capsys):
    """A word of the command line, for a command that knows nothing of clusters."""
    words = ["volumes=a", "launch=print", "slurm.partition=cpu", "slurm.gpus=false"]
    cli.run_verb("encode", cli.VERBS["encode"], [*words, f"out={tmp_path / 'latents'}"])
    script = capsys.readouterr().out
    assert "#SBATCH --partition=cpu" in script
    assert "gpus-per-node" not in script
    assert '-m neuromf.cli encode "$config" out=' in script
    assert "volumes: a" in script
    assert "slurm" not in script.split("<<'YAML'")[1].split("YAML")[0]


def test_a_training_is_checked_before_it_waits_in_a_queue(tmp_path, store):
    """Latents that are not there, settings that do not fit, and how much memory a step needs."""
    job = job_of(tiny_config(store, ema=(0.9999,)), tmp_path / "run")
    lags, memory = cluster.check(job)
    assert "the average lags behind" in lags
    assert re.search(r"a step of batch=\d+ needs about \d+\.\d GB on each device", memory)

    absent = job_of(tiny_config(tmp_path / "absent"), tmp_path / "run")
    with pytest.raises(StoreError, match="absent"):
        cluster.launch(absent, cluster.Launch("slurm"), overwrite=False)
    assert not list(tmp_path.iterdir())


def test_what_slurm_refuses_is_said_and_leaves_nothing(tmp_path, store, monkeypatch):
    """A program that refuses as sbatch does stands for a cluster without such a partition."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "srun"):
        (programs / name).write_text(
            "#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpus' >&2\nexit 1\n"
        )
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    job = job_of(tiny_config(store), tmp_path / "run")
    with pytest.raises(ValueError, match="nothing was submitted: sbatch: error: invalid partition"):
        cluster.launch(job, cluster.Launch("slurm", Slurm(partition="gpus")), overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
