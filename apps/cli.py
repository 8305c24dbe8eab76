"""The `textae` command. Heavy imports live inside the commands, so that `--help` answers at once."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.images.cli import app as image_app
from apps.judging import app as judge_app
from apps.text_io import emit, read_inputs

# Read by oneDNN when torch is loaded. Sentences of all lengths fill its cache of 1,024 kernels, megabytes each; 128 cost no time.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

app = typer.Typer(
    name="textae",
    help="Sentence autoencoders: train them, measure them, walk through their latent space.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
configs_app = typer.Typer(help="The bundled configs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(configs_app, name="configs")
app.add_typer(image_app, name="image")
app.add_typer(judge_app, name="judge")

Model = Annotated[str, typer.Option("--model", "-m", help="Bundled name, folder or Hub id.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Sentences = Annotated[list[str] | None, typer.Argument(help="Sentences; else --file, else standard input, one a line.")]
FromFile = Annotated[Path | None, typer.Option("--file", "-f", help="Read sentences from a file: .txt .csv .tsv .jsonl .parquet, or .gz of them.")]
Column = Annotated[str, typer.Option(help="The column of sentences in a table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to a file instead of the screen.")]
Seed = Annotated[int, typer.Option(help="Makes every draw repeatable.")]
Tense = Annotated[str, typer.Option(help="past, present, future or other, where the model knows tense.")]
Sentiment = Annotated[str, typer.Option(help="negative or positive, where the model knows sentiment; for `edit` also a number such as -1.5.")]
Attributes = Annotated[list[str] | None, typer.Option("--attribute", "-a", help="Any attribute, as NAME=VALUE; may be repeated.")]
Beams = Annotated[int, typer.Option(min=1, max=64, help="Beam search width; 1 is greedy.")]


@app.command()
def train(
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as objective.kl.free_bits=0.2 out=runs/mine")] = None,
    config: Annotated[str, typer.Option("--config", "-c", help="A YAML file or a bundled config (see: textae configs ls).")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest state of the run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and print the resolved config, and stop.")] = False,
) -> None:
    """Train a model: textae train --config text/tatoeba_lstm_vae trainer.epochs=3."""
    if not config:
        raise ValueError("say what to train with --config; `textae configs ls` lists the bundled configs")
    from apps.catalog import find_config
    from apps.settings import resolve
    from textae.core.config import dump_config

    resolved = resolve(find_config(config), overrides or [])
    if dry_run:
        typer.echo(dump_config(resolved), nl=False)
        return
    from apps.run import train as run

    _log_to_screen()
    folder = run(resolved, resume=resume)
    typer.echo(f"The model is in {folder}. Try: textae sample --model {folder} --num 5")


@app.command()
def evaluate(
    sentences: Sentences = None,
    model: Model = "everyday",
    data: Annotated[str, typer.Option(help="A named data set instead of sentences: tatoeba, ptb, yelp, sst; for images mnist, digits, faces, omniglot.")] = "",
    split: Annotated[str, typer.Option(help="Split of --data.")] = "valid",
    file: FromFile = None,
    column: Column = "text",
    samples: Annotated[int, typer.Option(min=1, help="Importance-weighted draws for each sentence.")] = 100,
    generate: Annotated[int, typer.Option(min=0, help="With --data: prior samples to judge with a trigram model; 0 for none.")] = 10_000,
    limit: Annotated[int, typer.Option(min=0, help="Measure the first so many alone; 0 for all.")] = 0,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute bounds in bfloat16.")] = False,
    card: Annotated[bool, typer.Option("--card", help="Write the figures on the model's card.")] = False,
    edits: Annotated[Path | None, typer.Option(help="Measure a file of `textae edit --json` instead: attribute, content, fluency.")] = None,
    judge: Annotated[list[str] | None, typer.Option(help="With --edits: folder of a judge (textae judge train); may be repeated.")] = None,
    fluency: Annotated[str, typer.Option(help="With --edits: the data set whose training text the language model counts.")] = "",
    references: Annotated[Path | None, typer.Option(help="With --edits: what they should have become, one a line.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Likelihood, KL, mutual information, active units, reconstruction and sample quality."""
    if edits is not None:
        from apps.judging import measure_edits

        found = measure_edits(edits, judge or [], fluency, references, seed)
        return emit([found], out, as_json, text=lambda row: "\n".join(f"{k:24} {_short(v)}" for k, v in row.items() if k != "intervals"))
    from apps.evaluation import evaluate as measure
    from apps.evaluation import write_evaluation
    from textae.core.catalog import find_checkpoint

    examples, on = None, ""
    if not data:
        examples = read_inputs(sentences, file, column)
        on = f"{file or 'given examples'} ({len(examples):,})"
    figures = measure(
        model, examples, data=data, split=split, on=on, samples=samples, num_samples=generate, seed=seed, bf16=bf16, device=device, limit=limit
    )
    emit([figures], out, as_json, text=lambda row: "\n".join(f"{k:24} {_short(v)}" for k, v in row.items()))
    if card:
        from apps.catalog import ZOOS

        write_evaluation(find_checkpoint(model, ZOOS), figures)


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
    candidates: Annotated[int, typer.Option(min=1, help="From which the best is chosen; 1 is the quickest.")] = 12,
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

    emit(fit_attributes(model, data, names, seed=seed, device=device), None, as_json, text=lambda row: "  ".join(f"{k} {_short(v)}" for k, v in row.items()))


