"""Chips: whatever is proposed, the model at hand can do."""

import pytest

from apps.chat.replies import HINT_CHIPS, offered
from apps.chat.walk import Walk

MESSAGES = ["help", "hello", "We like tea.", "neighbours", "surprise me", "past and future", "make it neutral", "50 sentences", "“a” “b”", "banana", "make it pasd"]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_model_without_attributes_proposes_no_edits(plain, message):
    for walk in (Walk("tiny"), plain.answer(Walk("tiny"), "We see tea.")):
        chips = plain.answer(walk, message).turns[-1].chips
        assert chips and not [c for c in chips if any(word in c for word in ("make it", "more", "less", "negative"))], chips


def test_help_proposes_the_model_s_own(told, plain):
    for guide in (told, plain):
        chips = guide.answer(guide.answer(Walk("x"), guide.pair[1]), "help").turns[-1].chips
        assert f"from “{guide.pair[0]}” to “{guide.pair[1]}”" in chips
        assert any(chip.startswith(("make it", "more")) for chip in chips) == bool(guide.attributes)


def test_hints_offer_what_can_be_done(told):
    assert all(offered(chip, told.attributes) for chips in HINT_CHIPS.values() for chip in chips)
    assert not offered("3 negative sentences", {"tense": ["past", "present"]}) and offered("a bit less positive", {"sentiment": ["negative", "positive"]})
