"""The card says what a model is, in the words of its kind, and nothing that was not measured."""

import json

import pytest

from textae.core.card import FIGURES, LABELS, read_figures, render_card, write_figures

TRAINING = {"command": "textae train --config x", "seed": 3, "validation_loss": 12.5}


def card(posterior="gaussian", **figures):
    config = {"model": {"name": "mlp", "posterior": posterior}, "card": {"title": "mine: a model", "name": "mine", "use": 'open("{name}")', "limits": "Small."}}
    return render_card(config, {"training": TRAINING, **figures})


@pytest.mark.parametrize("posterior, tag, loss", [("gaussian", True, "Validation -ELBO against N(0, I)"), ("point", False, "Validation reconstruction")])
def test_a_point_code_is_no_vae_and_has_no_bound(posterior, tag, loss):
    text = card(posterior)
    assert ("- vae\n" in text) == tag and f"- {loss}, nats per example: 12.5" in text


@pytest.mark.parametrize("model, words", [({"posterior": "vmf"}, "uniform on the sphere"), ({"posterior": "quantized"}, "uniform over codes"), ({"prior": "vamp"}, "VampPrior"), ({}, "N(0, I)")])
def test_the_prior_is_what_the_model_was_trained_under(model, words):
    text = render_card({"model": {"name": "rnn", **model}}, {"training": TRAINING})
    assert f"- Prior: {words}" in text and f"Validation -ELBO against {words}" in text
    fitted = render_card({"model": {"name": "rnn", **model}}, {"training": TRAINING, "prior": "mixture fitted"})
    assert "- Prior: mixture fitted" in fitted and f"Validation -ELBO against {words}" in fitted


def test_it_begins_with_front_matter_and_shows_what_is_there():
    text = card()
    assert text.startswith("---\nlibrary_name: textae\nlicense: other\n") and "\n# mine: a model\n" in text
    assert 'open("mine")' in text and "## Limits\n\nSmall." in text and "- Seed: 3" in text
    assert "## Evaluation" not in text


def test_an_evaluation_is_a_table_of_known_figures():
    text = card(evaluation={"on": "our words", "command": "textae evaluate", "samples": 7, "kl": 0.123456, "num_examples": 12345, "nobody": 1.0})
    assert "On our words; `textae evaluate`" in text and "0.1235" in text and "12,345" in text and "nobody" not in text
    assert "Importance weights: 7 draws." in text and "Importance weights" not in card(evaluation={"bleu": 1.0})


def test_figures_and_card_are_written_together(tmp_path):
    assert read_figures(tmp_path) == {}
    write_figures(tmp_path, {"model": {"name": "mlp"}}, {"training": TRAINING})
    assert read_figures(tmp_path) == json.loads((tmp_path / FIGURES).read_text()) == {"training": TRAINING}
    assert (tmp_path / "README.md").read_text() == render_card({"model": {"name": "mlp"}}, {"training": TRAINING})


def test_a_card_tells_unknown_words_of_samples_from_those_of_real_text():
    figures = {"forward_ratio": 0.65, "forward_spelled_ratio": 9.5, "unknown": 85.8, "unknown_real": 0.87}
    assert [key for key in LABELS if key in figures] == list(figures)
    card = render_card({}, {"evaluation": figures})
    assert "charged for their spelling too | 9.50 | × |" in card and "vocabulary | 85.80 | % |" in card and "validation text | 0.87 | % |" in card
