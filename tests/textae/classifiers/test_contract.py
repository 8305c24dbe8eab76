"""What every classifier of the table keeps: it learns, keeps the order, repeats itself, survives the disk, names mistakes."""

import json
import os

import numpy as np
import pytest
import torch

import textae.classifiers.base as base
from textae.classifiers import CLASSIFIERS, JUDGES, classifier_class, load_classifier

pytestmark = pytest.mark.parametrize("kind", CLASSIFIERS)


def test_it_learns(kind, classifiers, make_labeled):
    judge = classifiers[kind]
    assert judge.kind == kind and judge.values == ["bad", "good"]
    texts, labels = make_labeled(100, 2)
    assert judge.accuracy(texts, labels) >= 95
    assert judge.accuracy(texts, ["bad" if v == "good" else "good" for v in labels]) <= 5


def test_probabilities_keep_the_order_and_do_not_depend_on_the_batch(kind, classifiers, make_labeled, monkeypatch):
    judge, (texts, _) = classifiers[kind], make_labeled(30, 3)
    texts = [*texts, "soup", "nothing of this was ever learned", "warm " * 40]
    found = judge.probabilities(texts)
    assert found.shape == (33, 2) and found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(texts))
    assert np.allclose(judge.probabilities([texts[i] for i in order]), found[order], atol=1e-6)
    assert np.allclose(np.concatenate([judge.probabilities([text]) for text in texts]), found, atol=1e-6)
    monkeypatch.setattr(base, "ROWS", 7)
    assert np.allclose(judge.probabilities(texts), found, atol=1e-6)
    assert judge.predict(texts) == [judge.values[i] for i in found.argmax(axis=1)]
    assert judge.probabilities([]).shape == (0, 2) and judge.predict([]) == []


def test_case_and_apostrophes_do_not_matter(kind, classifiers):
    a, b = classifiers[kind].probabilities(["The soup wasn't warm.", "THE SOUP WASN’T WARM."])
    assert (a == b).all()


def test_three_classes(kind, trained, make_labeled):
    values = ("plain", "bad", "good")
    judge = trained(kind, 300, values=values)
    assert judge.values == sorted(values)
    assert judge.accuracy(*make_labeled(90, 4, values)) >= 90
    assert judge.probabilities(["The lamp was so square today."]).shape == (1, 3)


def test_a_seed_decides_and_the_global_generator_is_left_alone(kind, classifiers, trained, make_labeled):
    texts, _ = make_labeled(20, 5)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = trained(kind)
    assert (torch.get_rng_state() == before).all()
    assert (again.probabilities(texts) == classifiers[kind].probabilities(texts)).all()
    other = trained(kind, seed=1).probabilities(texts)
    assert (other == classifiers[kind].probabilities(texts)).all() == (kind == "ngram")  # its loss has one minimum


def test_saved_and_loaded_is_the_same(kind, classifiers, make_labeled, tmp_path):
    judge, (texts, _) = classifiers[kind], make_labeled(20, 6)
    judge.save(tmp_path / "judge")
    judge.save(tmp_path / "judge")  # over itself
    files = sorted(os.listdir(tmp_path / "judge"))
    assert set(files) <= {"classifier.json", "classifier.safetensors", "vocabulary.json"}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loaded = load_classifier(tmp_path / "judge")
    assert (torch.get_rng_state() == before).all()
    assert type(loaded) is type(judge) and loaded.values == judge.values
    assert (loaded.probabilities(texts) == judge.probabilities(texts)).all()
    loaded.save(tmp_path / "again")
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "judge" / name).read_bytes()


def change_json(folder, **changes):
    path = folder / "classifier.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def cut(path):
    path.write_bytes(path.read_bytes()[:40])


def drop_an_array(folder):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / "classifier.safetensors")
    save_file(dict(sorted(arrays.items())[1:]), folder / "classifier.safetensors")


def add_an_array(folder):
    from safetensors.numpy import load_file, save_file

    path = folder / "classifier.safetensors"
    save_file({**load_file(path), "more": np.zeros(1, dtype=np.float32)}, path)


