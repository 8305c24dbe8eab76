"""Moves along lines: from A to B, halfway, back, towards a sentence, and sums of sentences."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from apps.chat.intents import Intent
from apps.chat.walk import Path, Step, Turn, Walk, closing, rounded

if TYPE_CHECKING:
    from apps.chat.guide import Guide

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a path that is shown whole


def between(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Show the way from one sentence to another, and stand in its middle."""
    ends = [_end(guide, walk, sentence) for sentence in intent.sentences]
    if None in ends:
        return walk.answered(Turn(message, "between", "We are nowhere yet, so “this” means nothing: type a sentence first."))
    (a, told_a, says_a), (b, told_b, says_b) = ends
    path = Path(rounded(a), rounded(b), (says_a, says_b), (told_a, told_b), intent.amount or 0.5)
    codes = torch.stack([_at(path, t) for t in STEPS])
    sentences = guide.decode(codes, [_told(path, t) for t in STEPS])
    rows = tuple((sentence, f"{t:.0%}") for t, sentence in zip(STEPS, sentences, strict=True))
    middle = sentences[STEPS.index(path.t)] if path.t in STEPS else None
    step = _walked(guide, walk, "between", path, middle)
    return walk.answered(Turn(message, "between", "Here is the way in five steps; we stand in the middle:", step, rows))


def towards(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Go a share of the way from here to a sentence."""
    here = walk.here
    if here is None:
        return walk.answered(Turn(message, "towards", "We are nowhere yet: type a sentence to start from."))
    b, told_b, says_b = _end(guide, walk, intent.sentences[0])
    path = Path(here.code, rounded(b), (here.sentence, says_b), (here.told, told_b), 0.5 if intent.amount is None else intent.amount)
    return walk.answered(Turn(message, "towards", f"{_share(path.t)} of the way to “{says_b}”:", _walked(guide, walk, "towards", path)))


def part(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Go to a share of the way: of the path one stands on, else of the last step."""
    path = _path(walk)
    if path is None:
        said = "There is no way to go a part of yet: type two sentences, or “from A to B”." if walk.here else "We are nowhere yet: type a sentence first."
        return walk.answered(Turn(message, "part", said))
    amount = intent.amount or 0.0
    if not 0 <= amount <= 1:
        return walk.answered(Turn(message, "part", f"{amount:.0%} lies outside the path: ask for 0 to 100 %."))
    t = {"at": amount, "back": path.t * (1 - amount), "on": path.t + amount * (1 - path.t)}[intent.mode]
    if intent.mode == "on" and path.t > 1 - 1e-6:
        return walk.answered(Turn(message, "part", f"We stand at the end of the way already, at {closing(path.sentences[1])}"))
    if intent.mode == "back" and path.t < 1e-6:
        return walk.answered(Turn(message, "part", f"We stand at the beginning of the way already, at {closing(path.sentences[0])}"))
    path = Path(path.start, path.end, path.sentences, path.told, round(min(1.0, max(0.0, t)), 4))
    return walk.answered(Turn(message, "part", f"{_share(path.t)} of the way from “{path.sentences[0]}” to “{path.sentences[1]}”:", _walked(guide, walk, "part", path)))


def arithmetic(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Add and subtract the codes of sentences."""
    ends = [_end(guide, walk, sentence) for sentence in intent.sentences]
    if None in ends:
        return walk.answered(Turn(message, "arithmetic", "We are nowhere yet, so “this” means nothing: type a sentence first."))
    code = sum(sign * end[0] for sign, end in zip(intent.signs, ends, strict=True))
    formula = " ".join(f"{'' if i == 0 else '+ ' if sign > 0 else '− '}“{end[2]}”" for i, (sign, end) in enumerate(zip(intent.signs, ends, strict=True)))
    reasons = (
        f"The codes were added up dimension by dimension: {formula}.",
        f"The sum is {float(code.norm()):.1f} long; the sentences' own codes are {' and '.join(f'{float(e[0].norm()):.1f}' for e in ends)} long. "
        "What they share cancels out only as far as the model keeps it in one direction.",
    )  # fmt: skip
    return walk.answered(Turn(message, "arithmetic", f"{formula} lies at:", guide.step(walk, "arithmetic", code, ends[0][1], reasons)))


def _end(guide: "Guide", walk: Walk, sentence: str) -> tuple[Tensor, dict[str, str], str] | None:
    """Code, told values and words of a sentence, or of where one stands; None for nowhere."""
    if sentence:
        return (*guide.code_of(sentence), sentence)
    here: Step | None = walk.here
    return None if here is None else (torch.tensor(here.code), dict(here.told), here.sentence)


def _path(walk: Walk) -> Path | None:
    """The path one stands on; else from the step before to here."""
    here, before = walk.here, walk.step(-2)
    if here is None or (here.path is None and before is None):
        return None
    return here.path or Path(before.code, here.code, (before.sentence, here.sentence), (before.told, here.told), 1.0)


def _at(path: Path, t: float) -> Tensor:
    return torch.lerp(torch.tensor(path.start), torch.tensor(path.end), t)


def _told(path: Path, t: float) -> dict[str, str]:
    """Values have no halfway: they are those of the nearer end."""
    return dict(path.told[0] if t <= 0.5 else path.told[1])


def _walked(guide: "Guide", walk: Walk, kind: str, path: Path, sentence: str | None = None) -> Step:
    a, b = path.sentences
    told = _told(path, path.t)
    reasons = [
        f"The code is {1 - path.t:.0%} of “{a}” and {path.t:.0%} of “{b}”, mixed in every dimension, and the decoder wrote down what it finds there.",
    ]
    if told:
        near = a if path.t <= 0.5 else b
        reasons.append(f"It was told {' and '.join(told.values())}, as “{near}” is: tense and mood have no halfway, so the nearer end lends its own.")
    return guide.step(walk, kind, _at(path, path.t), told, reasons, path=path, sentence=sentence)


def _share(t: float) -> str:
    names = {0: "None", 0.25: "A quarter", 0.3333: "A third", 0.5: "Half", 0.6667: "Two thirds", 0.75: "Three quarters", 1: "All"}
    return names.get(t, f"{t:.0%}")
