"""Targets of critics: their statistics in closed form, their labels, and codes that they refuse."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.objectives.targets import TARGETS, Categorical, Normal, Ring, SwissRoll

BOUND = {"normal": (2, 0), "gaussian_mixture": (2, 0), "swiss_roll": (2, 0), "categorical": (5, 3)}  # width, categories


def made(name, **options):
    target = TARGETS[name](**options)
    target.bind(*BOUND[name])
    return target


def labels_of(num, components):
    return torch.arange(num) % components


@pytest.mark.parametrize("name", TARGETS)
def test_draws_have_the_shape_and_type_of_codes_and_are_a_function_of_the_seed(name):
    target, like = made(name), torch.zeros(7, BOUND[name][0], dtype=torch.float64)
    torch.manual_seed(0)
    draws = target.draw(like)
    assert draws.shape == like.shape and draws.dtype == like.dtype and not draws.requires_grad
    torch.manual_seed(0)
    assert torch.equal(target.draw(like), draws)
    assert not torch.equal(target.draw(like), draws)
    assert target.draw(torch.zeros(1, BOUND[name][0])).shape == (1, BOUND[name][0])


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"normal"}))
def test_the_whole_mixture_is_its_components_in_equal_parts(name):
    """Unlabelled draws have the moments of draws with every label equally often."""
    target = made(name)
    like = torch.zeros(60_000, BOUND[name][0])
    torch.manual_seed(0)
    whole, by_label = target.draw(like), target.draw(like, labels_of(len(like), target.components))
    unlabelled = target.draw(like, torch.full((len(like),), -1))
    assert target.components == (3 if name == "categorical" else 10)
    for draws in (whole, unlabelled):
        assert_close(draws.mean(0), by_label.mean(0), atol=0.03, rtol=0)
        assert_close(torch.cov(draws.T), torch.cov(by_label.T), atol=0.05, rtol=0.02)


def test_ring_components_point_outwards_at_their_angles():
    """Component k of M: mean at 2πk/M, the long axis along the radius, the short one across."""
    target = Ring(components=7, radius=2.0, radial_std=0.6, tangential_std=0.1)
    torch.manual_seed(0)
    labels = labels_of(70_000, 7)
    draws = target.draw(torch.zeros(70_000, 2), labels)
    for k in range(7):
        angle = 2 * math.pi * k / 7
        turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        straight = draws[labels == k] @ turn.T  # the component turned back onto the first axis
        assert_close(straight.mean(0), torch.tensor([2.0, 0.0]), atol=0.03, rtol=0)
        assert_close(torch.cov(straight.T), torch.diag(torch.tensor([0.36, 0.01])), atol=0.015, rtol=0)


def test_ring_of_ten_has_the_radius_of_its_definition():
    torch.manual_seed(0)
    draws = Ring().draw(torch.zeros(50_000, 2))
    # E r² = radius² + both variances
    assert draws.square().sum(1).mean().item() == pytest.approx(1.4**2 + 0.5**2 + 0.1**2, rel=0.02)
    assert_close(draws.mean(0), torch.zeros(2), atol=0.02, rtol=0)


def test_swiss_roll_is_a_spiral_whose_segments_follow_the_labels():
    target = SwissRoll(components=5, radius=3.0, turns=2.0)
    torch.manual_seed(0)
    labels = labels_of(20_000, 5)
    draws = target.draw(torch.zeros(20_000, 2, dtype=torch.float64), labels)
    root = draws.norm(dim=1) / 3.0
    angle = 4 * math.pi * root
    assert_close(draws, 3.0 * root[:, None] * torch.stack([angle.cos(), angle.sin()], 1))
    share = root.square()
    assert torch.equal((share * 5).floor().clamp_max(4).long(), labels)
    within = share * 5 - labels
    assert_close(within.mean().item(), 0.5, atol=0.01, rtol=0)
    assert_close(within.var().item(), 1 / 12, atol=0.003, rtol=0)


def test_categorical_draws_are_one_hot_and_aligned_with_their_labels():
    target = Categorical()
    target.bind(5, 3)
    torch.manual_seed(0)
    labels = torch.tensor([2, 0, 1, -1, 2] * 4000)
    draws = target.draw(torch.zeros(len(labels), 5), labels)
    hot, style = draws[:, :3], draws[:, 3:]
    assert set(hot.unique().tolist()) == {0.0, 1.0} and torch.equal(hot.sum(1), torch.ones(len(labels)))
    known = labels >= 0
    assert torch.equal(hot.argmax(1)[known], labels[known])
    assert_close(hot[~known].mean(0), torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    assert_close(style.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    assert_close(torch.cov(style.T), torch.eye(2), atol=0.05, rtol=0)


def test_categorical_without_style_is_one_hot_alone():
    target = Categorical()
    target.bind(3, 3)
    draws = target.draw(torch.zeros(9, 3))
    assert draws.shape == (9, 3) and torch.equal(draws.sum(1), torch.ones(9))


def test_normal_is_standard_normal():
    torch.manual_seed(0)
    draws = Normal().draw(torch.zeros(40_000, 3))
    assert_close(torch.cov(draws.T), torch.eye(3), atol=0.04, rtol=0)


@pytest.mark.parametrize(
    "make, message",
    [(lambda: Ring(components=0), "components=0; at least 1"),
     (lambda: Ring(radial_std=0), "radial_std and tangential_std above 0"),
     (lambda: SwissRoll(turns=-1), "radius and turns above 0"),
     (lambda: Ring().bind(3, 0), "the judged part of the code has 3 dimensions: it must have 2"),
     (lambda: SwissRoll().bind(1, 0), "has 1 dimensions"),
     (lambda: Normal().bind(5, 3), "never resemble.*part=style"),
     (lambda: Ring().bind(2, 2), "take prior=categorical"),
     (lambda: Categorical().bind(5, 0), "needs categories to judge: set model.categories")],
)  # fmt: skip
def test_what_codes_cannot_resemble_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
