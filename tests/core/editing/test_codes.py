"""What is fitted to labelled codes: statistics in closed form, probes that find the right direction, and clear refusals."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from textae.core.editing import AttributeCodes
from textae.core.editing.classifiers import L2_PATH, Linear, fit_linear, log_odds, split
from textae.core.editing.codes import label_ids
from textae.core.editing.moments import within_covariance

QUICK = {"steps": 60, "hidden_dim": 8}


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0).item()


def test_means_counts_and_scale_are_those_of_the_groups(fitted, labelled):
    z, rows = labelled
    assert list(fitted.attributes) == ["mood", "tense"] and fitted["mood"].values == ("bad", "flat", "good")
    for name, attribute in fitted.attributes.items():
        for k, value in enumerate(attribute.values):
            members = torch.tensor([row[name] == value for row in rows])
            assert attribute.counts[k] == members.sum()
            assert_close(attribute.means[k], z[members].double().mean(0).float())
    assert fitted.scale == pytest.approx(z.double().var(0, unbiased=False).mean().sqrt().item(), rel=1e-6)
    assert fitted.num_examples == 1200 and fitted.latent_dim == 5


def test_the_probe_recovers_the_direction_of_linear_discriminant_analysis(codes_of):
    """With groups N(m_k, Σ) the log-odds are linear with the weights Σ⁻¹(m_1 - m_0)."""
    mix = torch.randn(4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    covariance = mix @ mix.T + 0.3 * torch.eye(4, dtype=torch.float64)
    z, rows = codes_of(20_000, dim=4, covariance=covariance, moods=False)
    tense = AttributeCodes.fit(z, rows, l2=1e-6, steps=800, hidden_dim=8)["tense"]
    truth = torch.linalg.solve(covariance, torch.tensor([2.0, 0, 0, 0], dtype=torch.float64))
    found = tense.probe.weight[1] - tense.probe.weight[0]
    assert cosine(found, truth) > 0.998
    assert found.norm().item() == pytest.approx(truth.norm().item(), rel=0.05)
    distance = (truth[0] * 2.0).sqrt().item()  # Mahalanobis; the Bayes rule is right with Φ(distance / 2)
    bayes = torch.special.ndtr(torch.tensor(distance / 2)).item()
    assert tense.accuracy == pytest.approx(bayes, abs=0.02) and tense.mlp_accuracy == pytest.approx(bayes, abs=0.02)
    assert 0.49 < tense.majority < 0.52


def test_the_probe_is_where_its_loss_has_no_slope(labelled):
    z, rows = labelled
    _, labels = label_ids(rows, None)
    z, y = z.double(), labels[:, 0]
    mean, scale = z.mean(0), float((z - z.mean(0)).square().mean().sqrt())
    probe, _, _ = fit_linear(split(z, y, 3, mean, scale, 0.1, 0), 0.01)
    weight, bias = (t.double().requires_grad_() for t in (probe.weight, probe.bias))
    logits = z @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(logits, y) + 0.005 * (scale * weight).square().sum()
    for slope in torch.autograd.grad(loss, [weight, bias]):
        assert slope.abs().max() < 1e-6


def test_the_penalty_is_the_one_that_explains_held_out_codes_best(labelled):
    z, rows = labelled
    noise = torch.randn(60, 40, generator=torch.Generator().manual_seed(0))
    few = AttributeCodes.fit(noise, [{"tense": ("a", "b")[i % 2]} for i in range(60)], **QUICK)
    many = AttributeCodes.fit(z, rows, **QUICK)
    assert few["tense"].l2 == max(L2_PATH) > many["tense"].l2  # noise is not to be believed
    assert few.probabilities(noise, "tense").max() < 0.9
    assert AttributeCodes.fit(z, rows, l2=0.5, **QUICK)["tense"].l2 == 0.5


def test_a_dimension_that_hardly_varies_gets_no_weight(codes_of):
    """With a scale for each dimension it would, and the shortest step would move what no decoder listens to."""
    z, rows = codes_of(400, moods=False)
    z[:, 4] = 1e-3 * (z[:, 0] + torch.randn(400, generator=torch.Generator().manual_seed(1)))
    weight = AttributeCodes.fit(z, rows, **QUICK)["tense"].probe.weight
    assert weight[:, 4].abs().max() < 0.05 * weight[:, 0].abs().max()


def test_covariance_within_groups_forgets_the_groups(codes_of):
    mix = torch.randn(5, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    covariance = mix @ mix.T / 5 + 0.2 * torch.eye(5, dtype=torch.float64)
    z, rows = codes_of(20_000, covariance=covariance)
    _, labels = label_ids(rows, None)
    found = within_covariance(z.double(), labels)
    assert_close(found, covariance, atol=0.03, rtol=0.03)
    one = within_covariance(
        z.double(), labels[:, 1:]
    )  # one attribute: pooled within its groups, mood's spread included
    groups = [z[labels[:, 1] == k].double() for k in range(2)]
    pooled = sum((g - g.mean(0)).T @ (g - g.mean(0)) for g in groups) / (len(z) - 2)
    assert_close(one, pooled, atol=2e-3, rtol=2e-3)
    assert one[1, 1] > covariance[1, 1] + 1


def test_covariance_has_an_inverse_even_for_few_codes():
    z = torch.randn(12, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(12)[:, None] % 2
    values = torch.linalg.eigvalsh(within_covariance(z, labels))
    assert 0.1 < values.min() and values.max() < 5  # the identity; unshrunk 20 eigenvalues are 0


def test_probabilities_are_softmaxes_and_log_odds_their_logits(fitted, labelled):
    z = labelled[0][:7]
    for kind in ("probe", "mlp"):
        p = fitted.probabilities(z, "mood", kind)
        assert p.shape == (7, 3) and p.dtype == torch.float64
        assert_close(p.sum(1), torch.ones(7, dtype=torch.float64))
        for k in range(3):
            assert_close(log_odds(fitted.logits(z, "mood", kind), k), torch.logit(p[:, k]))
    linear = Linear(torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([0.5, 0]))
    assert_close(log_odds(linear.logits(torch.tensor([[3.0, 1]])), 0), torch.tensor([1.5], dtype=torch.float64))


def test_a_fit_is_a_function_of_its_arguments(labelled):
    z, rows = labelled
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    first, second = (AttributeCodes.fit(z, rows, **QUICK) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    other = AttributeCodes.fit(z, rows, l2=1.0, seed=1, **QUICK)
    for name in ("hidden_weight", "output_bias"):
        assert torch.equal(getattr(first["mood"].mlp, name), getattr(second["mood"].mlp, name))
        assert not torch.equal(getattr(first["mood"].mlp, name), getattr(other["mood"].mlp, name))
    assert torch.equal(first["mood"].probe.weight, second["mood"].probe.weight)
    with torch.no_grad():
        unwatched = AttributeCodes.fit(z, rows, l2=1.0, **QUICK)
    assert torch.equal(unwatched["mood"].mlp.output_weight, first["mood"].mlp.output_weight)


def test_indices_say_the_same_as_rows(labelled):
    z, rows = labelled
    values = {"tense": ["past", "present"], "mood": ["bad", "flat", "good"]}
    _, ids = label_ids(rows, values)
    ids[5, 1] = -1
    rows = [{**row, "tense": None} if i == 5 else row for i, row in enumerate(rows)]
    by_rows = AttributeCodes.fit(z, rows, l2=0.1, **QUICK)
    for given in (ids, ids.numpy(), ids.to(torch.int32)):
        by_ids = AttributeCodes.fit(z, given, values=values, l2=0.1, **QUICK)
        assert torch.equal(by_rows["tense"].probe.weight, by_ids["tense"].probe.weight)
        assert sum(by_ids["tense"].counts) == 1199 and sum(by_ids["mood"].counts) == 1200


def test_missing_labels_only_cost_their_own_attribute(labelled):
    z, rows = labelled
    part = [dict(row) if i < 900 else {"mood": row["mood"]} for i, row in enumerate(rows)]
    part[0] = {"tense": None, "mood": None}
    found = AttributeCodes.fit(z, part, **QUICK)
    assert sum(found["tense"].counts) == 899 and sum(found["mood"].counts) == 1199


def test_order_of_values_is_the_one_given(labelled):
    z, rows = labelled
    found = AttributeCodes.fit(z, rows, values={"mood": ["good", "flat", "bad"], "tense": ["present", "past"]}, **QUICK)
    assert found["mood"].values == ("good", "flat", "bad") and found["tense"].index("past") == 1


GOOD = [{"tense": "past"}, {"tense": "present"}] * 3
CODES = torch.arange(12.0).view(6, 2) ** 2


@pytest.mark.parametrize(
    ("codes", "rows", "options", "message"),
    [
        (CODES, [{"tense": "past"}] * 6, {}, "'tense' has one value only, 'past'"),
        (CODES, [{"tense": None}] * 6, {}, "'tense' has no labels at all"),
        (CODES, [{}] * 6, {}, "there are no labels"),
        (CODES, GOOD[:5] + [{"tense": "future"}], {}, "value 'future' has 1 labelled code; each needs at least 2"),
        (CODES, GOOD, {"values": {"tense": ["past", "present", "future"]}}, "value 'future' has no labelled codes"),
        (CODES, GOOD, {"values": {"tense": ["past", "presnt"]}}, "no value 'present': did you mean 'presnt'"),
        (CODES, GOOD, {"values": {"tens": ["past", "present"]}}, "attribute 'tense' that is not in values: did you mean 'tens'"),
        (CODES, GOOD, {"values": {"tense": ["past", "past"]}}, "must be different texts"),
        (CODES, GOOD[:5], {}, "6 codes come with 5 rows"),
        (CODES, [{"tense": 1}] * 6, {}, "row 1: 'tense' is 1; a value is text"),
        (CODES, ["past"] * 6, {}, "row 1 of the labels is str"),
        (CODES[0], GOOD, {}, "codes have shape (2,)"),
        (CODES[:0], [], {}, "there are no codes"),
        (CODES.clone().fill_(1.0), GOOD, {}, "all codes are equal"),
        (torch.tensor([[0.0], [1]] * 3), GOOD, {}, "codes of each group are all equal"),
        (CODES / 0, GOOD, {}, "finite"),
        (CODES, torch.zeros(6, 1, dtype=torch.long), {}, "labels as indices need values"),
        (CODES, torch.zeros(6, 2, dtype=torch.long), {"values": {"a": ["x", "y"]}}, "integers of shape (N, 1)"),
        (CODES, torch.zeros(6, 1), {"values": {"a": ["x", "y"]}}, "integers of shape (N, 1)"),
        (CODES, np.full((6, 1), 2), {"values": {"a": ["x", "y"]}}, "go from 2 to 2"),
        (CODES, GOOD, {"held_out": 0}, "held_out is 0"),
        (CODES, GOOD, {"l2": 0}, "l2 is 0"),
        (CODES, GOOD, {"steps": 0}, "steps=0"),
    ],
)  # fmt: skip
def test_bad_labels_and_codes_are_refused(codes, rows, options, message):
    with pytest.raises(ValueError) as error:
        AttributeCodes.fit(codes, rows, **options)
    assert message in str(error.value)


def test_two_codes_of_each_value_are_enough():
    found = AttributeCodes.fit(CODES[:4], GOOD[:4], **QUICK)
    assert found["tense"].counts == (2, 2) and found.within.isfinite().all()


def test_unknown_names_list_what_exists(fitted, labelled):
    z = labelled[0]
    with pytest.raises(ValueError, match="no attribute 'tens' was fitted.*did you mean 'tense'.*mood, tense"):
        fitted.probabilities(z, "tens")
    with pytest.raises(ValueError, match="no classifier of codes 'svm'.*mlp, probe"):
        fitted.probabilities(z, "tense", "svm")
    with pytest.raises(ValueError, match=r"shape \(1200, 4\); they must be rows of 5 numbers"):
        fitted.probabilities(z[:, :4], "tense")
