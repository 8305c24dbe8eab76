"""What the page and its API accept. Widgets have limits too, but a caller of the API goes around them; these hold for both."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import gradio as gr

from textae.core.config import nearest

MAX_CHARS = 500  # several times the longest sentence of everyday text; a model's own limit in tokens comes after it
MAX_SEED = 2**31 - 1
MAX_COORDINATE = 1e4  # of a code: hundreds of times what any model gives
MAX_NUMBER = 10.0  # in place of an attribute's value

# Everything that asks the model waits in one line: seeded draws borrow torch's global generator for a moment, so two at once
# would disturb each other, and a second one would not be faster on a small machine.
ONE_LINE = {"concurrency_id": "model", "concurrency_limit": 1}
# Long work in parts, such as a file of sentences, has a line of its own: it would make everybody wait for its whole length.
LONG_LINE = {"concurrency_id": "batch", "concurrency_limit": 1}
# What the page's own events are: no endpoint, and of a burst of changes only the last is answered. One's place in the line is shown
# after a second of waiting (`apps.page_style`), so that nothing flickers where the answer comes at once.
LIVE = {"api_visibility": "private", "show_progress": "minimal", "trigger_mode": "always_last", **ONE_LINE}


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
    if not low <= value <= high:  # first: a whole number may be too large for a float, and NaN is in no range
        raise ValueError(f"{what} is {_shown(value)}; it must be from {low:g} to {high:g}")
    return float(value)


def check_whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number between `low` and `high`; 7.0 counts as one, since JSON does not tell it from 7.

    Raises:
        ValueError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} must be a whole number from {low} to {high}, not {_kind(value)}")
    if not low <= value <= high or value != int(value):
        raise ValueError(f"{what} is {_shown(value)}; it must be a whole number from {low} to {high}")
    return int(value)


def check_seed(value: Any) -> int:
    """A seed of draws: a whole number from 0 to `MAX_SEED`."""
    return check_whole(value, "the seed", 0, MAX_SEED)


def check_list(value: Any, what: str, most: int) -> list[Any]:
    """A list with something in it, of at most `most`.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list, not {_kind(value)}")
    if not 1 <= len(value) <= most:
        raise ValueError(f"{what}: {len(value):,} were given; from 1 to {most} are taken at once" if value else f"{what}: the list is empty")
    return value


def check_sentences(value: Any, most: int, what: str = "the sentences") -> list[str]:
    """A list of sentences, each as `check_sentence` wants it."""
    return [check_sentence(s, f"sentence {i}") for i, s in enumerate(check_list(value, what, most), 1)]


def check_codes(value: Any, latent_dim: int, most: int) -> list[list[float]]:
    """A list of codes, each of `latent_dim` numbers from -`MAX_COORDINATE` to `MAX_COORDINATE`."""
    for i, row in enumerate(check_list(value, "the codes", most), 1):
        if not isinstance(row, list) or len(row) != latent_dim:
            size = f"{len(row)} numbers" if isinstance(row, list) else _kind(row)
            raise ValueError(f"code {i} must be a list of {latent_dim} numbers, not {size}")
        for number in row:
            check_number(number, f"code {i}: a coordinate", -MAX_COORDINATE, MAX_COORDINATE)
    return value


def check_attributes(value: Any, known: Mapping[str, Sequence[str]], numbers: bool = False) -> dict[str, str | float]:
    """Values of attributes by name, all of them among those that a model knows.

    Args:
        value: What was sent; None is none.
        known: Values of each attribute.
        numbers: Whether a number may stand for a value, as in `LatentSpace.edit`.

    Raises:
        ValueError: A name or value that does not exist, or something that is neither.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f'attributes must look like {{"tense": "past"}}, not {_kind(value)}')
    if value and not known:
        raise ValueError("this model knows no attributes: leave them out, or choose another model")
    for name, wanted in value.items():
        if name not in known:
            raise ValueError(f"there is no attribute {str(name)[:80]!r}. {nearest(str(name)[:80], known)}")
        if numbers and isinstance(wanted, int | float) and not isinstance(wanted, bool):
            check_number(wanted, name, -MAX_NUMBER, MAX_NUMBER)
        elif not isinstance(wanted, str) or wanted not in known[name]:
            raise ValueError(f"{name} has no value {str(wanted)[:80]!r}. {nearest(str(wanted)[:80], known[name])}")
    return value


def check_choice(value: Any, what: str, names: Sequence[str]) -> str:
    """One of some names."""
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{what} must be one of {', '.join(names)}, not {str(value)[:80]!r}")
    return value


def refusing(endpoint: Callable) -> Callable:
    """The endpoint, its ValueErrors turned into the one sentence that a client of the API gets to read."""

    @wraps(endpoint)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return endpoint(*args, **kwargs)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return answer


def _shown(value: float) -> str:
    """A number in few characters, also one of hundreds of digits."""
    if isinstance(value, int) and abs(value) >= 10**12:
        return "more than 10^12" if value > 0 else "less than -10^12"
    return f"{value:.12g}"


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
