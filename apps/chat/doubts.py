"""What looks like a command and is none: it is asked about and never acted on."""

import re

from apps.chat import phrases
from apps.chat import words as w
from apps.chat.commands import closed, polite, spelled_out
from apps.chat.intents import Intent, tokens
from apps.chat.templates import clause_like, prose
from apps.chat.typos import corrected

_THING = r"(?:it|this|that|(?:the|a|an|my|some|more|another|these|your) (?:[\w']+ )?[\w']+|[\w']+)"
CHANGES = re.compile(  # to words of a sentence, which no edit does
    rf"(?:replace|swap|exchange|substitute|interchange) .+|(?:change|switch|turn) (?!it|this|that)(?:the )?(?:words? )?\w+ (?:to|into|with|by|for) .+"
    rf"|(?:add|remove|delete|insert|drop|append|rename|fix|correct|improve|polish|simplify|shorten|lengthen|extend|expand) {_THING}|give (?:it|this) .+"
    r"|(?:speak|talk|answer)(?: in| me in)? (?:french|german|spanish|english|italian|chinese|japanese)"
)
VALUE_WORDS = {*w.OPPOSITE, "past", "present", "future", "positivity", "negativity"}
NOT_WANTED = re.compile(r"(?:(?:no |but )*(?:that|this|it)(?:'s| is| was) )?not what i (?:said|meant|wanted|want|typed|expected|had in mind|was looking for|asked(?: for| you)?)")


def not_a_command(text: str) -> Intent | None:
    """`unknown` for what begins like a command and goes on as none, or is a single word; None for a sentence to go to."""
    typed = tokens(text)
    core = polite(typed)
    ready = [corrected(t, w.VERBS | w.OTHER_TASKS | {"tense", "sentence"}, w.ORDINARY) for t in core]
    line = " ".join(core)
    if not core:
        return Intent("unknown", hint="no text")
    if asked := phrases.DOUBT_OF.get(line) or phrases.DOUBT_OF.get(" ".join(typed)):
        return Intent("unknown", hint=asked[0], guess=asked[1])
    if NOT_WANTED.fullmatch(" ".join(spelled_out(typed))):
        return Intent("unknown", hint="guess", guess="undo")
    if (unwanted := re.fullmatch(r"no more (\w+)", line)) and unwanted[1] in w.OPPOSITE:  # "no, more negative" or "less negative"
        return Intent("unknown", hint="guess", guess=f"less {unwanted[1]}")
    if not prose(text) and len(core) <= 6 and not clause_like(text) and VALUE_WORDS & set(core):  # "halfway to negative"
        return Intent("unknown", hint="make it")
    if not prose(text) and len(core) <= 4 and (named := [t for t in core if t in ("undo", "redo", "restart")]):  # "never undo"
        return Intent("unknown", hint="guess", guess=named[0])
    if not prose(text) and CHANGES.fullmatch(line):
        return Intent("unknown", hint="make it")
    if "or" in core and set(core) <= {"or", "either", "and", "it", *w.VALUES, *w.VERBS, *w.MORE, *w.LESS}:
        return Intent("unknown", hint="contradiction")
    if core[0] in {"from", "towards", "between"} and len(core) <= 3 and not prose(text):
        return Intent("unknown", hint="which pair")
    if w.UNKNOWN_VALUES & set(core) and len(core) <= 6:
        return Intent("unknown", hint="neutral")
    if (guess := _guess(core)) and len(core) <= 4:
        return Intent("unknown", hint="guess", guess=guess)
    objects = any(ready[1 : 1 + len(o)] == o for o in w.OBJECTS) or ready[1:2] == ["everything"]
    if ready[0] in w.VERBS - {"put", "set", "move", "bring", "say", "turn"} and objects and not (prose(text) and len(typed) > 5):
        return Intent("unknown", hint="make it")
    if ready[0] in {"turn", "put"} and objects and {"into", "in"} & set(core[2:4]) and not prose(text):
        return Intent("unknown", hint="make it")
    if '"' in text and core[0] in w.VERBS | w.DRAW_VERBS | w.ABOUT_QUOTES:
        return Intent("unknown", hint="quotes")
    if typed[0] in {"don't", "dont", "never"} and len(typed) > 2 and (found := closed(typed[1:])) and found.kind not in ("thanks", "hello", "help"):
        return Intent("unknown", hint="do not")
    if re.fullmatch(r"(?:as|like) an? \w+", line):
        return Intent("unknown", hint="make it")
    if core[0] in {"more", "less"} and len(core) <= 3 and not prose(text):
        return Intent("unknown", hint="make it")
    if re.fullmatch(r"in (?:french|german|spanish|english|italian|chinese|japanese|rhyme|verse|capitals|uppercase|the style of .+)", line):
        return Intent("unknown", hint="make it")
    if (core[0] in w.OTHER_TASKS or (ready[0] in w.OTHER_TASKS and not prose(text))) and not (prose(text) and len(core) > 5):
        return Intent("unknown", hint="task")
    if typed[0] not in {"i", "i'd", "next"} and core[0] in w.DRAW_VERBS | {"compose", "sing"} and w.OTHER_PRODUCTS & set(core) and len(core) <= 10 and {"a", "an", "me", "some"} & set(core):
        return Intent("unknown", hint="task")
    if re.fullmatch(r"(?:can|could|would|will) you .*(?:translate|summari[sz]e|rewrite|change it|make it|rhyme).*", " ".join(typed)):
        return Intent("unknown", hint="make it")
    if re.search(r"\b(?:ignore|disregard) (?:all |the |your )?(?:previous|prior|above) (?:instructions|prompts?)\b", text, re.I):
        return Intent("unknown", hint="task")
    if len([t for t in typed if t not in w.POLITE]) <= 1 and len(typed) <= 2 and not (prose(text) and len(typed) > 1):
        return Intent("unknown", hint="one word")
    if not re.search(r"[aeiouyàâäéèêëîïôöûüœæåø]", text.lower()) or re.search(r"(.)\1{4,}", text):
        return Intent("unknown", hint="no text")
    return None


def _guess(core: list[str]) -> str:
    """A command one ordinary word away from a short message: "make it post" was perhaps "make it past"."""
    if len(core) < 2 or core[0] not in w.VERBS | {"more", "less"}:
        return ""
    for word in ("past", "present", "future", "positive", "negative"):
        near = [i for i, t in enumerate(core) if i > 0 and t != word and corrected(t, {word}, ()) == word]
        if len(near) == 1:
            fixed = [word if i == near[0] else t for i, t in enumerate(core)]
            if (found := closed(fixed)) and found.kind == "edit":
                return " ".join(fixed)
    return ""
