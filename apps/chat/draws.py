"""Moves by chance: something like this, surprise me, sentences about a topic, and once more. Every draw has the turn's own seed.

Shapes: N sentences, D latent dimensions.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from apps.chat.grammar import parse
from apps.chat.intents import Intent, Target
from apps.chat.places import speaks
from apps.chat.walk import Step, Turn, Walk
from textae.core.space import seeded

if TYPE_CHECKING:
    from apps.chat.guide import Guide

NOISE = (0.5, 0.7, 0.9, 1.1)  # standard deviations of the codes' own, tried from near to far
DRAWS, SPREAD = 6, 0.8  # for each sentence asked for; less spread than the prior's own is more typical
LONGEST = 24  # codes decoded for one answer
NEVER_DRAWN = {"other"}  # a tense that is the absence of one


def like(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Sentences around here, or around one that was named."""
    if intent.sentences and intent.sentences[0]:
        sentence = intent.sentences[0]
        code, told = guide.code_of(sentence)
    elif walk.here is not None:
        sentence, code, told = walk.here.sentence, torch.tensor(walk.here.code), walk.here.told
    else:
        return walk.answered(Turn(message, "like", "There is nothing to be like yet: type a sentence first."))
    repeats = max(1, min(LONGEST, 2 * intent.number + 2) // len(NOISE))
    scale = torch.tensor(NOISE).repeat_interleave(repeats)[:, None] * guide.places.spread
    with seeded(_seed(walk)):
        codes = code + scale * torch.randn(len(scale), len(code))
    said = guide.decode(codes, [told] * len(codes))
    kept = _different(said, sentence)[: intent.number]
    if not kept:
        return walk.answered(Turn(message, "like", f"Everything near “{sentence}” says the same: the model has no variation of it close by."))
    reasons = (f"Noise of {float(scale[kept[0]]) :.2f} in each of the {len(code)} dimensions was added to the code of “{sentence}”, and what it says then is different.",)
    step = guide.step(walk, "like", codes[kept[0]], told, reasons, sentence=said[kept[0]])
    return walk.answered(_drawn(message, "like", "Something close by:", "Sentences close by; we stand at the first:", step, [said[i] for i in kept]))


def surprise(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Sentences from the model's prior, with the values that were asked for."""
    if unknown := [t.name for t in intent.targets if t.value not in guide.attributes.get(t.name, ())]:
        return walk.answered(Turn(message, "surprise", f"This model knows no {unknown[0]}, so it cannot draw by it. Try “surprise me”."))
    told = _drawn_values(guide, walk, intent)
    with torch.no_grad(), seeded(_seed(walk)):
        codes = guide.space.model.prior.sample(min(LONGEST, DRAWS * intent.number), SPREAD).cpu()
    said = guide.decode(codes, [told] * len(codes))
    order = _best(guide, said, told, intent)[: intent.number]
    if not order:
        return walk.answered(Turn(message, "surprise", "These draws came out empty. Ask again for others."))
    asked = " and ".join(t.value for t in intent.targets)
    found = guide.read([said[order[0]]])[0]
    missed = [t.value for t in intent.targets if t.name in found and max(found[t.name], key=found[t.name].get) != t.value]
    reasons = (
        f"{len(codes)} random points of the prior were decoded{f', the decoder told {_and(told.values())}' if told else ''}; this one reads as asked and the model finds it likeliest."
        if asked else f"{len(codes)} random points of the prior were decoded{f', told {_and(told.values())}' if told else ''}; of these the model finds this one likeliest.",
        f"Nobody typed it. The same link draws the same (seed {_seed(walk)}).",
    )  # fmt: skip
    step = guide.step(walk, "surprise", codes[order[0]], told, reasons, sentence=said[order[0]])
    note = f" (The reader does not find {_and(missed)} in it.)" if missed else ""
    first = f"A {asked} draw from the prior:" if asked else "A draw from the prior:"
    return walk.answered(_drawn(message, "surprise", first + note, f"Draws from the prior; we stand at the first:{note}", step, [said[i] for i in order]))


def about(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """Sentences with a word in them: those of the map that have it, and what lies around them."""
    sources = guide.places.about(intent.hint)
    if not sources:
        said = f"None of the {len(guide.places.sentences)} sentences on the map speaks of “{intent.hint}”, so I do not know where to look. Type a sentence with it, and ask for something like it."
        return walk.answered(Turn(message, "about", said, chips=(f"“I like the {intent.hint}.”", "surprise me", "sentences about dogs", "help")))
    codes_SD = torch.from_numpy(guide.places.codes[sources])
    repeats = max(1, min(LONGEST, 3 * intent.number) // len(sources))
    scale = guide.places.spread * torch.tensor([0.0, *([NOISE[0]] * repeats)])
    with seeded(_seed(walk)):
        codes = (codes_SD[None] + scale[:, None, None] * torch.randn(len(scale), *codes_SD.shape)).flatten(0, 1)[:LONGEST]
    wanted = {t.name: t.value for t in intent.targets if t.name in guide.space.model.config.decoder_attributes}
    rows = [guide.told(found) | wanted for found in guide.read([guide.places.sentences[i] for i in sources])]
    told = [rows[i % len(sources)] for i in range(len(codes))]
    said = guide.decode(codes, told)
    different = _different(said, "")
    kept = ([i for i in different if speaks(said[i], intent.hint)] or different)[: intent.number]
    if not kept:
        return walk.answered(Turn(message, "about", f"The model wrote nothing about “{intent.hint}”. Try another word.", near=tuple(sources)))
    reasons = (f"{len(sources)} of the {len(guide.places.sentences)} sentences on the map have the word; the model's readings of them and of points around them were kept where the word is still there.",)
    step = guide.step(walk, "about", codes[kept[0]], told[kept[0]], reasons, sentence=said[kept[0]])
    fewer = f" I found {len(kept)}, not {intent.number}." if len(kept) < intent.number else ""
    turn = _drawn(message, "about", f"About “{intent.hint}”:{fewer}", f"About “{intent.hint}”; we stand at the first:{fewer}", step, [said[i] for i in kept])
    return walk.answered(replace(turn, near=tuple(sources)))


def again(guide: "Guide", walk: Walk, intent: Intent, message: str) -> Walk:
    """The last draw once more, with another seed; where there was none, something like this."""
    last = next((turn for turn in reversed(walk.turns) if turn.kind in ("like", "surprise", "about")), None)
    asked = next((turn for turn in reversed(walk.turns) if turn.kind == last.kind and parse(turn.asked, guide.attributes).kind == last.kind), None) if last else None
    before = parse(asked.asked, guide.attributes) if asked else Intent("like" if walk.here else "surprise")
    intent = replace(before, number=intent.number) if intent.number > 1 else before
    return {"like": like, "surprise": surprise, "about": about}[intent.kind](guide, walk, intent, message)


def _seed(walk: Walk) -> int:
    """Of the next draw; pictures do not count, for a link replays the walk without them."""
    return walk.seed + sum(not turn.pictures for turn in walk.turns)


def _drawn_values(guide: "Guide", walk: Walk, intent: Intent) -> dict[str, str]:
    """Values to tell the decoder: those asked for, chance for the others."""
    chance = random.Random(_seed(walk))
    told = {}
    for name, values in sorted(guide.space.model.config.decoder_attributes.items()):
        wanted = next((t.value for t in intent.targets if t.name == name), None)
        told[name] = wanted or chance.choice([v for v in values if v not in NEVER_DRAWN])
    return told


def _best(guide: "Guide", said: list[str], told: dict[str, str], intent: Intent) -> list[int]:
    """Different sentences, the best first: by the values asked for, then by how likely the model finds a word of them."""
    different = _different(said, "")
    read = guide.read(said) if different else []
    costs = guide.likelihoods(said, told)

    def rank(i: int) -> tuple[float, float]:
        wanted: list[Target] = [t for t in intent.targets if t.name in read[i]]
        return -sum(read[i][t.name].get(t.value, 0.0) > 0.5 for t in wanted), costs[i] / (len(said[i].split()) + 1)

    return sorted(different, key=rank)


def _different(said: list[str], source: str) -> list[int]:
    """The first of each different sentence that is neither empty nor the source."""
    seen, kept = {source.strip(), ""}, []
    for i, sentence in enumerate(said):
        if sentence.strip() not in seen:
            seen.add(sentence.strip())
            kept.append(i)
    return kept


def _drawn(message: str, kind: str, one: str, several: str, step: Step, sentences: list[str]) -> Turn:
    rows = tuple((s, "here" if i == 0 else "") for i, s in enumerate(sentences)) if len(sentences) > 1 else ()
    return Turn(message, kind, several if rows else one, step, rows)


def _and(values: Iterable[str]) -> str:
    return " and ".join(values)
