"""What messages do: each intent's answer over a tiny trained model, and the walk's own rules."""

from dataclasses import replace

import pytest
import torch

from apps.chat.moves import MOVES
from apps.chat.replies import HINTS
from apps.chat.walk import MAX_TURNS, Step, Turn, Walk

TEA, RAIN = "We like tea.", "They saw rain."


def last(walk: Walk) -> Turn:
    return walk.turns[-1]


def test_a_sentence_is_gone_to_and_measured(told, begun):
    turn, step = last(begun), begun.here
    assert turn.kind == "say" and step.sentence == TEA
    assert step.told == {"tense": "present", "sentiment": "positive"}
    assert step.found("tense") == "present" and abs(sum(step.attributes["tense"].values()) - 1) < 1e-3
    assert step.kl > 0 and step.nll > 0 and step.cost >= 0 and step.distance == 0
    assert torch.allclose(torch.tensor(step.code), told.space.encode(TEA), atol=1e-4)
    assert "make it past" in turn.chips and len(step.reasons) >= 2


def test_a_walk_is_never_changed(told, begun):
    before = begun
    after = told.answer(begun, RAIN)
    assert before.here.sentence == TEA and len(before.turns) == 1 and len(after.turns) == 2


def test_an_edit_moves_and_says_why(told, begun):
    walk = told.answer(begun, "make it past")
    assert walk.here.sentence != TEA and walk.here.found("tense") == "past" and walk.here.kind == "edit"
    assert walk.here.told["tense"] == "past" and walk.here.distance > 0
    assert any("tense" in r or "past" in r for r in walk.here.reasons)
    assert [r for r, _ in last(told.answer(walk, "why")).rows][: len(walk.here.reasons)] == list(walk.here.reasons)


def test_an_edit_that_is_not_needed_changes_nothing_and_says_so(told, begun):
    walk = told.answer(begun, "make it present")
    assert walk.here is begun.here and "already" in last(walk).said
    assert "already" in last(told.answer(walk, "why")).said


def test_less_positive_goes_towards_negative(told, begun):
    walk = told.answer(begun, "a bit less positive")
    if walk.here is not begun.here:
        assert walk.here.attributes["sentiment"]["negative"] > begun.here.attributes["sentiment"]["negative"]
    else:
        assert last(walk).said.startswith("I left it as it is")


def test_flip_asks_for_the_other_sentiment(told, begun):
    walk = told.answer(begun, "flip the sentiment")
    assert walk.here.found("sentiment") == "negative"


def test_a_model_without_attributes_says_what_it_cannot(plain):
    walk = plain.answer(Walk("tiny"), TEA)
    for message in ("make it past", "flip it", "say something negative"):
        assert plain.answer(walk, message).here is walk.here
    assert "cannot" in last(plain.answer(walk, "make it past")).said
    assert last(walk).chips and not any("make it" in c for c in last(walk).chips)


def test_from_a_to_b_shows_five_steps_and_stands_in_the_middle(told):
    walk = told.answer(Walk("told"), f"from “{TEA}” to “{RAIN}”")
    rows = last(walk).rows
    assert [note for _, note in rows] == ["0%", "25%", "50%", "75%", "100%"]
    assert (rows[0][0], rows[4][0]) == (TEA, RAIN) and rows[2][0] == walk.here.sentence
    assert walk.here.path.t == 0.5


def test_parts_of_the_way_are_of_the_path(told):
    walk = told.answer(Walk("told"), f"from “{TEA}” to “{RAIN}”")
    for message, t in (("80 %", 0.8), ("halfway back", 0.4), ("to the end", 1.0), ("a third of the way back", 0.6667), ("back to the start", 0.0), ("a bit further", 0.15)):
        walk = told.answer(walk, message)
        assert walk.here.path.t == pytest.approx(t, abs=1e-3), message
        mix = torch.lerp(torch.tensor(walk.here.path.start), torch.tensor(walk.here.path.end), walk.here.path.t)
        assert torch.allclose(torch.tensor(walk.here.code), mix, atol=1e-3)
    assert told.answer(told.answer(walk, "to the end"), "further").here.path.t == 1.0
    assert "0 to 100" in last(told.answer(walk, "300 %")).said
    for message in (f"{'9' * 400}/1", f"{'9' * 400} %", f"{'9' * 400} thirds", "1/0", f"{'9' * 300} sentences"):
        assert told.answer(walk, message).turns


def test_a_part_without_a_path_is_of_the_last_step(told, begun):
    walk = told.answer(told.answer(begun, RAIN), "halfway back")
    assert walk.here.path.t == 0.5 and walk.here.path.sentences == (TEA, RAIN)
    assert "two sentences" in last(told.answer(begun, "halfway")).said


def test_towards_a_sentence(told, begun):
    walk = told.answer(begun, f'a third of the way to "{RAIN}"')
    assert walk.here.path.t == pytest.approx(1 / 3) and walk.here.path.sentences == (TEA, RAIN)


def test_sums_add_codes(told):
    walk = told.answer(Walk("told"), f"“{TEA}” minus “{RAIN}” plus “I need a book.”")
    a, b, c = told.space.encode([TEA, RAIN, "I need a book."])
    assert torch.allclose(torch.tensor(walk.here.code), a - b + c, atol=1e-3)


def test_draws_repeat_with_their_seed(told, begun):
    for message in ("something like this", "surprise me", "3 like this", "say something negative in the past tense", "3 sentences about tea"):
        one, again = told.answer(begun, message), told.answer(begun, message)
        assert one == again and one.here is not begun.here, message
    other = told.answer(Walk("told", 7), "5 sentences")
    assert other.here.code != told.answer(Walk("told", 8), "5 sentences").here.code


