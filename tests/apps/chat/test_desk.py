"""The chat of a page: models by name, links and files, pictures, and the endpoint over HTTP."""

import base64
import io
import json

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from apps.chat import pictures, store
from apps.chat.desk import Desk
from apps.chat.endpoints import register
from apps.chat.walk import Walk
from apps.shelf import Shelf


@pytest.fixture(scope="module")
def desk(shelf) -> Desk:
    return Desk(shelf)


@pytest.fixture(scope="module")
def client(desk):
    with gr.Blocks(analytics_enabled=False) as page:
        register(desk)
    _, address, _ = page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield Client(address, verbose=False, analytics_enabled=False)
    page.close(verbose=False)


def digit() -> str:
    pixels = np.zeros((60, 60), np.uint8)
    pixels[10:50, 28:33] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def test_a_first_walk_is_there_and_shared(desk):
    first = desk.first("told")
    assert first.here is not None and desk.first("told") is first


def kinds(walk: Walk) -> list[str]:
    return [turn.kind for turn in walk.turns]


def test_the_first_walk_is_the_model_s_own(desk):
    """Of sentences and edits that the model knows: each of its turns leads somewhere."""
    told, plain = desk.first("told"), desk.first("tiny")
    assert kinds(told) == ["say", "edit", "edit", "between"] and kinds(plain) == ["say", "between", "part"]
    for model, walk in (("told", told), ("tiny", plain)):
        one, other = desk.guide(model).pair
        assert all(turn.step is not None for turn in walk.turns)
        assert {one, other} <= set(desk.guide(model).space.examples) and one != other
        assert walk.turns[0].asked == walk.turns[0].step.sentence == one


def test_every_visitor_begins_alike_and_draws_for_oneself(desk):
    one, other = desk.begin("told"), desk.begin("told")
    assert one.turns == other.turns == desk.first("told").turns and one.seed != other.seed
    assert desk.new("told").turns == () and desk.new("told").seed != desk.new("told").seed
    assert not desk.is_own(one) and not desk.is_own(desk.new("told")) and desk.is_own(desk.answer(one, "why"))


def test_a_link_carries_the_seed(desk):
    walk = desk.answer(desk.begin("told"), "surprise me")
    again = desk.replayed(store.to_link(walk))
    assert again == walk and again.seed == walk.seed


def test_links_and_files_go_to_their_model(desk):
    walk = desk.answer(desk.answer(Walk("told"), "We like tea."), "make it past")
    assert desk.replayed(store.to_link(walk)) == walk
    assert desk.imported(store.to_json(walk)) == walk


def test_another_page_s_model_is_refused_by_name(desk):
    with pytest.raises(ValueError, match="no model 'elsewhere'"):
        desk.replayed(store.to_link(Walk("elsewhere")))
    with pytest.raises(ValueError, match="no model '../../etc'"):
        desk.imported(store.to_json(Walk("../../etc")))


def test_an_imported_conversation_reads_what_the_model_can(desk):
    walk = desk.answer(desk.new("told"), "I see tea.")
    for name, values in (("mood", {"good": 1.0}), ("tense", {"past": 0.5, "someday": 0.5})):
        found = json.loads(store.to_json(walk))
        found["turns"][-1]["step"]["attributes"][name] = values
        with pytest.raises(ValueError, match=f"reads values of '{name}' that told does not know"):
            desk.imported(json.dumps(found))


def test_a_picture_is_painted_again_and_nobody_moves(desk, shelf):
    before = desk.answer(Walk("told"), "We like tea.")
    walk = pictures.answer(shelf, before, digit())
    titles = [title for title, _ in walk.turns[-1].pictures]
    assert walk.here is before.here and titles == ["as it was read", "mnist-vae, 2 numbers"]
    assert all(pictures.unpacked(packed).shape == (28, 28) for _, packed in walk.turns[-1].pictures)
    assert store.from_json(store.to_json(walk)) == walk


@pytest.mark.parametrize("picture", ["", "data:image/png;base64,AAAA", "https://127.0.0.1/x.png", "/etc/passwd", 7])
def test_what_is_no_picture_is_refused(shelf, picture):
    with pytest.raises(ValueError, match="picture"):
        pictures.answer(shelf, Walk("told"), picture)


def test_a_page_without_digits_says_so(told_space):
    with pytest.raises(ValueError, match="no model of digits"):
        pictures.answer(Shelf((), "cpu", {"told": told_space}, bundled=False), Walk("told"), digit())


def test_the_endpoint_goes_on_where_it_left(client):
    one = client.predict("We like tea.", "", "told", api_name="/chat")
    two = client.predict("make it past", one["conversation"], api_name="/chat")
    assert one["intent"] == "say" and two["intent"] == "edit"
    assert one["sentence"] == "We like tea." and max(two["step"]["attributes"]["tense"].items(), key=lambda v: v[1])[0] == "past"
    assert two["step"]["kl"] > 0 and two["chips"] and len(json.loads(two["conversation"])["turns"]) == 2


def test_two_callers_do_not_meet(client):
    one = client.predict("We like tea.", "", "told", api_name="/chat")
    other = client.predict("They saw rain.", "", "told", api_name="/chat")
    assert client.predict("where am i", one["conversation"], api_name="/chat")["sentence"] == "We like tea."
    assert client.predict("where am i", other["conversation"], api_name="/chat")["sentence"] == "They saw rain."


REFUSED = [
    (("", "", "told"), "empty"), (("a" * 100_000, "", "told"), "at most 500"), ((7, "", "told"), "must be text"), (("Hi.", "nonsense", "told"), "not JSON"),
    (("Hi.", "", "nowhere"), "no model 'nowhere'"), (("Hi.", "", "told", -1), "seed"), (("Hi.", "", "told", 10**12), "seed"), (("Hi.", {"a": 1}, "told"), "text"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "match"), REFUSED)
def test_the_endpoint_refuses_in_words(client, sent, match):
    with pytest.raises(AppError, match=match):
        client.predict(*sent, api_name="/chat")
