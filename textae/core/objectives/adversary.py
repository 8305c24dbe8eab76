"""A critic on codes: the adversarial autoencoder's regularizer (Makhzani et al. 2016).

Shapes: B examples, D latent dimensions.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.base import Term, TermValue, frozen_call
from textae.core.schedules import Schedule


class LatentAdversary(Term):
    """Pushes the aggregate posterior towards N(0, I): a critic tells codes from prior draws, the encoder fools it.

    Matches q(z) as a whole where the KL matches each q(z|x); codes may stay sharp. Makhzani et al. 2016, sec. 2, with
    the non-saturating loss of Goodfellow et al. 2014. It judges codes, not reconstructions: a VAE-GAN is another
    thing. The critic's side reads `z.detach()` and the encoder's side reads the critic through detached
    weights, so one backward pass serves both players.

    Args:
        weight: Of the encoder's side.
        hidden_dim: Width of the critic's two hidden layers.
        lr: The critic's learning rate as a share of the autoencoder's.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, hidden_dim: int = 256, lr: float = 1.0):
        super().__init__(weight, lr)
        self.hidden_dim = hidden_dim
        self.critic: nn.Sequential | None = None

    def bind(self, model: Autoencoder) -> None:
        width, dim = self.hidden_dim, model.config.latent_dim
        self.critic = nn.Sequential(
            nn.Linear(dim, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
        )

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """The encoder's cost -log D(z) for each example; the critic's own cross-entropy, in nats a draw."""
        assert self.critic is not None, "bind() comes first"
        z_BD = output.z
        fool_B = softplus(-frozen_call(self.critic, z_BD)[:, 0])
        both = torch.cat([torch.randn_like(z_BD), z_BD.detach()])
        real_B, fake_B = self.critic(both)[:, 0].chunk(2)
        own = softplus(-real_B).mean() + softplus(fake_B).mean()
        return TermValue(fool_B, fool_B, own)
