"""Sentences from files and from the Hub: checked rows of text and attributes, in file order; no tokens, no tensors.

Every format is read by `datasets.load_dataset` in streaming mode, with its scratch files in a temporary folder.
Text formats are read as lines and taken apart here, because only then can an error name its line.
A corpus "in memory" is one such pass, kept as an Arrow table: nothing is ever written beside the user's data.
"""

import csv
import difflib
import glob
import gzip
import itertools
import json
import logging
import os
import shutil
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

BATCH_ROWS = 1000  # rows that cross from Arrow to Python at once: large enough to be fast, small beside a 1 MB chunk
CHUNK_BYTES = 1 << 20  # read at once from a text file; ten times less than `datasets` reads, for ten times less memory


@dataclass(frozen=True)
class Corpus:
    """One split: sentences with their attributes, in file order, as often as it is iterated.

    Each row is `{"text": str, **{attribute: str | None}}`; None means that the attribute is not known.

    Args:
        name: What messages and model cards call it.
        attributes: The attributes that every row carries beside its text, possibly none.
        rows: Starts a new pass over the rows.
    """

    name: str
    attributes: tuple[str, ...]
    rows: Callable[[], Iterator[dict]] = field(repr=False)

    def __iter__(self) -> Iterator[dict]:
        return self.rows()


class _Flaw(NamedTuple):
    """Why a row cannot be used: a kind, for counting, and the end of a sentence that begins with its place."""

    kind: str
    why: str


