"""Importance weights: the running bound ends where the bound of all draws is, and begins at the ELBO."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.importance import curve_counts, effective_samples, log_importance_weights, running_bound
from textae.core.metrics import importance_nll


def test_the_curve_of_a_linear_gaussian_model_falls_to_the_likelihood():
    """x = z + noise: log p(x) is known, and the posterior is made too wide on purpose."""
    torch.manual_seed(0)
    from types import SimpleNamespace

    from textae.core.latent import DiagonalGaussian, gaussian_log_prob
    from textae.core.prior import StandardNormal

    x = torch.randn(4000, 2) * math.sqrt(2)
    model = SimpleNamespace(
        device=torch.device("cpu"), prior=StandardNormal(2), encode=lambda x: DiagonalGaussian(x / 2, torch.zeros(4000, 2)),
        nll=lambda z, x: (-gaussian_log_prob(x, z), None),
    )  # fmt: skip
    weights = log_importance_weights(model, {"x": x}, samples=200)
    curve = running_bound(weights, curve_counts(200)).mean(1)
    true = -gaussian_log_prob(x, logvar=torch.full((2,), math.log(2.0))).mean()
    assert weights.shape == (200, 4000) and (curve.diff() < 0.01).all()
    assert curve[-1].item() == pytest.approx(true.item(), abs=0.01) and curve[0] > true + 0.2


def test_both_ways_to_the_bound_agree(processor, new_model, sentences):
    model, batch = new_model(processor, scale=2.0), processor(sentences[:5])
    torch.manual_seed(1)
    weights = log_importance_weights(model, batch, samples=7, rows=10)
    torch.manual_seed(1)
    bound = importance_nll(model, batch, samples=7, rows=10)
    assert_close(running_bound(weights, [7])[0], bound.nll)
    assert_close(effective_samples(weights), bound.effective_samples)
    assert_close(running_bound(weights, [1])[0], -weights[0])


@pytest.mark.parametrize("samples, counts", [(1, [1]), (2, [1, 2]), (7, [1, 2, 5, 7]), (500, [1, 2, 5, 10, 20, 50, 100, 200, 500])])
def test_the_curve_ends_at_all_draws(samples, counts):
    assert curve_counts(samples) == counts


def test_no_draws_and_points_are_refused(processor, new_model, sentences):
    batch = processor(sentences[:2])
    with pytest.raises(ValueError, match="at least one draw"):
        log_importance_weights(new_model(processor), batch, samples=0)
    with pytest.raises(ValueError, match="no likelihood bound"):
        log_importance_weights(new_model(processor, posterior="point"), batch)