@app.command()
def demo(
    model: Model = "everyday",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    host: Annotated[str, typer.Option(help="0.0.0.0 opens the page to the network.")] = "127.0.0.1",
    share: Annotated[bool, typer.Option("--share", help="A public address through Gradio's tunnel.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="Start, ask the API one question, stop.")] = False,
    device: Device = "auto",
) -> None:
    """Open the web page."""
    from apps.demo import serve

    serve(model, host=host, port=port, share=share, smoke=smoke, device=device)


@app.command()
def view(
    model: Annotated[str, typer.Argument(help="A model of images with a 2-D code: bundled name, folder of a run (with its history) or Hub id; empty: the toy shapes alone.")] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file.")] = Path("view.html"),
    data: Annotated[str, typer.Option(help="A named data set to show; empty: what the run was filmed with, else digits.")] = "",
    split: Annotated[str, typer.Option(help="Of --data.")] = "test",
    num: Annotated[int, typer.Option("--num", "-n", min=1, max=10_000, help="Images to show.")] = 300,
    shapes: Annotated[bool, typer.Option(help="Whether to add the toy shapes.")] = True,
    half: Annotated[bool, typer.Option("--half", help="Weights in float16: half the size; the page states the error.")] = False,
) -> None:
    """Write one offline HTML file: hover over the code to decode, slide through the training, turn the toy shapes."""
    from apps.images.viewing import view as write

    typer.echo(f"{write(model, out, data, split, num, shapes, half)}: open it in a browser")


@app.command()
def bench(
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="For each measurement.")] = 8.0,
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Speed of training, likelihood and decoding on this machine."""
    from apps.bench import measure, table

    report = measure(seconds=seconds, threads=threads, device=device)
    emit([report], out, as_json, text=table)


@app.command()
def frontier(
    models: Annotated[list[Path], typer.Argument(help="Folders of evaluated runs that differ in the weight of the KL.")],
    chosen: Annotated[Path | None, typer.Option(help="Folder of a model to mark.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The figure: .svg, .png or .pdf.")] = Path("frontier.svg"),
) -> None:
    """Reconstruction against samples over several evaluated models: a table and a figure."""
    from apps.frontier import collect, draw, table

    rows = collect(models)
    draw(rows, out, collect([chosen])[0] if chosen is not None else None)
    typer.echo(table(rows))


@configs_app.command("ls")
def configs_ls() -> None:
    """List the bundled configs with their first line."""
    from apps.catalog import configs

    for name, path in configs().items():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        typer.echo(f"{name:32} {first.removeprefix('# ')}")


@configs_app.command("cp")
def configs_cp(name: str, to: Annotated[Path, typer.Argument(help="A file or folder.")] = Path(".")) -> None:
    """Copy a bundled config to change it."""
    from apps.catalog import find_config

    source = find_config(name)
    target = to / source.name if to.is_dir() else to
    if target.exists():
        raise ValueError(f"{target} exists already; choose another name")
    target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    typer.echo(str(target))


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


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _log_to_screen() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("transformers", "accelerate", "datasets", "httpx", "huggingface_hub"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@contextmanager
def _sentences_not_tracebacks() -> Iterator[None]:
    """A user's mistake ends in one sentence and exit code 1; what is not a user's mistake keeps its traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            sys.exit(141)
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)


def main() -> None:
    """Entry point of the `textae` command."""
    with _sentences_not_tracebacks():
        app()


if __name__ == "__main__":
    main()