def spoil_an_array(folder):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / "classifier.safetensors")
    name = sorted(arrays)[0]
    arrays[name] = arrays[name] * np.array(np.nan, dtype=arrays[name].dtype)
    save_file(arrays, folder / "classifier.safetensors")


DAMAGE = {
    "no config": (lambda f: (f / "classifier.json").unlink(), "holds no classifier: classifier.json is missing"),
    "config cut": (lambda f: cut(f / "classifier.json"), "classifier.json is damaged"),
    "no weights": (lambda f: (f / "classifier.safetensors").unlink(), "classifier.safetensors is missing"),
    "weights cut": (lambda f: cut(f / "classifier.safetensors"), "classifier.safetensors is damaged"),
    "an array missing": (drop_an_array, "is missing"),
    "an array too many": (add_an_array, "'more' is no part of a classifier of kind"),
    "not finite": (spoil_an_array, "not finite"),
    "other format": (lambda f: change_json(f, format=2), "format 2; this version reads format 1"),
    "other kind": (lambda f: change_json(f, kind="oracle"), "no classifier 'oracle'"),
    "more classes": (lambda f: change_json(f, values=["a", "b", "c"]), "do not fit each other.*must be"),
    "one class": (lambda f: change_json(f, values=["a"]), "no names of classes"),
    "a class twice": (lambda f: change_json(f, values=["a", "a"]), "no names of classes"),
    "no settings": (lambda f: change_json(f, settings={}), "do not fit each other"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_loading_is_strict(kind, damage, classifiers, tmp_path):
    classifiers[kind].save(tmp_path / "judge")
    harm, message = DAMAGE[damage]
    harm(tmp_path / "judge")
    with pytest.raises(ValueError, match=message):
        load_classifier(tmp_path / "judge")


def test_a_kind_does_not_load_another(kind, classifiers, tmp_path):
    other = next(k for k in CLASSIFIERS if k != kind)
    classifiers[other].save(tmp_path / "judge")
    with pytest.raises(ValueError, match=f"of kind '{other}', not '{kind}'"):
        classifier_class(kind).load(tmp_path / "judge")


def test_saving_replaces_nothing_else(kind, classifiers, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other things"):
        classifiers[kind].save(tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        classifiers[kind].save(tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").read_text() == "mine"


BAD_TRAINING = [
    ([], [], "there are no sentences"),
    (["a b", "c d"], ["x", "x"], "at least two classes to tell apart; all labels are 'x'"),
    (["a b", "  "], ["x", "y"], "sentence 2 is empty"),
    (["a b", None], ["x", "y"], "sentence 2 is NoneType, not text"),
    (["a b", "c \ud800"], ["x", "y"], "sentence 2 holds half a character"),
    (["a b", "c d"], ["x", None], "label 2 is None"),
    (["a b", "c d"], ["x"], "1 labels for 2 sentences"),
    ("a b", ["x", "y", "x"], "not one string"),
    (["a b", "c d"], "xy", "not one string"),
]


@pytest.mark.parametrize(("texts", "labels", "message"), BAD_TRAINING)
def test_bad_training_data_is_named(kind, texts, labels, message):
    with pytest.raises(ValueError, match=message):
        classifier_class(kind).train(texts, labels)


def test_bad_questions_are_named(kind, classifiers):
    judge = classifiers[kind]
    for texts, message in ((["a", ""], "sentence 2 is empty"), ("a", "not one string"), ([3], "is int, not text")):
        with pytest.raises(ValueError, match=message):
            judge.probabilities(texts)
    with pytest.raises(ValueError, match="no value 'god': did you mean 'good'"):
        judge.accuracy(["a"], ["god"])
    with pytest.raises(ValueError, match="2 labels for 1 sentences"):
        judge.accuracy(["a"], ["good", "bad"])
    with pytest.raises(ValueError, match="no sentences"):
        judge.accuracy([], [])


def test_the_reader_is_no_judge(kind):
    assert (kind in JUDGES) == (kind != "bag")
    with pytest.raises(ValueError, match="did you mean"):
        classifier_class(f"{kind}s")
