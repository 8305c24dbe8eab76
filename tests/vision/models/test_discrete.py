"""Probabilities of 8-bit pixels: they sum to one, agree with references, and have true gradients at any output."""

import math

import numpy as np
import pytest
import torch

from vision.models.base import LIKELIHOODS
from vision.models.discrete import (
    BetaBinomial,
    EightBitLikelihood,
    LogisticMixture,
    ZeroInflatedLevels,
    ZeroInflatedLogistic,
    levels_of,
)

KINDS = {name: kind for name, kind in LIKELIHOODS.items() if issubclass(kind, EightBitLikelihood)}


def outputs_of(likelihood, scale=2.0, channels=1, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(2, likelihood.per_pixel * channels, 3, 4, generator=generator, dtype=dtype)


def random_targets(channels=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (2, channels, 3, 4), generator=generator)
    levels.view(-1)[:4] = torch.tensor([0, 255, 1, 254])
    return levels.float() / 255


def test_all_are_registered():
    assert {BetaBinomial, LogisticMixture, ZeroInflatedLogistic, ZeroInflatedLevels} == set(KINDS.values())


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("name", KINDS)
def test_probabilities_sum_to_one(name, scale):
    likelihood = KINDS[name]().double()
    log_pmf = likelihood.log_pmf(outputs_of(likelihood, scale, channels=3))
    assert log_pmf.shape == (2, 3, 3, 4, 256)
    torch.testing.assert_close(log_pmf.logsumexp(-1), torch.zeros(2, 3, 3, 4, dtype=torch.float64), rtol=0, atol=1e-9)
    pmf = likelihood.pmf(outputs_of(likelihood, scale, channels=3))
    torch.testing.assert_close(pmf, log_pmf.exp(), rtol=0, atol=1e-10)
    assert (pmf >= 0).all()


@pytest.mark.parametrize("name", KINDS)
def test_float32_outputs_give_float32_close_to_float64(name):
    likelihood = KINDS[name]()
    outputs = outputs_of(likelihood, 3.0, dtype=torch.float32)
    single = likelihood.log_pmf(outputs)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), likelihood.double().log_pmf(outputs.double()), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", KINDS)
