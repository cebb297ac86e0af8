import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from neuromf.data.scans import find_scans

SCRIPT = Path(__file__).parents[2] / "recipes" / "fomo60k.py"


def call(*words):
    words = [sys.executable, SCRIPT, *words]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_people_of_different_data_sets_are_different_people(tmp_path):
    for place in ("A/sub_1/ses_1", "A/sub_1/ses_2", "B/sub_1/ses_1"):
        folder = tmp_path / "fomo" / place
        folder.mkdir(parents=True)
        for name in ("t1", "flair"):
            image = nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
            nib.save(image, folder / f"{name}.nii.gz")
    (tmp_path / "fomo" / "B" / "participants.tsv").write_text(
        "participant_id\tage\tsex\nsub_1\t44\tF\n"
    )
    done = call(tmp_path / "fomo", tmp_path / "t1.csv")
    assert done.returncode == 0, done.stderr
    assert "3 scans of 2 people" in done.stdout
    found = {
        (s.subject, s.session): (s.dataset, s.age) for s in find_scans([str(tmp_path / "t1.csv")])
    }
    assert found == {
        ("A-sub1", "ses1"): ("A", ""),
        ("A-sub1", "ses2"): ("A", ""),
        ("B-sub1", "ses1"): ("B", "44"),
    }
    assert call(tmp_path / "fomo", tmp_path / "flair.csv", "flair").returncode == 0
    assert {s.contrast for s in find_scans([str(tmp_path / "flair.csv")], "FLAIR")} == {"FLAIR"}
    assert call(tmp_path / "fomo", tmp_path / "flair.csv", "flair").returncode == 1  # it is there
    assert call(tmp_path / "fomo", tmp_path / "swi.csv", "swi").returncode == 1
