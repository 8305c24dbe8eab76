"""What methods of editing trade over the strength k: accuracy, content and fluency, as one figure and one table."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from textae.edit_metrics import EditFigures

# what the table calls a figure: (its name, digits)
COLUMNS = {
    "ACC %": ("accuracy", 1),
    "self-BLEU": ("self_bleu", 1),
    "√(ACC·self-BLEU)": ("geometric_mean", 1),
    "ref. BLEU": ("reference_bleu", 1),
    "exact %": ("exact_match", 1),
    "PPL ×": ("ppl_ratio", 2),
    "content F1": ("content_overlap", 1),
    "unchanged %": ("unchanged", 1),
    "distinct-2": ("distinct_2", 3),
}
FLUENCY_BAR = 1.25  # perplexity of edits over that of their sources, at most


def measure(
    models: Sequence[str], sources: Sequence[str], attribute: str, value: str, *, methods: Sequence[str], strengths: Sequence[float], judges: Sequence[str],
    fluency: str, references: Sequence[str] | None = None, candidates: int = 24, seed: int = 0, device: str = "auto",
) -> "dict[str, dict[float, EditFigures]]":  # fmt: skip
    """Edits of the same sentences by several methods at several strengths, and their figures.

    Args:
        models: Bundled names, folders or Hub ids; with more than one, a method is called by the model's name and its own.
        sources: Sentences that lack the value.
        attribute, value: What they are to become.
        methods: Of `LatentSpace.edit`; "offset:1" is one with candidates of its own, here a single one.
        strengths: k.
        judges: Folders of judges of the attribute.
        fluency: The named data set whose training text the language model counts.
        references: What the edits should have become, in the order of the sources.
        candidates: Of each edit by a method that does not name its own.
        seed: Of the bootstrap.
        device: "auto" or a torch device.

    Returns:
        Figures by method and strength.

    Raises:
        ValueError: No models, methods, strengths, judges or data set; or what `edit` and `edit_figures` refuse.
    """
    from apps.catalog import open_space
    from apps.judging import fluency_model, open_judge
    from textae.edit_metrics import tradeoff

    if not (models and methods and strengths and judges and fluency):
        raise ValueError("a trade-off needs models, methods, strengths, judges (--judge FOLDER) and a language model (--fluency, a named data set)")
    parsed = {named: _own_candidates(named) for named in methods}
    spaces, lm = {named: open_space(named, device) for named in models}, fluency_model(fluency)
    asked = {Path(folder).name: open_judge(folder) for folder in judges}
    names = {model: _short(model) if [_short(m) for m in spaces].count(_short(model)) == 1 else model for model in spaces}
    curves = {}
    for (model, space), (named, (method, own)) in product(spaces.items(), parsed.items()):
        asked_for = {"method": method, "candidates": own or candidates, attribute: value}
        edits = {k: [e.text for e in space.edit(list(sources), strength=k, **asked_for)] for k in strengths}
        label = named if len(spaces) == 1 else f"{names[model]} {named}"
        curves[label] = tradeoff(sources, edits, value, asked, lm, references, seed=seed)
    return curves


def _short(model: str) -> str:
    """What a figure calls a model: its last folder, or the run's where that is `model`."""
    path = Path(model)
    return path.parent.name if path.name == "model" and path.parent.name else path.name


def _own_candidates(named: str) -> tuple[str, int]:
    """A method and the candidates that stand behind its colon; 0 where none do."""
    from textae.core.config import choose
    from textae.editing import METHODS

    method, colon, own = named.partition(":")
    if colon and not (own.isdecimal() and int(own)):
        raise ValueError(f"method {named!r}: behind the colon stands a number of candidates, 1 or more, as in offset:1")
    choose(dict.fromkeys(METHODS), method, "method of editing")  # before the first of them takes its minutes
    return method, int(own or 0)


def table(curves: "Mapping[str, Mapping[float, EditFigures]]") -> str:
    """The figures of `textae.edit_metrics.tradeoff` by method, in Markdown."""
    lines = ["| method | k | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (1 + len(COLUMNS))]
    for method, curve in curves.items():
        for strength, figures in curve.items():
            values = [(getattr(figures, name), digits) for name, digits in COLUMNS.values()]
            cells = ["–" if value is None else f"{value:.{digits}f}" for value, digits in values]
            lines.append(f"| {method} | {strength:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(curves: "Mapping[str, Mapping[float, EditFigures]]") -> "Figure":
    """Accuracy against self-BLEU, and perplexity ratio against accuracy: one line a method, one point a strength.

    Bars are the figures' 95 % intervals, where they have any.
    """
    from matplotlib.figure import Figure  # not pyplot, which keeps figures and picks a backend for the process

    figure = Figure(figsize=(10, 4.2))
    left, right = figure.subplots(1, 2)
    for axis, x, y in ((left, "self_bleu", "accuracy"), (right, "accuracy", "ppl_ratio")):
        for number, (method, curve) in enumerate(curves.items()):
            points, color = list(curve.values()), f"C{number}"
            xs, ys = [getattr(f, x) for f in points], [getattr(f, y) for f in points]
            axis.plot(xs, ys, "o-", color=color, label=method)
            bars = {"fmt": "none", "ecolor": color, "alpha": 0.35}
            axis.errorbar(xs, ys, xerr=_bars(points, x), yerr=_bars(points, y), **bars)
            for strength, at in zip(curve, zip(xs, ys, strict=True), strict=True):
                axis.annotate(f"k={strength:g}", at, textcoords="offset points", xytext=(6, 5), fontsize=8)
    right.axhline(FLUENCY_BAR, color="gray", linestyle=":", label=f"bar {FLUENCY_BAR}")
    right.axhline(1.0, color="gray", linewidth=0.6, label="sources")
    left.set_xlabel("self-BLEU to the source (more is better)")
    left.set_ylabel("accuracy by the judges, % (more is better)")
    left.set_title("attribute against content")
    right.set_xlabel("accuracy by the judges, % (more is better)")
    right.set_ylabel("perplexity / that of the sources (less is better)")
    right.set_title("attribute against fluency")
    for axis in (left, right):
        axis.legend(fontsize=8)
    figure.tight_layout()
    return figure


def draw(curves: "Mapping[str, Mapping[float, EditFigures]]", out: Path) -> None:
    """Write `plot` to a file, .svg, .png or .pdf, as a whole."""
    temporary = out.with_name(f".new.{out.name}")  # the ending names the format
    try:
        plot(curves).savefig(temporary)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _bars(points: "list[EditFigures]", name: str) -> list[list[float]] | None:
    """Distances from the figures to the ends of their intervals, below and above; None where one has no interval."""
    if not all(name in figures.intervals for figures in points):
        return None
    ends = [(getattr(figures, name), *figures.intervals[name]) for figures in points]
    # BLEU is no mean: the figure of all may lie outside the percentiles of draws, and a bar has no negative length
    return [[max(value - low, 0.0) for value, low, _ in ends], [max(high - value, 0.0) for value, _, high in ends]]
