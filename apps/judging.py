"""`textae judge …`: train a judge of an attribute on training text, ask it about sentences, measure edits by judges."""

import json
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from textae.classifiers.base import Classifier
    from textae.ngram import TrigramLM

CARD = "card.json"

app = typer.Typer(
    help="Judges: classifiers of an attribute that no method ever asks.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def train(
    attribute: Annotated[str, typer.Option(help="sentiment, tense, or a column of the data.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The judge's own folder.")],
    data: Annotated[str, typer.Option(help="A named data set: its splits train and valid.")] = "",
    train_file: Annotated[Path | None, typer.Option(help="Instead of --data: sentences to learn from.")] = None,
    valid_file: Annotated[Path | None, typer.Option(help="With --train-file: sentences to measure on.")] = None,
    column: Annotated[str, typer.Option(help="The column of sentences in these files.")] = "text",
    values: Annotated[str, typer.Option(help="Values to tell apart, with commas; empty: all that occur.")] = "",
    kind: Annotated[str, typer.Option(help="ngram or cnn; two of different kinds judge better than one.")] = "ngram",
    seed: Annotated[int, typer.Option(help="Of whatever is drawn.")] = 0,
) -> None:
    """Train a judge on training text alone, and say how often it is right on held-out text.

    textae judge train --data yelp --attribute sentiment -o judges/yelp-sentiment
    """
    from textae.classifiers.base import check_target

    check_target(out)
    wanted = tuple(value.strip() for value in values.split(",")) if values else ()
    if data and (train_file or valid_file):
        raise ValueError("give --data or --train-file and --valid-file, not both")
    if data:
        splits = read_splits(data, attribute, wanted)
    elif train_file and valid_file:
        splits = read_labeled_files(train_file, valid_file, attribute, wanted, column)
    else:
        raise ValueError("say what to learn from: --data NAME, or --train-file and --valid-file")
    judge, card = train_judge(splits, kind, attribute, seed=seed)
    save_judge(judge, card, out)
    typer.echo(
        f"{kind} judge of {attribute}: {card['accuracy']:.2f} % of {card['num_valid']:,} held-out sentences right"
    )
    for value, share in card["accuracy_by_value"].items():
        typer.echo(f"  {value:12} {share:6.2f} %")
    typer.echo(f"The judge is in {out}, its card in {out / CARD}.")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Of a judge.")],
    file: Annotated[Path | None, typer.Argument(help="Sentences; else standard input, one a line.")] = None,
    column: Annotated[str, typer.Option(help="The column of sentences in a table.")] = "text",
    wanted: Annotated[str, typer.Option(help="A value: say how many sentences have it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to a file instead of the screen.")] = None,
) -> None:
    """The value of each sentence with its probability; how many have which on standard error."""
    from apps.text_io import emit, read_inputs
    from textae.classifiers import load_classifier
    from textae.core.config import choose

    judge = load_classifier(folder)
    if wanted:
        choose(dict.fromkeys(judge.values), wanted, "value")
    sentences = read_inputs(None, file, column)
    found = judge.probabilities(sentences)
    rows = [
        {
            "sentence": s,
            "value": judge.values[p.argmax()],
            "probabilities": dict(zip(judge.values, p.tolist(), strict=True)),
        }
        for s, p in zip(sentences, found, strict=True)
    ]
    emit(rows, out, as_json, text=lambda r: f"{r['value']}\t{r['probabilities'][r['value']]:.4f}\t{r['sentence']}")
    counts = Counter(row["value"] for row in rows)
    for value in [wanted] if wanted else judge.values:
        typer.echo(f"{value}: {counts[value]:,} of {len(rows):,} ({100 * counts[value] / len(rows):.1f} %)", err=True)


@app.command()
def tradeoff(
    file: Annotated[Path, typer.Argument(help="Sentences that lack the value.")],
    wanted: Annotated[str, typer.Option(help="What they are to become, as NAME=VALUE, such as tense=past.")],
    judges: Annotated[list[str], typer.Option("--judge", help="Folder of a judge; may be repeated.")],
    fluency: Annotated[str, typer.Option(help="The data set whose training text the language model counts.")],
    models: Annotated[list[str] | None, typer.Option("--model", "-m", help="Bundled name, folder or Hub id; may be repeated. [everyday]")] = None,
    methods: Annotated[str, typer.Option(help="With commas between them; offset:1 gives that one a single candidate.")] = "auto",
    strengths: Annotated[str, typer.Option(help="k, with commas between them.")] = "0.5,1,1.5,2",
    references: Annotated[Path | None, typer.Option(help="What they should become, one a line.")] = None,
    candidates: Annotated[int, typer.Option(min=1, help="Of each edit, where a method does not say its own.")] = 24,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    out: Annotated[Path, typer.Option("--out", "-o", help="The figure: .svg, .png or .pdf.")] = Path("tradeoff.svg"),
) -> None:
    """What editing costs in content and fluency, over methods and strengths: a table and a figure."""
    from apps.tradeoff import draw, measure, table
    from textae.data.corpus import read_files

    name, equals, value = wanted.partition("=")
    if not (equals and name and value):
        raise ValueError(f"--wanted {wanted!r} must look like tense=past")
    try:
        factors = [float(k) for k in strengths.split(",")]
    except ValueError:
        raise ValueError(f"--strengths is {strengths!r}; give numbers with commas between them, such as 0.5,1,2") from None
    said = None if references is None else [row["text"] for row in read_files(references)]
    curves = measure(
        models or ["everyday"], [row["text"] for row in read_files(file)], name, value, methods=[m.strip() for m in methods.split(",") if m.strip()],
        strengths=factors, judges=judges, fluency=fluency, references=said, candidates=candidates, seed=seed, device=device,
    )  # fmt: skip
    draw(curves, out)
    typer.echo(table(curves))


