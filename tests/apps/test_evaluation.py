"""Evaluation on a named data set: measures by name, models side by side, and a language model as the judge of samples."""

import gzip
import random

import pytest

from apps.evaluation import compare, evaluate, show
from apps.fluency import lm_quality, nats, nats_per_word, open_lm, ppl, readable, train_like
from apps.run import train
from textae.comparison import table
from textae.space import LatentSpace

TINY = {"embedding_dim": 12, "hidden_dim": 16}
TRAINER = {"epochs": 3, "lr": 2e-2, "device": "cpu", "progress": False, "precision": "fp32"}


def grammar(num, seed):
    draw = random.Random(seed)
    return [
        f"{draw.choice(['the cat', 'my friend', 'she', 'the old dog'])} {draw.choice(['sees', 'buys', 'likes'])} "
        f"{draw.choice(['bread', 'a red house', 'tea'])}{draw.choice(['', ' today', ' in the evening'])} ."
        for _ in range(num)
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of data sets with a small `ptb`, and under it runs of a language model and of two VAEs."""
    place = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTAE_DATA", str(place))
        (place / "ptb").mkdir()
        for split, num, seed in (("train", 240, 1), ("valid", 24, 2)):
            with gzip.open(place / "ptb" / f"ptb.{split}.txt.gz", "wt") as file:
                file.write("".join(f" {s} \n" for s in grammar(num, seed)))
        models = {"lm": {"name": "lm", **TINY}, "a": {"name": "rnn", "latent_dim": 3, "encoder_hidden_dim": 8, **TINY},
                  "b": {"name": "rnn", "latent_dim": 3, "encoder_hidden_dim": 8, **TINY, "hidden_dim": 8}}  # fmt: skip
        for name, model in models.items():
            train({
                "model": model, "data": {"name": "ptb", "batch_size": 16}, "tokenizer": {"kind": "word", "vocab_size": 60, "min_frequency": 1},
                "objective": {"reconstruction": None, **({} if name == "lm" else {"kl": {"weight": 0.2}})}, "trainer": TRAINER, "out": str(place / name),
            })  # fmt: skip
        yield place


def test_any_subset_and_the_whole(place):
    whole = evaluate(str(place / "a"), data="ptb", samples=4, num_samples=50)
    assert {"nll", "nll_curve", "mi", "bleu", "token_accuracy", "forward_ratio", "forward_spelled_ratio", "unknown", "unknown_real", "length", "length_real", "path_change", "path_nats", "command"} <= set(whole)
    assert len(whole["path_nats"]) == 7 and whole["path_nats_ratio"] > 0 and not any(key.startswith("lm_") for key in whole)
    some = evaluate(str(place / "a"), data="ptb", samples=4, num_samples=50, only=["samples", "drawn", "interpolation"])
    assert {k: v for k, v in whole.items() if k in some and k != "minutes"} == {k: v for k, v in some.items() if k != "minutes"}
    assert "nll" not in some and "forward_ratio" in some and "path_nats" in some
    without = evaluate(str(place / "a"), grammar(6, 5), only=["interpolation"])
    assert "path_change" in without and "path_nats" not in without, "no text was given to count"


def test_words_are_drawn_too_where_that_is_asked_for_and_always_by_a_language_model(place):
    drawn = evaluate(str(place / "a"), data="ptb", num_samples=100, only=["drawn"])
    assert {"drawn_forward_ratio", "drawn_reverse_ratio", "drawn_copied"} <= set(drawn) and not {"forward_ratio", "drawn_length_real"} & set(drawn)
    likeliest = evaluate(str(place / "a"), data="ptb", num_samples=100, only=["samples"])
    assert likeliest["distinct_2"] < drawn["drawn_distinct_2"] and "drawn_distinct_2" not in likeliest
    of_lm = evaluate(str(place / "lm"), data="ptb", num_samples=100, only=["samples"])
    again = evaluate(str(place / "lm"), data="ptb", num_samples=100, only=["drawn"])
    assert "forward_ratio" not in of_lm and of_lm["drawn_forward_ppl"] == again["drawn_forward_ppl"]


def test_lists_of_numbers_fit_a_line():
    shown = show({"nll": 1.23456, "nll_curve": [[1, 2.0], [10, 1.5]], "path_nats": [1.0, 2.0], "kl_per_dimension": [0.25] * 12, "num_examples": 3})
    assert shown.splitlines() == [
        f"{'nll':24} 1.2346", f"{'nll_curve':24} 1: 2.0000  10: 1.5000", f"{'path_nats':24} 1.0000 2.0000",
        f"{'kl_per_dimension':24} 0.2500 0.2500 0.2500 ... 0.2500 (12 numbers, 3.0000 in all)", f"{'num_examples':24} 3",
    ]  # fmt: skip


def test_models_side_by_side(place):
    rows = {row["figure"]: row for row in compare([str(place / n) for n in ("a", "b", "lm")], data="ptb", samples=3, num_samples=0, resamples=200)}
    names = [str(place / n) for n in ("a", "b", "lm")]
    for figure in ("nll", "ppl", "kl", "bleu", "exact_match", "token_accuracy"):
        cells = [rows[figure]["values"][name] for name in names]
        assert all(cell["low"] <= cell["value"] + 1e-9 and cell["value"] - 1e-9 <= cell["high"] for cell in cells), figure
        assert set(rows[figure]["differences"]) == set(names[1:])
        for name in names[1:]:
            assert rows[figure]["differences"][name]["value"] == pytest.approx(rows[figure]["values"][name]["value"] - cells[0]["value"])
    assert rows["kl"]["values"][names[2]]["value"] == 0 and "low" not in rows["mi"]["values"][names[0]]
    assert {"samples", "seed", "minutes", "on"}.isdisjoint(rows) and "[" in table(list(rows.values()))


def test_a_language_model_of_real_text_and_of_samples(place):
    real, valid = grammar(240, 1), grammar(24, 2)
    lm = str(place / "lm")
    same = lm_quality(grammar(200, 9), real, valid, lm)
    noise = [" ".join(random.Random(i).choices("the cat sees tea bread she today .".split(), k=6)) for i in range(200)]
    worse = lm_quality([*noise[:-2], "", "tea " * 300], real, valid, lm)
    assert 0.8 < same["lm_forward_ratio"] < 1.25 and 0.8 < same["lm_reverse_ratio"] < 1.25 and same["lm_skipped"] == 0
    assert worse["lm_forward_ratio"] > 2 and worse["lm_reverse_ratio"] > 1.5
    assert worse["lm_samples"] == 198 and worse["lm_skipped"] == pytest.approx(0.01)
    best = {198: 12.5}
    assert lm_quality(noise[:60], real, valid, lm, best=best)["lm_reverse_ppl_real"] == best[60] != 12.5, "of as many sentences, or none"
    assert lm_quality([*noise[:59], "the"], real, valid, lm, best=best)["lm_reverse_ppl_real"] == best[60] and set(best) == {198, 60}
    assert same["lm_forward_ppl_real"] == worse["lm_forward_ppl_real"] == pytest.approx(ppl(open_lm(lm), valid))


def test_evaluate_asks_the_language_model_where_one_is_given(place):
    found = evaluate(str(place / "a"), data="ptb", num_samples=60, only=["lm"], lm=str(place / "lm"))
    assert {"lm_forward_ratio", "lm_reverse_ratio", "lm_samples"} <= set(found) and "forward_ratio" not in found and "nll" not in found
    assert "drawn_lm_forward_ratio" not in found and "lm_path_nats" not in found
    drawn = evaluate(str(place / "a"), data="ptb", num_samples=60, only=["samples", "drawn", "lm", "interpolation"], lm=str(place / "lm"))
    assert drawn["lm_reverse_ppl"] == found["lm_reverse_ppl"] and drawn["lm_reverse_ppl_real"] == found["lm_reverse_ppl_real"]
    assert drawn["drawn_lm_forward_ppl"] != drawn["lm_forward_ppl"] and drawn["lm"] == str(place / "lm") and "drawn_lm" not in drawn
    assert len(drawn["lm_path_nats"]) == len(drawn["path_nats"]) and drawn["lm_path_nats"] != drawn["path_nats"]


def test_every_sentence_of_a_path_has_its_nats(place):
    lm = open_lm(str(place / "lm"))
    real = grammar(5, 2)
    costs = nats_per_word(lm, [*real, "", "tea " * 300])
    assert costs[:5] == pytest.approx([cost / (len(s.split()) + 1) for cost, s in zip(nats(lm, real), real, strict=True)], rel=1e-4)
    assert all(0 < cost < 100 for cost in costs[5:])


@pytest.mark.parametrize("options, message", [({"lm": "nowhere"}, "nowhere"), ({"lm": "{place}/a"}, "the judge of samples is a language model"), ({"lm": "{place}/lm", "only": "bleu"}, "add one, or leave --lm out")])
def test_a_judge_that_cannot_judge_is_refused_before_anything_is_measured(place, options, message, monkeypatch):
    monkeypatch.setattr(LatentSpace, "measure", lambda *_, **__: pytest.fail("measured first"))
    with pytest.raises(ValueError, match=message):
        evaluate(str(place / "a"), data="ptb", num_samples=60, **{k: [v] if k == "only" else v.format(place=place) for k, v in options.items()})


def test_its_like_has_its_tokenizer_and_settings(place, tmp_path):
    lm = open_lm(str(place / "lm"))
    other = open_lm(str(train_like(lm.folder, grammar(60, 3), tmp_path)))
    assert other.processor.tokenizer.get_vocab() == lm.processor.tokenizer.get_vocab() and other.model.config.hidden_dim == 16
    assert len((tmp_path / "train.txt").read_text().splitlines()) == 57 and len((tmp_path / "valid.txt").read_text().splitlines()) == 3


def test_what_cannot_be_asked_is_left_out(place):
    lm = open_lm(str(place / "lm"))
    assert readable(lm, ["the  cat\nsees tea .", "", "  ", "tea " * 300]) == ["the cat sees tea ."] and readable(lm, [""]) == []


@pytest.mark.parametrize(
    "options, message",
    [({"only": ["blue"]}, "did you mean 'bleu'"), ({"only": ["samples"]}, "give --data"), ({"only": ["samples"], "data": "ptb", "num_samples": 0}, "give --generate"),
     ({"only": ["lm"], "data": "ptb"}, "give --lm"), ({"lm": "x"}, "give --data")],
)  # fmt: skip
def test_measures_that_cannot_be_taken_are_refused_at_once(place, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(str(place / "a"), None if options.get("data") else ["she sees tea ."], **options)


def test_other_mistakes_are_one_sentence(place):
    with pytest.raises(ValueError, match="model of type 'textae_rnn'; the judge of samples is a language model"):
        open_lm(str(place / "a"))
    with pytest.raises(ValueError, match="can be used; a language model of them needs at least 40"):
        lm_quality(["she sees tea ."] * 39, ["a"] * 50, ["b"], str(place / "lm"))
    with pytest.raises(ValueError, match="two or more different models"):
        compare([str(place / "a"), str(place / "a")], ["she sees tea ."])
    with pytest.raises(ValueError, match="only models of sentences can be compared"):
        compare(["mnist-vae", "mnist-ae"], ["x"])
    with pytest.raises(ValueError, match="leave out --only"):
        evaluate("mnist-vae", data="digits", only=["mi"])
