"""The conversation as a value: steps in latent space, turns of talk, and where one stands. No model is asked here.

A walk never changes: every message makes a new one. Undo moves back along the trail and forgets nothing until a new step is made.
"""

from dataclasses import dataclass, field, replace
from typing import Any

MAX_TURNS = 100  # a longer conversation is exported and begun anew


@dataclass(frozen=True)
class Path:
    """A straight line between two codes, and how far along it one is.

    Attributes:
        start, end: Codes.
        sentences: Of both ends.
        told: What the decoder is told at either end.
        t: 0 at the start, 1 at the end.
    """

    start: tuple[float, ...]
    end: tuple[float, ...]
    sentences: tuple[str, str]
    told: tuple[dict[str, str], dict[str, str]]
    t: float


@dataclass(frozen=True)
class Step:
    """A point of latent space that was gone to, and what it says there.

    Attributes:
        kind: Of the intent that led here.
        sentence: What the point decodes to.
        code: The point.
        told: Values that the decoder was told, by attribute.
        attributes: Probabilities of each attribute's values in the sentence, as its reader finds them.
        kl: Of the sentence's posterior to the prior, in nats; None where the model has none.
        nll: Bound on -log p(sentence), in nats; None likewise.
        cost: -log p(sentence | point), in nats; None where the model cannot read its own sentence.
        distance: From the code of the sentence last typed to the code of this one; None where none was typed.
        reasons: How it came about, a sentence each: what "why" answers.
        path: That it lies on, if it was walked to.
    """

    kind: str
    sentence: str
    code: tuple[float, ...]
    told: dict[str, str]
    attributes: dict[str, dict[str, float]]
    kl: float | None = None
    nll: float | None = None
    cost: float | None = None
    distance: float | None = None
    reasons: tuple[str, ...] = ()
    path: Path | None = None

    def found(self, name: str) -> str:
        """The likeliest value of an attribute; empty where nobody reads it."""
        row = self.attributes.get(name)
        return max(row, key=row.get) if row else ""


@dataclass(frozen=True)
class Turn:
    """What was asked and what was answered.

    Attributes:
        asked: The message.
        kind: Of its intent.
        said: The answer's words, without the sentence.
        step: Where it led; None where nobody moved.
        rows: Sentences below the answer, each with a short note.
        chips: Messages that may come next.
        near: Sentences of the map to point at, by number.
        pictures: What was sent and what the image models made of it: a title and 28 x 28 gray bytes as base64, each.
    """

    asked: str
    kind: str
    said: str
    step: Step | None = None
    rows: tuple[tuple[str, str], ...] = ()
    chips: tuple[str, ...] = ()
    near: tuple[int, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Walk:
    """A conversation.

    Attributes:
        model: Name of the model it is held with.
        seed: Of its draws; a turn's own is this plus its number.
        turns: All that was said, in order.
        trail: Turns whose steps lead to here, by number.
        ahead: Turns that were undone, the next one last.
    """

    model: str
    seed: int = 0
    turns: tuple[Turn, ...] = ()
    trail: tuple[int, ...] = ()
    ahead: tuple[int, ...] = field(default=())

    @property
    def here(self) -> Step | None:
        """Where one stands; None at the beginning."""
        return self.step(-1)

    def step(self, place: int) -> Step | None:
        """A step of the trail, by its place (-1 is the last); None where there is none."""
        return self.turns[self.trail[place]].step if -len(self.trail) <= place < len(self.trail) else None

    @property
    def steps(self) -> list[Step]:
        """Those of the trail, in order."""
        return [step for number in self.trail if (step := self.turns[number].step) is not None]

    @property
    def typed(self) -> Step | None:
        """The last step of the trail that a typed sentence led to."""
        return next((step for step in reversed(self.steps) if step.kind == "say"), None)

    def answered(self, turn: Turn) -> "Walk":
        """The walk after a turn; where it made a step, one stands there."""
        moved = {} if turn.step is None else {"trail": (*self.trail, len(self.turns)), "ahead": ()}
        return replace(self, turns=(*self.turns, turn), **moved)

    def back(self, num: int) -> "Walk":
        """Up to `num` steps back along the trail."""
        num = min(num, len(self.trail))
        return replace(self, trail=self.trail[: len(self.trail) - num], ahead=(*self.ahead, *reversed(self.trail[len(self.trail) - num :])))

    def forth(self, num: int) -> "Walk":
        """Up to `num` undone steps again."""
        num = min(num, len(self.ahead))
        return replace(self, trail=(*self.trail, *reversed(self.ahead[len(self.ahead) - num :])), ahead=self.ahead[: len(self.ahead) - num])


def rounded(code: Any) -> tuple[float, ...]:
    """A code as a walk keeps it: to four digits, so that what is written down is what is walked on."""
    return tuple(round(float(value), 4) for value in code)


def closing(sentence: str) -> str:
    """A sentence in quotation marks at the end of another: with a full stop only where it brings none.

    >>> closing("It rains."), closing("It rains")
    ('“It rains.”', '“It rains”.')
    """
    return f"“{sentence}”" + ("" if sentence.rstrip().endswith((".", "!", "?", "…")) else ".")
