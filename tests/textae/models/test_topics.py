"""The model of documents: its likelihood, its prior and its topics."""

import math

import pytest
import torch
from torch.distributions import Multinomial, Normal, kl_divergence

from textae.core.autoencoder import make_config
from textae.models.topics import TopicModel, TopicModelConfig

SETTINGS = {
    "nvdm": {},
    "prodlda": {"code": "simplex", "dirichlet": 0.5, "batch_norm": True, "activation": "softplus", "dropout": 0.2},
    "nvlda": {"code": "simplex", "dirichlet": 1, "mixing": "mixture"},
    "deep": {"hidden_dims": [9, 7], "decoder_dims": [7, 9], "reads": "presence", "activation": "sigmoid"},
    "point": {"posterior": "point", "batch_norm": True, "reads": "log_counts"},
}


def make(name, **changes):
    torch.manual_seed(0)
    settings = {"vocab_size": 12, "latent_dim": 4, "hidden_dims": [8], **SETTINGS[name], **changes}
    return TopicModel(make_config(TopicModelConfig, settings)).eval()


COUNTS = torch.randint(0, 4, (5, 12), generator=torch.Generator().manual_seed(1)).float()


@pytest.mark.parametrize("name", SETTINGS)
def test_cost_is_the_multinomial_without_its_coefficient(name):
    model = make(name)
    z = torch.randn(5, 4)
    nll, count = model.nll(z, counts=COUNTS)
    log_probs = model.word_log_probs(model.shares(z))
    assert torch.allclose(log_probs.exp().sum(1), torch.ones(5), atol=1e-5)
    for n, cost, row in zip(COUNTS, nll, log_probs, strict=True):
        coefficient = torch.lgamma(n.sum() + 1) - torch.lgamma(n + 1).sum()
        assert cost.item() == pytest.approx((coefficient - Multinomial(int(n.sum()), logits=row).log_prob(n)).item(), rel=1e-5)
    assert count.tolist() == COUNTS.sum(1).long().tolist()


@pytest.mark.parametrize("name", SETTINGS)
def test_saves_and_loads_strictly(name, tmp_path):
    model = make(name)
    model.save_pretrained(tmp_path / "m")
    again = TopicModel.from_pretrained(tmp_path / "m").eval()
    assert torch.equal(again.encode(counts=COUNTS).mean, model.encode(counts=COUNTS).mean)


@pytest.mark.parametrize("name", SETTINGS)
def test_encoder_modules_are_all_that_a_posterior_has_a_gradient_for(name):
    model = make(name)
    posterior = model.encode(counts=COUNTS)
    (posterior.sample().square().sum() + (0 if name == "point" else posterior.logvar.square().sum())).backward()
    moved = {n for n, p in model.named_parameters() if p.grad is not None}
    assert moved == {f"{m}.{n}" for m in model.encoder_modules for n, _ in model.get_submodule(m).named_parameters()}


@pytest.mark.parametrize("alpha", [0.02, 1.0, 3.0])
def test_prior_is_the_laplace_approximation_of_the_dirichlet(alpha):
    """KL of z to N(0, I) is KL of the shares' logits s z to the normal of Srivastava & Sutton 2017, sec. 3.2."""
    model = make("prodlda", dirichlet=alpha)
    k = model.config.latent_dim
    each = torch.full((k,), alpha)
    mean, variance = each.log() - each.log().mean(), (1 / each) * (1 - 2 / k) + (1 / each).sum() / k**2
    posterior, s = model.encode(counts=COUNTS), model.config.scale
    logits = Normal(s * posterior.mean, s * torch.exp(0.5 * posterior.logvar))
    assert torch.allclose(posterior.kl(), kl_divergence(logits, Normal(mean, variance.sqrt())), rtol=1e-4, atol=1e-5)
    assert torch.allclose(model.shares(torch.ones(1, k)).sum(), torch.tensor(1.0))


