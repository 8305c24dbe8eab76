"""Models side by side: figures as the evaluation has them, intervals that hold the truth as often as they say."""

import math

import pytest
import torch

from textae.comparison import STATISTICS, compare, table
from textae.core.evaluation import Evaluation
from textae.metrics import bleu_of_statistics, bleu_statistics, corpus_bleu
from textae.space import LatentSpace


def columns(values, name="nll"):
    values = torch.as_tensor(values, dtype=torch.float64)
    return Evaluation({name: values.mean().item()}, {"count": torch.ones(len(values)), name: values})


def test_statistics_give_back_the_figures(processor, new_model, sentences):
    """Without resampling, every figure with an interval is what the evaluation said."""
    space = LatentSpace(new_model(processor, seed=1, scale=2.0), processor)
    found = space.measure(sentences[:8], samples=3)
    assert set(STATISTICS) <= set(found.figures)
    for name, statistic in STATISTICS.items():
        sums = [found.columns[c].double().sum(0)[None] for c in statistic.columns]
        assert statistic.of(*sums, 8).item() == pytest.approx(found.figures[name], rel=1e-6), name


def test_bleu_adds_up_over_sentences():
    said = ["the cat sat on the mat .", "a dog", "", "it rains in the evening today ."]
    right = ["the cat sat on a mat .", "a dog ran off .", "she left .", "it rains in the evening today ."]
    rows = bleu_statistics(said, right)
    assert rows.shape == (4, 10)
    assert bleu_of_statistics(rows.sum(0)[None]).item() == pytest.approx(corpus_bleu(said, right))
    assert bleu_of_statistics(rows[1:].sum(0)[None]).item() == pytest.approx(corpus_bleu(said[1:], right[1:]))


def test_intervals_of_means_are_those_of_the_normal_approximation():
    torch.manual_seed(0)
    values = torch.randn(2000, dtype=torch.float64)
    row = compare({"a": columns(values), "b": columns(values + 0.1 * torch.randn(2000))})[0]
    cell, half = row["values"]["a"], 1.96 * values.std().item() / math.sqrt(2000)
    assert cell["value"] == pytest.approx(values.mean().item())
    assert cell["high"] - cell["value"] == pytest.approx(half, rel=0.1) and cell["value"] - cell["low"] == pytest.approx(half, rel=0.1)


def test_pairing_takes_away_what_both_find_hard():
    torch.manual_seed(1)
    hard = 10 * torch.randn(500, dtype=torch.float64)
    row = compare({"a": columns(hard), "b": columns(hard + 0.5 + 0.1 * torch.randn(500))})[0]
    difference, own = row["differences"]["b"], row["values"]["b"]
    assert 0.4 < difference["low"] < difference["value"] < difference["high"] < 0.6
    assert own["high"] - own["low"] > 20 * (difference["high"] - difference["low"])
    assert row["differences"].keys() == {"b"} and compare({"a": columns(hard), "b": columns(hard)})[0]["differences"]["b"] == {"value": 0, "low": 0, "high": 0}


def test_figures_without_columns_stand_without_intervals():
    first, second = columns([1.0, 2.0]), columns([2.0, 3.0])
    first.figures |= {"mi": 1.5, "only_here": 1, "on": "text"}
    second.figures |= {"mi": 2.0, "nll_curve": [[1, 2.0]]}
    rows = {row["figure"]: row for row in compare({"a": first, "b": second})}
    assert set(rows) == {"nll", "mi", "only_here"} and rows["only_here"]["values"] == {"a": {"value": 1}} and not rows["only_here"]["differences"]
    assert rows["mi"]["values"]["b"] == {"value": 2.0} and rows["mi"]["differences"]["b"] == {"value": 0.5}
    shown = table(list(rows.values()))
    assert "1.500" in shown and "difference" in shown and "+1.000 [+1.000, +1.000]" in shown and shown.splitlines()[0].split() == ["a", "b"]


def test_shares_of_unknown_words_that_differ_are_said():
    first, second = columns([1.0, 2.0]), columns([2.0, 3.0])
    first.figures["unknown_tokens"], second.figures["unknown_tokens"] = 2.0, 2.0
    assert "<unk>" not in table(compare({"a": first, "b": second}))
    second.figures["unknown_tokens"] = 0.5
    assert "nats and perplexities do not compare" in table(compare({"a": first, "b": second}))


def test_draws_repeat_with_the_seed():
    a, b = columns(torch.rand(50)), columns(torch.rand(50))
    assert compare({"a": a, "b": b}, seed=1) == compare({"a": a, "b": b}, seed=1) != compare({"a": a, "b": b}, seed=2)


@pytest.mark.parametrize(
    "models, options, message",
    [({"a": columns([1.0])}, {}, "at least two"), ({"a": columns([1.0]), "b": columns([1.0, 2.0])}, {}, "different lengths: a 1, b 2"),
     ({"a": columns([1.0]), "b": columns([1.0])}, {"resamples": 0}, "resamples is 0"), ({"a": columns([1.0]), "b": columns([1.0])}, {"level": 1.0}, "level 1.0")],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(models, options, message):
    with pytest.raises(ValueError, match=message):
        compare(models, **options)
