"""What binds the candidates of an edit to their source: its words made likelier while decoding, and counted afterwards.

Shapes: B rows, V vocabulary.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher

import torch
from torch import Tensor
from transformers import LogitsProcessor


class KeepWords(LogitsProcessor):
    """Makes some tokens likelier in each row and others less likely: a source's own words, and what of them has to go.

    Args:
        nats: What is added to the logits of each row's tokens, by token id.
        vocab_size: V.
    """

    def __init__(self, nats: Sequence[Mapping[int, float]], vocab_size: int):
        self.bias_BV = torch.zeros(len(nats), vocab_size)
        for row, tokens in enumerate(nats):
            for token, value in tokens.items():
                self.bias_BV[row, token] = value

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores of rows, each as often as it has beams, in order."""
        return scores + self.bias_BV.repeat_interleave(len(scores) // len(self.bias_BV), 0).to(scores)


def heavy_words(text: str, log_odds: Callable[[list[str]], list[float]], share: float) -> list[tuple[int, int]]:
    """Words that stand in the way of what is wanted: without them its log-odds rise, at least a nat and `share` of the largest rise.

    Args:
        text: A sentence; its words are what blanks separate.
        log_odds: Of the wanted values in nats, of each of several texts.
        share: 0 to 1.

    Returns:
        Their places in the text, start and end.
    """
    places = [match.span() for match in re.finditer(r"\S+", text)]
    if len(places) < 2:
        return []
    before, *without = log_odds([text, *(f"{text[:start]}{text[end:]}".strip() for start, end in places)])
    rises = [after - before for after in without]
    return [place for place, rise in zip(places, rises, strict=True) if rise >= max(1.0, share * max(rises))]


def token_nats(
    ids: Sequence[int], places: Sequence[tuple[int, int]], heavy: Sequence[tuple[int, int]], nats: float
) -> dict[int, float]:
    """What `KeepWords` adds to a source's tokens: `nats` to those it may keep, and as much less to those in heavy words.

    A token that stands in words of both kinds is kept.

    Args:
        ids, places: Of the source's tokens, with start and end in its text.
        heavy: Start and end of words that have to go.
        nats: 0 or more.
    """
    found: dict[int, float] = {}
    for token, (start, end) in zip(ids, places, strict=True):
        goes = any(start < stop and begin < end for begin, stop in heavy)
        found[token] = max(found.get(token, -nats), -nats if goes else nats)
    return found


def kept_words(source: str, edit: str) -> float:
    """Share of words that two sentences have in the same order: Ratcliff and Obershelp's ratio over words, 0 to 1.

    >>> kept_words("She walks home .", "She walked home .")
    0.75
    """
    return SequenceMatcher(None, source.split(), edit.split(), autojunk=False).ratio()


def kept_letters(source: str, edit: str) -> float:
    """The same over letters, which sees that two words are forms of one.

    >>> kept_letters("She lives here.", "She lived here.") > kept_letters("She lives here.", "She sat here.")
    True
    """
    return SequenceMatcher(None, source, edit, autojunk=False).ratio()


def shares_a_word(source: str, edit: str) -> bool:
    """Whether an edit has a word of its source left, where the source has three or more: without one it is another sentence.

    >>> shares_a_word("She walks home .", "Coins on a singer .")
    False
    """
    words = _words(source)
    return len(words) < 3 or bool(words & _words(edit))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
