"""A few labels, evenly."""

import numpy as np
import pytest

from textae.core.labelled import balanced


@pytest.mark.parametrize("num, counts", [(3, [1, 1, 1]), (9, [3, 3, 3]), (14, [5, 5, 4])])
def test_values_are_even_to_within_one(num, counts):
    labels = np.array([0, 1, 2, -1, 2] * 10)
    kept = balanced(labels, num, 0)
    assert len(kept) == num and (np.diff(kept) > 0).all()
    assert sorted(np.bincount(labels[kept]), reverse=True) == counts


def test_the_choice_is_a_function_of_the_seed():
    labels = np.arange(200) % 2
    assert balanced(labels, 10, 1).tolist() == balanced(labels, 10, 1).tolist() != balanced(labels, 10, 2).tolist()
    assert balanced(labels, 10, (1, 0)).tolist() != balanced(labels, 10, (1, 1)).tolist()


@pytest.mark.parametrize(
    "labels, num, message",
    [([-1, -1], 1, "0 values and 0 labelled"), ([0, 1], 3, "2 values and 2 labelled"), ([0, 1, 1], 1, "1 labels cannot"),
     ([0, 1, 1, 1, 1], 4, "at least 2 of each of 2 values, but value 0 has 1")],
)  # fmt: skip
def test_what_cannot_be_even_is_refused(labels, num, message):
    with pytest.raises(ValueError, match=message):
        balanced(np.array(labels), num, 0)
