"""Content words of sentences: what counts, what does not, and how much two sentences share."""

import pytest

from textae.content import STOP_WORDS, content_f1, content_words


def test_function_words_and_punctuation_are_no_content():
    assert content_words("I could n't have been more than happy with the old ferry , really .") == [
        "more",
        "happy",
        "old",
        "ferry",
        "really",
    ]
    assert content_words("He’s never there; they'd been in 3 cafés.") == ["3", "cafés"]
    assert content_words("Wasn't it?") == []
    assert "not" in STOP_WORDS and all(word == word.lower() for word in STOP_WORDS)


@pytest.mark.parametrize(
    ("source", "edit", "expected"),
    [
        ("the boat drifts", "The boat drifts!", 1.0),
        ("the boat drifts", "the boat", 2 / 3),
        ("boat boat", "boat", 2 / 3),
        ("the boat", "the river", 0.0),
        ("the boat", "it is not", 0.0),
        ("it is", "it was not", 1.0),
    ],
)
def test_f1_of_bags_by_hand(source, edit, expected):
    assert content_f1(source, edit) == pytest.approx(expected)
    assert content_f1(edit, source) == pytest.approx(expected)


def test_words_that_carry_the_attribute_may_be_left_out():
    assert content_f1("a lovely boat", "an awful boat") == 0.5
    assert content_f1("a lovely boat", "an awful boat", excluded={"lovely", "awful"}) == 1.0
