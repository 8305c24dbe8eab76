"""Mean differences: one group's mean onto the other's, and which group a code is taken to be in."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.editing import MeanOffset


def members(rows, **wanted):
    return torch.tensor([all(row[name] == value for name, value in wanted.items()) for row in rows])


def test_one_groups_mean_moves_onto_the_others(fitted, labelled):
    z, rows = labelled
    for source, target in (("past", "present"), ("present", "past")):
        moved = MeanOffset(fitted, source={"tense": source})(z[members(rows, tense=source)], {"tense": target})
        assert_close(
            moved.double().mean(0).float(), fitted["tense"].means[fitted["tense"].index(target)], atol=1e-5, rtol=0
        )
    half = MeanOffset(fitted, source={"mood": "bad"})(z[members(rows, mood="bad")], {"mood": "good"}, 0.5)
    means = fitted["mood"].means
    assert_close(half.double().mean(0).float(), (means[0] + means[2]) / 2, atol=1e-5, rtol=0)


def test_a_code_is_moved_from_the_value_that_is_read_in_it(fitted, labelled):
    z = labelled[0][:50]
    read = fitted.probabilities(z, "mood").argmax(1)
    moved = MeanOffset(fitted)(z, {"mood": "flat"}, 2.0)
    means = fitted["mood"].means
    assert_close(moved, z + 2 * (means[1] - means[read]))
    assert torch.equal(moved[read == 1], z[read == 1]) and (read == 1).any() and (read != 1).any()


def test_a_number_moves_every_code_along_the_axis(fitted, labelled):
    z = labelled[0][:50]
    axis = fitted["tense"].means[1] - fitted["tense"].means[0]
    assert_close(MeanOffset(fitted)(z, {"tense": 1.5}), z + 1.5 * axis)
    assert_close(MeanOffset(fitted)(z, {"tense": -1}, 0.5), z - 0.5 * axis)


def test_offsets_add_up_and_a_return_undoes_them(fitted, labelled):
    z = labelled[0][:20]
    one, other = MeanOffset(fitted)(z, {"tense": 1}), MeanOffset(fitted)(z, {"mood": "good"})
    assert_close(MeanOffset(fitted)(z, {"tense": 1, "mood": "good"}), one + other - z)
    there = MeanOffset(fitted, source={"mood": "bad"})(z, {"mood": "good"})
    assert_close(MeanOffset(fitted, source={"mood": "good"})(there, {"mood": "bad"}), z)


def test_sources_are_checked(fitted, labelled):
    with pytest.raises(ValueError, match="no value 'pst': did you mean 'past'"):
        MeanOffset(fitted, source={"tense": "pst"})
    with pytest.raises(ValueError, match="source names 'mood', which no target asks to change"):
        MeanOffset(fitted, source={"mood": "bad"})(labelled[0], {"tense": "past"})
