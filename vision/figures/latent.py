"""Maps of the code: scatters in two and three dimensions, new codes beside their images, and the decoded plane.

Shapes: N codes, D latent dimensions, M new codes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vision.figures.style import (
    SUBDUED,
    UNLABELLED,
    as_images,
    as_labels,
    as_table,
    colors,
    draw_image,
    image_grid,
    new_figure,
    number,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

    from vision.space import LatentSpace


@styled
def latent_scatter(
    codes: Any, labels: Any = None, *, names: Sequence[str] | None = None, new_codes: Any = None, new_images: Any = None, title: str = "",
) -> "Figure":  # fmt: skip
    """Codes as points, colored by label, with equal axes and a legend; new codes as stars beside their images.

    Args:
        codes: Shape (N, 2) or (N, 3).
        labels: Whole numbers, shape (N,), -1 unlabelled; None draws one cloud.
        names: Of the labels, by number.
        new_codes: Codes of one's own choice, shape (M, D).
        new_images: What they decode to, M images; needs new_codes.
        title: Above the figure.

    Raises:
        ValueError: Codes of another width, labels that do not fit, or images without codes.
    """
    return _map(codes, labels, names, new_codes, new_images, title, marker="*", called="new code")


@styled
def sampled_map(
    codes: Any, sampled: Any, images: Any, labels: Any = None, *, names: Sequence[str] | None = None, title: str = ""
) -> "Figure":
    """Codes as points, and samples as numbered dots on that map beside what each decodes to.

    Args:
        codes: Shape (N, 2) or (N, 3).
        sampled: Codes drawn from a prior or elsewhere, shape (M, D).
        images: What they decode to, M images.
        labels, names, title: As in `latent_scatter`.
    """
    return _map(codes, labels, names, sampled, images, title, marker="o", called="sample")


def _map(
    codes: Any, labels: Any, names: Sequence[str] | None, new: Any, images: Any, title: str, marker: str, called: str
) -> "Figure":
    codes_ND = as_table(codes, "codes", (2, 3))
    marks, names = as_labels(labels, len(codes_ND), names)
    new_MD = None if new is None else as_table(new, f"{called}s", (codes_ND.shape[1],))
    if images is not None and new_MD is None:
        raise ValueError("new_images come without new_codes: say where on the map they belong")
    pictures = None if images is None else as_images(images, f"images of {called}s")
    if pictures is not None and len(pictures) != len(new_MD):
        raise ValueError(f"{len(new_MD)} {called}s come with {len(pictures)} images; there must be one for each")
    map_width = 7.2 if codes_ND.shape[1] == 2 else 7.8  # inches
    share = 0.0 if pictures is None else 4.6 if len(pictures) > 1 else 3.2  # for the images
    figure = new_figure(map_width + share, 5.8, title)
    left, right = figure.subfigures(1, 2, width_ratios=[map_width, share]) if share else (figure, None)
    axes = left.add_subplot(**({"projection": "3d"} if codes_ND.shape[1] == 3 else {}))
    if right is not None:
        columns = math.ceil(math.sqrt(len(pictures)))
        image_grid(right, pictures, _captions(new_MD, short=columns > 2), columns)
    scatter_codes(axes, codes_ND, marks, names)
    if new_MD is not None:
        size = 260 if marker == "*" else 150
        style = {"s": size, "marker": marker, "color": "black", "edgecolors": "white", "linewidths": 1.2, "zorder": 5}
        axes.scatter(*new_MD.T, **style, **({"depthshade": False} if codes_ND.shape[1] == 3 else {}), label=called)
        if len(new_MD) > 1:
            for i, point in enumerate(new_MD):
                _number(axes, i, point, inside=marker == "o")
    if names or new_MD is not None:
        _legend(axes.legend, loc="center left", bbox_to_anchor=(1.02 if codes_ND.shape[1] == 2 else 1.1, 0.5))
    return figure


def _legend(make: Callable[..., "Legend"], *entries: Any, **where: Any) -> None:
    """A legend whose dots are large enough to see, however small the map's are."""
    for handle in make(*entries, handletextpad=0.2, **where).legend_handles:
        handle.set_sizes([max(42.0, min(handle.get_sizes()[0], 120.0))])
        handle.set_alpha(1)


