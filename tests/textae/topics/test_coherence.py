"""Coherence and diversity of topics, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from textae.topics.coherence import diversity, npmi

# four documents over a, b, c, d, e: {a a b}, {a b}, {a}, {c}; d in every one; e in none
COUNTS = csr_matrix(np.array([[2, 1, 0, 1, 0], [1, 1, 0, 1, 0], [1, 0, 0, 3, 0], [0, 0, 5, 1, 0]]))
A_AND_B = math.log(0.5 / (0.75 * 0.5)) / -math.log(0.5)  # p(a) = 3/4, p(b) = p(a, b) = 1/2


@pytest.mark.parametrize(
    ("topic", "by_hand"),
    [
        ([0, 1], A_AND_B),  # 0.415
        ([0, 2], -1),  # never together
        ([0, 1, 2], (A_AND_B - 2) / 3),
        ([0, 3], 0),  # d tells nothing about a
        ([0, 4], -1),  # never at all
    ],
)
def test_npmi_by_hand(topic, by_hand):
    assert npmi([topic], COUNTS)[0] == pytest.approx(by_hand, abs=1e-12)


def test_npmi_of_words_that_only_occur_together_is_one():
    twins = csr_matrix(np.array([[1, 1], [2, 3], [0, 0]]))
    assert npmi([[0, 1]], twins)[0] == pytest.approx(1)
    assert npmi([[0, 1]], twins[:2])[0] == 1, "and in every document"


def test_npmi_refuses_what_it_cannot_judge():
    for topics in ([[0]], [[0, 1], [2, 2]]):
        with pytest.raises(ValueError, match=f"topic {len(topics)} has 1 different"):
            npmi(topics, COUNTS)
    with pytest.raises(ValueError, match="no document"):
        npmi([[0, 1]], COUNTS[:0])


def test_diversity():
    assert diversity([[0, 1], [2, 3]]) == 1 and diversity([[0, 1], [1, 0]]) == 0.5
