"""`textae label` on every format, and labelers in configs."""

import csv
import gzip
import json
import os
import subprocess
import sys

import pytest

from apps import cli
from apps.catalog import ROOT
from apps.labeling import label, summary
from apps.modalities import text
from apps.settings import resolve
from textae.data.corpus import read_files

ROWS = [
    {"text": 'She said "no", and left.', "id": "1", "mood": "calm"},
    {"text": "the food is wonderful !", "id": "2", "mood": ""},
    {"text": "Wir werden sehen.", "id": "3", "mood": "ça va"},
    {"text": "We will hate it.", "id": "4", "mood": "grim"},
]
LABELS = [("past", None), ("present", "positive"), ("other", None), ("future", "negative")]


def write(path, ending):
    """The rows as a file of a kind; gives the columns it has beside the text."""
    names = list(ROWS[0])
    if ending == "txt":
        path.write_text("".join(f"{row['text']}\n" for row in ROWS))
        return []
    if ending == "jsonl":
        path.write_text("".join(json.dumps({**row, "id": int(row["id"])}) + "\n" for row in ROWS))
    elif ending == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([names, *([row[n] for n in names] for row in ROWS)])
    elif ending == "tsv":
        path.write_text(
            "".join("\t".join(cells) + "\n" for cells in [names, *([row[n] for n in names] for row in ROWS)])
        )
    else:
        import pyarrow as pa
        import pyarrow.parquet

        pa.parquet.write_table(pa.Table.from_pylist(ROWS), path)
    return names[1:]


