"""The reader: a mean of rows by hand, small on disk, quick for one sentence."""

import time
import zlib

import numpy as np
import pytest

from textae.classifiers.bag import BagClassifier


def test_logits_are_the_mean_of_the_rows_of_all_ngrams():
    table = np.random.default_rng(0).normal(size=(97, 3)).astype(np.float16)
    reader = BagClassifier(["a", "b", "c"], table)
    ngrams = ["the", "old", "old", "boat", "the old", "old old", "old boat"]
    logits = np.mean([table[zlib.crc32(n.encode()) % 97].astype(np.float64) for n in ngrams], axis=0)
    expected = np.exp(logits) / np.exp(logits).sum()
    assert np.allclose(reader.probabilities(["The old old boat"])[0], expected, atol=1e-6)


def test_what_training_never_met_says_nothing(make_labeled):
    """A bucket without training keeps the bias alone, so that unknown words pull to no side of it."""
    reader = BagClassifier.train(*make_labeled(100, 1), buckets=50_000, min_steps=50)
    values, counts = np.unique(reader.table_HK, axis=0, return_counts=True)
    assert counts.max() > 49_000
    bias = values[counts.argmax()].astype(np.float64)
    expected = np.exp(bias) / np.exp(bias).sum()
    assert np.allclose(reader.probabilities(["zebra quagga okapi"])[0], expected, atol=1e-6)


def test_four_classes_fit_in_a_megabyte(tmp_path):
    buckets = BagClassifier.train.__kwdefaults__["buckets"]
    BagClassifier(list("abcd"), np.zeros((buckets, 4), dtype=np.float16)).save(tmp_path / "reader")
    assert sum(path.stat().st_size for path in (tmp_path / "reader").iterdir()) <= 1_000_000


def test_a_sentence_takes_less_than_a_millisecond(classifiers, make_labeled):
    texts = make_labeled(200, 9)[0]
    started = time.process_time()
    for text in texts:
        classifiers["bag"].probabilities([text])
    assert (time.process_time() - started) / len(texts) < 1e-3


def test_word_order_is_read_through_pairs(trained):
    texts = ["not good but bad", "not bad but good"] * 30
    reader = BagClassifier.train(texts, ["bad", "good"] * 30, buckets=1000, lr=0.05, min_steps=100)
    assert reader.predict(texts[:2]) == ["bad", "good"]


def test_settings_that_cannot_be_are_named():
    for settings in ({"buckets": 0}, {"dim": 0}):
        with pytest.raises(ValueError, match="must both be 1 or more"):
            BagClassifier.train(["a", "b"], ["x", "y"], **settings)
