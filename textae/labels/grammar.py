"""Which clause of a sentence decides its tense: the first main clause with a finite verb.

A clause is a question, a subordinate clause, a command, a statement without its "I", or a subject and its finite verb.
"""

from typing import NamedTuple

from textae.labels import lexicon as lx
from textae.labels.lexicon import (
    ADJ,
    ADV,
    AUXILIARY,
    CLOSE,
    COMMA,
    CONJ,
    DET,
    END,
    EQUAL,
    HAVE,
    INTJ,
    NEG,
    NOMINAL,
    NOUN,
    OBJ,
    OPEN,
    PLURAL,
    PREP,
    PRON,
    PROPER,
    QUOTE,
    STATIVE,
    SUB,
    SUBJ,
    TO,
    VB,
    VBD,
    VBN,
    VBZ,
    VERB,
    WEAK,
    WH,
)
from textae.labels.subjects import scan, second
from textae.labels.tokens import Token
from textae.labels.verbs import OTHER, group, judge
from textae.labels.words import COMMAND, NONE, SINGULAR, STATEMENT, SUBORDINATE, Found, Words

_CAME_BY = frozenset("stopped came went dropped swung walked drove passed got".split())  # "stopped by" is no passive
_DO_NOT = frozenset("like care remember see feel".split())  # and stative verbs


class Reading(NamedTuple):
    """Indices into `tokens`; see `textae.labels.tense.Tagged`."""

    tense: str
    reason: str
    tokens: list[Token]
    finite: int | None = None
    verb: int | None = None
    auxiliaries: tuple[int, ...] = ()


def read(sentence: str) -> Reading:
    """The tense of a sentence and the words that show it."""
    s = Words(sentence)
    start, stop = s.outside_quotes()
    reading = _read(s, start, stop)
    if reading.finite is None and (start, stop) != (0, len(s.tokens)):
        reading = _read(s, 0, len(s.tokens))
    return reading


def _read(s: Words, start: int, stop: int) -> Reading:
    found, command = _main(s, start, stop)
    if found is None:
        if command is None:
            return Reading(OTHER, "no finite verb", s.tokens)
        return Reading(OTHER, "command", s.tokens, None, command)
    tense, reason = judge(s, found)
    verb, auxiliaries = group(s, found)
    return Reading(tense, reason, s.tokens, found.verb, verb, tuple(auxiliaries))


def _main(s: Words, i: int, stop: int) -> tuple[Found | None, int | None]:
    """The clause that decides the tense, if any, and the verb of a command, if there is one."""
    f = s.f
    fallback = command = None
    s.first = i
    while i < stop:
        if f[i] & (COMMA | END | QUOTE | OPEN | CLOSE | CONJ) or (f[i] & INTJ and not f[i] & (DET | SUBJ)):
            i += 1
            continue
        found = _clause(s, i)
        if found.kind is COMMAND:
            command = found.verb if command is None else command
            i = _after_command(s, found.verb, stop)
            continue
        if found.verb >= 0:
            if found.kind is STATEMENT and (command is None or _has_subject(s, found, i)):
                return found, command
            fallback = fallback or found
        i = max(found.after, i + 1)
    return (None if command is not None else fallback), command


def _has_subject(s: Words, found: Found, start: int) -> bool:
    return found.inverted or any(s.f[k] & (NOMINAL | DET) for k in range(start, found.verb))


def _after_command(s: Words, i: int, stop: int) -> int:
    """Where a clause can begin after a command; what depends on the command's verb is passed over."""
    f, nested = s.f, False
    while i < stop:
        if f[i] & (COMMA | END) or f[i] & CONJ and not nested and f[i + 1] & (SUBJ | PRON | DET):
            return i
        nested = nested or bool(f[i] & (WH | SUB)) and not f[i] & PREP
        i += 1
    return stop


def _clause(s: Words, i: int) -> Found:
    """The clause that begins at `i`."""
    f, w = s.f, s.w
    if f[i] & WH:
        if i > s.first and f[i - 1] & COMMA and w[i] in ("who", "which", "whose", "whom", "where"):
            verb, after, _ = scan(s, i + 1, SINGULAR)
            return Found(verb, s.boundary(max(verb, after)), SUBORDINATE)
        return _question(s, i)
    if f[i] & SUB and w[i] != "that" and not (w[i] == "like" and not f[i + 1] & (SUBJ | PRON)):
        return _subordinate(s, i)
    j = _past_adverbs(s, i)
    if f[j] & AUXILIARY and not f[j] & PROPER:
        return _auxiliary_first(s, j)
    if f[j] & (VERB | WEAK):
        found = _verb_first(s, j)
        if found is not None:
            return found
    verb, after, embedded = scan(s, i)
    return Found(verb, s.boundary(verb) if verb >= 0 else after, SUBORDINATE if embedded else STATEMENT)


def _past_adverbs(s: Words, j: int) -> int:
    """Where a clause without a subject can begin: behind "highly", "just", "never", and behind "first" in "first try"."""
    f = s.f
    while f[j] & (ADV | NEG):
        adverb = not f[j] & (DET | PRON | VERB) and not (f[j] & WEAK and f[j + 1] & (DET | OBJ))
        if not adverb and not (f[j] & ADJ and f[j + 1] & (VERB | AUXILIARY) and not f[j + 1] & NOUN):
            break
        j += 1
    return j


