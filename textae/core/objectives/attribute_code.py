"""Attributes that are part of the code: its first dimensions, one for each value.

Shapes: B examples, D latent dimensions, A attributes, K values of an attribute.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.attributes import Labels, chosen, labelled_mean
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule


class AttributeCode(Term):
    """Makes the first dimensions of the code *be* the attributes, so that setting them at decoding sets the attribute.

    A structured code (Hu et al. 2017, sec. 3.1; their code c is a part of z here): value k of an attribute has one
    dimension, and softmax over an attribute's dimensions is q(a|z). The cost is the cross-entropy of labelled examples,
    read from the *drawn* code and not from its mean: what the decoder sees must tell the value, so a Gaussian posterior
    pays for noise in these dimensions too (by Jensen's inequality, an upper bound on the cost at the mean). No critic: both sides want it.
    Alone it only puts the attribute in; `attribute_adversary: {part: style, coded: [...]}` keeps it out of the rest.

    For a point code with `model.categories` the same is `classification`.

    Args:
        weight: Of the cross-entropy.
        attributes: Names; None: all that the model has. They lie in the code one behind the other, by name.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, attributes: Sequence[str] | None = None):
        super().__init__(weight)
        self.attributes = attributes
        self.slices: dict[str, slice] = {}
        self.labels: list[Labels] = []

    def bind(self, model: Autoencoder) -> None:
        config = model.config
        if config.categories:
            raise ValueError("objective.attribute_code: the code's first dimensions are categories already; take the term classification for these")
        self.slices = coded_slices(config.attributes, self.attributes)
        width = max(s.stop for s in self.slices.values())
        if width > config.latent_dim:
            raise ValueError(
                f"objective.attribute_code: {', '.join(self.slices)} have {width} values together and the code {config.latent_dim} "
                f"dimensions: set model.latent_dim to {width} or more"
            )
        for name in self.slices:
            if name in config.decoder_attributes:
                raise ValueError(
                    f"objective.attribute_code: the decoder is given {name!r} already, so the code need not know it: set model.conditioned=false"
                )
        self.labels = [Labels(name) for name in self.slices]
        for labels in self.labels:
            labels.bind(model)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """Cross-entropy in nats a labelled example, summed over attributes; 0 where a batch has no label."""
        assert self.labels, "bind() comes first"
        costs = []
        for labels in self.labels:
            values_B, logits_BK = labels(batch), output.z[:, self.slices[labels.attribute]].float()
            costs.append(labelled_mean(cross_entropy(logits_BK, values_B, ignore_index=-1, reduction="none"), values_B))
        value = torch.stack(costs).sum()
        return TermValue(value, value)


def coded_slices(known: Mapping[str, Sequence[str]], names: Sequence[str] | None = None) -> dict[str, slice]:
    """Where attributes lie that a code's first dimensions stand for: one dimension a value, attributes by name.

    Args:
        known: Values of each attribute of a model.
        names: Attributes in the code; None: all.

    Raises:
        ValueError: A name that the model does not know, or one named twice.

    >>> coded_slices({"tense": ["past", "present", "future"], "mood": ["good", "bad"]})
    {'mood': slice(0, 2, None), 'tense': slice(2, 5, None)}
    """
    slices, start = {}, 0
    for name in chosen(known, names):
        slices[name] = slice(start, start + len(known[name]))
        start = slices[name].stop
    return slices


def write_attributes(
    z_BD: Tensor, attributes_BA: Tensor, known: Mapping[str, Sequence[str]], names: Sequence[str] | None = None, level: float = 2.0
) -> Tensor:
    """Codes that say wanted values, for a model that `AttributeCode` has trained; all else in them stays.

    The dimension of the value becomes `level`, those of the K - 1 others -level / (K - 1), so that their sum stays 0.

    Args:
        z_BD: Codes.
        attributes_BA: Values, columns as in batches (by name); -1 leaves an attribute as the code has it.
        known: The model's attributes, `config.attributes`.
        names: Those in the code, as the term was given them.
        level: In standard deviations of the prior; beyond 2 few draws of N(0, 1) lie.

    Returns:
        Shape (B, D); the argument is not changed.
    """
    written_BD, columns = z_BD.clone(), sorted(known)
    for name, place in coded_slices(known, names).items():
        values_B, size = attributes_BA[:, columns.index(name)], len(known[name])
        if size < 2:
            raise ValueError(f"attribute {name!r} has one value: there is nothing to set")
        said_BK = level * (one_hot(values_B.clamp_min(0), size).to(z_BD.dtype) * size - 1) / (size - 1)
        written_BD[:, place] = torch.where((values_B >= 0)[:, None], said_BK, z_BD[:, place])
    return written_BD
