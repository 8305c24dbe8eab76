"""`textae frontier`: what several models trade, reconstruction against samples, as one figure and one table."""

from pathlib import Path
from typing import Any

from textae.core.card import read_figures
from textae.core.config import read_config

COLUMNS = ("kl_standard", "nll", "bleu", "exact_match", "forward_ratio", "reverse_ratio", "mi", "active_units")


def collect(folders: list[Path]) -> list[dict[str, Any]]:
    """One row for each evaluated model, ordered by the weight of its KL.

    Raises:
        ValueError: A folder has no evaluation yet; the message gives the command that makes one.
    """
    rows = []
    for folder in folders:
        folder = folder / "model" if (folder / "model").is_dir() else folder
        evaluation = read_figures(folder).get("evaluation", {})
        if "bleu" not in evaluation or "forward_ratio" not in evaluation:
            raise ValueError(f"{folder} is not evaluated: run `textae evaluate --model {folder} --data NAME --card` first")
        rows.append({"model": str(folder), "beta": _beta(folder), **{k: evaluation.get(k) for k in COLUMNS}})
    return sorted(rows, key=lambda row: row["beta"])


def _beta(folder: Path) -> float:
    """The last value of the KL's weight in the run's config."""
    weight = read_config(folder / "run.yaml")["objective"].get("kl") or {}
    weight = weight.get("weight", 1.0) if isinstance(weight, dict) else weight
    return float(weight.get("end", 1.0)) if isinstance(weight, dict) else float(weight)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    head = ["β", "KL", "NLL", "BLEU", "exact %", "forward ×", "reverse ×", "MI", "AU"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---:|" * len(head)]
    for row in rows:
        values = [f"{row['beta']:g}", *(f"{row[k]:.2f}" if isinstance(row[k], float) else str(row[k]) for k in COLUMNS)]
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], out: Path, chosen: dict[str, Any] | None = None) -> None:
    """BLEU of reconstructions against forward and reverse perplexity ratios of samples, one point a model."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True)
    for axis, key, bar in zip(axes, ("forward_ratio", "reverse_ratio"), (1.2, 2.5), strict=True):
        axis.plot([r["bleu"] for r in rows], [r[key] for r in rows], "o-", color="tab:blue", label="β sweep")
        for row in rows:
            axis.annotate(f"β={row['beta']:g}", (row["bleu"], row[key]), textcoords="offset points", xytext=(6, 5), fontsize=8)
        if chosen is not None:
            axis.plot(chosen["bleu"], chosen[key], "*", color="tab:red", markersize=14, label=f"bundled, β={chosen['beta']:g}")
        axis.axhline(bar, color="gray", linestyle=":", label=f"bar {bar}")
        axis.axhline(1.0, color="gray", linewidth=0.6, label="real text")
        axis.set_xlabel("reconstruction BLEU-4 (more is better)")
        axis.set_ylabel(f"{key.split('_')[0]} perplexity / real text (less is better)")
        axis.set_title(f"{key.split('_')[0]} perplexity of prior samples")
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out)
    plt.close(figure)
