"""The judge that reads in order: a small convolutional net over words, trained from nothing.

Shapes: N sentences, B of a batch, T words, E width of embeddings, F filters of a width, V words known, K classes.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from textae.classifiers.base import Classifier, check_array, class_ids
from textae.classifiers.features import flat_ids, lower_words
from textae.classifiers.fitting import PADDING, Fitting, IdRows, fit, score

UNKNOWN = 1  # id of any word that the vocabulary lacks; 0 is padding
FIRST_WORD = 2
WIDTHS = (3, 4, 5)  # Kim 2014, sec. 3.1


class CNN(nn.Module):
    """Embeddings, convolutions of 3, 4 and 5 words, the maximum of each filter over the sentence, dropout, a softmax.

    Source: Kim 2014, "Convolutional neural networks for sentence classification" (CNN-rand). A window is centered on
    each word, so that the shortest sentence has one, and windows of padding do not count: the logits of a sentence do
    not depend on what it is batched with.

    Args:
        num_words: V.
        num_classes: K.
        embedding_dim: E.
        filters: F.
        dropout: Rate at which maxima are dropped in training; numbers of the embeddings at half of it.
    """

    def __init__(self, num_words: int, num_classes: int, embedding_dim: int, filters: int, dropout: float):
        super().__init__()
        self.embeddings = nn.Embedding(FIRST_WORD + num_words, embedding_dim, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding_dim, filters, width) for width in WIDTHS)
        self.word_dropout, self.dropout = nn.Dropout(dropout / 2), nn.Dropout(dropout)
        self.output = nn.Linear(len(WIDTHS) * filters, num_classes)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Logits, shape (B, K), of right-padded ids."""
        x_BET = self.word_dropout(self.embeddings(ids_BT)).transpose(1, 2)
        outside_B1T = (ids_BT == PADDING)[:, None]
        maxima = []
        for convolution, width in zip(self.convolutions, WIDTHS, strict=True):
            padded = nn.functional.pad(x_BET, ((width - 1) // 2, width // 2))
            maxima.append(convolution(padded).masked_fill(outside_B1T, -torch.inf).amax(2).relu())
        return self.output(self.dropout(torch.cat(maxima, 1)))


class CNNClassifier(Classifier):
    """A `CNN` with its vocabulary.

    Args:
        values: K class names.
        vocabulary: V lower-case words, sorted.
        net: With the weights, in eval mode.
        settings: Its arguments `embedding_dim`, `filters` and `dropout`.
    """

    kind = "cnn"

    def __init__(self, values: list[str], vocabulary: list[str], net: CNN, settings: dict[str, Any]):
        self.values, self.vocabulary, self.net, self.settings = values, vocabulary, net, settings
        self._ids = {word: i for i, word in enumerate(vocabulary, FIRST_WORD)}

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        seed: int = 0,
        embedding_dim: int = 64,
        filters: int = 64,
        dropout: float = 0.5,
        min_count: int = 2,
        max_words: int = 20_000,
        epochs: int = 6,
        batch_size: int = 256,
        lr: float = 2e-3,
        min_steps: int = 2000,
    ) -> Self:
        """Fit by Adam, float32; see `Classifier.train`.

        Args:
            texts, labels: N of each.
            seed: Of the weights, the held-out sentences, the order and dropout.
            embedding_dim, filters, dropout: Of `CNN`.
            min_count: Occurrences of a word below which it counts as unknown.
            max_words: Most words of the vocabulary, the most frequent first.
            epochs, batch_size, lr, min_steps: Of `textae.classifiers.fitting.Fitting`.

        Raises:
            ValueError: See `Classifier.train`; or a setting that cannot be, or no word that is frequent enough.
        """
        values, classes_N = class_ids(texts, labels)
        if min_count < 1 or max_words < 1:
            raise ValueError(f"min_count={min_count} and max_words={max_words} must both be 1 or more")
        settings = {"embedding_dim": embedding_dim, "filters": filters, "dropout": dropout}
        _check_settings(**settings)
        frequency = Counter(chain.from_iterable(map(lower_words, texts)))
        kept = sorted((w for w, count in frequency.items() if count >= min_count), key=lambda w: (-frequency[w], w))
        if not kept:
            raise ValueError(f"no word occurs {min_count} times: give more text, or a smaller min_count")
        vocabulary = sorted(kept[:max_words])
        ids = {word: i for i, word in enumerate(vocabulary, FIRST_WORD)}
        options = Fitting(epochs=epochs, batch_size=batch_size, lr=lr, min_steps=min_steps)
        net = fit(lambda: CNN(len(vocabulary), len(values), **settings), _rows(texts, ids), classes_N, options, seed)
        return cls(values, vocabulary, net, settings)

    def _logits(self, texts: Sequence[str]) -> np.ndarray:
        return score(self.net, _rows(texts, self._ids), np.arange(len(texts)))

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
        return self.settings, {name: t.numpy() for name, t in self.net.state_dict().items()}, self.vocabulary

    @classmethod
    def _restore(
        cls, values: list[str], settings: dict[str, Any], arrays: dict[str, np.ndarray], vocabulary: list[str] | None
    ) -> Self:
        if vocabulary is None:
            raise ValueError("vocabulary.json is missing")
        _check_settings(**settings)
        with torch.random.fork_rng(devices=[]):  # whoever loads a judge goes on with the draws of before
            net = CNN(len(vocabulary), len(values), **settings)
        state = net.state_dict()
        net.load_state_dict(
            {n: torch.from_numpy(check_array(arrays, n, tuple(t.shape), np.float32)) for n, t in state.items()}
        )
        return cls(values, vocabulary, net.eval(), settings)


def _rows(texts: Sequence[str], ids: dict[str, int]) -> IdRows:
    return IdRows(*flat_ids(texts, lambda text: [ids.get(word, UNKNOWN) for word in lower_words(text)]))


def _check_settings(embedding_dim: int, filters: int, dropout: float) -> None:
    if embedding_dim < 1 or filters < 1:
        raise ValueError(f"embedding_dim={embedding_dim} and filters={filters} must both be 1 or more")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it must be from 0 to below 1")
