"""What a decoder is told of attributes: an embedding for each value, or a mixture of embeddings where a value has a strength.

Shapes: B sentences, D latent dimensions, A attributes, K values of one, E its embedding, W = sum of K + 1 over attributes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

MAX_STRENGTH = 2.0  # twice the way from the base to the value: further out no training ever came near
BASES = ("unspecified", "opposite")


class AttributeEmbedding(nn.ModuleList):
    """An embedding table for each attribute: row 0 is the learned "unspecified", value v has row v + 1.

    Tables are sorted by name, as the processor's columns are: config.json sorts its keys, so no other order survives saving.

    Args:
        attributes: Values of each attribute by name, as in `config.decoder_attributes`.
        dim: E.
    """

    def __init__(self, attributes: Mapping[str, Sequence[str]], dim: int):
        super().__init__(nn.Embedding(len(values) + 1, dim) for _, values in sorted(attributes.items()))

    def forward(self, latents_BD: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Codes with the attributes' embeddings behind them, shape (B, D + A · E).

        Args:
            latents_BD: Codes.
            attributes: Values, int (B, A), -1 for unspecified; or what `attribute_weights` gives, float (B, W): a weight for
                each row of each table, in their order. None: all unspecified.

        Raises:
            ValueError: Another number of columns.
        """
        if not len(self):
            return latents_BD
        if attributes is None:
            attributes = torch.full((len(latents_BD), len(self)), -1, device=latents_BD.device)
        sizes = [embed.num_embeddings for embed in self]
        weighted = attributes.is_floating_point()
        if attributes.shape[1] != (wanted := sum(sizes) if weighted else len(self)):
            raise ValueError(f"attributes have {attributes.shape[1]} columns; as {'weights' if weighted else 'values'} they need {wanted}")
        if weighted:  # summed and not multiplied as matrices, so that autocast rounds no more than for values
            pairs = zip(attributes.split(sizes, 1), self, strict=True)
            parts = [(weights_BK[:, :, None] * embed.weight).sum(1) for weights_BK, embed in pairs]
        else:
            parts = [embed(attributes[:, column] + 1) for column, embed in enumerate(self)]
        return torch.cat([latents_BD, *parts], -1)


def attribute_weights(
    values_BA: Tensor, attributes: Mapping[str, Sequence[str]], strength: float | Tensor = 1.0, base: str = "unspecified"
) -> Tensor:
    """Mixtures of embeddings that say values with a strength: s of the value's row and 1 - s of the base's.

    0 is the base, 1 the value as in training; in between and beyond it is a straight line through the two.

    Args:
        values_BA: -1 for unspecified, which no strength changes.
        attributes: The model's `config.decoder_attributes`.
        strength: s, from 0 to 2; a number, or any shape that broadcasts to (B, A), with attributes sorted by name.
        base: Where the line begins: "unspecified", or "opposite", the mean of the attribute's other values.

    Returns:
        Weights for `AttributeEmbedding`, float (B, W); an attribute's sum to 1.

    Raises:
        ValueError: A strength out of range, an unknown base, or a base "opposite" of an attribute with one value.
    """
    if base not in BASES:
        raise ValueError(f"base is {base!r}; it must be one of {', '.join(BASES)}")
    strength_BA = torch.as_tensor(strength, dtype=torch.float32, device=values_BA.device).expand(values_BA.shape)
    if not ((strength_BA >= 0) & (strength_BA <= MAX_STRENGTH)).all():
        raise ValueError(f"a strength must be from 0 (no influence) over 1 (as in training) to {MAX_STRENGTH:g}")
    parts = []
    for column, (name, values) in enumerate(sorted(attributes.items())):
        rows_BK = one_hot(values_BA[:, column] + 1, len(values) + 1).float()
        start_BK = torch.zeros_like(rows_BK)
        if base == "unspecified":
            start_BK[:, 0] = 1.0
        else:
            if len(values) < 2:
                raise ValueError(f"attribute {name!r} has one value and so no opposite: take base=unspecified")
            start_BK[:, 1:] = (1 - rows_BK[:, 1:]) / (len(values) - 1)
        s_B1 = strength_BA[:, column, None]
        parts.append(torch.where(values_BA[:, column, None] < 0, rows_BK, s_B1 * rows_BK + (1 - s_B1) * start_BK))
    return torch.cat(parts, 1)
