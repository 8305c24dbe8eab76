"""Weak sentiment: clear words get a label, the band between the bounds does not."""

import gzip

import pytest

from textae.labels.sentiment import HIGH, LOW, sentiment, sentiments

CLEAR = {
    "I love this wonderful garden!": "positive",
    "the staff is friendly and the food is amazing .": "positive",
    "What a horrible, ugly mess.": "negative",
    "the worst service , i hate it .": "negative",
}


@pytest.mark.parametrize("sentence", CLEAR)
def test_clear_words(sentence):
    assert sentiment(sentence) == CLEAR[sentence]


def test_abstains_without_words_of_feeling():
    assert sentiments(["The bus is blue.", "we ordered two soups .", ""]) == [None, None, None]


def test_bounds_are_inclusive_and_move_the_labels():
    sentence = "It was an okay day."
    score = 0.2263  # of "okay", the only word of the lexicon
    assert sentiment(sentence, -0.5, score) == "positive" and sentiment(sentence, -0.5, score + 1e-3) is None
    assert sentiment(sentence, score, 0.9) == "negative" and sentiment(sentence) is None


@pytest.mark.parametrize("low, high", [(0.4, -0.1), (0.2, 0.2), (-2, 0.4), (-0.1, 1.5), (float("nan"), 0.4)])
def test_bounds_that_cannot_be(low, high):
    with pytest.raises(ValueError, match="-1 <= low < high <= 1"):
        sentiment("fine", low, high)


@pytest.mark.data
def test_precision_on_reviews(data_folder):
    """The figures of the docstring."""
    found = {}
    for ending in ("neg", "pos"):
        with gzip.open(data_folder / "yelp" / f"valid.{ending}.txt.gz", "rt", encoding="utf-8") as file:
            found[ending] = sentiments(map(str.rstrip, file))
    count = {(side, value): found[side].count(value) for side in found for value in ("negative", "positive")}
    negative, positive = (sum(count[side, value] for side in found) for value in ("negative", "positive"))
    assert count["neg", "negative"] / negative == pytest.approx(0.98, abs=0.005)
    assert count["pos", "positive"] / positive == pytest.approx(0.905, abs=0.005)
    assert (negative + positive) / 4000 == pytest.approx(0.67, abs=0.005) and (LOW, HIGH) == (-0.1, 0.4)
