"""ARAE's generator: that it learns the codes, and that the model samples from what has been learned."""

import pytest
import torch
from torch.nn.functional import softplus
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import PointPosterior
from textae.core.objectives import LatentGenerator
from textae.core.objectives.latent_generator import frozen_call
from textae.models.rnn import RNNVAE

GENERATOR = {"posterior": "point", "prior": "generator", "prior_options": {"noise_dim": 4, "hidden_dim": 32}}


def bound(model, **options):
    term = LatentGenerator(**options)
    torch.manual_seed(0)
    term.bind(model)
    return term


def test_own_loss_is_the_critics_and_the_generators(new_toy):
    model = new_toy(**GENERATOR)
    term = bound(model, hidden_dim=8, penalty=0.0)
    output = model(x=torch.randn(6, 4))
    torch.manual_seed(1)
    said = term(model, output, {}, 0)
    torch.manual_seed(1)
    made = term.generator(torch.randn(6, 4))
    critic_loss = softplus(-term.critic(output.z.detach())).mean() + softplus(term.critic(made.detach())).mean()
    fool_loss = softplus(-frozen_call(term.critic, made)).mean()
    assert_close(said.own_loss, critic_loss + fool_loss)
    assert_close(said.value, softplus(term.critic(output.z)[:, 0]))
    critic = torch.autograd.grad(critic_loss, list(term.critic.parameters()))
    generator = torch.autograd.grad(fool_loss, list(term.generator.parameters()))
    said.own_loss.backward()
    for parameter, expected in zip([*term.critic.parameters(), *term.generator.parameters()], [*critic, *generator], strict=True):
        assert_close(parameter.grad, expected)


def test_penalty_is_the_squared_slope_at_the_codes(new_toy):
    """A linear critic has the same slope everywhere."""
    term = bound(new_toy(**GENERATOR), hidden_dim=3, layers=1)
    term.critic = torch.nn.Linear(2, 1)
    codes = torch.randn(5, 2, requires_grad=True)
    slope = term._slope(term.critic(codes)[:, 0], codes)
    assert_close(slope, term.critic.weight.square().sum())
    slope.backward()
    assert_close(term.critic.weight.grad, 2 * term.critic.weight.detach())


def test_generator_learns_where_the_codes_are_and_stays_there(new_toy):
    """With a Wasserstein critic it circled: the means of 150 to 900 such steps ran from -3.8 to 11.8."""
    model = new_toy(**GENERATOR)
    term = bound(model, hidden_dim=32)
    optimizer = torch.optim.Adam(term.parameters(), lr=2e-3, betas=(0.5, 0.9))
    wanted = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 1.5])
    torch.manual_seed(0)
    for step in range(1, 451):
        z = wanted[0] + wanted[1] * torch.randn(64, 2)
        optimizer.zero_grad()
        term(model, AutoencoderOutput(z[:, 0], PointPosterior(z), z, z[:, 0]), {}, step).own_loss.backward()
        optimizer.step()
        if step % 150 == 0:
            term.settle(model)
            drawn = model.prior.sample(1000).detach()
            assert_close(drawn.mean(0), wanted[0], atol=0.9, rtol=0)
            assert_close(drawn.std(0), wanted[1], atol=0, rtol=0.5)


def test_the_encoder_comes_to_the_generator_as_well(new_toy):
    """Descent on the encoder's side moves codes to where the critic expects the generator's."""
    model = new_toy(**GENERATOR)
    term = bound(model, hidden_dim=8)
    x = torch.randn(16, 4)
    output = model(x=x)
    before = term(model, output, {}, 0).loss.mean()
    before.backward()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.sub_(0.1 * parameter.grad)
    assert term(model, model(x=x), {}, 0).loss.mean() < before


def test_a_saved_model_samples_from_the_trained_generator(processor, new_model, new_trainer, tmp_path):
    model = new_model(processor, **GENERATOR)
    trainer = new_trainer(tmp_path, {"reconstruction": None, "latent_generator": {"hidden_dim": 8}}, model=model, epochs=1)
    before = model.prior.network[0].weight.clone()
    trainer.fit()
    generator = trainer.objective.terms["latent_generator"].generator
    loaded = RNNVAE.from_pretrained(tmp_path / "model")
    assert not torch.equal(loaded.prior.network[0].weight, before) and not any(p.requires_grad for p in loaded.prior.parameters())
    assert torch.equal(trainer.model.prior.network[0].weight, generator[0].weight)
    assert set(trainer.players) == {"autoencoder", "latent_generator"}
    assert not {id(p) for p in trainer.players["autoencoder"][0]} & {id(p) for p in model.prior.parameters()}


def test_a_penalty_below_zero_is_refused():
    with pytest.raises(ValueError, match="penalty is -1"):
        LatentGenerator(penalty=-1)
