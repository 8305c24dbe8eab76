"""Weights of a checkpoint in another model, but for what begins anew."""

import pytest
import torch

from textae.core.autoencoder import Autoencoder


@pytest.fixture
def saved(processor, new_model, tmp_path):
    """A point autoencoder on the disk."""
    model = new_model(processor, seed=1, posterior="point")
    model.save_pretrained(tmp_path)
    return model, tmp_path


def same(a, b, name):
    return torch.equal(a.state_dict()[name], b.state_dict()[name])


def test_an_encoder_moves_into_a_vae_with_a_fresh_decoder(saved, processor, new_model):
    """Li et al. 2019: word vectors go with the encoder, which reads them; the head's variances did not exist before."""
    before, folder = saved
    fresh, model = new_model(processor, seed=2), new_model(processor, seed=2)
    model.take_weights(folder, ["decoder", "head.logvar"])
    names = list(model.state_dict())
    taken = {n for n in names if n in before.state_dict() and same(model, before, n) and not same(model, fresh, n)}
    kept = {n for n in names if same(model, fresh, n)}
    assert taken == {n for n in names if n.startswith(("encoder.", "head.mean.")) or n == "decoder.embed.weight"}
    assert {n for n in names if n.startswith("head.logvar") or (n.startswith("decoder.") and "embed" not in n)} <= kept
    batch = processor(["the cat sees bread today ."])
    assert torch.equal(model.encode(**batch).mean, before.encode(**batch).mean)


def test_word_vectors_begin_anew_where_they_are_named(saved, processor, new_model):
    fresh, model = new_model(processor, seed=2), new_model(processor, seed=2)
    model.take_weights(saved[1], ["decoder", "decoder.embed", "head.logvar"])
    assert same(model, fresh, "decoder.embed.weight")


def test_another_decoder_may_stand_behind_the_same_encoder(saved, processor, new_model):
    model = new_model(processor, hidden_dim=17, num_layers=1, latent_to_input=False, posterior="point")
    model.take_weights(saved[1], ["decoder"])
    assert same(model, saved[0], "encoder.layers.0.0.weight_ih_l0")


@pytest.mark.parametrize(
    "changes, reset, message",
    [({}, ["decodr"], "reset names 'decodr', which this model does not have: did you mean 'decoder"),
     ({}, ["decoder"], "head.logvar.weight is missing.*name the part in reset"),
     ({"posterior": "point", "encoder_hidden_dim": 11}, ["decoder"], "encoder.*here .*name the part in reset"),
     ({"posterior": "point", "bidirectional": False}, ["decoder"], "is left over")],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(saved, processor, new_model, changes, reset, message):
    model = new_model(processor, **changes)
    before = {n: t.clone() for n, t in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.take_weights(saved[1], reset)
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items()), "all or nothing"


def test_folders_that_hold_no_such_model(saved, processor, new_model, tmp_path_factory):
    model, empty = new_model(processor), tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match="has no model.safetensors"):
        model.take_weights(empty, ["decoder"])
    path = saved[1] / "model.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="damaged or truncated"):
        model.take_weights(saved[1], ["decoder"])
    assert Autoencoder.shared_modules == ()
