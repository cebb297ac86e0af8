"""Numbers as sinusoids of them, which a network can tell apart."""

import math

import torch
from torch import Tensor


def sinusoids(values: Tensor, features: int, lowest: float, highest: float) -> Tensor:
    """Return [cos(f x), sin(f x)] (B, features) for x (B,), with frequencies f, in radians per
    unit of x, falling geometrically from highest to lowest; float32 or wider.
    """
    f = torch.exp(
        torch.linspace(
            math.log(highest),
            math.log(lowest),
            features // 2,
            device=values.device,
            dtype=torch.float32,
        )
    )
    angles = values.unsqueeze(1) * f.to(torch.promote_types(values.dtype, torch.float32))
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
