"""Subjects and their verbs: reads a clause from left to right and says at which word its finite verb stands."""

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
    MODAL,
    NEG,
    NOUN,
    OBJ,
    OPEN,
    PLURAL,
    PREP,
    PRON,
    PROPER,
    QUOTE,
    SAYING,
    STATIVE,
    SUB,
    SUBJ,
    THIRD,
    TO,
    VB,
    VBD,
    VBG,
    VBN,
    VBZ,
    VERB,
    WEAK,
    WH,
)
from textae.labels.verbs import group
from textae.labels.words import MANY, NONE, SINGULAR, Found, Words

_OWN_CLAUSE = SUBJ | PRON | DET | NOUN | ADJ  # what a clause can begin with after a verb of saying
_FREQUENCY = frozenset("never always often usually rarely seldom sometimes also hardly".split())


def scan(s: Words, i: int, head: int = NONE) -> tuple[int, int, bool]:
    """The first finite verb that has a subject before it, from `i` to the end of the clause.

    Returns:
        Its index or -1, where the clause ends, and whether that verb belongs to a clause inside the subject.
    """
    f, w = s.f, s.w
    outer = False  # a second subject began right after a noun: "the food | we had ..."
    aside = False  # inside a phrase that is not the subject's head: "the people | in this town ..."
    prev, j = (SUBJ if head else 0), i
    while True:
        flags = f[j]
        if flags & (END | COMMA | CLOSE):
            return -1, j, False
        if flags & (QUOTE | OPEN):
            j = j + 1 if flags & QUOTE else s.close(j)
            continue
        if flags & CONJ and not (w[j] in ("so", "yet") and f[j + 1] & (ADJ | ADV)):
            if w[j] in ("but", "so", "yet") and j > i:
                return -1, j, False
            head, aside, prev = (MANY if head else NONE), False, CONJ
        elif flags & MODAL and prev & DET and w[j] in ("will", "can", "must", "might", "may"):
            head, prev = SINGULAR, NOUN
        elif w[j] == "gon" and w[j + 1] == "na":
            return _accept(s, j, outer, head)
        elif flags & AUXILIARY and not flags & PROPER:
            if w[j] == "'s" and s.possessive(j):
                prev = DET
            else:
                return _accept(s, j, outer, head)
        elif (
            flags & WH
            or flags & SUB
            and (not flags & PREP or f[j + 1] & (SUBJ | PRON) and w[j] != "like")
            and not (w[j] == "that" and (prev & (PREP | CONJ) or not prev))
        ):
            if prev & VBG and flags & WH:  # "knowing how good it is, ..."
                verb, after, _ = scan(s, j + 1)
                return verb, s.boundary(max(verb, after)), True
            if (
                not (head and prev & (NOUN | PRON | PREP | ADJ | ADV))
                or flags & SUB
                and w[j] not in ("that", "when", "whether")
            ):
                if w[j] == "that" and not head:
                    head, prev = SINGULAR, DET if f[j + 1] & (NOUN | ADJ) else PRON
                    j += 1
                    continue
                return -1, j, False
            verb, after, _ = scan(s, j + 1, head)
            if verb < 0:
                return -1, after, False
            later = second(s, verb)
            return (later, after, False) if later >= 0 else (verb, s.boundary(verb), True)
        elif flags & SUBJ or w[j] in ("you", "it") and not prev & (PREP | VBG):
            if head and prev & (NOUN | PRON) and not prev & CONJ:
                outer = not s.temporal(j - 1)
            head = MANY if prev & CONJ or not flags & THIRD else SINGULAR
            prev, aside = SUBJ, False
        elif flags & TO:
            k = s.skip(j + 1)
            if f[k] & VB and not f[j + 1] & DET:
                while w[k] in ("be", "have", "been") and (f[k + 1] & VBN or w[k + 1] == "been"):
                    k += 1  # "to be seen"
                j, prev, aside = k, ADV, bool(head)
                head = head or SINGULAR
            else:
                prev, aside = PREP, True
        elif w[j] == "said" and (w[j - 1] == "being" or w[j - 1] == "that" and f[j + 1] & COMMA):
            prev = ADJ  # "that said, ..."
        elif prev & (SUBJ | PRON) and flags & (VBD | VBZ | VB | WEAK) and not _noun_after_pronoun(s, j, prev):
            return _accept(s, j, outer, head)
        elif w[j] == "like" and head == MANY and (not aside or f[j + 1] & DET) and not s.finite_ahead(j):
            return _accept(s, j, outer, head)
        elif w[j] in ("kind", "sort") and w[j + 1] == "of" and prev & (SUBJ | PRON):
            j += 1
        elif flags & PREP:
            prev, aside = PREP, True
        elif w[j] in ("all", "both", "each") and prev & (SUBJ | NOUN) or w[j] == "longer" and w[j - 1] == "no":
            prev = prev & (SUBJ | NOUN) or PRON
        elif w[j] == "no" and w[j + 1] == "longer":
            prev = prev & (SUBJ | NOUN | PRON)
        elif flags & PRON and not (flags & DET and _determines(s, j)) and not (w[j] == "there" and prev):
            if not (aside and head):
                head, aside = (SINGULAR if flags & THIRD else MANY), False
            prev = PRON
        elif flags & DET:
            if prev & (NOUN | PRON) and not prev & (DET | CONJ):
                outer = outer or bool(head) and not aside and not s.temporal(j - 1)
                head, aside = NONE, False
            prev = DET
        elif flags & OBJ:
            prev = NOUN
        elif flags & (NEG | ADV) and not flags & (NOUN | VERB | ADJ):
            prev = prev & (SUBJ | PRON) or (prev if prev & (NOUN | DET) else ADV)
        else:
            role = _role(s, j, prev, head)
            if role == VERB:
                return _accept(s, j, outer, head)
            if role == NOUN:
                if not (aside and head):
                    head = MANY if f[j] & PLURAL or head == MANY and prev & CONJ else SINGULAR
                    if aside and not f[j + 1] & NOUN:
                        head = NONE  # "in the morning | he ...": not a subject
                prev = NOUN
            elif role == VBG:
                prev, aside = VBG, bool(head)
                head = head or SINGULAR
            else:
                prev = ADJ
        j += 1


