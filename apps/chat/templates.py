"""Commands that hold a visitor's own sentences: "from A to B", "A minus B", "something like A"; and what only looks like a command.

Where the sentences begin and end is sure only with quotation marks; without them both sides must look like clauses, or the
visitor is asked. Words in the midst of prose ("from Monday to Friday I work") are left alone.
"""

import re
from collections.abc import Mapping, Sequence

from apps.chat import words as w
from apps.chat.commands import closed
from apps.chat.intents import MAX_DRAWN, Intent, Target, tokens
from apps.chat.typos import corrected

QUOTE = '"([^"]+)"'
PLEASE = r"(?:(?:please|ok|okay|now|and|then|so|hey),? )*(?:(?:can|could|would|will) you (?:please )?)?"
GO = r"(?:(?:go|walk|move|travel|interpolate|step|morph|fade|blend|path|take me|show me(?: the way| a path| the path)?|show(?: the way| a path| the path)?|a path|the path|a walk|the way|let's go|lead me|walk me|get me|bring me|get) )"
OWNERS = {"your", "my", "our", "his", "her", "their"}
SYMBOL = re.compile(r"\s*(?:->|=>|→|⟶|>>)\s*")


def parse(text: str, attributes: Mapping[str, Sequence[str]]) -> Intent | None:
    """An intent with sentences of the visitor's, or None."""
    text = re.sub(r'(?<=")\s*,?\s+(?:please|pls|plz|thanks|now)\s*[.!?]*$', "", text)
    for rule in (_say, _between, _towards, _arithmetic, _like, _neighbours):
        if found := rule(text):
            return found
    return _about(text, attributes)


def quoted(text: str) -> str | None:
    """The sentence of a message that is one pair of quotation marks."""
    match = re.fullmatch(rf"{QUOTE}\s*[.!?]?", text)
    return match[1].strip() if match and match[1].strip() else None


def clause_like(text: str) -> bool:
    """Whether a piece of text can stand as a sentence: a subject and more, a verb that gives it away, or an end mark."""
    words = [t for t in tokens(text) if t[:1].isalpha()]
    if len(words) < 2:
        return False
    if words[0] in w.SUBJECTS or (words[0] in {"please"}):
        return True
    if text.rstrip().endswith((".", "!", "?")) and text[:1].isupper():
        return True
    return any(word in w.FINITE for word in words[words[0] in w.STARTERS and words[0] not in w.FINITE :]) and (
        words[0] in w.STARTERS or text[:1].isupper() or len(words) >= 3
    )


def prose(text: str) -> bool:
    """Whether it is written as a sentence is: a capital first and an end mark last."""
    return text[:1].isupper() and text.endswith((".", "!", "?"))


def _bare(piece: str) -> str | None:
    """A sentence without its quotation marks; "" for "this"; None where it does not look like one."""
    piece = piece.strip().strip(",;:").strip()
    if match := re.fullmatch(rf"{QUOTE}[.!?]?", piece):
        return match[1].strip() or None
    if re.fullmatch(r"(?:this|it|here|that|this sentence|the current sentence|this one|where (?:i am|we are))[.!?]?", piece, re.I):
        return ""
    return piece if clause_like(piece) and '"' not in piece else None


def _pair(rest: str, separators: str, marked: bool, kind: str) -> Intent | None:
    """Two sentences around one of the separators; asks where it is not clear which."""
    whole = re.fullmatch(rf"{QUOTE}\s*{separators}\s*{QUOTE}[.!?]?", rest, re.I)
    if whole:
        return Intent(kind, (whole[1].strip(), whole[2].strip()), amount=0.5)
    splits = [
        (a, b)
        for match in re.finditer(rf"\s{separators}\s", rest, re.I)
        if (a := _bare(rest[: match.start()])) is not None and (b := _bare(rest[match.end() :])) is not None and (a or b)
    ]
    if not splits:
        return None
    best = [s for s in splits if s[0][-1:] in ".!?" or s[1][:1].isupper() or '"' in rest] or splits
    if len(best) == 1:
        return Intent(kind, best[0], amount=0.5)
    return Intent("unknown", hint="which pair")


