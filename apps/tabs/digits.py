"""The tab of handwritten digits: drawing and maps run in the browser; samples, walks, denoising and anomalies on the server."""

import functools
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from apps.digits import endpoints, verbs
from apps.digits.browser import map_models, title, weights
from apps.digits.picture import data_address, read_digit
from apps.lab import lab
from apps.limits import LIVE, MAX_SEED
from apps.page_style import alert, html
from apps.shelf import Shelf
from apps.tabs.choice import absent
from vision.view.decoder import pack

CLASSES = [verbs.ALL, *map(str, range(10))]
NUM, STEPS = 10, 9
PATH_NAMES = [("Straight line (lerp)", "lerp"), ("Arc (slerp)", "slerp")]
# Anchors of a heat map, from cold to hot: black, violet, orange, yellow; each is lighter than the one before.
HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], np.float32)

# In the browser: the drawing, or one of our own digits, as a picture.
DRAWING = "document.querySelector('#lab-digits .lab').view.drawing()"
EXAMPLE = "document.querySelector('#lab-digits .lab').view.ours(Number({}))"

LEAD = """Draw a digit: three autoencoders squeeze it into two numbers and rebuild it while your pen moves. Point at a map, and all three
show what they make of that place."""
MORE = """
- **AE** only rebuilds: its codes lie wherever they like, with empty places between them. **VAE** is held near a standard normal, and reads
  your digit as a cloud (the ring is one σ). **AAE** is held there by a critic instead. Dots are 800 test digits of MNIST, where each model puts them.
- Two numbers cannot hold a digit: what comes back is the nearest that the model knows. The line on a map is the way of your code while you drew.
- **What the models read** is your drawing as MNIST was made: scaled until its longer side fills 20 pixels, and moved until its center of mass
  lies in the middle of 28 × 28 (LeCun et al. 1998). A picture that you choose is turned to light ink on a dark ground first; PNG, JPEG,
  GIF, BMP and WebP, up to 4,096 pixels a side. It is not kept.
- Drawing and maps run on your device, with the models' own weights; what lies below is computed by the server.
"""


def build(shelf: Shelf) -> None:
    """Add the tab's components and the endpoints of `apps.digits.endpoints`."""
    endpoints.register(shelf)
    names = map_models(shelf)
    if not names:
        absent("images", " of 28 × 28 pixels with a 2-D code")
        return
    gr.Markdown(LEAD, elem_classes="ta-lead")
    with gr.Accordion("More", open=False, elem_classes="ta-fold"):
        gr.Markdown(MORE)

    packed = functools.cache(lambda name: weights(shelf, name))

    def weights_of(name: Any) -> dict[str, Any]:
        if name not in names:
            return {"error": "there is no such map on this page"}
        return packed(name)

    def picture(address: Any) -> dict[str, Any]:
        try:
            return {"pixels": pack(read_digit(address))}
        except ValueError as error:
            return {"error": str(error)[:1].upper() + str(error)[1:] + "."}

    weights_of.__name__ = "weights"
    shown = lab("digits", [weights_of, picture], models=[{"name": n, "title": title(n)} for n in names])
    parts = {"samples": ("Samples by class", _samples), "interpolate": ("From digit to digit", _interpolate)}
    parts |= {"denoise": ("Denoise", _denoise), "anomaly": ("Where it is odd", _anomaly)}
    parts = {verb: part for verb, part in parts.items() if verbs.can(shelf, verb)}
    if not parts:
        return
    first = []
    with gr.Tabs():
        for verb, (name, add) in parts.items():
            with gr.Tab(name, id=f"digits-{verb}") as tab:
                first.append((tab, add(shelf)))
    # Nothing is computed, and no model is loaded, before somebody looks.
    shown.shown(**first[0][1])
    for tab, event in first[1:]:
        tab.select(**event)


def _samples(shelf: Shelf) -> dict[str, Any]:
    with gr.Row(elem_classes="ta-tools"):
        digit = gr.Radio(CLASSES, value=verbs.ALL, label="Digit", min_width=320, elem_id="digit-class")
        spread = gr.Slider(0, verbs.MAX_SPREAD, 1.0, step=0.05, label="Spread", min_width=160, elem_id="digit-spread", buttons=[])
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=110, elem_id="digit-seed")
        again = gr.Button("New seed", variant="primary", min_width=120, elem_id="digit-again", elem_classes="ta-fit")
    out = html(_waiting(), elem_id="digit-samples")

    def show(digit: str, spread: float, seed: int) -> str:
        return _answer(lambda: strip(verbs.samples(shelf, digit, NUM, spread, seed)))

    event = {"fn": show, "inputs": [digit, spread, seed], "outputs": out, **LIVE}
    again.click(None, None, seed, js="() => Math.floor(Math.random() * 1000000)", api_visibility="private")
    gr.on([digit.change, spread.change, seed.change], **event)
    return event


