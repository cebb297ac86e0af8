import pytest

from neuromf.flow import MeanFlow
from support import batch, mlp


@pytest.fixture
def evaluated():
    objective = MeanFlow()
    terms = objective.terms(mlp(), *batch(4, 3))
    return terms, objective.loss(terms)


def test_only_what_is_regressed_carries_the_gradient(evaluated):
    """The stop-gradient of the objective: of V = u + (t - r) sg(du/dt), u alone is learned."""
    terms, _ = evaluated
    with_gradient = {k for k, v in terms._asdict().items() if v is not None and v.requires_grad}
    assert with_gradient == {"u", "compound"}


def test_of_a_loss_only_the_total_is_minimised(evaluated):
    _, loss = evaluated
    assert {k for k, v in loss._asdict().items() if v is not None and v.requires_grad} == {"total"}
