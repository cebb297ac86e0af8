"""The settings slurm.*: what is refused, and the options of sbatch that they become."""

import sys

import pytest

from neuromf.runtime.cluster import Launch
from neuromf.runtime.config import ConfigError, load
from neuromf.runtime.slurm import FIXED, OWN, Slurm


def test_settings_become_options_of_sbatch():
    slurm = Slurm("gpu", "lab", qos="long", constraint="a100|h100")
    assert slurm.options(2) == {
        "partition": "gpu",
        "account": "lab",
        "qos": "long",
        "constraint": "a100|h100",
        "gpus-per-node": 2,
    }


def test_what_is_not_asked_for_is_left_to_the_cluster():
    assert Slurm(gpus=False).options(4) == {}


def test_gres_takes_the_place_of_gpus():
    assert Slurm(gres="gpu:a100:4").options(4) == {"gres": "gpu:a100:4"}


def test_further_options_have_a_value_or_none():
    slurm = Slurm(extra=("--mail-type=END", "--exclusive", "--comment=two words"))
    assert slurm.further() == {
        "mail-type": "END",
        "exclusive": True,
        "comment": "two words",
    }


@pytest.mark.parametrize(
    "option", ["mail-type=END", "-n 4", "--mail-type END", "--mail-type=", "--a=b\n#SBATCH --c", ""]
)
def test_what_is_no_option_is_refused(option):
    with pytest.raises(ValueError, match="--name=value"):
        Slurm(extra=(option,))


@pytest.mark.parametrize("name", OWN)
def test_an_option_with_a_key_of_its_own_is_refused(name):
    with pytest.raises(ValueError, match="the key for it is"):
        Slurm(extra=(f"--{name}=1",))


@pytest.mark.parametrize("name", FIXED)
def test_an_option_that_resuming_relies_on_is_refused(name):
    with pytest.raises(ValueError, match="needs its own"):
        Slurm(extra=(f"--{name}",))


def test_a_job_that_would_be_warned_as_it_starts_is_refused():
    """It would queue itself again for ever."""
    with pytest.raises(ValueError, match="warned up to 240 s"):
        Slurm(hours=4 / 60)
    assert Slurm(hours=5 / 60).minutes == 5
    assert Slurm(hours=2 / 60, warning_seconds=30).minutes == 2


def test_numbers_that_make_no_job_are_refused():
    for wrong in (
        {"hours": 0}, {"hours": float("inf")}, {"hours": float("nan")}, {"memory_gb": 0},
        {"cpus": 0}, {"warning_seconds": 0},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="above 0"):
            Slurm(**wrong)


def test_a_container_brings_its_python():
    assert Slurm().python() == sys.executable
    assert Slurm(container="my image.sif").python() == "apptainer exec --nv 'my image.sif' python3"
    assert Slurm(container="a.sif", gpus=False).python() == "apptainer exec a.sif python3"
    assert (
        Slurm(container="a.sif", gpus=False, gres="gpu:2")
        .python()
        .startswith("apptainer exec --nv")
    )


def test_the_command_line_takes_lists_and_lines():
    words = [
        "launch=slurm",
        "slurm.extra=[--mail-type=END,--exclusive]",
        "slurm.setup=module load a\nmodule load b",
        "slurm.gres=gpu:a100:4",
        "slurm.constraint=a100|h100",
    ]
    slurm = load(Launch, words, "train").slurm
    assert slurm.extra == ("--mail-type=END", "--exclusive")
    assert slurm.setup.splitlines() == ["module load a", "module load b"]
    assert slurm.gres == "gpu:a100:4"
    assert slurm.constraint == "a100|h100"
    with pytest.raises(ConfigError, match="the key for it is slurm.hours"):
        load(Launch, ["slurm.extra=[--time=5]"], "train")
