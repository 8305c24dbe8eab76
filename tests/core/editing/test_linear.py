"""Minimal steps: they land on the wanted confidence, no shorter one does, and what is to be kept stays."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.editing import LinearProbe
from textae.core.editing.minimal import Constraint, shortest_step

METRIC = torch.tensor([[2.0, 0.6, 0, 0], [0.6, 1, 0.2, 0], [0, 0.2, 0.5, 0.1], [0, 0, 0.1, 3]])
PROBES = {
    "a": ([[0.2, -1.0, 0.3, 0], [-0.4, 1.1, 0.5, 0.3]], [0.3, -0.1]),
    "b": ([[1.0, 0.2, 0, 0.5], [-0.6, 0.4, 0.9, 0], [0.1, -0.2, -1.2, 0.4]], [0.1, 0, -0.2]),
    "c": ([[0.0, 0, 0.4, 0.9], [0.1, 0, -0.4, -0.7]], [0.0, 0.2]),
}


@pytest.fixture(scope="module")
def codes(by_hand):
    return by_hand(PROBES, within=METRIC)


@pytest.fixture(scope="module")
def z():
    return 1.5 * torch.randn(60, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def length(step, metric):
    matrix = METRIC.double() if metric == "within" else torch.eye(4, dtype=torch.float64)
    return (step * (step @ torch.linalg.inv(matrix))).sum(-1).sqrt()


@pytest.mark.parametrize("metric", ["within", "euclidean"])
def test_two_values_have_a_closed_form(metric, codes, z):
    w, b = (torch.tensor(t, dtype=torch.float32).double() for t in PROBES["a"])
    w, c = w[1] - w[0], b[1] - b[0]
    along = METRIC.double() @ w if metric == "within" else w
    for confidence, k in ((0.9, 1.0), (0.99, 0.5)):
        missing = (k * math.log(confidence / (1 - confidence)) - z @ w - c).clamp_min(0)
        wanted = z + (missing / (w @ along))[:, None] * along
        assert_close(
            LinearProbe(codes, confidence=confidence, metric=metric)(z, {"a": "a1"}, k), wanted, atol=1e-9, rtol=1e-9
        )
        assert (missing == 0).any() and (missing > 0).any()


@pytest.mark.parametrize("metric", ["within", "euclidean"])
@pytest.mark.parametrize(
    "targets", [{"a": "a0"}, {"b": "b2"}, {"a": "a1", "b": "b0"}, {"a": -1, "b": "b1", "c": 1}], ids=str
)
def test_the_step_lands_on_the_confidence_and_no_shorter_one_reaches_it(metric, targets, codes, z):
    editor = LinearProbe(codes, confidence=0.9, metric=metric)
    edited = editor(z, targets)

    def reached(z):
        """The least sure target, as its log-odds less those wanted."""
        odds = [
            torch.logit(codes.probabilities(z, t)[:, int(v[1]) if isinstance(v, str) else int(v > 0)])
            for t, v in targets.items()
        ]
        return torch.stack(odds).amin(0) - math.log(9)

    moved = (edited != z).any(1)
    assert moved.sum() > 20 and (moved.all() or (reached(z[~moved]) >= 0).all())
    assert_close(reached(edited[moved]), torch.zeros(int(moved.sum()), dtype=torch.float64), atol=1e-8, rtol=0)
    # Feasible steps are convex: were a shorter one among them, some near the found one would be.
    generator = torch.Generator().manual_seed(0)
    for start, end in zip(z[moved][:12], edited[moved][:12], strict=True):
        step, most = end - start, length(end - start, metric)
        for size in (0.01, 0.1, 1.0, 10.0):
            tries = step + size * step.norm() * torch.randn(400, 4, generator=generator, dtype=torch.float64)
            tries = tries * (0.9999 * most / length(tries, metric)).clamp_max(1)[:, None]
            assert (reached(start + tries) < 0).all()
        assert reached((start + 0.9999 * step)[None]) < 0


def test_codes_that_are_there_already_stay(codes, z):
    editor = LinearProbe(codes, confidence=0.9)
    once = editor(z, {"a": "a1", "b": "b2"})
    assert_close(editor(once, {"a": "a1", "b": "b2"}), once, atol=1e-7, rtol=0)
    there = LinearProbe(codes, confidence=0.95)(z, {"a": "a1", "b": "b2"})
    assert torch.equal(editor(there, {"a": "a1", "b": "b2"}), there)


def test_within_groups_the_step_goes_along_the_difference_of_means(codes_of):
    """For Gaussian groups of one covariance w = Σ⁻¹(m_1 - m_0), so Σ w is the difference: codes stay where codes are."""
    from textae.core.editing import AttributeCodes

    covariance = torch.full((4, 4), 0.7, dtype=torch.float64) + 0.3 * torch.eye(4, dtype=torch.float64)
    z, rows = codes_of(20_000, dim=4, covariance=covariance, moods=False)
    found = AttributeCodes.fit(z, rows, l2=1e-6, steps=1, hidden_dim=1)
    past = z[[row["tense"] == "past" for row in rows]][:5]
    axis = torch.tensor([2.0, 0, 0, 0])
    steps = {
        m: LinearProbe(found, confidence=0.9, metric=m)(past, {"tense": "present"}) - past
        for m in ("within", "euclidean")
    }
    angle = {m: torch.nn.functional.cosine_similarity(step, axis[None]).min() for m, step in steps.items()}
    assert angle["within"] > 0.995 > 0.9 > angle["euclidean"]
    assert (steps["euclidean"].norm(dim=1) < steps["within"].norm(dim=1)).all()


@pytest.mark.parametrize("metric", ["within", "euclidean"])
def test_what_is_to_be_kept_stays(metric, codes, z):
    free = LinearProbe(codes, metric=metric)(z, {"a": "a1"})
    assert (codes.probabilities(free, "b") - codes.probabilities(z, "b")).abs().max() > 0.05
    kept = LinearProbe(codes, metric=metric, keep=["b"])(z, {"a": "a1"})
    assert_close(codes.probabilities(kept, "b"), codes.probabilities(z, "b"), atol=1e-10, rtol=0)
    assert (codes.probabilities(kept, "c") - codes.probabilities(z, "c")).abs().max() > 0.01
    all_kept = LinearProbe(codes, metric=metric, keep=True)(z, {"a": "a1"})
    for name in ("b", "c"):
        assert_close(codes.probabilities(all_kept, name), codes.probabilities(z, name), atol=1e-10, rtol=0)
    for edited in (kept, all_kept):
        p = codes.probabilities(edited, "a")[:, 1]
        assert_close(p[(edited != z).any(1)], torch.full((int((edited != z).any(1).sum()),), 0.95, dtype=torch.float64))
    assert (length(free - z, metric) <= length(kept - z, metric) + 1e-9).all()
    assert (length(kept - z, metric) <= length(all_kept - z, metric) + 1e-9).all()


def test_the_derivative_is_that_of_the_kept_step(codes):
    z = torch.tensor([[0.5, -0.4, 0.2, 0.1], [-1.0, 0.3, -0.8, 0.6]], dtype=torch.float64, requires_grad=True)
    for options in ({"keep": ["c"]}, {"metric": "euclidean"}):
        assert torch.autograd.gradcheck(lambda z, o=options: LinearProbe(codes, **o)(z, {"a": 1.0, "b": "b2"}), (z,))


def test_the_same_wish_twice_is_one_wish(by_hand, z):
    twins = by_hand({"a": PROBES["a"], "twin": PROBES["a"]}, within=METRIC)
    alone = LinearProbe(twins)(z, {"a": "a1"})
    assert_close(LinearProbe(twins)(z, {"a": "a1", "twin": "twin1"}), alone, atol=1e-7, rtol=1e-7)
    with pytest.raises(ValueError, match=r"codes cannot reach a=a1, twin=twin0 .*contradict"):
        LinearProbe(twins)(z, {"a": "a1", "twin": "twin0"})
    with pytest.raises(ValueError, match=r"of 60 codes cannot reach a=a1 .*contradict"):
        LinearProbe(twins, keep=True)(z, {"a": "a1"})


def test_a_value_between_two_others_may_be_out_of_reach(by_hand):
    line = by_hand({"size": ([[-2.0, 0], [0, 0], [2, 0]], [0.0, 0.5, 0])})
    z = torch.tensor([[1.5, 0.3], [-1, 0]])
    most = line.probabilities(torch.zeros(1, 2), "size")[0, 1].item()
    assert 0.45 < most < 0.5
    with pytest.raises(
        ValueError, match="2 of 2 codes cannot reach size=size1 at the wanted confidence .*always likelier"
    ):
        LinearProbe(line, confidence=0.6)(z, {"size": "size1"})
    assert line.probabilities(LinearProbe(line)(z, {"size": "size2"}), "size")[:, 2].min() > 0.949


def test_codes_of_any_scale_are_moved_alike(codes_of):
    from textae.core.editing import EDITORS, AttributeCodes, edit_codes

    z, rows = codes_of(300)
    near, far = (AttributeCodes.fit(scale * z, rows, steps=50, hidden_dim=4) for scale in (1.0, 512.0))
    for method in set(EDITORS) - {"ode"}:  # whose prior has a scale
        moved = [
            edit_codes(found, s * z[:20], {"tense": "past", "mood": "flat"}, method) / s
            for found, s in ((near, 1.0), (far, 512.0))
        ]
        assert_close(*moved, atol=2e-3, rtol=2e-3)


def test_many_values_and_far_codes_are_solved_too():
    """Seven values, steps of many units: compared with the conditions of an optimum, y = λ ∇g, g = 0, λ ≥ 0."""
    generator = torch.Generator().manual_seed(0)
    change = torch.randn(6, 8, generator=generator, dtype=torch.float64) + 2
    start = 30 * torch.randn(40, 6, generator=generator, dtype=torch.float64)
    constraint = Constraint(start, change)
    y, missed = shortest_step([constraint])
    g, slope, _ = constraint.parts(y)
    moved = y.norm(dim=1) > 0
    assert moved.sum() > 30 and missed.max() < 1e-6
    assert_close(g[moved], torch.zeros(int(moved.sum()), dtype=torch.float64), atol=1e-8, rtol=0)
    assert (torch.nn.functional.cosine_similarity(y, slope)[moved] > 1 - 1e-9).all() and (g[~moved] >= 0).all()


def test_bad_options_are_refused(codes, z):
    for options, message in [
        ({"confidence": 0.5}, "confidence is 0.5; it must be above 0.5 and below 1"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"metric": "l1"}, "metric is 'l1'; it must be one of euclidean, within"),
        ({"keep": "b"}, "keep is 'b'; it must be a list"),
        ({"keep": ["bb"]}, "no attribute 'bb' was fitted"),
    ]:
        with pytest.raises(ValueError) as error:
            LinearProbe(codes, **options)
        assert message in str(error.value)
    with pytest.raises(ValueError, match="'a' is both a target and to be kept"):
        LinearProbe(codes, keep=["a"])(z, {"a": "a1"})
