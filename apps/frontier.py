"""`textae frontier`: what several models trade, reconstruction against samples, as one figure and one table."""

from pathlib import Path
from typing import Any

from textae.core.card import read_figures
from textae.core.config import read_config

LATER = 10**9  # an optimizer step after which no schedule moves
NONE = "–"
COLUMNS = ("kl_standard", "nll", "bleu", "exact_match", "forward_ratio", "reverse_ratio", "mi", "active_units")


def collect(folders: list[Path]) -> list[dict[str, Any]]:
    """One row for each evaluated model: those with a β ordered by it, then the others by their names.

    Returns:
        `model`, `name`, `beta` (None of a model that has none, see `_beta`) and the figures of `COLUMNS`.

    Raises:
        ValueError: A folder has no evaluation yet; the message gives the command that makes one.
    """
    rows = []
    for folder in folders:
        folder = folder / "model" if (folder / "model").is_dir() else folder
        evaluation = read_figures(folder).get("evaluation", {})
        if "bleu" not in evaluation or "forward_ratio" not in evaluation:
            raise ValueError(f"{folder} is not evaluated: run `textae evaluate --model {folder} --data NAME --card` first")
        whole = folder.absolute()
        name = whole.parent.name if whole.name == "model" else whole.name
        rows.append({"model": str(folder), "name": name, "beta": _beta(folder), **{k: evaluation.get(k) for k in COLUMNS}})
    return sorted(rows, key=lambda row: (row["beta"] is None, row["beta"] or 0.0, row["name"]))


def _beta(folder: Path) -> float | None:
    """The weight at which the KL ends in the run's config; None without a KL, or where a controller moves it."""
    from textae.core.controllers import Controller
    from textae.core.objectives.base import build_weight

    objective = read_config(folder / "run.yaml")["objective"]
    if "kl" not in objective:
        return None
    options = {} if objective["kl"] is None else objective["kl"]
    weight = build_weight(options.get("weight", 1.0) if isinstance(options, dict) else options)
    return None if isinstance(weight, Controller) else float(weight(LATER))


def _label(row: dict[str, Any]) -> str:
    """What a point is called: its β, else the name of its run."""
    return row["name"] if row["beta"] is None else f"β={row['beta']:g}"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown; a model without a β has its name there."""
    head = ["β", "KL", "NLL", "BLEU", "exact %", "forward ×", "reverse ×", "MI", "AU"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---:|" * len(head)]
    for row in rows:
        figures = [NONE if row[k] is None else f"{row[k]:.2f}" if isinstance(row[k], float) else str(row[k]) for k in COLUMNS]
        lines.append("| " + " | ".join([_label(row).removeprefix("β="), *figures]) + " |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], out: Path, chosen: dict[str, Any] | None = None) -> None:
    """`plot`, written to a file."""
    plot(rows, chosen).savefig(out)


def plot(rows: list[dict[str, Any]], chosen: dict[str, Any] | None = None) -> Any:
    """BLEU of reconstructions against forward and reverse perplexity ratios of samples, one point a model.

    Models with a β are joined in its order; one without stands alone, under its name.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2))
    axes = figure.subplots(1, 2, sharex=True)
    sweep, alone = [row for row in rows if row["beta"] is not None], [row for row in rows if row["beta"] is None]
    for axis, key, bar in zip(axes, ("forward_ratio", "reverse_ratio"), (1.2, 2.5), strict=True):
        if sweep:
            axis.plot([r["bleu"] for r in sweep], [r[key] for r in sweep], "o-", color="tab:blue", label="β sweep")
        if alone:
            axis.plot([r["bleu"] for r in alone], [r[key] for r in alone], "s", color="tab:green", label="without a β")
        for row in rows:
            axis.annotate(_label(row), (row["bleu"], row[key]), textcoords="offset points", xytext=(6, 5), fontsize=8)
        if chosen is not None:
            axis.plot(chosen["bleu"], chosen[key], "*", color="tab:red", markersize=14, label=f"bundled, {_label(chosen)}")
        axis.axhline(bar, color="gray", linestyle=":", label=f"bar {bar}")
        axis.axhline(1.0, color="gray", linewidth=0.6, label="real text")
        axis.set_xlabel("reconstruction BLEU-4 (more is better)")
        axis.set_ylabel(f"{key.split('_')[0]} perplexity / real text (less is better)")
        axis.set_title(f"{key.split('_')[0]} perplexity of prior samples")
        axis.legend(fontsize=8)
    figure.tight_layout()
    return figure
