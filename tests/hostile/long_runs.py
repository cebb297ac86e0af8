"""The verbs that take long, each with words for a run of a second, and what two runs of it have in common."""

import csv
import hashlib
import io
import json
import re
from pathlib import Path

STEPS = ("preprocessing.spacing=6", "preprocessing.shape=[32,32,32]")
TINY_NETWORK = (
    *(
        "network.channels=[16,32]",
        "network.attention=[false,true]",
        "network.attention_head_channels=[0,16]",
    ),
    *("network.res_blocks=1", "network.norm_groups=4"),
)
LONG = {  # verb -> its words; folders are those of `conftest.made`
    "prepare": ("input=scans", *STEPS, "workers=1"),
    "phantom": ("source=volumes", "n=6", "workers=1"),
    "encode": ("volumes=volumes", "vae=vae", "shard=2", "sigma=true", "workers=1"),
    "train": (
        *(
            "latents=store",
            "device=cpu",
            "updates=8",
            "batch=2",
            "ema=[0.9]",
            "precision=float32",
            *TINY_NETWORK,
        ),
        *(
            "checkpoints.every=2",
            "checkpoints.keep=2",
            "samples.every=4",
            "samples.n=2",
            "log_every=1",
        ),
        *(
            "diagnostics.every=3",
            "evaluation.every=4",
            "evaluation.n=4",
            "evaluation.projections=16",
        ),
    ),
    "train-vae": (
        *(
            "volumes=volumes",
            "updates=6",
            "batch=1",
            "patch=16",
            "check_every=2",
            "device=cpu",
            "name=tiny",
        ),
        *("network.half=8", "network.quarter=8", "network.full=4", "network.decoder_blocks=[1,1]"),
    ),
    "validate-vae": ("volumes=volumes", "vae=vae", "splits=[train,val,test]", "device=cpu"),
    "generate": ("model=model", "n=6", "device=cpu", "latents=true"),
    "evaluate": (
        *(
            "samples=samples",
            "reference=volumes",
            "extractors=[random-3d]",
            "splits=[val,test]",
            "resample=true",
        ),
        *("device=cpu", "workers=1", "pairs=6", "bootstrap=10", "draws=2"),
    ),
    "export": ("run=training", "name=tiny"),
}
UNLIKE = (
    "run.json",
    "run.log",
    "timing.json",
    "files.txt",
    ".lock",
    "index.html",
)  # when, where and how fast
SECONDS = re.compile(
    r"seconds|per_second|loader_share|memory|^started$|^process$|^host$|^features$"
)


def result(folder: Path) -> dict[str, str]:
    """Return every file of a run with a hash of what has to be the same in any run of the same words."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(_kept(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in UNLIKE and path.parent.name != "tensorboard"
    }


def _kept(path: Path) -> bytes:
    """Return a file's bytes without the seconds that the run took."""
    content = path.read_bytes()
    if path.name == "config.yaml":
        return re.sub(rb"(?m)^cache: .*$", b"", content)  # each run has its own
    if path.suffix == ".json":
        return json.dumps(_without_seconds(json.loads(content))).encode()
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        return json.dumps(
            [{k: v for k, v in row.items() if not SECONDS.search(k)} for row in rows]
        ).encode()
    if path.suffix == ".html":
        return re.sub(
            rb"<td>[^<]*</td>|\d+(\.\d+)? (s|min|h|ms)\b", b"", content
        )  # one column is seconds
    if path.suffix in {".ckpt", ".pt"}:
        return _checkpoint(path)
    return content


def _without_seconds(value):
    if isinstance(value, dict):
        return {k: _without_seconds(v) for k, v in value.items() if not SECONDS.search(k)}
    return [_without_seconds(v) for v in value] if isinstance(value, list) else value


def _checkpoint(path: Path) -> bytes:
    """Return the weights, averages and the optimiser's state in a checkpoint."""
    import torch

    state = torch.load(path, weights_only=True)
    digest = hashlib.sha256()

    def add(value) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(value.contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key, inner in value.items():
                if not SECONDS.search(str(key)):
                    digest.update(str(key).encode())
                    add(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                add(inner)
        else:
            digest.update(repr(value).encode())

    add({k: v for k, v in state.items() if k not in {"provenance", "meter"}})
    return digest.digest()
