"""Edits in the grammar's own words: "make it past", "a bit more positive", "too negative". Amounts of a way are in `amounts`."""

import re
from collections.abc import Mapping, Sequence

from apps.chat import words as w
from apps.chat.intents import Intent, Target


def edit(typed: list[str], values: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "make it past", "a bit more positive", "future please", "from past to future", "way too negative"."""
    rest, framed = _frame(_reworded(typed))
    less = re.sub(w.TOO, "less ", " ".join(rest)).split()
    targets, hint = values_in(less, values, framed, w.EDIT_FILLERS if framed else w.BARE_FILLERS)
    if targets is None:
        return None
    if hint:
        return Intent("unknown", hint=hint)
    if less != rest and framed:  # "make it too negative"
        return Intent("unknown", hint="guess", guess=f"more {w.OPPOSITE[targets[0].value]}") if targets[0].name == "sentiment" else None
    if len(typed) == 2 and typed[0] == "to" and targets[0].name == "sentiment":  # "to negative" is "too negative" or "change it to negative"
        return Intent("unknown", hint="guess", guess=f"less {typed[1]}")
    return Intent("edit", targets=targets)


def _reworded(typed: list[str]) -> list[str]:
    """Words with degrees and frames of several words put as the tables have them."""
    line = " ".join(typed)
    for pattern, replacement in w.REWORDED:
        line = re.sub(pattern, replacement, line)
    return line.split()


def _frame(typed: list[str]) -> tuple[list[str], bool]:
    """What is left after "make it" and its like, and whether there was such a frame."""
    if not typed or typed[0] not in w.VERBS | {"be", "sound", "it", "this", "that"}:
        return typed, False
    if typed[0] in {"be", "sound"}:  # "be more positive", but not "be positive", which is a sentence
        return (typed[1:], False) if {"more", "less", "bit"} & set(typed) or w.COMPARED & set(typed) else (typed, False)
    if typed[0] in {"it", "this", "that"}:
        if typed[1:2] and typed[1] in {"in", "into", "to", "more", "less"}:  # what is left of "I want it in the past"
            return typed[1:], True
        return (typed[3:], True) if typed[1:3] == ["should", "be"] else (typed, False)
    for known in sorted(w.OBJECTS, key=len, reverse=True):
        if typed[1 : 1 + len(known)] == known:
            return typed[1 + len(known) :], True
    return (typed, False) if typed[0] in w.OBJECT_REQUIRED else (typed[1:], True)


def values_in(
    rest: Sequence[str], values: Mapping[str, tuple[str, str]], framed: bool, fillers: set[str]
) -> tuple[tuple[Target, ...] | None, str]:
    """Values with strengths in a row of words, and the hint where they make no sense together; None where a word fits nowhere."""
    found: list[tuple[str, str, str, str]] = []
    direction = size = ""
    pending = False  # degrees after the last value
    for i, word in enumerate(rest):
        if word in values or (word in w.FEELING_OF and (framed or direction or word in w.COMPARED)):
            name, value = values.get(word) or ("sentiment", w.FEELING_OF[word])
            if word in w.COMPARED and not direction:
                direction = "more"
            found.append((name, value, direction, size))
            direction, size, pending = "", "", False
        elif word in w.MORE | w.LESS:
            if rest[i - 1 : i] == ["not"]:  # "not less negative"
                return (), "contradiction"
            direction, pending = "less" if word in w.LESS else "more", True
        elif word in w.STRONG and not (word in {"way", "even"} and i + 1 == len(rest)):
            size, pending = "strong", True
        elif word in w.WEAK:
            size, pending = "weak", True
        elif word == "from" and i + 2 < len(rest) and "to" in rest[i:]:
            continue
        elif word not in fillers:
            return None, ""
    if not found:
        return None, ""
    if pending and (size or direction):  # "negative, but only a bit"
        name, value, _, _ = found[-1]
        found[-1] = (name, value, direction or found[-1][2], size or found[-1][3])
    if "from" in rest and len(found) > 1:  # "from past to future"
        found = found[1:]
    chosen: dict[str, Target] = {}
    for name, value, direction, size in found:
        if direction == "less":
            if value not in w.OPPOSITE:
                return (), "less of what"
            value = w.OPPOSITE[value]
        target = Target(name, value, w.STRENGTHS[direction, size] if name == "sentiment" else 1.0)
        if name in chosen and chosen[name].value != value:
            return (), "contradiction"
        chosen[name] = target
    return tuple(chosen.values()), ""
