"""Turns as messages of a chat window, and a walk as what its map draws. Everything that anybody wrote is escaped here.

A message is one block of HTML without line breaks, so that no Markdown is read into it, wherever its words come from.
"""

from html import escape
from typing import Any

from apps.chat import store
from apps.chat.grammar import PLACE
from apps.chat.pictures import unpacked
from apps.chat.places import Places
from apps.chat.walk import Step, Turn, Walk
from apps.digits.picture import data_address
from apps.page_style import changed

SENTENCE_SHOWN = 160  # characters of a sentence on the map


def messages(walk: Walk) -> list[dict[str, Any]]:
    """The whole conversation, chips on the last answer."""
    found: list[dict[str, Any]] = []
    before: Step | None = None
    for i, turn in enumerate(walk.turns):
        found.append({"role": "user", "content": f'<div class="tc-asked">{plain(asked(turn))}</div>'})
        answer: dict[str, Any] = {"role": "assistant", "content": answered(turn, before)}
        if i + 1 == len(walk.turns):
            answer["options"] = [{"value": chip, "label": chip} for chip in turn.chips]
        found.append(answer)
        before = turn.step or before
    return found


def asked(turn: Turn) -> str:
    """A message as it was typed; a click on the map in words."""
    match = PLACE.fullmatch(turn.asked)
    return f"the point ({float(match[1]):.1f}, {float(match[2]):.1f}) of the map" if match else turn.asked


def answered(turn: Turn, before: Step | None = None) -> str:
    """An answer as HTML.

    Args:
        turn: Its turn.
        before: The step before it, whose words an edit is compared with.
    """
    parts = [f'<p class="tc-said">{plain(turn.said)}</p>']
    if turn.step is not None:
        compared = before.sentence if turn.kind in ("edit", "part", "like", "towards") and before is not None else None
        sentence = _one_line(turn.step.sentence)
        shown = changed(sentence, _one_line(compared)) if compared and sentence.strip() else escape(sentence)
        parts.append(f'<p class="tc-here">{shown or "<i>(the empty sentence)</i>"}</p>')
    if turn.rows:
        rows = "".join(f"<li><span>{plain(a) or '<i>(the empty sentence)</i>'}</span>" + (f"<small>{plain(b)}</small>" if b else "") + "</li>" for a, b in turn.rows)
        parts.append(f'<ol class="tc-rows">{rows}</ol>')
    if turn.pictures:
        cells = "".join(f'<figure><img src="{data_address(unpacked(packed))}" alt="{plain(title)}" width="84" height="84"><figcaption>{plain(title)}</figcaption></figure>' for title, packed in turn.pictures)
        parts.append(f'<div class="tc-pictures">{cells}</div>')
    if turn.step is not None and (line := numbers(turn.step)):
        parts.append(f'<p class="tc-numbers">{line}</p>')
    return f'<div class="tc-answer">{"".join(parts)}</div>'


def numbers(step: Step) -> str:
    """The line of figures below a step, as HTML."""
    found = [f"{plain(step.found(name))} {max(row.values()):.0%}" for name, row in sorted(step.attributes.items(), reverse=True)]
    found += [f"KL {step.kl:.1f} nats"] if step.kl is not None else []
    found += [f"NLL {step.nll:.1f} nats"] if step.nll is not None else []
    found += [f"{step.distance:.1f} from what you typed"] if step.distance else []
    return " · ".join(found)


def plain(words: str) -> str:
    """Words of anybody's as HTML on one line: a blank line would end the block, and what follows would be Markdown."""
    return escape(_one_line(words))


def _one_line(words: str) -> str:
    return " ".join(words.split())


def map_of(places: Places) -> dict[str, Any]:
    """What the browser needs to draw the map: points, sentences, and the values that color them."""
    values = {name: {"names": (order := sorted(set(row))), "of": [order.index(v) for v in row]} for name, row in sorted(places.values.items(), reverse=True)}
    return {"points": places.points.round(3).tolist(), "sentences": list(places.sentences), "values": values, "share": round(places.share, 3)}


def trail_of(walk: Walk, places: Places) -> dict[str, Any]:
    """What of a walk the map draws: the trail's points and sentences, the neighbours pointed at, and the link that replays it."""
    steps, last = walk.steps, walk.turns[-1] if walk.turns else None
    near = last.near if last and last.near else [i for i, _ in places.nearest(steps[-1].code, beside=steps[-1].sentence)] if steps else ()
    try:
        link, reason = store.to_link(walk), ""
    except ValueError as error:
        link, reason = "", str(error)
    return {
        "trail": [[*(round(v, 3) for v in places.project(step.code)), step.sentence[:SENTENCE_SHOWN]] for step in steps],
        "near": [i for i in near if i < len(places.sentences)],
        "link": link, "reason": reason,
    }  # fmt: skip
