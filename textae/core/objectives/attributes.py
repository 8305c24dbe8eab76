"""The labels that a term asks a batch for: which column holds an attribute, and how many values it has.

Shapes: B examples, A attributes.
"""

from torch import Tensor

from textae.core.autoencoder import Autoencoder
from textae.core.config import nearest


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
