"""What the benchmarks share: devices, clocks, memory."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import machine


def test_every_benchmark_can_be_given_a_device():
    parser = argparse.ArgumentParser()
    machine.add_device(parser)
    assert parser.parse_args([]).device == "auto"
    assert machine.use_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="cuda:99"):
        machine.use_device("cuda:99")


def test_a_clock_gives_the_result_and_waits_for_the_gpu(monkeypatch):
    waited = []
    monkeypatch.setattr(machine, "wait_for_gpu", lambda: waited.append(time.perf_counter()))
    seconds, result = machine.timed(lambda: time.sleep(0.02) or 7)
    assert result == 7
    assert seconds >= 0.02
    assert len(waited) == 2
    assert waited[1] - waited[0] >= 0.02  # before the first reading and before the last


MEMORY = """
import torch, machine
size = 64 * 2**20
print(machine.peak_bytes(lambda: torch.zeros(size // 4).fill_(1)) / size, machine.high_water_gb(machine.CPU))
"""


def test_peak_memory_sees_what_is_freed_at_once():
    """In a process of its own: one that has run other tests gives memory back in between."""
    found = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=Path(machine.__file__).parent,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    share, gigabytes = map(float, found.stdout.split())
    assert 0.8 < share < 2
    assert gigabytes > 0.05


def test_hardware_names_the_processor_and_on_a_gpu_the_card(monkeypatch):
    class Card:
        name, total_memory = "a card", 8e9

    assert "gpu" not in machine.hardware()
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card)
    found = machine.hardware(torch.device("cuda"))
    assert found["gpu"] == machine.name_of(torch.device("cuda")) == "a card"
    assert found["gpu_memory_bytes"] == 8e9
