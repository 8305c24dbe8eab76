"""One contract for every family of posteriors in every model of sentences, and what is refused before training."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderConfig, make_config
from textae.core.families import DENSITIES, FAMILIES, OWN_PRIOR, POSSIBLE_PRIORS
from textae.core.latent import FixedScaleNorm, PointPosterior, PosteriorHead
from textae.core.metrics import active_variance, bound, importance_nll, is_discrete, kl_to_prior
from textae.core.objectives import TERMS, Objective
from textae.core.prior import PRIORS
from textae.models.rnn import RNNVAEConfig
from textae.models.transformer import TransformerVAE, TransformerVAEConfig

OPTIONS = {
    "gaussian": {"mean_scale": 0.6}, "point": {}, "vmf": {"kappa": 0.0}, "quantized": {"num_codes": 6, "code_dim": 2}, "hierarchical": {"groups": [1, 3], "hidden_dim": 5},
}  # fmt: skip


@pytest.fixture(params=[(kind, family) for kind in ("rnn", "transformer") for family in FAMILIES], ids="-".join)
def model(request, processor, new_model):
    kind, family = request.param
    changes = {"posterior": family, "posterior_options": OPTIONS[family]}
    if kind == "rnn":
        return new_model(processor, **changes)
    torch.manual_seed(0)
    sizes = dict(latent_dim=4, hidden_dim=16, num_heads=2, feedforward_dim=24, num_encoder_layers=1, num_decoder_layers=2)
    return TransformerVAE(TransformerVAEConfig(vocab_size=len(processor.tokenizer), **sizes, **changes)).eval()


def test_every_family_is_covered():
    assert set(OPTIONS) == set(FAMILIES) == set(OWN_PRIOR) == set(POSSIBLE_PRIORS) and set(DENSITIES) < set(FAMILIES)
    assert {name for names in POSSIBLE_PRIORS.values() for name in names} == set(PRIORS)


def test_family_trains_saves_loads_samples_and_is_measured(model, processor, sentences, tmp_path):
    batch = processor(sentences[:6])
    model.train()(**batch).nll.sum().backward()
    assert all(p.grad is not None for p in model.head.parameters() if p.requires_grad and p.dim() > 1) or model.config.posterior in ("gaussian", "vmf")
    model.eval().save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    torch.manual_seed(0)
    first = model(**batch)
    torch.manual_seed(0)
    second = again(**batch)
    assert torch.equal(first.nll, second.nll) and again.config.prior == OWN_PRIOR[model.config.posterior]
    torch.manual_seed(0)
    with torch.no_grad():
        assert again.generate(again.prior.sample(3), max_new_tokens=4).shape[0] == 3
    result = bound(again, [batch])
    assert result.num_examples == 6 and torch.isfinite(torch.tensor(result.loss))
    q = second.posterior
    if isinstance(q, PointPosterior):
        assert (result.kl == 0) == (not is_discrete(again, q))
        with pytest.raises(ValueError, match="no likelihood bound"):
            importance_nll(again, batch, 2)
    else:
        assert (importance_nll(again, batch, 200).nll <= second.nll.double() + kl_to_prior(again, q, second.z).double() + 3).all()
        assert importance_nll(again, batch, 3, rows=6).effective_samples.max() <= 3 + 1e-9


def test_a_code_of_another_kind_is_decoded_as_the_nearest(model):
    z = torch.randn(2, 4)
    with torch.no_grad():
        assert torch.equal(model.generate(z, max_new_tokens=5), model.generate(model.head.snap(z), max_new_tokens=5))
    assert torch.equal(model.head.snap(model.head.snap(z)), model.head.snap(z)) or model.config.posterior == "vmf"


def test_quantized_codes_are_learned_shown_to_the_prior_and_bounded(processor, new_model, new_trainer, tmp_path):
    model = new_model(processor, posterior="quantized", posterior_options={"num_codes": 5, "code_dim": 2, "revive_after": 3})
    before = model.head.codebook.codes.clone()
    new_trainer(tmp_path, {"reconstruction": None, "commitment": 0.25}, model=model, epochs=1).fit()
    assert not torch.equal(model.head.codebook.codes, before) and torch.equal(model.prior.codebook, model.head.codebook.codes)
    loaded = type(model).from_pretrained(tmp_path / "model")
    drawn = loaded.prior.sample(7)
    assert_close(loaded.head.snap(drawn), drawn)
    assert_close(kl_to_prior(loaded, loaded.encode(**processor(["bread"])), drawn[:1]), torch.tensor([2 * torch.tensor(5.0).log()]))
    prior = PRIORS["codes"](4, num_codes=6, code_dim=2)
    with pytest.raises(ValueError, match="over 6 codes of 2 dimensions, the model's codebook has 5 of 2"):
        loaded.set_prior("codes", prior, {"num_codes": 6, "code_dim": 2})


def test_normalized_means_have_the_scale_and_so_a_least_kl():
    torch.manual_seed(0)
    norm, x = FixedScaleNorm(3, 0.6), 5 + 7 * torch.randn(400, 3)
    y = norm(x)
    assert_close(y.std(0, correction=0), torch.full((3,), 0.6), rtol=1e-4, atol=0)
    assert_close(y.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    assert {n for n, _ in norm.named_parameters()} == {"shift"}
    for _ in range(100):
        norm(x)
    assert_close(norm.eval()(x[:1]), y[:1], rtol=0.02, atol=0.02)
    assert_close(norm.train()(x[:1]), norm.eval()(x[:1]))  # one alone has no deviation
    head = PosteriorHead(8, 3, mean_scale=0.6)
    q = head(torch.randn(50, 8))
    assert (q.kl().mean(0) >= 0.5 * 0.36 - 1e-3).all()  # γ²/2 whatever the variances


def test_active_variance_on_the_sphere_is_relative():
    assert active_variance(RNNVAEConfig(posterior="vmf", latent_dim=50)) == pytest.approx(0.01 / 50)
    assert active_variance(RNNVAEConfig(latent_dim=50)) == 0.01


@pytest.mark.parametrize(
    "settings, message",
    [({"posterior": "vmf", "latent_dim": 1}, "latent_dim is 1; a sphere"), ({"posterior": "vmf", "posterior_options": {"kappas": 3}}, "did you mean 'kappa'"),
     ({"posterior": "quantized", "posterior_options": {"num_codes": 1}}, "num_codes is 1; a codebook has at least 2"),
     ({"posterior": "quantized", "latent_dim": 8, "posterior_options": {"code_dim": 3}}, "whole codes of code_dim=3 do not fill"),
     ({"posterior": "hierarchical", "posterior_options": {"groups": [32]}}, "at least two sizes"),
     ({"posterior": "gaussian", "posterior_options": {"mean_scale": -1}}, "mean_scale is -1"), ({"posterior": "point", "posterior_options": {"mean_scale": 1}}, "mean_scale"),
     ({"posterior": "vmf", "prior": "vamp"}, "prior=vamp is no prior of codes with posterior=vmf: take one of sphere"),
     ({"posterior": "point", "prior": "learned_mixture"}, "no prior of codes with posterior=point"), ({"posterior": "gaussian", "prior": "generator"}, "no prior of codes"),
     ({"prior": "vamp", "posterior_options": {"mean_scale": 0.5}}, "leave one out"), ({"prior": "learned_mixture", "prior_options": {"components": 1}}, "components is 1"),
     ({"posterior": "quantized", "prior_options": {"num_codes": 7, "code_dim": 32}}, "prior=uniform_codes has num_codes=7 and the codebook 512"),
     ({"prior": "vamp", "prior_options": {"component": 5}}, "did you mean 'components'"), ({"prior": "vamp", "prior_options": {"length": 0}}, "length is 0"),
     ({"posterior_options": {"latent_dim": 3}}, "no key 'latent_dim'"), ({"posterior": ["vmf"]}, "posterior"), ({"posterior_options": 3}, "posterior_options")],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_training(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(RNNVAEConfig, settings)


def test_models_without_such_heads_say_so():
    with pytest.raises(ValueError, match="no posterior 'vmf': .*gaussian, point"):
        make_config(AutoencoderConfig, {"posterior": "vmf"})
    with pytest.raises(ValueError, match="this model's posterior has none"):
        make_config(AutoencoderConfig, {"posterior_options": {"mean_scale": 0.5}})
    with pytest.raises(ValueError, match="reads no vectors"):
        make_config(AutoencoderConfig, {"prior": "vamp"})


@pytest.mark.parametrize(
    "objective, settings, message",
    [({"kl": None}, {"posterior": "quantized"}, "a quantized posterior has no KL"), ({"iwae": None}, {"posterior": "quantized"}, "no likelihood bound"),
     ({"iwae": {"doubly_reparameterized": True}}, {"posterior": "vmf"}, "is for posterior=gaussian, not vmf"),
     ({"kl": {"free_bits": 0.1}}, {"posterior": "vmf"}, "one number for all dimensions: set objective.kl.free_bits_per=sentence"),
     ({"kl": {"free_bits": 0.1}}, {"prior": "learned_mixture"}, "one number for all dimensions"), ({"mim": None}, {"posterior": "point"}, "mim needs densities"),
     ({"logvar_penalty": None}, {"posterior": "vmf"}, "set model.posterior=gaussian"), ({"kl": None, "total_correlation": {"num_examples": 9}}, {"posterior": "hierarchical"}, "by dimension"),
     ({"mmd": None}, {"posterior": "quantized"}, "rows of a codebook"), ({"mmd": None, "latent_generator": None}, {"posterior": "point", "prior": "generator"}, "leave one of the two out"),
     ({"latent_generator": None}, {"posterior": "point"}, "set model.prior=generator"), ({"latent_adversary": None}, {"posterior": "vmf"}, "never come there")],
)  # fmt: skip
def test_terms_that_do_not_fit_a_family_say_so(objective, settings, message, processor, new_model):
    with pytest.raises(ValueError, match=message):
        Objective.from_config(objective if "iwae" in objective else {"reconstruction": None, **objective}, TERMS).bind(new_model(processor, **settings))
