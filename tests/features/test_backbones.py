"""RadImageNet's weights in Keras' layout, MedicalNet's dilations: held to plain implementations of both."""

import pytest
import torch
from torch import nn

from neuromf.features.backbones import (
    load_backbone,
    medicalnet,
    radimagenet,
    resnet,
    without_biases,
)
from neuromf.pretrained.statedict import load_strict


class Bottleneck(nn.Module):
    """Keras' block: a bias in every convolution, the stride in the first."""

    def __init__(self, inside, planes, stride):
        super().__init__()
        for i, (a, b, k, s) in enumerate(
            ((inside, planes, 1, stride), (planes, planes, 3, 1), (planes, 4 * planes, 1, 1)),
            start=1,
        ):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, k, s, k // 2, bias=True))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b, eps=1.001e-5))
        whole = stride != 1 or inside != 4 * planes
        shortcut = (
            nn.Conv2d(inside, 4 * planes, 1, stride),
            nn.BatchNorm2d(4 * planes, eps=1.001e-5),
        )
        self.downsample = nn.Sequential(*shortcut) if whole else None

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(
            self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x))
        )


class KerasResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64, eps=1.001e-5)
        inside = 64
        for i, (planes, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            layers = []
            for j in range(blocks):
                layers.append(Bottleneck(inside, planes, 2 if i > 1 and j == 0 else 1))
                inside = 4 * planes
            setattr(self, f"layer{i}", nn.Sequential(*layers))

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


def with_statistics(network, seed=0):
    """Give the norms statistics, so that they are not the identity."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.copy_(
                0.1 * torch.randn(module.running_mean.shape, generator=generator)
            )
            module.running_var.copy_(
                0.5 + torch.rand(module.running_var.shape, generator=generator)
            )
            with torch.no_grad():
                module.weight.copy_(
                    0.3 + 0.2 * torch.rand(module.weight.shape, generator=generator)
                )
    return network.eval()


@torch.no_grad()
def test_keras_weights_give_keras_features():
    torch.manual_seed(0)
    theirs = with_statistics(KerasResNet50())
    network, state = radimagenet(theirs.state_dict())
    load_strict(network, state, "theirs")
    x = torch.rand(2, 3, 61, 70)
    torch.testing.assert_close(network.eval()(x), theirs(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_torchvisions_layout_is_taken_as_it_is():
    torch.manual_seed(0)
    theirs = with_statistics(resnet(50, 2))
    network, state = radimagenet(theirs.state_dict())
    load_strict(network, state, "theirs")
    x = torch.rand(1, 3, 48, 48)
    torch.testing.assert_close(network.eval()(x), theirs(x))
    assert network.get_submodule("layer2.0.conv2").stride == (2, 2)


def test_a_state_without_counters_is_completed():
    state = {k: v for k, v in KerasResNet50().state_dict().items() if "num_batches" not in k}
    found = without_biases(state)
    assert "layer1.0.bn1.num_batches_tracked" in found
    assert not any(k.endswith("conv1.bias") for k in found)
    assert load_backbone("radimagenet", state, "state") is not None  # through the meta device, too


@pytest.mark.parametrize(("depth", "channels"), [(10, 512), (50, 2048)])
@torch.no_grad()
def test_medicalnet_keeps_an_eighth_of_the_resolution(depth, channels):
    network = with_statistics(medicalnet(depth))
    x = torch.rand(1, 1, 32, 40, 32)
    y = network.maxpool(network.act(network.bn1(network.conv1(x))))
    assert y.shape[2:] == (8, 10, 8)
    y = network.layer4(network.layer3(network.layer2(network.layer1(y))))
    assert y.shape == (1, channels, 4, 5, 4)  # dilated from the third layer on
    torch.testing.assert_close(network(x), y.mean((2, 3, 4)))
    assert network.get_submodule("layer3.0.conv2").dilation == (2, 2, 2)
    assert network.get_submodule("layer4.0.conv2").dilation == (4, 4, 4)
    assert network.get_submodule("layer2.0.conv2").dilation == (1, 1, 1)
