"""A critic on codes: the adversarial autoencoder's regularizer in all its modes (Makhzani et al. 2016).

| mode | what it takes |
|---|---|
| unsupervised, sec. 2 | `latent_adversary` |
| label-regularized, sec. 2.3 | `latent_adversary: {prior: gaussian_mixture, labels: digit}`, two latent dimensions |
| supervised, style and content apart, sec. 4 | `latent_adversary`, and a model whose decoder is given the attribute; `{labels: digit}` makes the code forget it |
| semi-supervised, sec. 5 | `model.categories`, `category_adversary`, `style_adversary` and `classification` |
| clustering, sec. 6 | the same without `classification` |
| dimension reduction, sec. 7 | either, a model with cluster heads, and `cluster_head_distance` |

Shapes: B examples, D latent dimensions (of the judged part), L labels.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.config import build, choose
from textae.core.objectives.attributes import Labels
from textae.core.objectives.base import Term, TermValue, frozen_call
from textae.core.objectives.critic import PARTS, check_critic, make_critic
from textae.core.objectives.targets import TARGETS
from textae.core.schedules import Schedule


class LatentAdversary(Term):
    """Pushes the aggregate posterior towards a prior: a critic tells codes from prior draws, the encoder fools it.

    Matches q(z) as a whole where the KL matches each q(z|x); codes may stay sharp. Makhzani et al. 2016, sec. 2, with
    the non-saturating loss of Goodfellow et al. 2014. It judges codes, not reconstructions: a VAE-GAN is another
    thing. The critic's side reads `z.detach()` and the encoder's side reads the critic through detached
    weights, so one backward pass serves both players.

    Args:
        weight: Of the encoder's side.
        hidden_dim: Width of the critic's hidden layers.
        lr: The critic's learning rate as a share of the autoencoder's.
        prior: What codes are held against: a name in `TARGETS`, or `{target: name}` with its arguments.
        part: What the critic sees of the code: "all", its "categories", or its "style", which is all the rest.
        labels: An attribute that the critic is told of each example (sec. 2.3); unlabelled examples have a class of their
            own. Under a mixture its values stand for the components, in their order, and the prior is drawn from the
            label's component (unlabelled: from all). Under a prior without components every label has the same one, so
            that codes forget the label: for a model that is conditioned on it. None: labels play no part.
        layers: The critic's hidden layers.
        activation: Of those: "leaky_relu", "relu", "elu" or "tanh".
        noise: Standard deviation of Gaussian noise on all that the critic sees (Sønderby et al. 2017); 0: none.
        smoothing: How far the critic's answer for prior draws should stay below certainty; 0.1 asks for 0.9
            (Salimans et al. 2016, sec. 3.4).
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, hidden_dim: int = 256, lr: float = 1.0, *,
        prior: str | Mapping[str, Any] = "normal", part: str = "all", labels: str | None = None,
        layers: int = 2, activation: str = "leaky_relu", noise: float = 0.0, smoothing: float = 0.0,
    ):  # fmt: skip
        super().__init__(weight, lr)
        check_critic(hidden_dim, layers, activation)
        if noise < 0:
            raise ValueError(f"a critic's noise is {noise}; a standard deviation cannot be negative")
        if not 0 <= smoothing < 0.5:
            raise ValueError(f"a critic's smoothing is {smoothing}; it must be from 0 to below 0.5, or prior draws would count as codes")
        self.target = build(TARGETS, prior, kind="target", where="an adversary's prior")
        choose(dict.fromkeys(PARTS), part, "part of a code")
        self.part, self.labels = part, None if labels is None else Labels(labels)
        self.hidden_dim, self.layers, self.activation = hidden_dim, layers, activation
        self.noise, self.smoothing = noise, smoothing
        self.judged, self.num_labels = slice(None), 0
        self.critic: nn.Sequential | None = None

    def bind(self, model: Autoencoder) -> None:
        dim, categories = model.config.latent_dim, model.config.categories
        if model.config.posterior in ("vmf", "quantized"):
            raise ValueError(
                f"an adversary's prior has draws all over the space, and codes with posterior={model.config.posterior} never come there, so the "
                "critic would always win: take another posterior, or objective.mmd for the sphere"
            )
        if self.part == "categories" and not categories:
            raise ValueError("part=categories: the code has none to judge; set model.categories")
        if self.part == "style" and dim == categories:
            raise ValueError("part=style: the code has categories and nothing else; raise model.latent_dim above model.categories")
        self.judged = {"all": slice(0, dim), "categories": slice(0, categories), "style": slice(categories, dim)}[self.part]
        width = self.judged.stop - self.judged.start
        self.target.bind(width, 0 if self.part == "style" else categories)
        if self.labels is not None:
            self.num_labels = self.labels.bind(model)
            if self.target.components and self.num_labels != self.target.components:
                raise ValueError(
                    f"labels={self.labels.attribute} has {self.num_labels} values and the adversary's prior {self.target.components} "
                    "components: there must be one for each; set prior={target: gaussian_mixture, components: ...}"
                )
            width += self.num_labels + 1
        self.critic = make_critic(width, 1, self.hidden_dim, self.layers, self.activation)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """The encoder's cost -log D(z) for each example; the critic's own cross-entropy, in nats a draw."""
        assert self.critic is not None, "bind() comes first"
        z_BD = output.z[:, self.judged]
        labels_B = None if self.labels is None else self.labels(batch)
        fool_B = softplus(-frozen_call(self.critic, self._seen(z_BD, labels_B))[:, 0])
        drawn_BD = self.target.draw(z_BD, labels_B)
        both = torch.cat([self._seen(drawn_BD, labels_B), self._seen(z_BD.detach(), labels_B)])
        real_B, fake_B = self.critic(both)[:, 0].chunk(2)
        own = softplus(-real_B).mean() + softplus(fake_B).mean()
        if self.smoothing:
            own = own + self.smoothing * real_B.float().mean()  # cross-entropy with 1 - smoothing: softplus(x) - softplus(-x) = x
        return TermValue(fool_B, fool_B, own)

    def _seen(self, codes_BD: Tensor, labels_B: Tensor | None) -> Tensor:
        """What the critic reads: codes with its noise, and beside them each label's one-hot vector, unlabelled last."""
        if self.noise:
            codes_BD = codes_BD + self.noise * torch.randn_like(codes_BD)
        if labels_B is None:
            return codes_BD
        classes_B = torch.where(labels_B < 0, self.num_labels, labels_B)
        return torch.cat([codes_BD, one_hot(classes_B, self.num_labels + 1).to(codes_BD.dtype)], 1)


# The same term under names of its own, so that one objective may have a critic for each part of a code.
CategoryAdversary = partial(LatentAdversary, prior="categorical", part="categories")
StyleAdversary = partial(LatentAdversary, part="style")
