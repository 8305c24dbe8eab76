"""A walk as JSON and as a link. What is read back is checked field by field: it came from a stranger.

JSON holds every number and is restored as it was. A link holds the messages and the seed alone, no pictures, and is replayed, so it is small, and
nothing in it is believed. Neither runs or opens anything.
"""

import base64
import binascii
import json
import zlib
from dataclasses import asdict, fields
from typing import Any

from apps.chat.walk import MAX_TURNS, Path, Step, Turn, Walk
from apps.limits import MAX_CHARS, MAX_SEED

VERSION = 1
FORMAT = "textae chat"
MAX_JSON = 1_500_000  # characters: the longest walk through a hundred dimensions
MAX_LINK = 2_000  # characters behind the "#": what every browser, messenger and mail program lets pass
MAX_UNPACKED = 40_000
MAX_MESSAGES = 25  # they are all answered again when the link is opened
MAX_TEXT = 12_000  # characters of one answer: six of the longest sentences in a sum
PIXELS = 28 * 28


def to_json(walk: Walk) -> str:
    """The walk with all its numbers."""
    return json.dumps({"format": FORMAT, "version": VERSION, **asdict(walk)}, ensure_ascii=False, allow_nan=False)


def from_json(text: str, latent_dim: int | None = None) -> Walk:
    """What `to_json` wrote.

    Args:
        text: JSON.
        latent_dim: D of the model that goes on with it; codes of other lengths are refused.

    Raises:
        ValueError: It is too long, no JSON, of another version, or a field of it cannot be.
    """
    if not isinstance(text, str):
        raise ValueError("a conversation is text: the JSON that “Export” wrote")
    if len(text) > MAX_JSON:
        raise ValueError(f"the conversation has {len(text):,} characters; at most {MAX_JSON:,} are taken")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("this is no conversation: it is not JSON as “Export” writes it") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError("this is JSON, but no conversation: “Export” writes one")
    if found.get("version") != VERSION:
        raise ValueError(f"the conversation is of version {str(found.get('version'))[:20]!r}; this page reads version {VERSION}")
    turns = _list(found.get("turns"), "turns", MAX_TURNS)
    walk = Walk(
        _text(found.get("model"), "the model's name", 200), _whole(found.get("seed"), "the seed", MAX_SEED),
        tuple(_turn(turn, f"turn {i}", latent_dim) for i, turn in enumerate(turns, 1)),
        tuple(_whole(i, "the trail", len(turns) - 1) for i in _list(found.get("trail"), "the trail", MAX_TURNS)),
        tuple(_whole(i, "the steps ahead", len(turns) - 1) for i in _list(found.get("ahead"), "the steps ahead", MAX_TURNS)),
    )  # fmt: skip
    places = (*walk.trail, *walk.ahead)
    if len(set(places)) != len(places) or any(walk.turns[i].step is None for i in places):
        raise ValueError("the conversation's trail names turns that are no steps, or one of them twice")
    return walk


def to_link(walk: Walk) -> str:
    """What stands behind the "#" of a link: the messages and the seed, packed.

    Raises:
        ValueError: The conversation is too long for a link.
    """
    messages = [turn.asked for turn in walk.turns if not turn.pictures]  # pictures do not fit
    content = json.dumps([VERSION, walk.model, walk.seed, messages], ensure_ascii=False, separators=(",", ":")).encode()
    packed = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
    if len(messages) > MAX_MESSAGES or len(packed) > MAX_LINK or len(content) > MAX_UNPACKED:
        raise ValueError("this conversation is too long for a link: export it as a file instead")
    return packed


def from_link(packed: str) -> tuple[str, int, list[str]]:
    """Model, seed and messages of what `to_link` wrote, to be replayed.

    Raises:
        ValueError: It is too long, damaged, or of another version.
    """
    if not isinstance(packed, str) or not packed or len(packed) > MAX_LINK:
        raise ValueError(f"the link's walk must have 1 to {MAX_LINK:,} characters")
    try:
        raw = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(raw, MAX_UNPACKED)
        if unpacker.unconsumed_tail:
            raise ValueError("too long")
        version, model, seed, messages = json.loads(content)
    except (ValueError, TypeError, zlib.error, binascii.Error, RecursionError):
        raise ValueError("the link's walk is damaged: ask for the link again, or for an exported file") from None
    if version != VERSION:
        raise ValueError(f"the link is of version {str(version)[:20]!r}; this page reads version {VERSION}")
    messages = _list(messages, "the link's messages", MAX_MESSAGES)
    return (
        _text(model, "the model's name", 200), _whole(seed, "the seed", MAX_SEED),
        [_text(message, f"message {i}", MAX_CHARS) for i, message in enumerate(messages, 1)],
    )  # fmt: skip


