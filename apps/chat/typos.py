"""Slips of the finger: how far two words are apart, and which word of a vocabulary was meant. It knows no meanings."""

from collections.abc import Collection
from functools import lru_cache


@lru_cache(maxsize=50_000)
def distance(a: str, b: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour, the fewest (optimal string alignment).

    Source: Damerau 1964; Levenshtein 1966.

    >>> distance("mkae", "make"), distance("futur", "future")
    (1, 1)
    """
    before, row = [], list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]


def meant(word: str, known: str) -> int | None:
    """Slips between a typed word and a known one, None where they are too many for their length.

    One slip in words of four to six letters, two in longer ones that begin alike; in three letters a swap of two, or one letter
    that is missing from four.

    >>> meant("wyh", "why"), meant("who", "why"), meant("mor", "more"), meant("negitve", "negative")
    (1, None, 1, 2)
    """
    if word == known:
        return 0
    shorter = min(len(word), len(known))
    if shorter < 3 or not word.replace("'", "").isalpha() or abs(len(word) - len(known)) > 2:
        return None
    if len(word) == 3 and len(known) == 4:
        return 1 if word[0] == known[0] and distance(word, known) == 1 else None
    if shorter == 3:
        return 1 if sorted(word) == sorted(known) and distance(word, known) == 1 else None
    gap = distance(word, known)
    return gap if gap <= 1 or (gap == 2 and shorter >= 6 and len(word) + len(known) >= 14 and word[0] == known[0]) else None


def corrected(word: str, vocabulary: Collection[str], ordinary: Collection[str]) -> str:
    """The one word of the vocabulary that was meant; the word itself where it is known or ordinary, or no one word is nearest."""
    if word in vocabulary or word in ordinary:
        return word
    gaps = {known: gap for known in vocabulary if (gap := meant(word, known)) is not None}
    nearest = [known for known, gap in gaps.items() if gap == min(gaps.values())]
    alike = [known for known in nearest if known[0] == word[0] and known[-1] == word[-1]]
    for some in (nearest, alike):
        if len(some) == 1:
            return some[0]
    return word
