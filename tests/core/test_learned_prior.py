"""Priors that learn with the model: what they are the mixture of, and who may move them."""

import copy
import math

import pytest
import torch
from torch import distributions
from torch.testing import assert_close

from textae.core.latent import DiagonalGaussian
from textae.core.learned_prior import Generated, LearnedMixture, VampPrior
from textae.core.metrics import kl_to_prior
from textae.core.objectives import TERMS, Objective
from textae.models.rnn import RNNVAE


def mixture():
    torch.manual_seed(0)
    prior = LearnedMixture(2, components=3)
    with torch.no_grad():
        prior.logvars.normal_()
        prior.logits.normal_()
    return prior


def test_mixture_is_torchs():
    prior = mixture()
    parts = distributions.Independent(distributions.Normal(prior.means, torch.exp(0.5 * prior.logvars)), 1)
    expected = distributions.MixtureSameFamily(distributions.Categorical(logits=prior.logits), parts)
    z = torch.randn(4, 5, 2)
    assert_close(prior.log_prob(z), expected.log_prob(z))
    torch.manual_seed(0)
    draws = prior.sample(30_000).detach()
    assert_close(draws.mean(0), expected.mean.detach(), atol=0.06, rtol=0)
    assert_close(draws.var(0), expected.variance.detach(), rtol=0.06, atol=0)
    assert torch.cdist(prior.sample(50, spread=0.0), prior.means).min(1).values.max() < 1e-5


def test_vamp_is_the_mean_of_the_posteriors_of_its_pseudo_inputs():
    torch.manual_seed(0)
    prior = VampPrior(2, components=4, width=3, length=5)
    prior.attach(lambda x: DiagonalGaussian(x.mean((1, 2))[:, None].expand(-1, 2), x.square().mean((1, 2))[:, None].expand(-1, 2)))
    q, z = prior.posteriors(), torch.randn(6, 2)
    each = torch.stack([DiagonalGaussian(q.mean[i], q.logvar[i]).log_prob(z) for i in range(4)])
    assert_close(prior.log_prob(z), each.logsumexp(0) - math.log(4))
    assert prior.sample(9).shape == (9, 2)
    prior.log_prob(z).sum().backward()
    assert prior.pseudo_inputs.grad.abs().sum() > 0


def test_a_sentence_models_vamp_prior_reads_its_own_encoder(processor, new_model, sentences, tmp_path):
    model = new_model(processor, prior="vamp", prior_options={"components": 3, "length": 4})
    batch = processor(sentences[:5])
    before = model.prior.log_prob(torch.zeros(2, 4))
    model.save_pretrained(tmp_path)
    again = RNNVAE.from_pretrained(tmp_path)
    assert torch.equal(again.prior.log_prob(torch.zeros(2, 4)), before) and again.prior.pseudo_inputs.requires_grad
    assert_close(again.encode(inputs_embeds=again.prior.pseudo_inputs).mean, again.prior.posteriors().mean)
    other = copy.deepcopy(again)
    with torch.no_grad():
        other.head.mean.bias.add_(1)
    assert torch.equal(again.prior.log_prob(torch.zeros(2, 4)), before), "a copy reads the copy's encoder"
    assert not torch.equal(other.prior.log_prob(torch.zeros(2, 4)), before)
    again.train()
    output = again(**batch)
    objective = Objective.from_config({"reconstruction": None, "kl": None}, TERMS)
    objective.bind(again)
    torch.manual_seed(0)
    said = objective.terms["kl"](again, output, batch, 0)
    assert_close(said.value, kl_to_prior(again, output.posterior, output.z))
    said.loss.mean().backward()
    assert again.prior.pseudo_inputs.grad.abs().sum() > 0


@pytest.mark.parametrize("prior, options", [("learned_mixture", {"components": 3}), ("vamp", {"components": 3}), ("hierarchical", {})])
def test_the_trainer_moves_them_as_the_model(prior, options, processor, new_model, new_trainer, tmp_path):
    family = {"posterior": "hierarchical"} if prior == "hierarchical" else {}
    model = new_model(processor, prior=prior, prior_options=options, **family)
    before = {n: p.clone() for n, p in model.prior.named_parameters()}
    new_trainer(tmp_path, {"reconstruction": None, "kl": 0.5}, model=model, epochs=1).fit()
    assert before and all(not torch.equal(p, before[n]) for n, p in model.prior.named_parameters())
    assert RNNVAE.from_pretrained(tmp_path / "model").config.prior == prior


def test_a_prior_that_nobody_would_teach_is_refused(processor, new_model):
    model = new_model(processor, prior="learned_mixture", posterior="gaussian")
    with pytest.raises(ValueError, match="prior=learned_mixture is learned by kl or iwae or mim, and the objective has none"):
        Objective.from_config({"reconstruction": None, "latent_adversary": None}, TERMS).bind(model)
    model = new_model(processor, prior="generator", posterior="point")
    with pytest.raises(ValueError, match="learned by latent_generator"):
        Objective.from_config({"reconstruction": None}, TERMS).bind(model)


def test_a_generator_has_draws_and_no_density():
    prior = Generated(3, noise_dim=2, hidden_dim=4)
    assert prior.sample(5).shape == (5, 3) and torch.equal(prior.sample(2, spread=0.0)[0], prior.sample(1, spread=0.0)[0])
    with pytest.raises(ValueError, match="no density"):
        prior.log_prob(torch.zeros(1, 3))


@pytest.mark.parametrize(
    "make, message",
    [(lambda: LearnedMixture(2, 1), "components is 1; at least 2"), (lambda: VampPrior(2, 1, 3), "components is 1"), (lambda: VampPrior(2, 3), "no vectors"),
     (lambda: VampPrior(2, 3, 4, 0), "length is 0"), (lambda: Generated(2, layers=0), "layers is 0")],
)  # fmt: skip
def test_sizes_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
