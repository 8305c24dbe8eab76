"""The tab that walks through latent space: between two sentences, or from one to what its attributes become.

The whole path is decoded when its ends change; the slider then moves in the browser alone and asks nobody.
"""

from typing import Any

import gradio as gr

from apps.limits import LIVE, MAX_CHARS, check_attributes
from apps.page_style import alert, changed, html, lead, text
from apps.paths import Path, Step, between, through
from apps.shelf import Shelf
from apps.tabs.choice import absent, changeable, model_choice
from textae.space import LatentSpace

STEPS = 9  # of the table: few enough for one screen, enough to see where words change
POINTS = 48  # parts of the slider, of which every sixth is a step of the table
ATTRIBUTES = "attributes"
FARTHEST = 1.5  # strength at the end of a path through attributes: at 1, decoders often only begin to change their minds
PAIRS = [
    ("I was happy to see you.", "It will rain tomorrow."),
    ("Where did you put my keys?", "We had dinner by the sea."),
    ("She speaks three languages.", "He forgot to lock the door."),
    ("Please turn off the light.", "The children are asleep."),
]
WAYS = [("Straight line (lerp)", "lerp"), ("Arc (slerp)", "slerp")]
THROUGH = ("Through attributes", ATTRIBUTES)

LEAD = """Two sentences become two points in the model's latent space, and every point between them decodes to a sentence.
Move the slider to walk from one to the other."""
MORE = """
- **Straight line** mixes the two codes in proportion. **Arc** turns from one to the other and keeps their length, which stays where
  most codes of a Gaussian lie; the straight line passes nearer to the center.
- **Through attributes** stays with one sentence and turns up what the decoder is told of it, from its own tense or sentiment to
  another one; a model that is told nothing has its code moved instead.
- **Cost** is how surprised the decoder is by its own sentence at that point: −log p(sentence | point), in nats. It usually rises
  between two regions that the model knows well.
- **Like the start** and **like the end** are the shares of content words that a step has in common with them (F1).
- **Underlined** words differ from the step before; a gray sentence repeats it. The ends are reconstructions, so they may differ from
  what you typed.
"""
MOVE = "(t, found) => found ? found.cards[Math.round(t * (found.cards.length - 1))] : null"
COPY = """async (found) => {
  const said = (words) => `<p class="ta-note" role="status">${words}</p>`;
  try { await navigator.clipboard.writeText(found.text); return said("Copied"); }
  catch { return said("This browser does not let the page copy"); }
}"""


