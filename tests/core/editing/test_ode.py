"""The probability flow: closed forms under a linear classifier, and draws whose distribution is known."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.editing import OdeEdit

LINE = {"a": ([[-1.0, 0, 0], [1, 0, 0]], [0.8, 0.0])}  # log-odds of a1: 2 x - 0.8
TWO = {"a": LINE["a"], "b": ([[0.5, 1.0, 0], [0, -1, 0.5], [0, 0, -1]], [0.0, 0.3, 0])}
NUM = 1000


def test_without_targets_draws_stay_standard_normal(fitted):
    z = OdeEdit(fitted).sample(20_000, {}, seed=1)
    assert z.shape == (20_000, 5) and z.dtype == torch.float32
    assert_close(z.mean(0), torch.zeros(5), atol=0.03, rtol=0)
    assert_close(torch.cov(z.T), torch.eye(5), atol=0.04, rtol=0)


@pytest.mark.parametrize("classifier", ["probe", "mlp"])
def test_the_frozen_flow_has_a_closed_form(classifier, by_hand):
    """ds/dτ = ‖w‖² σ(-s) for log-odds s, so s + e^s grows by ‖w‖² τ; here τ = 5.025 and ‖w‖² = 4."""
    editor = OdeEdit(by_hand(LINE), classifier=classifier, steps=400)
    assert editor.clock(1) == pytest.approx(5.025) and editor.clock(0) == 0
    z = torch.tensor([[-2.0, 0.3, 1], [0, -1, 2], [1.5, 0, 0]], dtype=torch.float64)
    moved = editor(z, {"a": "a1"}, 0.7)
    before, after = 2 * z[:, 0] - 0.8, 2 * moved[:, 0] - 0.8
    assert_close(after + after.exp(), before + before.exp() + 0.7 * 4 * 5.025, atol=2e-3, rtol=0)
    assert_close(moved[:, 1:], z[:, 1:])


def test_halving_the_step_quarters_the_error(by_hand):
    codes, z = by_hand(LINE), torch.tensor([[-1.0, 0, 0]], dtype=torch.float64)
    exact = OdeEdit(codes, steps=800, classifier="probe")(z, {"a": "a1"})
    errors = [(OdeEdit(codes, steps=n, classifier="probe")(z, {"a": "a1"}) - exact).abs().max() for n in (50, 100)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def test_beta_only_sets_the_clock(by_hand):
    codes, z = by_hand(LINE), torch.tensor([[-1.5, 0, 0], [-0.5, 1, 2], [0.5, 0, 0]])
    one, other, longer = (OdeEdit(codes, beta_min=a, beta_max=b) for a, b in ((1, 3), (2, 2), (3, 3)))
    assert one.clock(1) == other.clock(1) == 1.0 and one.clock(0.5) == 0.375
    assert_close(one(z, {"a": "a1"}), other(z, {"a": "a1"}), atol=1e-3, rtol=0)
    assert (longer(z, {"a": "a1"})[:, 0] > other(z, {"a": "a1"})[:, 0] + 0.01).all()


def test_frozen_draws_are_of_the_class(by_hand):
    codes = by_hand(TWO)
    z = OdeEdit(codes, steps=60).sample(1000, {"a": -1, "b": "b2"}, seed=2)
    assert (codes.probabilities(z, "a").argmax(1) == 0).double().mean() > 0.98
    assert (codes.probabilities(z, "b").argmax(1) == 2).double().mean() > 0.98


@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_exact_draws_follow_the_class_conditional_density(strength, by_hand):
    """p(z|a) ∝ N(z; 0, I) σ(2 x - 0.8)^k: share of the class, mean and variance by integration; the other dimensions N(0, 1)."""
    codes = by_hand(LINE)
    x = torch.linspace(-8, 8, 8001, dtype=torch.float64)
    density = torch.exp(-(x**2) / 2) * torch.sigmoid(2 * x - 0.8) ** strength
    density /= density.sum()
    mean = (density * x).sum().item()
    spread = math.sqrt((density * (x - mean) ** 2).sum().item())
    share = density[2 * x > 0.8].sum().item()
    z = (
        OdeEdit(codes, classifier="probe", guidance="exact", steps=25)
        .sample(NUM, {"a": "a1"}, strength=strength)
        .double()
    )
    start = torch.randn(NUM, 3, generator=torch.Generator().manual_seed(0))
    assert z[:, 0].mean() - start[:, 0].mean() * spread == pytest.approx(mean, abs=0.03)
    assert z[:, 0].std().item() == pytest.approx(spread, rel=0.06)
    assert (2 * z[:, 0] > 0.8).double().mean().item() == pytest.approx(share, abs=0.04)
    assert_close(z[:, 1:], start[:, 1:].double(), atol=1e-5, rtol=0)
    # The flow is monotone in one dimension, so it maps quantiles to quantiles: the strongest form of the claim.
    quantile = torch.special.ndtr(start[:, 0].double())
    exact = x[torch.searchsorted(density.cumsum(0), quantile).clamp_max(8000)]
    middle = (quantile > 0.01) & (quantile < 0.99)
    assert_close(z[middle, 0], exact[middle], atol=0.04, rtol=0)


def test_exact_draws_of_several_attributes_have_the_moments_of_weighted_prior_draws(by_hand):
    codes = by_hand(TWO)
    targets = {"a": "a1", "b": "b0"}
    z = OdeEdit(codes, classifier="probe", guidance="exact", steps=15).sample(NUM, targets).double()
    prior = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    weights = codes.probabilities(prior, "a")[:, 1] * codes.probabilities(prior, "b")[:, 0]
    weights /= weights.sum()
    mean = weights @ prior
    covariance = (prior - mean).T @ (weights[:, None] * (prior - mean))
    assert_close(z.mean(0), mean, atol=0.09, rtol=0)
    assert_close(torch.cov(z.T), covariance, atol=0.12, rtol=0)
    for name, index in (("a", 1), ("b", 0)):
        agreed = weights @ (codes.probabilities(prior, name).argmax(1) == index).double()
        assert (codes.probabilities(z, name).argmax(1) == index).double().mean().item() == pytest.approx(
            agreed.item(), abs=0.04
        )


def test_exact_guidance_differentiates_and_is_the_same_in_parts(by_hand, monkeypatch):
    codes = by_hand(TWO)
    editor = OdeEdit(codes, classifier="probe", guidance="exact", steps=3)
    z = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: editor(z, {"a": "a1", "b": "b2"}), (z,))
    whole = editor(z.detach(), {"a": "a1"})
    monkeypatch.setattr("textae.core.editing.ode.ROWS", 2)
    assert_close(editor(z.detach(), {"a": "a1"}), whole)


def test_a_probe_that_knows_nothing_moves_nothing(by_hand):
    codes, z = by_hand({"a": ([[0.3, 0.0], [0.3, 0.0]], [0.0, 0.5])}), torch.randn(3, 2)
    for guidance in ("frozen", "exact"):
        assert_close(OdeEdit(codes, classifier="probe", guidance=guidance, steps=3)(z, {"a": "a1"}), z)


def test_draws_are_a_function_of_the_seed(fitted):
    editor = OdeEdit(fitted, steps=5)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = editor.sample(6, {"tense": "past"}, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(editor.sample(6, {"tense": "past"}, seed=4), first)
    assert not torch.equal(editor.sample(6, {"tense": "past"}, seed=5), first)
    assert_close(editor(editor.sample(6, {}, seed=4), {"tense": "past"}), first)


def test_bad_options_are_refused(fitted):
    for options, message in [
        ({"guidance": "none"}, "guidance is 'none'; it must be one of frozen, exact"),
        ({"guidance": "exact"}, "set classifier=probe"),
        ({"beta_min": -1}, "beta goes from -1"),
        ({"beta_max": 0.05}, "must not fall"),
        ({"beta_min": 0, "beta_max": 0}, "beta goes from 0 to 0"),
        ({"steps": 0}, "steps is 0"),
        ({"classifier": "svm"}, "no classifier of codes 'svm'"),
    ]:
        with pytest.raises(ValueError) as error:
            OdeEdit(fitted, **options)
        assert message in str(error.value)
    with pytest.raises(ValueError, match="num is 0"):
        OdeEdit(fitted).sample(0, {"tense": "past"})
    with pytest.raises(ValueError, match="no attribute 'tens'"):
        OdeEdit(fitted).sample(2, {"tens": "past"})
