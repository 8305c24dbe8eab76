"""Models side by side on the same sentences, with paired bootstrap intervals; reads the columns of evaluations, asks no model.

Source: Efron & Tibshirani 1993, ch. 13 (percentile intervals); Koehn 2004 (paired, for corpus BLEU).

Shapes: N sentences, R resamples, S statistics that a figure is made of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textae.core.evaluation import Evaluation
from textae.metrics import bleu_of_statistics


@dataclass(frozen=True)
class Statistic:
    """A figure as a function of sums over sentences.

    Attributes:
        columns: Of an `Evaluation`, all of which must be there.
        of: Their sums in that order, each of shape (R,) or (R, S), and N, to the figure, shape (R,).
    """

    columns: tuple[str, ...]
    of: Callable[..., Tensor]


def _mean(column: str) -> Statistic:
    return Statistic((column,), lambda total, n: total / n)


def _perplexity(column: str, size: str, ends: bool) -> Statistic:
    return Statistic((column, size), lambda nats, length, n: torch.exp(nats / (length + (n if ends else 0))))


def _percent(part: str, whole: str) -> Statistic:
    return Statistic((part, whole), lambda hits, total, n: 100 * hits / total)


STATISTICS: dict[str, Statistic] = {
    "nll": _mean("nll"),
    "ppl": _perplexity("nll", "words", ends=True),
    "ppl_per_token": _perplexity("nll", "count", ends=False),
    "elbo_nll": _mean("elbo_nll"),
    "elbo_ppl": _perplexity("elbo_nll", "words", ends=True),
    "elbo_ppl_per_token": _perplexity("elbo_nll", "count", ends=False),
    "kl": _mean("kl"),
    "reconstruction_at_mean": _mean("reconstruction"),
    "bleu": Statistic(("bleu",), lambda counts, n: bleu_of_statistics(counts)),
    "exact_match": Statistic(("exact",), lambda hits, n: 100 * hits / n),
    "token_accuracy": _percent("token_hits", "tokens"),
}


def compare(evaluations: Mapping[str, Evaluation], *, resamples: int = 1000, level: float = 0.95, seed: int = 0) -> list[dict[str, Any]]:
    """Every figure that a model has, with intervals for those that are sums over sentences.

    The same resamples of the sentences serve all models, so that a difference's interval is narrower than those of its two
    sides where they find the same sentences hard.

    Args:
        evaluations: By model; all of the same list of sentences. Differences are to the first.
        resamples: R.
        level: Share of resamples that an interval holds.
        seed: Of the resamples.

    Returns:
        One row for each figure: `figure`; `values`, by model, `{"value"}` with `low` and `high` where there is an interval;
        `differences`, by model but the first, the same of its value minus the first's.

    Raises:
        ValueError: Fewer than two models, lists of different lengths, no resamples, or a level outside of 0 to 1.
    """
    if len(evaluations) < 2:
        raise ValueError(f"a comparison needs at least two models; got {len(evaluations)}")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples is {resamples} and level {level}; at least 1, and a share between 0 and 1")
    sizes = {name: len(found.columns["count"]) for name, found in evaluations.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the models were measured on lists of different lengths: {', '.join(f'{k} {v}' for k, v in sizes.items())}")
    first = next(iter(evaluations))
    drawn = {name: _resampled(found, resamples, seed) for name, found in evaluations.items()}
    rows = []
    for figure in dict.fromkeys(key for found in evaluations.values() for key in found.figures):
        values = {name: found.figures.get(figure) for name, found in evaluations.items()}
        values = {name: value for name, value in values.items() if isinstance(value, int | float)}
        if not values:
            continue
        row: dict[str, Any] = {"figure": figure, "values": {}, "differences": {}}
        for name, value in values.items():
            row["values"][name] = {"value": value, **_interval(drawn[name].get(figure), level)}
            if name != first and first in values:
                both = figure in drawn[name] and figure in drawn[first]
                difference = drawn[name][figure] - drawn[first][figure] if both else None
                row["differences"][name] = {"value": value - values[first], **_interval(difference, level)}
        rows.append(row)
    return rows


def _resampled(found: Evaluation, resamples: int, seed: int) -> dict[str, Tensor]:
    """Each figure on R resamples of the sentences, shape (R,), by name."""
    known = {name: s for name, s in STATISTICS.items() if name in found.figures and all(c in found.columns for c in s.columns)}
    columns = {c: found.columns[c].double().reshape(len(found.columns[c]), -1) for s in known.values() for c in s.columns}
    n, widths = len(found.columns["count"]), [c.shape[1] for c in columns.values()]
    if not columns:
        return {}
    matrix, generator = torch.cat(list(columns.values()), 1), torch.Generator().manual_seed(seed)
    sums = []
    for _ in range(resamples):
        times = torch.bincount(torch.randint(n, (n,), generator=generator), minlength=n).double()
        sums.append(times @ matrix)
    parts = dict(zip(columns, torch.stack(sums).split(widths, 1), strict=True))
    total = {name: part[:, 0] if part.shape[1] == 1 else part for name, part in parts.items()}
    return {name: s.of(*(total[c] for c in s.columns), n) for name, s in known.items()}


def _interval(drawn: Tensor | None, level: float) -> dict[str, float]:
    if drawn is None:
        return {}
    edges = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=drawn.dtype)
    low, high = torch.quantile(drawn, edges).tolist()
    return {"low": low, "high": high}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text: each model's value, and under it what separates it from the first, with intervals; last, what to mind."""
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))
    lines = [["", *names]]
    for row in rows:
        lines.append([row["figure"], *(_words(row["values"].get(name)) for name in names)])
        differences = [_words(row["differences"].get(name), signed=True) for name in names]
        if any("[" in cell for cell in differences):
            lines.append(["  difference", *differences])
    widths = [max(len(line[i]) for line in lines) for i in range(len(names) + 1)]
    text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    notes = ["Intervals are of a bootstrap over the sentences; figures without one are no sums over them."]
    unknown = next((row["values"] for row in rows if row["figure"] == "unknown_tokens"), {})
    if len({cell["value"] for cell in unknown.values()}) > 1:
        notes.append("The models read different shares of the text as <unk>, each of which is cheap: nats and perplexities do not compare.")
    return "\n".join([text, "", *notes])


def _words(cell: Mapping[str, float] | None, signed: bool = False) -> str:
    if cell is None:
        return ""
    number = "{:+.3f}" if signed else "{:.3f}" if isinstance(cell["value"], float) else "{:,}"
    interval = f" [{number.format(cell['low'])}, {number.format(cell['high'])}]" if "low" in cell else ""
    return number.format(cell["value"]) + interval
