import pytest
import torch

from neuromf.flow import sample
from neuromf.flow.rflow import rflow_steps


def scheduler(steps, size):
    """MONAI's, as the published configuration sets it."""
    from monai.networks.schedulers import RFlowScheduler

    made = RFlowScheduler(
        num_train_timesteps=1000,
        use_discrete_timesteps=False,
        use_timestep_transform=True,
        sample_method="uniform",
        scale=1.4,
    )
    made.set_timesteps(steps, input_img_size_numel=torch.prod(torch.tensor(size)))
    return made


@pytest.mark.parametrize("steps", [1, 2, 7, 30, 50])
@pytest.mark.parametrize("size", [(8, 8, 8), (20, 24, 20), (32, 32, 32), (48, 48, 48), (64,) * 3])
def test_times_are_those_of_monai(steps, size):
    own, theirs = rflow_steps(steps, size[0] * size[1] * size[2]), scheduler(steps, size).timesteps
    assert [1000 * t for t, _ in own] == pytest.approx(theirs.tolist(), abs=1e-9)


def test_steps_overlap_as_they_do_in_monai():
    steps = rflow_steps(30, 48**3)
    assert sum(t - r for t, r in steps) == pytest.approx(1.0103125, abs=1e-9)
    assert [r for _, r in steps[-2:]] == pytest.approx([0.049, 0.0])


@pytest.mark.parametrize("steps", [1, 3, 30])
def test_sampling_is_that_of_monai(steps):
    """Of a velocity that depends on z and t; theirs is image - noise, ours noise - image."""
    noise = torch.randn(2, 4, 6, 4, 8, generator=torch.Generator().manual_seed(0))

    def velocity(z, t, r):
        return (z * (1 + t.view(-1, 1, 1, 1, 1)).sin()).tanh()

    theirs, z = scheduler(steps, noise.shape[2:]), noise
    following = torch.cat([theirs.timesteps[1:], torch.zeros(1, dtype=torch.float16)])
    for t, after in zip(theirs.timesteps, following, strict=True):
        time = torch.tensor([float(t) / 1000]).expand(2)
        z, _ = theirs.step(-velocity(z, time, time), t, z, after)

    own = sample(velocity, noise, steps, solver="rflow")
    torch.testing.assert_close(own, z, rtol=0, atol=2e-6)


def test_its_times_are_its_own():
    with pytest.raises(ValueError, match="has times of its own"):
        sample(lambda z, t, r: z, torch.zeros(1, 1, 2, 2, 2), 2, solver="rflow",
               times=torch.tensor([1.0, 0.5, 0.0]))  # fmt: skip
