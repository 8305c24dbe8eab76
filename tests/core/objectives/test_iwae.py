"""The importance-weighted objective against a linear-Gaussian model, the metric of the same name, and gradients by hand.

Shapes: B examples, D latent dimensions, X observed ones, K draws.
"""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from textae.core.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderOutput
from textae.core.latent import DiagonalGaussian, gaussian_log_prob
from textae.core.metrics import importance_nll
from textae.core.objectives import IWAE, TERMS, Objective, Reconstruction

NOISE = 0.5


class Linear(Autoencoder):
    """x = W z + noise, W with orthogonal columns; q(z|x) = N(A x + shift, exp(logvar)) is the true posterior at the start."""

    def __init__(self, shift=0.0, blur=0.0):
        super().__init__(AutoencoderConfig(latent_dim=2))
        weight = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
        precision = 1 + weight.square().sum(0) / NOISE**2
        self.weight = nn.Parameter(weight)
        self.map = nn.Parameter(weight / NOISE**2 / precision)
        self.shift = nn.Parameter(torch.full((2,), shift))
        self.logvar = nn.Parameter(-precision.log() + blur)
        self.decoded = []

    def encode(self, x, **_):
        mean = x @ self.map + self.shift
        return DiagonalGaussian(mean, self.logvar.expand_as(mean))

    def nll(self, z, *, x, **_):
        self.decoded.append(len(z))
        logvar = torch.full_like(x, 2 * math.log(NOISE))
        return -gaussian_log_prob(x, z @ self.weight.T, logvar), torch.full((len(z),), 3)

    def generate(self, latents, **_):
        return latents @ self.weight.T

    @property
    def encoder_parameters(self):
        return [self.map, self.shift, self.logvar]

    @torch.no_grad()
    def true_nll(self, x):
        covariance = self.weight @ self.weight.T + NOISE**2 * torch.eye(3)
        return -MultivariateNormal(torch.zeros(3), covariance).log_prob(x)


class FixedDraws(DiagonalGaussian):
    """A Gaussian whose draws are given, (K, B, D), and dealt out in their order."""

    def deal(self, noise_KBD):
        object.__setattr__(self, "left", self.mean + torch.exp(0.5 * self.logvar) * noise_KBD)
        return self

    def sample(self, num=None):
        taken, rest = self.left.split([num or 1, len(self.left) - (num or 1)])
        object.__setattr__(self, "left", rest)
        return taken[0] if num is None else taken


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(40, 2) @ Linear().weight.detach().T + NOISE * torch.randn(40, 3)


def output_with(model, batch, noise_KBD):
    """The model's output for given noise: the first draw scored, the others to come."""
    q = model.encode(**batch)
    posterior = FixedDraws(q.mean, q.logvar).deal(noise_KBD)
    z = posterior.sample()
    nll, count = model.nll(z, **batch)
    return AutoencoderOutput(nll, posterior, z, count)


def value_of(term, model, batch, noise_KBD):
    term.bind(model)
    return term(model, output_with(model, batch, noise_KBD), batch, 0)


@pytest.mark.parametrize("dreg", [False, True])
@pytest.mark.parametrize("samples", [1, 2, 50])
def test_the_true_posterior_gives_the_true_likelihood_with_any_number_of_draws(x, samples, dreg):
    model, batch = Linear(), {"x": x}
    said = value_of(IWAE(samples=samples, doubly_reparameterized=dreg), model, batch, torch.randn(samples, 40, 2))
    assert_close(said.value, model.true_nll(x), atol=1e-4, rtol=1e-4)
    assert_close(said.loss, said.value)


@pytest.mark.parametrize("dreg", [False, True])
def test_one_draw_is_the_elbo_of_that_draw(x, dreg):
    model, batch = Linear(shift=0.3, blur=0.7), {"x": x}
    output = output_with(model, batch, torch.randn(1, 40, 2))
    said = IWAE(samples=1, doubly_reparameterized=dreg)(model, output, batch, 0)
    assert_close(said.value, output.nll + output.posterior.log_prob(output.z) - gaussian_log_prob(output.z))


def test_a_poor_posterior_bounds_the_likelihood_from_above_and_tightens(x):
    model, batch = Linear(shift=0.1, blur=1.0), {"x": x.repeat(20, 1)}
    truth = model.true_nll(x).mean().item()
    with torch.no_grad():
        seen = [value_of(IWAE(samples=k), model, batch, torch.randn(k, 800, 2)).value.mean().item() for k in (1, 5, 25, 500)]
    assert seen == sorted(seen, reverse=True) and seen[0] > truth + 0.3
    assert seen[-1] == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("options", [{}, {"rows": 45}, {"rows": 1}, {"doubly_reparameterized": True}])
