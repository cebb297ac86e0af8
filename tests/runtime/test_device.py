import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from neuromf.runtime import device as devices
from neuromf.runtime.device import explain_oom, has_bf16, pick_device


def test_names():
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(
        ValueError, match=r"device=cuda:99: torch sees \d+ GPUs here; device=cpu works anywhere"
    ):
        pick_device("cuda:99")
    with pytest.raises(ValueError, match="device=gpu: auto, cpu, mps, cuda"):
        pick_device("gpu")


def test_auto_is_the_first_of_cuda_mps_and_the_cpu(monkeypatch):
    monkeypatch.setattr(devices, "_fallback_in_one_line", lambda: None)
    for cuda, mps, expected in (
        (True, True, "cuda"),
        (False, True, "mps"),
        (True, False, "cuda"),
        (False, False, "cpu"),
    ):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert pick_device("auto").type == expected
    with pytest.raises(ValueError, match="device=mps: not on this machine"):
        pick_device("mps")


def test_what_mps_lacks_is_one_line_of_the_log(monkeypatch, caplog):
    others = []
    monkeypatch.setattr(warnings, "showwarning", lambda *given, **_: others.append(str(given[0])))
    devices._fallback_in_one_line.__wrapped__()
    said = (
        "The operator 'aten::x' is not currently supported on the MPS backend and "
        f"{devices.FALLBACK}. This may have performance implications. (Triggered internally at x)"
    )
    with caplog.at_level(logging.WARNING, "neuromf"):
        warnings.showwarning(UserWarning(said), UserWarning, "file.py", 1)
        warnings.showwarning(UserWarning("something else"), UserWarning, "file.py", 1)
    line = said.split(". ", maxsplit=1)[0]
    assert [r.getMessage() for r in caplog.records] == [f"device=mps: {line}"]
    assert others == ["something else"]


def test_the_fallback_is_asked_for_before_torch_is_imported():
    code = (
        "import sys; sys.platform = 'darwin'; import neuromf, os; "
        "assert 'torch' not in sys.modules; print(os.environ['PYTORCH_ENABLE_MPS_FALLBACK'])"
    )
    for given, expected in ((None, "1"), ("0", "0")):
        environment = {k: v for k, v in os.environ.items() if k != "PYTORCH_ENABLE_MPS_FALLBACK"}
        environment |= {} if given is None else {"PYTORCH_ENABLE_MPS_FALLBACK": given}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


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
    with pytest.raises(ValueError, match="try less"), explain_oom("decoding", "less"):
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)")
    for library in ("cuDNN error: CUDNN_STATUS", "CUDA error: CUBLAS_STATUS"):
        with pytest.raises(ValueError, match="try less"), explain_oom("decoding", "less"):
            raise RuntimeError(f"{library}_ALLOC_FAILED when calling `create(handle)`")


def test_bfloat16_is_what_the_processor_says():
    flags = Path("/proc/cpuinfo")
    if not flags.is_file():
        pytest.skip("no /proc/cpuinfo")
    words = set(flags.read_text().split())
    assert has_bf16(torch.device("cpu")) == bool({"avx512_bf16", "amx_tile"} & words)
