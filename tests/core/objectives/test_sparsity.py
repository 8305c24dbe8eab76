"""Sparsity and weight penalties in closed form."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import DiagonalGaussian, PointPosterior
from textae.core.objectives import TERMS, L1Weights, L2Weights, Objective, Sparsity


def output_of(mean):
    return AutoencoderOutput(torch.zeros(len(mean)), PointPosterior(mean), mean, torch.ones(len(mean)))


def test_l1_is_the_sum_over_dimensions_of_each_code():
    mean = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.5, -3.0]], requires_grad=True)
    said = Sparsity()(None, output_of(mean), {}, 0)
    assert_close(said.value, torch.tensor([3.0, 4.0]))
    said.loss.sum().backward()
    assert_close(mean.grad, mean.detach().sign())


def test_l1_reads_the_mean_of_a_gaussian():
    q = DiagonalGaussian(torch.ones(2, 3), torch.zeros(2, 3))
    said = Sparsity()(None, AutoencoderOutput(torch.zeros(2), q, 9 * torch.ones(2, 3), torch.ones(2)), {}, 0)
    assert_close(said.value, torch.full((2,), 3.0))


@pytest.mark.parametrize("target", [0.05, 0.3])
def test_kl_compares_the_batch_mean_of_every_unit_with_the_target(target):
    torch.manual_seed(0)
    code = torch.rand(12, 5)
    said = Sparsity(kind="kl", target=target)(None, output_of(code), {}, 0)
    assert_close(said.value, kl_divergence(Bernoulli(torch.tensor(target)), Bernoulli(code.mean(0))).sum())


def test_kl_lets_single_examples_use_many_units():
    """Half of the examples all on, half all off, is on target; every code at 0.5 is as well; all on is not."""
    def cost(code):
        return Sparsity(kind="kl", target=0.5)(None, output_of(code), {}, 0).value.item()

    assert cost(torch.tensor([[1.0, 1.0], [0.0, 0.0]])) == pytest.approx(0, abs=1e-6)
    assert cost(torch.full((2, 2), 0.5)) == pytest.approx(0, abs=1e-6)
    assert cost(torch.full((2, 2), 0.9)) == pytest.approx(2 * (0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)))


def test_kl_pushes_every_unit_to_its_rate_and_stays_finite_at_the_edges():
    code = torch.tensor([[0.9, 0.01], [0.7, 0.03]], requires_grad=True)
    Sparsity(kind="kl", target=0.05)(None, output_of(code), {}, 0).loss.backward()
    assert (code.grad[:, 0] > 0).all() and (code.grad[:, 1] < 0).all()
    for value in (0.0, 1.0):
        code = torch.full((3, 2), value, requires_grad=True)
        said = Sparsity(kind="kl")(None, output_of(code), {}, 0)
        said.loss.backward()
        assert said.value.isfinite() and code.grad.isfinite().all()


def test_kl_makes_a_model_sparse(new_toy, train):
    model = new_toy(latent_dim=8, code_activation="sigmoid")
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    assert model.encode(x).mean.mean() > 0.3
    train(model, Objective.from_config({"reconstruction": 0.1, "sparsity": {"kind": "kl", "target": 0.1, "weight": 3.0}}, TERMS), lambda _: {"x": x}, 300, lr=0.01)
    rates = model.encode(x).mean.mean(0)
    assert_close(rates, torch.full((8,), 0.1), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    "options, changes, message",
    [({"kind": "l2"}, {}, "kind is 'l2'; it must be l1 or kl"),
     ({"kind": "kl", "target": 0}, {}, "target is 0; a rate lies between 0 and 1"),
     ({"kind": "kl", "target": 1.5}, {}, "target is 1.5"),
     ({"target": 0.1}, {}, "target is the rate of kind=kl"),
     ({"kind": "kl"}, {}, "needs codes between 0 and 1: set model.code_activation=sigmoid")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(options, changes, message, new_toy):
    with pytest.raises(ValueError, match=message):
        Objective.from_config({"reconstruction": None, "sparsity": options}, TERMS).bind(new_toy(**changes))


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_codes_beyond_zero_and_one_are_refused(value):
    code = torch.full((2, 2), 0.5)
    code[1, 0] = value
    with pytest.raises(ValueError, match="codes between 0 and 1, and this model's go beyond"):
        Sparsity(kind="kl")(None, output_of(code), {}, 0)


# --- weights ------------------------------------------------------------------------------------------------------


def test_penalties_sum_over_all_weight_matrices_and_no_biases(new_toy):
    model = new_toy()
    layers = [model.encoder[0], model.head.mean, model.decoder[0], model.decoder[2]]
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
    for term, total, slope in ((L1Weights(), weights.abs().sum(), torch.sign), (L2Weights(), weights.square().sum(), lambda w: 2 * w)):
        said = term(model, None, {}, 0)
        assert_close(said.value, total)
        model.zero_grad()
        said.loss.backward()
        assert all(layer.bias.grad is None for layer in layers)
        for layer in layers:
            assert_close(layer.weight.grad, slope(layer.weight.detach()))


def test_shared_weights_count_once_and_frozen_ones_not(processor, new_model):
    """Tied embeddings are one matrix; a fitted prior is no part of the autoencoder's weights."""
    model = new_model(processor, prior="flow", prior_options={"layers": 2, "hidden_dim": 8})
    expected = sum(p.square().sum() for n, p in model.named_parameters() if p.dim() > 1 and not n.startswith("prior."))
    assert "decoder.embed.weight" in dict(model.named_parameters()) and model.decoder.output is None
    assert_close(L2Weights()(model, None, {}, 0).value, expected.detach())