@pytest.mark.parametrize("out", ["jsonl", "tsv", "csv"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", ["txt", "jsonl", "csv", "tsv", "parquet"])
def test_every_format_keeps_its_columns_and_gets_labels(ending, packed, out, tmp_path):
    source = tmp_path / f"in.{ending}"
    columns = write(source, ending)
    if packed:
        (tmp_path / f"in.{ending}.gz").write_bytes(gzip.compress(source.read_bytes()))
        source = tmp_path / f"in.{ending}.gz"
    counts = label(source, ["tense", "sentiment"], tmp_path / f"out.{out}")
    again = list(read_files(tmp_path / f"out.{out}", attribute_columns=[*columns, "tense", "sentiment"]))
    assert [row["text"] for row in again] == [row["text"] for row in ROWS]
    assert [(row["tense"], row["sentiment"]) for row in again] == LABELS
    for name in columns:
        assert [row[name] or "" for row in again] == [row[name] for row in ROWS]
    assert counts["tense"] == {"past": 1, "present": 1, "future": 1, "other": 1} and counts["sentiment"][None] == 2
    assert not list(tmp_path.glob(".*"))


def test_json_values_keep_their_types(tmp_path):
    rows = [{"text": "I ran.", "id": 7, "ok": True, "tags": ["a", "b"], "none": None}, {"text": "I run.", "extra": 1.5}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    label(tmp_path / "in.jsonl", ["tense"], tmp_path / "out.jsonl")
    back = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert back == [{**rows[0], "tense": "past"}, {**rows[1], "tense": "present"}]
    with pytest.raises(ValueError, match="row 2 .* 'extra', which the first row has not"):
        label(tmp_path / "in.jsonl", ["tense"], tmp_path / "out.csv")


def test_own_cells_stay_and_the_file_can_be_its_own_output(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\ttense\nI ran.\tpresent\nI ran.\t\n")
    label(path, ["tense"], path)
    assert path.read_text() == "text\ttense\nI ran.\tpresent\nI ran.\tpast\n"


def test_a_failure_leaves_the_old_file(tmp_path):
    (tmp_path / "in.txt").write_text("I ran.\n\nI run.\n")
    (tmp_path / "out.csv").write_text("old\n")
    with pytest.raises(ValueError, match="line 2 is empty"):
        label(tmp_path / "in.txt", ["tense"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "old\n" and not list(tmp_path.glob(".*"))


def test_a_tab_does_not_fit_into_tsv(tmp_path):
    (tmp_path / "in.csv").write_text('text,note\nI ran.,"a\tb"\n')
    with pytest.raises(ValueError, match="row 1 .* holds a tab or a line break; write .csv or .jsonl"):
        label(tmp_path / "in.csv", ["tense"], tmp_path / "out.tsv")
    label(tmp_path / "in.csv", ["tense"], tmp_path / "out.csv")
    assert next(iter(read_files(tmp_path / "out.csv", attribute_columns=["note"])))["note"] == "a\tb"


def test_summary_counts_the_common_first(tmp_path):
    (tmp_path / "in.txt").write_text("I ran.\nI ran.\nI run.\n")
    assert (
        summary(label(tmp_path / "in.txt", ["tense", "sentiment"], tmp_path / "o.csv"))
        == "tense: past 2, present 1\nsentiment: none 3"
    )


def run(capsys, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["textae", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


def test_command(capsys, monkeypatch, tmp_path):
    (tmp_path / "in.csv").write_text("body\nShe will come.\n")
    out = tmp_path / "out.jsonl"
    code, _, err = run(
        capsys, monkeypatch, "label", tmp_path / "in.csv", "--attributes", "tense", "--column", "body", "-o", out
    )
    assert code == 0 and "future 1" in err
    assert json.loads(out.read_text()) == {"body": "She will come.", "tense": "future"}


BAD = {
    "unknown attribute": (["{in}", "--attributes", "tense,sentimant", "-o", "{tmp}/o.csv"], "did you mean 'sentiment'"),
    "no attribute": (["{in}", "--attributes", ",", "-o", "{tmp}/o.csv"], "at least one"),
    "ending": (["{in}", "-o", "{tmp}/o.xlsx"], ".jsonl, .tsv, .csv"),
    "no file": (["{tmp}/inn.txt", "-o", "{tmp}/o.csv"], "near it: in.txt"),
    "no column": (["{in}", "--column", "body", "-o", "{tmp}/o.csv"], "'body'"),
    "no folder": (["{in}", "-o", "{tmp}/no/o.csv"], "could not write"),
    "empty": (["{tmp}/empty.jsonl", "-o", "{tmp}/o.csv"], "no sentence"),
    "text called tense": (["{tmp}/tense.csv", "--column", "tense", "-o", "{tmp}/o.csv"], "rename it"),
    "two columns of a name": (["{tmp}/twice.csv", "-o", "{tmp}/o.csv"], "more than one column 'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case, capsys, monkeypatch, tmp_path):
    for name, content in {
        "in.txt": "I ran.\n",
        "empty.jsonl": "",
        "tense.csv": "tense\nI ran.\n",
        "twice.csv": "text,a,a\nx,1,2\n",
    }.items():
        (tmp_path / name).write_text(content)
    words = [w.replace("{in}", str(tmp_path / "in.txt")).replace("{tmp}", str(tmp_path)) for w in BAD[case][0]]
    code, _, err = run(capsys, monkeypatch, "label", *words)
    assert code == 1 and BAD[case][1] in err and len(err.strip().splitlines()) == 1, err
    assert not list(tmp_path.glob("*o.*"))


YAML = """\
model: {{name: rnn, embedding_dim: 8, hidden_dim: 8, encoder_hidden_dim: 8, latent_dim: 2, attribute_dim: 2}}
tokenizer: {{vocab_size: 300, min_frequency: 1}}
data: {{name: files, train: {folder}/train.txt, valid: {folder}/train.txt, batch_size: 4, labelers: [tense, sentiment]}}
objective: {{reconstruction: , kl: 0.1}}
trainer: {{max_steps: 2, epochs: 1, device: cpu, progress: false, log_every: 1, save_every: 2}}
"""
LINES = ["I loved it.", "She will hate this.", "They are here.", "a red door"] * 3


@pytest.fixture
def config(tmp_path):
    (tmp_path / "train.txt").write_text("\n".join(LINES) + "\n")
    (tmp_path / "config.yaml").write_text(YAML.format(folder=tmp_path))
    return tmp_path / "config.yaml"


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_labelers_in_a_config_condition_the_model(config, tmp_path, streaming):
    from apps.catalog import open_space
    from apps.run import train

    folder = train(resolve(config, [f"out={tmp_path / 'run'}", f"data.streaming={streaming}"]))
    space = open_space(str(folder), device="cpu")
    assert space.processor.attributes == {
        "sentiment": ["negative", "positive"],
        "tense": ["past", "present", "future", "other"],
    }
    assert len(space.sample(2, seed=0, max_new_tokens=4, attributes={"tense": "past"})) == 2


@pytest.mark.parametrize("streaming", [False, True])
def test_batches_carry_what_the_labelers_say(config, streaming):
    settings = resolve(config, [f"data.streaming={str(streaming).lower()}", "data.attribute_drop=0"])
    splits, processor = text.load(settings, seed=0)
    rows = [
        row
        for batch in splits.train.epoch(0)
        for row in zip(batch["labels"], batch["attributes"].tolist(), strict=True)
    ]
    assert len(rows) == len(LINES)
    expected = {"I loved it.": [1, 0], "She will hate this.": [0, 2], "They are here.": [-1, 1], "a red door": [-1, 3]}
    for labels, attributes in rows:  # columns: sentiment, tense
        sentence = processor.decode(labels[labels >= 0][None])[0]
        assert attributes == expected[sentence]


def test_own_columns_win_over_labelers(config, tmp_path):
    (tmp_path / "own.tsv").write_text("text\ttense\nI ran.\tfuture\nI ran.\t\n")
    words = [f"data.train={tmp_path / 'own.tsv'}", "data.valid=null", "data.labelers=[tense]", "data.attribute_drop=0"]
    listed = [*words, "data.attributes={tense: [past, present, future, other]}"]
    for overrides, expected in ((listed, [0, 2]), (words, [0, 0])):  # a column that is not listed is not read
        splits, _ = text.load(resolve(config, overrides), seed=0)
        assert (
            sorted(batch for part in splits.train.epoch(0) for batch in part["attributes"][:, 0].tolist()) == expected
        )


def test_a_named_set_keeps_its_own_attribute(config, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "sst"
    folder.mkdir(parents=True)
    for name in ("train", "dev"):
        with gzip.open(folder / f"binary.{name}.txt.gz", "wt") as file:
            file.write("0 i love the bird\n1 we hated a stone\n")  # against what a lexicon says
    monkeypatch.setenv("TEXTAE_DATA", str(tmp_path / "data"))
    words = ["data={name: sst, labelers: [tense, sentiment], attribute_drop: 0, batch_size: 2}"]
    settings = YAML.format(folder=tmp_path).splitlines()
    config.write_text("\n".join(line for line in settings if not line.startswith("data:")) + "\n")
    splits, processor = text.load(resolve(config, words), seed=0)
    (batch,) = splits.valid.epoch(0)
    assert list(processor.attributes) == ["sentiment", "tense"]
    found = {
        processor.decode(ids[ids >= 0][None])[0]: row
        for ids, row in zip(batch["labels"], batch["attributes"].tolist(), strict=True)
    }
    assert found == {"i love the bird": [0, 1], "we hated a stone": [1, 0]}


def test_a_set_of_the_hub_is_labelled(config, tmp_path, monkeypatch):
    """A local folder stands for one, as `load_dataset` allows."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    (tmp_path / "hub").mkdir()
    for split in ("train", "validation"):
        (tmp_path / "hub" / f"{split}.csv").write_text("text\nI ran.\nWe will go.\n")
    lines = [line for line in config.read_text().splitlines() if not line.startswith("data:")]
    config.write_text("\n".join(lines) + "\n")
    words = [f"data={{name: hub, repo: {tmp_path / 'hub'}, labelers: [tense], attribute_drop: 0, streaming: true}}"]
    splits, _ = text.load(resolve(config, words), seed=0)
    for batches in (splits.train, splits.valid):
        assert sorted(value for batch in batches.epoch(0) for value in batch["attributes"][:, 0].tolist()) == [0, 2]


def test_few_labels_stand_in_every_batch(config):
    """`labelled` hides all others, `labelled_per_batch` adds rows behind those whose labels are hidden."""
    settings = resolve(config, ["data.labelers=[tense]", "data.labelled=4", "data.labelled_per_batch=3", "data.attribute_drop=0"])
    splits, _ = text.load(settings, seed=0)
    values = [batch["attributes"][:, 0].tolist() for batch in splits.train.epoch(0)]
    assert all(row[:-3] == [-1] * (len(row) - 3) and min(row[-3:]) >= 0 for row in values) and len(values) == 3
    known = [v for batch in splits.train.clean().epoch(0) for v in batch["attributes"][:, 0].tolist() if v >= 0]
    assert len(known) == 4, "four labels in all"


BAD_CONFIGS = {
    "a part of a label": ("data.labelled=0", "data.labelled"),
    "labels of a stream": ("data={name: files, train: x, streaming: true, labelers: [tense], labelled_per_batch: 2}", "leave out data.streaming"),
    "unknown": ("data.labelers=[tens]", "did you mean 'tense'"),
    "no list": ("data.labelers=tense", "must list names"),
    "a mapping inside": ("data.labelers=[{tense: x}]", "must list names"),
    "empty": ("data.labelers=[]", "at least one"),
    "twice": ("data.labelers=[tense,tense]", "named twice"),
    "a value missing": ("data.attributes={tense: [past, present]}", "lacks future, other"),
}


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_labelers_that_cannot_be(case, config):
    override, says = BAD_CONFIGS[case]
    with pytest.raises(ValueError, match=says):
        resolve(config, [override])


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak is read from /proc")
def test_many_times_the_lines_take_no_more_memory(tmp_path):
    script = (
        "from pathlib import Path\nfrom apps.labeling import label\nlabel(Path('in.txt'), ['tense'], Path('out.csv'))\n"
    )
    script += "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024)"
    peaks = []
    for lines in (40_000, 160_000):
        (tmp_path / "in.txt").write_text("".join(f"She bought {i} red apples.\n" for i in range(lines)))
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks.append(float(done.stdout))
    assert peaks[1] < 1.1 * peaks[0], peaks
