"""What a message means: a grammar of intents, no language model. It knows words and never the latent space.

A message is a command only where the whole of it parses as one; what is left is a sentence to go to, and what looks like a
command but is none is `unknown`, which is asked about and never acted on. Quotation marks turn anything into a sentence.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from apps.chat import remarks, templates
from apps.chat.commands import closed
from apps.chat.doubts import not_a_command
from apps.chat.intents import DEFAULT_ATTRIBUTES, Intent, tokens

PLACE = re.compile(r"@\s*(-?\d{1,3}(?:\.\d{1,4})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,4})?)")
LETTER_SHARE = 0.6  # of the characters of anything that may be a sentence


def parse(message: str, attributes: Mapping[str, Sequence[str]] = DEFAULT_ATTRIBUTES) -> Intent:
    """The intent of a message.

    Args:
        message: What was typed, not empty.
        attributes: The values of further attributes that the model knows; tense and sentiment are always understood.
    """
    text = _plain(message)
    if place := PLACE.fullmatch(text):
        return Intent("place", point=(float(place[1]), float(place[2])))
    if (sentence := templates.quoted(text)) is not None:
        return Intent("say", (sentence,))
    if not _is_text(text):
        known = closed(tokens(text), attributes)  # "50 %", "?", "1/3"
        return known or Intent("unknown", hint="no text")
    found = templates.parse(text, attributes) or closed(tokens(text), attributes) or remarks.parse(text, attributes)
    if found and found.kind == "edit" and text.endswith("?") and len(tokens(text)) == 1:  # "past?" may ask for it, or whether it is
        return Intent("unknown", hint="guess", guess=f"make it {tokens(text)[0]}")
    return found or not_a_command(text) or Intent("say", (text,))


def _plain(message: str) -> str:
    """One line, composed characters, straight quotation marks and apostrophes."""
    text = unicodedata.normalize("NFC", message)
    text = text.translate({ord(a): b for a, b in zip("‘’‛′“”„«»–−", "''''\"\"\"\"\"--", strict=True)})
    return " ".join(text.split())


def _is_text(text: str) -> bool:
    """Whether Latin letters make up most of it, and no markup, address or control character is in it."""
    if re.search(r"</?\w|https?:|www\.|[{}\\]|\w\(\)|;\s*$|--\s*$|==|[\x00-\x1f\x7f\ufffd]", text):
        return False
    letters = sum(c.isalpha() and "LATIN" in unicodedata.name(c, "") for c in text)
    solid = sum(not c.isspace() and c not in ".,!?'\"" for c in text)
    return letters >= 2 and letters >= LETTER_SHARE * solid
