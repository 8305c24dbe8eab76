"""The independent judge of samples: a Kneser-Ney trigram language model over words; no neural network belongs here.

It counts, so two people who fit it on the same text get the same numbers. Two models are comparable only if they share
one closed vocabulary: fix it with `vocabulary_of` and hand it to both.

Sources: Kneser & Ney 1995, "Improved backing-off for m-gram language modeling"; Chen & Goodman 1999, "An empirical
study of smoothing techniques for language modeling", Computer Speech and Language 13 (interpolated, with modified
discounts).
Letters: N predicted positions, G distinct n-grams, H distinct histories.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

UNK = "<unk>"
EOS = "</s>"

BOS_ID, EOS_ID, UNK_ID, FIRST_WORD_ID = 0, 1, 2, 3
MAX_ORDER = 3  # three ids of up to 2 million words are what one 64-bit key holds

WORD = re.compile(
    r"""<unk>                  # the Penn Treebank's marker for a rare word stays whole
    | \d+(?:[.,]\d+)+          # 3.5, 10,000
    | \w+(?:['’]\w+)*          # word, don't, o'clock, 7, 1st, _num_
    | [^\w\s]                  # every other sign is a word of its own
    """,
    re.VERBOSE,
)


def words(text: str, *, lowercase: bool = False) -> list[str]:
    """Split a sentence into the model's words: punctuation stands alone, contractions stay whole ("don't").

    Letters, digits and underscores of any script make words; an apostrophe, straight or curly, stays inside a word but
    not at its edge; hyphens separate. Text is first brought to Unicode's composed form (NFC), so that é is one letter
    however it was typed. Scripts without spaces come out as long runs, and vowel signs that are combining marks
    (Devanagari) separate.

    Args:
        text: One sentence.
        lowercase: Fold upper case into lower case first.

    Returns:
        The words, in order; empty for blank text.

    >>> words("Don't pay $3.50, please!")
    ["Don't", 'pay', '$', '3.50', ',', 'please', '!']
    """
    text = unicodedata.normalize("NFC", text)
    return WORD.findall(text.lower() if lowercase else text)


def vocabulary_of(sentences: Sequence[str], min_count: int = 2, *, lowercase: bool = False) -> list[str]:
    """The words that occur at least `min_count` times, sorted; `<unk>` is never among them, it is every model's own.

    Raises:
        ValueError: `sentences` is empty or a single string.
    """
    check_sentences("sentences", sentences)
    counts = Counter(chain.from_iterable(words(sentence, lowercase=lowercase) for sentence in sentences))
    return sorted(word for word, count in counts.items() if count >= min_count and word != UNK)


@dataclass(frozen=True)
class TrigramLM:
    """An interpolated Kneser-Ney model: p(w | h) = own(h w) + backoff(h) p(w | shorter h), down to uniform.

    Build it with `TrigramLM.fit`. Outcomes are the vocabulary, `<unk>` and the end `</s>`; for every history, seen or
    not, their probabilities are positive and sum to 1. A sentence starts from one `<s>`, which is never predicted.

    >>> model = TrigramLM.fit(["the cat sleeps .", "the dog sleeps ."])
    >>> model.log_prob("the cat sleeps .") > model.log_prob("sleeps the . cat")
    True
    """

    ids: dict[str, int]
    """Word to id, from 3 up; 0, 1 and 2 are `<s>`, `</s>` and `<unk>`."""
    levels: tuple["Level", ...]
    """The tables of unigrams, bigrams, trigrams, as many as the order."""
    lowercase: bool
    """Whether text is folded to lower case before it is looked up."""

    @classmethod
    def fit(
        cls,
        sentences: Sequence[str],
        *,
        vocabulary: Iterable[str] | None = None,
        order: int = 3,
        lowercase: bool = False,
    ) -> "TrigramLM":
        """Count `sentences` and return the model.

        Args:
            sentences: Training text, one sentence each; the order does not matter.
            vocabulary: The closed list of words; others count as `<unk>`. None: every word of `sentences`.
            order: Longest n-gram in words, 1 to 3.
            lowercase: Fold case; then the vocabulary must be lower case too.

        Raises:
            ValueError: No sentences, no vocabulary, upper case in the vocabulary of a folding model, another order.
        """
        check_sentences("sentences", sentences)
        if not 1 <= order <= MAX_ORDER:
            raise ValueError(f"order must be 1, 2 or 3, got {order}")
        listed = set(vocabulary_of(sentences, 1, lowercase=lowercase) if vocabulary is None else vocabulary) - {UNK}
        if not listed:
            raise ValueError("the vocabulary is empty: give more text, or a smaller min_count")
        if lowercase and (cased := sorted(word for word in listed if word != word.lower())):
            raise ValueError(f"lowercase=True, but the vocabulary has upper case: {cased[:5]}")
        ids = {word: number for number, word in enumerate(sorted(listed), start=FIRST_WORD_ID)}
        base = len(ids) + FIRST_WORD_ID
        if base**MAX_ORDER >= 2**63:
            raise ValueError(f"{len(ids)} words are too many for 64-bit trigram keys; at most 2,097,148")
        stream = encode(sentences, ids, lowercase=lowercase)
        return cls(ids=ids, levels=count_levels(stream, base, order), lowercase=lowercase)

    @property
    def num_outcomes(self) -> int:
        """How many words can follow a history: the vocabulary, `<unk>` and `</s>`."""
        return len(self.ids) + 2

    def log_prob(self, sentence: str) -> float:
        """Log p(sentence) in nats, its end included; never -inf."""
        return float(self._log_probs([sentence]).sum())

    def perplexity(self, sentences: Sequence[str]) -> float:
        """exp(total nats / total of (words + one end a sentence)), words as `words` splits them, unknown ones included.

        An unknown word costs what `<unk>` does, whatever its letters: `textae.spelling` charges for these too.

        Raises:
            ValueError: `sentences` is empty or a single string.
        """
        check_sentences("sentences", sentences)
        return math.exp(-float(self._log_probs(sentences).mean()))

    def distribution(self, start: str = "") -> dict[str, float]:
        """Probability of every outcome after the words of `start`, which begin a sentence."""
        outcomes = [EOS, UNK, *self.ids]
        history = encode([start], self.ids, lowercase=self.lowercase)[:-1]
        predicted = np.arange(EOS_ID, len(outcomes) + EOS_ID)
        context = np.tile(history[-2:], (len(predicted), 1))
        probabilities = self._probabilities(np.column_stack([context, predicted]))
        return dict(zip(outcomes, probabilities.tolist(), strict=True))

    def _log_probs(self, sentences: Sequence[str]) -> np.ndarray:
        """Natural log of the probability of each word and end of `sentences`, shape (N,)."""
        return np.log(self._probabilities(windows(encode(sentences, self.ids, lowercase=self.lowercase))))

    def _probabilities(self, windows_N3: np.ndarray) -> np.ndarray:
        """p(third id | first two ids), shape (N,); histories that were never seen pass through to shorter ones."""
        base = len(self.ids) + FIRST_WORD_ID
        probabilities = np.full(len(windows_N3), 1.0 / self.num_outcomes)
        for n, level in enumerate(self.levels, start=1):
            keys = ngram_keys(windows_N3, n, base)
            own = look_up(level.keys, level.own, keys, missing=0.0)
            probabilities = own + look_up(level.histories, level.backoff, keys // base, missing=1.0) * probabilities
        return probabilities


@dataclass(frozen=True)
class Level:
    """The n-grams of one length, as sorted 64-bit keys: the ids are the digits, the predicted word the last."""

    keys: np.ndarray
    """Distinct n-grams, shape (G,)."""
    own: np.ndarray
    """(count - discount) / total of the history, shape (G,)."""
    histories: np.ndarray
    """Distinct histories, the n-grams without their last word, shape (H,)."""
    backoff: np.ndarray
    """What the discounts of a history freed for the shorter one: positive, at most 1, shape (H,)."""


def discounts(counts: np.ndarray) -> np.ndarray:
    """What to take off n-grams counted once, twice, and more often: Chen & Goodman 1999, modified Kneser-Ney.

    Small text lacks the counts of counts n1..n4 that the formula needs, or yields a negative discount. There the single
    discount n1 / (n1 + 2 n2) of Ney et al. 1994 serves all three; without n-grams seen once it would be 0, and 0.75 is
    taken (Church & Gale 1991 measured about that).

    Args:
        counts: Positive integers, one for each distinct n-gram.

    Returns:
        The three discounts, each in (0, k], shape (3,).
    """
    n1, n2, n3, n4 = (float((counts == k).sum()) for k in (1, 2, 3, 4))
    if not n1:
        return np.full(3, 0.75)
    single = n1 / (n1 + 2 * n2)
    if n2 and n3 and n4:
        modified = np.array([1 - 2 * single * n2 / n1, 2 - 3 * single * n3 / n2, 3 - 4 * single * n4 / n3])
        if (modified > 0).all():  # each is at most k by its form
            return modified
    return np.full(3, single)


def count_levels(stream: np.ndarray, base: int, order: int) -> tuple[Level, ...]:
    """Tables for n = 1..order from a stream of `encode`.

    The longest n-grams, and those that begin a sentence, which nothing can precede, keep their counts; the others are
    counted by the distinct words that precede them (Kneser & Ney 1995).
    """
    positions = windows(stream)
    levels: list[Level] = []
    longer = None
    for n in range(order, 0, -1):
        keys = ngram_keys(positions, n, base)
        if n == MAX_ORDER:  # a sentence's first word has one word of history, <s>: it is a bigram, not a trigram
            keys = keys[(positions[:, :2] != BOS_ID).any(axis=1)]
        keys, counts = np.unique(keys, return_counts=True)
        if longer is not None:
            starts = keys // base ** (n - 1) == BOS_ID
            endings, preceding = np.unique(longer % base**n, return_counts=True)
            counts = np.where(starts, counts, look_up(endings, preceding, keys, missing=0))
        levels.append(discounted(keys, counts, base))
        longer = keys
    return tuple(reversed(levels))


def discounted(keys: np.ndarray, counts: np.ndarray, base: int) -> Level:
    """One level from its sorted n-grams and their counts, both of shape (G,)."""
    taken = discounts(counts)[np.minimum(counts, 3) - 1]
    histories, index = np.unique(keys // base, return_inverse=True)
    totals = np.bincount(index, weights=counts, minlength=len(histories))
    freed = np.bincount(index, weights=taken, minlength=len(histories))
    return Level(keys=keys, own=(counts - taken) / totals[index], histories=histories, backoff=freed / totals)


def encode(sentences: Sequence[str], ids: dict[str, int], *, lowercase: bool) -> np.ndarray:
    """All sentences as one stream of ids: `<s> <s> words </s>` each; two starts keep windows inside a sentence."""
    stream: list[int] = []
    for sentence in sentences:
        stream += (BOS_ID, BOS_ID)
        stream += [ids.get(word, UNK_ID) for word in words(sentence, lowercase=lowercase)]
        stream.append(EOS_ID)
    return np.array(stream, dtype=np.int64)


def windows(stream: np.ndarray) -> np.ndarray:
    """Every predicted id with the two before it, shape (N, 3)."""
    triples = np.lib.stride_tricks.sliding_window_view(stream, 3)
    return triples[triples[:, 2] != BOS_ID]


def ngram_keys(windows_N3: np.ndarray, n: int, base: int) -> np.ndarray:
    """The last `n` ids of each window as one number, shape (N,)."""
    keys = windows_N3[:, 2].copy()
    for back in range(1, n):
        keys += windows_N3[:, 2 - back] * base**back
    return keys


def look_up(keys: np.ndarray, values: np.ndarray, queries: np.ndarray, *, missing: float) -> np.ndarray:
    """The value of each query in a table with sorted keys, `missing` where it is absent; shape of `queries`."""
    if not len(keys):  # trigrams of text that has no words at all
        return np.full(len(queries), missing)
    index = np.minimum(np.searchsorted(keys, queries), len(keys) - 1)
    return np.where(keys[index] == queries, values[index], missing)


def check_sentences(name: str, sentences: Sequence[str]) -> None:
    """Raise a ValueError that says `name` if it is one string, or empty."""
    if isinstance(sentences, str):
        raise ValueError(f"{name} must be a list of sentences, not one string")
    if not len(sentences):
        raise ValueError(f"{name} is empty")
