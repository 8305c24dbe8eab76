"""The map: a plane through the codes, there and back."""

import numpy as np
import pytest
import torch

from apps.chat.places import FILE, Places, build, speaks


def test_our_sentences_are_different_and_plain():
    sentences = FILE.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(sentences) == len(set(sentences)) >= 200
    assert all(s[0].isupper() and s[-1] in ".?" and 2 <= len(s.split()) <= 10 for s in sentences)


def test_the_plane_is_that_of_the_widest_directions(told):
    places = told.places
    centered = places.codes - places.codes.mean(0)
    variances = np.linalg.eigvalsh(centered.T @ centered)[::-1]
    assert np.allclose((places.points**2).sum(0), variances[:2], rtol=1e-3)
    assert places.share == pytest.approx(variances[:2].sum() / variances.sum(), rel=1e-3)
    assert np.allclose(places.axes @ places.axes.T, np.eye(2), atol=1e-5)


def test_a_dot_is_its_own_sentence(told):
    for i in range(0, len(told.places.sentences), 5):
        code, near = told.places.code_at(*told.places.points[i])
        assert near == i or np.allclose(told.places.points[near], told.places.points[i], atol=1e-6)
        assert np.allclose(code, told.places.codes[near], atol=1e-3)


def test_a_point_between_dots_lies_where_it_was_pointed_at(told):
    for x, y in [(0.0, 0.0), (1.5, -0.7), (30.0, 30.0)]:
        code, _ = told.places.code_at(x, y)
        assert told.places.project(code) == pytest.approx((x, y), abs=1e-3) and torch.isfinite(code).all()


def test_the_map_repeats(told):
    again = build(told.space)
    assert np.allclose(again.points, told.places.points) and again.sentences == told.places.sentences


def test_readers_color_the_map(told, plain):
    assert set(told.places.values) == {"tense", "sentiment"}
    assert all(len(row) == len(told.places.sentences) for row in told.places.values.values())
    assert plain.places.values == {}


def test_a_model_that_knows_none_of_our_sentences_shows_its_own(plain):
    assert set(plain.places.sentences) <= set(plain.space.examples)


def test_nearest_are_by_distance_of_codes(told):
    i = 4
    found = told.places.nearest(told.places.codes[i], 3)
    assert found[0] == (i, 0.0) and found[1][1] <= found[2][1]


def test_words_are_found_whole():
    assert speaks("The glass is empty.", "glass") and speaks("I see a bus.", "bus") and speaks("Two dogs.", "dog")
    assert not speaks("A dogma.", "dog") and not speaks("(", "dog")


def test_a_flat_cloud_has_a_map_too():
    codes = np.zeros((3, 1), np.float32)
    flat = Places(("a", "b", "c"), codes, np.zeros((3, 2)), codes.mean(0), np.zeros((2, 1), np.float32), 0.0, {})
    assert torch.isfinite(flat.code_at(0.0, 0.0)[0]).all()