def _question(s: Words, i: int) -> Found:
    """A clause that begins with who, what, how, ..."""
    f, w = s.f, s.w
    k = s.skip(i + 1) if f[i + 1] & ADV and not f[i + 1] & ADJ else i + 1
    if w[i] == "how" and w[k] == "come":
        verb, after, _ = scan(s, k + 1)
        return Found(verb, max(after, k))
    if f[k] & AUXILIARY and not f[k] & PROPER:
        return Found(k, k + 1, inverted=True)
    if f[k] & SUB and not f[k] & DET:  # "what if he knows?"
        return _subordinate(s, k)
    if f[i] & SUB or w[i] in ("where", "whatever", "whoever", "whichever") and f[k] & (SUBJ | PRON | DET | NOUN):
        return _subordinate(s, i)
    if (
        w[i] in ("who", "what", "which", "whatever", "whoever")
        and f[k] & (VBZ | VBD | VB)
        and not (f[k] & NOUN and w[i] != "who" and (s.finite_ahead(k) or f[k + 1] & (SUBJ | AUXILIARY)))
    ):
        return Found(k, k + 1)
    if w[i] in ("why", "where", "how") and (f[k] & (TO | NEG) or f[k] & VB and not f[k] & (NOUN | ADJ)):
        return Found(-1, s.boundary(k))  # "why not go?", "where to go"
    verb, after, embedded = scan(s, k, NONE)
    asks = verb >= 0 and f[verb] & AUXILIARY and not embedded and not f[k] & SUBJ  # "how much does it cost?"
    if verb >= 0 and f[k] & SUBJ:  # "what I need is ..."
        later = second(s, verb)
        verb = later if later >= 0 else verb
    return Found(verb, s.boundary(max(verb, after)), inverted=bool(asks))


def _subordinate(s: Words, i: int) -> Found:
    """A clause that begins with when, if, because, ...: its own verb, or that of a main clause right behind it."""
    verb, after, _ = scan(s, i + 1)
    if verb < 0:
        return Found(-1, max(after, i + 1), SUBORDINATE)
    later = second(s, verb, fresh=True)
    if later >= 0:
        return Found(later, later + 1)
    return Found(verb, s.boundary(verb), SUBORDINATE)


def _auxiliary_first(s: Words, j: int) -> Found:
    """ "Is he ...?", "Don't go!", "has great food ." """
    f, w = s.f, s.w
    k = s.skip(j + 1)
    asked = s.asked(j)
    if w[j] == "do":
        person = f[k] & SUBJ or w[k] in ("you", "they", "we", "i", "these", "those", "any", "y'all")
        if not (person or asked):
            dropped = k > j + 1 and (f[k] & (STATIVE | HAVE) or w[k] in _DO_NOT)  # "don't like it": without its "I"
            return Found(j, j + 1) if dropped else Found(k if f[k] & VB else j, k, COMMAND)
    if w[j] == "have" and not asked and not (f[k] & (SUBJ | VBN | TO) or w[k] in ("you", "been", "no")):
        return Found(j, j + 1, COMMAND)
    inverted = bool(f[k] & (SUBJ | PRON | DET | NOUN)) and (asked or bool(f[k] & SUBJ))
    return Found(j, j + 1, inverted=inverted)


def _verb_first(s: Words, j: int) -> Found | None:
    """ "Open the door.", "loved it !", "love this place !"; None where the word is no verb after all."""
    f, w, flags = s.f, s.w, s.f[j]
    k = s.skip(j + 1)
    ahead = f[k]
    finite_next = ahead & AUXILIARY and w[k] not in ("'d",) or ahead & (VBD | VBZ) and not ahead & (NOUN | ADJ)
    if flags & (NOUN | ADJ) and (finite_next or w[j + 1] == "'s" and w[j] != "let"):
        return None
    if w[j] == "thank" and w[j + 1] in ("god", "goodness", "heaven", "heavens"):
        return Found(-1, j + 2)
    if w[j] == "gon" and w[j + 1] == "na":
        return Found(j, j + 1)
    if flags & WEAK and not flags & (VERB | PLURAL):  # "hand me", "clean the room"
        return (
            Found(j, j + 1, COMMAND)
            if f[j + 1] & (DET | OBJ) and not flags & PROPER and not s.finite_ahead(j)
            else None
        )
    if flags & EQUAL or flags & VB:
        if flags & NOUN and f[j + 1] & CONJ and not flags & STATIVE:
            return None
        if flags & STATIVE and not (w[j] == "think" and ahead & PREP):
            return Found(j, j + 1)
        if flags & ADJ and not f[j + 1] & (DET | OBJ | SUBJ | PRON | PREP):
            return None
        return Found(j, j + 1, COMMAND)
    if flags & VBZ:
        noun = flags & NOUN and (
            f[j + 1] & (COMMA | CONJ | END | PREP) or ahead & VB and not ahead & (NOUN | ADJ | PREP)
        )
        return None if noun else Found(j, j + 1)
    if flags & VBD:
        if flags & VBN and not (w[j] == "used" and f[j + 1] & TO):
            if lx.is_participial(w[j]) and not f[j + 1] & (DET | OBJ) or w[j + 1] == "by" and w[j] not in _CAME_BY:
                return None
            if j != s.first and not f[j + 1] & (DET | OBJ | SUBJ | PRON) and s.f[s.first] & (ADJ | NOUN):
                return None
        return Found(j, j + 1)
    return None
