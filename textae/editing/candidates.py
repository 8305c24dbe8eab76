"""What binds the candidates of an edit to their source: its words made likelier while decoding, and counted afterwards.

Shapes: B rows, V vocabulary.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import torch
from torch import Tensor
from transformers import LogitsProcessor


class KeepWords(LogitsProcessor):
    """Makes each row's source tokens likelier, so that what need not change is less tempted to.

    Args:
        sources: Token ids of each row's source, without marks.
        bias: Added to their logits, in nats.
        vocab_size: V.
    """

    def __init__(self, sources: Sequence[Sequence[int]], bias: float, vocab_size: int):
        self.bias_BV = torch.zeros(len(sources), vocab_size)
        for row, ids in enumerate(sources):
            self.bias_BV[row, list(ids)] = bias

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores of rows, each as often as it has beams, in order."""
        return scores + self.bias_BV.repeat_interleave(len(scores) // len(self.bias_BV), 0).to(scores)


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
