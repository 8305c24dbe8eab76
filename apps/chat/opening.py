"""What a conversation with a model begins with: two sentences of its own that it says again word for word, and a short walk through them."""

from typing import TYPE_CHECKING

from apps.chat import replies
from apps.chat.grammar import parse
from apps.chat.walk import Walk

if TYPE_CHECKING:
    from apps.chat.guide import Guide

OURS = ("I love this town.", "We had dinner by the sea.")  # where a model's map has both
TRIED = 80  # bundled sentences: half a second on one core
SHORT = range(3, 9)  # words
LIKELIEST = 12  # of those, the ones that a pair is made of
WANTED = {"sentiment": "positive", "tense": "present"}  # of the first, so that there is something to change


def pair(guide: "Guide") -> tuple[str, str]:
    """Two sentences that the model knows well, far from each other: ours, else bundled ones, else two of the map.

    The first is one to change: positive and in the present, where readers find such a one.
    """
    space, places = guide.space, guide.places
    if set(OURS) <= set(places.sentences):
        return OURS
    bundled = [s for s in dict.fromkeys(space.examples[:TRIED]) if len(s.split()) in SHORT and parse(s, guide.attributes).kind == "say"]
    again = space.reconstruct(bundled) if bundled else []
    known = [s for s, said in zip(bundled, again, strict=True) if space.processor.normalize(s) == said]
    if len(known) < 2:
        return places.sentences[0], places.sentences[-1]
    costs = {s: nll / (len(s.split()) + 1) for s, nll in zip(known, guide.likelihoods(known, {}), strict=True)}
    known = sorted(known, key=costs.get)[:LIKELIEST]
    fits = [sum(max(row[name], key=row[name].get) == value for name, value in WANTED.items() if name in row) for row in guide.read(known)]
    first = fits.index(max(fits))
    codes = space.encode(known)
    return known[first], known[int((codes - codes[first]).norm(dim=1).argmax())]


def first_walk(guide: "Guide", model: str) -> Walk:
    """A sentence, what can be changed of it, and the way to another: every turn of it a step, and none by chance."""
    one, other = guide.pair
    walk = guide.answer(Walk(model), one if parse(one, guide.attributes).kind == "say" else f"“{one}”")
    for change in reversed(replies.edits(walk.here, guide.attributes)[:2]):
        after = guide.answer(walk, change)
        walk = after if after.here is not walk.here else walk
    walk = guide.answer(walk, replies.between(walk.steps[len(walk.steps) // 2].sentence, other))
    return walk if len(walk.turns) > 2 else guide.answer(walk, "a third of the way back")