@pytest.mark.parametrize("samples", [1, 7])
def test_the_same_draws_give_what_the_metric_says(x, samples, options):
    model, batch = Linear(shift=0.3, blur=0.7), {"x": x}
    noise = torch.randn(samples, 40, 2)
    said = value_of(IWAE(samples=samples, **options), model, batch, noise)
    q = model.encode(**batch)
    model.encode = lambda **_: FixedDraws(q.mean, q.logvar).deal(noise)
    assert_close(said.value.detach(), importance_nll(model, batch, samples).nll.float())


def test_attributes_go_with_every_draw(new_toy):
    """A conditional model: each of the K decodings is given its own example's attributes."""
    model = new_toy(posterior="gaussian", attributes={"kind": ["a", "b", "c"]}).eval()
    with torch.no_grad():
        model.decoder[0].weight[:, 2:] *= 30  # a decoder with strong opinions of kinds
    batch = {"x": torch.randn(6, 4), "attributes": torch.tensor([[0], [1], [2], [-1], [1], [0]])}
    noise = torch.randn(5, 6, 2)
    said = value_of(IWAE(samples=5), model, batch, noise)
    one_by_one = [
        value_of(IWAE(samples=5), model, {n: t[i : i + 1] for n, t in batch.items()}, noise[:, i : i + 1]).value for i in range(6)
    ]
    assert_close(said.value, torch.cat(one_by_one))
    other = {**batch, "attributes": batch["attributes"].flip(0)}
    assert not torch.allclose(value_of(IWAE(samples=5), model, other, noise).value, said.value, rtol=0.01)


# --- gradients ----------------------------------------------------------------------------------------------------


def by_hand(model, x, noise, power):
    """-Σ w̃^power ∂log w/∂z ∂z/∂φ with log q's own parameters held, for the encoder; -Σ w̃ ∂log w/∂θ for the decoder."""
    q = model.encode(x)
    z = q.mean + torch.exp(0.5 * q.logvar) * noise
    leaf = z.detach().requires_grad_()
    fixed = DiagonalGaussian(q.mean.detach(), q.logvar.detach())
    log_w = gaussian_log_prob(leaf) - torch.stack([model.nll(one, x=x)[0] for one in leaf]) - fixed.log_prob(leaf)
    share = log_w.detach().softmax(0)
    (slope,) = torch.autograd.grad(log_w.sum(), leaf, retain_graph=True)
    (decoder,) = torch.autograd.grad(-(share * log_w).sum(0).mean(), model.weight)
    encoder = torch.autograd.grad(-(share[..., None] ** power * slope * z).sum((0, 2)).mean(), model.encoder_parameters)
    return decoder, encoder


@pytest.mark.parametrize("options", [{}, {"rows": 80}])
def test_doubly_reparameterized_gradient_is_the_formula(x, options):
    model, noise = Linear(shift=0.3, blur=0.7), torch.randn(6, 40, 2)
    value_of(IWAE(samples=6, doubly_reparameterized=True, **options), model, {"x": x}, noise).loss.mean().backward()
    decoder, encoder = by_hand(model, x, noise, power=2)
    assert_close(model.weight.grad, decoder)
    for parameter, expected in zip(model.encoder_parameters, encoder, strict=True):
        assert_close(parameter.grad, expected)


def test_standard_gradient_is_the_weighted_mean_of_the_draws_gradients(x):
    """-Σ w̃ ∇ log w, log q's parameters included (Burda et al. 2016, sec. 3)."""
    model, noise = Linear(shift=0.3, blur=0.7), torch.randn(6, 40, 2)
    value_of(IWAE(samples=6), model, {"x": x}, noise).loss.mean().backward()
    q = model.encode(x)
    z = q.mean + torch.exp(0.5 * q.logvar) * noise
    log_w = gaussian_log_prob(z) - torch.stack([model.nll(one, x=x)[0] for one in z]) - q.log_prob(z)
    parameters = [model.weight, *model.encoder_parameters]
    expected = torch.autograd.grad(-(log_w.detach().softmax(0) * log_w).sum(0).mean(), parameters)
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert_close(parameter.grad, gradient)


