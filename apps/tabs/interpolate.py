"""The tab that walks between two sentences: a slider on the path, and every step of it.

Shapes: S steps, D latent dimensions.
"""

from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from apps.limits import LIVE, MAX_CHARS, ONE_LINE, check_number, check_sentence, check_whole, refusing
from apps.page_style import alert, changed, html, text
from textae.core.config import choose
from textae.core.latent import PATHS
from textae.core.space import LatentSpace

MAX_STEPS = 25
STEPS = 9  # of the page: few enough for one screen, enough to see where words change
PAIRS = [
    ("I was happy to see you.", "It will rain tomorrow."),
    ("Where did you put my keys?", "We had dinner by the sea."),
    ("She speaks three languages.", "He forgot to lock the door."),
    ("Please turn off the light.", "The children are asleep."),
]
PATH_NAMES = [("Straight line (lerp)", "lerp"), ("Arc (slerp)", "slerp")]

LEAD = """Two sentences become two points in the model's latent space, and every point between them decodes to a sentence.
Move the slider to walk from one to the other."""
MORE = """
- **Straight line** mixes the two codes in proportion. **Arc** turns from one to the other and keeps their length, which stays where
  most codes of a Gaussian lie; the straight line passes nearer to the center.
- **Cost** is how surprised the decoder is by its own sentence at that point: −log p(sentence | point), in nats. It usually rises
  between two regions that the model knows well.
- **Underlined** words differ from the step before; a gray sentence repeats it. The ends are reconstructions, so they may differ from
  what you typed.
"""


@dataclass(frozen=True)
class Step:
    """A point of a path.

    Attributes:
        t: Its position; 0 is the first sentence's code, 1 the second's.
        sentence: What it decodes to, greedily.
        nll: -log p(sentence | point) in nats; None where the model cannot read its own sentence back (it is empty or too long).
    """

    t: float
    sentence: str
    nll: float | None


def walk(space: LatentSpace, a: str, b: str, positions: list[float], path: str = "lerp") -> list[Step]:
    """Decode the points at `positions` of the path from `a` to `b`."""
    ends = [check_sentence(a, "the first sentence"), check_sentence(b, "the second sentence")]
    if not isinstance(path, str):
        raise ValueError(f"the path must be one of {', '.join(PATHS)}")
    way = choose(PATHS, path, "path")
    z = space.encode(ends)
    points = way(z[0], z[1], torch.tensor(positions))
    sentences = space.decode(points)
    return [Step(t, s, n) for t, s, n in zip(positions, sentences, costs(space, points, sentences), strict=True)]


def costs(space: LatentSpace, points_SD: Tensor, sentences: list[str]) -> list[float | None]:
    """-log p(sentence | point) of each in nats; None for a sentence that the model does not take."""
    taken = [i for i, s in enumerate(sentences) if _takes(space, s)]
    found: list[float | None] = [None] * len(sentences)
    if taken:
        batch = {k: v.to(space.device) for k, v in space.processor([sentences[i] for i in taken]).items()}
        with torch.no_grad():
            nll, _ = space.model.nll(points_SD[taken].to(space.device), **batch)
        for i, value in zip(taken, nll.tolist(), strict=True):
            found[i] = value
    return found


def evenly(steps: int) -> list[float]:
    """`steps` positions from 0 to 1, both included."""
    return [i / (steps - 1) for i in range(steps)]


