"""What is said or asked about the sentence one stands at, and several commands in one message.

"that's too negative", "is it past?", "yes, make it future", "undo and make it past". What is written as a sentence is, with a
capital and an end mark, stays one wherever it can be meant as one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from apps.chat import words as w
from apps.chat.commands import closed, spelled_out
from apps.chat.intents import Intent, tokens
from apps.chat.templates import prose
from apps.chat.typos import corrected

VALUE = "(?:positive|negative|past|present|future)"
FEELING = rf"(?:{'|'.join([VALUE, *w.FEELING_OF])})"
IT = "(?:it|this|that|(?:this|that|the|my|your) (?:sentence|one|text|answer|result))"
IT_IS = rf"(?:its|{IT}(?:'s| is| was| sounds?| seems| feels| became| got| looks))"
SO = "(?:(?:so|too|that|really|very|still|now|more|less|in|in the|again|all of a sudden|suddenly) )*"
QUESTION_WORDS = set("what which tense sentiment mood how why is was this that negative positive past present future sentence".split())
COULD_BE = r"(?:(?:it|this|that|the sentence) )?(?:could|should|might|must|needs to|ought to|has to) be (.*\b(?:positive|negative|past|present|future)\b.*)"
COMMENT = rf"(?:(?:but|well|no|and|now|still) )*(?:{IT_IS}|(?:sounds|seems|feels|still)|i (?:find|think|feel)(?: that)? (?:{IT_IS}|{IT}))(?: still| now| just)? (.*\b(?:too|enough)\b.*)"
LESS_SO = r"(?:(?:don't|do not|stop)(?: (?:be|being|sound|sounding|get|make (?:it|this|that)))? (?:quite |all )?(?:so|that|too|this|as)|i (?:don't|do not) (?:want|like) (?:it|this|that)(?: to be)?(?: so| that| too)?) (.+)"
CORRECTION = r"(?:(?:no|sorry|but|oops|well) )*i (?:meant|mean|said|asked for|wanted)(?: to say)? (?:it )?(.+)"
ANSWER = r"(?:(?:yes|yeah|yea|yep|yup|sure|oops|ups|sorry|no|nope|nah|oh|fine|right|great|perfect|wait|ah|aha) )+(?:(?:please|but|then|and) )?(.+)"
LONGEST = 16  # words of a remark
SPEECH = {"thanks", "hello"}  # kinds of what may be said beside a command
MOODS = {
    "more positive": "cheer it up|cheer this up|cheer that up|lighten it up|brighten it up|lighten the mood|lighten up|cheer up|sweeten it",
    "more negative": "darken it|make it bleak",
}  # fmt: skip
MOOD_OF = {phrase: command for command, phrases in MOODS.items() for phrase in phrases.split("|")}


def parse(text: str, attributes: Mapping[str, Sequence[str]]) -> Intent | None:
    """The intent of a remark, or None."""
    words = spelled_out(tokens(text))
    if len(words) > LONGEST:
        return None
    line = " ".join(words)
    if _asks(line, text, attributes):
        return Intent("why")
    if (command := MOOD_OF.get(line)) and not (prose(text) and line.endswith("cheer up")):
        return closed(tokens(command), attributes)
    return _comment(line, text, attributes) or _answered(line, text, attributes) or _several(text, attributes)


def _asks(line: str, text: str, attributes: Iterable[str]) -> bool:
    """Whether it asks what the readers find of the sentence."""
    line = " ".join(corrected(t, QUESTION_WORDS, w.ORDINARY) for t in line.split())
    value = VALUE if prose(text) else FEELING
    values = rf"{SO}(?:(?:an?|the) (?={value} (?:sentence|tense)))?{value}(?: (?:or|and) {SO}(?:not|{value}))*(?: (?:tense|sentence|now|again|here|or not|though|enough))*"
    name = rf"(?:tense|tone|mood|{'|'.join(re.escape(name) for name in attributes)})"
    forms = [
        rf"(?:(?:and|so|but) )?(?:is|was|isn't|wasn't|does|did) {IT}(?: sound| seem| become| get)? {values}",
        rf"(?:do|would) you (?:think|say|find)(?: that)? (?:{IT_IS}|{IT}) {values}",
        rf"how {SO}{VALUE}",
        rf"how {SO}{value} (?:is|was|does) {IT}(?: now| sound| feel| really)?",
        rf"(?:but )?(?:why|how come)(?: (?:is|was|did|does|isn't) {IT}| {IT_IS})?(?: (?:become|get|turn|sound|go))? {values}",
        rf"(?:(?:and|so|but) )?(?:(?:what|which)(?: is|'s)?|what's|tell me) (?:(?:the|its) )?{name}(?: (?:(?:is|was|has|does) {IT}|(?:of|for) {IT}))?(?: have| in| now| here)*",
        rf"(?:(?:how|what) (?:is|about)|and) (?:the|its) {name}(?: of {IT})?",
    ]
    if text.endswith("?"):
        forms += [rf"(?:the )?{name}", rf"{value} or {SO}{value}"]
    return any(re.fullmatch(form, line) for form in forms)


def _comment(line: str, text: str, attributes: Mapping[str, Sequence[str]]) -> Intent | None:
    """ "that's too negative", "don't be so sad", "no, I meant the past"."""
    for pattern, prefix in ((COMMENT, ""), (COULD_BE, ""), (LESS_SO, "less "), (CORRECTION, "")):
        if not (match := re.fullmatch(pattern, line)):
            continue
        command = f"{prefix}{match[1]}"
        found = closed(command.split(), attributes)
        if found is None or found.kind != "edit":
            continue
        if not prose(text):
            return found
        if {"positive", "negative"} & set(command.split()):  # "It is too negative." may be meant either way
            return Intent("unknown", hint="guess", guess=command)
    return None


def _answered(line: str, text: str, attributes: Mapping[str, Sequence[str]]) -> Intent | None:
    """ "yes make it past", "no undo": an answer and a command, without a comma. "no more negative" could be two things."""
    match = re.fullmatch(ANSWER, line)
    if not match or prose(text) or (line.startswith("no ") and re.match(r"(?:more|less|past|present|future|way|one|negative|positive)\b", match[1])):
        return None
    found = closed(match[1].split(), attributes)
    return found if found and found.kind not in SPEECH else None


def _several(text: str, attributes: Mapping[str, Sequence[str]]) -> Intent | None:
    """The one command beside "yes", "thanks" or "oops"; of two, none is done and the first is offered."""
    if '"' in text:
        return None
    choice = re.split(r",? or ", text.rstrip(".!? "))
    if len(choice) > 1 and not prose(text) and all(closed(tokens(piece), attributes) for piece in choice):
        return Intent("unknown", hint="contradiction")  # "undo or redo"
    pieces = [piece for piece in re.split(r"\s*[,;.!]+\s+|\s+(?:and then|and|then|but|after that)\s+", text.rstrip(".!? ")) if piece]
    found = [closed(tokens(piece), attributes) for piece in pieces]
    if len(pieces) < 2 or None in found:
        return None
    commands = [(piece, intent) for piece, intent in zip(pieces, found, strict=True) if intent.kind not in SPEECH and piece.lower() not in ("oops", "ups")]
    kinds = [intent.kind for _, intent in commands]
    if not commands and not prose(text):
        return found[0]
    if not commands or (prose(text) and "edit" not in kinds and not re.search("[,;.!] ", text)):
        return None  # "Stop and go back."
    if len(commands) == 1 or all(intent == commands[0][1] for _, intent in commands):
        return commands[0][1]
    if len({tuple((t.name, t.value) for t in intent.targets) for _, intent in commands if intent.kind == "edit"}) == 1 and set(kinds) == {"edit"}:
        return commands[-1][1]  # "too negative, make it positive"
    return Intent("unknown", hint="guess", guess=commands[0][0].lower())
