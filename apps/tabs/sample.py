"""The tab that draws sentences from the prior, and more of a kind around one of them."""

from typing import Any

import gradio as gr
import torch

from apps.limits import (
    LIVE,
    MAX_CHARS,
    MAX_SEED,
    check_attributes,
    check_number,
    check_seed,
    check_sentence,
    check_whole,
)
from apps.page_style import alert, counted, html, lead, listed
from apps.shelf import Shelf
from apps.tabs.choice import absent, model_choice
from textae.core.space import LatentSpace, seeded

MAX_NUM, MAX_SPREAD, MAX_NOISE = 50, 2.0, 3.0
NUM, NOISE = 10, 0.5  # of the page at first

LEAD = """Each of these sentences is a random point of latent space, decoded; nobody typed it.
Choose one to see what lies around it."""
MORE = """
- **Spread** scales the noise behind each point. Below one the sentences are more typical and more alike; above one they are more daring
  and more often broken.
- **Seed** decides the draw: the same seed, number and spread give the same sentences, here, in Python and at the command line.
- **Around it** encodes the sentence, adds Gaussian noise of the given standard deviation to every dimension of its code, and decodes.
  “× 3” means that three of the ten points decode to that sentence.
"""


def draw(space: LatentSpace, num: int, spread: float, seed: int, attributes: Any = None) -> list[str]:
    """`num` sentences from the prior, conditioned on `attributes` where values of some are given."""
    num, spread = check_whole(num, "the number of sentences", 1, MAX_NUM), check_number(spread, "spread", 0, MAX_SPREAD)
    wanted = check_attributes(attributes, space.model.config.decoder_attributes)
    return space.sample(num, spread=spread, seed=check_seed(seed), attributes=wanted)


def vary(space: LatentSpace, sentence: str, num: int, noise: float, seed: int) -> list[str]:
    """Decode `num` points around a sentence's code, Gaussian noise of standard deviation `noise` added."""
    num, noise = check_whole(num, "the number of sentences", 1, MAX_NUM), check_number(noise, "noise", 0, MAX_NOISE)
    seed, z = check_seed(seed), space.encode(check_sentence(sentence))
    with seeded(seed):
        around = z + noise * torch.randn(num, space.latent_dim)
    return space.decode(around)


def build(shelf: Shelf) -> None:
    """Add the tab's components."""
    names = shelf.names("text")
    if not names:
        return absent("text")

    def show(model: str, num: int, spread: float, seed: int) -> tuple[Any, Any, str]:
        """New sentences, and the first of them into the box below."""
        try:
            sentences = draw(shelf.open(model, "text"), num, spread, seed)
        except ValueError as error:
            return gr.skip(), gr.skip(), alert(error)
        return gr.update(**_choices(sentences)), sentences[0], alert()

    def show_around(model: str, sentence: str, noise: float, seed: int) -> tuple[Any, str]:
        try:
            return _around(vary(shelf.open(model, "text"), sentence, NUM, noise, seed)), alert()
        except ValueError as error:
            return gr.skip(), alert(error)

    first = draw(shelf.open(names[0], "text"), NUM, 1.0, 0)
    around, around_message = show_around(names[0], first[0], NOISE, 0)
    if not isinstance(around, str):
        around = _around([])
    lead(LEAD, MORE)
    model = model_choice(shelf, "text")
    with gr.Row(elem_classes="ta-tools"):
        num = gr.Slider(1, MAX_NUM, NUM, step=1, label="How many", min_width=220, elem_id="num", buttons=[])
        spread = gr.Slider(0, MAX_SPREAD, 1.0, step=0.05, label="Spread", min_width=220, elem_id="spread", buttons=[])
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=120, elem_id="seed")
        again = gr.Button("New seed", variant="primary", min_width=120, elem_id="new-seed", elem_classes="ta-fit")
    message = html(alert(), elem_classes=["ta-html", "ta-alert-slot"])
    with gr.Row():
        with gr.Column(min_width=320):
            drawn = gr.Radio(
                **_choices(first), label="Sentences: choose one for more like it", interactive=True, elem_classes="ta-radio", elem_id="drawn"
            )
        with gr.Column(min_width=320):
            like = gr.Textbox(first[0], label="More like this (or type your own)", max_length=MAX_CHARS, elem_id="like")
            noise = gr.Slider(0, MAX_NOISE, NOISE, step=0.05, label="Noise", elem_id="noise", buttons=[])
            like_message = html(around_message, elem_classes=["ta-html", "ta-alert-slot"])
            found = html(around, elem_id="around")

    again.click(None, None, seed, js="() => Math.floor(Math.random() * 1000000)", api_visibility="private")
    gr.on([model.change, num.change, spread.change, seed.change], show, [model, num, spread, seed], [drawn, like, message], **LIVE)
    drawn.select(_chosen, None, like, api_visibility="private", show_progress="hidden", queue=False)
    gr.on([like.change, noise.change], show_around, [model, like, noise, seed], [found, like_message], **LIVE)


def _choices(sentences: list[str]) -> dict[str, Any]:
    """Radio buttons for sentences, of which some may be equal; the first is chosen."""
    return {"choices": [(s or "(the empty sentence)", f"{i}:{s}") for i, s in enumerate(sentences)], "value": f"0:{sentences[0]}"}


def _chosen(event: gr.SelectData) -> str:
    """The sentence of a radio button's value, `number:sentence`."""
    return str(event.value).partition(":")[2]


def _around(sentences: list[str]) -> str:
    return f'<section class="ta-card" aria-live="polite" style="min-height:14rem"><h2>Around it</h2>{listed(counted(sentences))}</section>'
