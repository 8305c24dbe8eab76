"""Images in rows: inputs beside outputs, noise and its removal, walks between images, traversals, anomalies.

Shapes: N images, C channels, H, W height and width, S steps of a path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from textae.core.config import choose
from textae.core.latent import PATHS
from vision.figures.style import ACCENT, SUBDUED, as_images, draw_image, new_figure, number, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vision.space import LatentSpace

CELL = 0.85  # inches of one image


@dataclass(frozen=True)
class Row:
    """Images side by side under one name.

    Attributes:
        name: At the left.
        images: Float in [0, 1], or a map where `options` say how to color it; None leaves a place empty.
        notes: A short line under each image; empty: none.
        options: Of `draw_image`.
    """

    name: str
    images: Sequence[np.ndarray | None]
    notes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@styled
def image_rows(rows: Mapping[str, Any], *, notes: Mapping[str, Sequence[str]] | None = None, title: str = "") -> "Figure":
    """Named rows of equally many images.

    Args:
        rows: Name at the left to N images.
        notes: Name of a row to N short lines under its images.
        title: Above the figure.

    Raises:
        ValueError: No rows, rows of different lengths, or notes that do not fit.
    """
    notes = dict(notes or {})
    if strange := sorted(set(notes) - set(rows)):
        raise ValueError(f"notes name {', '.join(strange)}, which is not among the rows {', '.join(rows)}")
    return draw_rows([Row(name, as_images(images, name), notes.get(name, ())) for name, images in rows.items()], title)[0]


def draw_rows(rows: Sequence[Row], title: str) -> tuple["Figure", np.ndarray]:
    """The figure and its axes (rows, N)."""
    if not rows:
        raise ValueError("there are no rows to draw")
    columns = len(rows[0].images)
    for row in rows:
        if len(row.images) != columns:
            raise ValueError(f"rows differ in length: {rows[0].name} has {columns} images and {row.name} {len(row.images)}")
        if row.notes and len(row.notes) != columns:
            raise ValueError(f"{row.name} has {columns} images and {len(row.notes)} notes; there must be one for each")
    shape = rows[0].images[0].shape  # the first row is full
    tall = CELL * shape[0] / shape[1]
    height = sum(tall + 0.1 + (0.22 if row.notes else 0) for row in rows)
    figure = new_figure(CELL * columns + 1.3, height + (0.45 if title else 0.1), title)
    cells = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw={"wspace": 0.06, "hspace": 0.06})
    for cells_N, row in zip(cells, rows, strict=True):
        for i, (axes, image) in enumerate(zip(cells_N, row.images, strict=True)):
            if image is None:
                axes.axis("off")
                continue
            draw_image(axes, image, **row.options)
            if row.notes:
                axes.set_xlabel(row.notes[i], fontsize=8.5, labelpad=2, color=SUBDUED)
        name_row(cells_N[0], row.name)
    return figure, cells


def name_row(axes: "Axes", name: str) -> None:
    """A row's name at the left of its first image."""
    axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)


@styled
def reconstructions(inputs: Any, outputs: Any, *, title: str = "") -> "Figure":
    """Three rows: input, output, and the absolute error of each pixel with the squared error of the image under it.

    Args:
        inputs, outputs: N images each, of one size.
        title: Above the figure.
    """
    shown, rebuilt = as_images(inputs, "inputs"), as_images(outputs, "outputs")
    _same_sizes({"inputs": shown, "outputs": rebuilt})
    gaps = [np.abs(a - b) for a, b in zip(shown, rebuilt, strict=True)]
    maps = [g if g.ndim == 2 else g.mean(-1) for g in gaps]
    error = Row("Error", maps, [f"{(g.astype(np.float64) ** 2).sum():.3g}" for g in gaps], {"cmap": "magma"})
    return draw_rows([Row("Input", shown), Row("Output", rebuilt), error], title)[0]


@styled
def denoising(original: Any, noisy: Any, denoised: Any, *, title: str = "") -> "Figure":
    """Three rows: original, noisy and denoised, the last two with their PSNR in dB against the original.

    Args:
        original, noisy, denoised: N images each, of one size.
        title: Above the figure.
    """
    rows = {"Original": as_images(original, "original"), "Noisy": as_images(noisy, "noisy"), "Denoised": as_images(denoised, "denoised")}
    _same_sizes(rows)
    drawn = [Row("Original", rows["Original"])]
    for name in ("Noisy", "Denoised"):
        drawn.append(Row(name, rows[name], [_psnr(a, b) for a, b in zip(rows["Original"], rows[name], strict=True)]))
    return draw_rows(drawn, title)[0]


def _psnr(clean: np.ndarray, other: np.ndarray) -> str:
    error = float(((clean - other).astype(np.float64) ** 2).mean())
    return "exact" if error == 0 else f"{-10 * np.log10(error):.1f} dB"


def _same_sizes(rows: Mapping[str, Sequence[np.ndarray]]) -> None:
    (name, first), *others = rows.items()
    for other, images in others:
        if len(images) != len(first):
            raise ValueError(f"{name} are {len(first)} images and {other} are {len(images)}; there must be one for each")
        for i, (a, b) in enumerate(zip(first, images, strict=True)):
            if a.shape != b.shape:
                raise ValueError(f"image {i} is {a.shape} in {name} and {b.shape} in {other}; sizes must agree")


