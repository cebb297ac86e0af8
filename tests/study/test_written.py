import json

from neuromf.runtime.folders import foreign_files
from neuromf.study.written import replaceable
from study.support import make_study

STEPS = {"train": "train", "stages": "train-stages", "eval": "evaluate", "toy": "toy"}


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            (folder / name).write_text("")


def run_of(folder, *listed):
    """Write the folder of a run: files that files.txt lists."""
    put(folder, "run.json", "config.yaml", "run.log", ".lock", *listed)
    (folder / "files.txt").write_text("".join(f"{name}\n" for name in listed))


def test_what_verbs_write_is_the_studys(tmp_path):
    make_study(tmp_path, {"lr": ["1"]}, (0,), STEPS)
    arm = tmp_path / "arms" / "lr-1_seed-0"
    run_of(tmp_path, "study.json", "arms/lr-1_seed-0/train.yaml", "slurm/arms-1-1.txt")
    put(tmp_path, "slurm/3_0.out")
    put(arm, "state.json", "log.txt", ".lock", "train.failed")
    run_of(arm / "train", "log.csv", "checkpoints/last.ckpt", "model/config.json")
    put(arm / "train", "checkpoints/update-00000001.ckpt", "tensorboard/x/events", "wandb/a/b/c")
    run_of(arm / "stages", "model/config.json")
    run_of(arm / "stages" / "stages" / "flow2mm", "log.csv", "samples/update-1.png")
    put(arm / "stages" / "stages" / "flow2mm", "tensorboard/x/events", "model/vae/weights")
    run_of(arm / "eval", "scores.json")
    put(arm / "eval", "synthseg/real/a.csv")
    run_of(arm / "toy", "metrics.json", "arms/r4-x/log.csv")
    assert foreign_files(tmp_path, replaceable(tmp_path, {})) == []
    assert foreign_files(tmp_path, replaceable(tmp_path, {"other": "toy"})) == []


def test_what_the_user_keeps_there_is_not(tmp_path):
    make_study(tmp_path, {"lr": ["1"]}, (0,), STEPS)
    arm = tmp_path / "arms" / "lr-1_seed-0"
    run_of(tmp_path, "study.json", "arms/lr-1_seed-0/train.yaml")
    run_of(arm / "train", "log.csv")
    run_of(arm / "toy", "metrics.json")
    run_of(arm / "train" / "samples", "brain.nii.gz")  # by `neuromf generate`
    put(arm, "train/analysis.ipynb", "toy/notes.md", "notes/n.md")
    found = foreign_files(tmp_path, replaceable(tmp_path, STEPS))
    own = [name.removeprefix("arms/lr-1_seed-0/") for name in found]
    assert {"train/analysis.ipynb", "toy/notes.md", "notes/n.md"} < set(own)
    assert "train/samples/brain.nii.gz" in own


def test_a_damaged_table_and_a_verb_of_another_version_are_no_obstacle(tmp_path):
    make_study(tmp_path, {"lr": ["1"]}, (0,), {"old": "gone"})
    arm = tmp_path / "arms" / "lr-1_seed-0"
    run_of(arm / "old", "x.csv")
    put(arm, "old/mine.txt")
    run_of(tmp_path, "study.json")
    own = f"{arm.relative_to(tmp_path).as_posix()}/old/mine.txt"
    assert foreign_files(tmp_path, replaceable(tmp_path, {})) == [own]
    (tmp_path / "study.json").write_text(json.dumps([]))
    assert replaceable(tmp_path, {"a": "toy"}).writes("arms/x/a/metrics.json")