def evaluate_edits(
    sources: Sequence[str],
    edits: Sequence[str],
    wanted: str | Sequence[str],
    judges: "Mapping[str, Classifier | str | Path]",
    lm: "TrigramLM | str",
    references: Sequence[str | Sequence[str]] | None = None,
    *,
    excluded: Collection[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of `textae.edit_metrics.edit_figures`, ready for JSON and a card.

    Args:
        judges: By name: classifiers, or folders of them.
        lm: The language model of fluency, or the named data set whose training split it is to count.
        sources, edits, wanted, references, excluded, resamples, seed: Of `edit_figures`.

    Raises:
        ValueError: See `edit_figures`; or a folder without a judge, an unknown data set.
    """
    from textae.edit_metrics import edit_figures

    judges = {name: open_judge(judge) for name, judge in judges.items()}
    lm = fluency_model(lm) if isinstance(lm, str) else lm
    options = {"excluded": excluded, "resamples": resamples, "seed": seed}
    return asdict(edit_figures(sources, edits, wanted, judges, lm, references, **options))


def measure_edits(path: Path, judges: Sequence[str], fluency: str, references: Path | None = None, seed: int = 0) -> dict[str, Any]:
    """The figures of a file of edits, as `textae edit --json` writes it: one JSON object a line with `source`, `text`, `wanted`.

    Args:
        path: The file; all its edits want values of one attribute.
        judges: Folders of judges of that attribute.
        fluency: The named data set whose training text the language model of fluency counts.
        references: Sentences that the edits should have become, one a line, in the file's order.
        seed: Of the bootstrap.

    Raises:
        ValueError: No judge or no data set is given, a line is no edit, or there are as many references as edits not.
    """
    from textae.data.corpus import read_files

    if not judges or not fluency:
        raise ValueError("edits are measured by judges and a language model: give --judge FOLDER (textae judge train) and --fluency, a named data set")
    sources, texts, wanted, names = [], [], [], set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            (name, value), = row["wanted"].items()
            sources.append(str(row["source"]))
            texts.append(str(row["text"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{path}, line {number}: not an edit of one attribute, as `textae edit --json` writes it") from None
        wanted.append(value)
        names.add(name)
    if len(names) != 1:
        raise ValueError(f"{path} holds {'edits of ' + ', '.join(sorted(names)) if names else 'no edits'}: a judge is of one attribute, so measure one at a time")
    expected = None if references is None else [row["text"] for row in read_files(references)]
    return {"attribute": names.pop(), **evaluate_edits(sources, texts, wanted, {Path(folder).name: folder for folder in judges}, fluency, expected, seed=seed)}


def open_judge(judge: "Classifier | str | Path") -> "Classifier":
    """A classifier as it is, or the one in a folder."""
    from textae.classifiers import load_classifier

    return load_classifier(judge) if isinstance(judge, str | Path) else judge


def fluency_model(data: str) -> "TrigramLM":
    """The repository's trigram model of a named data set's training split, over the words that occur there twice."""
    from textae.ngram import TrigramLM, vocabulary_of

    texts = [row["text"] for row in _split(_corpora(data), "train", data)]
    return TrigramLM.fit(texts, vocabulary=vocabulary_of(texts, min_count=2))


def train_judge(
    splits: dict[str, Any], kind: str, attribute: str, *, seed: int = 0
) -> "tuple[Classifier, dict[str, Any]]":
    """A judge of `splits["train"]` and its card, with its accuracy on `splits["valid"]`.

    Args:
        splits: Of `read_splits` or `read_labeled_files`.
        kind: One of `textae.classifiers.JUDGES`.
        attribute: What the classes are values of; for the card.
        seed: Of whatever is drawn.

    Raises:
        ValueError: A kind that is no judge, a held-out value that training lacks, or see `Classifier.train`.
    """
    from textae.classifiers import JUDGES, classifier_class
    from textae.core.card import provenance
    from textae.core.config import choose

    choose(dict.fromkeys(JUDGES), kind, "kind of judge")
    (texts, labels), (valid_texts, valid_labels) = splits["train"], splits["valid"]
    if unknown := sorted(set(valid_labels) - set(labels)):
        raise ValueError(f"the held-out sentences have the value {unknown[0]!r}, which no training sentence has")
    started = time.process_time()  # of all cores together; a busy machine does not stretch it as it does the clock
    judge = classifier_class(kind).train(texts, labels, seed=seed)
    seconds = time.process_time() - started
    started = time.process_time()
    said = judge.predict(valid_texts)
    rate = len(said) / (time.process_time() - started)
    confusion = {value: Counter() for value in judge.values}
    for label, value in zip(valid_labels, said, strict=True):
        confusion[label][value] += 1
    seen, right = set(texts), sum(confusion[value][value] for value in judge.values)
    card = {
        "role": "judge: trained on training text only; no method may ask it",
        "kind": kind, "attribute": attribute, "values": judge.values,
        "data": splits["data"], "labels": splits["labels"],
        "num_train": len(texts), "num_valid": len(valid_texts),
        "accuracy": 100 * right / len(said),
        "accuracy_by_value": {v: 100 * counts[v] / counts.total() for v, counts in confusion.items() if counts},
        "confusion": {value: {v: counts[v] for v in judge.values} for value, counts in confusion.items()},
        "valid_seen_in_train": sum(text in seen for text in valid_texts) / len(valid_texts),
        "training_cpu_seconds": round(seconds, 1), "sentences_per_cpu_second": round(rate),
        **provenance(seed),
    }  # fmt: skip
    return judge, card


def save_judge(judge: "Classifier", card: Mapping[str, Any], folder: Path) -> None:
    """Write the judge into its folder and `card.json` beside it."""
    from textae.core.files import write_text

    judge.save(folder)
    write_text(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def read_splits(data: str, attribute: str, values: Sequence[str] = ()) -> dict[str, Any]:
    """Labelled sentences of a named data set: `train` and `valid` as (texts, labels), and where they are from.

    A data set without the column gets the labels of `textae.labels.LABELERS[attribute]`. Sentences without a label, and
    with one that is not among `values`, are left out.

    Raises:
        ValueError: An unknown data set or attribute, or one that the data set lacks and nobody can label.
    """
    corpora = _corpora(data)
    splits, source = {}, "the data set's own"
    for split in ("train", "valid"):
        corpus = _split(corpora, split, data)
        rows = list(corpus)
        texts = [row["text"] for row in rows]
        if attribute in corpus.attributes:
            labels = [row[attribute] for row in rows]
        else:
            source = f"textae.labels.LABELERS[{attribute!r}]"
            labels = _labeler(attribute, data, corpus.attributes)(texts)
        splits[split] = _kept(texts, labels, values, f"{data}, split {split}")
    return {**splits, "data": data, "labels": source}


def read_labeled_files(
    train_file: Path, valid_file: Path, attribute: str, values: Sequence[str] = (), column: str = "text"
) -> dict[str, Any]:
    """The same of two tables with a column for the attribute."""
    from textae.data.corpus import read_files

    splits = {}
    for split, path in (("train", train_file), ("valid", valid_file)):
        rows = list(read_files(path, text_column=column, attribute_columns=[attribute]))
        splits[split] = _kept([row["text"] for row in rows], [row[attribute] for row in rows], values, str(path))
    return {**splits, "data": f"{train_file}, {valid_file}", "labels": f"column {attribute!r}"}


def _corpora(data: str) -> dict[str, Any]:
    from inspect import Parameter

    from textae.core.config import arguments, choose
    from textae.data import DATASETS

    named = {
        name: load
        for name, load in DATASETS.items()
        if not any(
            p.default is Parameter.empty for p in arguments(load).values()
        )  # files and the Hub need to be told which
    }
    return choose(named, data, "named data set")()


def _split(corpora: Mapping[str, Any], split: str, data: str) -> Any:
    from textae.core.config import choose

    return choose(corpora, split, f"split of {data}")


def _labeler(attribute: str, data: str, columns: Sequence[str]) -> Any:
    from textae.core.config import nearest
    from textae.labels import LABELERS

    if attribute not in LABELERS:
        raise ValueError(
            f"{data} has no attribute {attribute!r} and nobody labels it: {nearest(attribute, {*columns, *LABELERS})}"
        )
    return LABELERS[attribute]


def _kept(texts: list[str], labels: list[str | None], values: Sequence[str], where: str) -> tuple[list[str], list[str]]:
    """The labelled sentences; with `values`, only those that have one of them."""
    from textae.core.config import nearest

    known = {label for label in labels if label is not None}
    for value in values:
        if value not in known:
            raise ValueError(f"{where} has no sentence with the value {value!r}: {nearest(value, known)}")
    kept = [(t, v) for t, v in zip(texts, labels, strict=True) if v is not None and (not values or v in values)]
    if not kept:
        raise ValueError(f"{where} has no labelled sentence")
    if len(kept) < len(texts):
        typer.echo(f"{where}: {len(texts) - len(kept):,} of {len(texts):,} sentences have no such label", err=True)
    return [text for text, _ in kept], [value for _, value in kept]