def build(shelf: Shelf) -> None:
    """Add the tab's components."""
    names = shelf.names("text")
    if not names:
        return absent("text")

    def show(model: str, a: str, b: str, way: str, become: str) -> tuple[Any, ...]:
        """The table, and what the browser keeps of the path: it shows the card at the slider, wherever that is by now."""
        try:
            steps = _path(shelf.open(model, "text"), a, b, way, become).steps([i / POINTS for i in range(POINTS + 1)])
        except ValueError as error:
            return gr.skip(), gr.skip(), alert(error), ""
        found = _kept(steps)
        return _table(steps[:: POINTS // (STEPS - 1)]), found, alert(), ""

    def choose(model: str, way: str) -> tuple[Any, Any, Any]:
        """What the model can become, and which of the two fields is shown."""
        values = changeable(shelf.open(model, "text"))
        way = way if values or way != ATTRIBUTES else "lerp"
        told = way == ATTRIBUTES
        return (
            gr.update(choices=_ways(values), value=way),
            gr.update(choices=values, value=values[0][1] if values else None, visible=told),
            gr.update(visible=not told),
        )

    def surprise(model: str) -> tuple[str, str]:
        a, b = shelf.open(model, "text").sample(2)
        return a, b

    values = changeable(shelf.open(names[0], "text"))
    table, kept, message, _ = show(names[0], *PAIRS[0], "lerp", "")
    lead(LEAD, MORE)
    model = model_choice(shelf, "text")
    with gr.Row(equal_height=True):
        a = gr.Textbox(PAIRS[0][0], label="From", max_length=MAX_CHARS, min_width=260, elem_id="from")
        b = gr.Textbox(PAIRS[0][1], label="To", max_length=MAX_CHARS, min_width=260, elem_id="to")
        become = gr.Dropdown(
            values, value=values[0][1] if values else None, label="Becomes", min_width=260, visible=False, filterable=False, elem_id="become"
        )
    with gr.Row(elem_classes="ta-tools"):
        way = gr.Radio(_ways(values), value="lerp", label="Path", min_width=300, elem_id="path")
        swap = gr.Button("Swap", min_width=110, elem_id="swap", elem_classes="ta-fit")
        draw = gr.Button("Surprise me", variant="primary", min_width=140, elem_id="surprise", elem_classes="ta-fit")
    message = html(message, elem_classes=["ta-html", "ta-alert-slot"])
    t = gr.Slider(0, 1, 0.5, step=1 / POINTS, label="Position on the way", elem_id="position", buttons=[])
    here = html(kept["cards"][POINTS // 2], elem_id="here")
    steps = html(table, elem_id="steps")
    with gr.Row(elem_classes="ta-tools"):
        copy = gr.Button("Copy the steps", min_width=150, size="sm", elem_id="copy", elem_classes="ta-fit")
        copied = html("", elem_classes=["ta-html", "ta-quiet"], elem_id="copied")
    gr.Examples(
        [list(pair) for pair in PAIRS], [a, b], label="Pairs to try", api_visibility="private", cache_examples=False,
        example_labels=[f"{one} → {other}" for one, other in PAIRS],
    )  # fmt: skip
    path = gr.JSON(kept, visible=False)

    gr.on([t.change, path.change], None, [t, path], here, js=MOVE, api_visibility="private", queue=False)
    gr.on([model.change, way.input], choose, [model, way], [way, become, b], **LIVE)
    gr.on([model.change, a.change, b.change, way.change, become.change], show, [model, a, b, way, become], [steps, path, message, copied], **LIVE)
    swap.click(lambda a, b: (b, a), [a, b], [a, b], api_visibility="private", show_progress="hidden", queue=False)
    draw.click(surprise, model, [a, b], **LIVE)
    copy.click(None, path, copied, js=COPY, api_visibility="private", queue=False)


def _ways(values: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [*WAYS, THROUGH] if values else WAYS


def _path(space: LatentSpace, a: str, b: str, way: str, become: str) -> Path:
    if way != ATTRIBUTES:
        return between(space, a, b, way)
    name, _, value = str(become).partition("=")
    return through(space, a, check_attributes({name: value}, space.attributes), strength=FARTHEST)


def _kept(steps: list[Step]) -> dict[str, Any]:
    """What the browser needs of a path: a card for each position of the slider, and the table as text."""
    rows = [f"{s.t:.0%}\t{s.sentence}\t{'' if s.nll is None else format(s.nll, '.2f')}" for s in steps[:: POINTS // (STEPS - 1)]]
    return {"cards": [_card(s) for s in steps], "text": "\n".join(["way\tsentence\tcost in nats", *rows]) + "\n"}


def _card(step: Step) -> str:
    return (
        '<div class="ta-card" aria-live="polite">'
        f'<h2>At {step.t:.0%} of the way</h2><p class="ta-big"><span>{text(step.sentence)}</span></p></div>'
    )


def _table(found: list[Step]) -> str:
    top = max([s.nll for s in found if s.nll is not None], default=0.0) or 1.0
    rows, before = [], found[0].sentence
    for step in found:
        same = ' class="ta-same"' if rows and step.sentence == before else ""
        cost = "–" if step.nll is None else f'{step.nll:.1f}<span class="ta-bar" aria-hidden="true"><i style="width:{step.nll / top:.0%}"></i></span>'
        rows.append(
            f'<tr{same}><td class="ta-t">{step.t:.0%}</td><td class="ta-s">{changed(step.sentence, before)}</td>'
            f'<td class="ta-like">{step.like_a:.0%}</td><td class="ta-like">{step.like_b:.0%}</td><td class="ta-n">{cost}</td></tr>'
        )
        before = step.sentence
    return (
        '<div class="ta-card"><table class="ta-steps"><caption>Every step of the path</caption><thead><tr>'
        '<th scope="col">Way</th><th scope="col">Sentence</th><th scope="col" class="ta-like">Like the start</th>'
        '<th scope="col" class="ta-like">Like the end</th><th scope="col" class="ta-n">Cost, nats</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
