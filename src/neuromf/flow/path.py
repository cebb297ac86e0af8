"""The straight path between data (t = 0) and noise (t = 1), and the two ways to write a
velocity on it.

Throughout: z_t = (1 - t) x + t noise, v_c = noise - x, r <= t, h = t - r >= 0 (MeanFlow, arXiv
2505.13447, section 3). Tensors are (B, C, *spatial); a plain vector (B, C) is the case without
spatial axes. Times are (B,), in [0, 1].
"""

from typing import Literal

from torch import Tensor

# what a network returns: the data estimate x̂, or the average velocity u
Prediction = Literal["x", "u"]


def per_sample(t: Tensor, like: Tensor) -> Tensor:
    """Return times t (B,) as (B, 1, ..., 1), to broadcast over `like` (B, C, *spatial)."""
    return t.reshape(-1, *[1] * (like.ndim - 1))


def point_on_path(x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Return z_t = (1 - t) x + t noise, shape of x (B, C, *spatial)."""
    t = per_sample(t, like=x)
    return (1 - t) * x + t * noise


def path_velocity(x: Tensor, noise: Tensor) -> Tensor:
    """Return the conditional velocity v_c = dz/dt = noise - x, shape of x;
    it points from data to noise.
    """
    return noise - x


def to_velocity(prediction: Tensor, z: Tensor, t: Tensor, predict: Prediction) -> Tensor:
    """Return u (B, C, *spatial) from what the network predicts; for x̂ this is u = (z -
    x̂) / t, t > 0.
    """
    return prediction if predict == "u" else (z - prediction) / per_sample(t, like=z)


def to_data(prediction: Tensor, z: Tensor, t: Tensor, predict: Prediction) -> Tensor:
    """Return x̂ (B, C, *spatial) from what the network predicts; for u this is x̂ = z - t u."""
    return prediction if predict == "x" else z - per_sample(t, like=z) * prediction


def step(z: Tensor, prediction: Tensor, t: Tensor, r: Tensor, predict: Prediction) -> Tensor:
    """Return z_r from z_t: z - (t - r) u, which in x̂ is (r/t) z + (1 - r/t)
    x̂; at r = 0 that is x̂ itself.
    """
    t, r = per_sample(t, like=z), per_sample(r, like=z)
    if predict == "u":
        return z - (t - r) * prediction
    return (r / t) * z + (1 - r / t) * prediction
