from pathlib import Path

import pytest
import torch

from neuromf.runtime.device import explain_oom, has_bf16, pick_device


def test_names():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(
        ValueError, match=r"device=cuda:99: torch sees \d+ GPUs here; device=cpu works anywhere"
    ):
        pick_device("cuda:99")
    with pytest.raises(ValueError, match="device=gpu: auto, cpu, cuda"):
        pick_device("gpu")


def test_out_of_memory_says_what_to_lower():
    with (
        pytest.raises(
            ValueError, match="decoding needs more memory than there is: try max_memory_gb=4"
        ),
        explain_oom("decoding", "max_memory_gb=4"),
    ):
        torch.empty(2**62, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="another"), explain_oom("decoding", "less"):
        raise RuntimeError("another")


def test_bfloat16_is_what_the_processor_says():
    flags = Path("/proc/cpuinfo")
    if not flags.is_file():
        pytest.skip("no /proc/cpuinfo")
    words = set(flags.read_text().split())
    assert has_bf16(torch.device("cpu")) == bool({"avx512_bf16", "amx_tile"} & words)
