"""Words of documents and the vocabulary."""

import pytest

from textae.topics.vocabulary import ENGLISH, build_vocabulary, words


def test_words_are_letters_and_marks_are_none():
    assert words("The O’Neill-type café _num_ <unk> n't 3rd b2b U.S. naïve") == ["the", "neill-type", "café", "naïve"]
    assert words("don't don’t well-known") == ["don't", "don't", "well-known"]


DOCUMENTS = [["the", "cat", "sat"], ["the", "cat", "ran", "ran", "ran"], ["the", "dog", "ran"], ["the", "bird", "sat"]]


def test_frequent_enough_and_not_too_frequent():
    assert build_vocabulary(DOCUMENTS, min_df=2, max_df=1.0, stop_words="none") == ["ran", "the", "cat", "sat"]
    assert build_vocabulary(DOCUMENTS, min_df=2, max_df=0.75, stop_words="none") == ["ran", "cat", "sat"]
    assert build_vocabulary(DOCUMENTS, min_df=1, max_df=1.0, size=3) == ["ran", "cat", "sat"], "the is a stop word, and size cuts"


def test_stop_words_can_occur():
    assert all(words(word) == [word] for word in ENGLISH if len(word) > 1), "a stop word that is never cut out stops nothing"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "vocabulary.size is 1"),
        ({"min_df": 0}, "vocabulary.min_df is 0"),
        ({"min_df": 2.5}, "whole number"),
        ({"max_df": 0}, "share of the documents"),
        ({"max_df": 1.5}, "share of the documents"),
        ({"stop_words": "german"}, "none, english"),
        ({"min_df": 50}, "lower vocabulary.min_df"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_vocabulary(DOCUMENTS, **options)
    with pytest.raises(ValueError, match="no document"):
        build_vocabulary([])
