"""`neuromf deploy`: a model for programs that know nothing of this package."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from neuromf.autoencoder.components import LESION
from neuromf.generation import bundle
from neuromf.generation.deployed import Decoder, Step
from neuromf.generation.model import EMBEDDED, Model, load_model
from neuromf.runtime.config import ConfigError
from neuromf.runtime.files import atomic, write_bytes, write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run

OPSET = 21
LARGEST = 1.5e9  # bytes of weights in one ONNX file; torch writes larger ones into two
# of a node: where it is in our source
PLACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node")
NETWORK, DECODER, INPUTS = "network", "decoder", "inputs.json"
OUTPUT = Output(
    "deploy",
    (INPUTS, *(f"{name}.{end}" for name in (NETWORK, DECODER) for end in ("pt2", "onnx")),
     *bundle.FILES),
)  # fmt: skip


@dataclass(frozen=True)
class DeployConfig:
    """Which model, and for what."""

    model: str = EMBEDDED  # a model folder, `embedded`, or owner/name on the Hugging Face hub
    # torch: programs of torch.export; onnx: for ONNX Runtime; bundle: for monai.bundle
    format: Literal["torch", "onnx", "bundle"] = "torch"
    decoder: str = ""  # a VAE of the same latent space to decode with, if not the model's own


def run(config: DeployConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Write the network and the decoder of a model as programs for one sample in float32, and
    inputs.json, which says what they take; return `out`.

    Raises ConfigError for a model of pairs of image and mask, and where a package is missing.
    """
    if config.format == "onnx":
        check_onnx()
    model = load_model(config.model)
    if any(component.name == LESION for component in model.config.components):
        raise ConfigError(
            f"model={config.model} draws images with lesion masks: only models of images alone can "
            "be deployed"
        )
    if model.config.solver == "rflow":
        raise ConfigError(
            f"model={config.model} draws by the steps of MONAI's RFlowScheduler, which these "
            "programs do not know: convert it to few calls first (`neuromf train preset=maisi192`)"
        )
    step = Step(model.network, model.config).eval()
    decoder = Decoder(model.load_vae("cpu", name=config.decoder), model.config).eval()

    for module in (step, decoder):
        size = sum(4 * weight.numel() for weight in module.parameters())
        if config.format == "onnx" and size > LARGEST:
            raise ConfigError(
                f"format=onnx: {size / 1e9:.1f} GB of weights are more than one file may hold: "
                "format=torch has no such limit"
            )

    with open_run(out, config, OUTPUT, [config.model], resume=resume, overwrite=overwrite):
        if config.format == "bundle":
            bundle.write(out, model.config, model.sha256)
        folder = out / bundle.MODELS if config.format == "bundle" else out
        if config.format == "onnx":
            write_onnx(folder / f"{NETWORK}.onnx", step, inputs(step), "z_r")
            write_onnx(folder / f"{DECODER}.onnx", decoder, ["z"], "volume")
        else:
            write_program(folder / f"{NETWORK}.pt2", step)
            write_program(folder / f"{DECODER}.pt2", decoder)
        write_json(out / INPUTS, described(model, step))
        print(f"{folder}: {NETWORK} and {DECODER}; {out / INPUTS} says what they take")
    return out


def check_onnx() -> None:
    """Raise ConfigError where what writes ONNX is not installed."""
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ConfigError("format=onnx needs onnxscript: pip install 'neuromf[onnx]'") from None


def inputs(step: Step) -> list[str]:
    """Return the names of what the network's program takes, in order."""
    return ["z", "t", "r", *(f"condition_{name}" for name in step.names)]


def described(model: Model, step: Step) -> dict[str, Any]:
    """Return what the programs take and give."""
    config = model.config
    return {
        "model": config.name,
        "sha256": model.sha256,
        "network": {
            "z": "standard normal noise at t = 1, or what an earlier call returned",
            "t": "1, or the r of the call before",
            "r": "0 for a sample, or a time between 0 and t for one of several calls",
            "shape": [1, *config.shape],
        },
        "conditions": [asdict(v) | {"missing": "NaN"} for v in config.conditions.variables],
        "guidance": {
            "largest": config.conditions.guidance,
            "values": "scale, first t, last t; 1, 0, 1 is none",
        },
        "order": inputs(step),
        "calls": "one is enough" if config.solver == "average" else "a flow: 30 or so",
        "decoder": {"z": "a sample, at r = 0", "shape": [1, *config.shape]},
        "volume": {
            "shape": [1, 1, *(n * config.vae.factor for n in config.shape[1:])],
            "spacing_mm": list(config.spacing),
            "orientation": "RAS",
            "values": "from 0 to 1",
        },
    }


def write_program(path: Path, module: nn.Module) -> None:
    """Write a program of torch.export."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # a file's own name would be in it
    with quiet():
        torch.export.save(exported(module), content)
    write_bytes(path, content.getvalue())


def write_onnx(path: Path, module: nn.Module, inputs: Sequence[str], output: str) -> None:
    """Write a graph of ONNX, its weights within."""
    with quiet():
        program = torch.onnx.export(
            exported(module),
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=[output],
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # with dynamo
    for node in program.model.graph:
        node.metadata_props.clear()  # where each is in our source, on this machine
    with atomic(path) as temporary:
        program.save(str(temporary))


def exported(module: nn.Module) -> torch.export.ExportedProgram:
    """Return a module as a graph for one sample, without the places of its source."""
    arguments: tuple[Tensor, ...] = module.example()  # type: ignore[operator]
    with torch.no_grad(), quiet():
        program = torch.export.export(module, arguments, strict=False)
    graphs = [m.graph for m in program.graph_module.modules() if isinstance(m, GraphModule)]
    for node in (node for graph in graphs for node in graph.nodes):
        for key in PLACES:
            node.meta.pop(key, None)
    return program


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep from the terminal what torch says of its own parts while it exports."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
