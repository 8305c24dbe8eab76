"""Corpora: every format, packed and plain, streamed and in memory; every error; the named data sets."""

import csv
import gzip
import json
import logging
import os
import subprocess
import sys

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textae.data import DATASETS
from textae.data.corpus import chain, load_files, read_files, read_hub

ROWS = [
    {"text": "A heron stood in the reeds.", "mood": "calm"},
    {"text": 'She said "later", twice\u2028and left, naïvely 🦉.', "mood": None},
    {"text": "NA", "mood": "null"},
    {"text": "007", "mood": "3"},
]
KINDS = ["txt", "csv", "tsv", "jsonl", "parquet"]


def write(path, rows, columns=("text", "mood")):
    """A file of the kind that its name says, from rows of strings."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    cells = [[row.get(column) for column in columns] for row in rows]
    if plain.suffix == ".txt":
        data = "".join(row["text"] + "\n" for row in rows).encode()
    elif plain.suffix == ".csv":
        with plain.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *cells])
        data = plain.read_bytes()
    elif plain.suffix == ".tsv":
        data = "".join("\t".join(cell or "" for cell in row) + "\n" for row in [columns, *cells]).encode()
    elif plain.suffix == ".jsonl":
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    else:
        pq.write_table(pa.Table.from_pylist(rows), plain)
        data = plain.read_bytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture(params=[False, True], ids=["memory", "stream"])
def streaming(request):
    return request.param


def fails(path, message, error=ValueError, **options):
    """Both ways of reading refuse the file with one sentence that says `message`."""
    for streaming in (False, True):
        with pytest.raises(error, match=message) as caught:
            list(read_files(path, streaming=streaming, **options))
        assert type(caught.value) is error and path.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_rows_again_and_again(tmp_path, kind, packed, streaming):
    path = write(tmp_path / f"birds.{kind}{packed}", ROWS)
    before = sorted(tmp_path.iterdir())
    columns = [] if kind == "txt" else ["mood"]
    corpus = read_files(path, attribute_columns=columns, streaming=streaming)
    expected = [{"text": row["text"]} for row in ROWS] if kind == "txt" else ROWS
    assert list(corpus) == expected
    assert list(corpus) == expected
    assert corpus.attributes == tuple(columns) and corpus.name == path.name
    assert sorted(tmp_path.iterdir()) == before


def test_a_pass_can_stop_early_and_start_over(tmp_path, streaming):
    corpus = read_files(write(tmp_path / "a.txt.gz", ROWS), streaming=streaming)
    assert next(iter(corpus)) == next(iter(corpus)) == {"text": ROWS[0]["text"]}


def test_local_files_need_no_network(tmp_path, streaming, monkeypatch):
    """`load_dataset` sends a request to count downloads, even of a local file; ours must not."""
    asked = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *arguments, **options: asked.append(arguments))
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)
    for kind in KINDS:
        assert len(list(read_files(write(tmp_path / f"a.{kind}.gz", ROWS), streaming=streaming))) == len(ROWS)
    assert asked == [] and datasets.config.HF_UPDATE_DOWNLOAD_COUNTS


def test_names_that_look_like_patterns(tmp_path, streaming):
    folder = tmp_path / ".hidden [1] *"
    folder.mkdir()
    (folder / "other.txt").write_text("not this\n")
    path = write(folder / "a#b [x]?.txt", ROWS[:1])
    assert [row["text"] for row in read_files(path, streaming=streaming)] == [ROWS[0]["text"]]


def test_line_ends_and_byte_order_mark(tmp_path, streaming):
    path = tmp_path / "windows.csv"
    path.write_bytes('\ufefftext,mood\r\n"two\r\nlines",x\r\nlast,y'.encode())
    corpus = read_files(path, attribute_columns=["mood"], streaming=streaming)
    assert list(corpus) == [{"text": "two\nlines", "mood": "x"}, {"text": "last", "mood": "y"}]


def test_limit_constants_and_several_files(tmp_path, streaming):
    one, two = write(tmp_path / "one.txt", ROWS[:2]), write(tmp_path / "two.jsonl", ROWS[2:])
    corpus = read_files([one, two], limit=3, constants={"side": "left"}, streaming=streaming)
    assert [row["text"] for row in corpus] == [row["text"] for row in ROWS[:3]]
    assert {row["side"] for row in corpus} == {"left"} and corpus.attributes == ("side",)


def test_chain(tmp_path, streaming):
    path = write(tmp_path / "a.txt", ROWS)
    left, right = (read_files(path, constants={"side": side}, streaming=streaming) for side in ("left", "right"))
    both = chain(left, right)
    assert list(both) == list(both) == [*left, *right]
    with pytest.raises(ValueError, match="share attributes"):
        chain(left, read_files(path))


def test_attribute_cells_become_strings(tmp_path, streaming):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one", "stars": 5}\n{"text": "two"}\n{"text": "three", "stars": ""}\n')
    corpus = read_files(path, attribute_columns=["stars"], streaming=streaming)
    assert [row["stars"] for row in corpus] == ["5", None, None]


def test_skip_invalid_counts_what_it_drops(tmp_path, streaming, caplog):
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\n\n  \t\n\xff\xfe bad\n" + b"x" * 60 + b"\nalso good\n")
    with caplog.at_level(logging.WARNING):
        corpus = read_files(path, skip_invalid=True, max_chars=50, streaming=streaming)
        assert [row["text"] for row in corpus] == ["good", "also good"]
    assert "dropped 4 lines: 2 empty, 1 not UTF-8, 1 too long" in caplog.text


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"one\n\nthree\n", "line 2 is empty"),
        ("a.txt", b"one\n \t \n", "line 2 is empty"),
        ("a.txt", b"", "has no sentence"),
        ("a.csv", b"", "has no sentence"),
        ("a.csv", b"text,mood\n", "has no sentence"),
        ("a.parquet", b"", "has no sentence"),
        ("a.txt", b"one\ntwo\nthr\xe9e\n", "line 3 is not valid UTF-8"),
        ("a.tsv", b"text\none\ntw\xe9o\n", "line 3 is not valid UTF-8"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "line 1 is not valid UTF-8"),
        ("a.txt", b"short\n" + b"y" * 5001 + b"\n", "line 2 has 5,001 characters, more than max_chars=5000"),
        ("a.csv", b"mood,words\nx,one\n", "no column 'text'; its columns: mood, words"),
        ("a.tsv", b"mood\twords\nx\tone\n", "no column 'text'; its columns: mood, words"),
        ("a.jsonl", b'{"words": "one"}\n', "no column 'text'; its columns: words"),
        ("a.jsonl", b'{"text": "one"}\n{"words": "two"}\n', "line 2 has no 'text'"),
        ("a.csv", b"text,text\none,two\n", "more than one column 'text'"),
        ("a.csv", b'text,mood\n"one,\ntwo",x\n ,x\n', "line 4 is empty"),
        ("a.csv", b"text,mood\none, two,x\n", "line 2 has 3 cells under a header of 2"),
        ("a.csv", b'text,mood\none,x\n"two,x\nthree,x\n', "line 3 begins a malformed row"),
        ("a.jsonl", b'{"text": "one"}\n{"text": 2}\n', "line 2 holds 2 in 'text'"),
        ("a.jsonl", b'{"text": "one"}\n{"text": null}\n', "line 2 is empty"),
        ("a.jsonl", b'{"text": "one"}\n{"text": \n', "line 2 is not a JSON object"),
        ("a.jsonl", b"[\n", "line 1 is not a JSON object"),
        ("a.parquet", b"PAR1 nonsense PAR1", "not a sound parquet file"),
        ("a.txt.gz", gzip.compress(os.urandom(5000))[:2000], "truncated gzip"),
        ("a.parquet.gz", gzip.compress(os.urandom(5000))[:-4], "truncated gzip"),
        ("a.txt.gz", b"one\n", "not a sound gzip file"),
    ],
)
def test_unusable_files(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    fails(path, message)


def test_unusable_parquet(tmp_path):
    fails(write(tmp_path / "a.parquet", [{"words": "one", "mood": "x"}]), "no column 'text'; its columns: words, mood")
    fails(write(tmp_path / "b.parquet", [{"text": 1}]), "row 1 holds 1 in 'text'")
    fails(write(tmp_path / "c.parquet", [{"text": "one"}, {"text": None}]), "row 2 is empty")


def test_a_damaged_parquet_body(tmp_path):
    path = write(tmp_path / "a.parquet", [{"text": f"bird number {number}"} for number in range(1000)])
    data = bytearray(path.read_bytes())
    data[4:40] = b"\xff" * 36
    path.write_bytes(data)
    fails(path, "not a sound parquet file")


def test_attribute_columns_must_exist(tmp_path):
    for kind in KINDS:
        path = write(tmp_path / f"a.{kind}", ROWS)
        fails(path, "no column 'color'; its columns: text", attribute_columns=["color"])


def test_everything_dropped_is_an_error(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n")
    fails(path, "every line was dropped \\(2 empty\\)", skip_invalid=True)


def test_missing_files_and_unknown_kinds(tmp_path):
    write(tmp_path / "herons.txt", ROWS)
    fails(tmp_path / "heron.txt", "near it: herons.txt", FileNotFoundError)
    fails(tmp_path / "nowhere" / "heron.txt", "does not exist", FileNotFoundError)
    fails(tmp_path, "is a folder", FileNotFoundError)
    (tmp_path / "a.docx").write_text("x")
    fails(tmp_path / "a.docx", r"unknown extension '.docx'; known: .txt, .csv, .tsv, .jsonl, .parquet")
    for options, message in [
        ({"limit": 0}, "limit is 0"),
        ({"max_chars": 0}, "max_chars is 0"),
        ({"constants": {"text": "x"}}, "name two columns"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_files(tmp_path / "herons.txt", **options)
    with pytest.raises(ValueError, match="No files"):
        read_files([])


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_read_hub_on_a_local_folder(tmp_path, kind, streaming, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "birds"
    folder.mkdir()
    write(folder / f"train.{kind}", ROWS)
    corpus = read_hub(str(folder), split="train", attribute_columns=["mood"], streaming=streaming)
    assert list(corpus) == list(corpus) == ROWS
    with pytest.raises(ValueError, match="no column 'color'; its columns: text, mood"):
        read_hub(str(folder), split="train", attribute_columns=["color"], streaming=streaming)
    with pytest.raises(ValueError, match="Cannot load split 'test'"):
        list(read_hub(str(folder), split="test", streaming=streaming))


def test_read_hub_names_class_labels(tmp_path, streaming, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    (tmp_path / "set").mkdir()
    data.to_parquet(tmp_path / "set" / "train.parquet")
    corpus = read_hub(str(tmp_path / "set"), split="train", attribute_columns=["label"], streaming=streaming)
    assert [row["label"] for row in corpus] == ["good", "bad", None]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak where Linux keeps it")
def test_streaming_memory_does_not_grow(tmp_path):
    """Ten times the lines, the same peak: in a process of its own, since a peak never falls.

    VmHWM and not ru_maxrss, which a child inherits from the process that started it.
    """
    code = (
        "import re, sys; from textae.data.corpus import read_files; "
        "rows = sum(1 for _ in read_files(sys.argv[1], streaming=True)); "
        r"print(rows, re.search(r'VmHWM:\s*(\d+) kB', open('/proc/self/status').read())[1])"
    )
    peaks = []
    for lines in (40_000, 400_000):
        path = tmp_path / f"{lines}.txt"
        path.write_text("".join(f"heron number {number} stood in the reeds\n" for number in range(lines)))
        output = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
        rows, peak_kb = map(int, output.split())
        assert rows == lines
        peaks.append(peak_kb)
    assert peaks[1] < peaks[0] + 10_000  # KB; the text itself is 16 MB


def test_importing_the_table_loads_nothing_heavy():
    code = "import sys, textae.data; assert not {'torch', 'datasets', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_load_files(tmp_path):
    path = write(tmp_path / "a.txt", ROWS)
    splits = load_files(train=[path, path], valid=path, limit=5)
    assert [len(list(splits[key])) for key in ("train", "valid")] == [5, 4]


@pytest.mark.parametrize("name", ["tatoeba", "ptb", "yelp", "sst"])
def test_named_sets_say_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXTAE_DATA", raising=False)
    with pytest.raises(ValueError, match=f"TEXTAE_DATA to the folder that holds {name}/"):
        DATASETS[name]()
    monkeypatch.setenv("TEXTAE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"has no {name}/"):
        DATASETS[name]()


@pytest.mark.data
@pytest.mark.skipif("TEXTAE_DATA" not in os.environ, reason="TEXTAE_DATA is not set")
@pytest.mark.parametrize(
    ("name", "sizes", "attribute"),
    [
        ("tatoeba", {"train": 179_869, "valid": 10_000}, None),
        ("ptb", {"train": 42_068, "valid": 3_370}, None),
        ("yelp", {"train": 251_755, "valid": 4_000}, {"negative", "positive"}),
        ("sst", {"train": 6_920, "valid": 872}, {"negative", "positive"}),
    ],
)
def test_named_sets(name, sizes, attribute):
    splits = DATASETS[name](streaming=True)
    assert {key: sum(1 for _ in splits[key]) for key in sizes} == sizes
    for corpus in splits.values():
        for row in list(corpus)[:10]:
            assert row["text"] == row["text"].strip() and set(row) == {"text", *corpus.attributes}
    if attribute:
        assert {row["sentiment"] for row in splits["valid"]} == attribute
