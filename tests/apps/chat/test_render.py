"""What the chat window and the map are given: HTML with everything escaped, and plain data."""

import base64
import json

from apps.chat.render import answered, asked, map_of, messages, numbers, trail_of
from apps.chat.walk import Step, Turn, Walk

EVIL = "<script>alert(1)</script> **x** <img src=x onerror=alert(1)>"


def test_everything_is_escaped():
    step = Step("say", EVIL, (0.0,), {}, {EVIL: {EVIL: 1.0}}, reasons=(EVIL,))
    turn = Turn(EVIL, "edit", EVIL, step, rows=((EVIL, EVIL),), chips=(EVIL,), pictures=((EVIL, base64.b64encode(bytes(784)).decode()),))
    walk = Walk("told").answered(turn).answered(turn)
    for message in messages(walk):
        html = message["content"]
        assert "<script" not in html and "onerror=alert" not in html.replace("onerror=alert(1)&gt;", "") and "\n" not in html


def test_no_line_breaks_let_markdown_in():
    """A blank line would end the block of HTML; what an imported file holds behind one would be Markdown, with pictures from anywhere."""
    evil = "a\n\n![x](http://127.0.0.1/x.png)\r\n\n# b\u2028\x0b\x0c\x85c"
    step = Step("say", evil, (0.0,), {}, {evil: {evil: 1.0}})
    turn = Turn(evil, "edit", evil, step, rows=((evil, evil),), pictures=((evil, base64.b64encode(bytes(784)).decode()),))
    for message in messages(Walk("told").answered(turn).answered(turn)):
        assert message["content"].splitlines() == [message["content"]]


def test_chips_are_on_the_last_answer_alone(told, begun):
    walk = told.answer(begun, "make it past")
    found = messages(walk)
    assert [m["role"] for m in found] == ["user", "assistant"] * 2
    assert "options" not in found[1] and [o["value"] for o in found[3]["options"]] == list(walk.turns[-1].chips)


def test_an_edit_marks_what_changed(told, begun):
    walk = told.answer(begun, "make it past")
    words = walk.here.sentence.split()
    assert f"<mark>{words[1]}</mark>" in answered(walk.turns[-1], begun.here) and words[1] != "like"


def test_a_click_is_told_in_words():
    assert asked(Turn("@1.25,-0.40", "place", "")) == "the point (1.2, -0.4) of the map"
    assert asked(Turn("make it past", "edit", "")) == "make it past"


def test_figures_are_left_out_where_there_are_none():
    assert numbers(Step("say", "x", (0.0,), {}, {})) == ""
    assert numbers(Step("say", "x", (0.0,), {}, {"tense": {"past": 0.9, "future": 0.1}}, kl=3.0, nll=4.0, distance=2.0)) == "past 90% · KL 3.0 nats · NLL 4.0 nats · 2.0 from what you typed"


def test_the_map_is_json(told, begun):
    found = json.loads(json.dumps({"map": map_of(told.places), "walk": trail_of(begun, told.places)}, allow_nan=False))
    assert len(found["map"]["points"]) == len(found["map"]["sentences"]) == len(found["map"]["values"]["tense"]["of"])
    assert found["walk"]["trail"][0][2] == "We like tea." and len(found["walk"]["near"]) == 5 and found["walk"]["link"]
    assert trail_of(Walk("told"), told.places)["near"] == []