@dataclass(frozen=True)
class _Wanted:
    """What a caller asks of every row."""

    text_column: str
    attribute_columns: tuple[str, ...]
    constants: dict[str, str]
    max_chars: int
    skip_invalid: bool
    limit: int | None

    def __post_init__(self):
        if self.max_chars < 1:
            raise ValueError(f"max_chars is {self.max_chars}; it must be at least 1.")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is {self.limit}; it must be at least 1, or None for every sentence.")
        twice = [name for name, count in Counter(("text", *self.attributes)).items() if count > 1]
        if twice:
            raise ValueError(f"{twice} name two columns of the same row; attributes differ from each other and 'text'.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.text_column, *self.attribute_columns)

    @property
    def attributes(self) -> tuple[str, ...]:
        return (*self.attribute_columns, *self.constants)

    def flaw(self, cells: Mapping) -> _Flaw | None:
        """What is wrong with a row's cells, if anything."""
        if self.text_column not in cells:
            return _Flaw("without text", f"has no {self.text_column!r}; it has {sorted(cells)}")
        text = cells[self.text_column]
        if text is None or (isinstance(text, str) and not text.strip()):
            return _Flaw("empty", "is empty: every one must hold a sentence")
        if not isinstance(text, str):
            return _Flaw("not a string", f"holds {text!r} in {self.text_column!r}, where a string belongs")
        if not all(_is_unicode(cells.get(column)) for column in self.columns):
            return _Flaw("not UTF-8", "is not valid UTF-8: save the file in that encoding")
        if len(text) > self.max_chars:
            return _Flaw("too long", f"has {len(text):,} characters, more than max_chars={self.max_chars}")
        return None

    def row(self, cells: Mapping) -> dict:
        values = {column: cells.get(column) for column in self.attribute_columns}
        attributes = {column: None if value in (None, "") else str(value) for column, value in values.items()}
        return {"text": cells[self.text_column], **attributes, **self.constants}


def read_files(
    paths: str | Path | Sequence[str | Path],
    *,
    text_column: str = "text",
    attribute_columns: Sequence[str] = (),
    streaming: bool = False,
    max_chars: int = 5000,  # ten times the longest sentence of our four corpora (520, in the Penn Treebank)
    skip_invalid: bool = False,
    limit: int | None = None,
    constants: Mapping[str, str] | None = None,
) -> Corpus:
    """One corpus from `.txt .csv .tsv .jsonl .parquet` files, each possibly `.gz`, encoded in UTF-8.

    `.txt` has one sentence a line and the only column 'text'. `.csv` and `.tsv` begin with a header; `.csv` quotes as
    in RFC 4180, `.tsv` knows no quotes (a `"` is a character of the text). The first line of `.jsonl` must name every
    wanted column; later lines may leave attributes out. Text is kept as it stands, with its outer spaces.

    Args:
        paths: One file, or several that are read one after the other.
        text_column: The column that holds the sentences.
        attribute_columns: Columns carried along as strings; an empty or missing cell is None.
        streaming: Read anew at every pass, in constant memory, and find errors only then. A `.gz` file is unpacked
            to the temporary folder (`TMPDIR`) for the length of a pass. Otherwise read once, now, into memory.
        max_chars: The longest sentence allowed, in characters.
        skip_invalid: Drop rows that cannot be used, and log how many of which kind, instead of raising.
        limit: Stop after so many sentences, all files together; None reads everything.
        constants: Attributes whose value is the same for every row.

    Returns:
        A corpus with the attributes `(*attribute_columns, *constants)`.

    Raises:
        FileNotFoundError: If a file does not exist; names similar ones.
        ValueError: For an unknown extension, a file that is empty, truncated or without a wanted column, and for a row
            that is empty, malformed, too long, not UTF-8 or not text. Names the file and the 1-based line
            (in `.parquet`: row). When streaming, errors inside a file come with the pass.
    """
    paths = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not paths:
        raise ValueError("No files to read: paths is empty.")
    wanted = _Wanted(text_column, tuple(attribute_columns), dict(constants or {}), max_chars, skip_invalid, limit)
    sources = [(str(path), partial(_reader(path), path, wanted.columns)) for path in paths]
    rows = partial(_checked_rows, sources, wanted)
    if not streaming:
        rows = _in_memory(rows(), wanted.attributes)
    return Corpus("+".join(path.name for path in paths), wanted.attributes, rows)


def read_hub(
    name: str,
    *,
    split: str,
    config: str | None = None,
    text_column: str = "text",
    attribute_columns: Sequence[str] = (),
    streaming: bool = False,
    max_chars: int = 5000,
    skip_invalid: bool = False,
    limit: int | None = None,
) -> Corpus:
    """One split of a data set on the Hugging Face Hub (or of a local folder that `load_dataset` understands).

    Class labels become their names. Without streaming, the data set is kept in the usual Hugging Face cache.

    Args:
        name: Its id, such as `stanfordnlp/sst2`.
        split: As `load_dataset` takes it: `train`, or `train[:1000]` (not when streaming).
        config: Its configuration, where it has several.
        text_column, attribute_columns, streaming, max_chars, skip_invalid, limit: See `read_files`.

    Raises:
        ValueError: If it cannot be loaded, lacks a wanted column, or holds a row that `read_files` would refuse.
    """
    from datasets import load_dataset

    wanted = _Wanted(text_column, tuple(attribute_columns), {}, max_chars, skip_invalid, limit)
    try:
        dataset = load_dataset(name, config, split=split, streaming=streaming)
    except (ValueError, OSError, RuntimeError) as error:
        raise ValueError(f"Cannot load split {split!r} of {name!r} with load_dataset: {_one_line(error)}.") from error
    label = f"{name}:{split}"
    _require(label, dataset.column_names or list(next(iter(dataset))), wanted.columns)
    source = (label, partial(_dataset_records, dataset, wanted.columns))
    return Corpus(label, wanted.attributes, partial(_checked_rows, [source], wanted))


def chain(*corpora: Corpus) -> Corpus:
    """One corpus after the other; all must carry the same attributes."""
    if len({frozenset(corpus.attributes) for corpus in corpora}) != 1:
        raise ValueError(f"Chained corpora must share attributes; got {[corpus.attributes for corpus in corpora]}.")
    name = "+".join(corpus.name for corpus in corpora)
    return Corpus(name, corpora[0].attributes, partial(itertools.chain.from_iterable, corpora))


def load_files(*, train, valid=None, **options) -> dict[str, Corpus]:
    """Splits from files: `train` and `valid` are each a path or a list of paths; `options` go to `read_files`."""
    given = {"train": train, "valid": valid}
    return {split: read_files(paths, **options) for split, paths in given.items() if paths is not None}


def load_hub(*, repo: str, train_split="train", valid_split="validation", **options) -> dict[str, Corpus]:
    """Splits of the Hub's data set `repo`; `valid_split=None` leaves that out; `options` go to `read_hub`."""
    splits = {"train": train_split, "valid": valid_split}
    return {key: read_hub(repo, split=split, **options) for key, split in splits.items() if split is not None}


def local_file(folder: str, name: str, instead: str) -> Path:
    """`$TEXTAE_DATA/folder/name`, or an error that says what to do `instead` of having it."""
    root = os.environ.get("TEXTAE_DATA")
    if not root:
        raise ValueError(
            f"Set the environment variable TEXTAE_DATA to the folder that holds {folder}/{name}; {instead}"
        )
    path = Path(root, folder, name)
    if not path.is_file():
        raise FileNotFoundError(f"TEXTAE_DATA is {root}, which has no {folder}/{name}; {instead}")
    return path


def _checked_rows(sources: Iterable[tuple[str, Callable]], wanted: _Wanted) -> Iterator[dict]:
    """Rows of all sources, each a label and a function that starts its `(noun, number, cells or flaw)` records."""
    total = 0
    for label, records in sources:
        kept, dropped, noun = 0, Counter(), "line"
        for noun, number, record in records():
            flaw = record if isinstance(record, _Flaw) else wanted.flaw(record)
            if flaw is None:
                yield wanted.row(record)
                kept += 1
                if total + kept == wanted.limit:
                    break
            elif wanted.skip_invalid:
                dropped[flaw.kind] += 1
            else:
                raise ValueError(f"{label}, {noun} {number} {flaw.why}; skip_invalid=True drops such {noun}s.")
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(dropped.items()))
        if dropped:
            logger.warning("%s: dropped %d %ss: %s", label, dropped.total(), noun, kinds)
        if not kept:
            raise ValueError(
                f"{label} has no sentence" + (f": every {noun} was dropped ({kinds})." if dropped else ".")
            )
        total += kept
        if total == wanted.limit:
            return


