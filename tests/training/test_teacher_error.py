"""The error to a teacher: 0 for its own samples, 1 for the mean, by band, of as many as there are of both."""

import pytest
import torch

from neuromf.training.teacher_error import TeacherError, teacher_samples
from training.support import tiny_config

SHAPE = (2, 16, 16, 16)


@pytest.fixture
def reference():
    return 3 + torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_the_teachers_own_samples_are_right(reference):
    teacher = TeacherError(reference, torch.full(SHAPE, 3.0))
    row = teacher.row(reference)
    assert list(row) == ["error", *(f"error_{i}" for i in range(1, 9))]
    assert set(row.values()) == {0.0}
    nothing = teacher.row(torch.full((4, *SHAPE), 3.0))
    assert list(nothing.values()) == pytest.approx([1] * 9, rel=1e-5)


def test_samples_are_matched_by_their_noise(reference):
    teacher = TeacherError(reference, torch.full(SHAPE, 3.0))
    assert teacher.row(reference.flip(0))["error"] > 1
    more = torch.cat([reference, 100 + reference])
    assert teacher.row(more)["error"] == 0  # of noises that the teacher drew nothing from
    assert teacher.row(reference[:2])["error"] == 0


class Straight:
    """A teacher whose every path ends at noise / 2."""

    sha256 = "a" * 64

    def __init__(self):
        self.asked = []

    def trajectory(self, noise, steps, condition=None):
        self.asked.append((len(noise), steps))
        return torch.stack([noise, noise / 2])


def test_a_teachers_samples_are_drawn_once_and_kept(tmp_path):
    noise = torch.randn(20, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    config, teacher = tiny_config("x", batch=5, latent_scale=0.5), Straight()
    found = teacher_samples(teacher, noise, config, tmp_path / "evaluation")
    torch.testing.assert_close(found, noise[:16])  # halved, and normalised again
    assert teacher.asked == [(5, 32), (5, 32), (5, 32), (1, 32)]
    again = teacher_samples(teacher, noise, config, tmp_path / "evaluation")
    assert torch.equal(again, found)
    assert len(teacher.asked) == 4
    other = Straight()
    other.sha256 = "b" * 64
    teacher_samples(other, noise, config, tmp_path / "evaluation")
    assert len(other.asked) == 4


def test_refused(reference):
    with pytest.raises(ValueError, match="one or more, and their mean"):
        TeacherError(reference[:0], reference[0])
    with pytest.raises(ValueError, match="one or more, and their mean"):
        TeacherError(reference, reference)
