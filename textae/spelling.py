"""What an unknown word costs: a trigram model over characters beside the one over words; no counting of words belongs here.

A closed vocabulary gives all rare words one name, `<unk>`, which is likely because they are many. A perplexity that stops there takes any
run of letters for one of them, and gibberish reads better than real text. Here a word outside the vocabulary is charged twice, for being
unknown and for its spelling, so that it is as likely as one rare word and not as all of them together.

Sources: Brown et al. 1992, "An estimate of an upper bound for the entropy of English", Computational Linguistics 18(1), sec. 3 (a word
model that predicts the unknown token, and a spelling model of the characters behind it); Mielke & Eisner 2019, "Spell once, summon
anywhere", AAAI (the same of neural models, and why vocabularies otherwise do not compare).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from textae.ngram import UNK, TrigramLM, check_sentences, words


@dataclass(frozen=True)
class SpelledLM:
    """A word model in which an unknown word costs -log p(<unk>) - log p(its characters and their end).

    Characters are predicted by an interpolated Kneser-Ney trigram model, of the kind that predicts words. It also gives known words some
    probability, which nobody uses, so that the figure is an upper bound on the perplexity of one proper model. The marker `<unk>` in a
    text has no spelling and costs nothing more.

    >>> model = SpelledLM.fit(["the cat sleeps .", "the dog sleeps ."], TrigramLM.fit(["the cat sleeps .", "the dog sleeps ."], vocabulary=["the", "sleeps", "."]))
    >>> model.perplexity(["the cog sleeps ."]) < model.perplexity(["the xqz sleeps ."])
    True
    >>> model.unknown(["the cog sleeps ."])
    25.0
    """

    lm: TrigramLM
    """Predicts words, and `<unk>` for those outside its vocabulary."""
    letters: TrigramLM
    """Predicts the characters of an unknown word, and its end."""

    @classmethod
    def fit(cls, sentences: Sequence[str], lm: TrigramLM) -> "SpelledLM":
        """Learn spellings from the words of `sentences` that `lm` does not know, as often as they occur.

        Text without any (its words all repeat, or rare ones have become `<unk>`) teaches the spellings of the vocabulary, each word once.

        Args:
            sentences: Text that `lm` was fitted on.
            lm: The word model, with its closed vocabulary.

        Raises:
            ValueError: `sentences` is empty or a single string.
        """
        check_sentences("sentences", sentences)
        rare = [word for word in chain.from_iterable(_words(lm, s) for s in sentences) if _is_spelled(lm, word)]
        return cls(lm=lm, letters=TrigramLM.fit([" ".join(word) for word in rare or lm.ids]))

    def perplexity(self, sentences: Sequence[str]) -> float:
        """exp(total nats with those of the spellings / (words + one end a sentence)), as `TrigramLM.perplexity` counts.

        It is that perplexity where no word is unknown, and above it elsewhere; infinite where a float cannot hold it.

        Raises:
            ValueError: `sentences` is empty or a single string.
        """
        check_sentences("sentences", sentences)
        split = [_words(self.lm, sentence) for sentence in sentences]
        spelled = math.fsum(self.spelling_nats(word) for word in chain.from_iterable(split) if _is_spelled(self.lm, word))
        rate = math.log(self.lm.perplexity(sentences)) + spelled / (sum(map(len, split)) + len(split))
        return math.inf if rate > 709 else math.exp(rate)  # 709: the last whole number whose exp fits a double

    def spelling_nats(self, word: str) -> float:
        """-log p of a word's characters and their end, in nats; 0 if the word is known or is the marker `<unk>`."""
        return -self.letters.log_prob(" ".join(word)) if _is_spelled(self.lm, word) else 0.0

    def unknown(self, sentences: Sequence[str]) -> float:
        """Percent of the words of `sentences` that are outside the vocabulary, `<unk>` among them; 0 where there are no words.

        Raises:
            ValueError: `sentences` is empty or a single string.
        """
        check_sentences("sentences", sentences)
        said = [word in self.lm.ids for sentence in sentences for word in _words(self.lm, sentence)]
        return 100 * said.count(False) / len(said) if said else 0.0


def _words(lm: TrigramLM, sentence: str) -> list[str]:
    return words(sentence, lowercase=lm.lowercase)


def _is_spelled(lm: TrigramLM, word: str) -> bool:
    return word not in lm.ids and word != UNK
