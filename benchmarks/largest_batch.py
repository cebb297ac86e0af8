"""The largest batch whose training step fits into a GPU's memory, for each way to write a step.

`python benchmarks/largest_batch.py brain192 [--limits 40 0] [--device cuda] [--out FILE.json]`. A
limit is in GB, 0 the whole card. Memory holds what a training holds: weights, gradients, two
moments of the optimiser and one average of the weights. Batches are bisected from a guess by the
memory of small ones; a batch fits if forward and backward end without torch.OutOfMemoryError. Rows
that FILE.json holds already are not measured again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from machine import CPU, add_device, allocated_bytes, hardware, name_of, peak_bytes, use_device
from neuromf.nets import DualTimeUNet
from neuromf.runtime.device import Precision, wait_for_gpu
from neuromf.runtime.files import write_json
from neuromf.runtime.records import read_json_object
from step import release
from ways import FLOW_MATCHING, SIZES, WAYS, network_with_weights, step_of

CHOSEN = (  # what a paper compares comes first: a piece of time may end before the list
    FLOW_MATCHING,
    "two-stream, boundary, share 0.5",
    "usual: joint jvp, boundary, all rows",
    "two-stream, v_c, share 0.5",
    "split, boundary, share 0.5",
    "finite difference, boundary, share 0.5",
    "flow matching, checkpointing",
    "two-stream, boundary, share 0.5, checkpointing",
)
GUESSED_FROM = (2, 4)  # batches


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--limits", type=float, nargs="+", default=[40.0, 0.0], help="GB; 0: all")
    parser.add_argument(
        "--precisions", nargs="+", default=["bfloat16", "float32"], choices=("float32", "bfloat16")
    )
    parser.add_argument("--only", nargs="+", choices=WAYS, metavar="WAY", default=CHOSEN)
    parser.add_argument("--most", type=int, default=512, help="batches looked at, at most")
    parser.add_argument("--out", type=Path)
    add_device(parser)
    chosen = parser.parse_args()
    device = use_device(chosen.device)
    result: dict[str, Any] = {"size": chosen.size, "hardware": hardware(device), "largest": {}}
    if chosen.out and chosen.out.is_file():
        result = read_json_object(chosen.out, "choose another --out")
    rows: dict[str, int | str] = result["largest"]

    for name in chosen.only:
        for precision in chosen.precisions:
            for limit in chosen.limits:
                key = f"{name}; {precision}; {f'{limit:g} GB' if limit else 'the whole card'}"
                if key in rows:
                    continue
                rows[key] = found(chosen.size, name, precision, limit, chosen.most, device)
                print(f"{key:80}{rows[key]}", file=sys.stderr, flush=True)
                if chosen.out:
                    chosen.out.parent.mkdir(parents=True, exist_ok=True)
                    write_json(chosen.out, result)

    print(f"largest batch, {chosen.size}; {name_of(device)}")
    print("\n".join(f"{key:80}{value}" for key, value in rows.items()))


def found(
    size: str, name: str, precision: Precision, limit: float, most: int, device: torch.device
) -> int | str:
    """Return the largest batch of a way within `limit` GB, or why it cannot run at all."""
    room = set_limit(limit, device)
    try:
        return Trial(size, name, precision, room, device).largest(most)
    except RuntimeError as error:  # operations without a rule for the derivative
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    finally:
        release(device)


def set_limit(limit: float, device: torch.device) -> float:
    """Let torch take at most `limit` GB of a GPU, 0 is all of it, and return that in bytes. A CPU
    has no such bound.
    """
    if device.type != "cuda":
        return 0.0
    total = torch.cuda.get_device_properties(device).total_memory
    fraction = min(limit * 1e9 / total, 1.0) if limit else 1.0
    torch.cuda.set_per_process_memory_fraction(fraction, device)
    return fraction * total


class Trial:
    """Steps of one way in growing batches, beside what a training holds."""

    def __init__(
        self, size: str, name: str, precision: Precision, room: float, device: torch.device = CPU
    ) -> None:
        self.way, self.side, self.precision = WAYS[name], SIZES[size].side, precision
        self.room, self.device = room, device  # bytes that torch may take there
        config = replace(SIZES[size].config, checkpointing=self.way.checkpointing)
        self.network: DualTimeUNet = network_with_weights(config, device)
        self.kept: list[Tensor] = [
            torch.zeros_like(p) for p in self.network.parameters() for _ in range(3)
        ]

    def largest(self, most: int) -> int:
        """Return the largest batch that fits, 0 if none does."""
        return largest(self.fits, self.guess(most), most)

    def fits(self, batch: int) -> bool:
        """Return True if a step of a batch ends within the memory there is."""
        fitted = True
        try:
            self.step(batch)()
            wait_for_gpu()
        except RuntimeError as error:  # libraries beside torch report it in their own words
            if not isinstance(error, torch.OutOfMemoryError) and "ALLOC_FAILED" not in str(error):
                raise
            fitted = False
        release(self.device)
        return fitted

    def step(self, batch: int) -> Callable[[], None]:
        return step_of(self.network, self.way, batch, self.side, self.device, self.precision)

    def guess(self, most: int) -> int:
        """Return a batch near the largest: memory grows about linearly with the batch."""
        if self.device.type != "cuda":
            return min(GUESSED_FROM[0], most)
        small, large = GUESSED_FROM
        if not self.fits(large):
            return 1
        low, high = (peak_bytes(self.step(n), self.device) for n in GUESSED_FROM)
        each = max((high - low) / (large - small), 1.0)
        release(self.device)
        room = self.room - allocated_bytes(self.device) - (low - small * each)
        return max(1, min(int(room / each), most))


def largest(fits: Callable[[int], bool], guess: int, most: int) -> int:
    """Return the largest n in 1..most with fits(n), 0 if there is none; fits falls from True to
    False once. Looks near `guess` first.
    """
    low, high = 0, most + 1  # fits(low), not fits(high), as far as is known
    probe, stride = min(max(guess, 1), most), max(guess // 16, 1)
    while high - low > 1:
        if fits(probe):
            low = probe
            probe = min(low + stride, high - 1) if high > most else (low + high) // 2
        else:
            high = probe
            probe = max(high - stride, low + 1) if low == 0 else (low + high) // 2
        stride *= 2
    return low


if __name__ == "__main__":
    main()
