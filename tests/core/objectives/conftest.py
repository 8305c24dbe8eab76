"""A tiny autoencoder of vectors with every part that a term may ask for, and a plain loop that trains it."""

import pytest
import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.nn.functional import one_hot

from textae.core.autoencoder import Autoencoder, AutoencoderConfig
from textae.core.codebook import Codebook
from textae.core.latent import PointPosterior, PosteriorHead, gaussian_log_prob

SIGMA = 0.3  # of the toy's Gaussian likelihood


@strict
class ToyConfig(AutoencoderConfig):
    model_type = "toy"
    x_dim: int = 4
    hidden_dim: int = 32
    code_activation: str = "linear"
    heads: bool = False
    codes: int = 0


class Toy(Autoencoder):
    """x -> hidden -> code -> hidden -> x with Gaussian noise; the decoder is given the attributes where it is conditioned."""

    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        wide, self.cluster_heads = config.hidden_dim, None
        if config.heads:
            self.cluster_heads = nn.Parameter(torch.randn(config.categories, config.latent_dim - config.categories))
        given = sum(map(len, config.decoder_attributes.values()))
        code = config.latent_dim - (config.categories if config.heads else 0)
        self.encoder = nn.Sequential(nn.Linear(config.x_dim, wide), nn.Tanh())
        self.codebook = Codebook(config.codes, 1) if config.codes else None
        self.head = PosteriorHead(wide, config.latent_dim, config.posterior, config.categories)
        self.decoder = nn.Sequential(nn.Linear(code + given, wide), nn.Tanh(), nn.Linear(wide, config.x_dim))
        self.post_init()

    def encode(self, x, **_):
        posterior = self.head(self.encoder(x))
        if self.codebook is not None:
            return self.codebook(posterior.mean[:, :, None])
        return PointPosterior(posterior.mean.sigmoid()) if self.config.code_activation == "sigmoid" else posterior

    def generate(self, latents, attributes=None):
        config, parts = self.config, [latents]
        if config.heads:
            parts = [latents[:, : config.categories] @ self.cluster_heads + latents[:, config.categories :]]
        for column, (_, values) in enumerate(sorted(config.decoder_attributes.items())):
            parts.append(one_hot(attributes[:, column] + 1, len(values) + 1)[:, 1:].float())
        return self.decoder(torch.cat(parts, 1))

    def nll(self, z, *, x, attributes=None, **_):
        mean = self.generate(z, attributes)
        logvar = torch.full_like(x, 2 * torch.tensor(SIGMA).log())
        return -gaussian_log_prob(x, mean, logvar), torch.full((len(x),), x.shape[1], device=x.device)


def make_toy(seed=0, **changes):
    torch.manual_seed(seed)
    return Toy(ToyConfig(**{"latent_dim": 2, "posterior": "point", **changes})).train()


def fit(model, objective, batches, steps, lr=3e-3, seed=0):
    """The trainer's step without the trainer: every player in one Adam; `batches(step)` gives the batch."""
    torch.manual_seed(seed)
    objective.bind(model)
    groups = [{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}]
    groups += [{"params": params, "lr": lr * share} for params, share in objective.players().values()]
    optimizer = torch.optim.Adam(groups, betas=(0.5, 0.9))  # a game, not a descent: a short memory
    for step in range(steps):
        torch.manual_seed(1000 * seed + step)
        batch = batches(step)
        optimizer.zero_grad()
        objective(model, model(**batch), batch, step)[0].backward()
        optimizer.step()
    return model.eval()


@pytest.fixture
def new_toy():
    return make_toy


@pytest.fixture
def train():
    return fit
