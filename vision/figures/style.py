"""How every figure looks, how images are laid out in it, and how it is saved; no figure of its own.

Matplotlib is imported when first used, and figures are made without pyplot, so nothing is global and no window opens.

Shapes: N images, C channels, H, W height and width.
"""

import io
import math
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

P, R = ParamSpec("P"), TypeVar("R")

# Petroff 2021, "Accessible color sequences for data visualization": ten colors that the color-blind can tell apart, in an
# order that gives digits which lie side by side in every code (3 5 8, 4 7 9) the most different of them.
PALETTE = ("#3f90da", "#ffa90e", "#94a4a2", "#bd1f01", "#832db6", "#92dadd", "#e76300", "#b9ac70", "#717581", "#a96b59")
UNLABELLED = "#b8bec6"
ACCENT = "#bd1f01"
SUBDUED = "#566274"
GRID = "#c6cfda"

RC = {
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 10.5,
    "axes.edgecolor": "#8a95a3",
    "axes.labelcolor": "#222a35",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#dfe4ea",
    "grid.linewidth": 0.8,
    "xtick.color": SUBDUED,
    "ytick.color": SUBDUED,
    "text.color": "#222a35",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
}


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function under this package's style, and leave matplotlib's settings as they were."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        from matplotlib import rc_context

        with rc_context(RC):
            return function(*args, **kwargs)

    return inside


def new_figure(width: float, height: float, title: str = "") -> "Figure":
    """An empty figure of so many inches, whose parts make room for each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure


def save(figure: "Figure", path: str | Path, dpi: int = 150) -> Path:
    """Write a figure as a whole, in the format that the path's ending names; returns the path.

    Raises:
        ValueError: The ending names no format that matplotlib writes.
        OSError: The file could not be written; what stood there is untouched.
    """
    from matplotlib import rc_context

    path = Path(path)
    kinds = sorted(figure.canvas.get_supported_filetypes())
    kind = path.suffix[1:].lower()
    if kind not in kinds:
        raise ValueError(f"{path.name!r} does not end in a format of pictures: choose one of {', '.join(kinds)}")
    content = io.BytesIO()
    # A picture of the same numbers is the same file: no date, and no random ids.
    undated = {"pdf": {"CreationDate": None}, "ps": {"CreationDate": None}, "eps": {"CreationDate": None}, "svg": {"Date": None}}
    with rc_context({**RC, "svg.hashsalt": "textae"}):
        figure.savefig(content, format=kind, dpi=dpi, metadata=undated.get(kind))
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.getvalue())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"could not write {path}: {error.strerror or error}") from None
    return path


def colors(num: int) -> list[Any]:
    """One color for each of `num` classes: the palette's for up to ten, else steps of a perceptually even map."""
    if num <= len(PALETTE):
        return list(PALETTE[:num])
    from matplotlib import colormaps

    return [colormaps["viridis"](i / (num - 1)) for i in range(num)]


def as_images(images: Any, what: str = "images") -> list[np.ndarray]:
    """Images as matplotlib takes them: float in [0, 1], each (H, W) or (H, W, 3).

    Args:
        images: A tensor (N, C, H, W), or a sequence of arrays (H, W) or (H, W, C) or tensors (C, H, W); uint8 or float
            in [0, 1]. What lies outside [0, 1] is clipped, as on any screen.
        what: Their name in messages.

    Raises:
        ValueError: There are none, or one has another shape or numbers that are not finite.
    """
    found = [_as_image(image, f"{what}[{i}]") for i, image in enumerate(images)]
    if not found:
        raise ValueError(f"{what} is empty: give at least one image")
    return found


def _as_image(image: Any, what: str) -> np.ndarray:
    if isinstance(image, Tensor):
        image = image.detach().cpu().float().numpy()
        image = np.moveaxis(image, 0, -1) if image.ndim == 3 else image
    image = np.asarray(image)
    whole = image.dtype == np.uint8
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] != 3):
        raise ValueError(f"{what} has shape {image.shape}; an image is (H, W) or (H, W, 3)")
    image = image.astype(np.float32) / (255 if whole else 1)
    if not np.isfinite(image).all():
        raise ValueError(f"{what} has pixels that are not finite numbers")
    return image.clip(0, 1)


def draw_image(axes: "Axes", image: np.ndarray, border: str = "", border_width: float = 2.5, **options: Any) -> Any:
    """Show one image without ticks; `border` is the color of a frame around it, so many points wide."""
    options = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest", **options}
    shown = axes.imshow(image, **options)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(bool(border))
        if border:
            spine.set(edgecolor=border, linewidth=border_width)
    return shown


def image_grid(figure: "Figure | SubFigure", images: Sequence[np.ndarray], captions: Sequence[str] = (), columns: int = 0) -> None:
    """Images side by side in rows, each under its caption; as many rows as columns where `columns` is 0."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    cells = figure.subplots(rows, columns, squeeze=False)
    for i, axes in enumerate(cells.flat):
        if i >= len(images):
            axes.axis("off")
            continue
        draw_image(axes, images[i])
        if captions:
            axes.set_title(captions[i], fontsize=9, fontweight="normal", pad=3)


def number(value: float, digits: int = 2) -> str:
    """A number of so many digits, with a true minus sign."""
    return f"{value:.{digits}g}".replace("-", "−")


def as_table(values: Any, what: str, columns: Sequence[int] = ()) -> np.ndarray:
    """Codes as a float array (N, D), checked.

    Raises:
        ValueError: Another shape, a width that is not among `columns`, no rows, or numbers that are not finite.
    """
    table = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=np.float64)
    if table.ndim != 2 or len(table) == 0:
        raise ValueError(f"{what} have shape {table.shape}; they must be (N, D) with at least one row")
    if columns and table.shape[1] not in columns:
        wanted = " or ".join(f"{c}-D" for c in columns)
        raise ValueError(f"{what} are {table.shape[1]}-D; this picture takes {wanted} ones")
    if not np.isfinite(table).all():
        raise ValueError(f"{what} hold numbers that are not finite")
    return table


def as_labels(labels: Any, num: int, names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Labels as integers (N,), -1 unlabelled, and the name of each class.

    Raises:
        ValueError: Not one label an example, a label without a name, or names without labels.
    """
    if labels is None:
        if names:
            raise ValueError("names come without labels: say which example has which")
        return np.full(num, -1), []
    found = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if found.shape != (num,):
        raise ValueError(f"labels have shape {found.shape} for {num} codes; give one for each")
    if not np.issubdtype(found.dtype, np.integer) or found.min() < -1:
        raise ValueError("labels must be whole numbers from 0, or -1 where there is none")
    classes = int(found.max()) + 1
    if names is None:
        return found, [str(i) for i in range(classes)]
    if len(names) < classes:
        raise ValueError(f"label {classes - 1} has no name: {len(names)} names were given")
    return found, [str(n) for n in names]
