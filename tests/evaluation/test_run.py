"""A run: every set gets the same metrics, and is compared with the same references."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.support import boxes
from features.support import blob
from neuromf.data.volume import Volume, write_mask, write_volume
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.run import evaluate
from neuromf.evaluation.sets import read_set
from neuromf.evaluation.tables import tables
from neuromf.features.extract import FrameError
from neuromf.generation.samples import lesion_path, sample_path


@pytest.fixture
def config(world, kept):
    return EvaluationConfig(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        vae="none",
        bootstrap=10,
        draws=2,
        pairs=4,
        cache=str(kept),
        workers=1,
    )


def test_every_set_has_the_same_metrics(config, world, tmp_path):
    sets = [read_set(str(world / name)) for name in ("same", "bright")]
    found, slices, _ = evaluate(sets, Measurer(config, tmp_path))
    one, other = found.sets["same"], found.sets["bright"]
    assert [s.key for s in one.scores] == [s.key for s in other.scores]
    assert one.score("random-3d/fid").value < other.score("random-3d/fid").value
    assert one.score("nothing") is None
    assert found.title == "2 sets of 12 volumes"
    assert len([name for name in slices if name.startswith("volumes/")]) == 3 * 6
    assert found.reconstruction is None
    assert any("no VAE is named" in note for note in found.notes)
    assert any("train= names no training data" in note for note in found.notes)


def test_what_an_earlier_start_rejected_is_forgotten(config, world, tmp_path):
    """The file was repaired before --resume: nothing is rejected now."""
    (tmp_path / "rejected.csv").write_text("set,path,reason\n")
    found, *_ = evaluate([read_set(str(world / "same"))], Measurer(config, tmp_path))
    assert found.rejected == ()
    assert not (tmp_path / "rejected.csv").exists()


def test_a_second_real_set_is_the_bound(config, world, tmp_path):
    config = replace(config, real=str(world / "others"))
    found, *_ = evaluate([read_set(str(world / "same"))], Measurer(config, tmp_path))
    beside = found.sets["same"].score("random-3d/kid").beside
    assert (beside["real"].n, beside["real"].reference) == (12, 10)
    assert (beside["samples"].n, beside["samples"].reference) == (12, 10)
    assert found.title == "same: 12 volumes"


def write_pairs(folder, seeds, generated=False, shift=0.0):
    """Write volumes with lesion masks, as `prepare` or as `generate` names them."""
    for index, seed in enumerate(seeds):
        volume, mask = blob(seed), boxes(1, seed, (32, 36, 32))[0]
        volume.voxels[mask] = 0.9
        image, lesion = folder / f"v{seed}.nii.gz", folder / f"v{seed}_lesion.nii.gz"
        if generated:
            image, lesion = sample_path(folder, index, "T1w"), lesion_path(folder, index)
        image.parent.mkdir(parents=True, exist_ok=True)
        write_volume(image, volume)
        affine = volume.affine.copy()
        affine[0, 3] += shift
        write_mask(lesion, Volume(mask.astype(np.float32), affine))
    return str(folder)


def test_pairs_have_metrics_of_lesions(config, tmp_path):
    reference = write_pairs(tmp_path / "real", range(6))
    samples = write_pairs(tmp_path / "samples", range(6), generated=True)
    config = replace(config, reference=reference, train=reference, force=True)
    found, *_ = evaluate([read_set(samples)], Measurer(config, tmp_path))
    score = found.sets["samples"].score
    assert score("lesions/ml/wasserstein").value == score("lesions/intensity.inside").value == 0
    assert score("lesions/dice").value == score("lesions/training/copies").value == 1
    assert score("lesions/dice").beside["real"].mean < 1
    assert "Lesions" in [t.label for t in tables(found)]


def test_the_images_of_pairs_are_evaluated_as_without_masks(config, tmp_path):
    """To the last digit; that samples alone have masks is noted."""
    reference = write_pairs(tmp_path / "real", range(6))
    samples = write_pairs(tmp_path / "samples", range(20, 26), generated=True)
    config = replace(config, reference=reference)
    pairs, *_ = evaluate([read_set(samples)], Measurer(config, tmp_path))
    for path in (tmp_path / "real").glob("*_lesion.nii.gz"):
        path.unlink()
    plain, *_ = evaluate([read_set(samples)], Measurer(config, tmp_path))
    scores, alone = pairs.sets["samples"].scores, plain.sets["samples"].scores
    # as text, in which NaN is equal to itself
    assert repr(alone) == repr(tuple(s for s in scores if not s.key.startswith("lesions/")))
    assert len(scores) > len(alone)
    assert "samples has 6, real has 0" in " ".join(plain.notes)
    assert "lesion" not in " ".join(pairs.notes)


def test_a_mask_on_another_grid_is_refused(config, tmp_path):
    reference = write_pairs(tmp_path / "real", range(4))
    samples = write_pairs(tmp_path / "samples", range(4), generated=True, shift=6.0)
    measurer = Measurer(replace(config, reference=reference), tmp_path)
    with pytest.raises(FrameError, match="has to be on the grid of its image"):
        evaluate([read_set(samples)], measurer)
