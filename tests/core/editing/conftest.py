"""Codes whose attributes are known: Gaussian groups of one covariance, along directions that the tests choose."""

import pytest
import torch

from textae.core.editing import AttributeCodes

TENSES, MOODS = ("past", "present"), ("bad", "flat", "good")
QUICK = {"steps": 60, "hidden_dim": 8}


def make_codes(num=1200, seed=0, dim=5, covariance=None, moods=True):
    """Codes and labels: `tense` along the first dimension, `mood` in the plane of the second and third."""
    generator = torch.Generator().manual_seed(seed)
    tense = torch.randint(2, (num,), generator=generator)
    mood = torch.randint(3, (num,), generator=generator)
    noise = torch.randn(num, dim, generator=generator, dtype=torch.float64)
    z = noise if covariance is None else noise @ torch.linalg.cholesky(covariance).T
    z[:, 0] += torch.tensor([-1.0, 1.0])[tense]
    if moods:
        z[:, 1:3] += torch.tensor([[-1.5, -1.0], [1.5, -1.0], [0.0, 2.0]])[mood]
    rows = [
        {"tense": TENSES[t], "mood": MOODS[m]} if moods else {"tense": TENSES[t]}
        for t, m in zip(tense, mood, strict=True)
    ]
    return z.float(), rows


@pytest.fixture(scope="session")
def labelled():
    return make_codes()


@pytest.fixture(scope="session")
def fitted(labelled):
    """Attributes of the codes of `labelled`."""
    z, rows = labelled
    return AttributeCodes.fit(z, rows, steps=400, hidden_dim=16)


@pytest.fixture(scope="session")
def codes_of():
    return make_codes


@pytest.fixture(scope="session")
def by_hand():
    """Attributes with weights that a test writes down; means are zero and the covariance within groups as given."""
    from textae.core.editing.classifiers import Linear, Perceptron
    from textae.core.editing.codes import Attribute

    def make(probes, within=None, means=None):
        dim = len(next(iter(probes.values()))[0][0])
        found = {}
        for name, (weight, bias) in sorted(probes.items()):
            weight, bias = torch.tensor(weight), torch.tensor(bias)
            num = len(bias)
            mean = torch.zeros(num, dim) if means is None else torch.tensor(means[name])
            # A perceptron that says what the probe says: large biases make GELU the identity.
            mlp = Perceptron(torch.eye(dim), torch.full((dim,), 50.0), weight, bias - 50 * weight.sum(1))
            values = tuple(f"{name}{k}" for k in range(num))
            found[name] = Attribute(name, values, (9,) * num, mean, Linear(weight, bias), mlp, 0.01, 0.9, 0.9, 0.5)
        within = torch.eye(dim) if within is None else torch.as_tensor(within)
        return AttributeCodes(found, torch.zeros(dim), 1.0, within.float(), 9)

    return make