@styled
def interpolation(
    space: "LatentSpace", images: Sequence[Any], *, names: Sequence[str] | None = None, steps: int = 8, path: str = "lerp",
    title: str = "",
) -> "Figure":  # fmt: skip
    """A walk through the code from image to image, one strip for each leg: 0 → 2 → 8 → 1 are three strips.

    Each strip stands between the two original images, in frames; its own ends are their reconstructions.

    Args:
        space: Of images.
        images: At least two raw images, in order.
        names: What to call each, such as its label; numbers from 1 by default.
        steps: Decoded images of each leg, both ends included.
        path: "lerp" or "slerp".
        title: Above the figure.
    """
    if len(images) < 2:
        raise ValueError(f"a walk needs at least two images; {len(images)} were given")
    if steps < 2:
        raise ValueError(f"steps is {steps}; a leg has at least its two ends")
    called = [str(n) for n in names] if names is not None else [str(i + 1) for i in range(len(images))]
    if len(called) != len(images):
        raise ValueError(f"{len(images)} images come with {len(called)} names; there must be one for each")
    walk, z = choose(PATHS, path, "path"), space.encode(list(images))
    originals = as_images(space.processor.decode(space.pixels(images)))
    strips = []
    for i in range(len(images) - 1):
        leg = as_images(space.decode(walk(z[i], z[i + 1], torch.linspace(0, 1, steps))))
        strips.append(Row(f"{called[i]} → {called[i + 1]}", [originals[i], *leg, originals[i + 1]]))
    figure, cells = draw_rows(strips, title)
    for row in cells:
        for axes in (row[0], row[-1]):
            for spine in axes.spines.values():
                spine.set(visible=True, edgecolor=ACCENT, linewidth=2.5)
    return figure


@styled
def traversals(
    space: "LatentSpace", image: Any, *, dimensions: Sequence[int] | None = None, span: float = 3.0, steps: int = 9, title: str = ""
) -> "Figure":
    """One row for each dimension of the code: an image's code with that dimension set from -span to span.

    Args:
        space: Of images.
        image: One raw image.
        dimensions: Which, from 0; the first ten by default.
        span: In units of the code.
        steps: Values of each dimension.
        title: Above the figure.
    """
    chosen = list(range(min(10, space.latent_dim))) if dimensions is None else list(dimensions)
    if not chosen:
        raise ValueError("dimensions is empty: name at least one")
    rows = [Row(f"$z_{{{d + 1}}}$", as_images(space.traverse(image, d, span=span, steps=steps))) for d in chosen]
    figure, cells = draw_rows(rows, title)
    for axes, value in zip(cells[-1], np.linspace(-span, span, steps), strict=True):
        axes.set_xlabel(number(value), fontsize=8.5, labelpad=3, color=SUBDUED)
    return figure


@styled
def anomalies(
    images: Any, maps: Any, *, masks: Any = None, scores: Sequence[float] | None = None, threshold: float | None = None, title: str = ""
) -> "Figure":
    """Rows of images, their anomaly maps, and the maps laid over the images with the true defect outlined.

    Args:
        images: N images.
        maps: Anomaly of each pixel, N arrays (H, W), on one scale for all.
        masks: True where a defect is, N arrays (H, W); a further row shows them.
        scores: Of each image, written under it.
        threshold: Scores above it are written in the accent color.
        title: Above the figure.
    """
    shown = as_images(images)
    heat = [np.asarray(m, dtype=np.float64) for m in maps]
    truth = None if masks is None else [np.asarray(m).astype(bool) for m in masks]
    for what, others in (("maps", heat), ("masks", truth)):
        if others is None:
            continue
        if len(others) != len(shown):
            raise ValueError(f"{len(shown)} images come with {len(others)} {what}; there must be one for each")
        for i, (image, other) in enumerate(zip(shown, others, strict=True)):
            if other.shape != image.shape[:2] or not np.isfinite(other).all():
                raise ValueError(f"{what}[{i}] has shape {other.shape} for an image of {image.shape[:2]}, or holds numbers that are not finite")
    if scores is not None and len(scores) != len(shown):
        raise ValueError(f"{len(shown)} images come with {len(scores)} scores; there must be one for each")
    low, high = min(m.min() for m in heat), max(m.max() for m in heat)
    high = high if high > low else low + 1
    rows = [Row("Image", shown, [] if scores is None else [f"{s:.3g}" for s in scores])]
    rows += [Row("Map", heat, options={"cmap": "magma", "vmin": low, "vmax": high}), Row("Overlay", shown)]
    if truth is not None:
        rows.append(Row("Mask", [m.astype(float) for m in truth]))
    figure, cells = draw_rows(rows, title)
    for i, axes in enumerate(cells[2]):
        scaled = (heat[i] - low) / (high - low)
        axes.imshow(scaled, cmap="magma", vmin=0, vmax=1, alpha=0.15 + 0.7 * scaled, interpolation="nearest")
        if truth is not None and truth[i].any() and not truth[i].all():
            axes.contour(truth[i].astype(float), levels=[0.5], colors=["#3fd0ff"], linewidths=1.5)
    if scores is not None and threshold is not None:
        for axes, score in zip(cells[0], scores, strict=True):
            axes.xaxis.label.set(color=ACCENT if score > threshold else SUBDUED, weight="bold" if score > threshold else "normal")
    bar = figure.colorbar(cells[1][-1].images[0], ax=cells[:, -1].tolist(), shrink=0.6, aspect=14, pad=0.15)
    bar.set_label("anomaly")
    bar.outline.set_visible(False)
    return figure
