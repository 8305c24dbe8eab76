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

from apps import demo, limits
from apps.demo import build, free_port, launch, serve
from apps.page_style import CSS, alert, bars, changed, line_of_facts, listed
from apps.paths import between, evenly
from apps.shelf import Shelf
from apps.tabs import TABS
from apps.tabs.choice import facts
from apps.tabs.interpolate import _card, _table
from apps.tabs.models import safe_markdown, table
from apps.tabs.reconstruct import _html, reading, rebuild
from apps.tabs.sample import _chosen, draw, vary

A, B = "We need rain.", "They want the dog."
ENDPOINTS = {f"/{verb}" for verb in (
    "models", "encode", "decode", "reconstruct", "sample", "sample_many", "variations", "interpolate", "point", "edit_path", "traverse",
    "neighbours", "arithmetic", "score", "attributes", "edit", "edit_many",
    "image_encode", "image_decode", "image_reconstruct", "image_sample", "image_interpolate",
)}  # fmt: skip
OF_TABS = ("/chat", "/digit_")  # what only their tabs have
EVIL = '<script>alert(1)</script> <img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def public(page: gr.Blocks) -> set[str]:
    return set(page.get_api_info()["named_endpoints"])


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
    assert len(client.predict(A, B, 5, "lerp", "tiny", "one too many", api_name="/interpolate")) == 5
    with pytest.raises(TypeError, match="No value provided"):
        client.predict(A, api_name="/point")
    assert client.predict(A, B, 0.0, "lerp", api_name="/point") == A


# --- the page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", TABS)
def test_every_tab_builds_alone(shelf, title):
    with gr.Blocks(analytics_enabled=False) as page:
        TABS[title](shelf)
    assert all(name.startswith(OF_TABS) for name in public(page))
    for block in page.blocks.values():
        if isinstance(block, gr.Textbox | gr.Slider | gr.Radio | gr.Number | gr.Dropdown | gr.File):
            assert block.label, f"{title}: a {type(block).__name__} has no label"


@pytest.mark.parametrize("title", [title for title in TABS if title != "Playground"])  # which needs no model
def test_a_tab_without_its_model_says_so_and_builds(title):
    with gr.Blocks(analytics_enabled=False) as page:
        TABS[title](Shelf(bundled=False))
    assert any("textae demo --model" in str(block.value) for block in page.blocks.values() if isinstance(block, gr.HTML))
    assert not page.fns


@pytest.mark.parametrize("title", TABS)
def test_every_tab_waits_in_a_line(shelf, title):
    with gr.Blocks(analytics_enabled=False) as page:
        TABS[title](shelf)
    for fn in page.fns.values():
        if fn.fn is not None and fn.queue:
            assert fn.concurrency_id in ("model", "batch") and fn.concurrency_limit == 1, fn.name


def test_only_the_named_endpoints_are_public(client):
    info = client.view_api(return_format="dict", print_info=False)
    assert {name for name in info["named_endpoints"] if not name.startswith(OF_TABS)} == ENDPOINTS and not info["unnamed_endpoints"]
    assert not any("lambda" in name for name in info["named_endpoints"])


def test_page_is_built_without_analytics(shelf):
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not build(shelf).analytics_enabled


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
    step = between(tiny_space, A, B).steps([0.5])[0]
    evil_step = type(step)(0.5, EVIL, 1.0, 0.5, 0.5)
    found = rebuild(tiny_space, A)
    fields = {**found.__dict__, "sentence": EVIL, "reconstruction": EVIL, "alternatives": [EVIL], "exact": False}
    fields["neighbours"] = [{"example": EVIL, "distance": 1.0}]
    pieces += [bars({EVIL: 0.5}), line_of_facts([(EVIL, EVIL)]), _card(evil_step), _table([evil_step, step]), _html(type(found)(**fields))]
    for html in pieces:
        assert "<script" not in html and "<img" not in html and "&lt;script&gt;" in html


def test_a_model_with_an_evil_name_is_escaped(tiny_space):
    shelf = Shelf(spaces={EVIL: tiny_space}, bundled=False)
    assert "<script" not in table(shelf) + facts(shelf, EVIL, "text")


def test_a_card_shows_neither_pictures_nor_html():
    shown = safe_markdown(f"---\nlicense: x\n---\n# Title\n![far](https://example.org/a.png)\n![ref][1]\n{EVIL}\n```\n<kept>\n```\n`a<b`")
    assert shown.startswith("# Title") and "![" not in shown and "<script" not in shown and "<img" not in shown
    assert "<kept>" in shown and "<code>a&lt;b</code>" in shown


@pytest.mark.parametrize("around", ["\\`{}\\`", "text ```{}", "```{}`", "~~~\n```\n~~~\n{}", "~~~\n\t~~~\n~~~\n{}", "- ```\n  x\n  ```\n{}", "```\nx\n```\n{}", "``a`{}``"])
def test_what_only_looks_like_code_shows_no_picture(around):
    from markdown_it import MarkdownIt  # as strict a reader as the browser's

    shown = MarkdownIt("commonmark").render(safe_markdown(around.format("<img src=http://127.0.0.1/x.png>")))
    assert "<img" not in shown and "img src" in shown


def test_empty_sentences_of_a_model_are_shown(tiny_space):
    step = type(between(tiny_space, A, B).steps([0.0])[0])(0.0, "", None, 0.0, 0.0)
    assert "the empty sentence" in _card(step) and "–" in _table([step, step])


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

    space = LatentSpace(new_model(processor, posterior="point"), processor, name="points")
    found = rebuild(space, "the cat buys bread .")
    assert found.nll is None and found.perplexity is None and "Perplexity" not in _html(found)
    json.dumps(found.__dict__, allow_nan=False)
    assert build(Shelf(spaces={"points": space}, bundled=False))


def test_draws_leave_the_global_generator(tiny_space):
    import torch

    before = torch.get_rng_state()
    draw(tiny_space, 3, 1.0, 1)
    vary(tiny_space, A, 3, 0.5, 1)
    assert torch.equal(before, torch.get_rng_state())


def test_evenly_has_both_ends():
    assert evenly(3) == [0.0, 0.5, 1.0]


# --- serving --------------------------------------------------------------------------------------------------


def test_a_taken_port_names_a_free_one(shelf):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port {port} is taken: try --port \d+"):
            launch(build(shelf), port=port)


def test_a_taken_port_is_known_before_the_model_is_opened():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ValueError, match="is taken"):
            serve(["no such model"], port=other.getsockname()[1])


def test_an_unknown_host_is_said_to_be_unknown():
    with pytest.raises(ValueError, match="host 'no.such.host.invalid'|cannot listen"):
        free_port("no.such.host.invalid", 0)


@pytest.fixture(scope="module")
def folder(tiny_space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_space.save_pretrained(folder)
    return folder


def test_smoke_asks_once_and_stops(folder, capsys):
    serve([str(folder)], smoke=True, device="cpu")
    line = capsys.readouterr().out.strip()
    assert line.startswith("first answer after ") and line.count(" | ") == demo.SMOKE_STEPS - 1


def test_smoke_raises_on_a_wrong_answer(tiny_space, shelf, monkeypatch):
    page = build(shelf)
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
serve(sys.argv[1:], smoke=True, device="cpu")
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
