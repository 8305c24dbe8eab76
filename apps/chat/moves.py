"""What each intent does to a walk: a function of the guide, the walk, the intent and the message that gives the next walk."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from apps.chat import replies
from apps.chat.draws import about, again, like, surprise
from apps.chat.intents import Intent, Target
from apps.chat.lines import arithmetic, between, part, towards
from apps.chat.walk import Step, Turn, Walk, closing
from textae.content import content_f1

if TYPE_CHECKING:
    from apps.chat.guide import Guide

SMALLEST = 0.05  # of a reader's probability: what counts as a visible change
SMALL_GAP = 0.3  # of a reader's probability: what a small step aims at
NEIGHBOURS = 5
LONGEST_CHIP = 80  # characters
UNKNOWN_TEXT = 0.25  # content words that come back, below which a sentence counts as none that the model knows


def say(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Go to a sentence."""
    sentence = intent.sentences[0]
    code, told = guide.code_of(sentence)
    step = guide.step(walk, "say", code, told, (), typed=code)
    normal = guide.space.processor.normalize(sentence)
    exact = step.sentence == normal
    kept = sum(word in normal.split() for word in step.sentence.split())
    known = content_f1(normal, step.sentence) >= UNKNOWN_TEXT
    reasons = [
        f"The encoder read your sentence as a point of {len(code)} numbers"
        + (f", which say {step.kl:.0f} nats more than the prior knew" if step.kl is not None else "") + ", and the decoder wrote it down again "
        + ("word for word." if exact else f"with {kept} of its {len(step.sentence.split())} words from your sentence; the rest is its guess."),
        *_told_reason(told),
        *_reading(step),
    ]  # fmt: skip
    said = "Here we are. I read it as:" if exact else "Here we are, though not to the letter. I read it as:" if known else "That is far from what I know; I read it as:"
    return walk.answered(Turn(message, "say", said, _because(step, reasons)))


