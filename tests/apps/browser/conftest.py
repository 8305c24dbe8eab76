"""Chromium, a page that holds scripts alone, and the two tabs that run in the browser on a server of their own."""

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
def opened(open_address):
    """`open_address` on a desktop's screen unless another is asked for."""
    return lambda address, viewport=DESKTOP, scheme="light", **options: open_address(address, viewport, scheme, **options)
