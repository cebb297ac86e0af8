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


def test_a_program_may_say_what_is_no_utf_8(tmp_path):
    body = 'sys.stderr.buffer.write(b"f\\xfcr"); sys.exit(1)'
    tool = program(tmp_path, "latin", body)
    with pytest.raises(VolumeError, match="status 1 and no mask: f\ufffdr"):
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


def mask_file(path, grid):
    """The mask of the egg on a grid, whatever that grid's place is."""
    return str(save_nifti(path, Volume((grid.voxels > 250).astype(np.float32), grid.affine)))


def moved(volume, mm, axis=1):
    affine = volume.affine.copy()
    affine[axis, 3] += mm
    return Volume(volume.voxels, affine)


@pytest.mark.parametrize("mm", [50, 900])
def test_a_mask_of_another_space_is_refused(tmp_path, mm):
    source = egg(placed())
    path = mask_file(tmp_path / "m.nii.gz", moved(source, mm))
    for method in ("mask", "auto"):
        with pytest.raises(VolumeError, match="m.nii.gz: .* of another subject or space"):
            find_brain(source, StripConfig(method=method), path)


def test_a_mask_that_is_larger_than_a_brain_is_refused(tmp_path):
    source = egg(placed(), margin_mm=40)
    almost_all = source.voxels * 0 + 1
    almost_all[0] = 0
    path = save_nifti(tmp_path / "m.nii.gz", Volume(almost_all, source.affine))
    with pytest.raises(VolumeError, match="3000 ml at most is expected: is it the mask of a head"):
        find_brain(source, StripConfig(method="mask"), str(path))


def cut(volume, *ends):
    """The same volume with fewer voxels at the ends of its axes."""
    affine = volume.affine.copy()
    affine[:3, 3] = (affine @ [*(low for low, _ in ends), 1])[:3]
    inner = tuple(
        slice(low, n - high) for (low, high), n in zip(ends, volume.voxels.shape, strict=True)
    )
    return Volume(np.ascontiguousarray(volume.voxels[inner]), affine)


@pytest.mark.parametrize(
    ("scan", "mask"),
    [
        (egg(placed()), egg(placed(), margin_mm=40)),
        (egg(placed()), cut(egg(placed()), (6, 6), (6, 6), (6, 6))),  # its bounding box, about
        (egg(placed(spacing=(1.5, 1.5, 6.0))), egg(placed())),
        (egg(placed()), egg(placed(spacing=(1.5, 1.5, 6.0)))),
        (egg(placed()), egg(placed(spacing=(3, 2, 2), degrees=12, flips=(-1, 1, 1)))),
        (cut(egg(placed()), (0, 0), (0, 0), (9, 0)), egg(placed())),  # slices that begin late
        (moved(egg(placed()), 6), egg(placed())),  # the head moved a little between two scans
    ],
    ids=["larger", "smaller", "thick scan", "thick mask", "turned", "cut scan", "moved"],
)
def test_ordinary_masks_are_taken(tmp_path, scan, mask):
    path = mask_file(tmp_path / "m.nii.gz", mask)
    found, _, record = find_brain(scan, StripConfig(), path)
    assert "notes" not in record
    assert record["brain_ml"] == pytest.approx((scan.voxels > 250).sum() * scan.voxel_ml, rel=0.06)
    assert (found & (scan.voxels > 0)).sum() > 0.93 * found.sum()


def test_a_mask_that_reaches_out_of_the_scan_is_noted(tmp_path):
    scan, whole = cut(egg(placed()), (0, 0), (0, 0), (16, 0)), egg(placed())
    _, _, record = find_brain(scan, StripConfig(), mask_file(tmp_path / "m.nii.gz", whole))
    (note,) = record["notes"]
    assert "% of the brain mask lies outside the scan's field of view" in note


def test_a_mask_in_the_air_is_noted(tmp_path):
    """There is room for it in the scan, so that it may be a mask of the scan."""
    scan = egg(placed(), margin_mm=70)
    path = mask_file(tmp_path / "m.nii.gz", moved(egg(placed()), 50))
    (note,) = find_brain(scan, StripConfig(), path)[2]["notes"]
    assert "% of the brain mask lies in its background: is it the mask of this scan?" in note


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
