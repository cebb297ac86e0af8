"""The table of all metrics: scores, references, tables, plots and p values follow from it.

To add a metric, add a `Metric` to the table of the comparison that it is computed from.
"""

from __future__ import annotations

from typing import Any

from neuromf.evaluation.feature_metrics import FEATURE_METRICS
from neuromf.evaluation.lesion_copies import MASK_COPIES_METRICS
from neuromf.evaluation.lesion_metrics import LESION_METRICS
from neuromf.evaluation.lesion_quantities import QUANTITY_METRICS
from neuromf.evaluation.likeness import LIKENESS_METRICS
from neuromf.evaluation.memorisation import TRAINING_METRICS
from neuromf.evaluation.metric import Comparison, Metric
from neuromf.evaluation.region_metrics import REGION_METRICS
from neuromf.evaluation.score import Score
from neuromf.evaluation.volume_metrics import VOLUME_METRICS

METRICS: tuple[Metric[Any], ...] = (
    *FEATURE_METRICS,
    *LIKENESS_METRICS,
    *VOLUME_METRICS,
    *REGION_METRICS,
    *TRAINING_METRICS,
    *LESION_METRICS,
    *QUANTITY_METRICS,
    *MASK_COPIES_METRICS,
)


def metrics_of(comparison: Comparison) -> list[Metric[Any]]:
    """Return the metrics that are computed from a comparison."""
    return [metric for metric in METRICS if metric.of is type(comparison)]


def scores(comparison: Comparison) -> list[Score]:
    """Return every metric that is defined for a comparison, with its interval and references."""
    found = (metric.score(comparison) for metric in metrics_of(comparison))
    return [score for score in found if score is not None]


def point_estimates(comparison: Comparison) -> dict[str, float]:
    """Return key -> value of every metric that is defined for a comparison."""
    values = {m.name(comparison): m.value(comparison) for m in metrics_of(comparison)}
    return {key: value for key, value in values.items() if value is not None}
