"""A picture in the conversation: the image models write it again from their own codes. The walk through sentences stays where it is."""

import base64

import numpy as np

from apps.chat.walk import MAX_TURNS, Turn, Walk
from apps.digits.picture import SIDE
from apps.digits.verbs import digit_models, rebuild
from apps.shelf import Shelf

ASKED = "(a picture)"
SHOWN = ("mnist-ae", "mnist-vae", "mnist-aae", "mnist-conv-vae")  # side by side, where they stand on the shelf


def answer(shelf: Shelf, walk: Walk, picture: str) -> Walk:
    """The walk after a picture was sent.

    Args:
        shelf: With a model of 28 x 28 gray pixels.
        walk: So far.
        picture: As a data address, see `apps.digits.picture`.

    Raises:
        ValueError: It is no picture, or there is no model to show it to.
    """
    if len(walk.turns) >= MAX_TURNS:
        raise ValueError(f"this conversation has {MAX_TURNS} turns, which is as long as it gets: export it, or begin a new one")
    known = digit_models(shelf)
    names = [name for name in SHOWN if name in known] or known[: len(SHOWN)]
    if not names:
        raise ValueError("no model of digits stands on this page")
    found = {name: rebuild(shelf, picture, name) for name in names}
    best = min(found, key=lambda name: found[name].squared_error)
    spaces = {name: shelf.open(name, "images").latent_dim for name in names}
    said = (
        f"I see 28 × 28 pixels. {'Each model squeezes' if len(names) > 1 else 'The model squeezes'} them into a few numbers and paints them again from those; "
        f"nearest comes {best} with {spaces[best]} numbers. They have seen digits only, so anything else becomes one."
    )
    seen = found[names[0]].seen
    pictures = (("as it was read", _packed(seen)), *((f"{name}, {spaces[name]} numbers", _packed(found[name].image)) for name in names))
    return walk.answered(Turn(ASKED, "picture", said, pictures=pictures))


def unpacked(packed: str) -> np.ndarray:
    """The pixels of a turn's picture, uint8 (28, 28)."""
    return np.frombuffer(base64.b64decode(packed), np.uint8).reshape(SIDE, SIDE)


def _packed(pixels: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(pixels, np.uint8).tobytes()).decode()
