"""Ways between sentences: even ones, jumps and detours are told apart."""

import pytest

from textae.interpolation_metrics import similarity, smoothness

EVEN = ["a b c d", "x b c d", "x y c d", "x y z d", "x y z w"]
JUMP = ["a b c d"] * 3 + ["x y z w"] * 2
DETOUR = ["a b c d", "x b c d", "a b c d", "x y z d", "x y z w"]


@pytest.mark.parametrize("a, b, found", [("a b", "a b", 1), ("a b", "c d", 0), ("a b c", "b c", 2 / 3), ("", "a", 0), ("", "", 1), ("a b", "b a", 0)])
def test_similarity_is_the_share_of_words_that_need_no_edit(a, b, found):
    assert similarity(a, b) == similarity(b, a) == pytest.approx(found)


def test_an_even_way_changes_by_the_same_at_each_step():
    figures = smoothness([EVEN])
    assert figures["path_similarity"] == [0, 0.25, 0.5, 0.75, 1]
    assert figures["path_change"] == figures["path_largest_change"] == 0.25 and figures["path_back"] == 0 and figures["path_distinct"] == 1


def test_a_jump_and_a_detour_show():
    jump, detour = smoothness([JUMP]), smoothness([DETOUR])
    assert jump["path_largest_change"] == 1 and jump["path_distinct"] == 0.4 and jump["path_change"] == 0.25
    assert detour["path_back"] == 0.25 and detour["path_change"] == pytest.approx((0.25 + 0.25 + 0.75 + 0.25) / 4)


def test_figures_are_means_over_ways():
    both, even, jump = smoothness([EVEN, JUMP]), smoothness([EVEN]), smoothness([JUMP])
    for key in ("path_change", "path_back", "path_largest_change", "path_distinct"):
        assert both[key] == pytest.approx((even[key] + jump[key]) / 2)
    assert both["paths"] == 2 and both["path_similarity"][1] == pytest.approx(0.125)


def test_scores_keep_their_step():
    figures = smoothness([["a", "b b", "a"], ["a", "b b b", "a"]], nats=lambda sentences: [float(len(s.split())) for s in sentences])
    assert figures["path_nats"] == [1, 2.5, 1] and figures["path_nats_ratio"] == 2.5


@pytest.mark.parametrize("paths", [[], [["a"]], [["a", "b"], ["a", "b", "c"]]])
def test_ways_that_cannot_be_compared_are_refused(paths):
    with pytest.raises(ValueError, match="ways have"):
        smoothness(paths)
