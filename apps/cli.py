"""The `textae` command. Heavy imports live inside the commands, so that `--help` answers at once."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from apps.arguments import AsJson, Column, Device, FromFile, Model, Out, Seed, Sentences
from apps.images.cli import app as image_app
from apps.interchange import export, import_
from apps.judging import app as judge_app
from apps.space.cli import app as space_app
from apps.text_io import emit, read_inputs, short
from apps.topics import topics
from apps.verbs import app as verbs_app

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
app.add_typer(space_app, name="space")
app.registered_commands += verbs_app.registered_commands
app.command()(topics)
app.command("import")(import_)
app.command()(export)

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
    from apps.memory import keep_freed_memory
    from apps.run import train as run

    keep_freed_memory()
    _log_to_screen()
    folder = run(resolved, resume=resume)
    typer.echo(f"The model is in {folder}. Try: textae sample --model {folder} --num 5")


@app.command()
def evaluate(
    context: typer.Context,
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
    only: Annotated[str, typer.Option(help="Measures of sentences, with commas between: reconstruction, active_units, likelihood, elbo, kl, mi, bleu, interpolation, samples, drawn, lm.")] = "",
    lm: Annotated[str, typer.Option(help="With --data: a run of text/ptb_lstm_lm or its like, which judges prior samples too.")] = "",
    compare: Annotated[bool, typer.Option("--compare", help="Measure the models that stand in the place of sentences, side by side on --data or --file.")] = False,
    resamples: Annotated[int, typer.Option(min=1, help="With --compare: of the bootstrap.")] = 1000,
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
    _check_evaluation(context)
    if edits is not None:
        from apps.judging import measure_edits

        found = measure_edits(edits, judge or [], fluency, references, seed)
        return emit([found], out, as_json, text=lambda row: "\n".join(f"{k:24} {short(v)}" for k, v in row.items() if k != "intervals"))
    from apps.evaluation import check_card, show, write_evaluation
    from apps.evaluation import compare as side_by_side
    from apps.evaluation import evaluate as measure
    from textae.core.catalog import find_checkpoint

    examples, on = None, ""
    if not data:
        examples = read_inputs(None if compare else sentences, file, column)
        on = f"{file or 'given examples'} ({len(examples):,})"
    chosen = [name.strip() for name in only.split(",") if name.strip()]
    options = {"data": data, "split": split, "on": on, "samples": samples, "num_samples": generate, "seed": seed, "bf16": bf16, "device": device,
               "limit": limit, "only": chosen, "lm": lm}  # fmt: skip
    if compare:
        from textae.comparison import table

        rows = side_by_side(sentences or [], examples, resamples=resamples, **options)
        return emit(rows if as_json else [{"rows": rows}], out, as_json, text=lambda row: table(row["rows"]))
    if card:
        from apps.catalog import ZOOS

        check_card(folder := find_checkpoint(model, ZOOS))
    figures = measure(model, examples, **options)
    emit([figures], out, as_json, text=show)
    if card:
        write_evaluation(folder, figures)


@app.command()
def doctor(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Bundled name, folder or Hub id.")] = "everyday",
    data: Annotated[str, typer.Option(help="A named data set; else --file, else the model's own examples.")] = "",
    split: Annotated[str, typer.Option(help="Split of --data.")] = "valid",
    file: FromFile = None,
    column: Column = "text",
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Does the decoder listen to its code? KL, mutual information, active units, a wrong code's cost, and the remedy in words."""
    from apps.doctor import as_dict, as_text, diagnose

    told = {name for name in context.params if context.get_parameter_source(name).name not in ("DEFAULT", "DEFAULT_MAP")}
    if data and (ignored := [f"--{name}" for name in ("file", "column") if name in told]):
        raise ValueError(f"--data {data} says what to measure on: leave out {', '.join(ignored)}")
    if not data and "split" in told:
        raise ValueError("only a named data set has splits, and there is no --data: leave out --split")
    found = diagnose(model, read_inputs(None, file, column) if file else None, data=data, split=split, seed=seed, device=device)
    emit([as_dict(found)], out, as_json, text=lambda _: as_text(found))


