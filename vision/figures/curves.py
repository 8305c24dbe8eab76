"""Lines: how every term fell during training, and what each bit of rate buys.

The log is the trainer's `log.jsonl`: one JSON object a line with `step`, `split` ("train" or "valid") and figures in nats.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vision.figures.style import PALETTE, SUBDUED, as_table, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IN_NATS = ("loss", "reconstruction", "kl")  # other terms have units of their own
# Figures of a log line that are no terms of the loss.
NOT_TERMS = ("step", "epoch", "seconds", "lr", "per_second", "num_examples", "count", "active_units", "latent_dim", "best")


def read_log(run: str | Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Every term's values in a run: `{term: {split: [(step, value), ...]}}`, the loss first.

    Args:
        run: The folder of a run, or its `log.jsonl`.

    Raises:
        ValueError: There is no log, or it holds no line.
    """
    path = Path(run)
    path = path / "log.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"there is no training log at {str(path)!r}: give the folder of a run")
    terms: dict[str, dict[str, list[tuple[int, float]]]] = {"loss": {}}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            figures = json.loads(line)
            step, split = int(figures["step"]), str(figures["split"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"line {number} of {str(path)!r} is not of a training log") from None
        for name, value in figures.items():
            if name in (*NOT_TERMS, "split") or name.startswith(("weight_", "grad_norm_")):
                continue
            terms.setdefault(name, {}).setdefault(split, []).append((step, float(value)))
    if not terms["loss"]:
        raise ValueError(f"{str(path)!r} holds no line yet: the run has not logged")
    # A point code has no KL, which validation reports as 0.
    return {name: splits for name, splits in terms.items() if any(value for pairs in splits.values() for _, value in pairs)}


@styled
def training_curves(run: str | Path, *, title: str = "") -> "Figure":
    """One panel for each term of a run, unweighted, training beside validation, over optimizer steps.

    The training loss is what was minimized, with its weights; the validation loss is the unannealed bound.

    Args:
        run: The folder of a run, or its `log.jsonl`.
        title: Above the figure.
    """
    terms = read_log(run)
    columns = min(3, len(terms))
    rows = math.ceil(len(terms) / columns)
    figure = new_figure(4.1 * columns, 3.0 * rows + 0.4, title)
    cells = figure.subplots(rows, columns, squeeze=False)
    styles = {"train": {"color": PALETTE[0], "label": "training"}, "valid": {"color": PALETTE[6], "label": "validation", "marker": "o", "markersize": 4}}
    for axes, (name, splits) in zip(cells.flat, terms.items(), strict=False):
        for split, style in styles.items():
            if split in splits:
                axes.plot(*zip(*splits[split], strict=True), **style)
        axes.set(title=name.replace("_", " "), xlabel="step", ylabel="nats per image" if name in IN_NATS else "")
        axes.grid(True)
        axes.margins(x=0.02)
    for axes in list(cells.flat)[len(terms) :]:
        axes.axis("off")
    cells[0, 0].legend()
    return figure


@styled
def rate_distortion(
    curves: Mapping[str, Sequence[tuple[float, float]]], *, rate: str = "bytes an image", distortion: str = "squared error an image",
    notes: Mapping[str, Sequence[str]] | None = None, title: str = "",
) -> "Figure":  # fmt: skip
    """What each method pays and gets: rate to the right, distortion upwards, one line a method, a dot a setting.

    Args:
        curves: Method to pairs of rate and distortion, in any order.
        rate, distortion: What the axes measure, with the unit.
        notes: Method to one short text for each pair, such as the code's size.
        title: Above the figure.
    """
    if not curves:
        raise ValueError("there is no curve to draw: give pairs of rate and distortion by name")
    figure = new_figure(6.4, 4.6, title)
    axes = figure.add_subplot()
    for i, (name, pairs) in enumerate(curves.items()):
        table = as_table(list(pairs), f"pairs of {name}", (2,))
        texts = list((notes or {}).get(name, [""] * len(table)))
        if len(texts) != len(table):
            raise ValueError(f"{name} has {len(table)} pairs and {len(texts)} notes; there must be one for each")
        order: Any = table[:, 0].argsort(kind="stable")
        marker = "osD^vPX*"[i % 8]
        axes.plot(*table[order].T, marker=marker, markersize=6, color=PALETTE[i % len(PALETTE)], label=name)
        for (x, y), text in zip(table, texts, strict=True):
            axes.annotate(text, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8.5, color=SUBDUED)
    axes.set(xlabel=rate, ylabel=distortion)
    axes.grid(True)
    axes.legend()
    return figure
