import sys

import numpy as np
import pytest

from neuromf.data.skullstrip import StripConfig, find_brain
from neuromf.data.volume import Volume, VolumeError
from neuromf.pretrained.statedict import WeightsError
from support import egg, head, placed, save_nifti

STAND_IN = """#!{python}
import sys, nibabel as nib, numpy as np
arguments = sys.argv[1:]
scan = nib.load(arguments[arguments.index("-i") + 1])
mask = nib.Nifti1Image((scan.get_fdata() > 250).astype(np.uint8), scan.affine)
{body}
print("a word on stderr", file=sys.stderr)
"""


def program(tmp_path, name, body):
    path = tmp_path / name
    path.write_text(STAND_IN.format(python=sys.executable, body=body))
    path.chmod(0o755)
    return str(path)


def test_auto_keeps_a_stripped_brain():
    source = egg(placed())
    kept, brain, record = find_brain(source, StripConfig())
    np.testing.assert_array_equal(kept, source.voxels > 0)
    assert (brain == kept).mean() > 0.999
    assert record == {"method": "none", "stripped_already": True}


def test_none_leaves_a_head_as_it_is():
    kept, brain, record = find_brain(head(), StripConfig(method="none"))
    assert kept is None
    assert brain.any()
    assert record["stripped_already"] is False


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("synthstrip", 'nib.save(mask, arguments[arguments.index("-m") + 1])'),
        (
            "hd-bet",
            'nib.save(mask, arguments[arguments.index("-o") + 1].replace(".nii.gz", "_bet.nii.gz"))',
        ),
    ],
)
def test_external_programs(tmp_path, method, body):
    source = egg(placed(degrees=10))
    mask, _, record = find_brain(
        source, StripConfig(method=method, program=program(tmp_path, "tool with space", body))
    )
    np.testing.assert_array_equal(mask, source.voxels > 250)
    assert record["stderr"] == "a word on stderr"


def test_a_program_that_fails_is_quoted(tmp_path):
    tool = program(tmp_path, "bad", 'sys.exit("no licence")')
    with pytest.raises(VolumeError, match="status 1 and no mask: no licence"):
        find_brain(egg(placed()), StripConfig(method="synthstrip", program=tool))


def test_a_program_that_hangs_is_stopped(tmp_path):
    tool = program(tmp_path, "slow", "import time; time.sleep(60)")
    with pytest.raises(VolumeError, match=r"longer than preprocessing.strip.timeout=1 s"):
        find_brain(egg(placed()), StripConfig(method="hd-bet", program=tool, timeout=1.0))


def test_a_missing_program_names_the_options():
    with pytest.raises(
        VolumeError, match=r"strip.program=/path/to/it, or take preprocessing.strip.method=template"
    ):
        find_brain(egg(placed()), StripConfig(method="synthstrip", program="/no/such/tool"))


def test_masks(tmp_path):
    source = egg(placed())
    path = save_nifti(
        tmp_path / "m.nii.gz", Volume((source.voxels > 250).astype(np.float32), source.affine)
    )
    for method in ("mask", "auto"):
        mask, _, record = find_brain(source, StripConfig(method=method), str(path))
        np.testing.assert_array_equal(mask, source.voxels > 250)
        assert record["method"] == "mask"
    with pytest.raises(VolumeError, match="give a `mask` column"):
        find_brain(source, StripConfig(method="mask"))
    elsewhere = placed()
    elsewhere[:3, 3] += 900
    far = save_nifti(
        tmp_path / "far.nii.gz", Volume((source.voxels > 250).astype(np.float32), elsewhere)
    )
    with pytest.raises(VolumeError, match="left a brain of 0 ml"):
        find_brain(source, StripConfig(method="mask"), str(far))


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_time_limit_is_a_time(value):
    with pytest.raises(ValueError, match="timeout is"):
        StripConfig(timeout=value)


def test_weights_are_for_the_network_alone(tmp_path):
    with pytest.raises(ValueError, match="no other method takes any"):
        StripConfig(method="template", weights=str(tmp_path))
    with pytest.raises(ValueError, match="needs weights="):
        StripConfig(method="network")
    with pytest.raises(WeightsError, match=r"holds no config\.json"):
        StripConfig(method="network", weights=str(tmp_path)).check()
