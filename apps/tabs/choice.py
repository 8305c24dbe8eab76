"""A tab's choice of its model: a dropdown of what stands on the shelf, a line of facts below it, and the sentence where nothing does."""

import gradio as gr

from apps.limits import LIVE
from apps.page_style import alert, html, line_of_facts
from apps.shelf import Shelf
from textae.core.card import LABELS
from textae.space import LatentSpace

SHOWN = ("ppl", "bits_per_dim", "bleu", "exact_match", "active_units", "psnr")  # of the card's evaluation, the first two it has
WHAT = {"text": "sentences", "images": "images"}


def model_choice(shelf: Shelf, modality: str, names: list[str] | None = None) -> gr.Dropdown:
    """The dropdown that a tab's events take as their model, with a line of facts below it that follows it.

    Args:
        shelf: With at least one model of the modality.
        modality: "text" or "images".
        names: Only these of its models; None offers all. The first is chosen.
    """
    names = names or shelf.names(modality)
    with gr.Row(elem_classes="ta-choice"):
        model = gr.Dropdown(names, value=names[0], label="Model", filterable=False, min_width=200, scale=0, elem_classes="ta-model-choice")
        line = html(facts(shelf, names[0], modality))

    def follow(name: str) -> str:
        try:
            return facts(shelf, name, modality)
        except ValueError as error:
            return alert(error)

    model.change(follow, model, line, **LIVE)
    return model


def absent(modality: str, more: str = "") -> None:
    """What a tab shows in place of everything else where the shelf has no model of its modality, or none with `more`."""
    html(f'<p class="ta-note">This tab needs a model of {WHAT[modality]}{more}, and none stands on this page: <code>textae demo --model NAME</code> adds one.</p>')


def facts(shelf: Shelf, name: str, modality: str) -> str:
    """A model's size, code, vocabulary or image size, two measured figures and device, as HTML.

    Raises:
        ValueError: No such model of this modality stands on the shelf.
    """
    space = shelf.open(name, modality)
    config = space.model.config
    found = [(rounded(space.model.num_parameters()), "parameters"), (f"{space.latent_dim}", "latent dimensions")]
    if modality == "text":
        found.append((f"{config.vocab_size:,}", "tokens"))
    else:
        found.append((f"{config.width} × {config.height}", "pixels"))
    measured = shelf.figures(name).get("evaluation", {})
    for key in [k for k in SHOWN if k in measured][:2]:
        label, unit = LABELS[key]
        found.append((f"{measured[key]:.4g}{' %' if unit == '%' else ''}", label[:1].lower() + label[1:]))
    return line_of_facts([*found, (str(space.device), "device")])


def changeable(space: LatentSpace) -> list[tuple[str, str]]:
    """What edits can make of a sentence, as choices: "tense: past" with the value "tense=past"."""
    from textae.editing.sentences import NO_VERB

    return [(f"{name}: {v}", f"{name}={v}") for name, values in space.attributes.items() for v in values if v != NO_VERB.get(name)]


def rounded(count: int) -> str:
    """A number of parameters in words: 2.3 M, 410 k."""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"