def _between(text: str) -> Intent | None:
    if SYMBOL.search(text):
        sides = [_bare(side) if _bare(side) is not None else side.strip(" \"'") for side in SYMBOL.split(text)]
        if len(sides) == 2 and any(sides) and all(not s or len(tokens(s)) > 1 for s in sides):
            return Intent("between", (sides[0], sides[1]), amount=0.5)
        return Intent("unknown", hint="which pair")
    if whole := re.fullmatch(rf"{QUOTE}\s*(?:to|into|and then|versus|vs\.?)\s*{QUOTE}[.!?]?", text, re.I):
        return Intent("between", (whole[1].strip(), whole[2].strip()), amount=0.5)
    for pattern, separators in (
        (rf"{PLEASE}{GO}?from\s+(.+)", "(?:to|towards?|into)"),
        (rf"{PLEASE}(?:{GO}|(?:what is |what's |what lies |what would be )(?:halfway |half way |in the middle )?|something |a sentence |halfway |half way |the middle |midway |somewhere )?between\s+(.+)", "and"),
        (rf"{PLEASE}(?:mix|blend|mixture of|a mix of|a mixture of|a blend of|combine|average|(?:the )?(?:average|mean|middle|midpoint) (?:of|between)|interpolate|morph|merge)\s+(.+)", "(?:and|with|into|to)"),
    ):  # fmt: skip
        if match := re.fullmatch(pattern, text, re.I):
            if found := _pair(match[1], separators, bool(match.group(0)), "between"):
                return None if found.kind != "unknown" and _looks_prose(text, match[1], found) else found
            if closed(tokens(text)):  # "from the beginning", "change it from past to future"
                return None
            return None if prose(text) or not re.search(rf"\s{separators}\s", match[1], re.I) else Intent("unknown", hint="which pair")
    first = corrected(tokens(text)[0], {"interpolate", "between"}, w.ORDINARY) if tokens(text) else ""
    if first in ("interpolate", "between") and not text.lower().startswith(first):
        return _between(f"{first} {text.partition(' ')[2]}")
    return None


def _looks_prose(text: str, rest: str, found: Intent) -> bool:
    """ "From the day I met her to the day she left I was happy." is a sentence: its second half does not begin as one."""
    return prose(text) and '"' not in rest and any(s[:1].islower() for s in found.sentences)


def _towards(text: str) -> Intent | None:
    match = re.fullmatch(
        rf"{PLEASE}(?:go |move |walk |step |take a step )?(?P<amount>.{{0,40}}?)\s*(?:of the way )?(?P<word>towards?|closer to|nearer to|to|in the direction of)\s+(?P<rest>.+)", text, re.I
    )  # fmt: skip
    if not match or closed(tokens(text)):  # "closer to the start", "back to the present"
        return None
    rest, asked = match["rest"], tokens(match["amount"])
    is_quoted = re.fullmatch(rf"{QUOTE}[.!?]?", rest.strip())
    sentence = _bare(rest)
    command = re.match(r"(?:go|move|walk|step|take|halfway|half|a|one|two|three|\d+|please|can|could)\b", text, re.I) or text.lower().startswith(match["word"].lower())
    if not sentence or not command:
        return None
    if not is_quoted and (prose(text) and rest[:1].islower()):
        return None
    found = closed([*asked, "of", "the", "way"]) if asked else None
    if asked and (found is None or found.kind != "part"):
        if not set(asked) <= {"a", "bit", "little", "step", "slightly", "some", "more"}:
            return None
        found = Intent("part", amount=2 * w.SMALL_STEP)
    if match["word"].lower() == "to" and not asked:
        return Intent("say", (sentence,)) if is_quoted else None
    return Intent("towards", (sentence,), amount=found.amount if found else 0.5)


def _arithmetic(text: str) -> Intent | None:
    if added := re.fullmatch(rf"{PLEASE}(?:add|sum|the sum of|add up)\s+{QUOTE}\s*(?:and|to|plus|,)\s*{QUOTE}[.!?]?", text, re.I):
        return Intent("arithmetic", (added[1].strip(), added[2].strip()), (1, 1))
    if not re.search(r"\s(?:minus|plus|\+|-)\s", text, re.I):
        return None
    bare = re.sub(rf"^{PLEASE}(?:what is|what's|compute|calculate|add up)?\s*", "", text, flags=re.I).rstrip("= ").strip()
    parts = re.split(r"\s(minus|plus|\+|-)\s", bare, flags=re.I)
    pieces = [_bare(piece) for piece in parts[::2]]
    symbolic = any(sign in "+-" for sign in parts[1::2])
    if any(piece is None for piece in pieces):
        if prose(text) or any(c.isdigit() for c in text):
            return None
        short = all(len(tokens(piece)) <= 2 for piece in parts[::2])
        return Intent("unknown", hint="sums") if short or (not symbolic and '"' in text) or all(p is not None for p in pieces[:1]) and not symbolic else None
    signs = (1, *(-1 if sign.lower() in ("minus", "-") else 1 for sign in parts[1::2]))
    if symbolic and len(pieces) == 2 and "+" not in parts and '"' not in text:  # a dash between two clauses is punctuation
        return Intent("unknown", hint="dash") if not prose(text) else None
    if len(pieces) > 6:
        return Intent("unknown", hint="too many")
    return Intent("arithmetic", tuple(pieces), signs)


