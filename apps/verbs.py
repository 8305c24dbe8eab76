"""`textae encode`, `sample`, `edit` …: what a model of sentences does, a command for each verb, and what gets text ready for it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.arguments import (
    AsJson,
    Attributes,
    Beams,
    Column,
    Device,
    FromFile,
    Model,
    Out,
    Seed,
    Sentences,
    Sentiment,
    Tense,
)
from apps.text_io import emit, read_inputs, short

app = typer.Typer(rich_markup_mode=None)


@app.command()
def encode(
    sentences: Sentences = None,
    model: Model = "everyday",
    file: FromFile = None,
    column: Column = "text",
    sample: Annotated[bool, typer.Option("--sample", help="Draw from the posterior instead of its mean.")] = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .npz file (z, sentences), or text.")] = None,
) -> None:
    """Codes of sentences: as text, JSON, or a .npz file with arrays `z` and `sentences`."""
    from textae.core.space import seeded

    lines = read_inputs(sentences, file, column)
    space = _open(model, device)
    with seeded(seed):
        z = _in_parts(lambda part: space.encode(part, sample=sample), lines, "encode")
    rows = [{"sentence": s, "z": row.tolist()} for s, row in zip(lines, z, strict=True)]
    emit(rows, out, as_json, text=lambda row: "\t".join([row["sentence"], *(f"{v:.4f}" for v in row["z"])]), arrays={"z": z, "sentences": lines})


@app.command()
def reconstruct(
    sentences: Sentences = None,
    model: Model = "everyday",
    file: FromFile = None,
    column: Column = "text",
    beams: Beams = 1,
    score: Annotated[bool, typer.Option("--score", help="Add NLL and KL of each sentence.")] = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Encode and decode: what the model keeps of each sentence."""
    lines = read_inputs(sentences, file, column)
    space = _open(model, device)
    rebuilt = _in_parts(lambda part: space.reconstruct(part, num_beams=beams), lines, "reconstruct")
    rows: list[dict[str, Any]] = [{"sentence": s, "reconstruction": r} for s, r in zip(lines, rebuilt, strict=True)]
    if score:
        scores = _in_parts(lambda part: space.score(part, seed=seed), lines, "score")
        rows = [{**row, "nll": said.nll, "kl": said.kl, "count": said.count} for row, said in zip(rows, scores, strict=True)]
        emit(rows, out, as_json, text=lambda r: f"{r['reconstruction']}\tnll {r['nll']:.2f}\tkl {r['kl']:.2f}")
    else:
        emit(rows, out, as_json, text=lambda r: r["reconstruction"])


