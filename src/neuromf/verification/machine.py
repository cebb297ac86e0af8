"""The machine that something was measured on, in a sentence."""

from __future__ import annotations

import os
import platform
import time

import psutil
import torch


def machine() -> str:
    """Return processor, cores, memory, versions and the day."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return (
        f"Measured on {time.strftime('%Y-%m-%d')} with {_processor()}, {os.cpu_count()} threads, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {gpu}, Python "
        f"{platform.python_version()}, torch {torch.__version__}."
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