def _interpolate(shelf: Shelf) -> dict[str, Any]:
    with gr.Row(elem_classes="ta-tools"):
        to = gr.Radio(CLASSES[1:], value="7", label="From your drawing above to a", min_width=320, elem_id="digit-to")
        path = gr.Radio(PATH_NAMES, value="lerp", label="Path", min_width=280, elem_id="digit-path")
        go = gr.Button("Walk", variant="primary", min_width=100, elem_id="digit-walk", elem_classes="ta-fit")
    out = html(_waiting(), elem_id="digit-steps")
    a, b = (gr.Textbox(visible=False) for _ in range(2))

    def show(a: str, b: str, path: str, to: str) -> str:
        def steps() -> str:
            images = verbs.interpolate(shelf, a, b, STEPS, path)
            return strip([(f"{i / (STEPS - 1):.0%}", image) for i, image in enumerate(images)])

        return _answer(steps)

    event = {
        "fn": show, "inputs": [a, b, path, to], "outputs": out, **LIVE,
        "js": f"(a, b, path, to) => [{DRAWING}, {EXAMPLE.format('to')}, path, to]",
    }  # fmt: skip
    gr.on([to.change, path.change, go.click], **event)
    return event


def _denoise(shelf: Shelf) -> dict[str, Any]:
    with gr.Row(elem_classes="ta-tools"):
        sigma = gr.Slider(0, verbs.MAX_SIGMA, 0.4, step=0.05, label="Noise on your drawing above, σ", min_width=240, elem_id="digit-sigma", buttons=[])
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=110, elem_id="digit-noise-seed")
        go = gr.Button("Denoise", variant="primary", min_width=110, elem_id="digit-denoise", elem_classes="ta-fit")
    out = html(_waiting(), elem_id="digit-denoised")
    drawn = gr.Textbox(visible=False)

    def show(drawn: str, sigma: float, seed: int) -> str:
        def restored() -> str:
            found = verbs.denoise(shelf, drawn, sigma, seed)
            noisy = "" if found.psnr_noisy is None else f": {found.psnr_noisy:.1f} dB"
            clean = "" if found.psnr_clean is None else f": {found.psnr_clean:.1f} dB"
            return strip([("Drawn", read_digit(drawn)), (f"Noisy{noisy}", found.noisy), (f"Denoised{clean}", found.clean)], large=True)

        return _answer(restored)

    event = {"fn": show, "inputs": [drawn, sigma, seed], "outputs": out, **LIVE, "js": f"(_, sigma, seed) => [{DRAWING}, sigma, seed]"}
    gr.on([sigma.change, seed.change, go.click], **event)
    return event


def _anomaly(shelf: Shelf) -> dict[str, Any]:
    with gr.Row(elem_classes="ta-tools"):
        html('<p class="ta-note">Draw a digit above, add a stroke that does not belong, and look where the model disagrees.</p>')
        go = gr.Button("Look at my drawing", variant="primary", min_width=180, elem_id="digit-look", elem_classes="ta-fit")
    out = html(_waiting(), elem_id="digit-odd")
    drawn = gr.Textbox(visible=False)

    def show(drawn: str) -> str:
        def judged() -> str:
            found = verbs.anomaly(shelf, drawn)
            verdict = "it is odd" if found.alarm else "nothing unusual"
            share = f"{found.p_value:.1%}" if found.p_value >= 0.001 else "Fewer than 0.1%"
            words = f"{share} of ordinary test digits are at least as odd: {verdict}."
            images = [("Drawn", found.seen), ("As the model has it", found.rebuilt), ("Where they differ", heat(found.heat))]
            return f'{strip(images, large=True)}<p class="ta-note" style="margin:8px 0 0">{words}</p>'

        return _answer(judged)

    event = {"fn": show, "inputs": drawn, "outputs": out, **LIVE, "js": f"() => {DRAWING}"}
    go.click(**event)
    return event


def strip(images: Sequence[tuple[str, np.ndarray]], large: bool = False) -> str:
    """Captioned images beside each other, as HTML."""
    side = 112 if large else 84
    figures = "".join(
        f'<figure style="margin:0"><img src="{data_address(image)}" alt="{escape(caption)}" width="{side}" height="{side}" '
        f'style="image-rendering:pixelated;border-radius:4px;display:block"><figcaption class="ta-note">{escape(caption)}</figcaption></figure>'
        for caption, image in images
    )
    return f'<div class="ta-card" aria-live="polite" style="display:flex;flex-wrap:wrap;gap:10px 12px;min-height:140px">{figures}</div>'


def heat(values: np.ndarray) -> np.ndarray:
    """A map of errors as colors, its largest value the hottest: uint8 (H, W, 3)."""
    at = values / max(float(values.max()), 1e-6) * (len(HEAT) - 1)
    low = np.minimum(at.astype(int), len(HEAT) - 2)
    share = (at - low)[..., None]
    return np.rint(HEAT[low] * (1 - share) + HEAT[low + 1] * share).astype(np.uint8)


def _answer(compute: Callable[[], str]) -> str:
    """What is shown: the answer, or what was wrong in words."""
    try:
        return compute()
    except ValueError as error:
        return f'<div class="ta-card" style="min-height:140px">{alert(error)}</div>'


def _waiting() -> str:
    return '<div class="ta-card" style="min-height:140px"></div>'
