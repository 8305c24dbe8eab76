"""A sentence as a row of words that may each be several things, and the questions that need no grammar to answer.

Which of the things a word is comes out in `subjects`; what a verb says in `verbs`; which clause decides in `grammar`.
"""

from typing import NamedTuple

from textae.labels import lexicon as lx
from textae.labels.lexicon import (
    ADJ,
    ADV,
    AUXILIARY,
    BE,
    CLOSE,
    COMMA,
    CONJ,
    DET,
    DO,
    END,
    HAVE,
    INTJ,
    MODAL,
    NAME,
    NEG,
    NOUN,
    OBJ,
    OPEN,
    PLURAL,
    PREP,
    PRON,
    PROPER,
    QUOTE,
    SUB,
    SUBJ,
    THIRD,
    TIME,
    TO,
    VBD,
    VBG,
    VBN,
    VBZ,
    VERB,
    WH,
)
from textae.labels.tokens import tokenize

NONE, SINGULAR, MANY = 0, 1, 2  # of a subject: none yet, third person singular, anything else
STATEMENT, SUBORDINATE, COMMAND = "statement", "subordinate", "command"
LONGEST = 150  # tokens that are read: a main clause does not begin later, and clauses inside clauses have an end


class Found(NamedTuple):
    """A clause: where its finite verb is (-1: none), where reading goes on, what it is."""

    verb: int
    after: int
    kind: str = STATEMENT
    inverted: bool = False  # the subject comes after the verb


class Words:
    """Words `w` and what each can be, `f` (flags of `lexicon`); both end with marks that stop every loop.

    Attributes:
        tokens: With their places in the sentence.
        number: SINGULAR or MANY, of the subject of the verb at an index, where one was seen.
        first: Where reading began.
    """

    def __init__(self, sentence: str):
        self.tokens = tokens = tokenize(sentence)[:LONGEST]
        self.w = [token.word for token in tokens]
        self.f = f = [lx.kinds(word) for word in self.w]
        self.number: dict[int, int] = {}  # of the subject of a verb
        self.first = 0
        if not sentence.isupper():
            for i, token in enumerate(tokens):
                if token.capital:
                    self._name(i)
        self.w += ["", "", ""]
        f += [END, END, END]

    def _name(self, i: int) -> None:
        """A capital inside a sentence makes a name of a word, and at its beginning of one that is often a name."""
        f, flags = self.f, self.f[i]
        first = i == 0 or f[i - 1] & (END | QUOTE | OPEN)
        if flags & (lx.FUNCTION & ~MODAL) or flags & (TIME | INTJ):
            return
        follows = f[i + 1] if i + 1 < len(f) else END
        if flags & NAME and first:  # "Mark went", "Will is", "Grace and ..."; not "Mark it", "Will she"
            named = follows & (AUXILIARY | VBD | VBZ | CONJ) and not (follows & NOUN and flags & MODAL)
        else:
            named = not first and (not flags & MODAL or flags & NAME)
        if named:
            f[i] = NOUN | PROPER | (PLURAL if self.w[i].endswith("ans") else 0)

    def outside_quotes(self) -> tuple[int, int]:
        """Of `"I am tired," she said.` the words after the quotation; else everything."""
        n = len(self.tokens)
        if n and self.f[0] & QUOTE:
            closing = next((i for i in range(1, n) if self.f[i] & QUOTE), n)
            if any(flags & VERB or flags & AUXILIARY for flags in self.f[closing:n]):
                return closing + 1, n
        return 0, n

    def skip(self, k: int) -> int:
        """Past adverbs and "not"."""
        f = self.f
        while f[k] & (ADV | NEG) and not f[k] & (VERB | DET | PRON | NOUN) and not f[k] & END:
            k += 1
        return k

    def boundary(self, k: int) -> int:
        """Where the clause around `k` ends."""
        f = self.f
        k = max(k, 0)
        while not f[k] & (END | COMMA | CLOSE) and not (f[k] & CONJ and self.w[k] in ("but", "so")):
            k += 1
        return k

    def close(self, k: int) -> int:
        """Behind a bracket that opens at `k`."""
        end = next((i for i in range(k, len(self.tokens)) if self.f[i] & CLOSE), k)
        return end + 1

    def asked(self, j: int) -> bool:
        """Whether a question mark ends this part of the sentence."""
        k = j
        while not self.f[k] & END:
            k += 1
        return self.w[k] == "?"

    def temporal(self, k: int) -> bool:
        """Whether the noun at `k` says when, so that a subject can follow it: "last week we ...", "this time i ..."."""
        if self.w[k] == "time":
            return self.w[k - 1] in ("this", "last") and k > 0
        return bool(self.f[k] & TIME) and not (k > 0 and self.w[k - 1] == "the")

    def possessive(self, j: int) -> bool:
        """Whether 's marks an owner ("Tom's car") and is no verb ("Tom's here")."""
        f, before, after = self.f, self.f[j - 1], self.f[j + 1]
        if (
            before & (SUBJ | WH | ADV)
            or before & PRON
            and not before & THIRD
            or self.w[j - 1] in ("it", "that", "this", "there", "let")
        ):
            return False
        if after & (END | COMMA) or after & (BE | DO | HAVE) and not after & VBN:
            return True
        if (
            after & (DET | PREP | NEG | SUBJ | PRON | OBJ | TO | ADV | SUB)
            and not after & (ADJ | NOUN)
            or after & (VBG | VBN)
            and not after & (ADJ | NOUN)
        ):
            return False
        if self.finite_ahead(j):
            return True
        if after & (ADJ | ADV) and f[j + 2] & (END | COMMA | PREP | CONJ | SUB | TO | ADV | DET) and not after & PROPER:
            return False
        return not after & VBG

    def finite_ahead(self, j: int) -> bool:
        """Whether a certain finite verb follows before this clause ends or another subject begins."""
        f, k = self.f, j + 1
        while not f[k] & (END | COMMA | SUB | WH | SUBJ | CLOSE) or f[k] & PREP:
            flags = f[k]
            if flags & AUXILIARY and not flags & PROPER and not f[k - 1] & (DET | TO) and self.w[k] not in ("'s", "'d"):
                return True
            if flags & (VBD | VBZ) and not flags & (VBN | NOUN | ADJ | PROPER):
                return True
            if flags & CONJ and f[k + 1] & (SUBJ | VERB) or self.w[k] in ("it", "you", "but"):
                return False
            k += 1
        return False
