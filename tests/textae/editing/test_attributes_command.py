"""`textae attributes`: what it writes beside a model is what edits read."""

import shutil

import pytest

from apps.attributes import fit_attributes
from textae import LatentSpace
from textae.data import DATASETS
from textae.data.corpus import Corpus

from .conftest import rows


@pytest.fixture
def ours(monkeypatch):
    corpus = Corpus("ours", ("tense", "sentiment"), lambda: iter(rows()))
    monkeypatch.setitem(DATASETS, "ours", lambda: {"train": corpus, "valid": corpus})


def test_it_writes_readers_and_codes(trained, ours, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(trained, model, ignore=shutil.ignore_patterns("readers", "attributes.safetensors"))
    assert not LatentSpace.from_pretrained(model).readers
    found = fit_attributes(str(model), "ours", ["tense", "sentiment"], buckets=500)
    assert [row["attribute"] for row in found] == ["tense", "sentiment"]
    assert all(row["reader"] > 95 and 0 <= row["probe"] <= 100 and row["most_frequent"] < 100 for row in found)
    assert all(row["chance"] == pytest.approx(100 / len(row["values"])) and row["balanced"] >= 0 for row in found)
    space = LatentSpace.from_pretrained(model)
    assert sorted(space.readers) == ["sentiment", "tense"] and space.attribute_codes is not None
    assert list(space.attribute_codes["tense"].values) == ["past", "present", "other"], "in the model's own order"
    assert space.edit("tea I drink .", tense="past").attributes.keys() == {"sentiment", "tense"}


def test_mistakes_are_told(trained, ours):
    with pytest.raises(ValueError, match="no folder"):
        fit_attributes("everyday", "ours", ["tense"])
    with pytest.raises(ValueError, match="nobody labels it"):
        fit_attributes(str(trained), "ours", ["mood"])
    with pytest.raises(ValueError, match="at least one attribute"):
        fit_attributes(str(trained), "ours", [])
    with pytest.raises(ValueError, match="nowhere"):
        fit_attributes(str(trained), "nowhere", ["tense"])


def test_a_tradeoff_is_a_table_and_a_figure(trained, monkeypatch, tmp_path, capsys):
    """`textae judge tradeoff` over two methods and two strengths, judged by a classifier that no method asks."""
    import sys

    from apps import cli, judging
    from textae.classifiers.ngram import NgramClassifier
    from textae.ngram import TrigramLM

    texts = [row["text"] for row in rows()]
    NgramClassifier.train(texts, [row["tense"] for row in rows()]).save(tmp_path / "judge")
    monkeypatch.setattr(judging, "fluency_model", lambda name: TrigramLM.fit(texts))
    (tmp_path / "now.txt").write_text("tea I drink .\nsongs we sing .\nwar you want .\n")
    (tmp_path / "then.txt").write_text("tea I drank .\nsongs we sang .\nwar you wanted .\n")
    words = ["textae", "judge", "tradeoff", str(tmp_path / "now.txt"), "--wanted", "tense=past", "--judge", str(tmp_path / "judge"), "--fluency", "ours",
             "--model", str(trained), "--methods", "condition,offset", "--strengths", "0.5,1", "--references", str(tmp_path / "then.txt"), "-o", str(tmp_path / "t.svg")]  # fmt: skip

    def run(more=()):
        monkeypatch.setattr(sys, "argv", [*words, *more])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code or 0, capsys.readouterr()

    code, said = run()
    assert not code, said.err
    lines = [line.split("|")[1:3] for line in said.out.splitlines() if line.startswith(("| condition", "| offset"))]
    assert [[cell.strip() for cell in line] for line in lines] == [["condition", "0.5"], ["condition", "1"], ["offset", "0.5"], ["offset", "1"]]
    assert (tmp_path / "t.svg").read_text().startswith("<?xml")
    for more, problem in ((["--wanted", "past"], "must look like tense=past"), (["--strengths", "a"], "give numbers"), (["--methods", "magic"], "magic")):
        code, said = run(more)
        assert code == 1 and problem in said.err and "Traceback" not in said.err
