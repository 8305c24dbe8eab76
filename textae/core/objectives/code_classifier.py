"""A classifier of codes, q(a|z): what plays the critic where an attribute is at stake.

Shapes: B examples, D latent dimensions, K values of an attribute.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from textae.core.autoencoder import Autoencoder
from textae.core.config import choose
from textae.core.objectives.attribute_code import coded_slices
from textae.core.objectives.attributes import Labels, chosen, labelled_mean
from textae.core.objectives.base import frozen_call
from textae.core.objectives.critic import PARTS, check_critic, make_critic


class CodeClassifier(nn.Module):
    """q(a|z) of several attributes: one trunk, and K logits for each. What plays the critic where labels are at stake.

    Args:
        attributes: Names; None: all that the model has.
        part: What it reads of the code: "all", its "categories", or its "style", which is what lies behind the
            categories or behind the `coded` attributes.
        coded: Attributes that `attribute_code` keeps in the first dimensions; for part=style.
        hidden_dim, layers, activation: Of the trunk.
    """

    def __init__(
        self, attributes: Sequence[str] | None = None, part: str = "all", coded: Sequence[str] = (), *,
        hidden_dim: int = 256, layers: int = 2, activation: str = "leaky_relu",
    ):  # fmt: skip
        super().__init__()
        check_critic(hidden_dim, layers, activation)
        choose(dict.fromkeys(PARTS), part, "part of a code")
        if coded and part != "style":
            raise ValueError(f"coded={list(coded)} says where a style begins, and part={part} is not about it: set part=style")
        self.attributes, self.part, self.coded = attributes, part, list(coded)
        self.shape = (hidden_dim, layers, activation)
        self.judged, self.labels, self.sizes = slice(None), [], []
        self.layers: nn.Sequential | None = None

    def bind(self, model: Autoencoder) -> None:
        """Find the attributes and the part of the code, and make the network.

        Raises:
            ValueError: The model has no such attribute, an attribute has one value, or the code no such part.
        """
        config = model.config
        names = chosen(config.attributes, self.attributes)
        self.judged = self._judged(config.latent_dim, config.categories, config.attributes)
        self.labels = [Labels(name) for name in names]
        self.sizes = [labels.bind(model) for labels in self.labels]
        for name, size in zip(names, self.sizes, strict=True):
            if size < 2:
                raise ValueError(f"attribute {name!r} has one value, which says nothing of an example: it needs at least 2")
        self.layers = make_critic(self.judged.stop - self.judged.start, sum(self.sizes), *self.shape)

    def _judged(self, dim: int, categories: int, known: Mapping[str, Sequence[str]]) -> slice:
        if self.part == "all":
            return slice(0, dim)
        if self.part == "categories":
            if not categories:
                raise ValueError("part=categories: the code has none to judge; set model.categories")
            return slice(0, categories)
        if categories and self.coded:
            raise ValueError("the code's first dimensions are categories already: leave coded out")
        start = max((s.stop for s in coded_slices(known, self.coded).values()), default=0) if self.coded else categories
        if not 0 < start < dim:
            raise ValueError(
                f"part=style: {start} of the code's {dim} dimensions are categories or coded attributes, and the style is what lies "
                "behind them: set coded or model.categories, or part=all"
            )
        return slice(start, dim)

    def forward(self, codes_BD: Tensor) -> list[Tensor]:
        """Logits of each attribute, shapes (B, K), float32."""
        return self._split(self._made(codes_BD[:, self.judged]))

    def frozen(self, codes_BD: Tensor) -> list[Tensor]:
        """The same through detached weights."""
        return self._split(frozen_call(self._made, codes_BD[:, self.judged]))

    def values(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """The value of each attribute, -1 for unlabelled, shapes (B,)."""
        return [labels(batch) for labels in self.labels]

    def own_loss(self, codes_BD: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Its cross-entropy on codes that are held constant: nats a labelled example, summed over attributes, shape ()."""
        pairs = zip(self.forward(codes_BD.detach()), self.values(batch), strict=True)
        return torch.stack([labelled_mean(cross_entropy(logits, v, ignore_index=-1, reduction="none"), v) for logits, v in pairs]).sum()

    @property
    def _made(self) -> nn.Sequential:
        assert self.layers is not None, "bind() comes first"
        return self.layers

    def _split(self, logits: Tensor) -> list[Tensor]:
        return list(logits.float().split(self.sizes, 1))
