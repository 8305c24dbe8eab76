"""The page: gathers what it shows, and writes it with its scripts and styles into one file that needs nothing else.

Shapes: N images, C channels, H, W height and width, K moments.
"""

import base64
import io
import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textae.core.files import write_text
from vision.figures.style import as_labels, as_table, colors
from vision.shapes import SHAPES, record, shape, shape_model
from vision.space import LatentSpace
from vision.view.decoder import PROBES, export_decoder, pack, plane_codes, plane_dims
from vision.view.history import FILE, History

HERE = Path(__file__).parent
SCRIPTS = ("core", "decoder", "toy", "plane", "cube", "timeline", "pixels", "images", "shapes", "main")  # in the order of their needs
SHAPE_STEPS, SHAPE_EVERY = 400, 8  # of the recorded training of the toy shapes
# All four shapes are learned in that time from this seed. Of the seeds 0 to 7, half leave a shape at errors above 0.004:
# layers of two tanh units saturate. "Train here" on the page shows such starts too.
SHAPE_SEED = 5
INK_BELOW = 0.35  # mean brightness up to which images are bright strokes on black, drawn as ink behind the points


def write_view(
    source: LatentSpace | str | Path, path: str | Path, images: Sequence[Any] | None = None, labels: Any = None, *,
    names: Sequence[str] | None = None, history: History | None = None, shapes: bool = True, precision: str = "float32",
) -> Path:  # fmt: skip
    """Write the interactive page of a model with a 2-D code as one HTML file: no server, no network, no other file.

    It shows the codes of images, decodes any point of the plane in JavaScript, walks through the training where it was
    recorded, and has the toy shapes below.

    Args:
        source: A latent space, or what `LatentSpace.from_pretrained` opens.
        path: Of the file, usually ending in .html.
        images: Raw images to show, about 500; None takes those of the history that was recorded with a run, where `source`
            is its folder, or else the model's own examples.
        labels: Whole numbers, shape (N,), -1 unlabelled.
        names: Of the labels, by number.
        history: Of the same images in the same order.
        shapes: Whether to add the toy shapes, whose training takes a few seconds.
        precision: Of the decoder's weights: "float32", or "float16" for half the size; the page states the error.

    Returns:
        The path.

    Raises:
        ValueError: The code is not 2-D, the decoder cannot run in the page, there are no images, or the history is of
            other images.
    """
    space = source if isinstance(source, LatentSpace) else LatentSpace.from_pretrained(source)
    plane_dims(space.model)
    if images is None and history is None and not isinstance(source, LatentSpace) and (Path(source) / FILE).is_file():
        history = History.load(Path(source) / FILE)
    if images is None and history is not None and history.examples is not None:
        images = space.processor.decode(history.examples.float() / 255)
        labels = history.labels_N if labels is None else labels
    if images is None and space.examples:
        images = space.examples
    if images is None or len(images) == 0:
        raise ValueError(f"there is nothing to show of {space.name}: give some images")
    data: dict[str, Any] = {"images": images_data(space, images, labels, names, history, precision)}
    if shapes:
        data["shapes"] = shapes_data()
    config = space.model.config
    facts = [
        f"{type(space.model).__name__} of {config.channels} × {config.height} × {config.width} pixels", "2-D code",
        *([f"{config.categories} categories"] if config.categories else []), f"{len(images):,} images",
    ]  # fmt: skip
    error = data["images"]["decoder"]["error"]
    computed = "Decoding computes with the model's own float32 weights."
    if precision != "float32":
        computed = f"Decoding computes with weights of {precision}: pixels in [0, 1] differ by at most {error:.1e} from the model's, measured at {PROBES} codes."
    return _write(path, f"{Path(space.name).name}: a walk through the code", " · ".join(facts), computed, data, (config.width, config.height))


def write_shapes(path: str | Path) -> Path:
    """Write the page with the toy shapes alone; returns the path."""
    return _write(path, "An autoencoder of 25 points", "", "", {"shapes": shapes_data()}, (1, 1))


