"""Runs on documents: config to model to `textae topics`, on sentences of two kitchens and two stadiums."""

import json
import random

import pytest

from apps.catalog import open_space
from apps.cli import app
from apps.evaluation import evaluate
from apps.run import train
from apps.settings import resolve
from apps.topics import describe

THEMES = {
    "kitchen": "oven bread flour dough butter sugar cake bake recipe spoon".split(),
    "stadium": "goal team match player coach league score ball referee stadium".split(),
}


def write_texts(path, num, seed):
    """Two texts a document, both of one theme."""
    chance = random.Random(seed)
    lines = []
    for i in range(num):
        theme = list(THEMES.values())[i % 2]
        lines += ["the " + " ".join(chance.choices(theme, k=7)) for _ in range(2)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def config_of(folder, *changes, config="text/ptb_topics_prodlda"):
    from apps.catalog import find_config

    data = [f"data.train={write_texts(folder / 'train.txt', 120, 0)}", f"data.valid={write_texts(folder / 'valid.txt', 20, 1)}"]
    small = ["data.name=files", "data.group=2", "data.batch_size=20", "vocabulary.min_df=2", "vocabulary.max_df=0.9", "model.latent_dim=2"]
    run = [f"out={folder / 'run'}", "trainer.device=cpu", "trainer.progress=false", "trainer.epochs=25", "trainer.lr=1e-2"]
    return resolve(find_config(config), [*data, *small, *run, *changes])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("topics")
    return str(train(config_of(folder, "model.dirichlet=0.1", "model.dropout=0")))


def test_planted_topics_are_found_and_judged(model):
    report, spread = describe(model, num_words=6, samples=20, lda_iterations=10, num=40)
    ours, lda = report["models"]
    for row in (ours, lda):
        found = [set(t["words"]) for t in row["topics"]]
        assert sorted(next(n for n, words in THEMES.items() if found[k] <= set(words)) for k in range(2)) == ["kitchen", "stadium"]
        assert row["npmi"] > 0 and row["diversity"] == 1 and sum(t["share"] for t in row["topics"]) == pytest.approx(1)
        assert 9 < row["word_ppl"] < 14, "ten words a theme, drawn evenly: 10 is the best there is"
    assert "120 training documents, 20 of valid, each 2 consecutive texts; 20 words" in report["on"]
    assert len(spread["documents"]) == 40 and spread["method"] == "the code"
    kitchen = {p["topic"] for p in spread["documents"] if set(p["text"].split()) & set(THEMES["kitchen"])}
    assert len(kitchen) == 1, "all documents of a theme have its topic"


def test_evaluate_is_that_of_every_model(model):
    space = open_space(model, "cpu")
    documents = ["oven bread cake", "goal team score ball ball"]
    figures = evaluate(model, documents, samples=10, device="cpu")
    assert figures["num_examples"] == 2 and figures["words"] == 8 and figures["nll"] <= figures["elbo_nll"] + 0.5
    assert figures["word_ppl"] == pytest.approx(2.718281828 ** (figures["nll"] * 2 / 8))
    assert set(space.reconstruct(documents[0], num_words=4).split()) <= set(THEMES["kitchen"])
    assert space.sample(2, seed=0) == space.sample(2, seed=0)
    with pytest.raises(ValueError, match="document 2 has none"):
        space.encode(["oven", "nothing"])


def test_command_writes_report_and_map(model, tmp_path):
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, ["topics", model, "--words", "4", "--samples", "5", "--no-lda", "-n", "30", "-o", str(tmp_path / "t")])
    assert done.exit_code == 0, done.output
    assert "perplexity per word" in done.stdout and "LDA" not in done.stdout
    report = json.loads((tmp_path / "t" / "topics.json").read_text())
    assert len(report["models"][0]["topics"]) == 2 and len(json.loads((tmp_path / "t" / "map.json").read_text())["documents"]) == 30
    assert "<svg" in (tmp_path / "t" / "map.svg").read_text()


def test_a_folder_that_cannot_be_is_refused_before_the_work(model, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from apps import topics as command

    monkeypatch.setattr(command, "describe", lambda *_, **__: pytest.fail("the work was done"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("file", "file/inside/it", "nowhere"):
        done = CliRunner().invoke(app, ["topics", model, "-o", str(tmp_path / name)])
        assert isinstance(done.exception, ValueError) and "is no folder" in str(done.exception), name
    monkeypatch.setattr(command.os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(ValueError, match="cannot be written to"):
        command.check_out(tmp_path / "new" / "deep")
    monkeypatch.undo()
    command.check_out(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists(), "nothing is made before there is something to put in"


def test_the_doctor_measures_documents_and_not_their_sentences(model, monkeypatch):
    """The flaw: single sentences were measured, and one without a known word ended it."""
    from apps.doctor import diagnose, examine
    from apps.modalities import documents

    texts = ["the oven bread flour", "dough butter sugar", "nothing of", "the kind", "goal team match", "player coach league", "cake bake", "recipe spoon"]
    monkeypatch.setattr(documents, "read_split", lambda name, split: (texts, [{} for _ in texts], f"{name}, split {split}"))
    found = diagnose(model, data="own", device="cpu")
    joined = [f"{texts[i]} {texts[i + 1]}" for i in (0, 4, 6)]
    assert found == examine(open_space(model, "cpu"), joined, "own, split valid, as 3 documents of 2") and found.num == 3
    assert diagnose(model, data="own", device="cpu", limit=3).num == 2, "of three documents, one of which has no known word"


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="no model of documents"):
        describe("mnist-ae")


def test_a_deep_model_is_pretrained_layer_by_layer(tmp_path):
    import torch

    from apps.modalities import documents

    small = ["model.hidden_dims=[12]", "model.decoder_dims=[12]", "pretraining.epochs=30", "pretraining.batch_size=10"]
    config = config_of(tmp_path, *small, config="text/ptb_topics_deep")
    splits, processor = documents.load(config, 0)
    from apps.run import make_model

    torch.manual_seed(0)
    model = make_model(config, processor).eval()
    batch = {"counts": torch.cat([b["counts"] for b in splits.valid.epoch(0)])}

    def cost():
        with torch.no_grad():
            return model.nll(model.encode(**batch).mean, **batch)[0].mean().item()

    before, variance = cost(), model.head.logvar.weight.clone()
    documents.prepare(model, config, splits)
    assert cost() < before - 1, "presence of words already tells one theme from the other"
    assert torch.equal(model.head.logvar.weight, variance), "what pretraining knows nothing of stays"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.group=0", "data.group is 0"),
        ("vocabulary.max_df=2", "share of the documents"),
        ("vocabulary.words=3", "no key 'words'"),
        ("data.labelers=[tense]", "no key 'labelers'"),
        ("data.streaming=true", "no key 'streaming'"),
        ("pretraining.kind=rbm", "set model.reads=presence"),
        ("model.mixing=sum", "mixture, product"),
        ("model.code=gaussian", "a prior of shares"),
        ("objective.attribute_code={}", "attribute"),
    ],
)
def test_configs_that_cannot_be_are_refused_before_training(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        train(config_of(tmp_path, change))
