import pytest
import torch
from torch import nn

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import check_masks, load_mask_code

SPACING = (2.0, 2.0, 2.0)
CODES = ("distance", "distance:12", "binary", "partial", "average", "autoencoder")


@pytest.fixture(scope="module")
def vae(vae_folder):
    """A VAE that was never trained."""
    return load_vae(str(vae_folder))


@pytest.fixture(scope="module")
def small():
    """The VAE that ships with the package."""
    return load_vae("small")


def balls(*radii, side=32):
    """Masks (B, 1, side, side, side) of balls, radii in voxels."""
    axis = torch.arange(side) - (side - 1) / 2
    far = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()
    return torch.stack([(far < radius).float() for radius in radii])[:, None]


def dice(a, b):
    return float(2 * (a * b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize("name", CODES)
def test_shapes_names_and_types(vae, name):
    code = load_mask_code(name, vae)
    z = code.encode(balls(5, 9), SPACING)
    assert z.shape == (2, code.channels, 8, 8, 8)
    assert z.dtype == torch.float32
    field = code.decode(z)
    assert field.shape == (2, 1, 32, 32, 32)
    assert field.min() >= 0
    assert field.max() <= 1
    assert code.name == code.space.name == name
    assert code.factor == vae.factor


@pytest.mark.parametrize("name", CODES)
def test_a_mask_has_the_same_latent_whatever_stands_beside_it(vae, name):
    code = load_mask_code(name, vae)
    z = code.encode(balls(4, 0, 7), SPACING)
    alone = torch.cat([code.encode(balls(radius), SPACING) for radius in (4, 0, 7)])
    torch.testing.assert_close(z, alone, rtol=1e-4, atol=1e-5)
    each = torch.cat([code.decode(one[None]) for one in z])
    torch.testing.assert_close(code.decode(z), each, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "least"), [("distance", 0.9), ("binary", 0.85), ("partial", 0.85), ("average", 0.75)]
)
def test_a_ball_comes_back(small, name, least):
    code, mask = load_mask_code(name, small), balls(8)
    found = code.decode(code.encode(mask, SPACING)) >= 0.5
    assert dice(mask, found.float()) > least


@pytest.mark.parametrize(
    ("radius", "least"),  # voxels of 2 mm: 0.06, 0.5, 4 and 29 ml
    [(1.2, 0.9), (2.5, 0.9), (5, 0.95), (9.6, 0.97)],
)
def test_balls_of_every_size_come_back_from_the_autoencoder_that_ships(small, radius, least):
    code = load_mask_code("autoencoder", small)
    mask = balls(radius)
    for shift in range(4):  # wherever they lie in the blocks of a latent
        moved = mask.roll((shift, 3 * shift, -shift), (2, 3, 4))
        found = code.decode(code.encode(moved, SPACING)) >= 0.5
        assert dice(moved, found.float()) > least


def test_an_empty_mask_has_a_constant_latent(small):
    for name in ("autoencoder", "average"):
        assert not load_mask_code(name, small).encode(balls(0), SPACING).any()


@pytest.mark.parametrize("name", CODES)
def test_an_empty_mask_stays_empty(small, name):
    code = load_mask_code(name, small)
    assert code.decode(code.encode(balls(0), SPACING)).max() < 0.5


def test_every_code_has_a_fingerprint_of_its_own(vae, small):
    found = [load_mask_code(name, v).space.sha256 for v in (vae, small) for name in CODES]
    # pooling and the mask autoencoder do not depend on the VAE
    assert len(set(found)) == 2 * len(CODES) - 2
    default, told = (load_mask_code(name, vae).space for name in ("distance", "distance:6"))
    assert default.sha256 == told.sha256


def test_the_code_of_another_vae_is_refused(vae, small):
    code, other = (load_mask_code("distance", v) for v in (vae, small))
    code.check(load_mask_code("distance", vae).space, "store")
    with pytest.raises(ValueError, match="store holds masks coded as distance .*fingerprint"):
        code.check(other.space, "store")
    with pytest.raises(ValueError, match="coded as average .* 1 channels"):
        code.check(load_mask_code("average", vae).space, "store")


def test_a_threshold_moves_to_half(vae):
    mask = balls(6)
    low, high = (load_mask_code(name, vae) for name in ("average:0.3", "average:0.7"))
    z = low.encode(mask, SPACING)
    assert torch.equal(z, high.encode(mask, SPACING))
    assert (low.decode(z) >= 0.5).sum() > (high.decode(z) >= 0.5).sum()
    assert low.space.sha256 == high.space.sha256


def test_an_autoencoder_of_another_factor_is_refused():
    coarse = FrozenVAE(nn.Identity(), "coarse", 4, 8)
    with pytest.raises(ValueError, match="autoencoder has the factor 4, VAE coarse 8"):
        load_mask_code("autoencoder", coarse)


def test_the_folder_of_something_else_is_refused(vae, vae_folder):
    with pytest.raises(ValueError, match="holds a small-vae, mask-autoencoder is needed"):
        load_mask_code(str(vae_folder), vae)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("distances", "distance, distance:MM, binary"),
        ("distance:", "distance, distance:MM, binary"),
        ("distance:six", "a number follows the colon"),
        ("distance:0", "above 0 mm"),
        ("average:1", "between 0 and 1"),
    ],
)
def test_other_names_are_refused(vae, name, message):
    with pytest.raises(ValueError, match=message):
        load_mask_code(name, vae)


@pytest.mark.parametrize(
    ("mask", "spacing", "message"),
    [
        (torch.zeros(1, 2, 8, 8, 8), SPACING, r"\(B, 1, D, H, W\) is needed"),
        (torch.full((1, 1, 8, 8, 8), 0.3), SPACING, "512 voxels of other values .* 0.3"),
        (torch.full((1, 1, 8, 8, 8), torch.nan), SPACING, "such as nan"),
        (torch.zeros(1, 1, 8, 8, 8), (2.0, 0.0, 2.0), "three sizes in mm"),
        (torch.zeros(1, 1, 8, 8, 8), (2.0, 2.0), "three sizes in mm"),
    ],
)
def test_what_is_no_mask_is_refused(mask, spacing, message):
    with pytest.raises(ValueError, match=message):
        check_masks(mask, spacing)


def test_sizes_that_the_factor_does_not_divide_are_refused(vae):
    for name in CODES:
        with pytest.raises(ValueError, match="divisible by 4"):
            load_mask_code(name, vae).encode(torch.zeros(1, 1, 8, 10, 8), SPACING)