def images_data(
    space: LatentSpace, images: Sequence[Any], labels: Any, names: Sequence[str] | None, history: History | None, precision: str
) -> dict[str, Any]:
    """What the page's first half needs, ready for JSON."""
    images = list(images)
    marks, called = as_labels(labels, len(images), names)
    called = called if labels is not None else []
    pixels = space.pixels(images)
    inverted = space.processor.invert
    codes = plane_codes(space.model, space.encode(images))
    as_table(codes, "the model's codes", (2,))  # a model that diverged has none to show
    return {
        "decoder": export_decoder(space.model, precision),
        "codes": pack(codes),
        "labels": marks.tolist() if called else None,
        "names": called,
        "palette": [_hex(c) for c in colors(len(called))],
        "sprite": sprite(1 - pixels if inverted else pixels),
        "inverted": inverted,
        "ink": pixels.shape[1] == 1 and not inverted and pixels.mean().item() < INK_BELOW,
        "history": None if history is None else history_data(space, history, codes),
    }


def history_data(space: LatentSpace, history: History, codes_N2: Tensor) -> dict[str, Any]:
    """A history on the plane, ready for JSON.

    Raises:
        ValueError: It is of another number of images, or of codes of another width.
    """
    _, num, width = history.codes_KND.shape
    if num != len(codes_N2) or width != space.latent_dim:
        raise ValueError(f"the history is of {num} codes of {width} dimensions; {len(codes_N2)} images have codes of {space.latent_dim}: record it anew")
    first = plane_dims(space.model)
    # A head shifts a style without stretching it, so the gradient on the plane is the style's.
    return {
        "moments": history.moments_K.tolist(),
        "unit": history.unit,
        "codes": pack(plane_codes(space.model, history.codes_KND)),
        "gradients": pack(history.gradients_KND[..., first:]),
        "losses": [round(v, 4) for v in history.losses_K.tolist()],
        "ends_at_model": bool(torch.allclose(plane_codes(space.model, history.codes_KND[-1]), codes_N2, rtol=1e-4, atol=1e-4)),
    }


def shapes_data() -> list[dict[str, Any]]:
    """What the page's second half needs: every shape with its recorded training, ready for JSON."""
    found = []
    for name in SHAPES:
        points = shape(name)
        history = record(shape_model(SHAPE_SEED), points, steps=SHAPE_STEPS, every=SHAPE_EVERY)
        assert history.outputs_KNP is not None
        packed = {
            "moments": history.moments_K.tolist(),
            "codes": pack(history.codes_KND),
            "gradients": pack(history.gradients_KND),
            "outputs": pack(history.outputs_KNP),
            "losses": (history.outputs_KNP - points).double().square().mean((1, 2)).tolist(),
        }
        found.append({"name": name, "points": pack(points), "history": packed})
    return found


def sprite(pixels: Tensor) -> dict[str, Any]:
    """Images as one PNG in a data address, row by row: pixels (N, C, H, W) in [0, 1] are rounded to bytes."""
    from PIL import Image

    num, channels, height, width = pixels.shape
    columns = math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:num] = pixels.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    sheet = cells.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    file = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(file, "PNG", optimize=True)
    return {"source": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(), "columns": columns}


def _hex(color: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(color)


def _write(path: str | Path, title: str, facts: str, footer: str, data: dict[str, Any], size: tuple[int, int]) -> Path:
    path = Path(path)
    text = (HERE / "page.html").read_text(encoding="utf-8")
    css = (HERE / "page.css").read_text(encoding="utf-8").replace("{{aspect}}", f"{size[0]} / {size[1]}")
    scripts = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    # A name may hold anything: "<" is escaped so that no text can end the script element.
    packed = json.dumps({"images": None, "shapes": None, **data}, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    parts = {"title": escape(title), "facts": escape(facts), "footer": escape(footer), "css": css, "scripts": scripts, "data": packed}
    head, *rest = text.split("{{")
    filled = [head]
    for piece in rest:
        key, _, after = piece.partition("}}")
        filled += [parts[key], after]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(filled))
    return path
