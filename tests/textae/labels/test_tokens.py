"""Tokens: contractions in every spelling, and places that point back into the sentence."""

import pytest

from textae.labels.tokens import tokenize

CASES = {
    "I don't know.": "i do n't know .",
    "i do n't know .": "i do n't know .",
    "dont CANNOT won't": "do n't can not wo n't",
    "She'd say it’s Tom's.": "she 'd say it 's tom 's .",
    "gonna wanna gotta": "gon na wan na got ta",
    "it's five o'clock": "it 's five o'clock",
    "its a shame its tail": "it 's a shame its tail",
    "ill be back , i feel ill": "i 'll be back , i feel ill",
    "lets go , he lets me": "let 's go , he lets me",
    "At 7:30, $2.50 for ice-cream": "at 7:30 , $ 2.50 for ice-cream",
    "_num_ stars ...": "_num_ stars . . .",
    "''": "''",
    "": "",
}


@pytest.mark.parametrize("sentence", CASES)
def test_words(sentence):
    assert " ".join(token.word for token in tokenize(sentence)) == CASES[sentence]


@pytest.mark.parametrize("sentence", [*CASES, "İstanbul isn't İ n't", "a\tb\u2028c", "ＡＢ’s"])
def test_places_are_in_order_and_cover_all_but_blanks(sentence):
    tokens = tokenize(sentence)
    ends = [0, *(token.end for token in tokens)]
    starts = [*(token.start for token in tokens), len(sentence)]
    assert all(not sentence[end:start].strip() for end, start in zip(ends, starts, strict=True))
    assert all(token.start < token.end for token in tokens)


def test_capitals():
    assert [token.capital for token in tokenize("Anna's dog isn't Ben's")] == [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
    ]
