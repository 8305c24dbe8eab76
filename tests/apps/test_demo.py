"""The page's endpoints over HTTP, what they refuse, and the contract that every tab keeps. No browser."""

import json
import math
import os
import socket
import subprocess
import sys

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps import demo, limits
from apps.demo import build, free_port, header, launch, serve
from apps.page_style import CSS, alert, changed, listed
from apps.tabs import TABS
from apps.tabs.interpolate import _point, _table, evenly, walk
from apps.tabs.reconstruct import _html, reading, rebuild
from apps.tabs.sample import _chosen, draw, vary

A, B = "We need rain.", "They want the dog."
ENDPOINTS = {"/interpolate", "/point", "/reconstruct", "/sample", "/variations"}
EVIL = '<script>alert(1)</script> <img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def public(page: gr.Blocks) -> set[str]:
    return set(page.get_api_info()["named_endpoints"])


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
    ("/interpolate", (A, B, 5, "spiral"), "no path 'spiral'"),
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
]


@pytest.mark.parametrize(("endpoint", "given", "message"), REFUSED, ids=lambda v: str(v)[:24])
def test_bad_input_is_refused_in_a_sentence(client, endpoint, given, message):
    with pytest.raises(AppError, match=message.replace("(", r"\(")) as caught:
        client.predict(*given, api_name=endpoint)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    assert client.predict(A, B, 0.0, "lerp", api_name="/point") == A  # the server is alive


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


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match="t is"):
        limits.check_number(value, "t", 0, 1)
    with pytest.raises(ValueError, match="steps is"):
        limits.check_whole(value, "steps", 2, 25)


def test_half_a_character_is_refused():
    with pytest.raises(ValueError, match="surrogate"):
        limits.check_sentence("a \ud800 b")


def test_wrong_arguments_do_not_stop_the_server(client):
    """Gradio drops what is too many; what is missing is refused by the client before it is sent, and by the server after."""
    assert len(client.predict(A, B, 5, "lerp", "one too many", api_name="/interpolate")) == 5
    with pytest.raises(TypeError, match="No value provided"):
        client.predict(A, api_name="/point")
    assert client.predict(A, B, 0.0, "lerp", api_name="/point") == A


# --- the page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", TABS)
def test_every_tab_builds_alone_with_named_endpoints(tiny_space, title):
    with gr.Blocks(analytics_enabled=False) as page:
        TABS[title](tiny_space)
    named = public(page)
    assert named and named <= ENDPOINTS
    info = page.get_api_info()["named_endpoints"]
    assert all(info[name]["description"] for name in named)
    for block in page.blocks.values():
        if isinstance(block, gr.Textbox | gr.Slider | gr.Radio | gr.Number):
            assert block.label, f"{title}: a {type(block).__name__} has no label"
        if isinstance(block, gr.Textbox | gr.Radio):
            assert block.value, f"{title}: {block.label} is empty at first"


@pytest.mark.parametrize("title", TABS)
def test_every_tab_waits_in_the_one_line(tiny_space, title):
    with gr.Blocks(analytics_enabled=False) as page:
        TABS[title](tiny_space)
    for fn in page.fns.values():
        if fn.fn is not None and fn.queue:
            assert fn.concurrency_id == "model" and fn.concurrency_limit == 1, fn.name


def test_only_the_named_endpoints_are_public(client):
    info = client.view_api(return_format="dict", print_info=False)
    assert set(info["named_endpoints"]) == ENDPOINTS and not info["unnamed_endpoints"]
    assert not any("lambda" in name for name in info["named_endpoints"])


def test_page_is_built_without_analytics(tiny_space):
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not build(tiny_space).analytics_enabled


def test_page_asks_nobody_else(address):
    html = httpx.get(address).text + httpx.get(f"{address}theme.css").text + CSS
    assert "fonts.googleapis" not in html and "fonts.gstatic" not in html


def test_page_is_filled_when_it_opens(address):
    config = httpx.get(f"{address}config").json()
    shown = [c["props"].get("value") for c in config["components"] if c["props"].get("elem_id") in ("here", "steps", "rebuilt", "around")]
    assert len(shown) == 4 and all(shown)


def test_run_history_is_off(address):
    assert not httpx.get(f"{address}config").json().get("run_history")


def test_model_text_is_escaped(tiny_space):
    pieces = [alert(ValueError(EVIL)), changed(EVIL, "other"), changed(EVIL, EVIL), listed([(EVIL, EVIL)])]
    step = walk(tiny_space, A, B, [0.5])[0]
    evil_step = type(step)(0.5, EVIL, 1.0)
    found = rebuild(tiny_space, A)
    fields = {**found.__dict__, "sentence": EVIL, "reconstruction": EVIL, "alternatives": [EVIL], "exact": False}
    fields["neighbours"] = [{"example": EVIL, "distance": 1.0}]
    pieces += [_point(evil_step), _table([evil_step, step]), _html(type(found)(**fields))]
    for html in pieces:
        assert "<script" not in html and "<img" not in html and "&lt;script&gt;" in html


