"""Figures of edits: closed forms, agreement with the measures of sentences, intervals, and mistakes that are named."""

import math
import random

import numpy as np
import pytest

from textae.classifiers.bag import BagClassifier
from textae.classifiers.ngram import NgramClassifier
from textae.edit_metrics import edit_figures, tradeoff
from textae.metrics import corpus_bleu, distinct_n
from textae.ngram import TrigramLM

THINGS = ["soup", "room", "driver", "garden", "coat", "music"]
BAD, GOOD = ["awful", "cold", "rude"], ["lovely", "warm", "kind"]
SWAP = {**dict(zip(BAD, GOOD, strict=True)), **dict(zip(GOOD, BAD, strict=True))}


def reviews(num, seed, adjectives=BAD):
    rng = random.Random(seed)
    return [f"the {rng.choice(THINGS)} was so {rng.choice(adjectives)} at the inn ." for _ in range(num)]


def swapped(sentence):
    return " ".join(SWAP.get(word, word) for word in sentence.split())


TRAIN = reviews(60, 1) + reviews(60, 2, GOOD)
LABELS = ["bad"] * 60 + ["good"] * 60


@pytest.fixture(scope="module")
def judges():
    texts = [s for s in TRAIN if "lovely" not in s]
    narrow = NgramClassifier.train(texts, ["bad" if any(b in s for b in BAD) else "good" for s in texts], longest=1)
    return {"wide": NgramClassifier.train(TRAIN, LABELS), "narrow": narrow}


@pytest.fixture(scope="module")
def lm():
    return TrigramLM.fit(TRAIN)


def test_a_copy(judges, lm):
    sources = reviews(40, 3)
    figures = edit_figures(sources, [f" {s}  " for s in sources], "good", judges, lm, sources, resamples=20)
    assert figures.accuracy == figures.source_accuracy == 0
    assert figures.self_bleu == pytest.approx(100) and figures.geometric_mean == 0
    assert figures.content_overlap == figures.unchanged == 100
    assert figures.ppl_ratio == 1 and figures.ppl == figures.source_ppl
    assert figures.reference_bleu == pytest.approx(100)
    assert figures.exact_match == 0  # character for character, and there are blanks around it
    assert figures.intervals["ppl_ratio"] == (1, 1)


def test_a_template_that_swaps_words(judges, lm):
    sources = reviews(40, 3)
    edits = [swapped(s) for s in sources]
    figures = edit_figures(sources, edits, "good", {"wide": judges["wide"]}, lm, edits, resamples=0)
    assert figures.accuracy == 100 and figures.source_accuracy == 0
    assert figures.self_bleu == pytest.approx(corpus_bleu(edits, sources)) and 30 < figures.self_bleu < 90
    assert figures.geometric_mean == pytest.approx(math.sqrt(100 * figures.self_bleu))
    assert figures.unchanged == figures.empty == 0 and figures.exact_match == 100
    assert figures.content_overlap == pytest.approx(100 * 2 / 3)  # thing and inn stay, the adjective goes
    left = edit_figures(sources, edits, "good", {"wide": judges["wide"]}, lm, excluded=SWAP, resamples=0)
    assert left.content_overlap == 100
    assert (left.reference_bleu, left.exact_match, left.intervals) == (None, None, {})


def test_accuracy_is_the_mean_of_judges_and_each_is_told(judges, lm):
    sources = reviews(30, 4)
    edits = [s.replace("so ", "so lovely ") if i % 2 else swapped(s) for i, s in enumerate(sources)]
    wanted = ["good"] * 20 + ["bad"] * 10
    figures = edit_figures(sources, edits, wanted, judges, lm, resamples=0)
    expected = {name: judge.accuracy(edits, wanted) for name, judge in judges.items()}
    assert figures.accuracy_by_judge == pytest.approx(expected)
    assert figures.accuracy == pytest.approx(sum(expected.values()) / 2)
    assert len(set(expected.values())) == 2  # so that their mean is neither


def test_empty_edits_are_wrong_for_every_judge_and_counted(judges, lm):
    sources = reviews(10, 5)
    edits = ["", "  ", *map(swapped, sources[2:])]
    figures = edit_figures(sources, edits, "good", {"wide": judges["wide"]}, lm, sources, resamples=5)
    assert figures.accuracy == 80 and figures.empty == 20 and figures.unchanged == 0
    for value in ("good", "bad"):
        nothing = edit_figures(sources, [""] * 10, value, judges, lm, sources, resamples=5)
        assert (nothing.accuracy, nothing.self_bleu, nothing.geometric_mean, nothing.content_overlap) == (0, 0, 0, 0)
        assert nothing.ppl == pytest.approx(lm.perplexity([""])) and nothing.distinct_1 == 0


def test_perplexities_are_those_of_the_language_model(judges):
    lm = TrigramLM.fit(TRAIN, lowercase=True)
    sources, edits = reviews(20, 6), [s.upper() + " zebra" for s in reviews(20, 7, GOOD)]
    figures = edit_figures(sources, edits, "good", judges, lm, resamples=0)
    assert figures.ppl == pytest.approx(lm.perplexity(edits))
    assert figures.source_ppl == pytest.approx(lm.perplexity(sources))
    assert figures.ppl_ratio == pytest.approx(figures.ppl / figures.source_ppl) and figures.ppl_ratio > 1
    assert figures.distinct_1 == distinct_n(edits, 1) and figures.distinct_2 == distinct_n(edits, 2)


