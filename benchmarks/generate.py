"""Seconds a volume: one network call against the 30 steps of a rectified flow, and 60
with guidance.

`python benchmarks/generate.py small2mm|maisi128 [--volumes N] [--out FILE.json]`. The same UNet
and VAE for all; the steps are those of MONAI's RFlowScheduler as MAISI-v2 uses it. All ways run in
turn within one process and ratios are of medians. Weights are random where none ship (maisi128):
time does not depend on their values.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from monai.networks.schedulers.rectified_flow import RFlowScheduler
from torch import Tensor, nn

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.load import load_vae
from neuromf.data.volume import Volume, centred_affine, write_volume
from neuromf.flow import sample
from neuromf.generation.model import load_model
from neuromf.nets import BRAIN
from neuromf.runtime.device import Precision
from step import hardware, network_with_weights

STEPS = 30
SIZES = {"small2mm": ((4, 20, 24, 20), 2.0), "maisi128": ((4, 32, 32, 32), 1.5)}  # latent, mm


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("size", choices=SIZES)
    arguments.add_argument("--volumes", type=int, default=5)
    arguments.add_argument("--model", default="embedded")
    arguments.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments.add_argument("--out", type=Path)
    chosen = arguments.parse_args()
    network, vae = parts(chosen.size, chosen.model, chosen.precision)
    with torch.autocast("cpu", torch.bfloat16, enabled=chosen.precision == "bfloat16"):
        rows = measure(chosen.size, network, vae, chosen.volumes)
    print(table(rows))
    if chosen.out:
        result = {
            "size": chosen.size,
            "precision": chosen.precision,
            "hardware": hardware(),
            "volumes": chosen.volumes,
        }
        result["seconds"] = rows
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")


def parts(size: str, model: str, precision: Precision) -> tuple[nn.Module, FrozenVAE]:
    if size == "small2mm":
        return load_model(model).network, load_vae("small", precision=precision)
    return network_with_weights(BRAIN).eval().requires_grad_(False), load_vae(
        "maisi-random", precision=precision
    )


@torch.no_grad()
def measure(
    size: str, network: nn.Module, vae: FrozenVAE, volumes: int
) -> dict[str, dict[str, float]]:
    shape, spacing = SIZES[size]
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "one call": lambda noise: sample(network, noise, 1, predict="x"),
        f"{STEPS} steps": lambda noise: rectified_flow(network, noise, 1),
        f"{STEPS} steps, guidance ({2 * STEPS} calls)": lambda noise: rectified_flow(
            network, noise, 2
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in (*ways, "decode", "write")}
    for number in range(
        -min(1, volumes - 1), volumes
    ):  # the first warms up, where there are several
        noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(number + 1))
        spent = {}
        for name, way in ways.items():
            spent[name], z = timed(partial(way, noise))
        spent["decode"], voxels = timed(partial(vae.decode, z))
        array = voxels[0, 0].clamp(0, 1).numpy()
        volume = Volume(array, centred_affine(array.shape, (spacing,) * 3))
        with tempfile.TemporaryDirectory() as folder:
            spent["write"] = timed(partial(write_volume, Path(folder) / "v.nii.gz", volume))[0]
        if number >= 0:
            for name, value in spent.items():
                seconds[name].append(value)
    return summary({name: statistics.median(values) for name, values in seconds.items()})


def summary(median: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return network, decode and write seconds of each way, its end-to-end time, and how
    one call compares.
    """
    decode, write = median.pop("decode"), median.pop("write")
    whole = {name: value + decode + write for name, value in median.items()}
    return {
        name: {
            "network": value,
            "decode": decode,
            "write": write,
            "end_to_end": whole[name],
            "network_ratio": value / median["one call"],
            "end_to_end_ratio": whole[name] / whole["one call"],
        }
        for name, value in median.items()
    }


def rectified_flow(network: Any, noise: Tensor, calls: int) -> Tensor:
    """Return data after MAISI-v2's steps, `calls` network calls each (2 with guidance)."""
    scheduler = RFlowScheduler(
        1000, False, use_timestep_transform=True, scale=1.4, base_img_size_numel=32**3
    )
    scheduler.set_timesteps(STEPS, input_img_size_numel=noise[0, 0].numel())
    times = [*scheduler.timesteps.tolist(), 0.0]
    z = noise
    for now, after in pairwise(times):
        t = torch.full((len(z),), now / 1000)
        velocity = [
            (z - network.without_head(z, t, t)) / max(now / 1000, 1e-3) for _ in range(calls)
        ]
        guided = velocity[0] if calls == 1 else velocity[1] + 2.0 * (velocity[0] - velocity[1])
        z = scheduler.step(-guided, now, z, after)[0]
    return z


def timed(work: Callable[[], Tensor | None]) -> tuple[float, Tensor]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result  # type: ignore[return-value]


def table(rows: dict[str, dict[str, float]]) -> str:
    lines = [
        f"{'way':34}"
        + "".join(f"{c:>10}" for c in ("network", "decode", "write", "whole", "network", "whole"))
    ]
    for name, row in rows.items():
        seconds = "".join(
            f"{row[key]:8.3f} s" for key in ("network", "decode", "write", "end_to_end")
        )
        lines.append(
            f"{name:34}{seconds}{row['network_ratio']:8.1f} x{row['end_to_end_ratio']:8.1f} x"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
