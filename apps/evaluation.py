"""All figures of a model on a list of sentences, and the way they reach its card."""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textae.core.card import provenance, read_figures, write_figures
from textae.core.config import read_config


def evaluate(
    source: str, sentences: list[str], *, on: str, train_sentences: list[str] | None = None, samples: int = 100, num_samples: int = 10_000,
    seed: int = 0, bf16: bool = False, device: str = "auto",
) -> dict[str, Any]:  # fmt: skip
    """Likelihood, latent and reconstruction figures; with training text also the quality of prior samples.

    Args:
        source: Bundled name, folder or Hub id.
        sentences: What is measured.
        on: Their name, for the card.
        train_sentences: Training text of the judge of samples; None leaves samples out.
        samples: Importance-weighted draws for each sentence.
        num_samples: Prior samples to judge.
        seed: Of all draws.
        bf16: Bounds in bfloat16.
        device: "auto" or a torch device.
    """
    from apps.catalog import open_space
    from textae.metrics import sample_quality

    space = open_space(source, device)
    started = time.perf_counter()
    figures = {"on": on, **space.evaluate(sentences, samples=samples, seed=seed, bf16=bf16, progress=sys.stderr.isatty())}
    if train_sentences is not None:
        drawn = space.sample(num_samples, seed=seed)
        figures.update(asdict(sample_quality(drawn, train_sentences, sentences, seed=seed, size=num_samples)))
    figures |= {"precision": "bf16" if bf16 else "fp32", **provenance(seed)}
    return {**figures, "minutes": round((time.perf_counter() - started) / 60, 1)}


def write_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation on the card of a checkpoint.

    Raises:
        ValueError: The folder is not the model of a run: its card would lose what only the run's config says.
    """
    if not (folder / "run.yaml").is_file():
        raise ValueError(f"{str(folder)!r} has no run.yaml, so its card cannot be written anew; leave out --card")
    write_figures(folder, read_config(folder / "run.yaml"), {**read_figures(folder), "evaluation": dict(evaluation)})
