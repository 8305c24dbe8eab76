"""Intents, and the commands that consist of the grammar's own words alone. What holds a visitor's sentences is in `templates`.

Slips of the finger are forgiven, but only if the whole message then parses.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.chat import words as w
from apps.chat.typos import corrected, meant

DEFAULT_ATTRIBUTES = {"tense": ("past", "present", "future"), "sentiment": ("negative", "positive")}
MAX_DRAWN = 10
MAX_SLIPS = 3  # words of one message that may hold a slip of the finger


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
        number: How many to draw, or steps to undo.
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


def closed(typed: list[str], attributes: Mapping[str, Sequence[str]] = DEFAULT_ATTRIBUTES) -> Intent | None:
    """The command that a whole list of words is, first as typed and then with slips forgiven; None where it is none."""
    if not typed or len(typed) > 24:
        return None
    values = _values(attributes)
    core = polite(typed)
    bare = polite(typed, requests=False)
    for slips in (False, True):
        if found := phrase(typed, slips) or phrase(bare, slips):
            return found
        for rule in (edit, part, draw, steps, bag):
            words = bare if rule is bag else core  # "I want to help" is not "help"
            ready = _forgiven(words, VOCABULARY[rule] | set(values)) if slips else words
            if ready and (found := rule(ready, values)):
                return found
    return None


def _forgiven(typed: list[str], vocabulary: set[str]) -> list[str]:
    """Words with their slips mended; empty where there is none to mend, or a word that is not of the vocabulary and no slip."""
    slips = [t for t in typed if t not in vocabulary and t[0].isalpha()]
    if not slips or len(slips) > MAX_SLIPS or any(t in w.ORDINARY for t in slips):
        return []
    return [corrected(t, vocabulary, w.ORDINARY) if t in slips else t for t in typed]


def polite(typed: list[str], requests: bool = True) -> list[str]:
    """Words without politeness, and without "can you" and its like, around them; all of them where nothing else is left."""
    start, end = 0, len(typed)
    while start < end and typed[start] in w.POLITE:
        start += 1
    for request in sorted(w.REQUESTS, key=len, reverse=True) if requests else ():
        if typed[start : start + len(request)] == request and start + len(request) < end:
            start += len(request)
            break
    while start < end and typed[start] in w.POLITE:
        start += 1
    while end > start and typed[end - 1] in {"please", "pls", "plz", "thanks", "now", "then", "ok", "okay", "for", "me"}:
        if typed[end - 1] in {"for", "me"} and typed[end - 2 : end] != ["for", "me"]:
            break
        end -= 2 if typed[end - 1] == "me" else 1
    return typed[start:end] or typed


def phrase(typed: list[str], slips: bool) -> Intent | None:
    """A whole message of `words.PHRASES`."""
    line = " ".join(typed)
    if not slips:
        kind = w.PHRASE_OF.get(line) or BARE_PHRASES.get(_bare_phrase(typed))
        return Intent(kind) if kind else None
    joined = line.replace(" ", "")
    if joined in JOINED:  # "startover"
        return Intent(JOINED[joined])
    sure = [t in w.ORDINARY or t in KNOWN for t in typed]
    if all(sure) or sure.count(False) > MAX_SLIPS:
        return None
    best: dict[int, set[str]] = {}
    for parts, kind in PHRASES_BY_LENGTH.get(len(typed), ()):
        if all(t == p for t, p, same in zip(typed, parts, sure, strict=True) if same):
            gaps = [meant(t, p) for t, p in zip(typed, parts, strict=True)]
            if None not in gaps:
                best.setdefault(sum(gaps), set()).add(kind)
    nearest = best[min(best)] if best else set()
    return Intent(nearest.pop()) if len(nearest) == 1 and min(best) <= 1 + len(typed) // 2 else None


def _bare_phrase(typed: Sequence[str]) -> tuple[str, ...]:
    """A phrase without articles and "show me": two words and more, or one that was asked for; else nothing."""
    bare = tuple(t for t in typed if t not in w.PHRASE_FILLERS)
    return bare if len(bare) > 1 or (bare and typed[0] in w.SHOWING) else ()


# --- edits --------------------------------------------------------------------------------------------------------


def edit(typed: list[str], values: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "make it past", "a bit more positive", "future please", "from past to future"."""
    rest, framed = _frame(typed)
    targets, hint = _targets(rest, values, framed, w.EDIT_FILLERS if framed else w.BARE_FILLERS)
    if targets is None:
        return None
    return Intent("unknown", hint=hint) if hint else Intent("edit", targets=targets)


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