def test_both_gradients_have_one_expectation_and_the_doubly_reparameterized_less_noise(x):
    """Over 30 batches of draws: means within four standard errors; the decoder's are equal draw for draw."""
    rows, found = x[:4].repeat(500, 1), {False: [], True: [], "single": []}
    torch.manual_seed(0)
    for _ in range(30):
        noise, decoders = torch.randn(3, len(rows), 2), []
        for dreg in (False, True):
            model = Linear(shift=0.3, blur=0.7)
            value_of(IWAE(samples=3, doubly_reparameterized=dreg), model, {"x": rows}, noise).loss.mean().backward()
            decoders.append(model.weight.grad)
            found[dreg].append(torch.cat([p.grad.flatten() for p in model.encoder_parameters]))
        assert_close(*decoders)
        model = Linear(shift=0.3, blur=0.7)
        found["single"].append(torch.cat([g.flatten() for g in by_hand(model, rows, noise, power=1)[1]]))
    mean = {n: torch.stack(g).mean(0) for n, g in found.items()}
    error = {n: torch.stack(g).std(0) / 30**0.5 for n, g in found.items()}
    apart = {n: ((mean[n] - mean[False]).abs() / (error[n].square() + error[False].square()).sqrt()).max() for n in (True, "single")}
    assert apart[True] < 4 < apart["single"]  # leaving out the second weight is a bias that this would see
    assert (error[True] < error[False]).all()


def test_doubly_reparameterized_gradient_vanishes_without_noise_at_the_true_posterior(x):
    """There log w does not depend on z, so the encoder is told nothing at all, where the other gradient is noise."""
    noises = {}
    for dreg in (False, True):
        model = Linear()
        value_of(IWAE(samples=4, doubly_reparameterized=dreg), model, {"x": x}, torch.randn(4, 40, 2)).loss.mean().backward()
        noises[dreg] = max(p.grad.abs().max().item() for p in model.encoder_parameters)
    assert noises[True] < 1e-4 < 1e-2 < noises[False]


def test_other_terms_keep_their_gradients_beside_it(x):
    """The doubly reparameterized weights touch the bound's own use of the shared draw, and no other."""
    noise, batch = torch.randn(5, 40, 2), {"x": x}

    def gradients(terms):
        model = Linear(shift=0.3, blur=0.7)
        objective = Objective(terms)
        objective.bind(model)
        objective(model, output_with(model, batch, noise), batch, 0)[0].backward()
        return [p.grad for p in (model.weight, *model.encoder_parameters)]

    other, dreg = Reconstruction(weight=0.7), IWAE(samples=5, doubly_reparameterized=True)  # which no config may have together
    alone, beside = gradients({"other": other}), gradients({"iwae": dreg})
    for total, a, b in zip(gradients({"other": other, "iwae": dreg}), alone, beside, strict=True):
        assert_close(total, b if a is None else a + b)


@pytest.mark.parametrize("dreg", [False, True])
def test_what_is_computed_again_is_the_same(dreg, processor, new_model, sentences):
    """A model with dropout: the backward pass draws a part's masks as they were."""
    batch, found = processor(sentences[:6]), []
    for rows in (0, 8 * 6):  # one part either way, or the masks would be drawn in another order
        model = new_model(processor, dropout=0.3).train()
        torch.manual_seed(1)
        output = model(**batch)
        term = IWAE(samples=8, doubly_reparameterized=dreg, rows=rows)
        torch.manual_seed(2)
        term(model, output, batch, 0).loss.mean().backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and len(found[0]) > 8
    for name in found[0]:
        assert_close(found[0][name], found[1][name], msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("rows, most", [(0, 360), (80, 80), (100, 80), (1, 40)])
def test_at_most_so_many_rows_are_decoded_at_once(x, rows, most):
    model, noise = Linear(shift=0.3, blur=0.7), torch.randn(10, 40, 2)
    said = value_of(IWAE(samples=10, rows=rows), model, {"x": x}, noise)
    assert max(model.decoded) == most and sum(model.decoded) == 400
    plain = Linear(shift=0.3, blur=0.7)
    value_of(IWAE(samples=10), plain, {"x": x}, noise).loss.mean().backward()
    said.loss.mean().backward()
    assert_close(model.map.grad, plain.map.grad)


def test_training_on_it_finds_the_likelihood(x, train):
    model = Linear(shift=0.5, blur=1.0)
    model.weight.requires_grad_(False)
    train(model, Objective.from_config({"iwae": {"samples": 5}}, TERMS), lambda _: {"x": x}, 250, lr=0.02)
    with torch.no_grad():
        bound = IWAE(samples=1)(model, model(x=x), {"x": x}, 0).value.mean()
    assert bound.item() == pytest.approx(model.true_nll(x).mean().item(), abs=0.05)


@pytest.mark.parametrize(
    "options, changes, message",
    [({"samples": 0}, {}, "samples is 0; it must be a whole number"), ({"samples": 2.5}, {}, "samples is 2.5"), ({"rows": -1}, {}, "rows is -1"),
     ({}, {"posterior": "point"}, "no likelihood bound: set model.posterior=gaussian, or remove objective.iwae")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(options, changes, message, new_toy):
    with pytest.raises(ValueError, match=message):
        Objective.from_config({"iwae": options}, TERMS).bind(new_toy(**{"posterior": "gaussian", **changes}))
