"""A trained language model as the judge of samples: what it says of them, and what its like learns from them.

The trigram model of `textae.metrics` counts; this one is a run of `textae train` with the model `lm`, and reads whole sentences.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textae.core.config import read_config
from textae.core.files import write_text

HELD_OUT = 20  # every so many-th sentence tells a reverse model when to stop


def open_lm(source: str, device: str = "auto") -> Any:
    """The `LatentSpace` of a language model.

    Raises:
        ValueError: There is no such model, or it is of another kind.
    """
    from apps.catalog import open_space

    space = open_space(source, device)
    if (kind := space.model.config.model_type) != "textae_lm":
        raise ValueError(f"{source!r} is a model of type {kind!r}; the judge of samples is a language model: textae train --config text/ptb_lstm_lm")
    return space


def readable(space: Any, sentences: Sequence[str]) -> list[str]:
    """The sentences that a model can be asked about: not empty, and not longer than it takes."""
    said = [" ".join(sentence.split()) for sentence in sentences]
    said = [sentence for sentence in said if sentence]
    if not said:
        return []
    ids = space.processor.tokenizer(said, add_special_tokens=False)["input_ids"]
    return [sentence for sentence, tokens in zip(said, ids, strict=True) if 0 < len(tokens) <= space.processor.max_length]


def nats(space: Any, sentences: Sequence[str]) -> list[float]:
    """-log p of each sentence with its end."""
    return space.measure(sentences, only=["reconstruction"]).columns["reconstruction"].tolist()


def nats_per_word(space: Any, sentences: Sequence[str]) -> list[float]:
    """-log p of each sentence per word and end mark; of an empty one its end alone, of one too long for the model its beginning."""
    import torch

    from textae.metrics import count_words

    tokenizer, longest, found = space.processor.tokenizer, space.processor.max_length, []
    read = [ids[:longest] for ids in tokenizer([" ".join(s.split()) for s in sentences], add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        for start in range(0, len(read), space.batch_size):
            part = read[start : start + space.batch_size]
            lengths = torch.tensor([len(ids) for ids in part])
            padded = torch.zeros(len(part), max(int(lengths.max()), 1), dtype=torch.long)
            for row, ids in zip(padded, part, strict=True):
                row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
            batch = {name: tensor.to(space.device) for name, tensor in space.processor.collate(padded, lengths).items()}
            found += space.model.nll(space.model.encode(**batch).mean, **batch)[0].tolist()
    return [cost / (count_words(sentence) + 1) for cost, sentence in zip(found, sentences, strict=True)]


def ppl(space: Any, sentences: Sequence[str]) -> float:
    """Perplexity per word and end, words being separated by blanks."""
    from textae.metrics import count_words, perplexity

    return perplexity(sum(nats(space, sentences)), sum(map(count_words, sentences)), len(sentences))


def lm_quality(
    samples: Sequence[str], train: Sequence[str], valid: Sequence[str], source: str, *, seed: int = 0, device: str = "auto",
    best: dict[int, float] | None = None,
) -> dict[str, Any]:
    """Forward and reverse perplexity of samples by a language model of real text and by its like, trained on samples.

    Args:
        samples: Of a model.
        train: Real text that `source` was trained on: as many of its sentences as there are samples train a second such model, for
            what the reverse perplexity would be at best.
        valid: Real text that no model saw.
        source: A run of the model `lm`, with its `run.yaml`.
        seed: Of the choice.
        device: For `source`.
        best: What `lm_reverse_ppl_real` was by the number of sentences; what is found is added, and known it is not trained for again.

    Returns:
        `lm_forward_ppl` of samples, `lm_forward_ppl_real` of `valid`, their `lm_forward_ratio`; `lm_reverse_ppl` of `valid` under
        a model of the samples, `lm_reverse_ppl_real` under one of real sentences, their `lm_reverse_ratio`; `lm_samples`, and
        `lm_skipped`, the share of samples that are empty or too long.

    Raises:
        ValueError: `source` is no language model or has no config, or fewer than 2 · 20 samples can be used.
    """
    from textae.metrics import draw

    judge = open_lm(source, device)
    used, real = readable(judge, samples), readable(judge, valid)
    if len(used) < 2 * HELD_OUT:
        raise ValueError(f"{len(used)} of {len(samples)} samples can be used; a language model of them needs at least {2 * HELD_OUT}")
    known = readable(judge, draw(train, len(used), seed))
    figures: dict[str, Any] = {"lm": source, "lm_samples": len(used), "lm_skipped": 1 - len(used) / len(samples)}
    figures["lm_forward_ppl"], figures["lm_forward_ppl_real"] = ppl(judge, used), ppl(judge, real)
    figures["lm_forward_ratio"] = figures["lm_forward_ppl"] / figures["lm_forward_ppl_real"]
    best = {} if best is None else best
    if len(known) in best:
        figures["lm_reverse_ppl_real"] = best[len(known)]
    for key, text in (("lm_reverse_ppl", used), ("lm_reverse_ppl_real", known)):
        if key in figures:
            continue
        with tempfile.TemporaryDirectory() as folder:
            figures[key] = ppl(open_lm(str(train_like(judge.folder, text, Path(folder))), device), real)
    best[len(known)] = figures["lm_reverse_ppl_real"]
    figures["lm_reverse_ratio"] = figures["lm_reverse_ppl"] / figures["lm_reverse_ppl_real"]
    return figures


def train_like(lm: Path, sentences: Sequence[str], folder: Path) -> Path:
    """Train a fresh model as `lm` was, on other sentences with its tokenizer; returns its folder.

    Every 20th sentence is held out, and tells which of its epochs was the best.

    Raises:
        ValueError: `lm` has no `run.yaml` that says how.
    """
    from apps.run import train

    if not (lm / "run.yaml").is_file():
        raise ValueError(f"{str(lm)!r} has no run.yaml, so no model of samples can be trained as it was")
    run = read_config(lm / "run.yaml")
    for name, lines in (("train", [s for i, s in enumerate(sentences) if i % HELD_OUT]), ("valid", sentences[::HELD_OUT])):
        write_text(folder / f"{name}.txt", "".join(f"{line}\n" for line in lines))
    kept = {key: run["data"][key] for key in ("batch_size", "max_tokens") if key in run["data"]}
    config = {
        "model": run["model"], "objective": run["objective"], "tokenizer": {"path": str(lm)}, "out": str(folder / "run"),
        "data": {**kept, "name": "files", "train": str(folder / "train.txt"), "valid": str(folder / "valid.txt")},
        "trainer": {**run.get("trainer", {}), "select": "best", "progress": False, "log_with": []},
    }  # fmt: skip
    return train(config)
