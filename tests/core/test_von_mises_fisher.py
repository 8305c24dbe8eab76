"""The sphere: Bessel functions against torch's, densities that integrate to one, exact draws and exact gradients."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.latent import join
from textae.core.von_mises_fisher import (
    KAPPA_MAX,
    SphereHead,
    UniformSphere,
    VonMisesFisher,
    bessel,
    cosine_derivative,
    draw_cosines,
    log_area,
    log_normalizer,
    mean_resultant,
)

X = torch.tensor([1e-3, 0.1, 1.0, 5.0, 30.0, 300.0, 20_000.0], dtype=torch.float64)


def vmf(dim, kappa, size=3):
    torch.manual_seed(dim)
    return VonMisesFisher(torch.nn.functional.normalize(torch.randn(size, dim), dim=1), torch.full((size,), float(kappa)))


def test_bessel_functions_of_order_zero_are_torchs():
    log_value, ratio = bessel(0.0, X)
    assert_close(log_value, torch.special.i0e(X).log() + X, atol=1e-9, rtol=0)
    assert_close(ratio, torch.special.i1e(X) / torch.special.i0e(X), atol=1e-11, rtol=0)


def test_bessel_functions_of_half_order_are_hyperbolic():
    log_value, ratio = bessel(0.5, X)
    log_sinh = X + torch.log1p(-torch.exp(-2 * X)) - math.log(2)
    assert_close(log_value, 0.5 * torch.log(2 / (math.pi * X)) + log_sinh, atol=1e-9, rtol=0)
    assert_close(ratio, 1 / torch.tanh(X) - 1 / X, atol=1e-10, rtol=0)


@pytest.mark.parametrize("order", [0.0, 0.5, 15.0, 63.0, 383.0])
def test_large_orders_obey_the_recurrence_and_stay_finite(order):
    """I_{v-1} - I_{v+1} = 2 v / x I_v, in logarithms, whatever the size of what is behind them."""
    (low, r_low), (middle, r_middle) = bessel(order, X), bessel(order + 1, X)
    assert low.isfinite().all() and ((r_low > 0) & (r_low < 1)).all()
    assert_close(middle - low, r_low.log(), atol=1e-9, rtol=1e-9)
    assert_close(1 / r_low - r_middle, 2 * (order + 1) / X, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dim", [2, 3, 10])
@pytest.mark.parametrize("kappa", [0.05, 2.0, 60.0])
def test_density_integrates_to_one_over_the_sphere(dim, kappa):
    """Rings at angle θ have the area of a sphere of one dimension less times sin^{D-2} θ."""
    theta = (torch.arange(40_000, dtype=torch.float64) + 0.5) * math.pi / 40_000
    rings = log_area(dim - 1) if dim > 2 else math.log(2)
    density = log_normalizer(torch.tensor(kappa), dim) + kappa * theta.cos() + rings + (dim - 2) * theta.sin().log()
    assert density.exp().sum().item() * math.pi / 40_000 == pytest.approx(1, abs=1e-6)


def test_density_keeps_its_digits_at_the_largest_concentration():
    """log C and κ μ·z are near 10^5 there, and their difference near 100: in float32 it was off by 0.01."""
    torch.manual_seed(0)
    mean = torch.nn.functional.normalize(torch.randn(50, 32), dim=1)
    q = VonMisesFisher(mean, torch.full((50,), KAPPA_MAX))
    z = q.sample()
    half = 0.5 * (torch.nn.functional.normalize(z.double(), dim=1) - torch.nn.functional.normalize(mean.double(), dim=1)).square().sum(1)
    expected = log_normalizer(q.kappa, 32) + KAPPA_MAX * (1 - half)
    assert (q.log_prob(z) - expected).abs().max() < 1e-3


@pytest.mark.parametrize("dim", [2, 3, 32])
def test_kl_is_zero_without_concentration_and_known_in_three_dimensions(dim):
    assert vmf(dim, 1e-3).kl().abs().max() < 1e-6
    kls = [vmf(dim, kappa).kl()[0, 0].item() for kappa in (0.1, 1.0, 10.0, 100.0)]
    assert kls == sorted(kls) and vmf(dim, 5.0).kl().shape == (3, 1)
    if dim == 3:  # C = κ / (4π sinh κ), A = coth κ - 1/κ
        kappa = 2.5
        expected = kappa / math.tanh(kappa) - 1 + math.log(kappa / math.sinh(kappa))
        assert vmf(3, kappa).kl()[0, 0].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dim, kappa", [(2, 1.0), (3, 8.0), (16, 40.0)])
def test_kl_is_the_mean_of_log_ratios(dim, kappa):
    q = vmf(dim, kappa, 1)
    torch.manual_seed(1)
    z = q.sample(40_000)
    ratios = q.log_prob(z) - UniformSphere(dim).log_prob(z)
    assert ratios.mean().item() == pytest.approx(q.kl().item(), abs=5 * ratios.std().item() / 200)


@pytest.mark.parametrize("dim, kappa", [(2, 0.2), (2, 50.0), (3, 1.0), (8, 10.0), (64, 300.0)])
def test_draws_lie_on_the_sphere_around_the_mean(dim, kappa):
    q = vmf(dim, kappa, 1)
    torch.manual_seed(0)
    z = q.sample(20_000)[:, 0]
    assert_close(z.norm(dim=1), torch.ones(20_000), atol=1e-5, rtol=0)
    length = mean_resultant(q.kappa, dim).item()
    assert_close(z.mean(0), length * q.mean[0], atol=5 / math.sqrt(20_000), rtol=0)
    cosines = (z * q.mean[0]).sum(1).double()
    variance = 1 - length**2 - (dim - 1) * length / kappa  # A'
    assert cosines.mean().item() == pytest.approx(length, abs=5 * math.sqrt(variance / 20_000))
    assert cosines.var().item() == pytest.approx(variance, rel=0.06)


@pytest.mark.parametrize("dim, kappa", [(2, 0.3), (2, 30.0), (3, 2.0), (20, 15.0), (128, 500.0)])
def test_derivative_of_a_cosine_is_that_of_the_distribution_function(dim, kappa):
    """Against finite differences of F through a fine grid: at a fixed share of the distribution w moves by dw/dκ."""
    theta = torch.linspace(0, math.pi, 200_001, dtype=torch.float64)

    def quantiles(k, shares):
        log_density = torch.nan_to_num((dim - 2) * theta.sin().clamp_min(1e-300).log()) + k * theta.cos()
        mass = torch.cumulative_trapezoid((log_density - log_density.max()).exp(), theta)
        place = torch.searchsorted(mass / mass[-1], shares)
        at = (mass / mass[-1])[place - 1], (mass / mass[-1])[place]
        return theta[place] + (theta[1] - theta[0]) * (shares - at[0]) / (at[1] - at[0])

    shares, step = torch.tensor([0.02, 0.3, 0.6, 0.97], dtype=torch.float64), 1e-3 * kappa
    w = quantiles(kappa, shares).cos()
    expected = (quantiles(kappa + step, shares).cos() - quantiles(kappa - step, shares).cos()) / (2 * step)
    assert_close(cosine_derivative(torch.full_like(w, kappa), w, dim), expected, rtol=3e-3, atol=1e-7)


def test_mean_gradient_of_draws_is_the_gradient_of_the_mean():
    """E dw/dκ = A'(κ): what a derivative that forgets the rejections would miss."""
    dim, kappa = 5, torch.full((30_000,), 4.0, dtype=torch.float64)
    torch.manual_seed(0)
    slopes = cosine_derivative(kappa, draw_cosines(kappa, dim), dim)
    length = mean_resultant(kappa[:1], dim).item()
    assert slopes.mean().item() == pytest.approx(1 - length**2 - 4 * length / 4.0, abs=5 * slopes.std().item() / math.sqrt(30_000))


