"""The judge that counts: TF-IDF of n-grams and logistic regression. Fitted by scikit-learn; asked without it.

Shapes: N sentences, F n-grams of the vocabulary, K classes, M = 1 for two classes and K for more.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, Self

import numpy as np

from textae.classifiers.base import Classifier, check_array, class_ids
from textae.classifiers.features import char_ngrams, flat_ids, word_ngrams


class NgramClassifier(Classifier):
    """Logistic regression on TF-IDF of n-grams of words and, if asked for, of characters.

    The weight of an n-gram in a sentence is (1 + ln count) (1 + ln((1 + N) / (1 + N with it))), and the weights of a
    sentence have length 1: scikit-learn's `TfidfVectorizer(sublinear_tf=True)`.

    Args:
        values: K class names.
        vocabulary: F n-grams, sorted.
        idf_F: The second factor above, float32.
        weights_MF: Of the regression, float32; with two classes, of the second.
        bias_M: float32.
        longest: Words of the longest n-gram.
        chars: Characters of the shortest and the longest n-gram inside words; None for none.
    """

    kind = "ngram"

    def __init__(
        self,
        values: list[str],
        vocabulary: list[str],
        idf_F: np.ndarray,
        weights_MF: np.ndarray,
        bias_M: np.ndarray,
        longest: int,
        chars: tuple[int, int] | None,
    ):
        self.values, self.vocabulary = values, vocabulary
        self.idf_F, self.weights_MF, self.bias_M = idf_F, weights_MF, bias_M
        self.longest, self.chars = longest, chars
        self._ids = {ngram: i for i, ngram in enumerate(vocabulary)}

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        seed: int = 0,
        longest: int = 2,
        chars: tuple[int, int] | None = None,
        min_count: int = 2,
        max_features: int = 300_000,
        C: float = 4.0,
    ) -> Self:
        """Fit by L-BFGS; see `Classifier.train`.

        Args:
            texts, labels: N of each.
            seed: Of the contract; the loss is convex and nothing is drawn.
            longest: Words of the longest n-gram.
            chars: Characters of the shortest and the longest n-gram inside words, which know endings of words that
                were never seen; None for none.
            min_count: Sentences that an n-gram must occur in.
            max_features: Most n-grams, the most frequent first.
            C: Inverse strength of the L2 penalty, as scikit-learn scales it.

        Raises:
            ValueError: See `Classifier.train`; or a setting that cannot be, or no n-gram that is frequent enough.
        """
        from scipy.sparse import csr_array
        from sklearn.linear_model import LogisticRegression

        values, classes_N = class_ids(texts, labels)
        _check_settings(longest, chars, min_count, max_features, C)
        frequency = Counter(chain.from_iterable(set(ngrams(text, longest, chars)) for text in texts))
        kept = sorted((n for n, count in frequency.items() if count >= min_count), key=lambda n: (-frequency[n], n))
        if not kept:
            raise ValueError(f"no n-gram occurs in {min_count} sentences: give more text, or a smaller min_count")
        vocabulary = sorted(kept[:max_features])
        found_F = np.array([frequency[ngram] for ngram in vocabulary])
        idf_F = (1 + np.log((1 + len(texts)) / (1 + found_F))).astype(np.float32)
        ids = {ngram: i for i, ngram in enumerate(vocabulary)}
        rows, columns, weights = weighted(texts, ids, idf_F, longest, chars)
        matrix = csr_array((weights, (rows, columns)), shape=(len(texts), len(vocabulary)))
        fitted = LogisticRegression(C=C, max_iter=1000).fit(matrix, classes_N)
        coefficients, bias = fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32)
        return cls(values, vocabulary, idf_F, coefficients, bias, longest, chars)

    def _logits(self, texts: Sequence[str]) -> np.ndarray:
        rows, columns, weights = weighted(texts, self._ids, self.idf_F, self.longest, self.chars)
        sums = [
            np.bincount(rows, weights=weights * weights_F[columns], minlength=len(texts))
            for weights_F in self.weights_MF
        ]
        logits_NM = np.stack(sums, axis=1) + self.bias_M
        return logits_NM if len(self.values) > 2 else np.concatenate([np.zeros_like(logits_NM), logits_NM], axis=1)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
        settings = {"longest": self.longest, "chars": None if self.chars is None else list(self.chars)}
        return settings, {"idf": self.idf_F, "weights": self.weights_MF, "bias": self.bias_M}, self.vocabulary

    @classmethod
    def _restore(
        cls, values: list[str], settings: dict[str, Any], arrays: dict[str, np.ndarray], vocabulary: list[str] | None
    ) -> Self:
        if vocabulary is None:
            raise ValueError("vocabulary.json is missing")
        longest, chars = settings["longest"], settings["chars"]
        chars = None if chars is None else tuple(chars)
        _check_settings(longest, chars)
        width, rows = len(vocabulary), 1 if len(values) == 2 else len(values)
        idf = check_array(arrays, "idf", (width,), np.float32)
        weights = check_array(arrays, "weights", (rows, width), np.float32)
        return cls(values, vocabulary, idf, weights, check_array(arrays, "bias", (rows,), np.float32), longest, chars)


def ngrams(text: str, longest: int, chars: tuple[int, int] | None) -> list[str]:
    """The n-grams of a sentence, with repetitions."""
    return word_ngrams(text, longest) + (char_ngrams(text, *chars) if chars is not None else [])


def weighted(
    texts: Sequence[str], ids: dict[str, int], idf_F: np.ndarray, longest: int, chars: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """TF-IDF of sentences, sparse: row, column and float64 weight of each n-gram that is known; rows ascend."""
    flat, lengths = flat_ids(texts, lambda text: [ids[n] for n in ngrams(text, longest, chars) if n in ids])
    keys = np.repeat(np.arange(len(texts)), lengths) * len(ids) + flat
    keys, counts = np.unique(keys, return_counts=True)
    rows, columns = np.divmod(keys, len(ids))
    weights = (1 + np.log(counts)) * idf_F[columns].astype(np.float64)
    norms = np.sqrt(np.bincount(rows, weights=weights * weights, minlength=len(texts)))
    return rows, columns, weights / norms[rows]


def _check_settings(
    longest: int, chars: tuple[int, int] | None, min_count: int = 1, max_features: int = 1, C: float = 1.0
) -> None:
    for name, value in (("longest", longest), ("min_count", min_count), ("max_features", max_features)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")
    if chars is not None and (len(chars) != 2 or not 1 <= chars[0] <= chars[1]):
        raise ValueError(f"chars is {chars}; it must be the shortest and the longest n-gram, such as (3, 5)")
    if not C > 0:
        raise ValueError(f"C is {C}; it must be above 0")