# --- fields ------------------------------------------------------------------------------------------------------------


def _turn(found: Any, what: str, latent_dim: int | None) -> Turn:
    found = _fields(found, Turn, what)
    rows = _list(found["rows"], f"{what}'s rows", 60)
    if not all(isinstance(row, list) and len(row) == 2 for row in rows):
        raise ValueError(f"{what}: a row is a sentence and a note")
    return Turn(
        _text(found["asked"], f"{what}'s message", MAX_CHARS), _text(found["kind"], f"{what}'s kind", 20), _text(found["said"], f"{what}'s answer"),
        None if found["step"] is None else _step(found["step"], what, latent_dim),
        tuple((_text(a, f"{what}'s rows"), _text(b, f"{what}'s rows")) for a, b in rows),
        tuple(_text(chip, f"{what}'s chips", MAX_CHARS) for chip in _list(found["chips"], f"{what}'s chips", 10)),
        tuple(_whole(i, f"{what}'s neighbours", 100_000) for i in _list(found["near"], f"{what}'s neighbours", 500)),
        tuple(_picture(picture, what) for picture in _list(found["pictures"], f"{what}'s pictures", 8)),
    )  # fmt: skip


def _picture(found: Any, what: str) -> tuple[str, str]:
    title, packed = _list(found, f"{what}'s picture", 2) if isinstance(found, list) and len(found) == 2 else (None, None)
    packed = _text(packed, f"{what}'s picture", 2_000)
    try:
        size = len(base64.b64decode(packed, validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if size != PIXELS:
        raise ValueError(f"{what}: a picture is {PIXELS} gray bytes as base64")
    return _text(title, f"{what}'s picture", 80), packed


def _step(found: Any, what: str, latent_dim: int | None) -> Step:
    found = _fields(found, Step, f"{what}'s step")
    path = found["path"]
    if path is not None:
        path = _fields(path, Path, f"{what}'s path")
        sentences, told = _list(path["sentences"], f"{what}'s path", 2), _list(path["told"], f"{what}'s path", 2)
        if len(sentences) != 2 or len(told) != 2:
            raise ValueError(f"{what}: a path has two ends")
        path = Path(
            _code(path["start"], what, latent_dim), _code(path["end"], what, latent_dim), tuple(_text(s, f"{what}'s path") for s in sentences),
            tuple(_words(row, what) for row in told), _number(path["t"], f"{what}'s path", 0, 1),
        )  # fmt: skip
    attributes = _dict(found["attributes"], f"{what}'s attributes")
    if not all(attributes.values()):
        raise ValueError(f"{what}'s attributes: one of them has no values")
    return Step(
        _text(found["kind"], f"{what}'s kind", 20), _text(found["sentence"], f"{what}'s sentence"), _code(found["code"], what, latent_dim), _words(found["told"], what),
        {_text(n, what, 80): {_text(v, what, 80): _number(p, f"{what}'s {n}", 0, 1) for v, p in _dict(row, what).items()} for n, row in attributes.items()},
        *(None if found[name] is None else _number(found[name], f"{what}'s {name}", -1e6, 1e6) for name in ("kl", "nll", "cost", "distance")),
        tuple(_text(r, f"{what}'s reasons") for r in _list(found["reasons"], f"{what}'s reasons", 20)), path,
    )  # fmt: skip


def _fields(found: Any, kind: type, what: str) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"{what} must have the fields {', '.join(sorted(names))}, and no others")
    return found


def _text(value: Any, what: str, limit: int = MAX_TEXT) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError(f"{what} must be text of at most {limit:,} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds half of a character, which is not text") from None
    return value


def _whole(value: Any, what: str, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        raise ValueError(f"{what} must be a whole number from 0 to {high}")
    return value


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{what} must be a number from {low:g} to {high:g}")
    return float(value)


def _list(value: Any, what: str, limit: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise ValueError(f"{what} must be a list of at most {limit} entries")
    return value


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > 50:
        raise ValueError(f"{what} must be an object of at most 50 entries")
    return value


def _words(value: Any, what: str) -> dict[str, str]:
    return {_text(k, what, 80): _text(v, what, 80) for k, v in _dict(value, what).items()}


def _code(value: Any, what: str, latent_dim: int | None) -> tuple[float, ...]:
    code = tuple(_number(x, f"{what}'s code", -1e4, 1e4) for x in _list(value, f"{what}'s code", 4096))
    if latent_dim is not None and len(code) != latent_dim:
        raise ValueError(f"{what}: its code has {len(code)} numbers, and this model's have {latent_dim}")
    return code
