"""Sentences of our own with a class, from a small grammar, and classifiers of them that train in a moment."""

import random

import pytest

THINGS = ["soup", "room", "driver", "garden", "coat", "music", "lamp", "bread", "view", "bench"]
WORDS = {
    "bad": ["awful", "cold", "rude", "broken", "stale"],
    "good": ["lovely", "warm", "kind", "bright", "fresh"],
    "plain": ["gray", "wooden", "square", "round", "small"],
}
# settings that make a kind small and quick enough for tests
SMALL = {
    "ngram": {"min_count": 1},
    "cnn": {"embedding_dim": 12, "filters": 8, "lr": 0.01, "min_steps": 120, "batch_size": 32, "dropout": 0.2},
    "bag": {"buckets": 2000, "dim": 4, "lr": 0.05, "min_steps": 120, "batch_size": 32},
}


def labeled(num, seed, values=("bad", "good")):
    """Sentences whose class is decided by one adjective, and their classes."""
    rng = random.Random(seed)
    labels = [rng.choice(values) for _ in range(num)]
    texts = [
        f"The {rng.choice(THINGS)} was {rng.choice(['so', 'really', 'a bit'])} {rng.choice(WORDS[v])} today."
        for v in labels
    ]
    return texts, labels


def train(kind, num=200, seed=0, values=("bad", "good"), **settings):
    from textae.classifiers import classifier_class

    return classifier_class(kind).train(*labeled(num, 1, values), seed=seed, **{**SMALL[kind], **settings})


@pytest.fixture(scope="session")
def make_labeled():
    return labeled


@pytest.fixture(scope="session")
def trained():
    return train


@pytest.fixture(scope="session")
def classifiers():
    """One trained classifier of each kind."""
    return {kind: train(kind) for kind in SMALL}
