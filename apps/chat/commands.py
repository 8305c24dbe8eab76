"""Commands that consist of the grammar's own words alone: whole phrases, and the rules of `edits` and `amounts`.

What holds a visitor's sentences is in `templates`. Slips of the finger are forgiven, but only if the whole message then parses.
"""

import re
from collections.abc import Mapping, Sequence

from apps.chat import phrases
from apps.chat import words as w
from apps.chat.amounts import draw, part, steps
from apps.chat.edits import edit
from apps.chat.intents import DEFAULT_ATTRIBUTES, Intent
from apps.chat.typos import corrected, meant

MAX_SLIPS = 3  # words of one message that may hold a slip of the finger


def closed(typed: list[str], attributes: Mapping[str, Sequence[str]] = DEFAULT_ATTRIBUTES) -> Intent | None:
    """The command that a whole list of words is, first as typed and then with slips forgiven; None where it is none."""
    if not typed or len(typed) > 24:
        return None
    typed = spelled_out(typed)
    values = _values(attributes)
    core = polite(typed)
    bare = polite(typed, requests=False)
    for slips in (False, True):
        if found := phrase(typed, slips) or phrase(bare, slips):
            return found
        for rule in (edit, part, draw, steps, bag):
            words = bare if rule is bag or (rule is steps and typed[0] in ("i", "i'd")) else core  # "I want to help" is not "help"
            ready = _forgiven(words, VOCABULARY[rule] | set(values)) if slips else words
            if ready and (found := rule(ready, values)):
                return found
    return None


def spelled_out(typed: Sequence[str]) -> list[str]:
    """Words with abbreviations and missing apostrophes written out.

    >>> spelled_out(["gimme", "smth", "neg"])
    ['give', 'me', 'something', 'negative']
    """
    return [word for t in typed for word in w.ABBREVIATIONS.get(t, t).split()]


def _forgiven(typed: list[str], vocabulary: set[str]) -> list[str]:
    """Words with their slips mended; empty where there is none to mend, or a word that is not of the vocabulary and no slip."""
    slips = [t for t in typed if t not in vocabulary and t[0].isalpha()]
    if not slips or len(slips) > MAX_SLIPS or any(t in w.ORDINARY for t in slips):
        return []
    return [corrected(t, vocabulary, w.ORDINARY) if t in slips else t for t in typed]


def polite(typed: list[str], requests: bool = True) -> list[str]:
    """Words without politeness, and without "can you" and its like, around them; all of them where nothing else is left."""
    start, end = 0, len(typed)
    while start < end and typed[start] in w.POLITE:
        start += 1
    for request in sorted(w.REQUESTS, key=len, reverse=True) if requests else ():
        if typed[start : start + len(request)] == request and start + len(request) < end:
            start += len(request)
            break
    while start < end and typed[start] in w.POLITE:
        start += 1
    while end > start and typed[end - 1] in {"please", "pls", "plz", "thanks", "now", "then", "ok", "okay", "for", "me", "tbh", "imo", "lol", "haha", "thx", "ty"}:
        if typed[end - 1] in {"for", "me"} and typed[end - 2 : end] != ["for", "me"]:
            break
        end -= 2 if typed[end - 1] == "me" else 1
    return typed[start:end] or typed


def phrase(typed: list[str], slips: bool) -> Intent | None:
    """A whole message of `words.PHRASES`."""
    line = " ".join(typed)
    if not slips:
        kind = phrases.PHRASE_OF.get(line) or BARE_PHRASES.get(_bare_phrase(typed))
        kind = kind or next((k for k, pattern in phrases.PATTERNS.items() if re.fullmatch(pattern, line)), None)
        return Intent(kind) if kind else None
    joined = line.replace(" ", "")
    if joined in JOINED:  # "startover"
        return Intent(JOINED[joined])
    sure = [t in w.ORDINARY or t in KNOWN for t in typed]
    if all(sure) or sure.count(False) > MAX_SLIPS:
        return None
    best: dict[int, set[str]] = {}
    for parts, kind in PHRASES_BY_LENGTH.get(len(typed), ()):
        if all(t == p for t, p, same in zip(typed, parts, sure, strict=True) if same):
            gaps = [meant(t, p) for t, p in zip(typed, parts, strict=True)]
            if None not in gaps:
                best.setdefault(sum(gaps), set()).add(kind)
    nearest = best[min(best)] if best else set()
    return Intent(nearest.pop()) if len(nearest) == 1 and min(best) <= 1 + len(typed) // 2 else None


def _bare_phrase(typed: Sequence[str]) -> tuple[str, ...]:
    """A phrase without articles and "show me": two words and more, or one that was asked for; else nothing."""
    bare = tuple(t for t in typed if t not in phrases.PHRASE_FILLERS)
    return bare if len(bare) > 1 or (bare and typed[0] in phrases.SHOWING) else ()


def bag(typed: list[str], _: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "who are my closest neighbours", "explain the last step": a few words, all of one set of `words.BAGS`."""
    if len(typed) > 7:
        return None
    kind = next((k for k, (keys, others) in BAGS.items() if keys & set(typed) and set(typed) <= keys | others), None)
    return Intent(kind) if kind else None


def _values(attributes: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Words of values: ours for tense and sentiment, their own names for all others."""
    own = {v.lower(): (name, v) for name, values in attributes.items() if name not in DEFAULT_ATTRIBUTES for v in values if v.isalpha()}
    return {**own, **w.VALUES}


BAGS = {kind: (set(keys.split()), set(others.split())) for kind, (keys, others) in phrases.BAGS.items()}
_BASE = set(w.VALUES) | set(w.FEELING_OF) | w.MORE | w.LESS | w.STRONG | w.WEAK
VOCABULARY = {
    edit: _BASE | w.VERBS | w.EDIT_FILLERS | set("too enough possible percent twice show give see get".split()) | {word for known in w.OBJECTS for word in known},
    part: set(w.NUMBERS) | set(w.FRACTIONS) | w.HALVES | w.WAY_FILLERS | w.BACKWARD | w.ONWARD | w.WEAK | set("towards toward nearer more percent start beginning end first second".split()),
    draw: _BASE | w.DRAW_VERBS | w.DRAW_NOUNS | w.DRAW_FILLERS | set(w.NUMBERS) | set("like this variations".split()),
    bag: set().union(*(keys | others for keys, others in BAGS.values())),
    steps: set("undo redo more give me last steps step times back neighbours neighbors nearest closest sentences forward show".split()) | set(w.NUMBERS),
}  # fmt: skip
KNOWN = set().union(*VOCABULARY.values()) | {word for known in phrases.PHRASE_OF for word in known.split()}
BARE_PHRASES: dict[tuple[str, ...], str] = {}
for _phrase, _kind in phrases.PHRASE_OF.items():
    if _bare := _bare_phrase(["show", *_phrase.split()]):
        BARE_PHRASES[_bare] = "" if BARE_PHRASES.get(_bare, _kind) != _kind else _kind  # two kinds: none of them
PHRASES_BY_LENGTH: dict[int, list[tuple[list[str], str]]] = {}
for _phrase, _kind in phrases.PHRASE_OF.items():
    PHRASES_BY_LENGTH.setdefault(len(_phrase.split()), []).append((_phrase.split(), _kind))
JOINED = {known.replace(" ", ""): kind for known, kind in phrases.PHRASE_OF.items() if len(known) > 7}
