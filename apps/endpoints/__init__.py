"""What scripts and agents call over HTTP: one named endpoint for each verb, the same for Gradio's clients, REST and MCP.

No component belongs here; the page's own events are its tabs' business and are hidden from this list.
"""

from collections.abc import Callable

from apps.endpoints import images, text
from apps.shelf import Shelf
from apps.space import bulk


def register(shelf: Shelf, gpu: Callable | None = None) -> None:
    """Add the endpoints of every modality that has a model on the shelf; inside `gr.Blocks`. `gpu` is as of `apps.demo.build`."""
    text.register(shelf)
    if shelf.names("text"):
        bulk.register(shelf, gpu)
    if shelf.names("images"):
        images.register(shelf)