def test_a_draw_is_different_and_as_many_as_asked(told, begun):
    walk = told.answer(begun, "3 like this")
    said = [s for s, _ in last(walk).rows]
    assert 2 <= len(set(said)) == len(said) <= 3 and TEA not in said and said[0] == walk.here.sentence


def test_a_draw_with_values_is_told_them(told):
    walk = told.answer(Walk("told"), "say something negative in the past tense")
    assert walk.here.told == {"tense": "past", "sentiment": "negative"}


def test_about_keeps_the_word_and_says_where_there_is_none(told, begun):
    walk = told.answer(begun, "2 sentences about tea")
    assert all("tea" in s for s, _ in last(walk).rows) and last(walk).near
    walk = told.answer(begun, "a sentence about elephants")
    assert walk.here is begun.here and "elephants" in last(walk).said


def test_again_draws_another(told, begun):
    walk = told.answer(told.answer(begun, "surprise me"), "another")
    assert last(walk).kind == "surprise" and walk.here.code != walk.step(-2).code
    several = told.answer(told.answer(begun, "surprise me"), "5 more")
    assert last(several).kind == "surprise" and len(last(several).rows) > 1


def test_neighbours_are_listed_and_nobody_moves(told, begun):
    walk = told.answer(begun, "neighbours")
    turn = last(walk)
    assert walk.here is begun.here and len(turn.rows) == len(turn.near) == 5
    gaps = [float(note.split()[0]) for _, note in turn.rows]
    assert gaps == sorted(gaps) and turn.rows[0][0] == told.places.sentences[turn.near[0]]


def test_a_place_on_the_map_decodes(told, begun):
    x, y = told.places.points[3]
    walk = told.answer(begun, f"@{x:.2f},{y:.2f}")
    assert walk.here.kind == "place"
    assert told.places.project(torch.tensor(walk.here.code)) == pytest.approx((x, y), abs=0.02)


def test_undo_redo_and_start_over(told, begun):
    walk = told.answer(told.answer(begun, RAIN), "I need a book.")
    back = told.answer(walk, "undo twice")
    assert back.here.sentence == TEA and len(back.turns) == 4
    forth = told.answer(back, "redo")
    assert forth.here.sentence == RAIN
    over = told.answer(walk, "start over")
    assert over.here is None and not over.trail
    assert told.answer(told.answer(over, "redo"), "redo").here.sentence == RAIN
    assert told.answer(told.answer(back, "You want a bill."), "redo").here.sentence == "You want a bill."  # a new step forgets what was ahead
    assert "nothing to undo" in last(told.answer(Walk("told"), "undo")).said


@pytest.mark.parametrize("message", ["make it past", "halfway", "something like this", "neighbours", "why", "where am i", "undo", "redo", "start over", "flip it", 'towards "We like tea."', 'from this to "We like tea."'])
def test_nothing_breaks_before_the_first_step(told, message):
    walk = told.answer(Walk("told"), message)
    assert walk.here is None and last(walk).said and last(walk).chips


@pytest.mark.parametrize("message", ["make it rhyme", "banana", "king - man + woman", "from cats to dogs", "🙂", "past and future", "tell me a joke", "less past"])
def test_the_unknown_is_asked_about_with_examples_that_work(told, begun, message):
    walk = told.answer(begun, message)
    assert walk.here is begun.here and last(walk).kind == "unknown" and last(walk).chips
    for chip in last(walk).chips:
        assert last(told.answer(begun, chip)).kind != "unknown", chip


def test_all_chips_are_understood(told, begun):
    walk = begun
    for message in ("make it past", f"from “{TEA}” to “{RAIN}”", "surprise me", "neighbours", "why", "help", "hello", "undo", "start over"):
        walk = told.answer(walk, message)
        for chip in last(walk).chips:
            assert last(told.answer(walk, chip)).kind != "unknown", (message, chip)


def test_what_the_model_cannot_read_is_refused_in_words(told, begun):
    with pytest.raises(ValueError, match="empty"):
        told.answer(begun, "   ")
    with pytest.raises(ValueError, match="at most"):
        told.answer(begun, "a" * 501)
    with pytest.raises(ValueError, match="surrogate"):
        told.answer(begun, "tea \ud800")
    walk = told.answer(begun, "tea " * 120)  # more tokens than it may have is the model's own business
    assert last(walk).said


def test_a_walk_with_foreign_readings_goes_on(told, begun):
    """An imported file may hold attributes that this model's readers do not know."""
    foreign = replace(begun.here, attributes={"mood": {"odd": 1.0}}, told={"mood": "odd"})
    walk = replace(begun, turns=(replace(begun.turns[0], step=foreign),))
    for message in ("make it past", "a bit more negative", "something like this", "flip it", "why"):
        assert last(told.answer(walk, message)).said


def test_a_conversation_has_an_end(told, begun):
    walk = Walk("told", turns=(Turn("x", "help", "y"),) * MAX_TURNS)
    with pytest.raises(ValueError, match="as long as it gets"):
        told.answer(walk, TEA)


def test_every_intent_has_a_move_and_every_hint_words():
    kinds = "say edit flip between towards part like surprise about arithmetic neighbours undo redo restart again why where help hello thanks share picture place unknown"
    assert set(MOVES) == set(kinds.split())
    assert all(text.strip() for text in HINTS.values())


def test_steps_know_their_values():
    step = Step("say", "x", (0.0,), {}, {"tense": {"past": 0.2, "future": 0.8}})
    assert step.found("tense") == "future" and step.found("mood") == ""
