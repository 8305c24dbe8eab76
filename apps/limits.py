"""What the page and its API accept. Widgets have limits too, but a caller of the API goes around them; these hold for both."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

MAX_CHARS = 500  # several times the longest sentence of everyday text; a model's own limit in tokens comes after it
MAX_SEED = 2**31 - 1

# Everything that asks the model waits in one line: seeded draws borrow torch's global generator for a moment, so two at once
# would disturb each other, and a second one would not be faster on a small machine.
ONE_LINE = {"concurrency_id": "model", "concurrency_limit": 1}
# What the page's own events are: no endpoint, no spinner, and of a burst of changes only the last is answered.
LIVE = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "always_last", **ONE_LINE}


def check_sentence(value: Any, what: str = "the sentence") -> str:
    """A text with something in it, at most `MAX_CHARS` characters long.

    Raises:
        ValueError: It is not; the message says what is wrong with `what`.
    """
    if not isinstance(value, str):
        raise ValueError(f"{what} must be text, not {_kind(value)}")
    if len(value) > MAX_CHARS:
        raise ValueError(f"{what} has {len(value):,} characters; this page takes at most {MAX_CHARS}")
    if not value.strip():
        raise ValueError(f"{what} is empty: type a few words")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds half of a character (a lone surrogate), which is not text") from None
    return value


def check_number(value: Any, what: str, low: float, high: float) -> float:
    """A finite number between `low` and `high`, both included.

    Raises:
        ValueError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} must be a number from {low:g} to {high:g}, not {_kind(value)}")
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{what} is {value:g}; it must be from {low:g} to {high:g}")
    return float(value)


def check_whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number between `low` and `high`; 7.0 counts as one, since JSON does not tell it from 7.

    Raises:
        ValueError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} must be a whole number from {low} to {high}, not {_kind(value)}")
    if not math.isfinite(value) or value != int(value) or not low <= value <= high:
        raise ValueError(f"{what} is {value:.12g}; it must be a whole number from {low} to {high}")
    return int(value)


def check_seed(value: Any) -> int:
    """A seed of draws: a whole number from 0 to `MAX_SEED`."""
    return check_whole(value, "the seed", 0, MAX_SEED)


def refusing(endpoint: Callable) -> Callable:
    """The endpoint, its ValueErrors turned into the one sentence that a client of the API gets to read."""

    @wraps(endpoint)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return endpoint(*args, **kwargs)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return answer


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
