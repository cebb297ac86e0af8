"""The adapter to mri_synthseg, with a stand-in that writes the same tables."""

import stat
import sys

import pytest

from features.support import write_set
from neuromf.segmentation.synthseg import (
    Parcellation,
    SynthSegConfig,
    SynthSegError,
    both_sides,
    synthseg,
)

STAND_IN = """#!{python}
import sys, pathlib, csv
a = sys.argv[1:]
at = lambda k: a[a.index(k) + 1]
pathlib.Path({log!r}).write_text(" ".join(a))
if {fail}:
    sys.exit("out of memory")
names = sorted(p.name.removesuffix(".nii.gz") for p in pathlib.Path(at("--i")).iterdir())[{skip}:]
with open(at("--vol"), "w", newline="") as f:
    w = csv.writer(f)
    w.writerow(["subject", "total intracranial", "left hippocampus", "right hippocampus", "left lateral ventricle", "3rd ventricle"])
    for i, n in enumerate(names):
        w.writerow([n, 1500000.0, 4000 + i, 4100, 9000, 1000])
with open(at("--qc"), "w", newline="") as f:
    w = csv.writer(f)
    w.writerow(["subject", "general white matter", "hippocampus+amygdala"])
    for i, n in enumerate(names):
        w.writerow([n, 0.9, 0.9 if i else 0.5])
"""


def program(tmp_path, fail=False, skip=0):
    path = tmp_path / "mri_synthseg"
    log = str(tmp_path / "called.txt")
    path.write_text(STAND_IN.format(python=sys.executable, log=log, fail=fail, skip=skip))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_sizes_come_in_order(tmp_path):
    files = sorted(write_set(tmp_path / "set", range(3)).glob("*.nii.gz"))
    config = SynthSegConfig(program(tmp_path), ("--robust", "--parc"))
    found = synthseg(files[::-1], tmp_path / "out", config)
    assert [p.ml["hippocampus"] for p in found] == pytest.approx([8.1, 8.101, 8.102])
    assert found[0].ml["ventricles"] == pytest.approx(10)
    assert found[0].ml["total intracranial"] == 1500
    assert [p.passed for p in found] == [False, True, True]
    called = (tmp_path / "called.txt").read_text()
    assert "--cpu" in called
    assert "--threads 2" in called
    assert called.endswith("--robust --parc")


def test_a_program_may_say_what_is_no_utf_8(tmp_path):
    files = sorted(write_set(tmp_path / "set", range(2)).glob("*.nii.gz"))
    tool = program(tmp_path)
    with open(tool, "a") as stream:
        stream.write('sys.stdout.buffer.write(b"f\\xfcr")\n')
    assert len(synthseg(files, tmp_path / "out", SynthSegConfig(tool))) == 2


def test_failures_are_told(tmp_path):
    files = sorted(write_set(tmp_path / "set", range(2)).glob("*.nii.gz"))
    with pytest.raises(SynthSegError, match="status 1: out of memory"):
        synthseg(files, tmp_path / "out", SynthSegConfig(program(tmp_path, fail=True)))
    with pytest.raises(SynthSegError, match="left out 1 of 2 volumes"):
        synthseg(files, tmp_path / "out", SynthSegConfig(program(tmp_path, skip=1)))
    with pytest.raises(
        SynthSegError, match="not to be found: install FreeSurfer.*morphology=tissue"
    ):
        SynthSegConfig("/nowhere/mri_synthseg").found()


def test_sides_and_parcels_are_added_up():
    found = both_sides(
        {
            "left cerebral cortex": 2000,
            "right cerebral cortex": 3000,
            "ctx-lh-cuneus": 10,
            "ctx-rh-cuneus": 20,
        }
    )
    assert found == pytest.approx({"cerebral cortex": 5, "cuneus": 0.03})
    assert Parcellation({}, {}).passed
