"""What unknown words cost: by hand, against the definition, and where nothing is unknown."""

import math

import pytest

from textae.ngram import UNK, TrigramLM
from textae.spelling import SpelledLM

TRAIN = ["the baker sings .", "the baker waits .", "the miller sings .", "the tiller waits .", "the gull sings ."]
KNOWN = ["the", "baker", "sings", "waits", "."]


@pytest.fixture(scope="module")
def model():
    return SpelledLM.fit(TRAIN, TrigramLM.fit(TRAIN, vocabulary=KNOWN))


def test_an_unknown_word_is_charged_for_its_characters_and_their_end(model):
    letters = TrigramLM.fit(["m i l l e r", "t i l l e r", "g u l l"])
    nats = -model.lm.log_prob("the filler waits .") - letters.log_prob("f i l l e r")
    assert model.perplexity(["the filler waits ."]) == pytest.approx(math.exp(nats / 5))
    assert model.spelling_nats("filler") == pytest.approx(-letters.log_prob("f i l l e r")) and model.spelling_nats("baker") == 0


def test_the_spellings_of_unknown_words_share_one_probability(model):
    """Summed over all spellings of up to 4 characters p(spelling) stays below 1."""
    alphabet = "milertgu"
    total, spellings = 0.0, [""]
    for _ in range(4):
        spellings = [s + c for s in spellings for c in alphabet]
        total += sum(math.exp(-model.spelling_nats(s)) for s in spellings)
    assert 0.05 < total < 1


def test_what_looks_like_a_word_is_likelier_than_what_does_not(model):
    assert model.spelling_nats("till") < model.spelling_nats("tlli") < model.spelling_nats("日本語火")


def test_known_text_costs_what_it_did_and_a_marker_has_no_spelling(model):
    for sentences in (TRAIN[:2], [f"the {UNK} waits .", ""]):
        assert model.perplexity(sentences) == pytest.approx(model.lm.perplexity(sentences))
    assert model.unknown([f"the {UNK} waits ."]) == 25 and model.unknown(TRAIN[:2]) == 0 and model.unknown([""]) == 0


def test_text_whose_words_all_repeat_teaches_the_spellings_of_its_vocabulary():
    model = SpelledLM.fit(TRAIN, TrigramLM.fit(TRAIN))
    assert set("thebakrsingw.mlu") == set(model.letters.ids) and model.spelling_nats("thing") < model.spelling_nats("gnhti")


def test_folded_case_is_folded_before_it_is_spelled():
    model = SpelledLM.fit(TRAIN, TrigramLM.fit(TRAIN, vocabulary=KNOWN, lowercase=True))
    assert model.perplexity(["THE FILLER WAITS ."]) == model.perplexity(["the filler waits ."]) and model.unknown(["THE FILLER"]) == 50


def test_endless_words_are_infinite_and_mistakes_are_named(model):
    assert model.perplexity(["x" * 5000]) == math.inf
    for call in (model.perplexity, model.unknown, lambda s: SpelledLM.fit(s, model.lm)):
        with pytest.raises(ValueError, match="sentences is empty"):
            call([])
        with pytest.raises(ValueError, match="not one string"):
            call("the baker")
