"""The job: a script that can be read and run, and one that submitit takes."""

import os
import signal
import subprocess
import threading
import time

import pytest

from neuromf import cli
from neuromf.runtime import cluster
from neuromf.runtime import config as settings
from neuromf.runtime.cluster import Job, Slurm
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
    slurm = Slurm("gpu", "lab", 1.5, setup="module load x")
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


def test_the_script_trains_and_asks_for_more_time(tmp_path, store):
    """With stand-ins for srun and scontrol: the job queues itself again after an interruption, not after the end."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "scontrol").write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/queued\n')
    for state, code in (("finished", 0), ("failed", 2), ("interrupted", 0)):
        out = tmp_path / state
        out.mkdir()
        record = f'echo \'"state": "{state}"\' > {out}/run.json'
        (tools / "srun").write_text(f"#!/bin/bash\n{record}\nexit {code}\n")
        for tool in tools.iterdir():
            tool.chmod(0o755)
        path = tmp_path / "job.sh"
        path.write_text(cluster.script(job_of(tiny_config(store), out), Slurm()))
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "SLURM_JOB_ID": "7"}
        done = subprocess.run(["bash", str(path)], check=False, env=environment, cwd=tmp_path)
        assert done.returncode == code
        assert (tmp_path / "queued").is_file() == (state == "interrupted")
    assert (tmp_path / "queued").read_text() == "requeue 7\n"


def test_submitit_runs_it(tmp_path, store):
    config = tiny_config(store, updates=2)
    said = cluster.submit(job_of(config, tmp_path / "run"), Slurm(), cluster="debug")
    assert "job" in said
    job = job_of(config, tmp_path / "run")
    assert job() == str(tmp_path / "run" / "model")
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
    again = job.checkpoint()
    assert again.function is job


def test_without_a_cluster_it_says_what_to_do(tmp_path, store):
    with pytest.raises(ValueError, match="launch=print"):
        cluster.submit(job_of(tiny_config(store), tmp_path / "run"), Slurm())


def test_a_job_whose_time_is_over_saves_and_then_lets_submitit_queue_it_again(tmp_path, store):
    config, last = tiny_config(store, updates=20), tmp_path / "run" / "checkpoints" / "last.ckpt"
    job = job_of(config, tmp_path / "run")
    saved = []
    before = signal.signal(
        signal.SIGUSR2, lambda *_: saved.append(last.is_file())
    )  # submitit's place
    warned = threading.Thread(target=warn_when_training, args=(tmp_path / "run" / "log.csv",))
    try:
        warned.start()
        with pytest.raises(Stopped):
            job()
    finally:
        warned.join()
        signal.signal(signal.SIGUSR2, before)
    assert saved == [True]
    assert 0 < read_checkpoint(last)["state"]["update"] < 20
    job()
    assert [r["update"] for r in read_checkpoint(last)["state"]["rows"]] == list(range(1, 21))


def warn_when_training(log):
    end = time.time() + 60
    while not log.is_file() and time.time() < end:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGUSR2)


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
    assert f"-m neuromf.cli encode {tmp_path / 'latents'}.yaml" in script
    assert "volumes: a" in script
    assert "slurm" not in script.split("<<'YAML'")[1].split("YAML")[0]
