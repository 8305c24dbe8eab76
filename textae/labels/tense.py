"""The tense of an English sentence by rules: past, present, future or other; no model, no download.

The finite verb of the first main clause decides, by its form and not by the time that is meant:

| form | tense | because |
|---|---|---|
| "lived", "was", "did", "had lived", "used to", "was going to" | past | |
| "lives", "is living", "do", "can", "may", "might", "must", "should", "have to" | present | |
| "has lived", "have been" | present | its finite verb is one ("has"), and so an edit to the past has something to change |
| "will", "shall", "won't", "is going to" and a verb, "gonna", "is about to" | future | |
| "could" | past | it is the past of "can"; but "Could you ...?" asks for something now: present |
| "If he comes, I could ..." | other | a condition, as with "would" |
| "could have", "should have", "must have", "would have" and a participle | past | they speak of what is over |
| "would", "'d like" | other | a condition or a wish, in none of the three times |
| "had better", "gotta", "need to" | present | |
| commands, "let's", fragments without a finite verb, greetings, headlines | other | |

A clause before the main one ("When I was young, ...") does not decide, nor does a relative one; where the sentence has
no other ("the best soup i ever had ."), it does. A command that a statement follows ("Hurry, we are late.") leaves the
decision to the statement. In reported speech the reporting verb decides ("She said she is ill."): past.
Of a text of several sentences the first that shows a tense decides; words past the 150th are not read.
Reading and word lists are in `grammar` and `lexicon`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from textae.labels.grammar import Reading, read

VALUES = ("past", "present", "future", "other")


@dataclass(frozen=True)
class Tagged:
    """What the tagger saw in a sentence.

    Places are pairs of character offsets: `sentence[slice(*finite)]` is the finite verb as it was written.

    Attributes:
        tense: One of `VALUES`.
        reason: Why, in words: "past form", "no finite verb", "command", ...
        finite: The place of the finite verb, whose form shows the tense ("has" of "has lived"); None where there is none.
        verb: The place of the verb that carries the meaning ("lived" of "has lived"); of a command its verb; else None.
        auxiliaries: The places of the words before it that belong to the same verb: ("has",), ("will", "have", "been").
    """

    tense: str
    reason: str
    finite: tuple[int, int] | None = None
    verb: tuple[int, int] | None = None
    auxiliaries: tuple[tuple[int, int], ...] = ()


def tense(sentence: str) -> str:
    """The tense of a sentence, one of `VALUES`.

    >>> tense("When it rained, we stayed inside."), tense("i 'll be back !"), tense("great place .")
    ('past', 'future', 'other')
    """
    return read(sentence).tense


def tag(sentence: str) -> Tagged:
    """The tense of a sentence, and where its verb is.

    >>> sentence = "Didn't she really leave?"
    >>> tagged = tag(sentence)
    >>> tagged.tense, sentence[slice(*tagged.finite)], sentence[slice(*tagged.verb)]
    ('past', 'Did', 'leave')
    """
    found: Reading = read(sentence)
    places = [(token.start, token.end) for token in found.tokens]
    at = lambda i: None if i is None else places[i]  # noqa: E731
    return Tagged(
        found.tense, found.reason, at(found.finite), at(found.verb), tuple(places[i] for i in found.auxiliaries)
    )


def tenses(sentences: Iterable[str]) -> list[str]:
    """The tense of each sentence."""
    return [tense(sentence) for sentence in sentences]
