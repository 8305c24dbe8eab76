"""`textae judge`: train on files and data sets, score sentences, measure edits; by what is written and said."""

import json

import pytest
from typer.testing import CliRunner

from apps.judging import app, evaluate_edits, fluency_model, open_judge, read_splits, save_judge, train_judge
from textae.ngram import TrigramLM

THINGS = ["soup", "room", "driver", "garden", "coat", "music"]
ROWS = [
    (f"the {t} was {a} .", m)
    for t in THINGS
    for m, words in {"bad": ["awful", "rude"], "good": ["kind", "warm"]}.items()
    for a in words
]


def write(path, rows, header="text\tmood"):
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    return path


@pytest.fixture
def files(tmp_path):
    train = write(tmp_path / "train.tsv", [*ROWS, ("nobody knows .", "")])
    valid = write(
        tmp_path / "valid.tsv",
        [("a warm lamp .", "good"), ("an awful lamp .", "bad"), ("a rude lamp .", "bad"), ROWS[0]],
    )
    return ["--train-file", str(train), "--valid-file", str(valid), "--attribute", "mood"]


def invoke(*words, **more):
    return CliRunner().invoke(app, [str(word) for word in words], **more)


def test_train_writes_a_judge_and_its_card(files, tmp_path):
    done = invoke("train", *files, "-o", tmp_path / "judge", "--seed", 3)
    assert done.exit_code == 0, done.output
    assert (
        "100.00 % of 4 held-out sentences right" in done.output
        and "1 of 25 sentences have no such label" in done.output
    )
    card = json.loads((tmp_path / "judge" / "card.json").read_text())
    assert (card["kind"], card["attribute"], card["values"], card["seed"]) == ("ngram", "mood", ["bad", "good"], 3)
    assert (card["num_train"], card["num_valid"], card["accuracy"]) == (24, 4, 100.0)
    assert card["confusion"] == {"bad": {"bad": 3, "good": 0}, "good": {"bad": 0, "good": 1}}
    assert card["valid_seen_in_train"] == 0.25
    assert (
        card["command"].startswith("textae ")
        and card["date"]
        and card["hardware"]
        and card["sentences_per_cpu_second"] > 0
    )
    assert "no method may ask it" in card["role"] and str(tmp_path / "train.tsv") in card["data"]
    again = invoke("train", *files, "-o", tmp_path / "judge")  # over an older judge
    assert again.exit_code == 0


def test_train_on_some_of_the_values(tmp_path):
    rows = [*ROWS, *((f"the {t} was gray .", "plain") for t in THINGS)]
    train, valid = write(tmp_path / "a.tsv", rows), write(tmp_path / "b.tsv", rows[::3])
    words = ["train", "--train-file", train, "--valid-file", valid, "--attribute", "mood", "-o", tmp_path / "judge"]
    assert invoke(*words).exit_code == 0 and open_judge(tmp_path / "judge").values == ["bad", "good", "plain"]
    assert invoke(*words, "--values", "good, plain").exit_code == 0
    assert open_judge(tmp_path / "judge").values == ["good", "plain"]
    assert "no sentence with the value 'god': did you mean 'good'" in str(
        invoke(*words, "--values", "god,bad").exception
    )


def test_score(files, tmp_path):
    invoke("train", *files, "-o", tmp_path / "judge")
    (tmp_path / "in.txt").write_text("the lamp was rude .\nthe lamp was warm .\nthe lamp was kind .\n")
    done = invoke("score", tmp_path / "judge", tmp_path / "in.txt")
    assert done.exit_code == 0, done.output
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [
        ("bad", "the lamp was rude ."),
        ("good", "the lamp was warm ."),
        ("good", "the lamp was kind ."),
    ]
    assert all(0.5 < float(row[1]) <= 1 for row in rows)
    assert "bad: 1 of 3 (33.3 %)" in done.stderr and "good: 2 of 3" in done.stderr
    done = invoke(
        "score", tmp_path / "judge", tmp_path / "in.txt", "--json", "--wanted", "good", "-o", tmp_path / "out.jsonl"
    )
    assert done.stdout == "" and done.stderr.splitlines() == ["good: 2 of 3 (66.7 %)"]
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows[0]["value"] == "bad" and sum(rows[0]["probabilities"].values()) == pytest.approx(1)