def build(space: LatentSpace) -> None:
    """Add the tab's components and the endpoints `interpolate` and `point`."""

    def interpolate(a: str, b: str, steps: int = 7, path: str = "lerp") -> list[dict[str, Any]]:
        """Walk from sentence a to sentence b through latent space.

        Args:
            a: The first sentence, at most 500 characters.
            b: The second sentence.
            steps: Points on the path, 2 to 25, both ends included.
            path: "lerp" (a straight line) or "slerp" (an arc).

        Returns:
            For each step `t` (0 to 1), `sentence`, and `nll`: its cost under the decoder in nats.
        """
        found = walk(space, a, b, evenly(check_whole(steps, "steps", 2, MAX_STEPS)), path)
        return [asdict(step) for step in found]

    def point(a: str, b: str, t: float, path: str = "lerp") -> str:
        """The sentence at one point of the path from a to b.

        Args:
            a: The first sentence, at most 500 characters.
            b: The second sentence.
            t: The position, 0 (a) to 1 (b).
            path: "lerp" (a straight line) or "slerp" (an arc).
        """
        return walk(space, a, b, [check_number(t, "t", 0, 1)], path)[0].sentence

    gr.api(refusing(interpolate), api_name="interpolate", **ONE_LINE)
    gr.api(refusing(point), api_name="point", **ONE_LINE)

    def show_point(a: str, b: str, path: str, t: float) -> tuple[Any, str]:
        try:
            return _point(walk(space, a, b, [check_number(t, "t", 0, 1)], path)[0]), alert()
        except ValueError as error:
            return gr.skip(), alert(error)

    def show_path(a: str, b: str, path: str, t: float) -> tuple[Any, Any, str]:
        try:
            found = walk(space, a, b, [*evenly(STEPS), check_number(t, "t", 0, 1)], path)
            return _point(found[-1]), _table(found[:-1]), alert()
        except ValueError as error:
            return gr.skip(), gr.skip(), alert(error)

    def surprise() -> tuple[str, str]:
        a, b = space.sample(2)
        return a, b

    first = show_path(*PAIRS[0], "lerp", 0.5)
    gr.Markdown(LEAD, elem_classes="ta-lead")
    with gr.Accordion("More", open=False, elem_classes="ta-fold"):
        gr.Markdown(MORE)
    with gr.Row(equal_height=True):
        a = gr.Textbox(PAIRS[0][0], label="From", max_length=MAX_CHARS, min_width=260, elem_id="from")
        b = gr.Textbox(PAIRS[0][1], label="To", max_length=MAX_CHARS, min_width=260, elem_id="to")
    with gr.Row(elem_classes="ta-tools"):
        path = gr.Radio(PATH_NAMES, value="lerp", label="Path", min_width=300, elem_id="path")
        swap = gr.Button("Swap", min_width=110, elem_id="swap", elem_classes="ta-fit")
        draw = gr.Button("Surprise me", variant="primary", min_width=140, elem_id="surprise", elem_classes="ta-fit")
    message = html(first[2], elem_classes=["ta-html", "ta-alert-slot"])
    t = gr.Slider(0, 1, 0.5, step=0.01, label="Position between the two", elem_id="position", buttons=[])
    here = html(first[0], elem_id="here")
    steps = html(first[1], elem_id="steps")
    gr.Examples(
        [list(pair) for pair in PAIRS], [a, b], label="Pairs to try", api_visibility="private", cache_examples=False,
        example_labels=[f"{one} → {other}" for one, other in PAIRS],
    )  # fmt: skip

    t.change(show_point, [a, b, path, t], [here, message], **LIVE)
    gr.on([a.change, b.change, path.change], show_path, [a, b, path, t], [here, steps, message], **LIVE)
    swap.click(lambda a, b: (b, a), [a, b], [a, b], api_visibility="private", show_progress="hidden", queue=False)
    draw.click(surprise, None, [a, b], **LIVE)


def _point(step: Step) -> str:
    return (
        '<div class="ta-card" aria-live="polite">'
        f'<h3>At {step.t:.0%} of the way</h3><p class="ta-big"><span>{text(step.sentence)}</span></p></div>'
    )


def _table(found: list[Step]) -> str:
    top = max([s.nll for s in found if s.nll is not None], default=0.0) or 1.0
    rows, before = [], found[0].sentence
    for step in found:
        same = ' class="ta-same"' if rows and step.sentence == before else ""
        cost = "–" if step.nll is None else f'{step.nll:.1f}<span class="ta-bar" aria-hidden="true"><i style="width:{step.nll / top:.0%}"></i></span>'
        rows.append(
            f'<tr{same}><td class="ta-t">{step.t:.0%}</td><td class="ta-s">{changed(step.sentence, before)}</td><td class="ta-n">{cost}</td></tr>'
        )
        before = step.sentence
    return (
        '<div class="ta-card"><table class="ta-steps"><caption>Every step of the path</caption><thead><tr>'
        '<th scope="col">Way</th><th scope="col">Sentence</th><th scope="col" class="ta-n">Cost, nats</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _takes(space: LatentSpace, sentence: str) -> bool:
    try:
        space.processor.check([sentence])
    except ValueError:
        return False
    return True
