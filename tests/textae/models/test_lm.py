"""A language model in the shape of an autoencoder: its KL is nothing, and its bound is its likelihood."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.autoencoder import make_config
from textae.core.metrics import bound, importance_nll
from textae.models.lm import SentenceLM, SentenceLMConfig
from textae.models.rnn import RNNVAE, RNNVAEConfig
from textae.space import LatentSpace

TINY = {"embedding_dim": 12, "hidden_dim": 14}


@pytest.fixture(scope="module")
def lm(processor):
    torch.manual_seed(0)
    model = SentenceLM(make_config(SentenceLMConfig, {"vocab_size": len(processor.tokenizer), **TINY})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model


def test_every_bound_is_the_likelihood_itself(lm, processor, sentences):
    batch = processor(sentences[:6])
    exact, count = lm.nll(torch.zeros(6, 1), **batch)
    weighted = importance_nll(lm, batch, samples=3)
    assert_close(weighted.nll.float(), exact)
    assert_close(weighted.effective_samples, torch.full((6,), 3.0, dtype=torch.float64))
    found = bound(lm, [batch])
    assert found.kl == 0 and found.active_units == 0 and found.loss == pytest.approx(exact.mean().item())
    assert torch.equal(lm.nll(torch.ones(6, 1), **batch)[0], exact), "no z reaches the decoder"


def test_it_is_the_decoder_of_the_recurrent_model_without_z(lm, processor, sentences):
    """The same weights under a VAE whose ways of z are zero give the same likelihoods."""
    vae = RNNVAE(make_config(RNNVAEConfig, {"vocab_size": len(processor.tokenizer), "latent_dim": 2, "latent_to_input": False, **TINY})).eval()
    with torch.no_grad():
        vae.decoder.init_state.weight.zero_()
        vae.decoder.init_state.bias.zero_()
    vae.decoder.load_state_dict(lm.decoder.state_dict(), strict=False)
    batch = processor(sentences[:4])
    assert_close(vae.nll(torch.randn(4, 2), **batch)[0], lm.nll(torch.zeros(4, 1), **batch)[0])


def test_samples_are_drawn_word_by_word(lm, processor, tmp_path):
    space = LatentSpace(lm, processor)
    drawn = space.sample(20, seed=0, max_new_tokens=6)
    assert len(set(drawn)) > 10 and drawn == space.sample(20, seed=0, max_new_tokens=6)
    space.save_pretrained(tmp_path / "lm")
    again = LatentSpace.from_pretrained(tmp_path / "lm")
    assert again.sample(20, seed=0, max_new_tokens=6) == drawn


def test_it_has_no_encoder_to_train(lm, processor, sentences):
    assert all(name.startswith("decoder.") for name, _ in lm.named_parameters())
    posterior = lm.encode(**processor(sentences[:3]))
    assert not posterior.mean.any() and not posterior.kl().any()


@pytest.mark.parametrize(
    "settings, message",
    [({"latent_to_state": True}, "has no z"), ({"latent_to_layers": True}, "has no z"), ({"posterior": "point"}, "posterior"),
     ({"prior": "mixture"}, "its prior, N"), ({"cell": "rnn"}, "cell"), ({"dropout": 1}, "dropout")],
)  # fmt: skip
def test_what_would_need_a_latent_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(SentenceLMConfig, settings)
