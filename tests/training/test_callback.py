"""When a look is taken, and that its time is not training time."""

import time
from types import SimpleNamespace

import torch

from neuromf.training.callback import Look
from neuromf.training.log import Meter
from neuromf.training.loop import MeanFlowModule
from support import tiny_unet
from training.support import tiny_config


class Counting(Look):
    def __init__(self, meter, every):
        super().__init__(meter)
        self.every, self.seen, self.told = every, [], 0

    def look(self, module):
        self.seen.append(module.update)
        time.sleep(0.01)

    def after(self, trainer, module):
        self.told += 1


def looks(tmp_path, store, every, first=True):
    config = tiny_config(store, updates=7, accumulate=2)
    module, meter = MeanFlowModule(tiny_unet(torch.float32), config), Meter(tmp_path, config)
    look = Counting(meter, every)
    for number in range(14):
        module.update += number % 2
        look.on_train_batch_end(
            SimpleNamespace(is_global_zero=first, should_stop=False), module, None, None, number
        )
    return look, meter


def test_every_so_many_updates_and_after_the_last(tmp_path, store):
    assert looks(tmp_path, store, 3)[0].seen == [3, 6, 7]
    look, meter = looks(tmp_path, store, 0)
    assert look.seen == []
    assert meter.observed == 0


def test_other_processes_are_told_and_do_not_look(tmp_path, store):
    look, _ = looks(tmp_path, store, 3, first=False)
    assert look.seen == []
    assert look.told == 3


def test_its_time_is_taken_out(tmp_path, store):
    assert looks(tmp_path, store, 3)[1].observed >= 0.03