def scatter_codes(axes: "Axes", codes_ND: np.ndarray, labels_N: np.ndarray, names: Sequence[str], size: float = 0.0) -> None:
    """One cloud for each class on equal axes, and in 2-D its name at its median; `size` 0 chooses by the number of points."""
    flat = codes_ND.shape[1] == 2
    size = size or float(np.clip(12_000 / len(codes_ND), 3, 26))
    palette = colors(len(names))
    style = {"s": size, "linewidths": 0, "alpha": 0.8 if len(codes_ND) < 3000 else 0.65, "rasterized": len(codes_ND) > 3000}
    if not flat:
        style["depthshade"] = True
        axes.computed_zorder = False
    for label in [-1, *range(len(names))]:
        cloud = codes_ND[labels_N == label]
        if not len(cloud):
            continue
        called = {} if label < 0 and not names else {"label": names[label] if label >= 0 else "unlabelled"}
        axes.scatter(*cloud.T, color=palette[label] if label >= 0 else (UNLABELLED if names else "#3f90da"), **style, **called)
    axes.set_xlabel("$z_1$")
    axes.set_ylabel("$z_2$")
    if flat:
        axes.set_aspect("equal", adjustable="datalim")
        axes.grid(True)
        for label, name in enumerate(names):
            cloud = codes_ND[labels_N == label]
            if len(cloud):
                _halo(axes.text(*np.median(cloud, 0), name, fontsize=13, fontweight="bold", ha="center", va="center", zorder=4))
    else:
        axes.set_zlabel("$z_3$")
        axes.set_aspect("equal")


def _number(axes: "Axes", i: int, point: np.ndarray, inside: bool) -> None:
    """The number of a new code, in its dot or beside its star."""
    if inside:
        axes.text(*point, str(i + 1), color="white", fontsize=7.5, fontweight="bold", ha="center", va="center", zorder=6)
    elif len(point) == 2:
        _halo(axes.annotate(str(i + 1), point, xytext=(9, 7), textcoords="offset points", fontsize=11, fontweight="bold", zorder=6))
    else:
        _halo(axes.text(*point, f"  {i + 1}", fontsize=11, fontweight="bold", zorder=6))


def _captions(new_MD: np.ndarray, short: bool) -> list[str]:
    """Such as `1: (-1, 6)`; the number where there are several, and only it where there is no room for more."""
    if short:
        return [str(i + 1) for i in range(len(new_MD))]
    points = ["(" + ", ".join(number(x, 3) for x in row) + ")" for row in new_MD]
    return points if len(points) == 1 else [f"{i + 1}: {p}" for i, p in enumerate(points)]


def _halo(text: Any) -> None:
    from matplotlib.patheffects import withStroke

    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