@app.command()
def demo(
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Bundled name, folder or Hub id; may be repeated. The bundled ones stand beside them.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    host: Annotated[str, typer.Option(help="0.0.0.0 opens the page to the network.")] = "127.0.0.1",
    share: Annotated[bool, typer.Option("--share", help="A public address through Gradio's tunnel.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.0, help="Requests a second that one address may send; 0 for any number. [default: 10, and any number where only this machine can ask]")] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help='Also an MCP server, for agents; needs pip install "textae[mcp]".')] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="Start, ask the API one question, stop.")] = False,
    device: Device = "auto",
) -> None:
    """Open the web page."""
    from apps.demo import serve

    serve(model or [], host=host, port=port, share=share, smoke=smoke, device=device, rate=rate, mcp=mcp)


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
    from apps.memory import keep_freed_memory

    keep_freed_memory()  # as textae train does
    report = measure(seconds=seconds, threads=threads, device=device)
    emit([report], out, as_json, text=table)


@app.command()
def frontier(
    models: Annotated[list[Path], typer.Argument(help="Evaluated runs, their models, or copies of their figures.json: runs with a weight of the KL make a line, others stand alone.")],
    chosen: Annotated[Path | None, typer.Option(help="Folder of a model to mark.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The figure: .svg, .png or .pdf.")] = Path("frontier.svg"),
) -> None:
    """Reconstruction against samples over several evaluated models: a table and a figure."""
    from apps.frontier import collect, draw, table

    rows = collect(models)
    draw(rows, out, collect([chosen])[0] if chosen is not None else None)
    typer.echo(table(rows))


@app.command()
def results(
    runs: Annotated[list[Path], typer.Argument(help="Runs, their models, or copies of their figures.json.")],
    readme: Annotated[Path, typer.Option(help="The file with the table, between <!-- results --> and <!-- end of results -->.")] = Path("README.md"),
    check: Annotated[bool, typer.Option("--check", help="Say whether the file's table is what the runs' files say.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Put the table into the file.")] = False,
) -> None:
    """The table of results in Markdown, from what training and evaluation wrote beside the models."""
    from apps import results as made

    text = made.table(made.collect(runs))
    if check:
        made.check(readme, text)
    elif write:
        made.write(readme, text)
    else:
        typer.echo(text)


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


def _check_evaluation(context: typer.Context) -> None:
    """Refuse arguments of `evaluate` that another one would have it ignore.

    Raises:
        ValueError: With the one to leave out.
    """
    values = context.params
    told = {name for name in values if context.get_parameter_source(name).name not in ("DEFAULT", "DEFAULT_MAP")}
    options = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
    options["sentences"] = "sentences"

    def refuse(names: tuple[str, ...], why: str) -> None:
        if found := [options[name] for name in options if name in told and name in names]:
            raise ValueError(f"{why}: leave out {', '.join(found)}")

    of_edits, of_all = ("judge", "fluency", "references"), ("edits", "seed", "as_json", "out")
    if values["edits"] is not None:
        refuse(tuple(name for name in options if name not in (*of_edits, *of_all)), "--edits measures a file of edits and no model")
    else:
        refuse(of_edits, "only edits are judged, and there is no --edits")
    if not values["compare"]:
        refuse(("resamples",), "only --compare draws resamples, for its intervals")
    else:
        refuse(("model",), "--compare measures the models that stand in the place of sentences")
    if values["data"]:
        refuse(("file", "column") if values["compare"] else ("sentences", "file", "column"), f"--data {values['data']} says what to measure on")
    else:
        refuse(("split", "generate"), "only a named data set has splits and text to judge samples by, and there is no --data")
    if values["card"]:
        refuse(("only", "compare", "limit"), "a card holds one model's whole evaluation")


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
