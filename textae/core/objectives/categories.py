"""Terms of codes with a categorical part (Makhzani et al. 2016, sec. 5 and 7): labels for it, and room between its clusters.

Shapes: B examples, K categories, S dimensions of the style.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.latent import PointPosterior
from textae.core.objectives.attributes import Labels
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule


class Classification(Term):
    """Cross-entropy of the code's categories with an attribute, in nats, the mean over the batch's labelled examples.

    The semi-supervised half of an adversarial autoencoder (Makhzani et al. 2016, sec. 5): category k becomes value k. A
    batch without a labelled example costs 0, and its 0 enters the logged mean, so few labels belong into every batch. The
    decoder must not be given the attribute: set `model.conditioned` to false.

    Args:
        weight: Of the cross-entropy.
        attribute: Whose values the categories are to be; -1 is unlabelled.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, attribute: str):
        super().__init__(weight)
        self.labels = Labels(attribute)

    def bind(self, model: Autoencoder) -> None:
        num, categories = self.labels.bind(model), model.config.categories
        if num != categories:
            raise ValueError(
                f"objective.classification: attribute {self.labels.attribute!r} has {num} values and the code {categories} categories: "
                f"set model.categories={num}"
            )
        if self.labels.attribute in model.config.decoder_attributes:
            raise ValueError(
                f"objective.classification: the decoder is given {self.labels.attribute!r} already, so the code need not know it: "
                "set model.conditioned=false"
            )

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        assert isinstance(output.posterior, PointPosterior)
        logits_BK, labels_B = output.posterior.category_logits, self.labels(batch)
        assert logits_BK is not None, "the model's posterior head was made without its config's categories"
        total = cross_entropy(logits_BK, labels_B, ignore_index=-1, reduction="sum")
        value = total / (labels_B >= 0).sum().clamp_min(1)
        return TermValue(value, value)


class ClusterHeadDistance(Term):
    """Keeps a model's cluster heads apart: each pair pays what its Euclidean distance lacks of `eta`, linearly.

    For the dimension reduction of Makhzani et al. 2016, sec. 7, where the decoder reads W y + style: without it heads may
    meet, and clusters mix. Heads that coincide exactly have no direction to part in; start them apart.

    Args:
        weight: Of the sum over pairs.
        eta: Distance above which a pair costs nothing.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, eta: float = 4.0):
        super().__init__(weight)
        if eta <= 0:
            raise ValueError(f"objective.cluster_head_distance.eta is {eta}; a distance to keep is above 0")
        self.eta = eta  # 4: two standard deviations of a style of N(0, I) on either side

    def bind(self, model: Autoencoder) -> None:
        if dict(model.named_parameters()).get("cluster_heads") is None:
            raise ValueError("objective.cluster_head_distance: the model has no cluster heads to keep apart; set model.cluster_heads=true")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        heads_KS = model.cluster_heads
        first, second = torch.triu_indices(len(heads_KS), len(heads_KS), offset=1, device=heads_KS.device)
        distances = torch.linalg.vector_norm(heads_KS[first] - heads_KS[second], dim=1)
        value = relu(self.eta - distances).sum()
        return TermValue(value, value)
