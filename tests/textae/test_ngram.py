"""The counting language model: a proper distribution, checked by hand and against its definition."""

import gzip
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from textae.ngram import UNK, TrigramLM, discounts, vocabulary_of, words

TEXT = [
    "the old boat drifts past the harbor .",
    "the old man mends the boat .",
    "a gull watches the old man .",
    "the harbor is quiet at night .",
    "a quiet night , a quiet boat !",
    "the gull is old .",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know.", ["I", "don't", "know", "."]),
        ("the dogs’ owner isn’t in", ["the", "dogs", "’", "owner", "isn’t", "in"]),
        ("well-made, 10,000 of 'em, 1st", ["well", "-", "made", ",", "10,000", "of", "'", "em", ",", "1st"]),
        ("Größe naïve cafe\u0301", ["Größe", "naïve", "caf\u00e9"]),
        ("a <unk> of _num_ %", ["a", UNK, "of", "_num_", "%"]),
        ("  ", []),
    ],
)
def test_words_keep_contractions_and_separate_punctuation(text, expected):
    assert words(text) == expected


def test_words_fold_case_on_request():
    assert words("No WAY", lowercase=True) == ["no", "way"]


def test_vocabulary_counts_and_leaves_the_unknown_word_out():
    assert vocabulary_of(["b a <unk>", "a <unk> c", "b"], min_count=2) == ["a", "b"]


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("start", ["", "the", "the old", "zebra quagga", "the zebra", ". .", "unseen", "boat the"])
def test_probabilities_sum_to_one(order, start):
    vocabulary = vocabulary_of(TEXT) + ["unseen", "words", "nobody", "says"]
    distribution = TrigramLM.fit(TEXT, vocabulary=vocabulary, order=order).distribution(start)
    assert len(distribution) == len(vocabulary) + 2
    assert min(distribution.values()) > 0
    assert math.isclose(sum(distribution.values()), 1, rel_tol=1e-12)


@pytest.mark.parametrize("text", [["w1"], [""], ["w1 w1 w1 w1"], ["w2 w2"] * 5])
def test_tiny_text_backs_off_to_uniform(text):
    """Most of the vocabulary was never seen: each such word gets the same positive share."""
    distribution = TrigramLM.fit(text, vocabulary=[f"w{i}" for i in range(50)]).distribution("w7 w8")
    assert math.isclose(sum(distribution.values()), 1, rel_tol=1e-12)
    assert min(distribution.values()) > 0
    assert distribution["w30"] == distribution["w40"] == distribution[UNK]


def test_bigram_model_by_hand():
    """Counts <s>a 3, ab 2, b</s> 2, a</s> 1: D = 1 / (1 + 2*2) = .2; predecessors a 1, b 1, </s> 2: D = 2 / (2 + 2)."""
    model = TrigramLM.fit(["a b", "a b", "a"], order=2)
    a, end, unknown = 0.5 / 4 + 0.375 / 4, 1.5 / 4 + 0.375 / 4, 0.375 / 4  # backoff .5 * 3 words / 4, over 4 outcomes
    after_a = model.distribution("a")
    assert math.isclose(after_a["b"], 1.8 / 3 + 0.4 / 3 * a)
    assert math.isclose(after_a["</s>"], 0.8 / 3 + 0.4 / 3 * end)
    assert math.isclose(after_a[UNK], 0.4 / 3 * unknown)
    first = 2.8 / 3 + 0.2 / 3 * a
    last = 1.8 / 2 + 0.2 / 2 * end
    assert math.isclose(model.log_prob("a b"), math.log(first * after_a["b"] * last))


def test_modified_discounts_by_hand():
    counts = np.array([1] * 10 + [2] * 4 + [3] * 2 + [4])
    y = 10 / 18
    np.testing.assert_allclose(discounts(counts), [1 - 2 * y * 4 / 10, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2])


@pytest.mark.parametrize(("counts", "expected"), [([1, 1, 2], 0.5), ([1, 1], 1.0), ([5, 6], 0.75)])
def test_single_discount_where_counts_are_few(counts, expected):
    np.testing.assert_allclose(discounts(np.array(counts)), expected)


def test_uniform_model_has_the_perplexity_of_its_outcomes():
    """Each outcome seen once: the discount is 1 and everything comes from the uniform floor."""
    model = TrigramLM.fit(["a b c d"], order=1)
    assert model.num_outcomes == 6
    assert math.isclose(model.perplexity(["d a zebra", "c"]), 6)


def test_log_prob_is_the_product_of_the_distributions():
    model = TrigramLM.fit(TEXT)
    chain = ["a", "zebra", "watches", "the", "boat"]
    nats = [model.distribution(" ".join(chain[:i]))[w if w != "zebra" else UNK] for i, w in enumerate(chain)]
    nats.append(model.distribution(" ".join(chain))["</s>"])
    assert math.isclose(model.log_prob(" ".join(chain)), sum(map(math.log, nats)))


def test_perplexity_counts_words_and_ends():
    model = TrigramLM.fit(TEXT)
    held_out = ["the boat is quiet .", "", "a man !"]
    total = sum(model.log_prob(s) for s in held_out)
    assert math.isclose(model.perplexity(held_out), math.exp(-total / (5 + 0 + 3 + 3)))


def test_order_of_sentences_does_not_matter():
    held_out = ["the quiet man drifts ."]
    assert TrigramLM.fit(TEXT).perplexity(held_out) == TrigramLM.fit(TEXT[::-1]).perplexity(held_out)


def test_histories_do_not_cross_sentences():
    joined = TrigramLM.fit(["a b", "c d"])
    assert joined.distribution("a b")["c"] == joined.distribution("a b")["a"]


def test_seen_order_beats_shuffled_words_and_trigrams_beat_unigrams():
    model = TrigramLM.fit(TEXT)
    assert model.log_prob("the old boat is quiet .") > model.log_prob("quiet the . boat is old")
    assert model.perplexity(TEXT) < TrigramLM.fit(TEXT, order=1).perplexity(TEXT)


def test_lowercase_folds_case_everywhere():
    model = TrigramLM.fit(["The Boat .", "the boat ."], lowercase=True)
    assert model.log_prob("THE BOAT .") == model.log_prob("the boat .")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TrigramLM.fit([]), "sentences is empty"),
        (lambda: TrigramLM.fit("one string"), "not one string"),
        (lambda: TrigramLM.fit(TEXT, order=4), "order must be"),
        (lambda: TrigramLM.fit(TEXT, vocabulary=[]), "vocabulary is empty"),
        (lambda: TrigramLM.fit(TEXT, vocabulary=["The"], lowercase=True), "upper case"),
        (lambda: TrigramLM.fit(TEXT).perplexity([]), "sentences is empty"),
        (lambda: vocabulary_of([]), "sentences is empty"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.data
@pytest.mark.skipif("TEXTAE_DATA" not in os.environ, reason="TEXTAE_DATA is not set")
def test_tatoeba_perplexity_is_sane():
    with gzip.open(Path(os.environ["TEXTAE_DATA"]) / "tatoeba" / "valid.txt.gz", "rt", encoding="utf-8") as lines:
        sentences = lines.read().splitlines()
    train, held_out = sentences[:9000], sentences[9000:]
    vocabulary = vocabulary_of(train)
    started = time.perf_counter()
    trigram = TrigramLM.fit(train, vocabulary=vocabulary).perplexity(held_out)
    assert time.perf_counter() - started < 10
    assert 10 < trigram < TrigramLM.fit(train, vocabulary=vocabulary, order=1).perplexity(held_out) < 1000
