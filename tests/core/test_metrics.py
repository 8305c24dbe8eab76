"""Bounds against a linear-Gaussian model whose likelihood is known; mutual information against brute force.

Shapes: B examples, D latent dimensions, X observed ones, K draws.
"""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from textae.core.autoencoder import Autoencoder, AutoencoderConfig
from textae.core.latent import DiagonalGaussian, PointPosterior, gaussian_log_prob
from textae.core.metrics import active_units, bound, importance_nll, kl_to_prior, mutual_information
from textae.core.prior import GaussianMixture

NOISE = 0.5


class Linear(Autoencoder):
    """x = W z + noise with orthogonal columns in W, so that the true posterior is diagonal; `blur` spoils q on purpose."""

    def __init__(self, blur=0.0, shift=0.0, kind="gaussian"):
        super().__init__(AutoencoderConfig(latent_dim=2, posterior=kind))
        self.weight = torch.nn.Parameter(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]]), requires_grad=False)
        self.blur, self.shift, self.kind, self.decoded = blur, shift, kind, []
        self.eval()

    def encode(self, x, **_):
        precision = 1 + self.weight.square().sum(0) / NOISE**2
        mean = (x @ self.weight / NOISE**2) / precision + self.shift
        if self.kind == "point":
            return PointPosterior(mean)
        return DiagonalGaussian(mean, (-precision.log() + self.blur).expand_as(mean))

    def nll(self, z, *, x, **_):
        self.decoded.append(len(z))
        logvar = torch.full_like(x, 2 * math.log(NOISE))
        return -gaussian_log_prob(x, z @ self.weight.T, logvar), torch.full((len(z),), 3)

    def generate(self, latents, **_):
        return latents @ self.weight.T

    def true_nll(self, x):
        covariance = self.weight @ self.weight.T + NOISE**2 * torch.eye(3)
        return -MultivariateNormal(torch.zeros(3), covariance).log_prob(x)


@pytest.fixture
def x():
    torch.manual_seed(0)
    z = torch.randn(40, 2)
    return z @ Linear().weight.T + NOISE * torch.randn(40, 3)


@pytest.mark.parametrize("samples", [1, 2, 50])
def test_the_true_posterior_gives_the_true_likelihood_with_any_number_of_draws(x, samples):
    model = Linear()
    result = importance_nll(model, {"x": x}, samples)
    assert_close(result.nll.float(), model.true_nll(x), atol=1e-4, rtol=1e-4)
    assert_close(result.effective_samples, torch.full((40,), float(samples)).double(), rtol=1e-3, atol=0)


def test_a_poor_posterior_bounds_it_from_above_and_tightens(x):
    model = Linear(blur=1.0, shift=0.1)
    truth = model.true_nll(x).mean().item()
    torch.manual_seed(0)
    seen = [importance_nll(model, {"x": x.repeat(20, 1)}, k).nll.mean().item() for k in (1, 5, 25, 1000)]
    assert seen == sorted(seen, reverse=True) and seen[0] > truth + 0.3
    assert seen[-1] == pytest.approx(truth, abs=0.02)


def test_one_draw_is_the_elbo_of_that_draw(x):
    model = Linear(blur=0.7)
    torch.manual_seed(3)
    ours = importance_nll(model, {"x": x}, 1).nll
    torch.manual_seed(3)
    z = model.encode(x).sample(1)[0]
    expected = model.nll(z, x=x)[0] + model.encode(x).log_prob(z) - gaussian_log_prob(z)
    assert_close(ours.float(), expected)


@pytest.mark.parametrize("rows", [1, 7, 40, 41, 100, 4096])
@pytest.mark.parametrize("samples", [1, 10, 13])
def test_exactly_k_draws_are_used_whatever_the_memory(x, samples, rows):
    model = Linear(blur=0.5)
    torch.manual_seed(0)
    result = importance_nll(model, {"x": x}, samples, rows=rows)
    assert sum(model.decoded) == samples * 40 and max(model.decoded) <= max(rows, 40)
    assert result.nll.shape == (40,) and (result.effective_samples >= 1 - 1e-9).all()
    assert (result.effective_samples <= samples + 1e-9).all()
    if samples > 1:
        assert result.effective_samples.mean() < 0.99 * samples


def test_chunks_do_not_change_the_estimate(x):
    """One generator, the same numbers in the same order: a chunk boundary is no boundary of the bound."""
    model, seen = Linear(blur=0.7), []
    for rows in (40, 120, 4096):
        torch.manual_seed(1)
        seen.append(importance_nll(model, {"x": x}, 12, rows=rows).nll)
    assert_close(seen[0], seen[1])
    assert_close(seen[0], seen[2])


def test_impossible_requests_are_refused(x):
    with pytest.raises(ValueError, match="samples is 0"):
        importance_nll(Linear(), {"x": x}, 0)
    with pytest.raises(ValueError, match="point posterior has no likelihood bound"):
        importance_nll(Linear(kind="point"), {"x": x}, 5)


def test_a_fitted_prior_is_part_of_the_bound(x):
    """With the mixture that equals N(0, I) nothing changes; with a narrower one the likelihood is that model's."""
    model, prior = Linear(), GaussianMixture(2, 1)
    model.set_prior("mixture", prior, {"components": 1})
    assert_close(importance_nll(model, {"x": x}, 3).nll.float(), model.true_nll(x), atol=1e-4, rtol=1e-4)
    prior.scales.mul_(0.5)
    covariance = 0.25 * model.weight @ model.weight.T + NOISE**2 * torch.eye(3)
    torch.manual_seed(0)
    estimate = importance_nll(model, {"x": x}, 4000, rows=40_000).nll.float()
    assert_close(estimate, -MultivariateNormal(torch.zeros(3), covariance).log_prob(x), atol=0.1, rtol=0.01)