def test_nll_is_the_entry_of_the_pmf(name, channels):
    likelihood = KINDS[name]().double()
    outputs, targets = outputs_of(likelihood, channels=channels), random_targets(channels)
    expected = -likelihood.log_pmf(outputs).gather(-1, levels_of(targets)[..., None])[..., 0]
    torch.testing.assert_close(likelihood.nll(outputs, targets), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_outputs_are_blocks_of_channels(name):
    likelihood = KINDS[name]().double()
    outputs = outputs_of(likelihood, channels=3)
    alone = outputs[:, 1::3]  # R blocks of C: the second channel is every third map
    torch.testing.assert_close(likelihood.log_pmf(outputs)[:, 1:2], likelihood.log_pmf(alone))


@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_true(name):
    likelihood = KINDS[name]().double()
    targets = random_targets()[:1, :, :1]
    outputs = outputs_of(likelihood)[:1, :, :1].requires_grad_()
    assert torch.autograd.gradcheck(lambda o: likelihood.nll(o, targets), outputs)
    assert torch.autograd.gradcheck(lambda o: likelihood.log_pmf(o)[..., ::51], outputs)


def test_the_table_of_levels_has_true_gradients():
    likelihood, targets = ZeroInflatedLevels(rank=2).double(), random_targets()
    outputs = outputs_of(likelihood)
    cost = likelihood.nll(outputs, targets).sum()
    cost.backward()
    generator = torch.Generator().manual_seed(3)
    for table in (likelihood.bias, likelihood.basis):
        direction, before, ends = torch.randn(table.shape, generator=generator, dtype=torch.float64), table.detach().clone(), []
        for sign in (1, -1):
            with torch.no_grad():
                table.copy_(before + sign * 1e-5 * direction)
                ends.append(likelihood.nll(outputs, targets).sum().item())
        with torch.no_grad():
            table.copy_(before)
        assert (table.grad * direction).sum().item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_extreme_outputs_keep_costs_and_gradients_finite(name):
    likelihood, targets = KINDS[name](), random_targets()
    for scale in (1e2, 1e4):
        outputs = outputs_of(likelihood, scale, dtype=torch.float32).requires_grad_()
        cost = likelihood.nll(outputs, targets)
        cost.sum().backward()
        assert torch.isfinite(cost).all() and (cost > -1e-5).all()
        assert torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize("name", KINDS)
def test_mean_is_the_expectation(name):
    likelihood = KINDS[name]().double()
    outputs = outputs_of(likelihood, channels=3)
    expected = (likelihood.log_pmf(outputs).exp() * torch.arange(256)).sum(-1) / 255
    mean = likelihood.mean(outputs)
    assert mean.shape == (2, 3, 3, 4)
    torch.testing.assert_close(mean, expected, rtol=1e-8, atol=1e-8)


def test_beta_binomial_is_scipys():
    from scipy.stats import betabinom

    outputs = torch.tensor([0.7, -1.3], dtype=torch.float64).view(1, 2, 1, 1)
    alpha, beta = (10 * torch.tanh(outputs / 10)).exp().flatten().tolist()
    expected = betabinom(255, alpha, beta).pmf(np.arange(256))
    torch.testing.assert_close(BetaBinomial().log_pmf(outputs).exp().flatten().numpy(), expected, rtol=1e-8, atol=0)


def test_logistic_is_a_difference_of_sigmoids():
    likelihood = LogisticMixture(1)
    outputs = torch.tensor([0.3, 0.2, -0.4], dtype=torch.float64).view(1, 3, 1, 1)
    mean, scale = 127.5 * 1.2, math.exp(-0.4 + 3)
    edges = torch.cat([torch.tensor([-math.inf]), torch.arange(255) + 0.5, torch.tensor([math.inf])]).double()
    expected = torch.sigmoid((edges - mean) / scale).diff()
    torch.testing.assert_close(likelihood.log_pmf(outputs).exp().flatten(), expected, rtol=1e-9, atol=1e-15)


def test_point_masses_take_what_their_logits_say():
    likelihood = ZeroInflatedLogistic(1)
    outputs = torch.zeros(1, likelihood.per_pixel, 1, 1, dtype=torch.float64)
    outputs[0, :3, 0, 0] = torch.tensor([0.5, 0.3, 0.2]).log()
    pmf, bare = likelihood.log_pmf(outputs).exp().flatten(), LogisticMixture(1).log_pmf(outputs[:, 2:]).exp().flatten()
    bare = 0.2 * bare
    bare[0] += 0.5
    bare[255] += 0.3
    torch.testing.assert_close(pmf, bare, rtol=1e-6, atol=1e-9)


def test_levels_can_be_any_histogram():
    counts = torch.randint(1, 1000, (256,), generator=torch.Generator().manual_seed(0)).double()
    shares = counts / counts.sum()
    likelihood = ZeroInflatedLevels(rank=1).double()
    with torch.no_grad():
        likelihood.bias.copy_(shares[1:].log() / likelihood.GAIN)
    outputs = torch.zeros(1, 2, 1, 1, dtype=torch.float64)
    outputs[0, 0] = torch.logit(shares[0])
    torch.testing.assert_close(likelihood.log_pmf(outputs).exp().flatten(), shares)


def test_levels_without_a_lit_pixel():
    likelihood = ZeroInflatedLevels()
    outputs = outputs_of(likelihood, dtype=torch.float32).requires_grad_()
    cost = likelihood.nll(outputs, torch.zeros(2, 1, 3, 4))
    cost.sum().backward()
    torch.testing.assert_close(cost, torch.nn.functional.softplus(-outputs[:, :1]))
    assert torch.isfinite(likelihood.bias.grad).all()


@pytest.mark.parametrize("value", [0.5, -1 / 255, 256 / 255, math.nan, math.inf])
def test_pixels_that_are_not_8_bit_are_refused(value):
    targets = random_targets()
    targets[1, 0, 2, 3] = value
    with pytest.raises(ValueError, match="multiples of 1/255"):
        BetaBinomial().nll(torch.zeros(2, 2, 3, 4), targets)


def test_too_few_components_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        LogisticMixture(0)
    with pytest.raises(ValueError, match="at least one output"):
        ZeroInflatedLevels(0)


@pytest.mark.parametrize("name", KINDS)
def test_models_train_and_generate_with_it(name):
    from vision.models.conv import ConvAutoencoder, ConvConfig
    from vision.models.mlp import MLPAutoencoder, MLPConfig

    torch.manual_seed(0)
    x = torch.randint(0, 256, (3, 3, 8, 8)).float() / 255
    size = dict(channels=3, height=8, width=8, latent_dim=2, likelihood=name)
    for model in (MLPAutoencoder(MLPConfig(hidden_dims=[5], **size)), ConvAutoencoder(ConvConfig(filters=[4], hidden_dim=5, **size))):
        with torch.autocast("cpu", torch.bfloat16):
            output = model(pixel_values=x)
        output.nll.mean().backward()
        assert output.nll.shape == (3,) and output.nll.dtype == torch.float32
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        rebuilt = model.generate(output.z.detach())
        assert rebuilt.shape == x.shape and (rebuilt >= 0).all() and (rebuilt <= 1).all()


@pytest.mark.parametrize("name", KINDS)
def test_a_loaded_model_says_the_same(name, tmp_path):
    from vision.models.mlp import MLPAutoencoder, MLPConfig

    torch.manual_seed(0)
    model = MLPAutoencoder(MLPConfig(height=4, width=3, latent_dim=2, hidden_dims=[5], likelihood=name)).eval()
    with torch.no_grad():
        for parameter in model.likelihood.parameters():
            parameter.add_(torch.randn_like(parameter) / 100)
    model.save_pretrained(tmp_path / "model")
    again, z = MLPAutoencoder.from_pretrained(tmp_path / "model").eval(), torch.randn(3, 2)
    torch.testing.assert_close(again.likelihood.log_pmf(again.pixels(z)), model.likelihood.log_pmf(model.pixels(z)), rtol=0, atol=0)
