"""Arms that train in a second, for the study's tests."""

from dataclasses import replace

from neuromf.flow import MeanFlow
from neuromf.nets import UNetConfig
from neuromf.torus import Arm

TINY_NET = UNetConfig(
    channels=(16, 32),
    attention=(False, True),
    attention_head_channels=(0, 16),
    res_blocks=1,
    norm_groups=4,
)
SHORT = Arm(epochs=12, steps=10, width=64, batch=256, samples=500)
TINY = replace(SHORT, epochs=2, steps=5, width=32, batch=64, samples=100)
TINY_D16 = replace(
    TINY, space="dimensions", dimensions=16, objective=MeanFlow(predict="u", jvp="two-stream")
)
TINY_VOLUME = replace(
    TINY, space="volume", size=4, net=TINY_NET, epochs=2, steps=2, batch=4, samples=3
)
TINY_BLOBS = replace(
    TINY, space="blobs", size=8, batch=8, steps=2, samples=20,
    objective=MeanFlow(jvp="two-stream"),
)  # fmt: skip
