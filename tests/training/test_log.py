"""One row of the log is the mean over its updates, whatever they are cut into."""

import csv
import time
from dataclasses import replace

import pytest

from neuromf.training import command
from neuromf.training.log import Log
from training.support import tiny_config


def rows(out):
    with (out / "log.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_rows_are_means_of_shorter_rows(tmp_path, store):
    command.run(tiny_config(store, updates=6, log_every=1), tmp_path / "each")
    command.run(tiny_config(store, updates=6, log_every=3), tmp_path / "three")
    each, three = rows(tmp_path / "each"), rows(tmp_path / "three")
    assert [int(r["update"]) for r in three] == [1, 3, 6]
    for name in ("raw", "gradient_norm"):
        values = [float(r[name]) for r in each]
        assert float(three[0][name]) == pytest.approx(values[0], rel=1e-5)
        assert float(three[1][name]) == pytest.approx(sum(values[1:3]) / 2, rel=1e-4)
        assert float(three[2][name]) == pytest.approx(sum(values[3:]) / 3, rel=1e-4)


def test_the_learning_rate_is_that_of_the_update(tmp_path, store):
    config = tiny_config(store, updates=4)
    warm = replace(config.optimiser, warmup=4)
    command.run(replace(config, optimiser=warm), tmp_path / "run")
    assert [float(r["lr"]) for r in rows(tmp_path / "run")] == pytest.approx(
        [1e-3 * n / 4 for n in (1, 2, 3, 4)]
    )


def test_a_pause_is_no_training_time(tmp_path):
    log = Log(tmp_path, 1, 2)
    with log.pause():
        time.sleep(0.02)
    assert log.observed >= 0.02
