"""Weights that steer: alg. 1 by hand, limits, and a run that is stopped and resumed with its state."""

import math

import pytest
import torch

from textae.core.controllers import CONTROLLERS, PI, MinimumRate
from textae.core.objectives import TERMS, Objective

pytestmark = pytest.mark.filterwarnings("ignore:posterior collapse")
OBJECTIVES = {
    "pi": {"schedule": "pi", "target": 2.0, "ki": 0.003},
    "minimum_rate": {"schedule": "minimum_rate", "target": 2.0, "rate": 0.01},
}


def test_pi_follows_the_paper_by_hand():
    controller, integral = PI(target=3.0, kp=0.1, ki=0.02, least=0.05, most=0.9), 0.0
    weight = 0.05
    assert controller(0) == 0.05
    for value in (5.0, 6.5, 2.0, 3.0, 9.0):
        error = 3.0 - value
        if (weight > 0.05 or error < 0) and (weight < 0.9 or error > 0):
            integral -= 0.02 * error
        weight = min(max(0.1 / (1 + math.exp(error)) + integral + 0.05, 0.05), 0.9)
        controller.observe(torch.tensor(value))
        assert controller(123) == pytest.approx(weight, abs=1e-12)


def test_the_integral_does_not_wind_up_at_a_limit():
    """Ten thousand batches at the upper limit are forgotten as soon as the value is too small."""
    controller = PI(target=1.0, kp=0.0, ki=0.01)
    for _ in range(10_000):
        controller.observe(torch.tensor(5.0))
    assert controller(0) == 1.0 and controller.integral < 1.05
    for _ in range(60):
        controller.observe(torch.tensor(0.0))
    assert controller(0) < 0.5


def test_pi_holds_a_plant_at_its_target():
    """A KL that falls with its weight, kl = 8 (1 - w): the weight must find 0.625."""
    controller = PI(target=3.0, kp=0.01, ki=0.01)
    for _ in range(3000):
        controller.observe(torch.tensor(8 * (1 - controller(0))))
    assert 8 * (1 - controller(0)) == pytest.approx(3.0, abs=0.02)


def test_minimum_rate_charges_in_full_what_reaches_it():
    controller = MinimumRate(target=2.0, rate=0.1)
    assert controller(0) == 1.0
    controller.observe(torch.tensor(0.5))
    assert controller(0) == pytest.approx(0.85)
    for _ in range(100):
        controller.observe(torch.tensor(0.0))
    assert controller(0) == 0.0
    for _ in range(100):
        controller.observe(torch.tensor(2.5))
    assert controller(0) == 1.0


def test_a_value_that_is_none_leaves_the_state_whole():
    controller = PI(target=1.0)
    controller.observe(torch.tensor(3.0))
    before = controller(0), controller.integral.item()
    controller.observe(torch.tensor(float("nan")))
    assert (controller(0), controller.integral.item()) == before


@pytest.mark.parametrize("name", CONTROLLERS)
def test_an_objective_moves_it_in_training_alone_and_charges_by_it(name, processor, new_model, sentences):
    steered = {**OBJECTIVES[name], "target": 1e-3 if name == "pi" else 2.0}  # both far from the KL of a model that has learned nothing
    objective = Objective.from_config({"reconstruction": None, "kl": {"weight": steered}}, TERMS)
    model, batch = new_model(processor), processor(sentences[:4])
    objective.bind(model)
    output = model(**batch)
    objective.eval()
    before = objective.weights(0)["kl"]
    loss, logs = objective(model, output, batch, 0)
    assert objective.weights(0)["kl"] == before
    objective.train()
    for _ in range(3):
        loss, logs = objective(model, output, batch, 0)
    assert objective.weights(0)["kl"] != before and objective.players() == {}
    assert loss.item() == pytest.approx(logs["reconstruction"].item() + objective.weights(0)["kl"] * logs["kl"].item(), rel=1e-6)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_resumed_run_equals_the_unbroken_one(name, new_trainer, tmp_path):
    objective = {"reconstruction": None, "kl": {"weight": OBJECTIVES[name]}}
    whole = new_trainer(tmp_path / "whole", objective, epochs=2, save_every=4)
    whole.fit()
    first = new_trainer(tmp_path / "parts", objective, epochs=2, save_every=4)
    states = tmp_path / "parts" / "state"
    original = first.save

    def save():
        original()
        if first.state.step == 8:
            raise KeyboardInterrupt

    first.save = save
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    assert sorted(p.name for p in states.iterdir())[-1] == "step-00000008"
    resumed = new_trainer(tmp_path / "parts", objective, epochs=2, save_every=4)
    resumed.fit(resume=True)
    assert resumed.objective.weights(0) == whole.objective.weights(0) != {"reconstruction": 1.0, "kl": 0.0}
    assert all(torch.equal(t, whole.model.state_dict()[n]) for n, t in resumed.model.state_dict().items())


@pytest.mark.parametrize(
    "make, message",
    [(lambda: PI(-1.0), "target is -1"), (lambda: PI(1.0, ki=0), "ki=0 must be above 0"), (lambda: PI(1.0, kp=-1), "kp=-1 cannot be negative"),
     (lambda: PI(1.0, least=0.5, most=0.5), "0 <= least < most"), (lambda: PI(1.0, least=-1), "least=-1"), (lambda: MinimumRate(1.0, rate=0), "rate is 0")],
)  # fmt: skip
def test_settings_that_cannot_steer(make, message):
    with pytest.raises(ValueError, match=message):
        make()
