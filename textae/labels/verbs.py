"""What a finite verb says: its tense, and the other words that belong to it."""

from textae.labels import lexicon as lx
from textae.labels.lexicon import (
    ADJ,
    ADV,
    AUXILIARY,
    BE,
    COMMA,
    DET,
    DO,
    END,
    EQUAL,
    HAVE,
    MODAL,
    NEG,
    NOUN,
    OBJ,
    PREP,
    PRON,
    SUBJ,
    TO,
    VB,
    VBD,
    VBG,
    VBN,
    WEAK,
    WH,
)
from textae.labels.words import SINGULAR, Found, Words

PAST, PRESENT, FUTURE, OTHER = "past", "present", "future", "other"
# "I am going to bed" goes somewhere, "I am going to sleep" will do something.
_PLACES = frozenset(
    "bed school church college university prison jail hospital town court market heaven hell class lunch dinner war".split()
)
_ASKED = frozenset("you i we someone somebody anyone anybody y'all".split())  # of "could you ...?"
_THEN = frozenset("yesterday last ago then earlier".split())
_OFTEN = frozenset("always usually often sometimes every rarely generally normally".split())


def judge(s: Words, found: Found) -> tuple[str, str]:
    """Tense and reason of the clause."""
    j = found.verb
    w, flags, word = s.w, s.f[j], s.w[j]
    if word == "'d":
        word = _had_or_would(s, j)
        flags = HAVE if word in ("had", "had better") else MODAL if word == "would" else DO
    if flags & MODAL and not flags & BE:
        return _modal(s, j, word, found.inverted)
    if flags & BE or word == "'s":
        if _going_to(s, j, found.inverted) is not None:
            return (PAST, "was going to") if word in ("was", "were") else (FUTURE, "going to")
        return (PAST, "past form") if word in ("was", "were") else (PRESENT, "present form")
    if flags & HAVE:
        if word == "had better" or word == "had" and w[s.skip(j + 1)] == "better" and s.f[j + 2] & VB:
            return PRESENT, "had better"
        return (PAST, "past form") if word == "had" else (PRESENT, "present form")
    if flags & DO:
        return (PAST, "past form") if word == "did" else (PRESENT, "present form")
    if word == "gon" and w[j + 1] == "na":
        return FUTURE, "gonna"
    if word == "got" and w[j + 1] == "ta":
        return PRESENT, "gotta"
    if flags & EQUAL:
        return _equal(s, j, word)
    return (PAST, "past form") if flags & VBD else (PRESENT, "present form")


def _modal(s: Words, j: int, word: str, inverted: bool) -> tuple[str, str]:
    if word in ("will", "shall", "wo", "'ll", "wil"):
        return FUTURE, "will"
    if _have_done(s, j):
        return PAST, "modal and perfect"
    if word == "would":
        return OTHER, "would: a condition or a wish"
    if word != "could":
        return PRESENT, "modal of the present"
    if "if" in s.w[:j] and any(flags & COMMA for flags in s.f[s.w.index("if") : j]):
        return OTHER, "could: a condition"
    asked = inverted and s.w[s.skip(j + 1)] in _ASKED and not any(flags & WH for flags in s.f[max(j - 4, 0) : j])
    return (PRESENT, "could in a request") if asked else (PAST, "past of can")


def _equal(s: Words, j: int, word: str) -> tuple[str, str]:
    """ "He put" has no -s, so it is the past; of "I put" a sign of time decides, or what is usual for the verb."""
    if s.number.get(j) == SINGULAR:
        return PAST, "no -s after a singular"
    words = set(s.w)
    if words & _THEN:
        return PAST, "a time that is past"
    if words & _OFTEN or word in lx.PRESENT_FIRST:
        return PRESENT, "present form"
    return PAST, "past form"


def _had_or_would(s: Words, j: int) -> str:
    k = s.skip(j + 1)
    if s.w[j + 1] == "better" or s.w[k] == "better":
        return "had better"
    if j and s.f[j - 1] & WH and s.f[j + 1] & (SUBJ | PRON | DET):
        return "did"
    after = s.f[k]
    return "had" if s.w[k] == "been" or after & VBN and not after & VB else "would"


