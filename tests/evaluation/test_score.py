import json
import math
from dataclasses import replace

import torch

from neuromf.evaluation.score import Beside, Score, finite
from neuromf.metrics.intervals import Interval


def test_json_knows_no_infinity():
    score = Score("a/psnr", "PSNR", math.inf, 3, 4, "higher", Interval(1.0, math.nan))
    record = json.loads(
        json.dumps(score.with_beside(real=Beside(1.0, math.nan, 3, 3), samples=None).to_json())
    )
    assert record["value"] is None
    assert record["interval"] == [1.0, None]
    assert record["beside"] == {"real": {"mean": 1.0, "std": None, "n": 3, "reference": 3}}
    assert finite(2.5) == 2.5


def test_few_volumes_have_neither_intervals_nor_p():
    score = Score("a/kid", "KID", 0.1, 16, 3, interval=Interval(0.0, 0.2), replicates=torch.rand(9))
    few, enough = score.supported(), replace(score, m=5).supported()
    assert (few.interval, few.replicates) == (None, None)  # differences are taken from replicates
    assert enough.interval == Interval(0.0, 0.2)
    assert few.value == score.value
