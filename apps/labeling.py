"""`textae label`: the rows of a file with attributes added to them, written as a table. Labelers are in `textae.labels`."""

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

ENDINGS = (".jsonl", ".tsv", ".csv")


def label(source: Path, attributes: Sequence[str], out: Path, column: str = "text") -> dict[str, Counter]:
    """Write the file's rows, each with the wanted attributes beside the columns it has.

    A cell that has a value already keeps it; the labeler fills the others. Where it abstains, the cell is empty (in
    `.jsonl`: null). Rows go through one by one, so that memory does not grow with the file.

    Args:
        source: Any file of `textae.data.corpus.read_files`.
        attributes: Names in `textae.labels.LABELERS`.
        out: Ends in .jsonl, .tsv or .csv. Appears when it is complete; until then an older one stays.
        column: The column of sentences.

    Returns:
        How many rows have which value of each attribute; None counts those without.

    Raises:
        ValueError: An unknown attribute or ending, a package that is missing, or a row that cannot be read or written.
        OSError: The file cannot be read or written.
    """
    from tqdm import tqdm

    from textae.data.corpus import read_files
    from textae.labels import LABELERS
    from textae.labels.labeler import find_labelers, labelled

    if out.suffix not in ENDINGS:
        raise ValueError(
            f"labels are written to {', '.join(ENDINGS)}; {out.name!r} ends in {out.suffix or 'nothing'!r}"
        )
    labelers = find_labelers(attributes, LABELERS)
    if column in labelers:
        raise ValueError(f"the column of sentences is called {column!r}, as an attribute is: rename it")
    columns = _columns(source, column)
    own = [name for name in columns if name in labelers]
    corpus = labelled(read_files(source, text_column=column, attribute_columns=own, streaming=True), labelers)
    counts = {name: Counter() for name in labelers}
    with _whole_file(out) as file:
        write = _writer(out.suffix, file, [*columns, *(name for name in labelers if name not in columns)])
        pairs = zip(_records(source, columns), corpus, strict=True)
        for number, (cells, row) in enumerate(
            tqdm(pairs, desc="label", unit=" sentences", disable=not sys.stderr.isatty()), 1
        ):
            values = {name: row[name] for name in labelers}
            for name, value in values.items():
                counts[name][value] += 1
            try:
                write({**cells, **values})
            except (ValueError, csv.Error) as error:
                raise ValueError(f"row {number} of {source} cannot be written to {out.name}: {error}") from None
    return counts


def summary(counts: dict[str, Counter]) -> str:
    """One line for each attribute: how often which value was given."""
    lines = []
    for name, count in counts.items():
        given = [f"{value} {n:,}" for value, n in sorted(count.items(), key=lambda item: -item[1]) if value is not None]
        lines.append(f"{name}: {', '.join([*given, f'none {count[None]:,}'] if count[None] else given)}")
    return "\n".join(lines)


def _records(source: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows as they are in the file, every cell of them; `read_files` beside them says what is wrong with one."""
    from textae.data.corpus import READERS

    kind = Path(source.stem if source.suffix == ".gz" else source).suffix
    for _, _, record in READERS[kind](source, tuple(columns)):
        yield record if isinstance(record, dict) else {}


def _columns(source: Path, column: str) -> list[str]:
    """The file's columns in their order: those of the header, of the first object, of the schema.

    Raises:
        ValueError: The file cannot be read, its first row either, or it has no such column.
    """
    from textae.data.corpus import read_files

    next(
        iter(read_files(source, text_column=column, streaming=True))
    )  # explains what is wrong with a file or its first row
    if source.name.endswith((".parquet", ".parquet.gz")):
        return _parquet_columns(source)
    return list(next(_records(source, [column])))


def _parquet_columns(source: Path) -> list[str]:
    import gzip

    import pyarrow.parquet

    with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as file:
        return pyarrow.parquet.read_schema(file).names


def _writer(ending: str, file: TextIO, columns: list[str]) -> Callable[[dict[str, Any]], None]:
    """A function that writes one row; tables begin with their header."""
    if ending == ".jsonl":
        return lambda row: file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n") and None
    if ending == ".csv":
        table = csv.writer(file, lineterminator="\n")
    else:  # without quotes, as `read_files` reads it
        table = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    table.writerow(columns)

    def write(row: dict[str, Any]) -> None:
        if more := [name for name in row if name not in columns]:
            raise ValueError(f"it has {more[0]!r}, which the first row has not; write .jsonl")
        cells = [_cell(row.get(name)) for name in columns]
        if ending == ".tsv" and any(mark in cell for cell in cells for mark in "\t\n\r"):
            raise ValueError("it holds a tab or a line break; write .csv or .jsonl")
        table.writerow(cells)

    return write


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


@contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write that takes the place of `path` only when the block ends well."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary), str(path)):
            raise OSError(f"could not write {path}: {error.strerror or error}") from None
        raise