# --- bound and KL -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[40], [13, 27], [1] * 40])
def test_bound_is_the_mean_over_examples_not_over_batches(x, sizes):
    model = Linear(blur=0.5)
    torch.manual_seed(0)
    result = bound(model, [{"x": part} for part in x.split(sizes)])
    torch.manual_seed(0)
    z = torch.cat([model.encode(part).sample() for part in x.split(sizes)])
    q = model.encode(x)
    assert result.num_examples == 40 and result.count == 120 and result.latent_dim == 2
    assert result.reconstruction == pytest.approx(model.nll(z, x=x)[0].mean().item(), rel=1e-5)
    assert result.kl == pytest.approx(q.kl().sum(1).mean().item(), rel=1e-5)
    assert result.loss == pytest.approx(result.reconstruction + result.kl)
    assert result.active_units == active_units(q.mean) == 2


def test_bound_of_a_point_posterior_is_its_reconstruction(x):
    model = Linear(kind="point")
    result = bound(model, [{"x": x}])
    assert result.kl == 0 and result.loss == pytest.approx(model.nll(model.encode(x).mean, x=x)[0].mean().item(), rel=1e-5)


def test_a_mean_far_from_zero_is_not_active():
    still = bound(Linear(shift=5.0), [{"x": torch.ones(9, 3)}, {"x": torch.ones(4, 3)}])
    assert still.active_units == 0
    one = bound(Linear(shift=5.0), [{"x": torch.tensor([[i, 0.0, 0.0]])} for i in range(5)])  # moves the first code only
    assert one.active_units == 1


def test_bound_of_nothing_is_refused():
    with pytest.raises(ValueError, match="the split is empty"):
        bound(Linear(), [])


def test_bound_sums_over_processes(x):
    twice = bound(Linear(), [{"x": x}], reduce=lambda t: 2 * t)
    assert twice.num_examples == 80 and twice.count == 240 and twice.kl == pytest.approx(bound(Linear(), [{"x": x}]).kl)


def test_kl_to_a_fitted_prior_is_unbiased(x):
    model, prior = Linear(), GaussianMixture(2, 2)
    prior.means.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.5]]))
    model.set_prior("mixture", prior, {"components": 2})
    q = model.encode(x)
    torch.manual_seed(0)
    estimates = torch.stack([kl_to_prior(model, q, q.sample()) for _ in range(1500)])
    draws = q.sample(4000)
    expected = (q.log_prob(draws) - prior.log_prob(draws)).mean(0)
    assert_close(estimates.mean(0), expected, atol=0.15, rtol=0.05)
    plain = Linear()
    assert torch.equal(kl_to_prior(plain, q, q.sample()), q.kl().sum(1))


# --- mutual information and active units --------------------------------------------------------------------------


def posteriors(means, std):
    return DiagonalGaussian(means, torch.full_like(means, 2 * math.log(std)))


def test_no_information_at_collapse():
    torch.manual_seed(0)
    assert mutual_information(posteriors(torch.zeros(300, 4), 1.0), draws=3) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("num", [2, 32, 300])
def test_ln_n_when_posteriors_are_far_apart(num):
    assert mutual_information(posteriors(100.0 * torch.arange(num)[:, None], 0.1)) == pytest.approx(math.log(num), rel=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 50, 1024])
def test_equals_brute_force(rows):
    torch.manual_seed(0)
    q = DiagonalGaussian(torch.randn(50, 3), 0.5 * torch.randn(50, 3) - 1)
    torch.manual_seed(1)
    ours = mutual_information(q, draws=2, rows=rows)
    torch.manual_seed(1)
    total = 0.0
    double = DiagonalGaussian(q.mean.double(), q.logvar.double())
    for _ in range(2):
        z = double.mean + torch.exp(0.5 * double.logvar) * torch.randn(50, 3, dtype=torch.float64)
        for i in range(50):
            pairs = torch.stack([gaussian_log_prob(z[i], double.mean[j], double.logvar[j]) for j in range(50)])
            total += float(pairs[i] - (pairs.logsumexp(0) - math.log(50)))
    assert ours == pytest.approx(total / 100, abs=1e-9)


def test_two_overlapping_posteriors_by_integration():
    """I = ln 2 minus the mean entropy of which of the two a code came from."""
    q = posteriors(torch.tensor([[-0.7], [0.7]]).repeat(500, 1), 1.0)  # copies are the same mixture
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)[:, None]
    a, b = (torch.exp(gaussian_log_prob(grid, m, torch.zeros(1))) for m in (-0.7, 0.7))
    mixture = (a + b) / 2
    expected = torch.trapezoid(0.5 * a * (a / mixture).log() + 0.5 * b * (b / mixture).log(), grid[:, 0]).item()
    torch.manual_seed(0)
    assert mutual_information(q, draws=20) == pytest.approx(expected, abs=0.02)


def test_never_above_ln_n_nor_below_zero():
    for seed in range(20):
        torch.manual_seed(seed)
        q = posteriors(torch.randn(20, 2) * 10 ** (seed % 5 - 2), 0.01 + seed / 20)
        assert 0 <= mutual_information(q) <= math.log(20)


def test_active_units_are_dimensions_whose_mean_varies():
    torch.manual_seed(0)
    means = torch.randn(20_000, 4) * torch.tensor([1.0, 0.11, 0.09, 0.0]) + torch.tensor([0.0, 5.0, 5.0, 5.0])
    assert active_units(means) == 2
    assert active_units(torch.ones(1, 4)) == 0
