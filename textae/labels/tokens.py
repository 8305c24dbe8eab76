"""Words of a sentence with their places in it, contractions taken apart: the same for "I don't" and "i do n't".

No grammar here: see `tense`. Places are character offsets into the sentence as it was given.
"""

import re
from typing import NamedTuple


class Token(NamedTuple):
    """A word, or a part of a contraction.

    Attributes:
        word: Lower-cased, with straight apostrophes, in its tokenized spelling: `n't`, `'ll`.
        start, end: `sentence[start:end]` is the token as it was written.
        capital: Whether it begins with a capital letter.
    """

    word: str
    start: int
    end: int
    capital: bool


# "isn't" is "is" and "n't"; "can't" is "ca" and "n't", as in the Penn Treebank; "she'd" is "she" and "'d".
_PATTERN = re.compile(
    r"\w+?(?=n't\b)|n't\b|\w+?(?='(?:s|m|re|ve|ll|d)\b)|'(?:s|m|re|ve|ll|d)\b|\d+(?:[:.,]\d+)+"
    r"|\w+(?:['-]\w+)*|``|''|[^\w\s]",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"\d+(?:[:.,]\d+)+|\w+(?:-\w+)*|``|[^\w\s]"
)  # the same where there is no apostrophe, in half the time

# Contractions without their apostrophe, and some that never had one: the parts, and where the first ends.
SOLID = {
    **{f"{verb}nt": ((verb, len(verb)), "n't") for verb in "do did does is was are were have has had could would should ai".split()},
    **{"cant": (("ca", 2), "n't"), "wont": (("wo", 2), "n't"), "cannot": (("can", 3), "not"), "donot": (("do", 2), "not")},
    **{"im": (("i", 1), "'m"), "ive": (("i", 1), "'ve"), "youre": (("you", 3), "'re"), "youll": (("you", 3), "'ll")},
    **{"youve": (("you", 3), "'ve"), "theyre": (("they", 4), "'re"), "theyll": (("they", 4), "'ll")},
    **{"theyve": (("they", 4), "'ve"), "weve": (("we", 2), "'ve"), "hes": (("he", 2), "'s"), "shes": (("she", 3), "'s")},
    **{"thats": (("that", 4), "'s"), "whats": (("what", 4), "'s"), "theres": (("there", 5), "'s")},
    **{"lets": (("let", 3), "'s"), "gonna": (("gon", 3), "na"), "gotta": (("got", 3), "ta"), "wanna": (("wan", 3), "na")},
}  # fmt: skip
# "its" and "ill" are words of their own; before these they are a contraction ("its a shame", "ill be back").
_AFTER_ITS = frozenset("a an the not so very just really always been my".split())
_AFTER_ILL = frozenset("be never definitely go come give take try have see stick probably always".split())


def tokenize(sentence: str) -> list[Token]:
    """The tokens of a sentence, cased or lower-cased, with or without blanks around its punctuation."""
    text = sentence.replace("’", "'").replace("‘", "'") if not sentence.isascii() else sentence
    pattern = _PATTERN if "'" in text else _PLAIN
    lower = text.lower()
    if len(lower) != len(text):  # "İ" is one letter, and two when lower-cased
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    tokens = []
    for match in pattern.finditer(lower):
        word, (start, end) = match.group(), match.span()
        capital = text[start].isupper()
        if word in SOLID and not (word == "lets" and tokens):
            (first, length), second = SOLID[word]
            tokens.append(Token(first, start, start + length, capital))
            tokens.append(Token(second, start + length, end, False))
        else:
            tokens.append(Token(word, start, end, capital))
    if "its" in lower or "ill" in lower:
        tokens = _open_up(tokens)
    return tokens


def _open_up(tokens: list[Token]) -> list[Token]:
    """ "its a", "ill be" as "it 's a", "i 'll be"."""
    out = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        word, start, end, capital = token
        follows = after.word if after else ""
        if word == "its" and follows in _AFTER_ITS:
            out += [Token("it", start, start + 2, capital), Token("'s", start + 2, end, False)]
        elif word == "ill" and follows in _AFTER_ILL:
            out += [Token("i", start, start + 1, capital), Token("'ll", start + 1, end, False)]
        else:
            out.append(token)
    return out
