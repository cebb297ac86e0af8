import subprocess
import sys
from dataclasses import replace

import pytest

from neuromf.runtime.cluster import Launch
from neuromf.runtime.config import ConfigError, load
from neuromf.runtime.run import read_json_object
from neuromf.study.config import SweepConfig
from neuromf.study.folder import arm_folder, read_state, read_table
from neuromf.study.sweep import launch, plan, run, status, stop
from study.support import quick_study


def test_a_study_runs_grows_and_is_told(tmp_path, capsys):
    out = tmp_path / "study"
    assert run(quick_study([1]), out) == 0
    assert "1 arms: 1 finished; neuromf tabulate study=" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match="--resume continues"):
        run(quick_study([1]), out)

    assert run(quick_study([1, 2], (0, 1)), out, resume=True) == 0
    names = [row.name for row in read_table(out).arms]
    assert names == [f"epochs-{e}_seed-{s}" for e in (1, 2) for s in (0, 1)]
    assert [read_state(arm_folder(out, name)).attempt for name in names] == [1] * 4
    assert read_json_object(out / "run.json")["state"] == "finished"
    assert "4 arms: 4 finished" in status([str(out)])
    assert stop([f"out={out}"]) == f"nothing of {out} is running"


@pytest.mark.parametrize("place", [".", "toy"])
def test_a_study_starts_again_but_not_over_files_of_others(tmp_path, place):
    out, study = tmp_path / "study", quick_study([1])
    run(study, out)
    notes = arm_folder(out, "epochs-1_seed-0") / place / "notes.md"
    notes.write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.md"):
        run(study, out, overwrite=True)
    assert notes.read_text() == "mine"
    notes.unlink()
    assert run(study, out, overwrite=True) == 0


def test_jobs_replace_no_study(tmp_path):
    """A script that is printed has made nothing yet that could take the place of what is there."""
    out, study = tmp_path / "study", quick_study([1])
    run(study, out)
    kept = arm_folder(out, "epochs-1_seed-0") / "toy" / "metrics.json"
    with pytest.raises(ConfigError, match="--overwrite does not go with launch="):
        launch(study, out, Launch("print"), resume=False, overwrite=True)
    assert kept.is_file()


def test_failures_are_counted_and_listed(tmp_path, capsys):
    config = SweepConfig({"look": ["inspect", "latents=nowhere"]}, retries=0)
    assert run(config, tmp_path / "s") == 1
    assert "seed-0 failed, attempt 1:\n  look: " in capsys.readouterr().err


def test_nothing_is_made_where_the_grid_is_wrong(tmp_path):
    wrong = replace(quick_study(), axes={"toy.arms.r4-x.lrr": [1]})
    with pytest.raises(ConfigError, match="unknown key"):
        run(wrong, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_plan_names_every_arm():
    text = plan(SweepConfig({"look": ["mask-test", "masks=m"]}, {"noise": [0.1, 0.2]}))
    assert [line.split()[0] for line in text.splitlines()[1:3]] == [
        "noise-0.1_seed-0",
        "noise-0.2_seed-0",
    ]
    assert text.endswith("not in these figures: look")


def test_actions_take_one_folder(tmp_path):
    for action in (status, stop):
        with pytest.raises(ValueError, match="one folder that `neuromf sweep` wrote"):
            action([])
        with pytest.raises(FileNotFoundError, match=r"no study\.json"):
            action([str(tmp_path)])


def test_a_yaml_file_is_a_study(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "steps: {look: [mask-test, masks=m]}\naxes: {look.noise: [0.1, 0.2]}\nseeds: [2]\n"
    )
    config = load(SweepConfig, [str(tmp_path / "s.yaml"), "workers=1"], "sweep")
    assert config.axes == {"look.noise": [0.1, 0.2]}
    done = subprocess.run(
        [sys.executable, "-m", "neuromf.cli", "sweep", str(tmp_path / "s.yaml"), "seeds=[3,3]"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "each once" in done.stderr
