"""All figures of a model on a list of sentences, or of several models side by side, and the way they reach a card."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.run import with_use
from textae.core.card import provenance, read_figures, write_figures
from textae.core.config import check_keys, read_config

OF_DATA = ("samples", "drawn", "lm")  # measures of sentences that need a data set's training text


def evaluate(source: str, examples: list[Any] | None = None, **options: Any) -> dict[str, Any]:
    """The figures of `measure`, without each sentence's own. Arguments as there."""
    return measure(source, examples, **options).figures


def measure(
    source: str, examples: list[Any] | None = None, *, data: str = "", split: str = "valid", on: str = "given examples", samples: int = 100,
    num_samples: int = 10_000, seed: int = 0, bf16: bool = False, device: str = "auto", limit: int = 0, only: Sequence[str] = (), lm: str = "",
) -> Any:  # fmt: skip
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
        only: Of sentences: names of measures, those of `LatentSpace.MEASURES`, "samples", "drawn" and "lm"; empty: all.
        lm: With `data`: a run of the model `lm`, which judges the samples too (two more such models are trained for it).

    Returns:
        A `textae.core.evaluation.Evaluation`.

    Raises:
        ValueError: An unknown measure, or one that cannot be taken of this model, data or options.
    """
    from apps.catalog import modality_of, open_space
    from apps.modalities import text

    kind, rows = modality_of(source), None
    of_text = kind is text
    check_measures(only, of_text, data, num_samples, lm)
    if lm:
        check_lm(lm, device)
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
    started, progress = time.perf_counter(), sys.stderr.isatty()
    options = {"samples": samples, "seed": seed, "attributes": rows, "bf16": bf16, "progress": progress}
    if of_text:
        names = list(only or [*space.MEASURES, *OF_DATA])
        of_space = [name for name in names if name in space.MEASURES and not (data and name == "interpolation")]
        found = space.measure(examples, only=of_space, **options) if of_space else _nothing(len(examples))
        if data:
            found.figures |= of_data(space, data, judged, examples, names, num_samples, seed, lm, device)
    else:
        from textae.core.evaluation import Evaluation

        found = Evaluation(space.evaluate(examples, **options))
        if data:
            found.figures |= kind.judge(space, data, judged, num_samples, seed)
    ending = {"precision": "bf16" if bf16 else "fp32", **provenance(seed), "minutes": round((time.perf_counter() - started) / 60, 1)}
    found.figures = {"on": on, **found.figures, **ending}
    return found


def check_measures(only: Sequence[str], of_text: bool, data: str, num_samples: int, lm: str) -> None:
    """Refuse measures that cannot be taken, before any is.

    Raises:
        ValueError: With the reason.
    """
    from textae.evaluation import MEASURES

    if not of_text and (only or lm):
        raise ValueError("measures are chosen by name, and judged by a language model, for sentences alone: leave out --only and --lm")
    check_keys(only, [*MEASURES, *OF_DATA], "--only")
    asked = [name for name in OF_DATA if name in only] + (["lm"] if lm else [])
    if asked and not data:
        raise ValueError(f"the measure {asked[0]!r} needs the training text of a data set: give --data")
    if asked and not num_samples:
        raise ValueError(f"the measure {asked[0]!r} judges prior samples, and none are to be drawn: give --generate")
    if lm and only and not {"lm", "interpolation"} & set(only):
        raise ValueError(f"--lm {lm} judges the measures 'lm' and 'interpolation', and --only has neither: add one, or leave --lm out")
    if "lm" in only and not lm:
        raise ValueError("the measure 'lm' needs a language model to judge by: give --lm, the folder of a run of text/ptb_lstm_lm or its like")


def check_lm(lm: str, device: str) -> None:
    """Refuse a judge that is no language model, or of which no like can be trained.

    Raises:
        ValueError: With the reason.
    """
    from apps.fluency import open_lm

    if not (open_lm(lm, device).folder / "run.yaml").is_file():
        raise ValueError(f"{lm!r} has no run.yaml, so no model of samples can be trained as it was: give the folder of a run of text/ptb_lstm_lm or its like")


def check_card(folder: Path) -> None:
    """Refuse a folder whose card cannot be written.

    Raises:
        ValueError: It is not the model of a run: its card would lose what only the run's config says.
    """
    if not (folder / "run.yaml").is_file():
        raise ValueError(f"{str(folder)!r} has no run.yaml, so its card cannot be written anew; leave out --card")


def of_data(
    space: Any, data: str, judged: list[str], examples: list[str], names: Sequence[str], num_samples: int, seed: int, lm: str, device: str
) -> dict[str, Any]:
    """Figures of sentences that need the training text of a data set: of prior samples, and of what lies between sentences."""
    from apps.fluency import lm_quality, nats_per_word, open_lm
    from apps.modalities import text
    from textae.evaluation import walk
    from textae.interpolation_metrics import smoothness
    from textae.ngram import TrigramLM, vocabulary_of, words

    figures: dict[str, Any] = {}
    if "samples" in names and not text.draws_words(space):
        figures |= text.judge(space, data, judged, num_samples, seed)
    if "drawn" in names or ("samples" in names and text.draws_words(space)):
        figures |= text.judge(space, data, judged, num_samples, seed, drawn=True)
    if "lm" in names and lm:
        train, best = text.read_split(data, "train")[0], {}
        ways = [False] if text.draws_words(space) or "drawn" not in names else [True] if "samples" not in names else [False, True]
        for drawn in ways:
            said = space.sample(num_samples, seed=seed, **({"do_sample": True} if drawn else {}))
            found = lm_quality(said, train, judged, lm, seed=seed, device=device, best=best)
            figures |= {f"drawn_{k}": v for k, v in found.items() if k != "lm" and not k.endswith("_real")} | {"lm": lm} if drawn else found
    if "interpolation" in names and len(examples) > 1:
        train = text.read_split(data, "train")[0]
        counted = TrigramLM.fit(train, vocabulary=vocabulary_of(train, min_count=2))
        paths = walk(space, examples, seed)
        figures |= smoothness(paths, lambda sentences: [-counted.log_prob(s) / (len(words(s)) + 1) for s in sentences])
        if lm:
            reader = open_lm(lm, device)
            read = smoothness(paths, lambda sentences: nats_per_word(reader, sentences))
            figures |= {f"lm_{key}": read[key] for key in ("path_nats", "path_nats_ratio")}
    return figures


def _nothing(num: int) -> Any:
    """An evaluation in which no measure of the list itself was asked for."""
    import torch

    from textae.core.evaluation import Evaluation

    return Evaluation({"num_examples": num}, {"count": torch.zeros(num)})


def compare(sources: Sequence[str], examples: list[Any] | None = None, *, resamples: int = 1000, **options: Any) -> list[dict[str, Any]]:
    """Models side by side on the same examples: the rows of `textae.comparison.compare`, which `textae.comparison.table` prints.

    Args:
        sources: At least two models of one modality; differences are to the first.
        examples: As in `measure`.
        resamples: Of the bootstrap.
        **options: Of `measure`.

    Raises:
        ValueError: Fewer than two models, one twice, or models of sentences beside models of images.
    """
    from apps.catalog import modality_of
    from apps.modalities import text
    from textae.comparison import compare as side_by_side

    if len(sources) < 2 or len(set(sources)) < len(sources):
        raise ValueError(f"compare two or more different models; got {', '.join(sources) or 'none'}")
    if any(modality_of(source) is not text for source in sources):
        raise ValueError("only models of sentences can be compared: their figures are sums over sentences, each of which is kept")
    found = {source: measure(source, examples, **options) for source in sources}
    provenance_of = ("samples", "seed", "minutes", "num_samples")
    return [row for row in side_by_side(found, resamples=resamples) if row["figure"] not in provenance_of]


def show(figures: Mapping[str, Any]) -> str:
    """Figures as lines of text; of lists the ends, and how many numbers there are."""
    return "\n".join(f"{key:24} {_short(value)}" for key, value in figures.items())


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], list):  # a curve
        return "  ".join(f"{point}: {_short(number)}" for point, number in value)
    if isinstance(value, list):
        words = [_short(number) for number in value]
        return " ".join(words) if len(words) <= 8 else f"{' '.join(words[:3])} ... {words[-1]} ({len(words)} numbers, {sum(value):.4f} in all)"
    if value is None:
        return "none: this model has no such figure"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def write_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation on the card of a checkpoint.

    Raises:
        ValueError: The folder is not the model of a run: its card would lose what only the run's config says.
    """
    check_card(folder)
    write_figures(folder, with_use(read_config(folder / "run.yaml")), {**read_figures(folder), "evaluation": dict(evaluation)})