def _role(s: Words, j: int, prev: int, head: int) -> int:
    """What an open-class word is at this place: VERB (finite), NOUN, ADJ, or VBG for participles behind a noun."""
    flags, after = s.f[j], s.f[j + 1]
    if flags & PROPER:
        return NOUN
    if head and _takes_over(s, j, prev, head):
        return VERB
    if prev & DET or prev & (ADJ | PREP) and flags & (NOUN | ADJ) and (not flags & VBD or flags & VBN):
        return NOUN if flags & NOUN and not (flags & ADJ and after & NOUN) else ADJ
    if flags & VBD:
        return _role_of_past(s, j, prev, head)
    if flags & VBZ:
        noun = flags & NOUN and (head == MANY or not prev or s.finite_ahead(j))
        return NOUN if noun else VERB
    if flags & VB and not flags & (NOUN | ADJ):
        return VERB if head and not s.finite_ahead(j) else ADJ
    if flags & VB:
        takes_object = prev & NOUN and head and _object_follows(s, j)  # "my family love it"
        if (head == MANY or takes_object) and not prev & CONJ and not s.finite_ahead(j):
            return VERB
        return NOUN if flags & NOUN else ADJ
    if flags & (VBG | VBN) and not flags & ADJ and (head or not flags & NOUN):
        return VBG
    return ADJ if flags & ADJ and (not flags & NOUN or after & NOUN) else NOUN


def _takes_over(s: Words, j: int, prev: int, head: int) -> bool:
    """Whether a word that is a noun by its looks must be a verb: "Tom texts me", "the shop never stocks bread"."""
    flags, after = s.f[j], s.f[j + 1]
    if flags & (WEAK | VBZ) and not flags & ADJ and s.w[j - 1] in _FREQUENCY:
        return not s.finite_ahead(j)
    before_object = prev & (NOUN | ADV) and flags & (VBZ | WEAK) and after & (DET | OBJ) and s.w[j + 1] != "that"
    before_pronoun = flags & PLURAL and prev & (NOUN | ADJ) and head == SINGULAR and after & OBJ and s.w[j + 1] != "her"
    return bool(before_object or before_pronoun) and not s.finite_ahead(j)


def _object_follows(s: Words, j: int) -> bool:
    if s.w[j + 1] in ("you", "it"):
        return not s.f[j + 2] & (AUXILIARY | VBD)
    return bool(s.f[j + 1] & (DET | OBJ | TO)) and s.w[j + 1] != "that"


def _role_of_past(s: Words, j: int, prev: int, head: int) -> int:
    """Of "walked", "put", "sat": the past, or a participle, or an adjective."""
    flags, after = s.f[j], s.f[j + 1]
    if flags & EQUAL and prev and not head:
        return ADJ
    if not flags & VBN or flags & EQUAL:
        return NOUN if flags & NOUN and (not prev or s.finite_ahead(j)) else VERB
    if not head and not prev & (NOUN | PREP) or prev & ADJ and lx.is_participial(s.w[j]):
        return ADJ
    before_noun = after & (NOUN | ADJ) and not after & (DET | PRON | ADV | PREP)
    if before_noun and (prev & (ADJ | PREP) or not flags & SAYING and s.finite_ahead(j)):
        return ADJ  # "with fried egg", "the stir fried beans are"
    return VBG if _reduced(s, j) else VERB


