"""The loss of the VAE is the sum of its parts, through a draw of the posterior."""

import torch
import torch.nn.functional as F

from neuromf.training.patches import PatchBatch
from neuromf.training.vae_config import TrainVAEConfig
from neuromf.training.vae_task import VAETask
from support import TINY_VAE, tiny_vae_network


def test_the_loss_is_the_sum_of_its_parts():
    config = TrainVAEConfig(network=TINY_VAE, gradient=0.5, kl=0.1)
    network = tiny_vae_network()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 1, 16, 16, 16, generator=generator)
    noise = torch.randn(2, 4, 4, 4, 4, generator=generator)
    task = VAETask(network, config)

    loss, sums = task.loss(PatchBatch(x, noise))
    found = task.means(sums.tolist())

    mean, sigma = network.encode(x)
    l1 = F.l1_loss(network.decode(mean + sigma * noise), x)
    kl = 0.5 * (mean**2 + sigma**2 - 2 * sigma.log() - 1).mean()
    torch.testing.assert_close(torch.tensor(found["l1"]).float(), l1.detach())
    torch.testing.assert_close(torch.tensor(found["kl"]).float(), kl.detach(), rtol=1e-4, atol=1e-6)
    total = found["l1"] + 0.5 * found["gradient"] + 0.1 * found["kl"]
    torch.testing.assert_close(loss.item(), total, rtol=1e-5, atol=1e-7)
    twice = task.means((2 * sums).tolist())
    assert twice == found  # sums of two batches, the same mean