def edit(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Give the sentence other attributes and keep the rest."""
    here = walk.here
    if here is None:
        return walk.answered(Turn(message, "edit", "There is nothing to change yet: type a sentence first."))
    for target in intent.targets:
        if target.value not in guide.attributes.get(target.name, ()):
            said = f"This model cannot make a sentence {target.value}: what it can change is {replies.listed(guide.attributes)}."
            return walk.answered(Turn(message, "edit", said))
    small = [t for t in intent.targets if t.strength < 1]
    found = guide.space.edit(here.sentence, **{t.name: _target(guide, t) for t in intent.targets})
    text, reason, reached, count = found.text, found.reason, found.reached, len(found.candidates)
    if small and found.changed:
        text, reason, reached = _smallest(guide, here, found.candidates, intent.targets)
    if text == here.sentence:
        return walk.answered(Turn(message, "edit", _kept_as_is(reason)))
    code, told = guide.code_of(text)
    told |= {t.name: t.value for t in intent.targets if t.name in guide.space.model.config.decoder_attributes and reached is not False and not small}
    wanted = " and ".join(t.value for t in intent.targets)
    step = guide.step(walk, "edit", code, told, (), sentence=text)
    reasons = [
        f"{count} ways to say “{here.sentence}” as {wanted} came out of the decoder (method {found.method}); this one was chosen by what the readers find, the words it keeps, and its likelihood.",
        *([f"A small step was asked for, so of all candidates the one that moves least was taken, not the most {small[0].value}."] if small else []),
        *_changes(here, step, intent.targets),
        *([f"But {reason}."] if reason else []),
    ]
    said = "Changed as little as I could:" if small else f"As {wanted}:"
    if reached is False:
        said = f"This is as {wanted} as I get it, but {reason}:"
    return walk.answered(Turn(message, "edit", said, _because(step, reasons)))


def flip(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Give the sentence the other sentiment."""
    here = walk.here
    if here is None or not here.found("sentiment"):
        said = "There is nothing to turn around yet: type a sentence first." if here is None else "Nobody reads sentiment beside this model, so I do not know what the opposite is."
        return walk.answered(Turn(message, "flip", said))
    other = Intent("edit", targets=(Target("sentiment", "negative" if here.found("sentiment") == "positive" else "positive"),))
    return edit(guide, walk, other, message)


def neighbours(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Show what lies nearest to here, or to a sentence that was named."""
    if intent.sentences and intent.sentences[0]:
        sentence, code = intent.sentences[0], guide.space.encode(intent.sentences[0])
    elif walk.here is not None:
        sentence, code = walk.here.sentence, torch.tensor(walk.here.code)
    else:
        return walk.answered(Turn(message, "neighbours", "We are nowhere yet, so nobody lives next door: type a sentence first."))
    found = guide.places.nearest(code, intent.number if intent.number > 1 else NEIGHBOURS, beside=sentence)
    rows = tuple((guide.places.sentences[i], f"{gap:.1f} away") for i, gap in found)
    chips = tuple(f"“{s}”" for s, _ in rows if len(s) < LONGEST_CHIP)[:2]
    return walk.answered(Turn(message, "neighbours", f"Nearest to “{sentence}” on the map:", None, rows, (*chips, *replies.chips(walk, "neighbours", guide.attributes)[:3]), tuple(i for i, _ in found)))


def place(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Go to a point of the map."""
    x, y = intent.point
    code, near = guide.places.code_at(x, y)
    told = guide.told(guide.read([guide.places.sentences[near]])[0])
    reasons = (
        f"You pointed at ({x:.1f}, {y:.1f}). The map shows 2 of {len(code)} dimensions ({guide.places.share:.0%} of the variance), so the others were filled in from the three sentences nearest to the point, the nearest being {closing(guide.places.sentences[near])}",
        *_told_reason(told),
    )
    step = guide.step(walk, "place", code, told, reasons)
    return walk.answered(Turn(message, "place", "Under your finger lies:", step))


def undo(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Back along the trail."""
    if not walk.trail:
        return walk.answered(Turn(message, "undo", "There is nothing to undo: we are at the very beginning."))
    back = walk.back(intent.number)
    said = f"Back at {closing(back.here.sentence)}" if back.here else "Back before the first step: the map is empty. “Redo” brings it back."
    return back.answered(Turn(message, "undo", said))


def redo(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Along what was undone."""
    if not walk.ahead:
        return walk.answered(Turn(message, "redo", "There is nothing to redo."))
    forth = walk.forth(intent.number)
    return forth.answered(Turn(message, "redo", f"Again at {closing(forth.here.sentence)}"))


def restart(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Undo everything; redo still leads back."""
    if not walk.trail:
        return walk.answered(Turn(message, "restart", "We are at the very beginning already: type a sentence."))
    return walk.back(len(walk.trail)).answered(Turn(message, "restart", "A fresh start: the map is empty. Type a sentence, or “redo” to bring the walk back."))


def why(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """How the last step came about."""
    last = walk.turns[-1] if walk.turns else None
    if last is not None and last.kind == "edit" and last.step is None:
        return walk.answered(Turn(message, "why", f"Nothing was changed. {last.said}"))
    here = walk.here
    if here is None:
        return walk.answered(Turn(message, "why", "Nothing has happened yet: type a sentence, and I can say what became of it."))
    numbers = [
        f"KL {here.kl:.1f} nats: what its code says beyond the prior." if here.kl is not None else "",
        f"NLL {here.nll:.1f} nats: how surprised the model is by the sentence as a whole." if here.nll is not None else "",
        f"Cost {here.cost:.1f} nats: how surprised the decoder is by it at this point." if here.cost is not None else "",
        f"{here.distance:.1f} from the sentence you typed last, measured between codes." if here.distance is not None else "",
    ]
    rows = tuple((reason, "") for reason in (*here.reasons, *(n for n in numbers if n)))
    return walk.answered(Turn(message, "why", f"About “{here.sentence}”:", None, rows))


def where(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Say where one stands."""
    here = walk.here
    said = f"{len(walk.trail)} step{'s' if len(walk.trail) > 1 else ''} into the walk, we stand at {closing(here.sentence)}" if here else "We are nowhere yet: type a sentence."
    return walk.answered(Turn(message, "where", said))


def unknown(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Ask, and do nothing."""
    said, chips = replies.hint(intent, message, guide.attributes, walk.here)
    return walk.answered(Turn(message, "unknown", said, chips=chips))


def _telling(kind: str, said: str, chips: tuple[str, ...] = ()) -> Callable[..., Walk]:
    """A move that only talks."""
    return lambda guide, walk, intent, message: walk.answered(Turn(message, kind, said, chips=chips))


MOVES: dict[str, Callable[..., Walk]] = {
    "say": say, "edit": edit, "flip": flip, "between": between, "towards": towards, "part": part, "arithmetic": arithmetic, "like": like,
    "surprise": surprise, "about": about, "again": again, "neighbours": neighbours, "place": place, "undo": undo, "redo": redo,
    "restart": restart, "why": why, "where": where, "unknown": unknown,
    "help": _telling("help", replies.HELP),
    "hello": _telling("hello", "Hello! Type any short English sentence and I find its place on the map. Then change it, walk from it, or ask for help."),
    "thanks": _telling("thanks", "Noted. Where next?"),
    "share": _telling("share", "Below the map are buttons: “Copy link” for a link that replays this walk, “Export” for a file with every number, “Import” to read one back."),
    "picture": _telling("picture", "Open “Draw or send a picture” below the message box: the image models write it again from their own codes."),
}  # fmt: skip


# --- words for the answers ------------------------------------------------------------------------------------------


def _target(guide: "Guide", target: Target) -> str | float:
    """A target as `edit` takes it: a name, or for two-valued attributes with a degree a number."""
    values = guide.attributes[target.name]
    if target.strength == 1.0 or len(values) != 2:
        return target.value
    size = max(target.strength, 0.75)  # weaker than that no candidate changes: how small the step is, `_smallest` decides
    return size if values.index(target.value) else -size


def _smallest(guide: "Guide", here: Step, candidates: list[str], targets: tuple[Target, ...]) -> tuple[str, str, bool | None]:
    """Of an edit's candidates the one that moves least in the wanted direction, and visibly."""
    target = next(t for t in targets if t.strength < 1)
    before = here.attributes.get(target.name, {}).get(target.value)
    if before is None or not candidates:
        return candidates[0] if candidates else here.sentence, "", None
    read = [row[target.name][target.value] for row in guide.read(candidates)]
    further = [i for i, p in enumerate(read) if p > before + SMALLEST]
    if not further:
        return here.sentence, f"the readers find none of {len(candidates)} candidates a bit more {target.value} than it is", False
    best = min(further, key=lambda i: abs(read[i] - before - SMALL_GAP))
    return candidates[best], "", True


def _kept_as_is(reason: str) -> str:
    reason = reason or "no candidate differed from it"
    return f"I left it as it is: {reason}."


def _changes(before: Step, after: Step, targets: tuple[Target, ...]) -> list[str]:
    found = []
    for t in targets:
        if t.value in before.attributes.get(t.name, {}) and t.value in after.attributes.get(t.name, {}):
            found.append(f"The reader's {t.value} went from {before.attributes[t.name][t.value]:.0%} to {after.attributes[t.name][t.value]:.0%}.")
    return found


def _told_reason(told: dict[str, str]) -> list[str]:
    return [f"The decoder was told {' and '.join(told.values())}, as the readers find it."] if told else []


def _reading(step: Step) -> list[str]:
    parts = [f"{max(row.values()):.0%} sure that it is {step.found(name)}" for name, row in step.attributes.items()]
    return [f"The readers are {' and '.join(parts)}."] if parts else []


def _because(step: Step, reasons: list[str]) -> Step:
    return replace(step, reasons=tuple(reasons))