BAD = {
    "nothing to learn from": ([], "say what to learn from"),
    "a file alone": (["--train-file", "{train}"], "say what to learn from"),
    "both": (["--data", "yelp", "--train-file", "{train}"], "not both"),
    "unknown data": (["--data", "yelb"], "did you mean 'yelp'"),
    "files by name": (["--data", "files"], "there is no named data set 'files'"),
    "reader": (
        ["--train-file", "{train}", "--valid-file", "{train}", "--kind", "bag"],
        "there is no kind of judge 'bag'",
    ),
    "no column": (["--train-file", "{train}", "--valid-file", "{other}"], "mood"),
    "other values": (
        ["--train-file", "{train}", "--valid-file", "{sad}"],
        "value 'sad', which no training sentence has",
    ),
    "one class": (["--train-file", "{one}", "--valid-file", "{one}"], "at least two classes"),
    "no labels": (["--train-file", "{none}", "--valid-file", "{train}"], "has no labelled sentence"),
    "a folder of something": (
        ["--train-file", "{train}", "--valid-file", "{train}", "-o", "{folder}"],
        "holds other things",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_train_names_mistakes(case, tmp_path):
    places = {
        "train": write(tmp_path / "train.tsv", ROWS),
        "other": write(tmp_path / "other.tsv", ROWS, header="text\tcolor"),
        "sad": write(tmp_path / "sad.tsv", [("the lamp was dim .", "sad")]),
        "one": write(tmp_path / "one.tsv", ROWS[:2]),
        "none": write(tmp_path / "none.tsv", [("the lamp was dim .", "")]),
        "folder": tmp_path,
    }
    words, message = BAD[case]
    words = ["train", "--attribute", "mood", "-o", tmp_path / "judge", *(w.format(**places) for w in words)]
    failed = invoke(*words)
    assert isinstance(failed.exception, ValueError) and message in str(failed.exception)
    assert not (tmp_path / "judge").exists()


def test_score_names_mistakes(files, tmp_path):
    invoke("train", *files, "-o", tmp_path / "judge")
    (tmp_path / "in.txt").write_text("the lamp was rude .\n")
    assert "holds no classifier" in str(invoke("score", tmp_path, tmp_path / "in.txt").exception)
    assert "no value 'god': did you mean 'good'" in str(
        invoke("score", tmp_path / "judge", tmp_path / "in.txt", "--wanted", "god").exception
    )


def test_evaluate_edits_takes_folders_and_is_json(tmp_path):
    texts, labels = zip(*ROWS, strict=True)
    splits = {"train": (texts, labels), "valid": (texts, labels), "data": "ours", "labels": "by hand"}
    judge, card = train_judge(splits, "ngram", "mood")
    save_judge(judge, card, tmp_path / "judge")
    lm = TrigramLM.fit(texts)
    sources = [t for t, v in ROWS if v == "bad"]
    edits = [t.replace("awful", "kind").replace("rude", "warm") for t in sources]
    options = {"references": edits, "excluded": ["awful", "rude", "kind", "warm"], "resamples": 20}
    figures = evaluate_edits(sources, edits, "good", {"n": tmp_path / "judge"}, lm, **options)
    assert figures["accuracy"] == figures["exact_match"] == figures["content_overlap"] == 100
    assert figures == evaluate_edits(sources, edits, "good", {"n": judge}, lm, **options)
    assert json.loads(json.dumps(figures))["intervals"]["accuracy"] == [100, 100]
    with pytest.raises(ValueError, match="there is no named data set"):
        evaluate_edits(sources, edits, "good", {"n": judge}, "files")


@pytest.mark.data
def test_a_data_set_with_the_column():
    splits = read_splits("sst", "sentiment")
    assert [len(splits[s][0]) for s in ("train", "valid")] == [6920, 872]
    assert set(splits["valid"][1]) == {"negative", "positive"} and splits["data"] == "sst"
    judge, card = train_judge(splits, "ngram", "sentiment")
    assert 78 < card["accuracy"] < 90 and card["accuracy"] == judge.accuracy(*splits["valid"])


@pytest.mark.data
def test_the_language_model_of_a_data_set():
    assert len(fluency_model("sst").ids) > 3000


@pytest.mark.slow
@pytest.mark.data
def test_yelp_sentiment_is_judged_right():
    """Measured: 96.98 % (n-grams; deterministic)."""
    _, card = train_judge(read_splits("yelp", "sentiment"), "ngram", "sentiment")
    assert card["accuracy"] > 96.5


@pytest.mark.data
def test_a_data_set_without_the_column_is_labelled():
    splits = read_splits("sst", "tense", ("past", "present"))
    assert splits["labels"] == "textae.labels.LABELERS['tense']"
    texts, labels = splits["train"]
    assert set(labels) == {"past", "present"} and 2000 < len(texts) < 6920
    with pytest.raises(ValueError, match="sst has no attribute 'color' and nobody labels it: Known: sentiment, tense"):
        read_splits("sst", "color")


def test_a_file_of_edits_is_measured(tmp_path, monkeypatch):
    """What `textae edit --json` writes goes into `evaluate --edits`; everything else is one sentence."""
    import json

    from apps import judging
    from textae.classifiers.ngram import NgramClassifier
    from textae.ngram import TrigramLM

    texts = ["i hate mud .", "i love tea .", "we hate dust .", "we love rain ."] * 5
    NgramClassifier.train(texts, ["negative", "positive"] * 10).save(tmp_path / "judge")
    monkeypatch.setattr(judging, "fluency_model", lambda name: TrigramLM.fit(texts))
    edits = [{"source": "i hate mud .", "text": "i love mud .", "wanted": {"sentiment": "positive"}}, {"source": "we hate dust .", "text": "we hate dust .", "wanted": {"sentiment": "positive"}}]
    file = tmp_path / "edits.jsonl"
    file.write_text("\n".join(map(json.dumps, edits)) + "\n")
    (tmp_path / "references.txt").write_text("i love mud .\nwe love dust .\n")
    found = judging.measure_edits(file, [str(tmp_path / "judge")], "ours", tmp_path / "references.txt")
    assert found["attribute"] == "sentiment" and found["num_edits"] == 2 and found["accuracy_by_judge"] == {"judge": 50.0}
    assert found["exact_match"] == 50.0 and found["unchanged"] == 50.0
    with pytest.raises(ValueError, match="--judge FOLDER"):
        judging.measure_edits(file, [], "ours")
    for broken in ("nonsense", '{"source": "a"}', '{"source": "a", "text": "b", "wanted": {"x": "1", "y": "2"}}'):
        file.write_text(json.dumps(edits[0]) + "\n" + broken + "\n")
        with pytest.raises(ValueError, match="line 2: not an edit of one attribute"):
            judging.measure_edits(file, [str(tmp_path / "judge")], "ours")
    file.write_text("")
    with pytest.raises(ValueError, match="no edits"):
        judging.measure_edits(file, [str(tmp_path / "judge")], "ours")
