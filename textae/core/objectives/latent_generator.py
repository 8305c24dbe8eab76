"""A generator of codes that learns with the autoencoder, and the critic between them: ARAE as a term.

Shapes: B examples, D latent dimensions.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.learned_prior import Generated
from textae.core.objectives.base import Term, TermValue, frozen_call
from textae.core.objectives.critic import check_critic, make_critic
from textae.core.schedules import Schedule


class LatentGenerator(Term):
    """Draws the distribution of codes and that of a generator's codes together, after ARAE (Zhao et al. 2018, sec. 3).

    A critic tells codes from the generator's; the encoder makes them harder to tell apart, and so does the generator, so that the
    prior comes to the codes as much as they to it. The model's `prior` must be "generator": samples are decoded from the trained
    generator. The term plays on a copy of it, which `settle` writes back before the model is measured or saved.

    The paper's Wasserstein critic moves five times a step. All players move once a step here, and such a game circles around its
    solution for good; with the logistic loss (Goodfellow et al. 2014) and a penalty on the critic's slope at the codes it comes to it
    (R1; Mescheder et al. 2018, sec. 4.1).

    Args:
        weight: Of the encoder's side.
        hidden_dim: Width of the critic's hidden layers.
        layers: Those layers.
        activation: Of those: "leaky_relu", "relu", "elu" or "tanh".
        lr: The learning rate of critic and generator as a share of the autoencoder's.
        penalty: γ, of half the critic's squared slope; 10 is theirs.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, hidden_dim: int = 256, lr: float = 1.0, *,
        layers: int = 2, activation: str = "leaky_relu", penalty: float = 10.0,
    ):  # fmt: skip
        super().__init__(weight, lr)
        check_critic(hidden_dim, layers, activation)
        if penalty < 0:
            raise ValueError(f"objective.latent_generator.penalty is {penalty}; it cannot be negative")
        self.sizes, self.penalty = (hidden_dim, layers, activation), penalty
        self.noise_dim = 0
        self.critic: nn.Module | None = None
        self.generator: nn.Module | None = None

    def bind(self, model: Autoencoder) -> None:
        if not isinstance(model.prior, Generated):
            raise ValueError(f"objective.latent_generator trains the model's prior, and prior={model.config.prior} is none that it could: set model.prior=generator")
        self.noise_dim = model.prior.noise_dim
        self.generator = copy.deepcopy(model.prior.network).requires_grad_(True)
        self.critic = make_critic(model.config.latent_dim, 1, *self.sizes)

    @torch.no_grad()
    def settle(self, model: Autoencoder) -> None:
        """Make the trained generator the model's prior."""
        assert self.generator is not None, "bind() comes first"
        for ours, theirs in zip(self.generator.parameters(), model.prior.parameters(), strict=True):
            theirs.copy_(ours)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """The encoder's cost -log(1 - D(z)) for each example; the sum of what critic and generator minimize."""
        assert self.critic is not None and self.generator is not None, "bind() comes first"
        z_BD = output.z.float()
        made_BD = self.generator(torch.randn(len(z_BD), self.noise_dim, device=z_BD.device)).float()
        real_BD = z_BD.detach().requires_grad_(True)
        real_B, fake_B = self.critic(torch.cat([real_BD, made_BD.detach()]))[:, 0].float().chunk(2)
        own = softplus(-real_B).mean() + softplus(fake_B).mean() + 0.5 * self.penalty * self._slope(real_B, real_BD)
        own = own + softplus(-frozen_call(self.critic, made_BD)[:, 0].float()).mean()
        value_B = softplus(frozen_call(self.critic, z_BD)[:, 0].float())
        return TermValue(value_B, value_B, own)

    def _slope(self, judged_B: Tensor, codes_BD: Tensor) -> Tensor:
        """Mean of ‖∇ critic‖² at codes."""
        (slope_BD,) = torch.autograd.grad(judged_B.sum(), codes_BD, create_graph=True)
        return slope_BD.float().square().sum(1).mean()