def test_gradients_reach_direction_and_concentration():
    head = SphereHead(6, 4)
    torch.manual_seed(0)
    q = head(torch.randn(8, 6))
    (q.sample().sum() + q.sample(3).square().sum() + q.kl().sum()).backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in head.parameters())
    kappa = torch.tensor([0.5, 3.0, 40.0], dtype=torch.float64, requires_grad=True)
    for function in (log_normalizer, mean_resultant):
        assert torch.autograd.gradcheck(lambda k, f=function: f(k, 7), kappa, eps=1e-5, atol=1e-6)


def test_a_fixed_concentration_is_no_parameter():
    head = SphereHead(6, 4, kappa=30.0)
    q = head(torch.randn(5, 6))
    assert {n for n, _ in head.named_parameters()} == {"mean.weight", "mean.bias"} and q.kappa.unique().item() == 30
    assert q.kl().unique().numel() == 1 and not q.kl().requires_grad
    assert_close(head.snap(3 * q.mean), q.mean)


def test_uniform_draws_and_density():
    prior = UniformSphere(3)
    z = prior.sample(4000)
    assert_close(z.norm(dim=1), torch.ones(4000))
    assert z.mean(0).abs().max() < 0.05
    assert_close(prior.log_prob(z[:2]), torch.full((2,), -math.log(4 * math.pi)))


def test_posteriors_of_batches_are_joined_in_an_order():
    a, b = vmf(4, 2.0), vmf(4, 7.0)
    whole = join([a, b], lambda parts: torch.cat(parts)[[5, 0, 1, 2, 3, 4]])
    assert torch.equal(whole.mean[0], b.mean[2]) and torch.equal(whole.kappa, torch.tensor([7.0, 2, 2, 2, 7, 7]))


@pytest.mark.parametrize(
    "arguments, message",
    [({"latent_dim": 1}, "latent_dim is 1; a sphere in one dimension is two points"), ({"kappa": -1.0}, "kappa is -1"), ({"kappa": 1e9}, "kappa is")],
)  # fmt: skip
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SphereHead(**{"in_dim": 3, "latent_dim": 4, **arguments})
    with pytest.raises(ValueError, match="at least 2"):
        UniformSphere(1)
