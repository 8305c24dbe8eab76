"""Evaluations: any subset by name, the same figures as the whole, and the columns that they are means of."""

import math

import pytest
import torch

from textae.space import LatentSpace


@pytest.fixture(scope="module")
def space(processor, new_model):
    return LatentSpace(new_model(processor, seed=1, scale=2.5), processor, name="tiny", batch_size=4)


@pytest.fixture(scope="module")
def whole(space, sentences):
    return space.measure(sentences[:9], samples=6)


def test_every_measure_alone_says_what_it_says_among_all(space, sentences, whole):
    """A subset costs less and changes nothing; what is not asked for is not there."""
    seen = set()
    for name in space.MEASURES:
        alone = space.evaluate(sentences[:9], only=[name], samples=6)
        shared = {"num_examples", "tokens_or_pixels"}
        assert set(alone) > shared
        assert {k: v for k, v in whole.figures.items() if k in alone} == alone
        seen |= set(alone)
    assert seen == set(whole.figures)


def test_figures_are_means_of_their_columns(whole):
    figures, columns = whole.figures, whole.columns
    for figure, column in (("nll", "nll"), ("elbo_nll", "elbo_nll"), ("kl", "kl"), ("reconstruction_at_mean", "reconstruction")):
        assert columns[column].shape == (9,) and columns[column].mean().item() == pytest.approx(figures[figure], rel=1e-6)
    assert columns["count"].sum() == figures["tokens_or_pixels"] and columns["words"].sum() == figures["words"]
    assert 100 * columns["token_hits"].sum() / columns["tokens"].sum() == pytest.approx(figures["token_accuracy"])


def test_the_running_curve_and_the_parts_of_the_kl_add_up(whole):
    curve = whole.figures["nll_curve"]
    assert [k for k, _ in curve] == [1, 2, 5, 6] and curve[-1][1] == pytest.approx(whole.figures["nll"])
    assert len(whole.figures["kl_per_dimension"]) == 4 and sum(whole.figures["kl_per_dimension"]) == pytest.approx(whole.figures["kl_standard"], rel=1e-5)
    assert whole.figures["mi_examples"] == 9 and whole.figures["ln_n"] == pytest.approx(math.log(9))


def test_perplexities_by_word_and_by_token(whole):
    """The tokenizer of these sentences has one token a word, so both agree; the end mark counts in each."""
    assert whole.figures["ppl"] == pytest.approx(whole.figures["ppl_per_token"]) == pytest.approx(
        math.exp(whole.figures["nll"] * 9 / (whole.figures["words"] + 9))
    )


def test_points_and_single_sentences(processor, new_model, sentences):
    point = LatentSpace(new_model(processor, posterior="point"), processor)
    found = point.measure(sentences[:3], only=["likelihood", "elbo", "kl", "mi", "reconstruction"])
    lacking = {name: value for name, value in found.figures.items() if value is None}
    assert lacking == dict.fromkeys(("nll", "elbo_nll", "kl", "mi")) and "reconstruction" in found.columns
    assert not {"nll_curve", "samples", "ppl"} & set(found.figures) and None not in point.measure(sentences[:3]).figures.values()
    one = LatentSpace(new_model(processor), processor).evaluate(sentences[:1], samples=2)
    assert one["mi"] == one["ln_n"] == 0 and "paths" not in one


def test_families_beside_the_gaussian(processor, new_model, sentences):
    """Everything with a density has a bound and a mutual information; its KL has dimensions only where it is a sum over them."""
    sphere = LatentSpace(new_model(processor, posterior="vmf"), processor).evaluate(sentences[:4], samples=3)
    groups = LatentSpace(new_model(processor, posterior="hierarchical"), processor).evaluate(sentences[:4], samples=3)
    for figures in (sphere, groups):
        assert {"nll", "nll_curve", "elbo_nll", "kl", "mi", "ppl", "effective_samples"} <= set(figures) and "kl_standard" not in figures
    assert "kl_per_dimension" not in sphere and sum(groups["kl_per_dimension"]) == pytest.approx(groups["kl"], rel=1e-4)


def test_unknown_measures_and_no_draws_are_refused(space, sentences):
    with pytest.raises(ValueError, match="no measure 'lieklihood'.*did you mean 'likelihood'"):
        space.evaluate(sentences[:2], only=["lieklihood"])
    with pytest.raises(ValueError, match="samples is 0"):
        space.evaluate(sentences[:2], samples=0)
    with pytest.raises(ValueError, match="samples is 0"):
        space.score(sentences[0], samples=0)


def test_a_language_model_is_measured_like_any(processor, sentences):
    from textae.core.autoencoder import make_config
    from textae.models.lm import SentenceLM, SentenceLMConfig

    torch.manual_seed(0)
    lm = SentenceLM(make_config(SentenceLMConfig, {"vocab_size": len(processor.tokenizer), "embedding_dim": 8, "hidden_dim": 8}))
    space = LatentSpace(lm, processor)
    figures = space.evaluate(sentences[:6], samples=5)
    assert figures["nll"] == pytest.approx(figures["elbo_nll"]) == pytest.approx(figures["reconstruction_at_mean"])
    assert figures["kl"] == figures["active_units"] == 0 and figures["mi"] == pytest.approx(0, abs=1e-9) and figures["effective_samples"] == 5
    assert figures == space.evaluate(sentences[:6], samples=5), "the words that it draws are seeded"


def test_an_unknown_word_is_never_rebuilt(processor, new_model, monkeypatch):
    """A model that says exactly what its tokenizer can write of a sentence: <unk> for a word is a miss, <unk> for one written out a hit."""
    space = LatentSpace(new_model(processor), processor)
    raw = ["the cat sees bread today .", "the cat sees zebra today .", "the cat sees <unk> today ."]
    monkeypatch.setattr(space, "rebuild", lambda sentences, attributes: [processor.normalize(s) for s in sentences])
    found = space.measure(raw, only=["bleu", "elbo"])
    assert found.columns["exact"].tolist() == [1, 0, 1] and found.columns["token_hits"].tolist() == [7, 6, 7]
    assert found.figures["bleu"] < 99 and found.figures["token_accuracy"] == pytest.approx(100 * 20 / 21)
    assert found.figures["unknown_tokens"] == pytest.approx(100 / 18)
