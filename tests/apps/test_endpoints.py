"""The named endpoints over HTTP: what they answer, what they refuse, and how soon. No browser."""

import math
import re
import time

import httpx
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

A, B = "We need rain.", "They want the dog."
IMAGE = np.zeros((28, 28), dtype=int)
IMAGE[4:24, 12:16] = 255  # a one
IMAGE = IMAGE.tolist()


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


# --- answers --------------------------------------------------------------------------------------------------


def test_interpolate_lists_every_step(client):
    found = client.predict(A, B, 5, "slerp", api_name="/interpolate")
    assert [step["t"] for step in found] == [0, 0.25, 0.5, 0.75, 1]
    assert all(step["sentence"] and step["nll"] >= 0 for step in found)


def test_interpolate_ends_are_the_reconstructions(client, tiny_space):
    found = client.predict(A, B, api_name="/interpolate")
    assert len(found) == 7
    assert [found[0]["sentence"], found[-1]["sentence"]] == tiny_space.reconstruct([A, B])


def test_point_lies_on_the_path(client):
    steps = client.predict(A, B, 3, "lerp", api_name="/interpolate")
    assert client.predict(A, B, 0.5, "lerp", api_name="/point") == steps[1]["sentence"]


def test_reconstruct_reports_all(client):
    found = client.predict(A, api_name="/reconstruct")
    assert found["exact"] and found["reconstruction"] == A == found["alternatives"][0]
    assert found["nll"] > 0 and found["kl"] > 0 and 1 < found["perplexity"] < 1000
    assert math.isclose(found["perplexity"], math.exp(found["nll"] / 4), rel_tol=1e-6)  # three words and an end
    assert len(found["neighbours"]) == 5


def test_sample_repeats_its_seed(client):
    first, again, other = (client.predict(6, 1.0, seed, api_name="/sample") for seed in (3, 3, 4))
    assert len(first) == 6 and first == again != other


def test_variations_without_noise_are_the_reconstruction(client):
    assert client.predict(A, 3, 0.0, 0, api_name="/variations") == [A] * 3
    assert len(set(client.predict(A, 20, 1.5, 0, api_name="/variations"))) > 1


def test_models_lists_what_the_others_take(client):
    found = client.predict(api_name="/models")
    assert [m["name"] for m in found] == ["tiny", "told", "mnist-vae"]
    assert found[1]["attributes"]["tense"] == ["past", "present"] and found[1]["edits"] and not found[0]["edits"]
    assert client.predict(A, 0, 3.0, 3, model="told", api_name="/traverse") and client.predict("tiny", api_name="/attributes") == {}


def test_encode_and_decode_are_there_and_back(client, tiny_space):
    codes = client.predict([A, B], api_name="/encode")
    assert np.allclose(codes, tiny_space.encode([A, B]).numpy(), atol=1e-5)
    assert client.predict(codes, api_name="/decode") == tiny_space.reconstruct([A, B])


def test_decode_is_told_attributes(client, told_space):
    codes = told_space.encode(["I see tea."]).tolist()
    for tense in ("past", "present"):
        assert client.predict(codes, {"tense": tense}, "told", api_name="/decode") == told_space.decode(torch_of(codes), attributes={"tense": tense})


def torch_of(codes):
    import torch

    return torch.tensor(codes)


def test_sample_is_told_attributes(client, told_space):
    found = client.predict(5, 1.0, 3, {"tense": "past"}, "told", api_name="/sample")
    assert found == told_space.sample(5, seed=3, attributes={"tense": "past"})


def test_arithmetic_neighbours_score(client, tiny_space):
    assert client.predict([A, B], [B], api_name="/arithmetic") == tiny_space.arithmetic([A, B], [B])
    assert client.predict([A], api_name="/arithmetic") == A
    near = client.predict(A, 3, api_name="/neighbours")
    assert len(near) == 3 and near[0]["distance"] <= near[1]["distance"]
    said = client.predict(A, 20, 1, api_name="/score")
    assert math.isclose(said["nll"], tiny_space.score(A, samples=20, seed=1).nll, rel_tol=1e-5)


