"""A critic that reads an attribute out of the code, and an encoder that leaves nothing to read.

Shapes: B examples, K values of an attribute.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.config import choose
from textae.core.objectives.attributes import labelled_mean
from textae.core.objectives.base import Term, TermValue
from textae.core.objectives.code_classifier import CodeClassifier
from textae.core.schedules import Schedule


def missing_entropy(logits_BK: Tensor, values_B: Tensor) -> Tensor:
    """ln K - H(p(a|z)) in nats, shape (B,): 0 where the critic finds all values equally likely (Fu et al. 2018, eq. 5)."""
    log_p_BK = logits_BK.log_softmax(1)
    return (log_p_BK.exp() * (log_p_BK + math.log(logits_BK.shape[1]))).sum(1)


def certainty(logits_BK: Tensor, values_B: Tensor) -> Tensor:
    """-log(1 - p(a|z)) in nats, shape (B,): ln K / (K - 1) where the critic guesses (Lample et al. 2017, eq. 3)."""
    right_BK = torch.nn.functional.one_hot(values_B.clamp_min(0), logits_BK.shape[1]).bool()
    return logits_BK.logsumexp(1) - logits_BK.masked_fill(right_BK, -torch.inf).logsumexp(1)


def confusion(logits_BK: Tensor, values_B: Tensor) -> Tensor:
    """KL(uniform || p(a|z)) in nats, shape (B,): 0 where the critic guesses (Tzeng et al. 2015, eq. 5, less its constant ln K)."""
    return -logits_BK.log_softmax(1).mean(1) - math.log(logits_BK.shape[1])


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "confusion": confusion,
    "entropy": missing_entropy,
    "certainty": certainty,
}


class AttributeAdversary(Term):
    """Pushes an attribute out of the code: a critic predicts it from z, and the encoder makes it fail.

    For a decoder that is given the attribute, p(x|z, a): only what z does not say can be set from outside. The critic is a
    classifier of each attribute, trained on `z.detach()`; the encoder reads it through detached weights. Examples
    without a label (-1) move neither. The critic's own loss in the log tells how much is left: at H(a), which is ln K for
    balanced values, it finds nothing. A critic too weak or too slow finds nothing either, so probe z afterwards.

    Its neighbours: `attribute_information` bounds the same dependence, and on small examples left less of it behind at a lower
    cost in reconstruction; `latent_adversary` with `labels` matches q(z|a) to a prior as well.

    Args:
        weight: Of the encoder's side. It must outweigh the nats that the decoder saves by reading the attribute from z.
        attributes: Names of those to push out; None: all that the model has. Their costs are added.
        loss: What the encoder minimizes. "confusion": KL(uniform || p(a|z)), zero for doubt and steep for certainty.
            "entropy": ln K less the critic's entropy; the same zero, but its gradient vanishes where the critic is
            sure already, so that it must begin with the critic. "certainty": -log(1 - p(a|z)) of the right value; steep
            too, but it asks for error beyond doubt, so that values may trade places and the critic run after them.
        part: What the critic sees of the code: "all", its "categories", or its "style", which is all behind them.
        coded: Attributes that `attribute_code` keeps in the first dimensions: part=style is then what lies behind these.
        hidden_dim: Width of the critic's hidden layers.
        layers: Those layers.
        activation: Of those: "leaky_relu", "relu", "elu" or "tanh".
        lr: The critic's learning rate as a share of the autoencoder's.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, attributes: Sequence[str] | None = None, loss: str = "confusion",
        part: str = "all", coded: Sequence[str] = (), hidden_dim: int = 256, layers: int = 2, activation: str = "leaky_relu", lr: float = 1.0,
    ):  # fmt: skip
        super().__init__(weight, lr)
        self.cost = choose(LOSSES, loss, "loss of an attribute adversary")
        self.critic = CodeClassifier(attributes, part, coded, hidden_dim=hidden_dim, layers=layers, activation=activation)

    def bind(self, model: Autoencoder) -> None:
        self.critic.bind(model)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """The encoder's cost and the critic's cross-entropy, both nats a labelled example, summed over attributes."""
        pairs = zip(self.critic.frozen(output.z), self.critic.values(batch), strict=True)
        value = torch.stack([labelled_mean(self.cost(logits, v), v) for logits, v in pairs]).sum()
        return TermValue(value, value, self.critic.own_loss(output.z, batch))
