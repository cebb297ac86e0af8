"""What one training step costs: time, FLOPs, memory saved for backward, peak
memory, for each way to write it.

`python benchmarks/step.py small|brain|brain192 [--device cuda] [--precision bfloat16] [--rounds N]
[--only WAY ...] [--compiled] [--out FILE.json]`. On a CPU all ways run in turn within one process,
so that ratios hold on a machine whose speed drifts; times are CPU seconds, and peak memory is read
in one fresh process a way. On a GPU each way runs by itself, and times are by the clock. Peak
memory is the high-water mark of the step above the network's weights and their gradients. Rows that
FILE.json holds already are not measured again.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from machine import add_device, hardware, name_of, peak_bytes, step_seconds, use_device
from neuromf.flow.jvp import exact_jvp, finite_jvp
from neuromf.nets import DualTimeUNet
from neuromf.runtime.device import Precision
from neuromf.runtime.files import write_json
from neuromf.runtime.records import read_json_object
from ways import COMPILED, FLOW_MATCHING, SIZES, WAYS, Way, describe, network_with_weights, step_of

Row = dict[str, Any]
DERIVATIVES: dict[str, Callable[..., Tensor]] = {
    "a jvp alone": exact_jvp,
    "a finite difference alone": finite_jvp,
}
COLUMNS = {  # title, unit
    "forwards": ("F", 1.0),
    "median_s": ("s, median", 1.0),
    "min_s": ("s, least", 1.0),
    "saved_bytes": ("MB saved", 1e6),
    "peak_bytes": ("MB peak", 1e6),
}


def main() -> None:
    chosen = arguments().parse_args()
    device = use_device(chosen.device)
    if chosen.peak:
        step = Steps(chosen.size, device, chosen.precision).step((WAYS | COMPILED)[chosen.peak])
        print(peak_bytes(step))
        return

    result = begun(chosen, device)
    rows: dict[str, Row] = result["ways"]
    ways = COMPILED if chosen.compiled else WAYS
    names = [FLOW_MATCHING, *(chosen.only or ways)]
    missing = [name for name in dict.fromkeys(names) if name not in rows]
    # what a GPU has measured is kept at once: its time may end before the table does
    groups = [[name] for name in missing] if device.type == "cuda" else [missing]
    steps = Steps(chosen.size, device, chosen.precision)
    for group in groups:
        rows |= measure(steps, group, chosen.rounds)
        keep(chosen.out, result)

    if not chosen.compiled:
        rows |= {name: steps.derivative(name) for name in DERIVATIVES if name not in rows}
        keep(chosen.out, result)
    print(table(chosen.size, chosen.precision, rows, name_of(device)))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiled", action="store_true", help="the ways with torch.compile")
    parser.add_argument("--out", type=Path)
    add_device(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*WAYS, *COMPILED),
        metavar="WAY",
        help="these ways beside flow matching",
    )
    # one way in this process, bytes on stdout
    parser.add_argument("--peak", metavar="WAY", help=argparse.SUPPRESS)
    return parser


def begun(chosen: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Return the results so far. Raises SystemExit where they are of another measurement."""
    head: dict[str, Any] = {
        "size": describe(chosen.size),
        "precision": chosen.precision,
        "hardware": hardware(device),
        "rounds": chosen.rounds,
    }
    if chosen.out is None or not chosen.out.is_file():
        return head | {"ways": {}}
    found = read_json_object(chosen.out, "choose another --out")
    found["hardware"]["memory_bytes"] = head["hardware"][
        "memory_bytes"
    ]  # differs by what is booted
    other = [key for key, value in head.items() if found.get(key) != value]
    if other:
        raise SystemExit(f"{chosen.out} has another {', '.join(other)}: choose another --out")
    return found