def _in_memory(rows: Iterator[dict], attributes: tuple[str, ...]) -> Callable[[], Iterator[dict]]:
    import pyarrow as pa

    schema = pa.schema([(column, pa.string()) for column in ("text", *attributes)])
    batches = []
    while chunk := list(itertools.islice(rows, BATCH_ROWS)):
        batches.append(pa.RecordBatch.from_pylist(chunk, schema))
    return partial(_batch_rows, batches)


def _batch_rows(batches) -> Iterator[dict]:
    for batch in batches:
        yield from batch.to_pylist()


def _reader(path: Path) -> Callable[[Path, tuple[str, ...]], Iterator[tuple]]:
    """The function that reads this kind of file."""
    if not path.is_file():
        near = difflib.get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [])
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}" + (f"; near it: {', '.join(near)}." if near else "."))
    kind = Path(path.stem if path.suffix == ".gz" else path).suffix
    if kind not in READERS:
        raise ValueError(f"{path} has the unknown extension {kind!r}; known: {', '.join(READERS)}, each also with .gz.")
    return READERS[kind]


def _require(label, present: Sequence[str], wanted: Sequence[str]) -> None:
    if missing := [column for column in wanted if column not in present]:
        raise ValueError(f"{label} has no column {', '.join(map(repr, missing))}; its columns: {', '.join(present)}.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(" .")


def _is_unicode(value) -> bool:
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file itself, or what a `.gz` holds, in a temporary folder.

    `datasets` 5.2 cannot do this: it forgets `encoding` when it streams a `.gz`, and does not open `.parquet.gz`.
    """
    if path.suffix != ".gz":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="textae-") as scratch:
        plain = Path(scratch, path.stem)
        try:
            with gzip.open(path) as source, plain.open("wb") as target:
                shutil.copyfileobj(source, target)
        except EOFError:
            raise ValueError(f"{path} is a truncated gzip file: its end is missing; copy it again.") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is not a sound gzip file: {error}.") from None
        yield plain


def _stream(kind: str, path: Path, **options):
    """A streaming data set over one local file, set up without a word to the network."""
    import datasets

    file = glob.escape(os.path.abspath(path))
    counts = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS  # when true, every load of a local file sends a request
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    try:
        with tempfile.TemporaryDirectory(prefix="textae-") as scratch:  # for a lock, needed only during the call
            options["cache_dir"] = scratch
            return datasets.load_dataset(kind, data_files=file, split="train", streaming=True, **options)
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = counts


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends. Bytes that are not UTF-8 become lone surrogates, for `_is_unicode` to find.

    The file is read as Latin-1, which accepts every byte, so that one bad byte costs one line and not the whole file.
    """
    with _unpacked(path) as plain:
        dataset = _stream("text", plain, encoding="latin-1", keep_linebreaks=True, chunksize=CHUNK_BYTES)
        first = True
        for batch in dataset.with_format("arrow").iter(batch_size=BATCH_ROWS):
            for line in batch["text"].to_pylist():
                line = line if line.isascii() else line.encode("latin-1").decode("utf-8", "surrogateescape")
                yield line.removeprefix("\ufeff") if first else line
                first = False


def _txt_records(path: Path, columns: tuple[str, ...]) -> Iterator[tuple]:
    _require(path, ["text"], columns)
    for number, line in enumerate(_lines(path), start=1):
        yield "line", number, {"text": line.rstrip("\n")}


def _table_records(path: Path, columns: tuple[str, ...], **dialect) -> Iterator[tuple]:
    reader = csv.reader(_lines(path), strict=True, **dialect)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise ValueError(f"{path}, line 1 is a malformed header ({error}).") from None
    if header is None:
        return
    _require(path, header, columns)
    if twice := [column for column in columns if header.count(column) > 1]:
        raise ValueError(f"{path} has more than one column {', '.join(map(repr, twice))}; give each its own name.")
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield "line", number, _Flaw("malformed", f"begins a malformed row ({error}): quotes must come in pairs")
            continue
        if len(cells) > len(header):
            why = f"has {len(cells)} cells under a header of {len(header)}: quote a cell that holds the delimiter"
            yield "line", number, _Flaw("malformed", why)
        else:
            yield "line", number, dict(itertools.zip_longest(header, cells))


def _jsonl_records(path: Path, columns: tuple[str, ...]) -> Iterator[tuple]:
    first = True
    for number, line in enumerate(_lines(path), start=1):
        try:
            cells = json.loads(line) if line.strip() else {columns[0]: None}
        except (ValueError, RecursionError):
            cells = None
        if not isinstance(cells, dict):
            yield "line", number, _Flaw("malformed", 'is not a JSON object, such as {"text": "..."}')
            continue
        if first and line.strip():
            _require(path, list(cells), columns)
            first = False
        yield "line", number, cells


def _parquet_records(path: Path, columns: tuple[str, ...]) -> Iterator[tuple]:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with _unpacked(path) as plain:
            if not plain.stat().st_size:
                return
            pa.parquet.read_schema(plain)  # before `datasets` does, which would log an error of its own
            dataset = _stream("parquet", plain, batch_size=BATCH_ROWS)
            _require(path, dataset.column_names, columns)
            yield from _dataset_records(dataset, columns)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a sound parquet file: {_one_line(error)}.") from error


def _dataset_records(dataset, columns: tuple[str, ...]) -> Iterator[tuple]:
    """Rows of a `datasets` data set, with class labels as their names."""
    from datasets import ClassLabel

    dataset = dataset.select_columns(list(columns))
    labels = {name: kind for name, kind in (dataset.features or {}).items() if isinstance(kind, ClassLabel)}
    number = 0
    for batch in dataset.with_format("arrow").iter(batch_size=BATCH_ROWS):
        for cells in batch.to_pylist():
            for name, kind in labels.items():
                unlabeled = cells[name] is None or cells[name] < 0  # -1 stands for "no label" on the Hub
                cells[name] = None if unlabeled else kind.int2str(cells[name])
            number += 1
            yield "row", number, cells


READERS = {
    ".txt": _txt_records,
    ".csv": _table_records,
    ".tsv": partial(_table_records, delimiter="\t", quoting=csv.QUOTE_NONE),
    ".jsonl": _jsonl_records,
    ".parquet": _parquet_records,
}
