"""Sentences as the words and n-grams that classifiers count; no weights here.

Shapes: N sentences, G n-grams of all of them.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np

from textae.ngram import words

CHARS = "\t"  # begins a feature of characters; no word holds white space, so that it is never one of words


def lower_words(text: str) -> list[str]:
    """Lower-case words as `textae.ngram.words` splits them, with straight apostrophes.

    >>> lower_words("I don’t know, Ann.")
    ['i', "don't", 'know', ',', 'ann', '.']
    """
    return words(text.replace("’", "'"), lowercase=True)


def word_ngrams(text: str, longest: int = 2) -> list[str]:
    """All n-grams of 1 to `longest` lower-case words, each joined by a space.

    >>> word_ngrams("Not bad!")
    ['not', 'bad', '!', 'not bad', 'bad !']
    """
    split = lower_words(text)
    found = list(split)
    for n in range(2, longest + 1):
        found += map(" ".join, zip(*(split[i:] for i in range(n)), strict=False))
    return found


def char_ngrams(text: str, shortest: int, longest: int) -> list[str]:
    """All n-grams of characters inside each word, whose edges are marked by spaces; each begins with `CHARS`.

    >>> char_ngrams("Was", 3, 4)
    ['\\t wa', '\\twas', '\\tas ', '\\t was', '\\twas ']
    """
    padded = [f" {word} " for word in lower_words(text)]
    return [
        CHARS + word[i : i + n]
        for word in padded
        for n in range(shortest, longest + 1)
        for i in range(len(word) - n + 1)
    ]


def flat_ids(texts: Iterable[str], ids_of: Callable[[str], Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Ids of all sentences one after the other, int64 of shape (G,), and how many each has, int64 of shape (N,)."""
    found = [ids_of(text) for text in texts]
    lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
    return np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(lengths.sum())), lengths


def hashed(text: str, buckets: int) -> list[int]:
    """A bucket from 0 to `buckets` - 1 for each n-gram of one or two words, by CRC-32: the same on every machine."""
    return [zlib.crc32(ngram.encode()) % buckets for ngram in word_ngrams(text)]
