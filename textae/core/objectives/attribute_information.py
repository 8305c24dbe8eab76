"""The mutual information of code and attribute, bounded from above, as a penalty.

Shapes: B examples, K values of an attribute.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.base import Term, TermValue
from textae.core.objectives.code_classifier import CodeClassifier
from textae.core.schedules import Schedule


def club(logits_BK: Tensor, values_B: Tensor) -> Tensor:
    """vCLUB of a code and an attribute in nats, shape (): E_p(z,a)[log q(a|z)] - E_p(z) E_p(a)[log q(a|z)].

    Source: Cheng et al. 2020, eq. 11-12, with z in the place of their x. The second mean runs over all pairs of the batch,
    exactly, through the frequencies of the values. It is at least I(z; a) where q(a|z) is the true one (theorem 3.1), or
    closer to it than p(z) p(a) is (theorem 3.2); for codes that do not depend on a it is 0 in expectation, whatever q.

    Args:
        logits_BK: Of q(a|z).
        values_B: -1 for unlabelled, which are left out; 0 in all if fewer than two are labelled.
    """
    logits_NK, values_N = logits_BK[values_B >= 0], values_B[values_B >= 0]
    if len(values_N) < 2:
        return logits_BK.sum() * 0
    seen_NK = one_hot(values_N, logits_BK.shape[1]).to(logits_BK.dtype)
    # log q = logit - normalizer, and the normalizer of an example is in both means
    return ((seen_NK - seen_NK.mean(0)) * logits_NK).sum(1).mean()


class AttributeInformation(Term):
    """Pushes an attribute out of the code by an upper bound on their mutual information, in nats.

    The bound is vCLUB (Cheng et al. 2020, eq. 11): how much likelier a classifier q(a|z) finds each code's own value than
    those of other examples. The classifier is the critic, trained to the labels on `z.detach()`; the encoder's side
    reads it through detached weights. Unlike `attribute_adversary` the value is a quantity with a unit, and its gradient
    does not fade where the classifier is sure: it may grow beyond ln K, as an upper bound may. A classifier that lags
    behind can bring it below zero, which no mutual information is; there the encoder is left alone.

    Args:
        weight: Of the bound: 1 weighs a nat of attribute as much as a nat of reconstruction.
        attributes: Names; None: all that the model has. Their bounds are added, which is none on their joint information.
        part: What the classifier sees of the code: "all", its "categories", or its "style", which is all behind them.
        coded: Attributes that `attribute_code` keeps in the first dimensions: part=style is then what lies behind these.
        hidden_dim: Width of the classifier's hidden layers.
        layers: Those layers.
        activation: Of those: "leaky_relu", "relu", "elu" or "tanh".
        lr: The classifier's learning rate as a share of the autoencoder's.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, attributes: Sequence[str] | None = None, part: str = "all",
        coded: Sequence[str] = (), hidden_dim: int = 256, layers: int = 2, activation: str = "leaky_relu", lr: float = 1.0,
    ):  # fmt: skip
        super().__init__(weight, lr)
        self.critic = CodeClassifier(attributes, part, coded, hidden_dim=hidden_dim, layers=layers, activation=activation)

    def bind(self, model: Autoencoder) -> None:
        self.critic.bind(model)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """The bound, cut off at 0 for the loss, and the classifier's cross-entropy: nats, summed over attributes."""
        pairs = zip(self.critic.frozen(output.z), self.critic.values(batch), strict=True)
        bounds_A = torch.stack([club(logits, values) for logits, values in pairs])
        return TermValue(bounds_A.sum(), bounds_A.clamp_min(0).sum(), self.critic.own_loss(output.z, batch))
