"""When a periodic callback is called, and that its time is not training time."""

import time
from types import SimpleNamespace

from neuromf.training.bar import Bar
from neuromf.training.callback import PeriodicCallback
from neuromf.training.log import Log


class Counting(PeriodicCallback):
    seen = told = 0

    def observe(self, loop):
        self.seen = [*(self.seen or []), loop.state.update]
        time.sleep(0.01)

    def after(self, trainer, loop):
        self.told += 1


def watched(tmp_path, every, first=True):
    callback = Counting(Log(tmp_path, 1, 2), Bar(), every, 7)
    trainer = SimpleNamespace(is_global_zero=first, should_stop=False)
    for update in range(1, 8):
        loop = SimpleNamespace(state=SimpleNamespace(update=update))
        callback.on_train_batch_end(trainer, loop, None, None, update - 1)
    return callback


def test_every_so_many_updates_and_after_the_last(tmp_path):
    assert watched(tmp_path, 3).seen == [3, 6, 7]
    never = watched(tmp_path, 0)
    assert never.seen == 0
    assert never.run_log.observed == 0


def test_other_processes_are_told_and_do_not_look(tmp_path):
    callback = watched(tmp_path, 3, first=False)
    assert callback.seen == 0
    assert callback.told == 3


def test_its_time_is_taken_out(tmp_path):
    assert watched(tmp_path, 3).run_log.observed >= 0.03
