"""Commitment in closed form; its gradient is the encoder's alone."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.objectives import TERMS, Commitment, Objective


@pytest.fixture
def quantized(new_toy):
    """A toy with a codebook in training mode, its batch and its output."""
    model, batch = new_toy(codes=6, latent_dim=3), {"x": torch.randn(8, 4, generator=torch.Generator().manual_seed(0))}
    model(**batch)  # a fresh codebook starts at its first batch
    return model, batch, model(**batch)


def test_it_is_the_squared_distance_to_the_codes(quantized):
    model, batch, output = quantized
    said = Commitment()(model, output, batch, 0)
    before = model.head(model.encoder(batch["x"])).mean
    assert_close(said.value, (before - output.posterior.mean).square().sum(1))
    assert torch.equal(said.loss, said.value) and said.own_loss is None and (said.value > 0).all()


def test_its_gradient_goes_to_the_encoder_alone(quantized):
    model, batch, output = quantized
    Commitment()(model, output, batch, 0).loss.sum().backward()
    assert all(p.grad.abs().sum() > 0 for part in (model.encoder, model.head) for p in part.parameters())
    assert all(p.grad is None for p in model.decoder.parameters())
    assert not any(t.requires_grad for t in model.codebook.state_dict(keep_vars=True).values())


def test_reconstruction_reaches_the_encoder_through_the_codes(quantized):
    model, batch, output = quantized
    output.nll.sum().backward()
    assert all(p.grad.abs().sum() > 0 for part in (model.encoder, model.head, model.decoder) for p in part.parameters())


def test_its_weight_is_the_papers():
    assert Commitment().schedule(0) == 0.25


def test_it_keeps_the_encoder_near_its_codes(new_toy, train):
    """Without it nothing holds the encoder's outputs; with it they lie nearer to their codes."""
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    ends = {}
    for weight in (0.0, 1.0):
        objective = Objective.from_config({"reconstruction": None, "commitment": weight}, TERMS)
        model = train(new_toy(codes=8, latent_dim=2), objective, lambda step: {"x": x}, 150)
        ends[weight] = model(x=x).posterior.distance.mean().item()
    assert ends[1.0] < 0.5 * ends[0.0]


@pytest.mark.parametrize("posterior", ["point", "gaussian"])
def test_a_model_without_a_codebook_is_refused(posterior, new_toy):
    with pytest.raises(ValueError, match="no codebook to commit to"):
        Commitment().bind(new_toy(posterior=posterior))


@pytest.mark.parametrize("terms", [("reconstruction", "kl"), ("iwae",)])
def test_gaussian_terms_refuse_codes(terms, new_toy):
    with pytest.raises(ValueError, match="a point posterior"):
        Objective.from_config(dict.fromkeys(terms), TERMS).bind(new_toy(codes=6))