def _have_done(s: Words, j: int) -> bool:
    """ "could have gone", "must he have known", "shouldn't've said", "could of been"."""
    f, w = s.f, s.w
    for k in range(j + 1, min(j + 6, len(s.tokens))):
        if f[k] & (END | COMMA | TO):
            return False
        if w[k] in ("have", "'ve") or w[k] == "of" and k <= j + 2:
            after = s.skip(k + 1)
            if f[after] & VBN or w[after] in ("been", "had"):
                return True
    return False


def _going_to(s: Words, j: int, inverted: bool) -> int | None:
    """The index of "going", "gon" or "about" in "is (not) going to do", or None."""
    f, w = s.f, s.w
    allowed = ADV | NEG | (SUBJ | PRON | DET | NOUN | ADJ | OBJ if inverted else 0)
    k = j + 1
    while w[k] not in ("going", "gon", "about", "goin"):
        if not f[k] & allowed or f[k] & END or k > j + 8:
            return None
        k += 1
    if w[k] == "gon":
        return k if w[k + 1] == "na" else None
    if not f[k + 1] & TO:
        return None
    verb = s.skip(k + 2)
    if w[k] == "about":
        return k if f[verb] & VB or w[verb] == "be" else None
    if f[verb] & END:
        return k
    weak = f[verb] & WEAK and f[verb + 1] & (DET | OBJ | END | COMMA | PREP | ADV | SUBJ | PRON)
    if (
        not (f[verb] & (VB | HAVE | DO) or weak)
        and w[verb] != "be"
        or w[verb] in _PLACES
        and not f[verb + 1] & (DET | OBJ)
    ):
        return None
    if w[verb] == "work":
        things = j and s.w[j - 1] in ("it", "this", "that", "things", "nothing", "which")
        return k if things or f[verb + 1] & (PREP | ADJ) and w[verb + 1] not in ("by", "at", "in") else None
    return k


def group(s: Words, found: Found) -> tuple[int, list[int]]:
    """The index of the verb that carries the meaning, and those of the auxiliaries before it."""
    f, w, j = s.f, s.w, found.verb
    group, k = [j], j + 1
    if not f[j] & AUXILIARY:
        if w[j] in ("used", "got", "wan", "gon"):
            n = s.skip(j + 2)
            if (f[j + 1] & TO and w[j] == "used" or w[j + 1] in ("ta", "na")) and f[n] & VB or w[n] == "be":
                return n, [j, j + 1]
        return j, []
    kind = f[j] if w[j] != "'d" else (HAVE if _had_or_would(s, j) == "had" else MODAL)
    if found.inverted:
        k = _past_subject(s, j, kind)
    while True:
        k = s.skip(k)
        word, flags = w[k], f[k]
        to = _going_to(s, group[-1], found.inverted) if kind & BE else None
        if to is not None:
            group += [to, to + 1]
            k, kind = to + 2, DO
        elif kind & TO or flags & TO and kind & MODAL and w[group[-1]] == "ought":
            group.append(k)
            k, kind = k + 1, DO
        elif kind & (DO | MODAL) and (flags & VB or word == "be" or flags & (WEAK | HAVE | DO)):
            group.append(k)
            kind = BE if word == "be" else HAVE if word == "have" else 0
            k += 1
        elif kind & HAVE and (flags & VBN or word in ("been", "had", "done")):
            group.append(k)
            kind = BE if word == "been" else 0
            k += 1
        elif kind & BE and (word == "being" or flags & (VBG | VBN) and (not flags & ADJ or w[k + 1] == "by")):
            group.append(k)
            kind = BE if word == "being" else 0
            k += 1
        else:
            break
        if not kind:
            break
    return group[-1], group[:-1]


def _past_subject(s: Words, j: int, kind: int) -> int:
    """Where the rest of a verb goes on after "Did your brother ...": the first word that fits behind a noun."""
    f, w = s.f, s.w
    k = s.skip(j + 1)
    if f[k] & SUBJ or w[k] in ("you", "it", "there"):
        return k + 1
    start = k
    wanted = VB if kind & (DO | MODAL) else VBN | VBG
    while not f[k] & (END | COMMA):
        if (
            k > start
            and (f[k] & wanted or w[k] in ("be", "have", "been"))
            and not f[k - 1] & (DET | ADJ | PREP)
            or f[k] & ADV
            and k > start
        ):
            return k
        k += 1
    return start
