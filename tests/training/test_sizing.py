import pytest

from neuromf.nets import DualTimeUNet
from neuromf.training.memory import memory_gb
from neuromf.training.sizing import HEADROOM, Proposal, Sizing, propose
from support import TINY
from training.support import tiny_config

SHAPE = (4, 16, 16, 16)
# 2 GB whatever the batch, 4 GB or 1 GB for each latent
PLAIN, CHECKPOINTED = Sizing(False, 2.0, 4.0), Sizing(True, 2.0, 1.0)


def test_it_is_the_estimate_of_the_preflight():
    config = tiny_config("latents", batch=3)
    network = DualTimeUNet(TINY)
    parameters = sum(p.numel() for p in network.parameters())
    sizing = Sizing.of(parameters, config, SHAPE, checkpointing=TINY.checkpointing)
    assert sizing.needs(3) == pytest.approx(memory_gb(network, config, SHAPE), rel=1e-6)
    less = Sizing.of(parameters, config, SHAPE, checkpointing=True)
    assert less.each_gb < sizing.each_gb


@pytest.mark.parametrize("memory", [5.0, 10.0, 24.0, 80.0])
def test_the_largest_batch_fits_and_one_more_does_not(memory):
    for sizing in (PLAIN, CHECKPOINTED):
        most = sizing.largest(memory)
        assert most == 0 or sizing.needs(most) <= HEADROOM * memory
        assert sizing.needs(most + 1) > HEADROOM * memory


def test_a_sample_that_is_decoded_takes_its_share():
    decoding = Sizing(False, 2.0, 4.0, decoding_gb=10.0)
    assert decoding.needs(1) == 12.0
    assert decoding.needs(3) == 14.0
    assert decoding.largest(13.0) == 0


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (100.0, Proposal(16, 1, checkpointing=False)),
        (40.0, Proposal(8, 2, checkpointing=False)),
        (12.0, Proposal(2, 8, checkpointing=False)),
        (10.0, Proposal(4, 4, checkpointing=True)),  # rather than one latent without it
        (4.0, Proposal(1, 16, checkpointing=True)),
        (3.0, None),
    ],
)
def test_the_latents_of_an_update_stay_and_checkpointing_is_taken_where_it_must_be(
    memory, expected
):
    assert propose([PLAIN, CHECKPOINTED], 16, memory) == expected


def test_a_prime_number_of_latents_is_taken_whole_or_one_by_one():
    assert propose([PLAIN, CHECKPOINTED], 7, 12.0).words == (
        "batch=7 accumulate=1 network.checkpointing=true"
    )
