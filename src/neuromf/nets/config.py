"""Sizes of the networks, apart from them: reading a configuration builds nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from neuromf.runtime.fields import key

TIMES = {"t_h": ("t", "h"), "dual": ("t", "r"), "h": ("h",)}


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of a DualTimeUNet; the defaults are the `brain` preset (178 M parameters),
    SMALL is the other.
    """

    latent_channels: int = 4
    # one number per level; each level halves the size of the one before
    channels: tuple[int, ...] = (64, 128, 256, 512)
    attention: tuple[bool, ...] = (False, False, True, True)  # on which levels
    # channels of one attention head, per level
    attention_head_channels: tuple[int, ...] = key((0, 0, 32, 32), formerly="head_channels")
    res_blocks: int = 2  # residual blocks per level
    norm_groups: int = 32
    conditioning: Literal["t_h", "dual", "h"] = "t_h"  # times embedded: t, t - r; t, r; t - r alone
    lowest_frequency: float = 1e-2  # of the sinusoids on times in [0, 1], radians per unit of time
    highest_frequency: float = 2 * math.pi
    # residual blocks of the v head; 0 is no head
    v_head_blocks: int = key(0, formerly="head_blocks")
    checkpointing: bool = False  # recompute activations in backward: less memory, a third more time
    fused_attention: bool = False  # PyTorch's fused attention, but not for derivatives

    def __post_init__(self) -> None:
        if self.conditioning not in TIMES:
            raise ValueError(
                f"conditioning is {self.conditioning!r}: one of {', '.join(map(repr, TIMES))}"
            )

        levels = {len(self.channels), len(self.attention), len(self.attention_head_channels)}
        if len(levels) > 1 or levels == {0}:
            raise ValueError(
                f"channels, attention and attention_head_channels have {len(self.channels)}, "
                f"{len(self.attention)} and {len(self.attention_head_channels)} "
                "values: one per level is needed in each"
            )
        if self.norm_groups < 1:
            raise ValueError(f"norm_groups is {self.norm_groups}: 1 or more")
        if any(c < 1 or c % self.norm_groups or c % 2 for c in self.channels):
            raise ValueError(
                f"channels are {self.channels}: each must be even and a "
                f"multiple of norm_groups = {self.norm_groups}"
            )

        for c, heads, attends in zip(
            self.channels, self.attention_head_channels, self.attention, strict=True
        ):
            if attends and (heads < 1 or c % heads):
                raise ValueError(
                    f"attention_head_channels is {heads} on a level with {c} "
                    "channels and attention: it must divide them"
                )

        last = self.attention_head_channels[-1]
        if last < 1 or self.channels[-1] % last:
            raise ValueError(
                f"attention_head_channels[-1] is {last}: the middle block always attends, so it "
                f"must divide {self.channels[-1]}"
            )
        if not 0 < self.lowest_frequency <= self.highest_frequency:
            raise ValueError(
                f"lowest_frequency {self.lowest_frequency} and highest_frequency "
                f"{self.highest_frequency}: need 0 < lowest <= highest"
            )
        if self.latent_channels < 1 or self.res_blocks < 1 or self.v_head_blocks < 0:
            raise ValueError(
                "latent_channels and res_blocks must be 1 or more, v_head_blocks 0 or more"
            )

    @property
    def divisor(self) -> int:
        """What every spatial size must be divisible by."""
        return int(2 ** (len(self.channels) - 1))


@dataclass(frozen=True)
class Precondition:
    """How the network's output becomes the average velocity.

    `skip` adds what a Gaussian of the data's variance says, `gaussian` the flow of a Gaussian with
    the mean image and the power spectrum of the training latents; then objective.predict is u.
    """

    kind: Literal["none", "skip", "gaussian"] = "none"
    width: float = 1.0  # standard deviation of the skip's Gaussian, over that of the data

    def __post_init__(self) -> None:
        if self.kind not in ("none", "skip", "gaussian"):
            raise ValueError(f"kind is {self.kind!r}: 'none', 'skip' or 'gaussian'")
        if not 0 < self.width < math.inf:
            raise ValueError(f"width is {self.width}: a finite number above 0; 1 is usual")


@dataclass(frozen=True)
class LoRA:
    """Low-rank adapters of a trained network, whose own weights stay as they are."""

    rank: int = 16  # 0 trains every weight of the network instead, unless parameters are given
    alpha: float = 16.0  # the term is alpha / rank times the product of its matrices
    # which layers: q, k and v of the attention, the residual blocks' convolutions, or both
    targets: Literal["attention", "convolutions", "both"] = "attention"
    parameters: int = 0  # with rank=0, the largest rank that needs no more, to compare targets

    def __post_init__(self) -> None:
        if self.targets not in ("attention", "convolutions", "both"):
            raise ValueError(f"targets is {self.targets!r}: 'attention', 'convolutions' or 'both'")
        if self.rank < 0 or self.parameters < 0 or not 0 < self.alpha < math.inf:
            raise ValueError(
                f"rank is {self.rank}, alpha {self.alpha}, parameters {self.parameters}: 0 or "
                "more, above 0, 0 or more"
            )
        if self.rank and self.parameters:
            raise ValueError(
                f"rank is {self.rank} and parameters {self.parameters}: set rank=0 to have the "
                "rank follow from the number of parameters"
            )

    @property
    def adapts(self) -> bool:
        """Whether there are adapters at all."""
        return bool(self.rank or self.parameters)


BRAIN = UNetConfig()


SMALL = UNetConfig(
    channels=(32, 64, 128), attention=(False, False, True), attention_head_channels=(0, 0, 32)
)
