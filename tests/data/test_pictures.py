import numpy as np

from data.support import ball
from neuromf.data.lesion_file import save_lesion
from neuromf.data.pictures import fullest, pair_picture
from neuromf.data.reading import picture
from neuromf.data.volume import Volume, write_volume
from support import AFFINES, egg


def test_the_lesion_is_white_below_the_plain_slices(tmp_path):
    image = egg(AFFINES["straight"])
    image = Volume(np.clip(image.voxels / 2000, 0, 1), image.affine)
    path, lesion = tmp_path / "a.nii.gz", tmp_path / "a_lesion.nii.gz"
    write_volume(path, image)
    mask = ball(image)
    save_lesion(lesion, image, mask)
    drawn = pair_picture(path, lesion)
    above, below = np.split(drawn, 2)
    assert above.max() < 255
    x, y, z = fullest(mask.voxels)
    planes = mask.voxels[x].sum() + mask.voxels[:, y].sum() + mask.voxels[:, :, z].sum()
    assert (below == 255).sum() == planes > 0

    save_lesion(lesion, image, Volume(0 * mask.voxels, mask.affine))
    assert np.array_equal(pair_picture(path, lesion), picture(path))
    lesion.unlink()
    assert np.array_equal(pair_picture(path, lesion), picture(path))
