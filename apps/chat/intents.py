"""What an intent is, and the words of a message. Which message has which intent is in `grammar` and the files it asks."""

import re
from dataclasses import dataclass

DEFAULT_ATTRIBUTES = {"tense": ("past", "present", "future"), "sentiment": ("negative", "positive")}
MAX_DRAWN = 10


@dataclass(frozen=True)
class Target:
    """A value that an edit asks for, and how far: 1 is a whole step, less asks for a small one."""

    name: str
    value: str
    strength: float = 1.0


@dataclass(frozen=True)
class Intent:
    """What a message asks for.

    Attributes:
        kind: "say" (go to a sentence), "edit", "flip" (the sentiment), "between", "towards", "part" (of the way), "like", "surprise", "about",
            "arithmetic", "neighbours", "undo", "redo", "restart", "again", "why", "where", "help", "hello", "thanks", "share",
            "picture", "place" (on the map) or "unknown".
        sentences: What it names; "" stands for where the walk is.
        signs: +1 or -1 for each sentence of "arithmetic".
        targets: Of "edit", and of what "surprise" and "about" draw.
        amount: Share of the way, 0 to 1.
        mode: Of "part": "at" (from the path's start), "back" (of what was gone) or "on" (further).
        number: How many to draw, or steps to undo; of "again" 1 stands for as many as before.
        point: Of "place".
        hint: Of "unknown": why, a key of `apps.chat.replies.HINTS`; of "about" the topic.
        guess: Of "unknown": a command that was perhaps meant.
    """

    kind: str
    sentences: tuple[str, ...] = ()
    signs: tuple[int, ...] = ()
    targets: tuple[Target, ...] = ()
    amount: float | None = None
    mode: str = ""
    number: int = 1
    point: tuple[float, float] | None = None
    hint: str = ""
    guess: str = ""


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers of a message, its punctuation dropped.

    >>> tokens("Make it PAST, please!  1/3 or 50%")
    ['make', 'it', 'past', 'please', '1/3', 'or', '50', '%']
    """
    if text.strip(" .!") == "?" or (text.strip() and set(text.strip()) == {"?"}):
        return ["?"]
    return re.findall(r"\d+/\d+|\d*\.?\d+|%|[^\W\d_]+(?:['+][^\W\d_]+)*", text.lower())
