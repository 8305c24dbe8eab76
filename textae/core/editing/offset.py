"""Attribute vectors: add the difference of two groups' mean codes.

Shapes: B codes, D latent dimensions.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from textae.core.editing.base import Editor, Target
from textae.core.editing.codes import AttributeCodes


class MeanOffset(Editor):
    """z + k (m_target - m_source), summed over the targets; k = 1 moves one group's mean onto the other's.

    Source: the attribute vectors of White 2016, for sentences the latent arithmetic of Shen et al. 2020. Take it where the step must not
    depend on a classifier; it knows no confidence, and a code far inside its group may stay there.

    A target that is named is moved from the value that the probe reads in each code, which leaves codes alone that have it
    already; one given by a number is always moved along the axis between the two values.

    Args:
        attributes: What is known of the codes.
        source: The value that all codes have now, by attribute, in the place of the probe's reading.
    """

    def __init__(self, attributes: AttributeCodes, *, source: Mapping[str, str] | None = None):
        super().__init__(attributes)
        self.source = {name: attributes[name].index(value) for name, value in (source or {}).items()}

    def edit(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        if unasked := self.source.keys() - {t.attribute.name for t in targets}:
            raise ValueError(f"source names {sorted(unasked)[0]!r}, which no target asks to change")
        moved = z_BD
        for target in targets:
            means_KD = target.attribute.means.double()
            moved = moved + target.strength * (means_KD[target.index] - means_KD[self._sources(z_BD, target)])
        return moved

    def _sources(self, z_BD: Tensor, target: Target) -> Tensor:
        """The value to leave, for each code, shape (B,)."""
        given = self.source.get(target.attribute.name)
        if given is None and not target.signed:
            return target.attribute.probe.logits(z_BD.detach()).argmax(1)
        return torch.full((len(z_BD),), 1 - target.index if given is None else given)