def test_edit_changes_the_tense(client, told_space):
    found = client.predict("I see tea.", {"tense": "past"}, model="told", api_name="/edit")
    assert found["text"] == told_space.edit("I see tea.", tense="past").text and found["wanted"] == {"tense": "past"}
    assert set(found["attributes"]["tense"]) == {"past", "present"}


def test_edit_many_keeps_the_order_and_says_why_not(client):
    sentences = ["I see tea.", "word " * 90, "We saw rain."]
    found = client.predict(sentences, {"tense": "past"}, candidates=2, model="told", api_name="/edit_many")
    assert [e["source"] for e in found] == sentences
    assert found[1]["reason"].startswith("90 words") and not found[1]["changed"]


def test_edit_path_begins_at_the_sentence(client):
    found = client.predict("I see tea.", {"tense": "past"}, 5, model="told", api_name="/edit_path")
    assert [step["t"] for step in found] == [0, 0.25, 0.5, 0.75, 1]
    assert found[0]["sentence"] == "I see tea." and found[0]["like_a"] == 1


def test_images_there_and_back(client):
    code = client.predict(IMAGE, api_name="/image_encode")
    (image,) = client.predict([code], api_name="/image_decode")
    assert np.shape(image) == (28, 28) and image == client.predict(IMAGE, api_name="/image_reconstruct")
    way = client.predict(IMAGE, image, 3, api_name="/image_interpolate")
    assert way[0] == image and len(way) == 3
    assert len(client.predict(4, api_name="/image_sample")) == 4


# --- refusals -------------------------------------------------------------------------------------------------

