"""How even a way through the latent space is, from the sentences on it alone.

Similarity is 1 - the least number of words to insert, delete or replace, over the words of the longer sentence: 1 for equal
sentences, 0 for sentences without a word in common at any matching place.
"""

from collections.abc import Callable, Sequence
from typing import Any

from textae.ngram import words


def similarity(a: str, b: str) -> float:
    """1 - word edit distance / words of the longer sentence, 0 to 1; two sentences without words are equal.

    >>> similarity("the cat sleeps .", "the dog sleeps .")
    0.75
    """
    x, y = words(a), words(b)
    row = list(range(len(y) + 1))
    for i, word in enumerate(x, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(y, 1):
            corner, row[j] = row[j], min(corner + (word != other), row[j] + 1, row[j - 1] + 1)
    return 1 - row[-1] / max(len(x), len(y), 1)


def smoothness(paths: Sequence[Sequence[str]], nats: Callable[[Sequence[str]], list[float]] | None = None) -> dict[str, Any]:
    """Figures of ways that have the same number of sentences each, both ends included.

    Args:
        paths: At least one, each of at least two sentences.
        nats: -log p of sentences under a language model, per word and end; None: there is none.

    Returns:
        `path_change`: mean over steps of how much the similarity to the way's end changes, up or down; `path_back`: share of
        steps on which it falls; `path_largest_change`: the largest change of neighbours (1 - their similarity), mean over
        ways: 1 is a jump to another sentence, 1 / steps would be even; `path_distinct`: share of different sentences on a way,
        mean over ways; `path_similarity`: mean similarity to the end at each step; with a model also `path_nats`: its score at
        each step, in nats per word and end, and `path_nats_ratio`, that of the steps between over that of the ends, 1 where
        what lies between is as fluent as what lies at the ends.

    Raises:
        ValueError: No way, or ways of different lengths, or of less than two sentences.
    """
    lengths = {len(path) for path in paths}
    if len(lengths) != 1 or min(lengths) < 2:
        raise ValueError(f"ways have {sorted(lengths)} sentences; they must all have the same number, at least 2")
    steps, num = lengths.pop(), len(paths)
    toward = [[similarity(sentence, path[-1]) for sentence in path] for path in paths]
    moves = [b - a for row in toward for a, b in zip(row, row[1:], strict=False)]
    jumps = [max(1 - similarity(a, b) for a, b in zip(path, path[1:], strict=False)) for path in paths]
    figures: dict[str, Any] = {
        "paths": num,
        "path_change": sum(map(abs, moves)) / len(moves),
        "path_back": sum(move < 0 for move in moves) / len(moves),
        "path_largest_change": sum(jumps) / num,
        "path_distinct": sum(len(set(path)) for path in paths) / (num * steps),
        "path_similarity": [sum(row[i] for row in toward) / num for i in range(steps)],
    }
    if nats is not None:
        scores = nats([sentence for path in paths for sentence in path])
        figures["path_nats"] = [sum(scores[i::steps]) / num for i in range(steps)]
        if steps > 2:
            between, ends = figures["path_nats"][1:-1], (figures["path_nats"][0], figures["path_nats"][-1])
            figures["path_nats_ratio"] = sum(between) / len(between) / (sum(ends) / 2)
    return figures
