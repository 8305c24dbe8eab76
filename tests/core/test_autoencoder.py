"""Loading is strict and says what is wrong; a fresh model is as its author wrote it; priors travel with their model."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from textae.core import prior
from textae.core.prior import PRIORS
from textae.models.rnn import RNNVAE, RNNVAEConfig

WEIGHT = "decoder.embed.weight"
FITTED = {"mixture": {"components": 3}, "flow": {"layers": 2, "hidden_dim": 8}}


@pytest.fixture
def saved(tiny_model, tmp_path):
    tiny_model.save_pretrained(tmp_path)
    return tmp_path


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refuses(folder, *words):
    with pytest.raises(ValueError) as caught:
        RNNVAE.from_pretrained(folder)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_weight_is_named(saved):
    change_weights(saved, lambda w: w.pop(WEIGHT))
    refuses(saved, "lack", WEIGHT)


def test_an_unexpected_weight_is_named(saved):
    change_weights(saved, lambda w: w.update(extra=torch.zeros(2)))
    refuses(saved, "unexpected", "extra")


@pytest.mark.parametrize("shape", [(3, 12), (12,), ()])
def test_a_misshaped_weight_is_named(saved, shape):
    change_weights(saved, lambda w: w.update({WEIGHT: torch.zeros(shape)}))
    refuses(saved, WEIGHT)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_called_damaged(saved, share):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refuses(saved, "damaged", str(saved))


def test_another_kind_of_model_is_refused(saved):
    change_config(saved, model_type="bert")
    refuses(saved, "'bert'", "'textae_rnn'")


def test_an_unknown_config_key_names_the_nearest(saved):
    change_config(saved, latentdim=3)
    refuses(saved, "'latentdim'", "did you mean 'latent_dim'")


@pytest.mark.parametrize("text", ["{", "", "\x00\x01"])
def test_a_damaged_config_is_said(saved, text):
    (saved / "config.json").write_text(text)
    refuses(saved, "config.json")


@pytest.mark.parametrize("change", [{"latent_dim": "4"}, {"latent_dim": 0}, {"cell": "rnn"}, {"prior": "flaw"}, {"posterior": "gausian"}])
def test_impossible_config_values_are_refused(saved, change):
    change_config(saved, **change)
    refuses(saved, str(*change.values()))


def test_loading_reports_what_the_library_would(saved):
    model, info = RNNVAE.from_pretrained(saved, output_loading_info=True)
    assert isinstance(model, RNNVAE) and not any(info.get(k) for k in ("missing_keys", "unexpected_keys"))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_fresh_model_has_sane_weights(cell):
    """The library's own initialization leaves recurrent layers as they lie in memory: 3e31 was seen."""
    torch.empty(3_000_000).fill_(3e31)  # what freshly freed memory may hold
    torch.manual_seed(0)
    model = RNNVAE(RNNVAEConfig(vocab_size=50, cell=cell, hidden_dim=64, encoder_hidden_dim=64, embedding_dim=32, num_layers=2))
    for name, parameter in model.named_parameters():
        assert parameter.isfinite().all() and parameter.abs().max() < 5, name
        assert parameter.ndim < 2 or parameter.std() > 0.01, name
    bound = 64**-0.5  # PyTorch's recurrent layers: uniform in ±1/sqrt(H)
    weights = model.decoder.layers[0].weight_hh_l0.detach()
    assert 0.9 * bound < weights.abs().max() <= bound and weights.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_a_fresh_model_is_a_function_of_the_seed(processor, new_model):
    a, b, c = (new_model(processor, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[n], b[n]) for n in a) and not all(torch.equal(a[n], c[n]) for n in a)


def test_every_fitted_prior_has_a_round_trip():
    assert {*FITTED, "codes"} == set(prior.FITTED)  # which needs a codebook: tests/vision/models/test_vq.py


@pytest.mark.parametrize("name", FITTED)
def test_a_fitted_prior_travels_with_its_model(name, processor, new_model, tmp_path):
    torch.manual_seed(0)
    prior = PRIORS[name](4, **FITTED[name])
    z = torch.randn(200, 4) * torch.tensor([1.0, 0.3, 2.0, 1.0]) + 1
    prior.fit(z, **({"steps": 20} if name == "flow" else {}))
    model = new_model(processor)
    assert model.has_standard_prior
    model.set_prior(name, prior, FITTED[name])
    model.save_pretrained(tmp_path)
    again = RNNVAE.from_pretrained(tmp_path)
    assert not again.has_standard_prior and not any(p.requires_grad for p in again.prior.parameters())
    assert torch.equal(again.prior.log_prob(z), prior.log_prob(z))
    assert not torch.allclose(again.prior.log_prob(z), PRIORS["standard"](4).log_prob(z))
    torch.manual_seed(3)
    expected = prior.sample(5)
    torch.manual_seed(3)
    assert torch.equal(again.prior.sample(5), expected)
    change_weights(tmp_path, lambda w: w.pop(next(n for n in w if n.startswith("prior."))))
    refuses(tmp_path, "lack", "prior.")


@pytest.mark.parametrize("name", FITTED)
def test_an_unfitted_prior_of_a_config_can_be_saved_and_loaded(name, processor, new_model, tmp_path):
    """Buffers that are made in the constructor are on the meta device while transformers loads."""
    model = new_model(processor, prior=name, prior_options=FITTED[name])
    model.save_pretrained(tmp_path)
    z = torch.randn(6, 4)
    assert torch.equal(RNNVAE.from_pretrained(tmp_path).prior.log_prob(z), model.prior.log_prob(z))