LONG = "a" * 100_000
REFUSED = [
    ("/interpolate", ("", B, 5, "lerp"), "first sentence is empty"),
    ("/interpolate", (A, "  ", 5, "lerp"), "second sentence is empty"),
    ("/interpolate", (LONG, B, 5, "lerp"), "100,000 characters"),
    ("/interpolate", (A, B, 10**9, "lerp"), "steps is 1000000000; it must be a whole number from 2 to 25"),
    ("/interpolate", (A, B, 1, "lerp"), "from 2 to 25"),
    ("/interpolate", (A, B, 2.5, "lerp"), "whole number"),
    ("/interpolate", (A, B, "7", "lerp"), "not a str"),
    ("/interpolate", (A, B, True, "lerp"), "not a bool"),
    ("/interpolate", (A, B, 5, "spiral"), "the path must be one of lerp, slerp, not 'spiral'"),
    ("/interpolate", (A, B, 5, ["lerp"]), "path must be one of"),
    ("/interpolate", (7, B, 5, "lerp"), "must be text"),
    ("/interpolate", ({"text": A}, B, 5, "lerp"), "must be text"),
    ("/point", (A, B, 1.5, "lerp"), "t is 1.5; it must be from 0 to 1"),
    ("/point", (A, B, None, "lerp"), "not nothing"),
    ("/reconstruct", ("", 5), "empty"),
    ("/reconstruct", (LONG, 5), "at most 500"),
    ("/reconstruct", (A, 10**9), "beams is 1000000000"),
    ("/reconstruct", ("\u00e9" * 500, 5), "tokens"),
    ("/sample", (10**9, 1.0, 0), "from 1 to 50"),
    ("/sample", (0, 1.0, 0), "from 1 to 50"),
    ("/sample", (5, -1, 0), "spread is -1"),
    ("/sample", (5, 1.0, 2**64), "the seed is"),
    ("/sample", (5, 1.0, [1]), "the seed must be a whole number"),
    ("/variations", ("", 5, 0.5, 0), "empty"),
    ("/variations", (A, 5, 99, 0), "noise is 99"),
    ("/variations", (A, 51, 0.5, 0), "from 1 to 50"),
    ("/point", (A, B, 0.5, "lerp", "../../etc"), "there is no model"),
    ("/point", (A, B, 0.5, "lerp", "someone/model"), "there is no model"),
    ("/point", (A, B, 0.5, "lerp", "mnist-vae"), "there is no model"),
    ("/point", (A, B, 0.5, "lerp", ["tiny"]), "there is no model"),
    ("/encode", ([],), "the list is empty"),
    ("/encode", ("one",), "must be a list"),
    ("/encode", ([A] * 65,), "from 1 to 64"),
    ("/encode", ([A, 7],), "sentence 2 must be text"),
    ("/decode", ([[0.0] * 5],), "a list of 6 numbers, not 5 numbers"),
    ("/decode", ([["a"] * 6],), "must be a number"),
    ("/sample", (10**400, 1.0, 0), "the number of sentences is more than 10^12; it must be a whole number from 1 to 50"),
    ("/sample", (2, -(10**400), 0), "spread is less than -10^12"),
    ("/edit", ("a " * 41, {"tense": "past"}, "auto", 1.0, 2, "told"), "the sentence has 41 words; this page edits sentences of at most 40"),
    ("/interpolate", (A, B, 9, "x" * 5000), "the path must be one of lerp, slerp"),
    ("/decode", ([[1e9] * 6],), "must be from -10000 to 10000"),
    ("/decode", ([[0.0] * 6], {"tense": "past"}), "knows no attributes"),
    ("/traverse", (A, 6), "from 0 to 5"),
    ("/traverse", (A, 0, 1e9), "span is"),
    ("/neighbours", (A, 10**9), "from 1 to 50"),
    ("/arithmetic", ([], [A]), "the list is empty"),
    ("/score", (A, 10**9), "from 1 to 200"),
    ("/edit", (A, {"tense": "past"}), "knows no attributes"),
    ("/edit", ("I see tea.", {"tense": "pest"}, "auto", 1.0, 2, "told"), "no value 'pest'"),
    ("/edit", ("I see tea.", {"mood": "past"}, "auto", 1.0, 2, "told"), "no attribute 'mood'"),
    ("/edit", ("I see tea.", {}, "auto", 1.0, 2, "told"), "say what to change"),
    ("/edit", ("I see tea.", "past", "auto", 1.0, 2, "told"), "must look like"),
    ("/edit", ("I see tea.", {"tense": "past"}, "magic", 1.0, 2, "told"), "the method must be one of"),
    ("/edit", ("I see tea.", {"tense": "past"}, "auto", 1e9, 2, "told"), "strength is"),
    ("/edit", ("I see tea.", {"tense": "past"}, "auto", 1.0, 10**9, "told"), "candidates is"),
    ("/edit", ("I see tea.", {"sentiment": 1e9}, "auto", 1.0, 2, "told"), "sentiment is"),
    ("/edit_many", ([A] * 201, {"tense": "past"}, "auto", 1.0, 2, "told"), "from 1 to 200"),
    ("/edit_path", ("I see tea.", {"tense": "past"}, 10**9, "auto", 1.0, "told"), "steps is"),
    ("/image_encode", ([[0] * 5000],), "from 1 to 256"),
    ("/image_encode", ([[300] * 28] * 28,), "from 0 to 255"),
    ("/image_encode", ([[0] * 28] * 27 + [[0]],), "rows of one length"),
    ("/image_encode", ([[0] * 10] * 10,), "28x28"),
    ("/image_sample", (10**9,), "from 1 to 50"),
    ("/image_sample", (1, 1.0, 0, "seven"), "knows no attributes"),
]


@pytest.mark.parametrize(("endpoint", "given", "message"), REFUSED, ids=lambda v: str(v)[:24])
def test_bad_input_is_refused_in_a_sentence(client, endpoint, given, message):
    begun = time.perf_counter()
    with pytest.raises(AppError, match=re.escape(message)) as caught:
        client.predict(*given, api_name=endpoint)
    assert time.perf_counter() - begun < 5  # a second where nothing else runs; this machine may be busy
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_the_server_is_alive_after_all_that(client):
    assert client.predict(A, B, 0.0, "lerp", api_name="/point") == A


@pytest.mark.parametrize("literal", ["NaN", "Infinity", '"\\ud800"'])
def test_what_clients_cannot_send_is_refused_too(address, client, literal):
    """JSON that Python's client refuses to write, straight to the server."""
    body = f'{{"data": ["{A}", "{B}", {literal}, "lerp"]}}'
    answer = httpx.post(f"{address}gradio_api/call/point", content=body, headers={"content-type": "application/json"})
    if answer.status_code == 200:
        events = httpx.get(f"{address}gradio_api/call/point/{answer.json()['event_id']}", timeout=30).text
        assert events.startswith("event: error"), events
    else:
        assert 400 <= answer.status_code < 500
    assert client.predict(A, B, 0.0, "lerp", api_name="/point") == A
