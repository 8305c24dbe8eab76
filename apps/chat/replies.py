"""What the chat says in words: hints for what it did not understand, help, and the chips that propose the next step."""

import re

from apps.chat.grammar import parse
from apps.chat.intents import Intent
from apps.chat.walk import Step, Walk

GREETING = "Hello! Type any short English sentence and I find its place on the map. Then change it, walk from it, or ask for help."
BACK = "Bring the last conversation back"  # a chip of the page, which keeps that conversation
HELP = (
    "Type any English sentence and we go there. From there you can change it (make it past · more negative · a bit less positive), "
    "walk (from “A” to “B” · halfway · a third of the way back), look around (something like this · neighbours · surprise me · "
    "5 sentences about dogs), do sums with sentences (“A” minus “B” plus “C”), and ask why, undo or start over. "
    "Quotation marks turn anything into a sentence. A click on the map goes there."
)
HINTS = {
    "no text": "I see no English sentence in that. Type a short one, such as “It will rain tomorrow.”",
    "one word": "One word is too little to find a place for. Make it a short sentence, or put it in quotation marks to go there all the same.",
    "make it": "I cannot change that. What I can change is {attributes}. If it was meant as a sentence, put it in quotation marks.",
    "neutral": "There is no neutral here: readers know {attributes}. Try “a bit less positive” or “a bit less negative”.",
    "contradiction": "That asks for two things at once. Name one value for each, as in “past and more positive”.",
    "less of what": "A sentence has that or has it not; there is no less of it. Name the one you want, as in “make it present”.",
    "task": "That is beyond me: I am a small autoencoder that walks between sentences and knows no facts. If it was meant as a sentence, put it in quotation marks.",
    "guess": "I am not sure what you meant. Perhaps “{guess}”?",
    "which pair": "I can walk between two sentences, but do not see where one ends and the other begins. Put both in quotation marks.",
    "sums": "I add and subtract whole sentences, not words. Put each in quotation marks, as in the sum below.",
    "quotes": "I see quotation marks but not what to do with the sentence in them. “From”, “to”, “minus”, “plus” and “something like” I know, or the sentence alone.",
    "do not": "Then I leave it as it is. If it was meant as a sentence, put it in quotation marks.",
    "dash": "Is that dash a minus? Write “A” minus “B” for a sum, or put all in quotation marks for a sentence.",
    "too many": "That is more than I show at once: ask for 1 to 10.",
}  # fmt: skip
PAIR = ("I was happy to see you.", "It will rain tomorrow.")
PAIR_CHIP = f"from “{PAIR[0]}” to “{PAIR[1]}”"
SUM_CHIP = "“He is a good man.” minus “He is a man.” plus “She is a woman.”"
HINT_CHIPS = {
    "quotes": (PAIR_CHIP, SUM_CHIP), "which pair": (PAIR_CHIP,), "sums": (SUM_CHIP,), "dash": (SUM_CHIP,), "contradiction": ("make it past", "more positive"),
    "too many": ("5 like this", "3 negative sentences"), "neutral": ("a bit less positive", "a bit less negative"),
}  # fmt: skip


def hint(intent: Intent, message: str, attributes: dict[str, list[str]], here: Step | None) -> tuple[str, tuple[str, ...]]:
    """What to say to a message that means nothing, and chips that work."""
    said = HINTS[intent.hint].format(attributes=listed(attributes), guess=intent.guess)
    chips = (intent.guess,) if intent.guess else HINT_CHIPS.get(intent.hint, ())
    short = 1 < len(message) <= 60 and '"' not in message
    if short and intent.hint in ("one word", "make it", "task", "guess", "dash", "which pair", "sums", "do not", "less of what"):
        chips = (*chips, f"“{message.strip()}”")
    more = edits(here, attributes)[:2] if here else ("I was happy to see you.",)
    return said, tuple(dict.fromkeys((*chips, *more, "help")))[:5]


def listed(attributes: dict[str, list[str]]) -> str:
    """ "sentiment (negative, positive) and tense (past, present, future)"; "nothing" of a model without attributes."""
    parts = [f"{name} ({', '.join(v for v in values if v != 'other')})" for name, values in attributes.items()]
    return " and ".join(parts) or "nothing of a sentence's attributes (this model knows none)"


def edits(here: Step, attributes: dict[str, list[str]]) -> list[str]:
    """Edits that would change something of a sentence, as messages."""
    found = []
    tenses = [t for t in ("future", "past", "present") if t in attributes.get("tense", ())]
    if tenses:
        found += [f"make it {t}" for t in tenses if t != here.found("tense")][:1]
    if {"negative", "positive"} <= set(attributes.get("sentiment", ())):
        found.append("more negative" if here.found("sentiment") == "positive" else "more positive")
    if tenses:
        found += [f"make it {t}" for t in tenses if t != here.found("tense")][1:2]
    for name, values in attributes.items():
        if name not in ("tense", "sentiment"):
            found += [f"make it {v}" for v in values if v != here.found(name) and v.isalpha()][:1]
    return found


def between(one: str, other: str) -> str:
    """The message that walks from a sentence to another.

    >>> between("It rains.", 'He said "no".')
    "from “It rains.” to “He said 'no'.”"
    """
    one, other = (re.sub("[\"“”„]", "'", sentence) for sentence in (one, other))
    return f"from “{one}” to “{other}”"


def chips(walk: Walk, kind: str, attributes: dict[str, list[str]], pair: tuple[str, str] = PAIR) -> tuple[str, ...]:
    """Messages that make sense next.

    Args:
        walk: So far.
        kind: Of the intent that was answered.
        attributes: What can be edited.
        pair: Two sentences that the model knows.
    """
    here = walk.here
    if here is None:
        return (pair[0], "surprise me", between(*pair), *(["help"] if kind != "help" else []))
    change = edits(here, attributes)
    if kind == "help":
        return ("surprise me", *change[:1], between(*pair), "neighbours")
    if here.path is not None and kind in ("between", "towards", "part"):
        found = ["a third of the way back" if here.path.t > 0.05 else "halfway", "80 %" if here.path.t < 0.75 else "20 %", *change[:1], "why"]
    elif kind == "edit":
        found = ["why", *change[:2], "halfway back", "undo"]
    elif kind in ("like", "surprise", "about", "again"):
        found = ["another", *change[:2], "neighbours", "why"]
    elif kind == "neighbours":
        found = ["something like this", *change[:2], "surprise me"]
    elif kind in ("undo", "restart"):
        found = ["redo", *change[:2], "surprise me"] if walk.ahead else [*change[:2], "surprise me"]
    elif kind == "why":
        found = [*change[:2], "something like this", "undo"]
    else:
        found = [*change[:2], "something like this", "neighbours", "why"]
    return tuple(dict.fromkeys(found))


def offered(chip: str, attributes: dict[str, list[str]]) -> bool:
    """Whether a model with these attributes can do what a chip asks for.

    >>> offered("make it past", {"tense": ["past", "present"]}), offered("make it past", {}), offered("undo", {})
    (True, False, True)
    """
    return all(target.value in attributes.get(target.name, ()) for target in parse(chip, attributes).targets)
