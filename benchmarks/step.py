"""What one training step costs: time, FLOPs, memory saved for backward, peak
memory, for each way to write it.

`python benchmarks/step.py small|brain [--rounds N] [--only WAY ...] [--out FILE.json]`. All ways
run in turn within one process, so that ratios hold on a machine whose speed drifts; times are CPU
seconds. Peak memory is read in one fresh process a way: the high-water mark of the step above the
network's weights and their gradients.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neuromf.flow import MeanFlow
from neuromf.flow.jvp import exact_jvp, finite_jvp
from neuromf.nets import BRAIN, SMALL, DualTimeUNet, UNetConfig


@dataclass(frozen=True)
class Way:
    """One way to write a step."""

    objective: MeanFlow | None  # None is the usual step: one jvp with gradient over all rows
    equal: float  # share of rows with r = t
    checkpointing: bool = False


FLOW_MATCHING = "flow matching"
WAYS = {
    FLOW_MATCHING: Way(MeanFlow(jvp="none"), 1.0),
    "flow matching, checkpointing": Way(MeanFlow(jvp="none"), 1.0, True),
    "two-stream, boundary, share 0.5": Way(MeanFlow(jvp="two-stream"), 0.5),
    "two-stream, v_c, share 0.5": Way(MeanFlow(jvp="two-stream", tangent="conditional"), 0.5),
    "two-stream, boundary, share 0.75": Way(MeanFlow(jvp="two-stream"), 0.75),
    "two-stream, boundary, share 0.5, checkpointing": Way(MeanFlow(jvp="two-stream"), 0.5, True),
    "two-stream, boundary, share 0.75, checkpointing": Way(MeanFlow(jvp="two-stream"), 0.75, True),
    "split, boundary, share 0.5": Way(MeanFlow(), 0.5),
    "split, v_c, share 0.5": Way(MeanFlow(tangent="conditional"), 0.5),
    "split, boundary, share 0.75": Way(MeanFlow(), 0.75),
    "split, boundary, share 0.5, checkpointing": Way(MeanFlow(), 0.5, True),
    "finite difference, boundary, share 0.5": Way(MeanFlow(jvp="finite"), 0.5),
    "usual: joint jvp, boundary, all rows": Way(None, 0.5),
}
SIZES: dict[str, tuple[UNetConfig, int, int]] = {
    "small": (SMALL, 8, 24),
    "brain": (BRAIN, 8, 24),
}  # batch, voxels a side


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("size", choices=SIZES)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--out", type=Path)
    arguments.add_argument(
        "--only", nargs="+", choices=WAYS, metavar="WAY", help="these ways beside flow matching"
    )
    # one way in this process, bytes on stdout
    arguments.add_argument("--peak", metavar="WAY", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.peak:
        print(_peak_bytes(chosen.size, WAYS[chosen.peak]))
        return
    names = [FLOW_MATCHING, *(chosen.only or WAYS)]
    rows = measure(chosen.size, chosen.rounds, {name: WAYS[name] for name in names})
    result = {
        "size": _describe(chosen.size),
        "hardware": hardware(),
        "rounds": chosen.rounds,
        "ways": rows,
    }
    print(table(chosen.size, rows))
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")


def measure(size: str, rounds: int, ways: dict[str, Way]) -> dict[str, dict[str, float]]:
    config, batch, side = SIZES[size]
    plain, checkpointed = (
        network_with_weights(config),
        network_with_weights(replace(config, checkpointing=True)),
    )
    steps: dict[str, Callable[[], None]] = {}
    for name, way in ways.items():
        steps[name] = _step(checkpointed if way.checkpointing else plain, way, batch, side)
    forward = _flops(lambda: plain(*_inputs(config, batch, side)))
    rows: dict[str, dict[str, float]] = {name: {} for name in ways}
    for name, step in steps.items():
        step()
        rows[name] = {
            "forwards": _flops(step) / forward,
            "saved_bytes": _saved_bytes(step, plain, checkpointed),
        }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(_seconds(step))
    for name, row in rows.items():
        row["median_s"], row["min_s"] = statistics.median(seconds[name]), min(seconds[name])
        row["peak_bytes"] = int(_own_process(size, name))
    with torch.no_grad():
        rows["a jvp alone"] = {
            "forwards": _flops(lambda: _jvp(plain, config, batch, side, exact_jvp)) / forward
        }
        rows["a finite difference alone"] = {
            "forwards": _flops(lambda: _jvp(plain, config, batch, side, finite_jvp)) / forward
        }
    return rows


def table(size: str, rows: dict[str, dict[str, float]]) -> str:
    """Return the figures, each with its ratio to flow matching, as lines of text."""
    titles = {"forwards": ("F", 1.0), "median_s": ("s, median", 1.0), "min_s": ("s, least", 1.0)}
    titles |= {"saved_bytes": ("MB saved", 1e6), "peak_bytes": ("MB peak", 1e6)}
    lines = [f"{_describe(size)}; {hardware()['cpu']}"]
    lines += [f"{'step':48}" + "".join(f"{title:>11} ratio" for title, _ in titles.values())]
    for name, row in rows.items():
        cells = [
            f"{row[key] / unit:11.2f} {row[key] / rows[FLOW_MATCHING][key]:5.2f}"
            for key, (_, unit) in titles.items()
            if key in row
        ]
        lines.append(f"{name:48}" + "".join(cells))
    return "\n".join(lines)


def hardware() -> dict[str, str | int]:
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "cpu": f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads",
        "memory_bytes": psutil.virtual_memory().total,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def usual_loss(network: DualTimeUNet, x: Tensor, noise: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """The step as it is usually written: du/dt of u = (z - x̂) / t by a jvp
    with gradient over all rows.
    """

    def u(z: Tensor, t: Tensor) -> Tensor:
        return (z - network(z, t, r)) / t.view(-1, 1, 1, 1, 1)

    z = (1 - t.view(-1, 1, 1, 1, 1)) * x + t.view(-1, 1, 1, 1, 1) * noise
    with torch.no_grad():
        tangent = (z - network(z, t, t)) / t.view(-1, 1, 1, 1, 1)
    with sdpa_kernel(SDPBackend.MATH):
        value, slope, *_ = torch.func.jvp(u, (z, t), (tangent, torch.ones_like(t)))
    error = value + (t - r).view(-1, 1, 1, 1, 1) * slope.detach() - (noise - x)
    raw = error.square().flatten(2).mean(2).sum(1)
    return (raw / (raw.detach() + 0.01)).mean()


def _step(network: DualTimeUNet, way: Way, batch: int, side: int) -> Callable[[], None]:
    x, noise = torch.randn(2, batch, network.config.latent_channels, side, side, side)
    t = torch.linspace(0.5, 0.9, batch)
    equal = round(way.equal * batch)
    r = torch.where(torch.arange(batch) < equal, t, 0.3 * t)

    def step() -> None:
        network.zero_grad(set_to_none=False)
        if way.objective is None:
            usual_loss(network, x, noise, t, r).backward()
        else:
            way.objective.loss(way.objective.terms(network, x, noise, t, r)).total.backward()

    return step


def network_with_weights(config: UNetConfig) -> DualTimeUNet:
    """Return a network without zero layers, which would make part of the work
    trivial; gradients are allocated.
    """
    torch.manual_seed(0)
    network = DualTimeUNet(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
        parameter.grad = torch.zeros_like(parameter)
    return network


def _inputs(config: UNetConfig, batch: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    z = torch.randn(batch, config.latent_channels, side, side, side)
    return z, torch.full((batch,), 0.7), torch.full((batch,), 0.2)


def _jvp(
    network: DualTimeUNet, config: UNetConfig, batch: int, side: int, rate: Callable[..., Tensor]
) -> None:
    z, t, r = _inputs(config, batch, side)
    rate(network, z, t, r, torch.randn_like(z))


def _flops(step: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def _seconds(step: Callable[[], None]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def _saved_bytes(step: Callable[[], None], *networks: DualTimeUNet) -> int:
    """Return the bytes of distinct storages, weights apart, that autograd keeps for backward."""
    weights = {p.untyped_storage().data_ptr() for network in networks for p in network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor._is_zerotensor():  # a zero that forward-mode AD never writes out
            return tensor
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    return sum(kept.values())


def _own_process(size: str, name: str) -> str:
    # give back what the timed steps left: the new process needs it
    ctypes.CDLL(None).malloc_trim(0)
    command = [sys.executable, __file__, size, "--peak", name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _peak_bytes(size: str, way: Way) -> int:
    config, batch, side = SIZES[size]
    step = _step(
        network_with_weights(replace(config, checkpointing=way.checkpointing)), way, batch, side
    )
    return peak_bytes(step)


def peak_bytes(work: Callable[[], object]) -> int:
    """Return how far this process's memory rises while `work` runs (Linux)."""
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    work()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 - before


def _describe(size: str) -> str:
    config, batch, side = SIZES[size]
    return f"{size} UNet, channels {list(config.channels)}, batch {batch}, latents 4 x {side}³"


if __name__ == "__main__":
    main()
