"""`textae frontier`: what several models trade, reconstruction against samples, as one figure and one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps import results
from textae.core.config import read_config

LATER = 10**9  # an optimizer step after which no schedule moves
NONE = "–"
COLUMNS = ("kl_standard", "nll", "bleu", "exact_match", "forward_ratio", "reverse_ratio", "drawn_forward_ratio", "drawn_reverse_ratio", "mi", "active_units")
HEAD = ("KL", "NLL", "BLEU", "exact %", "forward ×", "reverse ×", "drawn: forward ×", "drawn: reverse ×", "MI", "AU")
BARS = {"forward": 1.2, "reverse": 2.5}  # what a bundled model is held to
WIDE = 5.0  # a range of perplexities beyond which their axis is logarithmic


def collect(sources: Sequence[str | Path]) -> list[dict[str, Any]]:
    """One row for each evaluated model: those with a β ordered by it, then the others by their names.

    Args:
        sources: Folders of runs or of their models, or copies of their `figures.json`, which tell no β.

    Returns:
        `name`, `beta` (None of a model that has none, see `_beta`) and the figures of `COLUMNS`.

    Raises:
        ValueError: A model has no evaluation with reconstructions and samples; the message gives the command that makes one.
    """
    rows = []
    for source, row in zip(map(Path, sources), results.collect(sources), strict=True):
        evaluation = row["evaluation"]
        if "bleu" not in evaluation or "forward_ratio" not in evaluation:
            raise ValueError(f"{source} was evaluated without reconstructions or samples: run `textae evaluate --model {source} --data NAME --card`")
        beta = _beta(results.find(source).parent)
        rows.append({"name": row["name"], "beta": beta, **{k: evaluation.get(k) for k in COLUMNS}})
    return sorted(rows, key=lambda row: (row["beta"] is None, row["beta"] or 0.0, row["name"]))


def _beta(folder: Path) -> float | None:
    """The weight at which the KL ends in the run's config; None without config or KL, or where a controller moves it."""
    from textae.core.controllers import Controller
    from textae.core.objectives.base import build_weight

    if not (folder / "run.yaml").is_file():
        return None
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
    """The rows in Markdown, with the figures that any has; a model without a β has its name there."""
    shown = [k for k in COLUMNS if any(row[k] is not None for row in rows)]
    head = ["β" if all(row["beta"] is not None for row in rows) else "model", *(HEAD[COLUMNS.index(k)] for k in shown)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---:|" * len(head)]
    for row in rows:
        figures = [NONE if row[k] is None else f"{row[k]:.2f}" if isinstance(row[k], float) else str(row[k]) for k in shown]
        lines.append("| " + " | ".join([_label(row).removeprefix("β="), *figures]) + " |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], out: Path, chosen: dict[str, Any] | None = None) -> None:
    """`plot`, written to a file."""
    plot(rows, chosen).savefig(out)


def plot(rows: list[dict[str, Any]], chosen: dict[str, Any] | None = None) -> Any:
    """BLEU of reconstructions against forward and reverse perplexity ratios of samples, one point a model.

    Models with a β are joined in its order; one without stands alone, under its name. Filled points are greedy samples, open ones such as
    take their words from p(x|z) as well, where these were measured.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2))
    axes = figure.subplots(1, 2, sharex=True)
    sweep, alone = [row for row in rows if row["beta"] is not None], [row for row in rows if row["beta"] is None]
    for axis, side in zip(axes, BARS, strict=True):
        greedy, drawn = f"{side}_ratio", f"drawn_{side}_ratio"
        for part, line, color, label in ((sweep, "o-", "tab:blue", "β sweep"), (alone, "s", "tab:green", "without a β" if sweep else "likeliest words")):
            if part:
                axis.plot([r["bleu"] for r in part], [r[greedy] for r in part], line, color=color, label=label)
            if open_ := [r for r in part if r[drawn] is not None]:
                label = f"{label}, words drawn" if sweep else "words drawn"
                axis.plot([r["bleu"] for r in open_], [r[drawn] for r in open_], line[0], color=color, fillstyle="none", label=label)
        for row in rows:
            axis.annotate(_label(row), (row["bleu"], row[greedy]), textcoords="offset points", xytext=(6, 5), fontsize=8)
        if chosen is not None:
            axis.plot(chosen["bleu"], chosen[greedy], "*", color="tab:red", markersize=14, label=f"bundled, {_label(chosen)}")
            axis.axhline(BARS[side], color="gray", linestyle=":", label=f"bar {BARS[side]}")
        axis.axhline(1.0, color="gray", linewidth=0.6, label="real text")
        ratios = [row[key] for row in rows for key in (greedy, drawn) if row[key] is not None]
        if max(ratios) > WIDE * min(ratios):
            axis.set_yscale("log")
        axis.set_xlabel("reconstruction BLEU-4 (more is better)")
        axis.set_ylabel(f"{side} perplexity / real text (less is better)")
        axis.set_title(f"{side} perplexity of prior samples")
        axis.legend(fontsize=8)
    figure.tight_layout()
    return figure
