"""What the benchmarks share: the device they run on and its name, clocks that wait for it, and the
memory that work takes there.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from neuromf.runtime.device import pick_device, wait_for_gpu

T = TypeVar("T")
CPU = torch.device("cpu")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Give a command line --device."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")


def use_device(name: str) -> torch.device:
    """Return the device of a name, which becomes torch's own: clocks wait for that one, and memory
    is counted there. Raises ValueError where it is not there.
    """
    device = pick_device(name)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return device


def hardware(device: torch.device = CPU) -> dict[str, str | int]:
    """Return what a measurement ran on."""
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    found: dict[str, str | int] = {
        "cpu": f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads",
        "memory_bytes": psutil.virtual_memory().total,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    if device.type != "cuda":
        return found

    # by default torch rounds the inputs of float32 convolutions, not of matrix products, to TF32
    card = torch.cuda.get_device_properties(device)
    return found | {
        "gpu": card.name,
        "gpu_memory_bytes": card.total_memory,
        "cuda": str(torch.version.cuda),
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_products": torch.backends.cuda.matmul.allow_tf32,
    }


def name_of(device: torch.device) -> str:
    """Return the name of a device for the head of a table."""
    found = hardware(device)
    return str(found.get("gpu", found["cpu"]))


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that `work` took, to the last operation on the GPU, and its result."""
    wait_for_gpu()
    started = time.perf_counter()
    result = work()
    wait_for_gpu()
    return time.perf_counter() - started, result


def step_seconds(step: Callable[[], object], device: torch.device) -> float:
    """Return CPU seconds of all threads on a CPU, which other programs lengthen least, and seconds
    by the clock on a GPU.
    """
    if device.type == "cuda":
        return timed(step)[0]
    start = time.process_time()
    step()
    return time.process_time() - start


def peak_bytes(work: Callable[[], object], device: torch.device = CPU) -> int:
    """Return how far memory rises while `work` runs: torch's tensors on a GPU, the whole process
    on a CPU (Linux).
    """
    if device.type == "cuda":
        level = allocated_bytes(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        wait_for_gpu()
        return int(torch.cuda.max_memory_allocated(device)) - level

    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    work()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 - before


def allocated_bytes(device: torch.device) -> int:
    """Return what torch's tensors take on a GPU now."""
    wait_for_gpu()
    return int(torch.cuda.memory_allocated(device))


def high_water_gb(device: torch.device) -> float:
    """Return the most memory that this process has taken so far, in GiB: torch's tensors on a GPU,
    everything on a CPU.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