def keep(path: Path | None, result: dict[str, Any]) -> None:
    """Write the results so far."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, result)


class Steps:
    """The networks of one size on one device, and the steps with them."""

    def __init__(self, size: str, device: torch.device, precision: Precision) -> None:
        self.size, self.device, self.precision = SIZES[size], device, precision
        self.name = size
        self._networks: dict[bool, DualTimeUNet] = {}
        self._forward = 0

    def network(self, checkpointing: bool = False) -> DualTimeUNet:
        """Return the network of a kind of step, made when it is first asked for."""
        if checkpointing not in self._networks:
            config = replace(self.size.config, checkpointing=checkpointing)
            self._networks[checkpointing] = network_with_weights(config, self.device)
        return self._networks[checkpointing]

    def step(self, way: Way) -> Callable[[], None]:
        """Return the step of a way."""
        batch, side = self.size.batch, self.size.side
        network = self.network(way.checkpointing)
        return step_of(network, way, batch, side, self.device, self.precision)

    def forward_flops(self) -> int:
        """Return the FLOPs of a forward pass."""
        if not self._forward:
            self._forward = flops(lambda: self.network()(*self._inputs()))
        return self._forward

    def derivative(self, name: str) -> Row:
        """Return the cost of a derivative alone, in forward passes."""
        z, t, r = self._inputs()
        rate = DERIVATIVES[name]
        with torch.no_grad():
            cost = flops(lambda: rate(self.network(), z, t, r, torch.randn_like(z)))
        return {"forwards": cost / self.forward_flops()}

    def _inputs(self) -> tuple[Tensor, ...]:
        batch, side = self.size.batch, self.size.side
        z = torch.randn(batch, self.size.config.latent_channels, side, side, side)
        times = torch.full((batch,), 0.7), torch.full((batch,), 0.2)
        return tuple(tensor.to(self.device) for tensor in (z, *times))


def measure(steps: Steps, names: list[str], rounds: int) -> dict[str, Row]:
    """Return the rows of ways that are measured in turn; of one that cannot run, the reason."""
    rows: dict[str, Row] = {}
    prepared: dict[str, Callable[[], None]] = {}
    for name in names:
        way = (WAYS | COMPILED)[name]
        try:
            prepared[name] = steps.step(way)
            rows[name] = counted(steps, way, prepared[name])
        except RuntimeError as error:  # memory; operations without a rule for the derivative
            prepared.pop(name, None)
            rows[name] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
            release(steps.device)

    seconds: dict[str, list[float]] = {name: [] for name in prepared}
    for _ in range(rounds):
        for name, step in prepared.items():
            seconds[name].append(step_seconds(step, steps.device))
    for name, values in seconds.items():
        rows[name] |= {"median_s": statistics.median(values), "min_s": min(values)}
        rows[name]["peak_bytes"] = (
            peak_bytes(prepared[name], steps.device)
            if steps.device.type == "cuda"
            else own_process(steps, name)
        )
        print(name, rows[name], file=sys.stderr, flush=True)
    return rows


def counted(steps: Steps, way: Way, step: Callable[[], None]) -> Row:
    """Return FLOPs and saved bytes of a step, which warms it up besides. Compiled code is not
    looked into.
    """
    step()
    if way.compiled:
        step()
        return {}
    return {
        "forwards": flops(step) / steps.forward_flops(),
        "saved_bytes": saved_bytes(step, steps.network(way.checkpointing)),
    }


def release(device: torch.device) -> None:
    """Give back what a failed step has left."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def table(size: str, precision: str, rows: dict[str, Row], device: str) -> str:
    """Return the figures, each with its ratio to flow matching, as lines of text."""
    lines = [f"{describe(size)}, {precision}; {device}"]
    lines += [f"{'step':49}" + "".join(f"{title:>11} ratio" for title, _ in COLUMNS.values())]
    for name, row in rows.items():
        if "failed" in row:
            lines.append(f"{name:49}{row['failed']}")
            continue
        lines.append(f"{name:49}" + "".join(cell(row, rows[FLOW_MATCHING], key) for key in COLUMNS))
    return "\n".join(lines)


def cell(row: Row, base: Row, key: str) -> str:
    """Return one figure and its ratio; spaces where it was not measured."""
    if key not in row:
        return " " * 17
    ratio = f"{row[key] / base[key]:5.2f}" if base.get(key) else " " * 5
    return f"{row[key] / COLUMNS[key][1]:11.3f} {ratio}"


def flops(step: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def saved_bytes(step: Callable[[], None], network: DualTimeUNet) -> int:
    """Return the bytes of distinct storages, weights apart, that autograd keeps for backward."""
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
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


def own_process(steps: Steps, name: str) -> int:
    """Return the peak memory of a way in a process of its own, on a CPU."""
    # give back what the timed steps left: the new process needs it
    ctypes.CDLL(None).malloc_trim(0)
    command = [sys.executable, __file__, steps.name, "--device", "cpu", "--peak", name]
    command += ["--precision", steps.precision]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