def test_a_small_dirichlet_leaves_few_topics_in_a_document():
    largest = {a: make("prodlda", dirichlet=a).shares(torch.randn(500, 4, generator=torch.Generator().manual_seed(0))).amax(1).mean() for a in (0.05, 1, 20)}
    assert largest[0.05] > 0.8 > largest[1] > largest[20] and largest[20] < 0.4


def test_topic_words_of_a_gaussian_code_are_its_weights_and_of_shares_the_topics_distributions():
    model = make("nvdm")
    assert torch.allclose(model.topic_words(), model.output.weight.T, atol=1e-6)
    mixture = make("nvlda")
    assert torch.allclose(mixture.topic_words().exp(), mixture.output.weight.T.softmax(1), atol=1e-6)
    shares = torch.tensor([[0.5, 0.5, 0, 0]])
    assert torch.allclose(mixture.word_log_probs(shares).exp(), mixture.topic_words()[:2].exp().mean(0), atol=1e-6)
    assert make("deep").topic_words().shape == (4, 12)


def test_topics_of_a_product_do_not_change_with_what_the_likelihood_does_not_see():
    """A constant for each word, moved from all topics into the bias."""
    model = make("prodlda", batch_norm=False)
    before, constant = model.topic_words(), torch.randn(12)
    with torch.no_grad():
        model.output.weight += constant[:, None]
        model.output.bias -= constant
    assert torch.allclose(model.topic_words(), before, atol=1e-5)


@pytest.mark.parametrize(("reads", "seen"), [("counts", 3.0), ("log_counts", math.log(4)), ("presence", 1.0)])
def test_what_the_encoder_reads(reads, seen):
    model = make("nvdm", hidden_dims=[], reads=reads)
    x = torch.zeros(1, 12)
    x[0, 5] = 3
    expected = model.head.mean.weight[:, 5] * seen + model.head.mean.bias
    assert torch.allclose(model.encode(counts=x).mean[0], expected, atol=1e-6)


def test_words_at_a_code():
    model, z = make("nvdm"), torch.randn(3, 4)
    best = model.generate(z, num_words=5)
    assert best.shape == (3, 5) and torch.equal(best[:, 0], model.word_log_probs(z).argmax(1))
    drawn = model.generate(z, num_words=12, do_sample=True, num_beams=1)
    assert drawn.shape == (3, 12) and drawn.max() < 12
    for options, message in (({"num_words": 13}, "12 words of the vocabulary"), ({"num_words": 0}, "num_words is 0"), ({"num_beams": 4}, "no order"), ({"top_p": 0.5}, "leave top_p out")):
        with pytest.raises(ValueError, match=message):
            model.generate(z, **options)


def test_training_noise_is_not_there_in_use():
    model = make("prodlda")
    assert torch.equal(model.nll(torch.ones(5, 4), counts=COUNTS)[0], model.nll(torch.ones(5, 4), counts=COUNTS)[0])
    model.train()
    assert not torch.equal(model.nll(torch.ones(5, 4), counts=COUNTS)[0], model.nll(torch.ones(5, 4), counts=COUNTS)[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"code": "cube"}, "gaussian, simplex"),
        ({"reads": "words"}, "counts, log_counts, presence"),
        ({"activation": "sine"}, "activation"),
        ({"mixing": "sum"}, "mixture, product"),
        ({"mixing": "mixture"}, "set code=simplex"),
        ({"mixing": "mixture", "code": "simplex", "decoder_dims": [4]}, "leave decoder_dims out"),
        ({"dirichlet": 0.1}, "a prior of shares"),
        ({"dirichlet": -1, "code": "simplex"}, "above 0"),
        ({"latent_dim": 1, "code": "simplex"}, "at least 2"),
        ({"hidden_dims": [0]}, "at least one unit"),
        ({"dropout": 1.0}, "below 1"),
        ({"categories": 2, "posterior": "point", "prior": "categorical"}, "neither categories"),
        ({"attributes": {"tense": ["past"]}}, "nor attributes"),
        ({"vocab_size": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(TopicModelConfig, settings)
