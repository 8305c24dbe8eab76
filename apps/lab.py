"""Pieces of the page that run in the visitor's browser alone: puts their markup, styles and scripts together, for a tab or a page without a server.

Markup, styles and scripts of each lie in `apps/tabs/assets`; what they share with the offline page of a model, in `vision/view`.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

import vision
from apps.page_style import html

ASSETS = Path(__file__).parent / "tabs" / "assets"
SHARED = Path(vision.__file__).parent / "view"
# Name: its scripts in the order of their needs, and the class whose `View` it is.
LABS = {
    "playground": (("core", "decoder", "toy", "plane", "cube", "timeline", "points", "playground"), "Playground"),
    "digits": (("core", "decoder", "plane", "cube", "pixels", "strokes", "digits"), "Digits"),
}


def markup(name: str) -> str:
    """The HTML of a lab; none of it comes from users or models."""
    return (ASSETS / f"{name}.html").read_text(encoding="utf-8")


def style() -> str:
    """The style sheet of all labs."""
    return (ASSETS / "lab.css").read_text(encoding="utf-8")


def scripts(*names: str) -> str:
    """The scripts of labs, each once."""
    stems = dict.fromkeys(stem for name in names for stem in LABS[name][0])
    files = [next(f for f in (SHARED / f"{stem}.js", ASSETS / f"{stem}.js") if f.is_file()) for stem in stems]
    return "\n".join(f.read_text(encoding="utf-8") for f in files)


def start(name: str, root: str, server: str, about: dict[str, Any]) -> str:
    """The statement that starts a lab.

    Args:
        name: In `LABS`.
        root: JavaScript for the element that holds the lab.
        server: JavaScript for the object whose functions it calls.
        about: What else it is told.
    """
    told = json.dumps(about).replace("<", "\\u003c")
    return f"{{ const root = {root}; root.view = new {LABS[name][1]}.View(root, {server}, {told}); }}"


def lab(name: str, server: Sequence[Callable] = (), **about: Any) -> gr.HTML:
    """Add a lab to a tab; it starts when the tab is first shown, and then triggers its event "shown".

    Args:
        name: In `LABS`.
        server: Functions of one argument that its script may call; they answer JSON.
        **about: What else its script is told.
    """
    # Gradio does not run script elements inside gr.HTML; js_on_load it does, as a function with `element`, `server` and `trigger`.
    begin = start(name, "element.querySelector('.lab')", "server", about)
    return html(
        f"<style>{style()}</style>{markup(name)}", ["ta-html"], elem_id=f"lab-{name}", server_functions=list(server),
        js_on_load=f"{scripts(name)}\n{begin}\ntrigger('shown');",
    )  # fmt: skip
