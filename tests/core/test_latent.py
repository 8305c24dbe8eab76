"""Posteriors against torch.distributions, and the geometry of paths."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderConfig, make_config
from textae.core.latent import (
    LOGVAR_MAX,
    LOGVAR_MIN,
    PATHS,
    DiagonalGaussian,
    PointPosterior,
    PosteriorHead,
    clamp_logvar,
    gaussian_log_prob,
    lerp,
    slerp,
)


@pytest.fixture
def gaussian():
    torch.manual_seed(0)
    return DiagonalGaussian(torch.randn(5, 3), torch.randn(5, 3))


def reference(q):
    return Normal(q.mean, torch.exp(0.5 * q.logvar))


def test_kl_equals_torch_distributions_for_each_dimension(gaussian):
    expected = kl_divergence(reference(gaussian), Normal(torch.zeros(5, 3), torch.ones(5, 3)))
    assert_close(gaussian.kl(), expected)
    assert gaussian.kl().shape == (5, 3)


def test_kl_is_zero_at_the_prior_and_not_negative_elsewhere(gaussian):
    assert (DiagonalGaussian(torch.zeros(2, 3), torch.zeros(2, 3)).kl() == 0).all()
    assert (gaussian.kl() > 0).all()


def test_log_prob_equals_torch_distributions_for_many_draws(gaussian):
    z = torch.randn(7, 5, 3)
    assert_close(gaussian.log_prob(z), Independent(reference(gaussian), 1).log_prob(z))
    assert_close(gaussian_log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(-1))
    assert_close(gaussian_log_prob(z, 2.0), Normal(2.0, 1.0).log_prob(z).sum(-1))


def test_draws_have_the_moments_of_the_posterior(gaussian):
    torch.manual_seed(1)
    draws = gaussian.sample(40_000)
    assert draws.shape == (40_000, 5, 3) and gaussian.sample().shape == (5, 3)
    std = torch.exp(0.5 * gaussian.logvar)
    assert ((draws.mean(0) - gaussian.mean).abs() < 5 * std / 200).all()
    assert_close(draws.std(0) / std, torch.ones(5, 3), rtol=0.03, atol=0)


def test_gradients_pass_through_draws_to_mean_and_logvar():
    mean, logvar = torch.zeros(2, 3, requires_grad=True), torch.full((2, 3), 0.6, requires_grad=True)
    z = DiagonalGaussian(mean, logvar).sample()
    z.sum().backward()
    assert_close(mean.grad, torch.ones(2, 3))
    assert_close(logvar.grad, 0.5 * z.detach())  # dz/dlogvar = 0.5 (z - mean)


def test_point_posterior_is_its_mean_and_has_no_density():
    point = PointPosterior(torch.randn(5, 3))
    assert point.sample() is point.mean
    assert_close(point.sample(4), point.mean.repeat(4, 1, 1))
    assert not hasattr(point, "kl") and not hasattr(point, "log_prob")


def test_head_kinds():
    torch.manual_seed(0)
    features = torch.randn(6, 8)
    assert isinstance(PosteriorHead(8, 3)(features), DiagonalGaussian)
    assert isinstance(PosteriorHead(8, 3, "point")(features), PointPosterior)
    assert PosteriorHead(8, 3)(features).mean.shape == (6, 3)
    with pytest.raises(ValueError, match="'gausian'.*gaussian, point"):
        PosteriorHead(8, 3, "gausian")


def test_head_with_categories_yields_probabilities_and_a_style():
    torch.manual_seed(0)
    head, features = PosteriorHead(8, 5, "point", categories=3), torch.randn(6, 8)
    posterior = head(features)
    logits, style = head.mean(features).split([3, 2], 1)
    assert isinstance(posterior, PointPosterior)
    assert_close(posterior.category_logits, (logits - logits.mean(0)) / (logits.var(0, correction=0) + 1e-5).sqrt())
    assert torch.equal(posterior.mean, torch.cat([posterior.category_logits.softmax(1), style], 1))
    assert_close(posterior.mean[:, :3].sum(1), torch.ones(6))
    assert posterior.sample() is posterior.mean
    assert PosteriorHead(8, 5, "point")(features).category_logits is None


def test_no_category_is_every_examples_first_choice_at_the_start():
    """However far the features lie from zero: normalized logits of every category are as often high as low."""
    torch.manual_seed(0)
    chosen = PosteriorHead(8, 6, "point", categories=6)(50 + torch.randn(600, 8)).mean.argmax(1)
    assert torch.bincount(chosen, minlength=6).min() > 40


def test_categories_of_one_example_need_no_others():
    """Out of training an example's category is its own; in training a last batch of one goes by what was seen before."""
    torch.manual_seed(0)
    head, features = PosteriorHead(8, 5, "point", categories=3), torch.randn(40, 8)
    for _ in range(60):
        head(features)
    alone = head(features[:1]).mean
    assert_close(head.eval()(features).mean[:1], alone)
    raw = head.mean(features)[:, :3]
    assert_close(head(features).category_logits, (raw - raw.mean(0)) / raw.std(0), atol=0.02, rtol=0.02)


