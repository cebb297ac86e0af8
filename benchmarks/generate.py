"""Seconds a volume: one network call against the 30 steps of a rectified flow, and 60
with guidance.

`python benchmarks/generate.py small2mm|maisi128|brain192 [--volumes N] [--device cuda]
[--decoder NAME] [--out FILE.json]`. The same UNet and decoder for all ways; the steps are those of
MONAI's RFlowScheduler as MAISI-v2 uses it. All ways run in turn within one process and ratios are
of medians. Weights are random where none ship: time does not depend on their values. `--decoder` is
a name or folder as `neuromf generate decoder=` takes it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from monai.networks.schedulers.rectified_flow import RFlowScheduler
from torch import Tensor, nn

from machine import add_device, hardware, high_water_gb, name_of, timed, use_device
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.load import load_vae
from neuromf.data.volume import Volume, centred_affine, write_volume
from neuromf.flow import sample
from neuromf.flow.network import predict_main
from neuromf.flow.path import Prediction, to_velocity
from neuromf.flow.sampler import Solver
from neuromf.generation.model import load_model
from neuromf.nets import BRAIN
from neuromf.runtime.device import Precision, autocast
from ways import TINY, network_with_weights

STEPS = 30
SIZES = {  # latent, mm, decoder
    "tiny": ((4, 8, 8, 8), 10.0, "small-sharp"),  # to try the benchmark with
    "small2mm": ((4, 20, 24, 20), 2.0, "small-sharp"),
    "maisi128": ((4, 32, 32, 32), 1.5, "maisi-random"),
    "brain192": ((4, 48, 48, 48), 1.0, "maisi-random"),
}


@dataclass(frozen=True)
class Parts:
    """What draws a volume."""

    network: nn.Module
    vae: FrozenVAE
    device: torch.device
    predict: Prediction = "x"  # what the network returns
    solver: Solver = "average"
    decode_memory_gb: float | None = None


def main() -> None:
    chosen = arguments().parse_args()
    device = use_device(chosen.device)
    drawn = parts(chosen, device)
    with autocast(device, chosen.precision):
        rows = measure(chosen.size, drawn, chosen.volumes)
    print(f"{chosen.size}, {chosen.precision}, decoder {drawn.vae.name}; {name_of(device)}")
    print(table(rows))
    if chosen.out:
        result = {
            "size": chosen.size,
            "precision": chosen.precision,
            "decoder": drawn.vae.name,
            "hardware": hardware(device),
            "volumes": chosen.volumes,
            "peak_gb": round(high_water_gb(device), 2),  # weights included
            "seconds": rows,
        }
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--volumes", type=int, default=5)
    parser.add_argument("--model", default="embedded", help="of small2mm")
    parser.add_argument("--decoder", default="", help="small, small-sharp, maisi-random, a folder")
    parser.add_argument("--decode-memory-gb", type=float, help="decode in tiles that need this")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--out", type=Path)
    add_device(parser)
    return parser


def parts(chosen: argparse.Namespace, device: torch.device) -> Parts:
    """Return the network and the decoder of a size."""
    precision: Precision = chosen.precision
    vae = load_vae(chosen.decoder or SIZES[chosen.size][2], device, precision)
    if chosen.size != "small2mm":
        config = TINY if chosen.size == "tiny" else BRAIN
        network = network_with_weights(config, device).eval().requires_grad_(False)
        return Parts(network, vae, device, decode_memory_gb=chosen.decode_memory_gb)

    model = load_model(chosen.model, device)
    about = model.config
    if about.shape != SIZES[chosen.size][0]:
        raise SystemExit(f"{about.name} draws latents {about.shape}: {SIZES[chosen.size][0]} here")
    return Parts(model.network, vae, device, about.predict, about.solver, chosen.decode_memory_gb)


@torch.no_grad()
def measure(size: str, drawn: Parts, volumes: int) -> dict[str, dict[str, float]]:
    """Return medians over volumes, by way; the first volume warms up, where there are several."""
    shape, spacing, _ = SIZES[size]
    ways = ways_of(drawn)
    seconds: dict[str, list[float]] = {name: [] for name in (*ways, "decode", "write")}
    for number in range(-min(1, volumes - 1), volumes):
        noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(number + 1))
        noise = noise.to(drawn.device)
        spent = {}
        for name, way in ways.items():
            spent[name], z = timed(partial(way, noise))
        spent["decode"], voxels = timed(partial(decoded, drawn, z))
        volume = Volume(voxels.numpy(), centred_affine(tuple(voxels.shape), (spacing,) * 3))
        with tempfile.TemporaryDirectory() as folder:
            spent["write"] = timed(partial(write_volume, Path(folder) / "v.nii.gz", volume))[0]
        if number >= 0:
            for name, value in spent.items():
                seconds[name].append(value)
    return summary({name: statistics.median(values) for name, values in seconds.items()})


def ways_of(drawn: Parts) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return the ways from noise to a latent."""
    guided = f"{STEPS} steps, guidance ({2 * STEPS} calls)"
    return {
        "one call": lambda noise: sample(
            drawn.network, noise, 1, predict=drawn.predict, solver=drawn.solver
        ),
        f"{STEPS} steps": lambda noise: rectified_flow(drawn, noise, 1),
        guided: lambda noise: rectified_flow(drawn, noise, 2),
    }


def decoded(drawn: Parts, z: Tensor) -> Tensor:
    """Return the voxels (D, H, W) of a latent, in [0, 1], on the CPU."""
    return drawn.vae.decode(z, drawn.decode_memory_gb)[0, 0].clamp(0, 1).cpu()


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


def rectified_flow(drawn: Parts, noise: Tensor, calls: int) -> Tensor:
    """Return data after MAISI-v2's steps, `calls` network calls each (2 with guidance)."""
    scheduler = RFlowScheduler(
        1000, False, use_timestep_transform=True, scale=1.4, base_img_size_numel=32**3
    )
    scheduler.set_timesteps(STEPS, input_img_size_numel=noise[0, 0].numel())
    times = [*scheduler.timesteps.tolist(), 0.0]
    network: Any = drawn.network
    z = noise
    for now, after in pairwise(times):
        t = z.new_full((len(z),), max(now / 1000, 1e-3))
        velocity = [
            to_velocity(predict_main(network, z, t, t), z, t, drawn.predict) for _ in range(calls)
        ]
        guided = velocity[0] if calls == 1 else velocity[1] + 2.0 * (velocity[0] - velocity[1])
        z = scheduler.step(-guided, now, z, after)[0]
    return z


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