def _say(text: str) -> Intent | None:
    going = re.fullmatch(rf"{PLEASE}(?:go|jump|walk|move) to (.+)", text, re.I)
    if going and '"' not in text and re.match(r"(?:i|you|he|she|we|they|it)(?:'\w+\b|\s)", going[1], re.I) and w.FINITE & set(tokens(going[1])[:3]):  # "go to I am sad"
        return Intent("say", (going[1],))
    match = re.fullmatch(rf"{PLEASE}(?:say|go to|try|type|encode|start with|start from|begin with|take|sentence|read|jump to|use)\s*(?::\s*(.+)|{QUOTE}[.!?]?)", text, re.I)
    if not match:
        return None
    sentence = (match[1] or match[2]).strip()
    inner = quoted(sentence)
    return Intent("say", (inner or sentence,)) if re.search(r"[^\W\d_]", sentence) else None


def _like(text: str) -> Intent | None:
    match = re.fullmatch(
        rf"{PLEASE}(?:(?:give|show|tell|say|write|find)\s+(?:me\s+)?)?(?:(?:(\w+)\s+)?(?:(?:something|more|anything|a sentence|sentences|one|ones)\s+(?:like|similar to|close to|around|near)|variations? (?:of|on))|(?:similar|close)\s+(?:(?:sentences?|ones?)\s+)?to|(?:like|near|around)(?=\s*\x22))\s+(.+)",
        text, re.I,
    )  # fmt: skip
    if not match or (sentence := _bare(match[2])) is None or (not sentence) or (prose(text) and '"' not in text and match[2][:1].islower()):
        return None
    number = _number(match[1])
    return None if number is None else Intent("like", (sentence,), number=number)


def _neighbours(text: str) -> Intent | None:
    match = re.fullmatch(
        rf"{PLEASE}(?:show\s+(?:me\s+)?|list\s+|find\s+|what are\s+|who are\s+)?(?:the\s+)?(?:nearest\s+|closest\s+)?(?:neighbou?rs|sentences near|examples near|what is near|what's near)\s+(?:of\s+|to\s+|for\s+)?(.+)",
        text, re.I,
    )  # fmt: skip
    if not match or (prose(text) and '"' not in text) or not (sentence := _bare(match[1])):
        return None
    return Intent("neighbours", (sentence,), number=5)


def _about(text: str, attributes: Mapping[str, Sequence[str]]) -> Intent | None:
    if not prose(text):  # "sentences on dogs"
        text = re.sub(r"\b(sentences?|something|anything) (?:on|mentioning|containing|regarding|concerning|with the words?) (?!it\b|this\b|that\b)", r"\1 about ", text, flags=re.I)
    match = re.fullmatch(rf"({PLEASE}.{{0,60}}?)\s*\babout\s+([^\"?]{{2,40}}?)(?:,? (?:please|pls|plz))?[.!?]?", text, re.I)
    if not match:
        return None
    topic = [t for t in tokens(match[2]) if t not in {"the", "a", "an", "some", "my", "your", "please", "our"}]
    head = tokens(match[1])
    if not topic or len(topic) > 3 or topic[0] in {"you", "yourself", "me", "it", "this", "that", "him", "her", "them", "us", "half"} or not head:
        return None
    plain = re.fullmatch(rf"{PLEASE}(?:(?:tell|show) (?:me|us)|write|write me|talk|speak|talk to me|talk with me|say|anything)(?: a bit| something| anything)?", " ".join(head), re.I)
    if plain and (prose(text) or tokens(match[2])[0] in OWNERS):  # "tell me about your day"
        return None
    found = Intent("surprise") if plain else closed(head, attributes)
    if found is not None and found.hint == "too many":
        return found
    if found is None or found.kind != "surprise":
        return None
    if prose(text) and "sentence" not in match[1].lower() and "sentences" not in match[1].lower() and tokens(match[2])[0] in OWNERS:
        return None
    targets = tuple(Target(t.name, t.value) for t in found.targets)
    return Intent("about", targets=targets, number=found.number, hint=" ".join(topic))


def _number(word: str | None) -> int | None:
    if word is None:
        return 1
    value = int(word) if word.isdigit() else w.NUMBERS.get(word.lower(), 1 if word.lower() in ("a", "some", "just") else 0)
    return value if 1 <= value <= MAX_DRAWN else None