def test_head_may_be_all_categories():
    posterior = PosteriorHead(8, 3, "point", categories=3)(torch.randn(6, 8))
    assert posterior.mean.shape == (6, 3) and (posterior.mean > 0).all()
    assert_close(posterior.mean.sum(1), torch.ones(6))


def test_categories_stay_float32():
    head = PosteriorHead(2, 4, "point", categories=2)
    with torch.autocast("cpu", torch.bfloat16):
        posteriors = [head(torch.randn(3, 2)), head.eval()(torch.randn(3, 2))]
    posteriors += [head.bfloat16()(torch.randn(3, 2).bfloat16()), head.train()(torch.randn(3, 2).bfloat16())]
    for posterior in posteriors:
        assert posterior.mean.dtype == posterior.category_logits.dtype == torch.float32
        assert_close(posterior.mean[:, :2].sum(1), torch.ones(3))


@pytest.mark.parametrize(
    "categories, kind, message",
    [(1, "point", "categories is 1; it must be 0 .none. or from 2 to latent_dim, which is 4"),
     (5, "point", "categories is 5"), (-2, "point", "categories is -2"),
     (3, "gaussian", "a code with categories is deterministic: set posterior=point, not 'gaussian', or categories=0")],
)  # fmt: skip
def test_categories_that_a_code_cannot_have_are_refused(categories, kind, message):
    with pytest.raises(ValueError, match=message):
        PosteriorHead(8, 4, kind, categories)
    with pytest.raises(ValueError, match=message):
        make_config(AutoencoderConfig, {"latent_dim": 4, "posterior": kind, "categories": categories, "prior": "categorical"})


def test_head_clamps_logvar_and_stays_float32():
    head = PosteriorHead(2, 3)
    far = head(torch.full((1, 2), 1e6)).logvar, head(torch.full((1, 2), -1e6)).logvar
    assert (torch.stack(far) >= LOGVAR_MIN).all() and (torch.stack(far) <= LOGVAR_MAX).all()
    posterior = head.bfloat16()(torch.ones(1, 2, dtype=torch.bfloat16))
    assert posterior.mean.dtype == posterior.logvar.dtype == torch.float32
    assert DiagonalGaussian(torch.zeros(1, 1), torch.tensor([[LOGVAR_MIN]])).kl().isfinite().all()


def test_a_variance_beyond_its_limit_finds_back():
    """The KL of a code that went beyond while nothing kept it; the plain clamp has no gradient there."""
    for far in (-11.0, 9.0):
        logvar = torch.full((1, 1), far, requires_grad=True)
        optimizer = torch.optim.SGD([logvar], lr=0.1 if far < 0 else 1e-3)
        for _ in range(60):
            optimizer.zero_grad()
            DiagonalGaussian(torch.zeros(1, 1), clamp_logvar(logvar)).kl().sum().backward()
            optimizer.step()
        assert LOGVAR_MIN < logvar.item() < LOGVAR_MAX


