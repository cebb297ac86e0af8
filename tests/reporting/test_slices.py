import numpy as np
from PIL import Image

from neuromf.reporting.slices import PER_SHEET, contact_sheets, grey, sheet, slices


def test_slices_show_up_as_up_and_left_as_left():
    volume = np.zeros((20, 24, 16), np.float32)
    volume[10:, 12, 8] = 1  # right of the person
    volume[10, 12:, 8] = 1  # in front
    volume[10, 12, 8:] = 1  # above
    picture = slices(volume)
    assert picture.shape == (24, 24 + 20 + 20)
    sagittal, coronal, axial = picture[:, :24], picture[:, 24:44], picture[:, 44:]
    assert sagittal[: sagittal.shape[0] // 2 - 4].any()  # the line upwards
    assert not sagittal[-8:].any()
    assert sagittal[:, 18:].any()
    assert not sagittal[:, :6].any()  # forwards is right
    assert coronal[:, 15:].any()
    assert not coronal[:, :5].any()  # the person's right is at the right
    assert axial[:8].any()
    assert not axial[-8:].any()  # forwards is up


def test_grey_clips():
    np.testing.assert_array_equal(
        grey(np.array([[-1, 0, 0.5, 1, 9, np.nan]])), [[0, 0, 128, 255, 255, 0]]
    )


def test_sheets(tmp_path):
    pictures = [np.full((10, 20), i, np.uint8) for i in range(PER_SHEET + 2)]
    paths = contact_sheets(tmp_path, pictures, [f"ü{i}" for i in range(PER_SHEET + 2)])
    assert [p.name for p in paths] == ["contact.png", "contact-2.png"]
    with Image.open(paths[0]) as image:
        assert image.width == 3 * 24
    assert sheet(pictures[:1], ["a"]).width == 24
