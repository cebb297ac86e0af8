"""Gradients over two processes equal those of one, iteration after iteration."""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from neuromf.flow import MeanFlow
from support import batch, gradients, relative, tiny_unet


class Whole(nn.Module):
    """Holds the network and the whole loss: the jvp runs on the raw network, inside what DDP wraps."""

    def __init__(self, net: nn.Module, objective: MeanFlow) -> None:
        super().__init__()
        self.net, self.objective = net, objective

    def forward(self, *inputs):
        return self.objective.loss(self.objective.terms(self.net, *inputs)).total


def train(
    module: nn.Module, net: nn.Module, rows: slice, iterations: int = 3
) -> list[torch.Tensor]:
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05)
    found = []
    for seed in range(iterations):
        optimiser.zero_grad()
        module(*(tensor[rows] for tensor in batch(4, 4, 4, 4, 4, seed=seed))).backward()
        found.append(gradients(net).clone())
        optimiser.step()
    return found


WAYS = ("exact", "two-stream")


def worker(rank: int, port: int, out) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    rows = slice(2 * rank, 2 * rank + 2)
    found = {}
    for way in WAYS:
        net = tiny_unet(checkpointing=way == "two-stream")
        module = DistributedDataParallel(Whole(net, MeanFlow(jvp=way)))
        found[way] = [gradient.numpy() for gradient in train(module, net, rows)]
    if rank == 0:
        out.put(found)
    dist.destroy_process_group()


def test_two_processes_have_the_gradient_of_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    out = context.SimpleQueue()
    running = mp.spawn(worker, (port, out), nprocs=2, join=False)
    found = out.get()
    running.join()
    for way in WAYS:
        net = tiny_unet()
        expected = train(Whole(net, MeanFlow(jvp=way)), net, slice(None))
        assert len(found[way]) == 3
        for ours, alone in zip(found[way], expected, strict=True):
            assert relative(torch.from_numpy(ours), alone) < 1e-10, way