def test_a_clamped_variance_goes_no_further_and_is_the_clamp_inside():
    x = torch.tensor([-11.0, -11.0, LOGVAR_MIN, 0.3, LOGVAR_MAX, 9.0, 9.0], requires_grad=True)
    push = torch.tensor([1.0, -1.0, 0.7, -0.2, 0.4, 1.0, -1.0])
    with torch.autocast("cpu", torch.bfloat16):
        clamped = clamp_logvar(x)
    assert torch.equal(clamped, x.clamp(LOGVAR_MIN, LOGVAR_MAX)) and clamped.dtype == torch.float32
    expected = torch.tensor([0.0, -1.0, 0.7, -0.2, 0.4, 1.0, 0.0])
    assert torch.equal(torch.autograd.grad((clamped * push).sum(), x)[0], expected)
    assert torch.equal(torch.func.grad(lambda y: (clamp_logvar(y) * push).sum())(x.detach()), expected)
    rows = torch.func.vmap(torch.func.grad(lambda y, p: (clamp_logvar(y) * p).sum()))(x.detach().expand(2, -1), torch.stack([push, push]))
    assert torch.equal(rows, expected.expand(2, -1))
    with torch.no_grad():
        assert torch.equal(clamp_logvar(x), clamped)


# --- paths ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize(
    "a, b",
    [([1.0, 2, 3], [-2.0, 0, 1]), ([1.0, 0, 0], [2.0, 0, 0]), ([1.0, 0, 0], [-3.0, 0, 0]), ([0.0, 0, 0], [1.0, 2, 3]),
     ([0.0, 0, 0], [0.0, 0, 0]), ([1.0, 1, 1], [1.0, 1, 1.00001])],
    ids=["general", "parallel", "opposite", "from zero", "zeros", "nearly parallel"],
)  # fmt: skip
def test_paths_keep_their_ends_and_are_finite(path, a, b):
    a, b = torch.tensor(a), torch.tensor(b)
    points = path(a, b, torch.linspace(0, 1, 5))
    assert points.shape == (5, 3) and points.isfinite().all()
    assert_close(points[0], a, atol=1e-6, rtol=0)
    assert_close(points[-1], b, atol=1e-6, rtol=0)
    assert_close(path(b, a, torch.linspace(0, 1, 5)), points.flip(0), atol=1e-5, rtol=0)


def test_lerp_is_a_straight_line():
    a, b = torch.tensor([1.0, 2]), torch.tensor([3.0, -2])
    assert_close(lerp(a, b, torch.tensor([0.25, 0.5])), torch.tensor([[1.5, 1.0], [2.0, 0.0]]))


def test_slerp_divides_the_angle_and_the_norms_evenly():
    torch.manual_seed(3)
    a, b = torch.randn(16), 3 * torch.randn(16)
    t = torch.linspace(0, 1, 6)
    points = slerp(a, b, t)
    assert_close(points.norm(dim=1), (1 - t) * a.norm() + t * b.norm())
    unit = points / points.norm(dim=1, keepdim=True)
    steps = torch.acos((unit[1:] * unit[:-1]).sum(1))
    total = torch.acos(torch.dot(a / a.norm(), b / b.norm()))
    assert_close(steps, (total / 5).expand(5), atol=1e-3, rtol=0)


def test_slerp_of_a_quarter_circle():
    points = slerp(torch.tensor([1.0, 0]), torch.tensor([0.0, 1]), torch.tensor([0.5]))
    assert_close(points, torch.full((1, 2), math.sqrt(0.5)))


def test_slerp_falls_back_to_the_line_where_there_is_no_single_arc():
    t = torch.linspace(0, 1, 5)
    for b in ([2.0, 0], [-2.0, 0], [0.0, 0]):
        a, b = torch.tensor([1.0, 0]), torch.tensor(b)
        assert_close(slerp(a, b, t), lerp(a, b, t))


@pytest.mark.parametrize("angle", [3e-4, 1e-3, 1e-2])
def test_slerp_of_small_angles_keeps_its_digits(angle):
    """Float32's acos of a cosine near one knows angles only to 3e-4; the points must not show it."""
    a, b = torch.tensor([1.0, 0]), torch.tensor([math.cos(angle), math.sin(angle)])
    t = torch.linspace(0, 1, 5)
    expected = torch.stack([torch.cos(t * angle), torch.sin(t * angle)], 1)
    assert_close(slerp(a, b, t), expected, atol=2e-6, rtol=0)
