"""The wheel, installed where there is no checkout, is the whole package (make wheel-test)."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = {
    **{"network.channels": "[16,32]", "network.attention": "[false,true]"},
    **{"network.attention_head_channels": "[0,16]", "network.res_blocks": "1"},
    **{"network.norm_groups": "4", "diagnostics.every": "0", "evaluation.every": "0"},
}
DEMO = (
    *("brains=1", "phantoms=20", "updates=2", "batch=1", "samples=1"),
    f"training={json.dumps(SMALL)}",
)
pytestmark = [pytest.mark.wheel, pytest.mark.timeout(1200)]


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """One of the files as they are now."""
    folder = tmp_path_factory.mktemp("dist")
    output(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT)
    return next(folder.glob("neuromf-*.whl"))


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    tracked = output("git", "ls-files", "src/neuromf", cwd=ROOT).split()
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert packed == {name.removeprefix("src/") for name in tracked}


def test_the_demo_runs_without_the_checkout(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel)
    output(*pip)
    environment = os.environ | {"PYTHONPATH": str(site)}  # before what is installed for editing
    where = output(
        sys.executable,
        *("-c", "import neuromf; print(neuromf.__file__)"),
        cwd=elsewhere,
        env=environment,
    )
    assert Path(where.strip()).is_relative_to(site)

    command = (sys.executable, "-m", "neuromf.cli", "demo", *DEMO, "out=demo")
    output(*command, cwd=elsewhere, env=environment)
    assert (elsewhere / "demo" / "index.html").is_file()
    assert '"git"' not in (elsewhere / "demo" / "run.json").read_text(encoding="utf-8")
