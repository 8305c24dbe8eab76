"""Climbing a classifier's gradient: when it stops, which size of step it takes, and what only it can do."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.editing import AttributeCodes, GradientEdit, LinearProbe
from textae.core.editing.base import gradient

LINE = {"a": ([[-1.0, 0, 0], [1, 0, 0]], [0.0, 0])}


def test_steps_are_those_of_the_algorithm(by_hand):
    codes = by_hand(LINE)
    x, rate, path = -1.0, 0.2, []
    for _ in range(50):
        if 2 * x >= math.log(9):
            break
        x += rate * 2  # the slope of the log-odds 2 x
        rate *= 0.9
        path.append(x)
    for kind in ("probe", "mlp"):
        editor = GradientEdit(codes, confidence=0.9, sizes=[0.2], decay=0.9, steps=50, classifier=kind)
        assert_close(
            editor(torch.tensor([[-1.0, 3, 4]]), {"a": "a1"}), torch.tensor([[path[-1], 3, 4]]), atol=1e-5, rtol=0
        )
    short = GradientEdit(codes, confidence=0.9, sizes=[0.2], decay=0.9, steps=2, classifier="probe")
    assert_close(short(torch.tensor([[-1.0, 3, 4]]), {"a": "a1"})[0, 0].item(), path[1], atol=1e-5, rtol=0)


def test_confidence_is_reached_and_what_has_it_stays(fitted, labelled):
    z = labelled[0][:200]
    editor = GradientEdit(fitted, confidence=0.9)
    edited = editor(z, {"tense": "past", "mood": "flat"})
    there = torch.ones(200, dtype=torch.bool)
    for name, index in (("tense", 0), ("mood", 1)):
        assert fitted.probabilities(edited.double(), name, "mlp")[:, index].min() > 0.9 - 1e-6
        there &= fitted.probabilities(z, name, "mlp")[:, index] >= 0.9
    assert torch.equal(edited[there], z[there]) and there.any() and (edited[~there] != z[~there]).any(1).all()


def test_the_smallest_size_that_works_is_taken(fitted, labelled):
    z = labelled[0][:80]
    options = {"confidence": 0.9, "steps": 6}

    def run(*sizes):
        edited = GradientEdit(fitted, sizes=sizes, **options)(z, {"mood": "good"})
        return edited, fitted.probabilities(edited, "mood", "mlp")[:, 2] >= 0.9 - 1e-6

    (small, by_small), (large, by_large), (both, by_both) = run(0.05), run(1.0), run(0.05, 1.0)
    assert by_small.any() and not by_small.all() and by_large.all() and by_both.all()
    assert_close(both[by_small], small[by_small])
    assert_close(both[~by_small], large[~by_small])


def test_a_try_that_falls_short_is_still_the_closest(by_hand):
    codes = by_hand(LINE)
    z = torch.tensor([[-3.0, 0, 0]])
    one = GradientEdit(codes, sizes=[0.01], steps=3)(z, {"a": "a1"})
    two = GradientEdit(codes, sizes=[0.01, 0.02], steps=3)(z, {"a": "a1"})
    assert -3 < one[0, 0] < two[0, 0] < -2.8


def test_attributes_that_no_line_parts():
    """Values in opposite quadrants: the probe knows nothing, the perceptron and its gradient do."""
    z = 1.5 * torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    same = z.prod(1) > 0
    found = AttributeCodes.fit(z, [{"sign": "same" if s else "other"} for s in same.tolist()], steps=800, hidden_dim=16)
    assert found["sign"].accuracy < 0.6 and found["sign"].mlp_accuracy > 0.95
    other = z[~same][:200]
    edited = GradientEdit(found, confidence=0.9)(other, {"sign": "same"})
    assert (edited.prod(1) > 0).double().mean() > 0.95
    by_line = LinearProbe(found, confidence=0.9)(other, {"sign": "same"})
    assert (by_line.prod(1) > 0).double().mean() < 0.8 or (by_line - other).norm(dim=1).mean() > 5 * (
        edited - other
    ).norm(dim=1).mean()


def test_gradients_are_taken_with_and_without_a_graph():
    z = torch.randn(4, 3, dtype=torch.float64)
    with torch.no_grad():
        assert_close(gradient(lambda z: z.square().sum(1), z), 2 * z)
    assert not gradient(lambda z: z.square().sum(1), z).requires_grad and not z.requires_grad
    free = z.clone().requires_grad_()
    (second,) = torch.autograd.grad(gradient(lambda z: z.pow(3).sum(1), free).sum(), free)
    assert_close(second, 6 * z)


def test_bad_options_are_refused(fitted):
    for options, message in [
        ({"sizes": []}, "sizes are []"),
        ({"sizes": [1.0, 0.5]}, "from small to large"),
        ({"sizes": [0.0]}, "above 0"),
        ({"decay": 0}, "decay is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"confidence": 0.2}, "confidence is 0.2"),
        ({"classifier": "svm"}, "no classifier of codes 'svm'"),
    ]:
        with pytest.raises(ValueError) as error:
            GradientEdit(fitted, **options)
        assert message in str(error.value)