@styled
def manifold(
    space: "LatentSpace", *, steps: int = 20, over: float | Sequence[float] | None = None, attributes: Mapping[str, str] | None = None,
    title: str = "",
) -> "Figure":  # fmt: skip
    """The decoded plane: what a 2-D code decodes to at every point of a grid, up is larger z2.

    Args:
        space: Of images, with a 2-D code.
        steps: Points along each side.
        over: None takes the prior's quantiles from 5 to 95 %, as Kingma & Welling 2014, fig. 4; a number spans -over to
            +over; four numbers are left, right, bottom and top, as an autoencoder without a prior needs them.
        attributes: Values to condition on.
        title: Above the figure.

    Raises:
        ValueError: The code is not 2-D, or the grid is empty.
    """
    if space.latent_dim != 2:
        raise ValueError(f"a manifold needs a 2-D code; {space.name} has {space.latent_dim} dimensions: draw traversals instead")
    if steps < 2:
        raise ValueError(f"steps is {steps}; a grid has at least two points along each side")
    across, up = _grid_lines(steps, over)
    z = torch.stack(torch.meshgrid(up.flip(0), across, indexing="ij"), -1).flip(-1).reshape(-1, 2)
    images = as_images(space.decode(z, attributes=attributes))
    height, width = images[0].shape[:2]
    rows = [np.concatenate(images[i * steps : (i + 1) * steps], 1) for i in range(steps)]
    figure = new_figure(7.5, 7.5 * height / width + (0.5 if title else 0.2), title)
    axes = figure.add_subplot()
    draw_image(axes, np.concatenate(rows, 0))
    every = max(1, math.ceil(steps / 8))
    axes.set_xticks([width * (i + 0.5) - 0.5 for i in range(0, steps, every)], [number(v) for v in across[::every].tolist()])
    axes.set_yticks([height * (i + 0.5) - 0.5 for i in range(0, steps, every)], [number(v) for v in up.flip(0)[::every].tolist()])
    axes.tick_params(length=0)
    axes.set_xlabel("$z_1$")
    axes.set_ylabel("$z_2$")
    return figure


def _grid_lines(steps: int, over: float | Sequence[float] | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The values of z1 and of z2 along a manifold's sides, ascending."""
    if over is None:
        line = torch.special.ndtri(torch.linspace(0.05, 0.95, steps, dtype=torch.float64)).float()
        return line, line
    limits = [-over, over] * 2 if isinstance(over, int | float) else list(over)
    if len(limits) != 4 or not limits[0] < limits[1] or not limits[2] < limits[3]:
        raise ValueError(f"over is {over!r}; give None, a number above 0, or left, right, bottom, top with left < right and bottom < top")
    return torch.linspace(limits[0], limits[1], steps), torch.linspace(limits[2], limits[3], steps)


@styled
def reduction_panel(
    codes: Mapping[str, Any], labels: Any, *, names: Sequence[str] | None = None, notes: Mapping[str, str] | None = None,
    title: str = "",
) -> "Figure":  # fmt: skip
    """The same examples reduced to two dimensions by several methods, side by side: an autoencoder beside PCA, LDA, GDA.

    Args:
        codes: Method to codes, each (N, 2).
        labels: Whole numbers, shape (N,), the same for all.
        names: Of the labels.
        notes: Method to a line that is written under it, such as "5-NN 87.0 %".
        title: Above the figure.
    """
    if not codes:
        raise ValueError("there is no method to draw: give codes by name, such as {'PCA': ...}")
    notes = dict(notes or {})
    if strange := sorted(set(notes) - set(codes)):
        raise ValueError(f"notes name {', '.join(strange)}, which is not among the methods {', '.join(codes)}")
    tables = {name: as_table(values, f"codes of {name}", (2,)) for name, values in codes.items()}
    columns = min(len(tables), 4)
    rows = math.ceil(len(tables) / columns)
    figure = new_figure(3.5 * columns + 0.9, 3.7 * rows + 0.5, title)
    cells = figure.subplots(rows, columns, squeeze=False)
    for axes in list(cells.flat)[len(tables) :]:
        axes.axis("off")
    handles: dict[str, Any] = {}
    for axes, (name, table) in zip(cells.flat, tables.items(), strict=False):
        marks, called = as_labels(labels, len(table), names)
        scatter_codes(axes, table, marks, called, size=float(np.clip(6_000 / len(table), 3, 14)))
        axes.set(title=name, ylabel="", xticks=[], yticks=[])
        axes.set_xlabel(notes.get(name, ""), color=SUBDUED)
        handles.update(dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)))
    _legend(figure.legend, list(handles.values()), list(handles), loc="outside right center")
    return figure
