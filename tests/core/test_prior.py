"""Priors: one contract for the table; densities that integrate to one, draws that follow them, fits that help."""

import math

import pytest
import torch
from torch import distributions
from torch.testing import assert_close

from textae.core.autoencoder import Autoencoder, AutoencoderConfig, make_config
from textae.core.prior import FITTED, LEARNED, PRIORS, Categorical, Flow, GaussianMixture, StandardNormal

# Priors over a codebook's codes are probabilities and no densities: test_code_prior.py.
DISCRETE = {"uniform_codes", "codes"}
SMALL = {"standard": {}, "categorical": {"categories": 2}, "mixture": {"components": 4}, "flow": {"layers": 4, "hidden_dim": 24}}
# Elsewhere: those that learn with the model (test_learned_prior.py, test_hierarchical.py), and the sphere's (test_von_mises_fisher.py).
OTHERS = {*LEARNED, "sphere"}
FIT = {"mixture": {}, "flow": {"steps": 250, "batch_size": 256, "lr": 5e-3}}
DENSE = ["standard", *FIT]


def ring(num, seed=0):
    """Points on a noisy circle: nothing that one Gaussian could describe."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(num, generator=generator)
    radius = 3 + 0.2 * torch.randn(num, generator=generator)
    return torch.stack([radius * angle.cos() + 1, radius * angle.sin()], 1)


@pytest.fixture(scope="module")
def fitted():
    priors = {"standard": StandardNormal(2)}
    for name in FIT:
        priors[name] = PRIORS[name](2, **SMALL[name])
        priors[name].fit(ring(1500), **FIT[name])
    return priors


def grid(size=8.0, steps=401):
    axis = torch.linspace(-size, size, steps)
    return torch.cartesian_prod(axis, axis), (axis[1] - axis[0]) ** 2


def test_every_prior_is_covered():
    assert {*SMALL, *DISCRETE, *OTHERS} == set(PRIORS) and {*FIT, "codes"} == set(FITTED) and set(DENSE) == set(SMALL) - {"categorical"}


@pytest.mark.parametrize("name", SMALL)
def test_draws_are_a_function_of_the_seed(name):
    prior = PRIORS[name](3, **SMALL[name])
    for num in (1, 6):
        assert prior.sample(num).shape == (num, 3) and prior.sample(num).dtype == torch.float32
    torch.manual_seed(0)
    first = prior.sample(4)
    torch.manual_seed(0)
    assert torch.equal(prior.sample(4), first)
    assert prior.sample(4, spread=0.0).isfinite().all()


@pytest.mark.parametrize("name", DENSE)
def test_log_prob_takes_any_shape(name):
    prior = PRIORS[name](3, **SMALL[name])
    assert prior.log_prob(torch.randn(5, 3)).shape == (5,)
    z = torch.randn(7, 5, 3)
    assert prior.log_prob(z).shape == (7, 5)
    assert_close(prior.log_prob(z)[2, 3], prior.log_prob(z[2, 3][None])[0])


@pytest.mark.parametrize("name", DENSE)
@torch.no_grad()
def test_density_integrates_to_one(name, fitted):
    points, cell = grid()
    assert fitted[name].log_prob(points).double().exp().sum() * cell == pytest.approx(1.0, abs=5e-3)


@torch.no_grad()
def test_mixture_density_integrates_to_one_in_one_dimension():
    prior = GaussianMixture(1, 3)
    prior.fit(torch.cat([torch.randn(300, 1) - 4, 0.5 * torch.randn(300, 1) + 3]))
    x = torch.linspace(-15, 15, 20_001)
    assert torch.trapezoid(prior.log_prob(x[:, None]).exp(), x) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", DENSE)
@torch.no_grad()
def test_draws_follow_the_density(name, fitted):
    """Moments, and the entropy that draws and integral must agree on."""
    prior = fitted[name]
    points, cell = grid()
    p = prior.log_prob(points).double().exp() * cell
    mean = (p[:, None] * points).sum(0)
    square = (p[:, None] * points**2).sum(0)
    torch.manual_seed(0)
    draws = prior.sample(20_000).double()
    assert_close(draws.mean(0), mean.double(), atol=0.1, rtol=0)
    assert_close(draws.square().mean(0), square.double(), atol=0.02, rtol=0.06)
    entropy = -(p * prior.log_prob(points).double()).sum()
    assert -prior.log_prob(draws.float()).double().mean() == pytest.approx(entropy.item(), abs=0.05)


def test_spread_scales_the_noise_and_not_the_shape_of_the_prior(fitted):
    def draw(name, spread):
        torch.manual_seed(0)
        with torch.no_grad():
            return fitted[name].sample(2000, spread=spread)

    assert_close(draw("standard", 0.3), 0.3 * draw("standard", 1.0))
    parts = fitted["mixture"].means
    near = torch.cdist(draw("mixture", 0.0), parts, compute_mode="donot_use_mm_for_euclid_dist").min(1).values
    assert near.max() < 1e-5  # through matrix products 1e-3 would be left
    assert len(draw("mixture", 0.0).unique(dim=0)) == len(parts)  # the components stay where they are
    assert_close(draw("mixture", 2.0) - draw("mixture", 0.0), 2 * (draw("mixture", 1.0) - draw("mixture", 0.0)), atol=1e-5, rtol=1e-4)
    assert len(draw("flow", 0.0).unique(dim=0)) == 1
    assert draw("flow", 0.3).std(0).norm() < 0.7 * draw("flow", 1.0).std(0).norm()


@torch.no_grad()
def test_flow_inverts_itself_and_its_determinant_is_right(fitted):
    flow = fitted["flow"]
    torch.manual_seed(0)
    noise = torch.randn(6, 2)
    torch.manual_seed(0)
    codes = flow.sample(6)
    for x, z in zip(noise, codes, strict=True):

        def encode(z):  # the noise of a code, through log_prob's own arithmetic
            x = (z - flow.shift) / flow.scale
            for coupling, rotation in zip(flow.couplings, flow.rotations, strict=True):
                x = x @ rotation
                log_scale, shift = flow._parameters_of(coupling, x[:1])
                x = torch.cat([x[:1], x[1:] * log_scale.exp() + shift])
            return x

        assert_close(encode(z), x, atol=1e-3, rtol=1e-3)
        jacobian = torch.func.jacrev(encode)(z)
        expected = StandardNormal(2).log_prob(x) + jacobian.det().abs().log()
        assert_close(flow.log_prob(z), expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("name", FIT)
@torch.no_grad()
def test_fitting_improves_the_likelihood_of_unseen_points(name, fitted):
    unseen = ring(800, seed=9)
    single = GaussianMixture(2, 1)
    single.fit(ring(1500))
    assert fitted[name].log_prob(unseen).mean() > single.log_prob(unseen).mean() + 0.3
    assert single.log_prob(unseen).mean() > StandardNormal(2).log_prob(unseen).mean()


@pytest.mark.parametrize("name", FIT)
def test_fitting_repeats_and_says_the_density_and_leaves_the_global_generator(name):
    def fit():
        torch.manual_seed(5)  # the constructor may draw
        prior = PRIORS[name](2, **SMALL[name])
        before = torch.get_rng_state()
        said = prior.fit(ring(300), **{**FIT[name], **({"steps": 20} if name == "flow" else {})}, seed=1)
        assert torch.equal(torch.get_rng_state(), before)
        return said, prior

    (a, prior), (b, again) = fit(), fit()
    assert a == b and isinstance(a, float)
    for x, y in zip(prior.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(x, y) and x.dtype == torch.float32
    if name == "mixture":
        assert prior.log_prob(ring(300)).mean().item() == pytest.approx(a, abs=1e-3)


def test_flow_fits_where_gradients_are_off():
    flow = Flow(2, layers=2, hidden_dim=8)
    with torch.no_grad():
        before = flow.log_prob(ring(200)).mean()
        flow.fit(ring(200), steps=30, batch_size=64, lr=0.01)
        assert flow.log_prob(ring(200)).mean() > before
    assert not any(p.requires_grad for p in flow.parameters())


def test_mixture_equals_torch_distributions():
    torch.manual_seed(0)
    prior = GaussianMixture(3, 5)
    prior.fit(torch.randn(60, 3) @ torch.randn(3, 3))
    parts = distributions.MultivariateNormal(prior.means, scale_tril=prior.scales)
    expected = distributions.MixtureSameFamily(distributions.Categorical(logits=prior.logits), parts)
    z = 2 * torch.randn(20, 3)
    assert_close(prior.log_prob(z), expected.log_prob(z), atol=1e-3, rtol=1e-4)


def test_one_component_has_the_moments_of_the_data():
    z = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor([[2.0, 0.5], [0.0, 1.0]]) + 3
    prior = GaussianMixture(2, 1)
    prior.fit(z, ridge=0.0)
    assert_close(prior.means[0], z.mean(0))
    assert_close(prior.scales[0] @ prior.scales[0].T, torch.cov(z.T, correction=0))


def test_expectation_maximization_never_loses_likelihood():
    z = ring(400)
    seen = [GaussianMixture(2, 6).fit(z, iterations=i, ridge=1e-6) for i in range(1, 16)]
    assert all(b >= a - 1e-6 for a, b in zip(seen, seen[1:], strict=False)) and seen[-1] > seen[0] + 0.1


def test_components_have_their_share_of_the_points():
    torch.manual_seed(0)
    prior = GaussianMixture(1, 2)
    prior.fit(torch.cat([torch.randn(900, 1) - 8, torch.randn(100, 1) + 8]))
    order = prior.means[:, 0].argsort()
    assert_close(prior.logits.softmax(0)[order], torch.tensor([0.9, 0.1]), atol=1e-3, rtol=0)
    assert (prior.sample(5000) > 0).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_a_component_without_points_keeps_a_density():
    prior = GaussianMixture(2, 8)
    z = torch.cat([torch.zeros(50, 2), torch.ones(50, 2)])
    assert math.isfinite(prior.fit(z)) and prior.log_prob(z).isfinite().all() and prior.sample(10).isfinite().all()


@pytest.mark.parametrize(
    "make, message",
    [(lambda: GaussianMixture(2, 0), "components is 0"), (lambda: GaussianMixture(2, 9).fit(torch.zeros(9, 2)), "9 codes cannot fit 9"),
     (lambda: Flow(1), "latent_dim must be at least 2; use `mixture`"), (lambda: Flow(2, layers=-1), "layers is -1"), (lambda: Flow(2, hidden_dim=0), "hidden_dim is 0"),
     (lambda: Flow(2).fit(torch.zeros(9, 2), held_out=1.0), "held_out is 1.0"), (lambda: Flow(2).fit(torch.zeros(9, 2), held_out=0.9), "of 9 codes, held_out=0.9"),
     (lambda: Flow(2).fit(torch.zeros(9, 2), steps=0), "steps is 0"), (lambda: GaussianMixture(2, 1).fit(torch.zeros(9, 2), ridge=-1), "ridge is -1"),
     (lambda: GaussianMixture(2, 1).fit(torch.zeros(9, 2), iterations=0), "iterations is 0")],
)  # fmt: skip
def test_impossible_priors_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- categories ---------------------------------------------------------------------------------------------------


def test_categorical_draws_are_one_hot_beside_a_standard_normal():
    torch.manual_seed(0)
    draws = Categorical(5, 3).sample(30_000)
    hot, style = draws[:, :3], draws[:, 3:]
    assert set(hot.unique().tolist()) == {0.0, 1.0} and torch.equal(hot.sum(1), torch.ones(30_000))
    assert_close(hot.mean(0), torch.full((3,), 1 / 3), atol=0.015, rtol=0)
    assert_close(torch.cov(draws.T)[:3, 3:], torch.zeros(3, 2), atol=0.015, rtol=0)
    assert_close(torch.cov(style.T), torch.eye(2), atol=0.04, rtol=0)


def test_categorical_spread_scales_the_style_alone():
    def draw(spread):
        torch.manual_seed(0)
        return Categorical(4, 2).sample(50, spread)

    assert torch.equal(draw(0.2)[:, :2], draw(1.0)[:, :2])
    assert_close(draw(0.2)[:, 2:], 0.2 * draw(1.0)[:, 2:])


def test_categorical_may_have_no_style():
    assert torch.equal(Categorical(3, 3).sample(9).sum(1), torch.ones(9))


def test_categorical_says_that_it_has_no_density():
    with pytest.raises(ValueError, match="no density over codes"):
        Categorical(4, 2).log_prob(torch.zeros(1, 4))


@pytest.mark.parametrize("categories", [0, 1, 5])
def test_categorical_needs_categories_that_fit(categories):
    with pytest.raises(ValueError, match=f"categories is {categories}; it must be from 2 to the code's 4 dimensions"):
        Categorical(4, categories)


STRUCTURED = {"latent_dim": 5, "posterior": "point", "categories": 3, "prior": "categorical"}


def test_a_model_with_categories_samples_codes_like_its_own():
    model = Autoencoder(AutoencoderConfig(**STRUCTURED))
    assert not model.has_standard_prior and not list(model.prior.parameters())
    draws = model.prior.sample(20)
    assert draws.shape == (20, 5) and torch.equal(draws[:, :3].sum(1), torch.ones(20))


@pytest.mark.parametrize(
    "changes, message",
    [({"prior": "standard"}, "a code with 3 categories is not standard normal.*set prior=categorical"),
     ({"categories": 0}, "prior=categorical is for a code with categories"),
     ({"prior_options": {"categories": 4}}, "the prior has 4 categories and the code 3: leave prior_options out"),
     ({"posterior": "gaussian"}, "set posterior=point")],
)  # fmt: skip
def test_priors_that_do_not_fit_the_code_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_config(AutoencoderConfig, {**STRUCTURED, **changes})


def test_a_prior_that_does_not_fit_cannot_be_set_later():
    model = Autoencoder(AutoencoderConfig(**STRUCTURED))
    model.layer = torch.nn.Linear(1, 1)  # a model is where its parameters are
    with pytest.raises(ValueError, match="set prior=categorical"):
        model.set_prior("standard", StandardNormal(5), {})
    assert isinstance(model.prior, Categorical) and model.config.prior == "categorical"
    model.set_prior("mixture", GaussianMixture(5, 2), {"components": 2})
    assert model.config.prior == "mixture"
