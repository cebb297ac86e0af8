"""ResNets with published weights, used as feature extractors: RadImageNet on slices,
MedicalNet on volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from neuromf.pretrained.statedict import load_strict

KERAS_EPS = 1.001e-5  # of the batch norms of Keras' ResNets


def load_backbone(name: str, state: Mapping[str, Tensor], what: str) -> nn.Module:
    """Return a frozen network with published weights: radimagenet, medicalnet10 or medicalnet50.

    Raises WeightsError if the state does not fit the network.
    """
    with torch.device("meta"):
        if name == "radimagenet":
            network, state = radimagenet(state)
        else:
            network = medicalnet(int(name.removeprefix("medicalnet")))
    network.to_empty(device="cpu")
    load_strict(network, state, what)
    return network.eval().requires_grad_(False)


def radimagenet(state: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
    """Return RadImageNet's ResNet50 (Mei 2022, doi 10.1148/ryai.210315) without weights, and its
    state converted for it.

    The published weights come from Keras: biases before batch norms, which are merged into the
    norms' means, and strides in the first convolution of a block. A state without biases is taken
    to be torchvision's.
    """
    network = resnet(50, 2)
    state = dict(state)
    if "conv1.bias" in state:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = KERAS_EPS
        for layer in ("layer2", "layer3", "layer4"):
            first: Any = network.get_submodule(f"{layer}.0")
            first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
        state = without_biases(state)
    return network, state


def without_biases(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a ResNet's state in which the bias of each convolution is subtracted from the running
    mean of the norm after it.
    """
    out = dict(state)
    for key in [
        k
        for k in state
        if k.endswith(".bias") and state[k.removesuffix("bias") + "weight"].ndim == 4
    ]:
        name = key.removesuffix(".bias")
        norm = name[:-1] + "1" if name.endswith("downsample.0") else name.replace("conv", "bn")
        out[f"{norm}.running_mean"] = out[f"{norm}.running_mean"] - out.pop(key)

    for key in [k for k in out if k.endswith("running_mean")]:
        out.setdefault(
            key.replace("running_mean", "num_batches_tracked"), torch.tensor(0, device="cpu")
        )

    return out


def medicalnet(depth: int) -> nn.Module:
    """Return MedicalNet's 3D ResNet (arXiv 1904.00625) without weights: dilated, not strided, in
    layers 3 and 4.
    """
    network = resnet(depth, 3)
    for layer, dilation in (("layer3", 2), ("layer4", 4)):
        for module in network.get_submodule(layer).modules():
            if isinstance(module, nn.Conv3d):
                module.stride = (1, 1, 1)
                if module.kernel_size == (3, 3, 3):
                    module.dilation = module.padding = (dilation,) * 3
    return network


def resnet(depth: int, dimensions: int) -> nn.Module:
    """Return a ResNet of MONAI's, without its last layer."""
    from monai.networks import nets

    return getattr(nets, f"resnet{depth}")(
        spatial_dims=dimensions,
        n_input_channels=3 if dimensions == 2 else 1,
        feed_forward=False,
        conv1_t_stride=2,
        shortcut_type="B",
        bias_downsample=False,
    )
