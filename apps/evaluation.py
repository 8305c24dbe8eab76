"""All figures of a model on a list of sentences, and the way they reach its card."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.run import with_use
from textae.core.card import provenance, read_figures, write_figures
from textae.core.config import read_config


def evaluate(
    source: str, examples: list[Any] | None = None, *, data: str = "", split: str = "valid", on: str = "given examples", samples: int = 100,
    num_samples: int = 10_000, seed: int = 0, bf16: bool = False, device: str = "auto", limit: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Likelihood, latent and reconstruction figures; on a named data set also those that need its training split or labels.

    Args:
        source: Bundled name, folder or Hub id.
        examples: What is measured; None takes `split` of `data`.
        data: A named data set of the model's modality.
        split: Of `data`.
        on: What the card calls `examples`.
        samples: Importance-weighted draws for each example.
        num_samples: With `data`, prior samples of sentences to judge with a trigram model; 0 for none.
        seed: Of all draws.
        bf16: Bounds in bfloat16.
        device: "auto" or a torch device.
        limit: Measure the first so many examples alone; 0 for all.
    """
    from apps.catalog import modality_of, open_space

    kind, rows = modality_of(source), None
    if examples is None:
        examples, rows, on = kind.read_split(data, split)
    space = open_space(source, device)
    judged, examples = examples, examples[:limit] if limit else examples
    rows, on = rows[: len(examples)] if rows else rows, f"{on}, the first {len(examples):,}" if len(examples) < len(judged) else on
    if data:
        examples, rows, how = kind.as_trained(space, examples, rows, seed)
        on += how
    told = space.model.config.decoder_attributes  # a conditioned model is told what the data set knows
    rows = [{k: row[k] for k in told if k in row} for row in rows] if rows is not None and told else None
    started = time.perf_counter()
    figures = {"on": on, **space.evaluate(examples, samples=samples, seed=seed, attributes=rows, bf16=bf16, progress=sys.stderr.isatty())}
    if data:
        figures.update(kind.judge(space, data, judged, num_samples, seed))
    figures |= {"precision": "bf16" if bf16 else "fp32", **provenance(seed)}
    return {**figures, "minutes": round((time.perf_counter() - started) / 60, 1)}


def write_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation on the card of a checkpoint.

    Raises:
        ValueError: The folder is not the model of a run: its card would lose what only the run's config says.
    """
    if not (folder / "run.yaml").is_file():
        raise ValueError(f"{str(folder)!r} has no run.yaml, so its card cannot be written anew; leave out --card")
    write_figures(folder, with_use(read_config(folder / "run.yaml")), {**read_figures(folder), "evaluation": dict(evaluation)})
