"""MMD, total correlation, sentence-MIM and the log-variance penalty: closed forms and what they push towards."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import DiagonalGaussian
from textae.core.objectives import MIM, MMD, LogVariance, TotalCorrelation


def output_of(mean, logvar, z=None):
    q = DiagonalGaussian(mean, logvar)
    return AutoencoderOutput(torch.zeros(len(mean)), q, mean if z is None else z, torch.ones(len(mean)))


# --- MMD ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_of_a_few_points_by_hand(kernel):
    torch.manual_seed(0)
    x, y, scales = torch.randn(3, 2), torch.randn(3, 2), (0.5, 2.0)

    def k(a, b):
        d = float((a - b).square().sum())
        return sum(4 * s / (4 * s + d) if kernel == "imq" else math.exp(-d / (4 * s)) for s in scales)

    pairs = [(i, j) for i in range(3) for j in range(3)]
    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs if i != j) / 6
    expected = within - 2 * sum(k(x[i], y[j]) for i, j in pairs) / 9
    assert MMD(kernel=kernel, scales=scales).estimate(x, y).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_is_unbiased_at_the_prior_and_large_far_from_it(kernel, new_toy):
    model = new_toy(latent_dim=3)
    term = MMD(kernel=kernel)
    term.bind(model)
    torch.manual_seed(0)
    same = torch.stack([term(model, output_of(torch.randn(32, 3), torch.zeros(32, 3)), {}, 0).value for _ in range(200)])
    far = torch.stack([term(model, output_of(torch.randn(32, 3) + 1, torch.zeros(32, 3)), {}, 0).value for _ in range(20)])
    narrow = torch.stack([term(model, output_of(0.3 * torch.randn(32, 3), torch.zeros(32, 3)), {}, 0).value for _ in range(20)])
    assert same.mean().abs() < 5 * same.std() / 200**0.5 and same.min() < 0
    assert far.mean() > 10 * same.std() / 20**0.5 and narrow.mean() > 10 * same.std() / 20**0.5


def test_mmd_gradient_moves_codes_to_the_prior(new_toy):
    model, term = new_toy(), MMD()
    term.bind(model)
    torch.manual_seed(0)
    codes = (0.2 * torch.randn(64, 2) + 2).requires_grad_(True)

    def value():
        with torch.no_grad():
            return torch.stack([term(model, output_of(codes, torch.zeros(64, 2)), {}, 0).value for _ in range(20)]).mean()

    before, optimizer = value(), torch.optim.Adam([codes], lr=0.05)
    for _ in range(120):
        optimizer.zero_grad()
        term(model, output_of(codes, torch.zeros(64, 2)), {}, 0).loss.backward()
        optimizer.step()
    assert value() < 0.05 * before and codes.mean(0).abs().max() < 0.5 and codes.std() > 0.6


def test_one_code_alone_has_no_discrepancy(new_toy):
    code = torch.ones(1, 2, requires_grad=True)
    said = MMD()(new_toy(), output_of(code, torch.zeros(1, 2)), {}, 0)
    said.loss.backward()
    assert said.value == 0 and (code.grad == 0).all()


# --- total correlation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_total_correlation_of_a_whole_data_set_is_its_definition(sampling):
    """With the data set as the batch both samplings are the mixture itself (stratified: N - M = 1 of N examples is left)."""
    torch.manual_seed(0)
    mean, logvar = torch.randn(6, 2), torch.randn(6, 2) - 2
    z = DiagonalGaussian(mean, logvar).sample()
    term = TotalCorrelation(num_examples=6, sampling=sampling)
    if sampling == "stratified":
        assert_close(term.log_weights(6).exp().sum(1), torch.ones(6))
    else:
        assert_close(term.log_weights(6).exp(), torch.full((6, 6), 1 / 6))
    density = torch.distributions.Normal(mean, torch.exp(0.5 * logvar))
    each = density.log_prob(z[:, None])  # i, j, d
    log_weight = term.log_weights(6)
    expected = (log_weight + each.sum(-1)).logsumexp(1) - sum((log_weight + each[..., d]).logsumexp(1) for d in range(2))
    assert_close(term(None, output_of(mean, logvar, z), {}, 0).value, expected)


def test_stratified_weights_count_the_own_example_once():
    weights = TotalCorrelation(num_examples=1000, sampling="stratified").log_weights(5).exp()
    assert_close(weights.sum(1), torch.ones(5))
    assert_close(weights.diagonal(), torch.full((5,), 1e-3))
    assert_close(weights.sort(1).values[:, 2:], torch.full((5, 3), 0.25))


def test_total_correlation_sees_dependence_and_nothing_else():
    torch.manual_seed(0)
    shared = torch.randn(400, 1)
    tight = torch.full((400, 2), -4.0)
    values = {}
    for name, mean in {"same": shared.expand(-1, 2), "apart": torch.randn(400, 2)}.items():
        z = DiagonalGaussian(mean, tight).sample()
        values[name] = TotalCorrelation()(None, output_of(mean, tight, z), {}, 0).value.mean()
    assert values["same"] > values["apart"] + 1


@pytest.mark.parametrize("options", [{}, {"num_examples": 1024, "sampling": "stratified"}])
def test_total_correlation_is_in_nats(options):
    """Of correlated normals with ρ = 0.7, whose codes are drawn around means with what is left of the variance: -ln(1 - ρ²) / 2."""
    torch.manual_seed(0)
    noise, rho = 0.2, 0.7
    mean = torch.distributions.MultivariateNormal(torch.zeros(2), torch.tensor([[1 - noise, rho], [rho, 1 - noise]])).sample((1024,))
    logvar = torch.full((1024, 2), noise).log()
    z = DiagonalGaussian(mean, logvar).sample()
    value = TotalCorrelation(**options)(None, output_of(mean, logvar, z), {}, 0).value.mean().item()
    assert value == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.06)


# --- sentence-MIM and log-variances -------------------------------------------------------------------------------


def test_mim_is_half_of_both_log_densities(processor, new_model):
    torch.manual_seed(0)
    model, mean, logvar = new_model(processor), torch.randn(5, 4), torch.randn(5, 4)
    q = DiagonalGaussian(mean, logvar)
    z = q.sample()
    said = MIM()(model, output_of(mean, logvar, z), {}, 0)
    prior = torch.distributions.Normal(0, 1).log_prob(z).sum(1)
    assert_close(said.value, -0.5 * (torch.distributions.Normal(mean, torch.exp(0.5 * logvar)).log_prob(z).sum(1) + prior))


def test_mim_narrows_posteriors_where_a_kl_widens_them(processor, new_model):
    model, logvar = new_model(processor), torch.zeros(4, 4, requires_grad=True)
    z = DiagonalGaussian(torch.zeros(4, 4), logvar).sample()
    MIM()(model, output_of(torch.zeros(4, 4), logvar, z), {}, 0).loss.sum().backward()
    assert (logvar.grad.sum(0) > 0).all()  # descent lowers it


def test_logvar_penalty_is_the_sum_of_sizes():
    logvar = torch.tensor([[1.0, -2.0], [0.0, 0.5]], requires_grad=True)
    said = LogVariance()(None, output_of(torch.zeros(2, 2), logvar), {}, 0)
    assert_close(said.value, torch.tensor([3.0, 0.5]))
    said.loss.sum().backward()
    assert_close(logvar.grad, torch.tensor([[1.0, -1.0], [0.0, 1.0]]))


@pytest.mark.parametrize(
    "make, message",
    [(lambda: MMD(kernel="rbg"), "'rbg'; it must be imq or rbf"), (lambda: MMD(scales=[]), "at least one"), (lambda: MMD(scales=[1, -1]), "all above 0"),
     (lambda: TotalCorrelation(num_examples=1), "num_examples is 1"), (lambda: TotalCorrelation(sampling="stratified"), "stratified needs num_examples"), (lambda: TotalCorrelation(num_examples=9, sampling="all"), "'all'; it must be weighted or stratified")],
)  # fmt: skip
def test_settings_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
