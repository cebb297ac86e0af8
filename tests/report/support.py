"""The folder of a training that never ran: every file that `neuromf train` writes and a report reads, with known numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from neuromf import __version__
from neuromf.flow import MeanFlow, TimeSampler
from neuromf.nets.config import UNetConfig
from neuromf.runtime.config import to_yaml
from neuromf.runtime.tables import write_table
from neuromf.training.config import Samples, TrainConfig

TINY = UNetConfig(
    channels=(16, 32),
    attention=(False, True),
    attention_head_channels=(0, 16),
    res_blocks=1,
    norm_groups=4,
)
SHAPE = (4, 8, 8, 8)
TIMES = (0.05, 0.5, 0.95)
CONFIG = TrainConfig(
    latents="/data/latents",
    network=TINY,
    objective=MeanFlow(jvp="two-stream"),
    latent_scale=0.3,
    updates=200,
    batch=2,
    ema=(0.9,),
    precision="float32",
    device="cpu",
    samples=Samples(every=100, n=2, nfe=(1, 2)),
)
# changes that make a rectified flow
FLOW = {
    "objective": MeanFlow(predict="u", jvp="none"),
    "times": TimeSampler(equal_fraction=1, endpoint_fraction=0),
}


def log_rows(n: int = 20, every: int = 10, **changes) -> list[dict]:
    """Rows of log.csv; `changes` are functions of the row's number."""
    rows = []
    for i in range(n):
        raw = 0.5 + 0.5 * 0.9**i
        row = {"update": every * (i + 1), "raw": raw, "raw_equal": 0.8 * raw}
        row |= {"raw_interval": 1.2 * raw, "raw_head": 0, "weighted": 1, "nonfinite_samples": 0}
        row |= {f"raw_channel_{c}": raw / 4 for c in range(4)}
        row |= {"gradient_norm": 0.5, "clipped": 0.1, "skipped": 0, "lr": 1e-3}
        row |= {"samples_per_second": 4, "loader_share": 0.01, "memory_gb": 1.5}
        rows.append(row | {name: of(i) for name, of in changes.items()})
    return rows


def evaluation_rows(ratios=(0.9, 0.7, 0.6), **changes) -> list[dict]:
    """Rows of evaluation.csv."""
    rows = []
    for i, ratio in enumerate(ratios):
        row = {"update": 50 * (i + 1), "swd": 0.4, "raw": 0.9 - 0.1 * i}
        row |= {f"v_{t:g}": ratio * (1 - t) + 0.02 for t in TIMES}
        row |= {"v_linear": ratio} | {f"power_{k}": 1 for k in (1, 2)}
        rows.append(row | {name: of(i) for name, of in changes.items()})
    return rows


def diagnosis_rows(n: int = 3) -> list[dict]:
    """Rows of diagnostics.csv."""
    rows = []
    for i in range(n):
        row = {"update": 60 * (i + 1), "cosine_V_v_c": 0.9}
        row |= {f"raw_h_{b}": 0.5 + i for b in ("0.0_0.1", "0.1_0.3", "0.3_0.6", "0.6_1.01")}
        row |= {f"rms_{name}": 1.0 for name in ("u", "V", "v_c", "dudt")}
        row |= {f"gradient/body.{b}": 0.1 * (i + 1) for b in ("conv_in", "out.0")}
        rows.append(row | {f"change/body.{b}": 0.01 for b in ("conv_in", "out.0")})
    return rows


def write_samples(folder: Path, updates=(100, 200), shape=SHAPE) -> None:
    """Pictures, latents and statistics of samples."""
    folder.mkdir(parents=True)
    for update in updates:
        stem = folder / f"update-{update:08d}"
        grey = np.full((40, 60), update % 256, np.uint8)
        Image.fromarray(grey).save(stem.with_suffix(".png"))
        latents = {f"calls_{k}": np.zeros((2, *shape), np.float32) for k in (1, 2)}
        save_file(latents, stem.with_suffix(".safetensors"))
        moments = {f"mean_{c}": 0.1 for c in range(4)} | {f"std_{c}": 0.9 for c in range(4)}
        record = {"update": update, "calls_1": moments, "calls_2": moments}
        stem.with_suffix(".json").write_text(json.dumps(record))


def make_run(folder: Path, state: str = "finished", parts=("log", "evaluation", "diagnostics", "samples"), **changes) -> Path:  # fmt: skip
    """A training's folder with the named parts; `changes` of its configuration."""
    folder.mkdir(parents=True)
    config = replace(CONFIG, **changes)
    (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    record = {"started": "2026-01-02T03:04:05+0000", "python": "3.11.7", "host": "here"}
    record |= {"versions": {"neuromf": __version__, "torch": "2.13.0"}, "platform": "Linux"}
    record |= {"git": {"commit": "0123456789abcdef", "changed": False}, "processors": 2}
    words = ["neuromf", "train", "preset=small2mm", "latents=/data/latents", f"out={folder}"]
    record |= {"verb": "train", "command": words, "state": state, "seconds": 90.0, "seed": 0}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "run.log").write_text("2026-01-02 03:04:05,000 INFO network: small\n")

    if "log" in parts:
        write_table(folder / "log.csv", log_rows())
    if "evaluation" in parts:
        write_table(folder / "evaluation.csv", evaluation_rows())
        linear = {"v_loss_linear": {f"{t:g}": 1.1 - t for t in TIMES}}
        (folder / "evaluation.json").write_text(json.dumps(linear))
    if "diagnostics" in parts:
        write_table(folder / "diagnostics.csv", diagnosis_rows())
    if "samples" in parts:
        write_samples(folder / "samples")
    return folder


def edit_record(folder: Path, **changes) -> None:
    """Change keys of run.json; None removes one."""
    path = folder / "run.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in record.items() if v is not None}))


def scores(folder: Path, **changes) -> Path:
    """The folder of an evaluation with one metric."""
    folder.mkdir(parents=True)
    row = {
        "set": "samples",
        "metric": "e/fid",
        "label": "FID",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
    }
    row |= {
        "better": "lower",
        "equal_n.samples": 0.6,
        "equal_n.reconstruction": "",
        "equal_n.real": 0.1,
    }
    write_table(folder / "scores.csv", [row | changes])
    return folder