def test_several_references_as_sacrebleu_takes_them(judges, lm):
    import sacrebleu

    sources = reviews(12, 8)
    edits = [swapped(s) for s in sources]
    edits[3] = "Totally different words !"
    first, second = [s.replace("so", "very") for s in edits], [f"well , {s}" for s in sources]
    second[5] = edits[5]
    figures = edit_figures(sources, edits, "good", judges, lm, list(zip(first, second, strict=True)), resamples=0)
    assert figures.reference_bleu == pytest.approx(sacrebleu.corpus_bleu(edits, [first, second], force=True).score)
    assert figures.exact_match == pytest.approx(100 * 2 / 12)  # the fourth equals its first, the sixth its second
    single = edit_figures(sources, edits, "good", judges, lm, first, resamples=0)
    assert single.reference_bleu == pytest.approx(corpus_bleu(edits, first))
    assert single.exact_match == pytest.approx(100 / 12)


def test_intervals_hold_the_figure_and_shrink_with_the_root_of_the_size(judges, lm):
    sources = reviews(50, 9)
    edits = [swapped(s) if i % 5 else s for i, s in enumerate(sources)]
    one = {"wide": judges["wide"]}
    few = edit_figures(sources, edits, "good", one, lm, sources, resamples=400)
    many = edit_figures(sources * 16, edits * 16, "good", one, lm, sources * 16, resamples=400)
    names = {
        "accuracy",
        "accuracy:wide",
        "source_accuracy",
        "self_bleu",
        "geometric_mean",
        "ppl",
        "source_ppl",
        "ppl_ratio",
    }
    assert set(few.intervals) == names | {"content_overlap", "unchanged", "empty", "reference_bleu", "exact_match"}
    for name in ("accuracy", "self_bleu", "geometric_mean", "ppl_ratio", "unchanged", "content_overlap"):
        (low, high), (lower, higher) = few.intervals[name], many.intervals[name]
        assert low < getattr(few, name) < high
        assert getattr(many, name) == pytest.approx(getattr(few, name))
        assert lower < getattr(many, name) < higher
        assert (high - low) / (higher - lower) == pytest.approx(4, rel=0.25)
    low, high = few.intervals["accuracy"]  # 80 % of 50: the normal approximation of a binomial
    assert high - low == pytest.approx(2 * 1.96 * 100 * math.sqrt(0.8 * 0.2 / 50), rel=0.2)


def test_a_seed_decides_the_intervals_and_nothing_else(judges, lm):
    sources = reviews(20, 10)
    edits = [swapped(s) if i % 3 else s for i, s in enumerate(sources)]
    a, b, c = (edit_figures(sources, edits, "good", judges, lm, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert a == b and a.intervals != c.intervals
    assert {**vars(a), "intervals": 0} == {**vars(c), "intervals": 0}


def test_the_order_of_edits_does_not_matter(judges, lm):
    sources = reviews(20, 11)
    edits = [swapped(s) if i % 3 else s for i, s in enumerate(sources)]
    order = np.random.default_rng(0).permutation(20)
    a = edit_figures(sources, edits, "good", judges, lm, resamples=0)
    b = edit_figures([sources[i] for i in order], [edits[i] for i in order], "good", judges, lm, resamples=0)
    assert a.accuracy_by_judge == b.accuracy_by_judge
    assert {k: v for k, v in vars(a).items() if isinstance(v, float)} == pytest.approx(
        {k: v for k, v in vars(b).items() if isinstance(v, float)}
    )


def test_tradeoff_is_the_figures_at_each_strength_weakest_first(judges, lm):
    sources = reviews(20, 12)
    by_strength = {2.0: [swapped(s) for s in sources], -1: sources, 0.5: [*map(swapped, sources[:10]), *sources[10:]]}
    curve = tradeoff(sources, by_strength, "good", judges, lm, sources, excluded={"inn"}, resamples=10, seed=4)
    assert list(curve) == [-1, 0.5, 2.0]
    for strength, edits in by_strength.items():
        options = {"excluded": {"inn"}, "resamples": 10, "seed": 4}
        assert curve[strength] == edit_figures(sources, edits, "good", judges, lm, sources, **options)
    accuracy, bleu = ([getattr(f, name) for f in curve.values()] for name in ("accuracy", "self_bleu"))
    assert accuracy == sorted(accuracy) and bleu == sorted(bleu, reverse=True)


READER = BagClassifier(["bad", "good"], np.zeros((10, 2), dtype=np.float16))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": []}, "sources is empty"),
        ({"edits": []}, "edits is empty"),
        ({"edits": "a b"}, "not one string"),
        ({"edits": ["a"]}, "need one of each for every edit; got 2 sources, 1 edits, 1 wanted values"),
        ({"edits": ["a", None]}, "edit 2 is NoneType, not text"),
        ({"sources": ["a", " "]}, "source 2 is empty"),
        ({"wanted": ["good"]}, "2 edits, 1 wanted values"),
        ({"wanted": "god"}, "knows no value 'god': did you mean 'good'"),
        ({"references": ["a"]}, "1 references"),
        ({"references": []}, "references is empty"),
        ({"references": [["a"], []]}, "the references of edit 2 are \\[\\]"),
        ({"references": ["a", ""]}, "the references of edit 2 are ''"),
        ({"judges": {}}, "no judges"),
        ({"judges": {"mine": READER}}, "'mine' is a 'bag', which editors may ask"),
        ({"resamples": -1}, "resamples is -1"),
    ],
)
def test_mistakes_are_named(changes, message, judges, lm):
    given = {"sources": ["a b", "c d"], "edits": ["a", "b"], "wanted": "good", "judges": judges, "lm": lm}
    with pytest.raises(ValueError, match=message):
        edit_figures(**{**given, **changes})


def test_a_tradeoff_needs_finite_strengths(judges, lm):
    for by_strength, message in (({}, "at least one strength"), ({math.inf: ["a"]}, "no finite number")):
        with pytest.raises(ValueError, match=message):
            tradeoff(["a"], by_strength, "good", judges, lm)