def _targets(
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


# --- parts of the way -----------------------------------------------------------------------------------------------


def part(typed: list[str], _: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "halfway", "a third of the way back", "70 %", "a bit further", "to the end"."""
    line = " ".join(typed)
    ends = re.fullmatch(r"(?:(?:go|move|walk|jump|take me) )?(?:all the way )?(?:back )?(?:to )?(?:the )?(?:very )?(start|beginning|end|first|second|other end|first sentence|second sentence)(?: of the (?:way|path|walk|line))?", line)
    if ends and len(typed) > 1:
        return Intent("part", amount=0.0 if ends[1].startswith(("start", "begin", "first")) else 1.0, mode="at")
    if line in ("all the way", "go all the way", "all the way to the end"):
        return Intent("part", amount=1.0, mode="at")
    if line == "all the way back":
        return Intent("part", amount=0.0, mode="at")
    mode = "back" if w.BACKWARD & set(typed) else "on" if w.ONWARD & set(typed) else "at"
    amount, rest = _amount([t for t in typed if t not in w.BACKWARD | w.ONWARD])
    small = bool(w.WEAK & set(rest))
    rest = [t for t in rest if t not in w.WEAK and t not in w.WAY_FILLERS]
    if rest or (amount is None and (mode == "at" or (mode == "back" and not small))):
        return None
    if amount is None:
        amount = w.SMALL_STEP
    return Intent("part", amount=amount, mode=mode)


def _amount(typed: list[str]) -> tuple[float | None, list[str]]:
    """A share of the way in a row of words, and the other words."""
    line = " ".join(typed)
    patterns = [
        (r"(\d{1,6}(?:\.\d{1,6})?) (?:%|percent|per cent|pct)", lambda m: float(m[1]) / 100),
        (r"(\d{1,4})/(\d{1,4})", lambda m: int(m[1]) / int(m[2]) if int(m[2]) else None),
        (r"(?<![\d.])(0?\.\d{1,9}|1\.0)", lambda m: float(m[1])),
        (r"half(?: the)? way", lambda m: 0.5),
        (rf"({'|'.join(w.HALVES)})", lambda m: 0.5),
        (rf"(?:({'|'.join(w.NUMBERS)}|a|\d{{1,3}}) )?({'|'.join(w.FRACTIONS)})", lambda m: _count(m[1]) / w.FRACTIONS[m[2]]),
    ]
    for pattern, value in patterns:
        if match := re.search(rf"(?<!\S)(?:{pattern})(?!\S)", line):
            rest = (line[: match.start()] + " " + line[match.end() :]).split()
            return value(match), rest
    return None, typed


def _count(word: str | None) -> int:
    return 1 if word in (None, "a") else int(word) if word.isdigit() else w.NUMBERS[word]


# --- draws and steps ------------------------------------------------------------------------------------------------


def draw(typed: list[str], values: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "say something negative in the past tense", "5 happy sentences", "3 like this"."""
    rest = typed[1:] if typed[0] in w.DRAW_VERBS | {"surprise"} else typed
    verb = rest is not typed
    like = rest[-2:] in (["like", "this"], ["like", "that"], ["like", "it"]) or "variations" in rest
    rest = rest[:-2] if rest[-2:-1] == ["like"] else [t for t in rest if t != "variations"]
    number = 1
    counts = [t for t in rest if t.isdigit() or (t in w.NUMBERS and t != "one")]
    if len(counts) > 1:
        return None
    if counts:
        number = int(counts[0]) if counts[0].isdigit() else w.NUMBERS[counts[0]]
        rest = [t for t in rest if t != counts[0]]
    named = bool(w.DRAW_NOUNS & set(rest)) or typed[0] == "surprise" or "random" in rest
    if not (named or (like and (verb or counts))):
        return None
    bare_one = w.DRAW_NOUNS & set(rest) <= {"one", "ones"} and not like and "random" not in rest
    rest = [t for t in rest if t not in w.DRAW_NOUNS]
    targets, hint = _targets(rest, values, True, w.DRAW_FILLERS) if rest else ((), "")
    if targets is None:
        if any(t not in w.DRAW_FILLERS for t in rest):
            return None
        targets = ()
    if bare_one and not targets:  # "I need a new one" is a sentence
        return None
    if hint:
        return Intent("unknown", hint=hint)
    if number < 1 or number > MAX_DRAWN:
        return Intent("unknown", hint="too many")
    if like:
        return Intent("like", number=number) if not targets else None
    return Intent("surprise", targets=tuple(Target(t.name, t.value) for t in targets), number=number)


def steps(typed: list[str], _: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "undo twice", "go back two steps", "redo 3", "5 neighbours"."""
    counts = [t for t in typed if t.isdigit() or t in w.NUMBERS]
    if len(counts) != 1:
        return None
    number = int(counts[0]) if counts[0].isdigit() else w.NUMBERS[counts[0]]
    line = " ".join("N" if t == counts[0] else t for t in typed)
    forms = {
        "undo": r"undo (?:the )?(?:last )?N(?: times| steps| step| edits)?|(?:go |step |take )?(?:back )?N steps? back|(?:go |step )?back N(?: steps?| sentences?)?",
        "redo": r"redo N(?: times| steps| step)?|(?:go )?N steps? forward",
        "neighbours": r"(?:show |give |list |show me |give me |what are )?(?:the |my )?N (?:nearest |closest )?(?:neighbours|neighbors|nearest|closest)(?: sentences| examples)?|(?:the )?(?:nearest|closest) N(?: sentences| neighbours| neighbors)?|(?:show me |give me )?(?:the )?N (?:nearest|closest|nearby) (?:sentences|ones)",
    }  # fmt: skip
    kind = next((k for k, form in forms.items() if re.fullmatch(form, line)), None)
    if kind is None:
        return None
    return Intent(kind, number=number) if 1 <= number <= 20 else Intent("unknown", hint="too many")


def bag(typed: list[str], _: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "who are my closest neighbours", "explain the last step": a few words, all of one set of `words.BAGS`."""
    if len(typed) > 7:
        return None
    kind = next((k for k, (keys, others) in BAGS.items() if keys & set(typed) and set(typed) <= keys | others), None)
    return Intent(kind) if kind else None


def _values(attributes: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Words of values: ours for tense and sentiment, their own names for all others."""
    own = {v.lower(): (name, v) for name, values in attributes.items() if name not in DEFAULT_ATTRIBUTES for v in values if v.isalpha()}
    return {**own, **w.VALUES}


BAGS = {kind: (set(keys.split()), set(others.split())) for kind, (keys, others) in w.BAGS.items()}
_BASE = set(w.VALUES) | set(w.FEELING_OF) | w.MORE | w.LESS | w.STRONG | w.WEAK
VOCABULARY = {
    edit: _BASE | w.VERBS | w.EDIT_FILLERS | {word for known in w.OBJECTS for word in known},
    part: set(w.NUMBERS) | set(w.FRACTIONS) | w.HALVES | w.WAY_FILLERS | w.BACKWARD | w.ONWARD | w.WEAK | set("percent start beginning end first second".split()),
    draw: _BASE | w.DRAW_VERBS | w.DRAW_NOUNS | w.DRAW_FILLERS | set(w.NUMBERS) | set("like this variations".split()),
    bag: set().union(*(keys | others for keys, others in BAGS.values())),
    steps: set("undo redo last steps step times back neighbours neighbors nearest closest sentences forward show".split()) | set(w.NUMBERS),
}  # fmt: skip
KNOWN = set().union(*VOCABULARY.values()) | {word for known in w.PHRASE_OF for word in known.split()}
BARE_PHRASES: dict[tuple[str, ...], str] = {}
for _phrase, _kind in w.PHRASE_OF.items():
    if _bare := _bare_phrase(["show", *_phrase.split()]):
        BARE_PHRASES[_bare] = "" if BARE_PHRASES.get(_bare, _kind) != _kind else _kind  # two kinds: none of them
PHRASES_BY_LENGTH: dict[int, list[tuple[list[str], str]]] = {}
for _phrase, _kind in w.PHRASE_OF.items():
    PHRASES_BY_LENGTH.setdefault(len(_phrase.split()), []).append((_phrase.split(), _kind))
JOINED = {known.replace(" ", ""): kind for known, kind in w.PHRASE_OF.items() if len(known) > 7}