def _accept(s: Words, j: int, outer: bool, head: int) -> tuple[int, int, bool]:
    s.number[j] = head
    if not outer:
        return j, j + 1, False
    later = second(s, j)
    return (later, later + 1, False) if later >= 0 else (j, s.boundary(j), True)


def _determines(s: Words, j: int) -> bool:
    """Whether "this", "all", "some", ... at `j` has a noun of its own."""
    after, word = s.f[j + 1], s.w[j]
    if (
        word in ("one", "another", "each", "neither", "either")
        and after & VBZ
        or word == "one"
        and j
        and s.w[j - 1] == "no"
    ):
        return False
    if (
        word in ("this", "that")
        and after & (VBZ | VBD)
        and (after & PLURAL or not after & (NOUN | ADJ) or s.f[j + 2] & (OBJ | DET))
    ):
        return False
    return bool(after & (DET | NOUN | ADJ)) and not (after & (VBD | VBZ) and not after & NOUN)


def _noun_after_pronoun(s: Words, j: int, prev: int) -> bool:
    """ "you guys are", "nothing special happened", "this drinks menu": a noun or adjective after all."""
    flags = s.f[j]
    if prev & SUBJ:
        return (
            bool(flags & (NOUN | ADJ))
            and not flags & (VBD | STATIVE)
            and s.f[j + 1] & (AUXILIARY | VBD) > 0
            and not s.f[j + 1] & (NOUN | VBN)
        )
    return bool(flags & (NOUN | ADJ | WEAK)) and (s.finite_ahead(j) or bool(flags & WEAK))


def _reduced(s: Words, j: int) -> bool:
    """Whether a form such as "served" only describes the noun before it: "the food served here is ..."."""
    after = s.f[j + 1]
    if s.f[j - 1] & (PROPER | SUBJ | PRON) or not after & (PREP | ADV | TO | PROPER | VERB | AUXILIARY):
        return False
    return s.finite_ahead(j)


def second(s: Words, j: int, fresh: bool = False) -> int:
    """The next finite verb of the same clause that is not one of a clause inside it; -1 if there is none.

    Args:
        fresh: A new subject begins the clause looked for ("When I was young I lived ..."), not one inside.
    """
    f, w = s.f, s.w
    last, _ = group(s, Found(j, j + 1))
    k = max(last, j) + 1
    nested = bool(f[last] & SAYING and f[k] & _OWN_CLAUSE and not f[k] & OBJ)
    while not f[k] & (END | COMMA | CLOSE):
        flags, prev = f[k], f[k - 1]
        if flags & CONJ:
            if w[k] in ("but", "so") and not f[k + 1] & (ADJ | ADV):
                return -1
            n = s.skip(k + 1)
            if f[n] & (VERB | AUXILIARY) and not f[n] & NOUN:
                k = n + 1
                continue
            nested = nested or bool(f[n] & SUBJ)
        elif (
            flags & (SUB | WH)
            and not (flags & PREP and not f[k + 1] & (SUBJ | PRON))
            and not (w[k] == "that" and prev & PREP)
        ):
            nested = True
        elif flags & SUBJ and not prev & (CONJ | PREP):
            if fresh and not nested:
                return scan(s, k)[0]
            nested = True
        elif flags & TO and f[s.skip(k + 1)] & VB:
            k = s.skip(k + 1)
        elif _finite(s, k, last, fresh):
            if not nested:
                return k
            nested = False
            last, _ = group(s, Found(k, k + 1))
            k = max(k, last)
        k += 1
    return -1


def _finite(s: Words, k: int, last: int, fresh: bool) -> bool:
    """Whether the word at `k`, some way behind the verb that ends at `last`, is finite in all likelihood."""
    flags, before, after = s.f[k], s.f[k - 1], s.f[k + 1]
    if flags & AUXILIARY:
        return not before & DET and not (s.w[k] == "'s" and s.possessive(k))
    if not flags & (VBD | VBZ) or flags & PROPER or before & (DET | ADJ | PREP | TO):
        return False
    if flags & VBN and (flags & ADJ or fresh or before & ADV and s.finite_ahead(k)):
        return False
    # "who lives here drives", "who sold the tickets works at ...", but "who sells phone calls"
    return not flags & NOUN or bool(before & ADV) or k == last + 1 or bool(after & (PREP | DET | TO | OBJ))