@app.command()
def sample(
    num: Annotated[int, typer.Option("--num", "-n", min=1, max=10_000_000, help="How many.")] = 5,
    model: Model = "everyday",
    spread: Annotated[float, typer.Option(min=0.0, max=10.0, help="Scale of the prior's noise; below 1 is more typical.")] = 1.0,
    beams: Beams = 1,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Nucleus sampling of words; 0 is greedy.")] = 0.0,
    temperature: Annotated[float, typer.Option(min=0.01, max=10.0, help="Of sampled words, with --top-p.")] = 1.0,
    tense: Tense = "",
    sentiment: Sentiment = "",
    attribute: Attributes = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Sentences drawn from the prior, with the attributes that are asked for."""
    space = _open(model, device)
    words = {"do_sample": True, "top_p": top_p, "temperature": temperature} if top_p else {"num_beams": beams}
    drawn = space.sample(num, spread=spread, seed=seed, attributes=_targets(tense, sentiment, attribute), **words)
    emit([{"sentence": s} for s in drawn], out, as_json, text=lambda row: row["sentence"])


@app.command()
def edit(
    sentences: Sentences = None,
    model: Model = "everyday",
    file: FromFile = None,
    column: Column = "text",
    tense: Tense = "",
    sentiment: Sentiment = "",
    attribute: Attributes = None,
    method: Annotated[str, typer.Option(help="auto, condition, offset, probe, gradient or ode.")] = "auto",
    strength: Annotated[float, typer.Option(help="How far; 1 is one step as the method counts it.")] = 1.0,
    candidates: Annotated[int, typer.Option(min=1, help="From which the best is chosen; 1 is the quickest.")] = 24,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Give sentences another tense or sentiment and keep the rest: textae edit "I am happy." --tense past."""
    from dataclasses import asdict

    targets = {k: _number_or_name(v) for k, v in _targets(tense, sentiment, attribute).items()}
    lines = read_inputs(sentences, file, column)
    space = _open(model, device)
    if unknown := [name for name in targets if name not in space.attributes]:
        from textae.core.config import nearest

        raise ValueError(f"{model} knows no attribute {unknown[0]!r}: {nearest(unknown[0], space.attributes) if space.attributes else 'it was trained with none'}")
    found = _in_parts(lambda part: space.edit(part, method=method, strength=strength, candidates=candidates, **targets), lines, "edit", 256)
    emit([asdict(e) for e in found], out, as_json, text=lambda row: row["text"] + (f"\t({row['reason']})" if row["reason"] else ""))


@app.command()
def interpolate(
    sentences: Annotated[list[str] | None, typer.Argument(help="Two sentences; else the first two lines of --file or standard input.")] = None,
    model: Model = "everyday",
    file: FromFile = None,
    column: Column = "text",
    steps: Annotated[int, typer.Option(min=2, max=10_000, help="Points on the path, both ends included.")] = 7,
    path: Annotated[str, typer.Option(help="lerp (a straight line) or slerp (an arc).")] = "lerp",
    beams: Beams = 1,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Sentences on the path between two."""
    lines = read_inputs(sentences, file, column)
    if len(lines) != 2:
        raise ValueError(f"interpolate goes between two sentences; got {len(lines)}")
    found = _open(model, device).interpolate(*lines, steps=steps, path=path, num_beams=beams)
    rows = [{"t": i / (steps - 1), "sentence": s} for i, s in enumerate(found)]
    emit(rows, out, as_json, text=lambda row: row["sentence"])


@app.command()
def label(
    file: Annotated[Path, typer.Argument(help="Sentences: .txt .csv .tsv .jsonl .parquet, or .gz of them; its columns are kept.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The labelled file: .jsonl, .tsv or .csv.")],
    attributes: Annotated[str, typer.Option(help="What to label, with commas between.")] = "tense,sentiment",
    column: Column = "text",
) -> None:
    """Add tense and sentiment to the sentences of a file: textae label FILE --attributes tense -o OUT.tsv."""
    from apps.labeling import label as write
    from apps.labeling import summary

    names = [name.strip() for name in attributes.split(",") if name.strip()]
    typer.echo(summary(write(file, names, out, column)), err=True)


@app.command()
def attributes(
    names: Annotated[list[str], typer.Argument(help="Such as tense and sentiment: columns of the data, or what `textae label` knows.")],
    model: Annotated[str, typer.Option("--model", "-m", help="The folder of a model of your own.")],
    data: Annotated[str, typer.Option(help="A named data set: its splits train and valid.")],
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Fit what edits need beside a model: readers of sentences, and attributes of its codes."""
    from apps.attributes import fit_attributes

    emit(fit_attributes(model, data, names, seed=seed, device=device), None, as_json, text=lambda row: "  ".join(f"{k} {short(v)}" for k, v in row.items()))


def _open(model: str, device: str):
    from apps.catalog import open_space

    return open_space(model, device)


def _targets(tense: str, sentiment: str, attribute: list[str] | None) -> dict[str, str]:
    """The attributes that options name."""
    found = {name: value for name, value in (("tense", tense), ("sentiment", sentiment)) if value}
    for word in attribute or []:
        name, equals, value = word.partition("=")
        if not (equals and name and value):
            raise ValueError(f"--attribute {word!r} must look like tense=past")
        found[name] = value
    return found


def _number_or_name(value: str) -> str | float:
    try:
        return float(value)
    except ValueError:
        return value


def _in_parts(work: Callable, lines: list[str], verb: str, size: int = 2048) -> Any:
    """Do long lists in parts with a progress bar; results stay in order."""
    import torch
    from tqdm import tqdm

    if len(lines) <= size:
        return work(lines)
    parts = [
        work(lines[i : i + size])
        for i in tqdm(range(0, len(lines), size), desc=verb, unit_scale=size, unit="sentence", disable=not sys.stderr.isatty())
    ]
    return torch.cat(parts) if isinstance(parts[0], torch.Tensor) else [x for part in parts for x in part]
