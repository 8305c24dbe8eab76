"""Chromium, a page that holds scripts alone, and the two tabs that run in the browser on a server of their own."""

import os
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
sync_api.expect.set_options(timeout=60_000)  # a busy machine draws late; what is never drawn fails all the same

DESKTOP, WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 1600, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def scripts(browser):
    """A blank page with the scripts of both labs: mathematics without a server."""
    from apps.lab import scripts as text

    page = browser.new_page()
    # Names of the scripts' top level are made properties, so that `evaluate` sees them.
    names = ("Core", "Decoder", "Toy", "Plane", "Points", "Strokes")
    page.add_script_tag(content=text("playground", "digits") + "".join(f"\nwindow.{n} = {n};" for n in names))
    yield page
    page.close()


@pytest.fixture(scope="session")
def labs_address():
    """Where the tabs Digits and Playground are served, with the bundled models of images."""
    import gradio as gr

    from apps.demo import launch
    from apps.shelf import Shelf
    from apps.tabs import digits, playground

    shelf = Shelf(device="cpu")
    with gr.Blocks(analytics_enabled=False) as page:
        with gr.Tab("About"):
            gr.Markdown("Nothing here.")
        with gr.Tab("Digits"):
            digits.build(shelf)
        with gr.Tab("Playground"):
            playground.build(shelf)
    yield launch(page.queue())
    page.close(verbose=False)


@pytest.fixture
def opened(browser):
    """Opens an address; when the test is over, no error was on a console and no request went elsewhere."""
    contexts, problems = [], []

    def open_page(address, viewport=DESKTOP, scheme="light", **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.on("console", lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: problems.append(f"error: {e}"))
        ours = (address.rpartition("/")[0], "data:", "blob:")
        page.on("request", lambda r: problems.append(f"left: {r.url}") if not r.url.startswith(ours) else None)
        page.goto(f"{address}?__theme={scheme}" if address.startswith("http") else address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def shot(tmp_path):
    """Takes a screenshot, into the folder in TEXTAE_ARTIFACTS or pytest's temporary one."""
    folder = Path(os.environ.get("TEXTAE_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.fixture
def fits():
    """Whether a page needs no scrolling sideways."""
    return lambda page: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