def test_header_escapes_the_name_and_shows_the_card(tiny_space):
    named = type(tiny_space)(tiny_space.model, tiny_space.processor, name=EVIL)
    html = header(named, {"evaluation": {"ppl": 27.34, "exact_match": 51.0}})
    assert "<script" not in html and "27.34" in html and "51 %" in html


def test_empty_sentences_of_a_model_are_shown(tiny_space):
    step = type(walk(tiny_space, A, B, [0.0])[0])(0.0, "", None)
    assert "the empty sentence" in _point(step) and "–" in _table([step, step])


def test_radio_values_keep_colons():
    class Event:
        value = "3:He said: no."

    assert _chosen(Event) == "He said: no."


def test_reading_says_when_the_bound_is_loose(tiny_space):
    found = rebuild(tiny_space, A)
    assert "letter for letter" in reading(found)[0]
    loose = type(found)(**{**found.__dict__, "effective_samples": 1.2, "perplexity": 1e9})
    assert any("may be lower" in line for line in reading(loose)) and any("no sentence" in line for line in reading(loose))
    point = type(found)(**{**found.__dict__, "nll": None, "perplexity": None})
    assert "points" in reading(point)[-1]


def test_a_space_without_examples_has_no_neighbours(tiny_space):
    bare = type(tiny_space)(tiny_space.model, tiny_space.processor)
    assert rebuild(bare, A).neighbours == [] and "Nearest" not in _html(rebuild(bare, A))


def test_a_model_of_points_has_no_likelihood_and_says_so(processor, new_model):
    from textae.space import LatentSpace

    space = LatentSpace(new_model(processor, posterior="point"), processor)
    found = rebuild(space, "the cat buys bread .")
    assert found.nll is None and found.perplexity is None and "Perplexity" not in _html(found)
    json.dumps(found.__dict__, allow_nan=False)
    assert build(space)


def test_draws_leave_the_global_generator(tiny_space):
    import torch

    before = torch.get_rng_state()
    draw(tiny_space, 3, 1.0, 1)
    vary(tiny_space, A, 3, 0.5, 1)
    assert torch.equal(before, torch.get_rng_state())


def test_evenly_has_both_ends():
    assert evenly(3) == [0.0, 0.5, 1.0]


# --- serving --------------------------------------------------------------------------------------------------


def test_a_taken_port_names_a_free_one(tiny_space):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port {port} is taken: try --port \d+"):
            launch(build(tiny_space), port=port)


def test_a_taken_port_is_known_before_the_model_is_opened():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ValueError, match="is taken"):
            serve("no such model", port=other.getsockname()[1])


def test_an_unknown_host_is_said_to_be_unknown():
    with pytest.raises(ValueError, match="host 'no.such.host.invalid'|cannot listen"):
        free_port("no.such.host.invalid", 0)


@pytest.fixture(scope="module")
def folder(tiny_space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_space.save_pretrained(folder)
    return folder


def test_smoke_asks_once_and_stops(folder, capsys):
    serve(str(folder), smoke=True, device="cpu")
    line = capsys.readouterr().out.strip()
    assert line.startswith("first answer after ") and line.count(" | ") == demo.SMOKE_STEPS - 1


def test_smoke_raises_on_a_wrong_answer(tiny_space, monkeypatch):
    page = build(tiny_space)
    monkeypatch.setattr(tiny_space, "decode", lambda z, **options: [""] * len(z), raising=False)
    with pytest.raises(RuntimeError, match="7 sentences were asked for"):
        demo.ask_once(page)


FRESH = """
import json, socket, sys
asked, lookup = set(), socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: asked.add(str(host)) or lookup(host, *rest, **more)
from apps.demo import serve
import apps.catalog
modules = sorted(sys.modules)  # before the first request: there Gradio itself imports matplotlib, if it is installed
serve(sys.argv[1], smoke=True, device="cpu")
print(json.dumps({"hosts": sorted(asked), "modules": modules}))
"""


def test_a_fresh_process_imports_little_and_asks_nobody(folder):
    """A page starts as fast as its imports, and neither it nor the smoke test's client looks up a host outside."""
    run = subprocess.run([sys.executable, "-c", FRESH, str(folder)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    answer, seen = run.stdout.strip().splitlines()
    assert answer.startswith("first answer after ")
    seen = json.loads(seen)
    assert set(seen["hosts"]) <= {"127.0.0.1", "localhost"}
    heavy = set(seen["modules"]) & {"datasets", "sklearn", "matplotlib", "sacrebleu", "textae.core.trainer", "apps.run"}
    assert not heavy


@pytest.mark.slow
def test_command_smoke_in_a_fresh_process(folder):
    run = subprocess.run([sys.executable, "-m", "apps.cli", "demo", "--smoke", "-m", str(folder)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("first answer after ")
