import nibabel as nib
import pytest
import torch

from neuromf.data.volume import VolumeError
from neuromf.phantoms.heads import SHAPE, read_labels
from neuromf.training.strip_batches import HELD_OUT, HeadBatches, heads, read_maps
from neuromf.training.strip_config import TrainSkullstripConfig
from phantoms.support import labelled_head


def write_maps(folder, n):
    folder.mkdir()
    labels = labelled_head()
    for k in range(n):
        nib.save(nib.Nifti1Image(labels.voxels, labels.affine), folder / f"map{k}.nii.gz")
    return folder


def test_batches_are_a_function_of_their_number():
    maps = [read_labels(labelled_head())]
    config = TrainSkullstripConfig(batch=2, updates=5)
    (one,), (again,), (next_one,) = (HeadBatches(maps, config)[i] for i in (3, 3, 4))
    assert one.x.shape == one.distance.shape == (2, 1, *SHAPE)
    assert torch.equal(one.x, again.x)
    assert not torch.equal(one.x, next_one.x)
    assert not torch.equal(one.x[0], one.x[1])
    other = heads(maps, HELD_OUT, range(6, 8), config.seed)
    assert not torch.equal(one.x, other.x)


def test_maps_are_split_by_name(tmp_path):
    folder = write_maps(tmp_path / "maps", 3)
    train, held_out = read_maps(TrainSkullstripConfig(labels=str(folder), held_out=2))
    assert (len(train), len(held_out)) == (1, 2)
    with pytest.raises(ValueError, match=r"holds 3 label maps .*, held_out is 3"):
        read_maps(TrainSkullstripConfig(labels=str(folder), held_out=3))
    with pytest.raises(ValueError, match="none: no folder there"):
        read_maps(TrainSkullstripConfig(labels=str(tmp_path / "none")))
    with pytest.raises(ValueError, match="names no folder"):
        read_maps(TrainSkullstripConfig())


def test_a_file_that_is_no_label_map_is_named(tmp_path):
    folder = write_maps(tmp_path / "maps", 2)
    labels = labelled_head()
    nib.save(nib.Nifti1Image(labels.voxels + 0.4, labels.affine), folder / "other.nii.gz")
    with pytest.raises(VolumeError, match=r"other\.nii\.gz: no label map of a head"):
        read_maps(TrainSkullstripConfig(labels=str(folder), held_out=1))
