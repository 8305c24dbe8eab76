"""Walks as JSON and as links: what was written is read back, and nothing else is believed."""

import base64
import json
import zlib

import pytest

from apps.chat import store
from apps.chat.walk import Turn, Walk


@pytest.fixture(scope="module")
def walk(told) -> Walk:
    messages = ["We like tea.", "make it past", "from “We like tea.” to “They saw rain.”", "neighbours", "undo", "make it rhyme", "@0.50,0.25"]
    made = told.replay("told", messages, seed=3)
    picture = ("as it was read", base64.b64encode(bytes(784)).decode())
    return made.answered(Turn("(a picture)", "picture", "I see.", pictures=(picture,)))


def changed(walk: Walk, change) -> str:
    found = json.loads(store.to_json(walk))
    change(found)
    return json.dumps(found)


def test_json_restores_everything(walk, told):
    assert store.from_json(store.to_json(walk), told.space.latent_dim) == walk


def test_a_link_replays_to_the_same_walk(walk, told):
    model, seed, messages = store.from_link(store.to_link(walk))
    assert (model, seed, len(messages)) == ("told", 3, len(walk.turns) - 1)  # the picture stays at home
    again = told.replay(model, messages, seed)
    assert again.here == walk.here and again.turns == walk.turns[:-1]


def test_draws_after_a_picture_are_the_same_without_it(told):
    picture = Turn("(a picture)", "picture", "I see.", pictures=(("read", base64.b64encode(bytes(784)).decode()),))
    walk = told.answer(told.replay("told", ["surprise me"], seed=5).answered(picture), "surprise me")
    model, seed, messages = store.from_link(store.to_link(walk))
    assert told.replay(model, messages, seed).here == walk.here


def test_a_link_is_small(walk):
    packed = store.to_link(walk)
    assert len(packed) < 400 and set(packed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_walk_too_long_for_a_link_says_so():
    with pytest.raises(ValueError, match="export it"):
        store.to_link(Walk("told", turns=(Turn("We like tea.", "say", ""),) * 30))


REFUSED = {
    "version": (lambda f: f.update(version=2), "version"),
    "format": (lambda f: f.update(format="x"), "no conversation"),
    "model": (lambda f: f.update(model=7), "model"),
    "seed": (lambda f: f.update(seed=-1), "seed"),
    "seed true": (lambda f: f.update(seed=True), "seed"),
    "turns": (lambda f: f.update(turns={}), "turns"),
    "many turns": (lambda f: f.update(turns=f["turns"] * 30), "turns"),
    "trail": (lambda f: f.update(trail=[99]), "trail"),
    "trail twice": (lambda f: f.update(trail=[0, 0]), "trail"),
    "trail of no step": (lambda f: f.update(trail=[4], ahead=[]), "trail"),
    "fields": (lambda f: f["turns"][0].update(evil=1), "fields"),
    "missing": (lambda f: f["turns"][0].pop("said"), "fields"),
    "long text": (lambda f: f["turns"][0].update(said="x" * 15_000), "at most"),
    "rows": (lambda f: f["turns"][0].update(rows=[["a"]]), "row"),
    "code short": (lambda f: f["turns"][0]["step"]["code"].pop(), "numbers"),
    "code text": (lambda f: f["turns"][0]["step"].update(code="abc"), "code"),
    "code large": (lambda f: f["turns"][0]["step"].update(code=[1e30] * 6), "code"),
    "attributes": (lambda f: f["turns"][0]["step"].update(attributes={"tense": {"past": 7}}), "tense"),
    "no values": (lambda f: f["turns"][0]["step"].update(attributes={"tense": {}}), "no values"),
    "kl of hundreds of digits": (lambda f: f["turns"][0]["step"].update(kl=10**400), "kl"),
    "kl": (lambda f: f["turns"][0]["step"].update(kl="much"), "kl"),
    "path": (lambda f: f["turns"][2]["step"]["path"].update(t=3), "path"),
    "picture": (lambda f: f["turns"][-1].update(pictures=[["a", "AAAA"]]), "picture"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_damaged_json_is_refused_in_words(walk, told, name):
    change, match = REFUSED[name]
    with pytest.raises(ValueError, match=match):
        store.from_json(changed(walk, change), told.space.latent_dim)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "textae chat"}', "[" * 100_000, "x" * 2_000_000, '{"format":"textae chat","version":1,"seed":NaN}'])
def test_what_is_no_conversation_is_refused(text):
    with pytest.raises(ValueError):
        store.from_json(text)
    with pytest.raises(ValueError):
        store.from_json(None)


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


@pytest.mark.parametrize("link", [
    "", "x", "!!!", "A" * 5000, packed(b"{}"), packed(b"[1, 2, 3]"), packed(b'[2, "told", 0, []]'), packed(b'[1, "told", 0, [7]]'), packed(b'[1, "told", 1e400, []]'),
    packed(b'[1, "told", 0, ' + json.dumps(["a"] * 99).encode() + b"]"), packed(b" " * 1_000_000 + b'[1, "told", 0, []]'), packed(b'[1, "told", 0, ["' + b"a" * 600 + b'"]]'), None,
])  # fmt: skip
def test_a_damaged_link_is_refused(link):
    with pytest.raises(ValueError):
        store.from_link(link)
