"""Commands that count or measure: parts of the way, draws, steps back and forth. How far an edit goes is in `edits`."""

import re
from collections.abc import Mapping

from apps.chat import words as w
from apps.chat.edits import values_in
from apps.chat.intents import MAX_DRAWN, Intent, Target

EVERY = 1_000_000  # steps: more than any walk has
TO_END = re.compile(r"(?:(?P<amount>.*?) )??(?:(?P<nearer>closer|nearer|near|towards?|in the direction of)(?: to)?|to) (?:the |its )?(?:very )?(?P<end>start|beginning|end|first|second|other end)(?: one| sentence| point)?(?: of the (?:way|path|walk|line))?")


def part(typed: list[str], _: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "halfway", "a third of the way back", "70 %", "a bit further", "to the end"."""
    line = " ".join(typed)
    ends = re.fullmatch(r"(?:(?:go|move|walk|jump|take me) )?(?:all the way )?(?:back )?(?:to )?(?:the )?(?:very )?(start|beginning|end|first|second|other end|first sentence|second sentence)(?: of the (?:way|path|walk|line))?(?: again)?", line)
    if ends and len(typed) > 1:
        return Intent("part", amount=0.0 if ends[1].startswith(("start", "begin", "first")) else 1.0, mode="at")
    if line in ("all the way", "go all the way", "all the way to the end"):
        return Intent("part", amount=1.0, mode="at")
    if line == "all the way back":
        return Intent("part", amount=0.0, mode="at")
    if line in w.GO_ON:
        return Intent("part", amount=w.SMALL_STEP, mode="on")
    if match := TO_END.fullmatch(line):
        return _to_end(match)
    if re.fullmatch(rf"(?:go |move |walk )?back to (?:the )?(?:{'|'.join(w.HALVES)})", line):
        return Intent("part", amount=0.5, mode="at")
    mode = "back" if w.BACKWARD & set(typed) else "on" if w.ONWARD & set(typed) else "at"
    amount, rest = _amount([t for t in typed if t not in w.BACKWARD | w.ONWARD])
    small = bool(w.WEAK & set(rest))
    rest = [t for t in rest if t not in w.WEAK and t not in w.WAY_FILLERS]
    if rest or (amount is None and (mode == "at" or (mode == "back" and not small))):
        return None
    if amount is None:
        amount = w.SMALL_STEP
    return Intent("part", amount=amount, mode=mode)


def _to_end(match: re.Match[str]) -> Intent | None:
    """ "a bit closer to the start", "towards the end", "halfway to the end": from here to an end of the way."""
    amount, rest = _amount((match["amount"] or "").split())
    if any(t not in w.WAY_FILLERS | w.WEAK | w.BACKWARD | {"more", "much", "further", "get", "bring"} for t in rest):
        return None
    if amount is None and not match["nearer"] and "more" not in rest:  # "a bit to the end"
        return None
    if amount is None:
        amount = 0.5 if (match["nearer"] or "").startswith(("toward", "in")) and not w.WEAK & set(rest) else w.SMALL_STEP
    return Intent("part", amount=amount, mode="back" if match["end"].startswith(("start", "beginning", "first")) else "on")


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


def draw(typed: list[str], values: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "say something negative in the past tense", "5 happy sentences", "3 like this"."""
    rest = typed[1:] if typed[0] in w.DRAW_VERBS | {"surprise"} else typed
    verb = rest is not typed
    at = next((i for i, pair in enumerate(zip(rest, rest[1:], strict=False)) if pair[0] == "like" and pair[1] in {"this", "that", "it", "these"}), None)
    like = at is not None or "variations" in rest
    rest = [t for t in rest if t != "variations"] if at is None else rest[:at] + [t for t in rest[at + 2 :] if t != "one"]
    number = 1
    counts = [t for t in rest if t.isdigit() or (t in w.NUMBERS and t != "one")]
    if len(counts) > 1:
        return None
    if counts:
        number = int(counts[0]) if counts[0].isdigit() else w.NUMBERS[counts[0]]
        rest = [t for t in rest if t != counts[0]]
    if {"but", "except"} & set(rest[1:2]) and rest[0] in {"anything", "everything", "all"}:  # "anything but past"
        return Intent("unknown", hint="contradiction")
    named = bool(w.DRAW_NOUNS & set(rest)) or typed[0] == "surprise" or "random" in rest
    if not (named or (like and (verb or counts))):
        return None
    bare_one = w.DRAW_NOUNS & set(rest) <= {"one", "ones"} and not like and "random" not in rest
    rest = [t for t in rest if t not in w.DRAW_NOUNS]
    targets, hint = values_in(rest, values, True, w.DRAW_FILLERS) if rest else ((), "")
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
        values_named = " and ".join(t.value for t in targets)
        return Intent("unknown", hint="guess", guess=f"make it {values_named}") if targets else Intent("like", number=number)
    return Intent("surprise", targets=tuple(Target(t.name, t.value) for t in targets), number=number)


def steps(typed: list[str], _: Mapping[str, tuple[str, str]]) -> Intent | None:
    """ "undo twice", "go back two steps", "redo 3", "5 neighbours"."""
    if " ".join(typed) in w.REDO_ALL:
        return Intent("redo", number=EVERY)
    counts = [t for t in typed if t.isdigit() or t in w.NUMBERS]
    if len(counts) != 1:
        return None
    number = int(counts[0]) if counts[0].isdigit() else w.NUMBERS[counts[0]]
    line = " ".join("N" if t == counts[0] else t for t in typed)
    forms = {
        "undo": r"undo (?:the )?(?:last )?N(?: times| steps| step| edits)?|(?:go |step |take )?(?:back )?N steps? back|(?:go |step )?back N(?: steps?| sentences?)?",
        "again": r"(?:(?:give|show) (?:me |us )?|gimme |and |let's see )?(?:another N|N (?:more|others|other ones))(?: ones?| of (?:these|those|them))?",
        "redo": r"redo N(?: times| steps| step)?|(?:go )?N steps? forward",
        "neighbours": r"(?:show |give |list |show me |give me |what are )?(?:the |my )?N (?:nearest |closest )?(?:neighbours|neighbors|nearest|closest)(?: sentences| examples)?|(?:the )?(?:nearest|closest) N(?: sentences| neighbours| neighbors)?|(?:show me |give me )?(?:the )?N (?:nearest|closest|nearby) (?:sentences|ones)",
    }  # fmt: skip
    kind = next((k for k, form in forms.items() if re.fullmatch(form, line)), None)
    if kind is None:
        return None
    return Intent(kind, number=number) if 1 <= number <= (MAX_DRAWN if kind == "again" else 20) else Intent("unknown", hint="too many")
