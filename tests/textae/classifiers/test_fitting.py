"""The training loop of the small nets: padding, order, and the weights that early stopping keeps."""

import numpy as np
import pytest
import torch
from torch import nn

from textae.classifiers.fitting import Fitting, IdRows, fit, score

ROWS = IdRows(np.array([5, 6, 7, 8, 9, 1]), np.array([2, 3, 1]))


def test_rows_are_padded_on_the_right():
    assert ROWS.padded(np.array([2, 1, 0])).tolist() == [[1, 0, 0], [7, 8, 9], [5, 6, 0]]
    assert ROWS.padded(np.array([2])).tolist() == [[1]]


class Sums(nn.Module):
    """Logits are 0 and the sum of the ids."""

    def forward(self, ids):
        return torch.stack([torch.zeros(len(ids)), ids.sum(1).float()], 1)


def test_scores_come_in_the_order_asked_for():
    assert score(Sums(), ROWS, np.array([1, 2, 0, 1]))[:, 1].tolist() == [24, 1, 11, 24]


class Bias(nn.Module):
    """Two logits that learn the share of the classes, and a record of the weights it was measured with."""

    def __init__(self):
        super().__init__()
        self.bias, self.measured = nn.Parameter(torch.zeros(2)), []

    def forward(self, ids):
        if not self.training:
            self.measured.append(self.bias.detach().clone())
        return self.bias.expand(len(ids), 2)


def test_the_best_measured_weights_are_kept():
    """All held-out sentences contradict the training sentences: whatever is learned is wrong, the first least."""
    held_out = np.random.default_rng(0).permutation(100)[:20]
    classes = np.zeros(100, dtype=np.int64)
    classes[held_out] = 1
    rows = IdRows(np.ones(100, dtype=np.int64), np.ones(100, dtype=np.int64))
    options = Fitting(epochs=9, batch_size=10, lr=0.1, held_out=0.2, patience=3, min_steps=0)
    net = fit(Bias, rows, classes, options, seed=0)
    assert len(net.measured) == 1 + 3
    assert torch.equal(net.bias, net.measured[0]) and not torch.equal(net.bias, net.measured[-1])
    assert not net.training
    classes[held_out] = 0  # and where they agree, the last are the best
    net = fit(Bias, rows, classes, options, seed=0)
    assert len(net.measured) == 9 and torch.equal(net.bias, net.measured[-1])


def test_few_sentences_are_passed_over_until_there_are_enough_steps():
    rows, classes = IdRows(np.ones(20, dtype=np.int64), np.ones(20, dtype=np.int64)), np.zeros(20, dtype=np.int64)
    net = fit(Bias, rows, classes, Fitting(epochs=1, batch_size=10, lr=0.1, min_steps=40), seed=0)
    assert len(net.measured) == 10  # 20 epochs of 2 steps, measured after every second


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="1 sentences are too few"):
        fit(
            Bias,
            IdRows(np.ones(1, dtype=np.int64), np.ones(1, dtype=np.int64)),
            np.zeros(1, dtype=np.int64),
            Fitting(1, 1, 0.1),
            0,
        )
    for wrong in ({"held_out": 1.0}, {"patience": 0}, {"batch_size": 0}, {"min_steps": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Fitting(**{"epochs": 1, "batch_size": 1, "lr": 0.1, **wrong})
