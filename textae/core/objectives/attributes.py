"""The labels that a term asks a batch for: whose, which column holds them, and how a cost is averaged over them.

Shapes: B examples, A attributes.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from textae.core.autoencoder import Autoencoder
from textae.core.config import choose, nearest


class Labels:
    """One attribute of a model's batches.

    Args:
        attribute: A name in the model's `config.attributes`.
    """

    def __init__(self, attribute: str):
        self.attribute = attribute
        self._column: int | None = None

    def bind(self, model: Autoencoder) -> int:
        """Find the column; returns the number of values.

        Raises:
            ValueError: The model has no such attribute.
        """
        known = model.config.attributes
        if self.attribute not in known:
            raise ValueError(f"the model has no attribute {self.attribute!r} to take labels from: {nearest(self.attribute, known)}")
        self._column = sorted(known).index(self.attribute)  # as the processors order their columns
        return len(known[self.attribute])

    def __call__(self, batch: dict[str, Tensor]) -> Tensor:
        """Values as indices, -1 for unlabelled, shape (B,).

        Raises:
            ValueError: The batch holds no attributes at all.
        """
        assert self._column is not None, "bind() comes first"
        if "attributes" not in batch:
            raise ValueError(f"the batches hold no attributes, so none has a label {self.attribute!r}: give data.attributes, or for images data.labels=true")
        return batch["attributes"][:, self._column]


def chosen(known: Mapping[str, Sequence[str]], names: Sequence[str] | None) -> list[str]:
    """The attributes that a term is about, sorted by name; None stands for all that the model has.

    Raises:
        ValueError: There is none, or a name is unknown or occurs twice.
    """
    if isinstance(names, str):
        raise ValueError(f"attributes is {names!r}; it must be a list: attributes=[{names}]")
    if names is not None:
        for name in names:
            choose(known, name, "attribute")
        if len(set(names)) < len(names):
            raise ValueError(f"attributes is {list(names)}; name each one once")
    found = sorted(known if names is None else names)
    if not found:
        raise ValueError("the term has no attributes to work on: the model has none, or attributes=[] names none; set data.attributes")
    return found


def labelled_mean(costs_B: Tensor, values_B: Tensor) -> Tensor:
    """The mean over labelled examples; 0 where there is none."""
    labelled_B = values_B >= 0
    return (costs_B * labelled_B).sum() / labelled_B.sum().clamp_min(1)
