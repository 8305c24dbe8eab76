"""The reader: a mean of hashed n-gram embeddings and a linear layer; small and fast enough to sit beside a model.

It is for methods: to choose among candidates inside `edit`, say. It is no judge (see `textae.classifiers`).

Shapes: N sentences, B of a batch, G n-grams of a sentence, H buckets, K classes.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from textae.classifiers.base import Classifier, check_array, class_ids
from textae.classifiers.features import flat_ids, hashed


class BagClassifier(Classifier):
    """Logits are the mean of a table's rows, one row for each n-gram of one or two words, which a hash chooses.

    Source: Joulin et al. 2017, "Bag of tricks for efficient text classification" (fastText). Its linear layer follows
    a mean without anything in between, so once trained it is multiplied into the embeddings: the same function in K
    numbers a bucket. The table is kept in float16: 120,000 buckets of four classes are 0.96 MB.

    Args:
        values: K class names.
        table_HK: float16; the bias is in it, since the mean of rows that all hold it is the bias.
    """

    kind = "bag"

    def __init__(self, values: list[str], table_HK: np.ndarray):
        self.values, self.table_HK = values, table_HK

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        seed: int = 0,
        buckets: int = 120_000,
        dim: int = 16,
        epochs: int = 8,
        batch_size: int = 512,
        lr: float = 0.01,
        min_steps: int = 2000,
    ) -> Self:
        """Fit by Adam; see `Classifier.train`.

        Args:
            texts, labels: N of each.
            seed: Of the weights, the held-out sentences and the order.
            buckets: H; n-grams that share one cannot be told apart.
            dim: Width of the embeddings while training; it changes how fast they learn and not what is saved.
            epochs, batch_size, lr, min_steps: Of `textae.classifiers.fitting.Fitting`.

        Raises:
            ValueError: See `Classifier.train`; or a setting that cannot be.
        """
        from torch import nn

        from textae.classifiers.fitting import PADDING, Fitting, IdRows, fit

        values, classes_N = class_ids(texts, labels)
        if buckets < 1 or dim < 1:
            raise ValueError(f"buckets={buckets} and dim={dim} must both be 1 or more")
        flat, lengths = flat_ids(texts, lambda text: hashed(text, buckets))
        options = Fitting(epochs=epochs, batch_size=batch_size, lr=lr, min_steps=min_steps)

        def build() -> nn.Module:
            net = nn.Sequential(
                nn.EmbeddingBag(buckets + 1, dim, mode="mean", padding_idx=PADDING), nn.Linear(dim, len(values))
            )
            nn.init.zeros_(net[0].weight)  # a bucket that training never met says nothing
            return net

        net = fit(build, IdRows(flat + 1 + PADDING, lengths), classes_N, options, seed)
        return cls(values, net[1](net[0].weight[1 + PADDING :]).detach().half().numpy())

    def _logits(self, texts: Sequence[str]) -> np.ndarray:
        flat, lengths = flat_ids(texts, lambda text: hashed(text, len(self.table_HK)))
        sums = np.add.reduceat(self.table_HK[flat].astype(np.float32), np.cumsum(lengths) - lengths, axis=0)
        return sums / lengths[:, None]

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], None]:
        return {"buckets": len(self.table_HK)}, {"table": self.table_HK}, None

    @classmethod
    def _restore(
        cls, values: list[str], settings: dict[str, Any], arrays: dict[str, np.ndarray], vocabulary: list[str] | None
    ) -> Self:
        return cls(values, check_array(arrays, "table", (settings["buckets"], len(values)), np.float16))
