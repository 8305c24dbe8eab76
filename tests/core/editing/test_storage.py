"""The file of attributes: what is read is what was written, and anything else is refused."""

import json
import os
import stat

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from textae.core.editing import EDITORS, AttributeCodes, edit_codes
from textae.core.editing.storage import FILE, KEY


@pytest.fixture
def folder(fitted, tmp_path):
    fitted.save(tmp_path)
    return tmp_path


def rewrite(folder, change):
    """Save the file again with other tensors or another description."""
    with safe_open(folder / FILE, framework="pt") as file:
        content = json.loads(file.metadata()[KEY])
    tensors = load_file(folder / FILE)
    change(content, tensors)
    save_file(tensors, folder / FILE, {KEY: json.dumps(content)})


def test_loading_gives_back_what_was_saved(fitted, labelled, folder):
    loaded = AttributeCodes.load(folder)
    z = labelled[0][:20]
    for name, attribute in fitted.attributes.items():
        other = loaded[name]
        for field in ("values", "counts", "l2", "accuracy", "mlp_accuracy", "majority"):
            assert getattr(attribute, field) == getattr(other, field)
        for kind in ("probe", "mlp"):
            assert torch.equal(fitted.logits(z, name, kind), loaded.logits(z, name, kind))
    assert loaded.scale == fitted.scale and loaded.num_examples == fitted.num_examples
    assert torch.equal(loaded.within, fitted.within) and torch.equal(loaded.mean, fitted.mean)
    for method in EDITORS:
        targets = {"tense": "past", "mood": "good"}
        assert torch.equal(edit_codes(fitted, z, targets, method), edit_codes(loaded, z, targets, method))


def test_the_file_appears_whole_and_for_everybody(fitted, folder):
    assert [p.name for p in folder.iterdir()] == [FILE]
    if os.name == "posix":
        assert stat.S_IMODE((folder / FILE).stat().st_mode) & 0o400
    before = (folder / FILE).read_bytes()
    assert fitted.save(folder) == folder / FILE and (folder / FILE).read_bytes() == before


def test_a_failed_write_leaves_the_old_file(fitted, folder):
    """The limit on the size of files fails where a full disk does."""
    import resource

    before = (folder / FILE).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="could not write .*File too large"):
            fitted.save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / FILE).read_bytes() == before and len(list(folder.iterdir())) == 1


def test_there_must_be_a_folder_and_a_file(fitted, tmp_path):
    with pytest.raises(ValueError, match="no folder .*of the model"):
        fitted.save(tmp_path / "none")
    with pytest.raises(ValueError, match="has no attributes.safetensors: fit attributes"):
        AttributeCodes.load(tmp_path)


@pytest.mark.parametrize("cut", [0, 5, 200, -40])
def test_truncated_files_are_refused(folder, cut):
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(data[:cut])
    with pytest.raises(ValueError, match="damaged or truncated"):
        AttributeCodes.load(folder)


def drop(name):
    return lambda content, tensors: tensors.pop(name)


def put(name, value):
    return lambda content, tensors: tensors.update({name: value})


def say(key, value, of_attribute=False):
    return lambda content, tensors: (content["attributes"][0] if of_attribute else content).update({key: value})


def forget(key, of_attribute=False):
    return lambda content, tensors: (content["attributes"][0] if of_attribute else content).pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("mean"), "lacks mean"),
        (drop("0.means"), "lacks 0.means"),
        (drop("1.mlp.hidden_bias"), "lacks 1.mlp.hidden_bias"),
        (put("2.means", torch.zeros(2, 5)), "holds the unexpected 2.means"),
        (put("within", torch.zeros(5, 4)), "within is torch.float32 of shape (5, 4), not float32 of shape (5, 5)"),
        (put("0.probe.bias", torch.zeros(3, dtype=torch.float64)), "0.probe.bias is torch.float64"),
        (put("0.probe.weight", torch.full((3, 5), float("nan"))), "0.probe.weight holds numbers that are not finite"),
        (say("format", 2), "its format is 2 and this version reads 1"),
        (say("scale", 0.0), "scale 0.0"),
        (say("attributes", []), "holds no attributes"),
        (say("attributes", 3), "cannot be read"),
        (forget("format"), "cannot be read"),
        (forget("values", True), "cannot be read"),
        (say("values", ["bad", "flat"], True), "has the counts"),
        (say("values", ["bad", "bad", "good"], True), "has the values"),
        (say("counts", [1, 0, 2], True), "has the counts"),
        (say("accuracy", "high", True), "accuracy of 'mood' is 'high'"),
        (say("name", "tense", True), "not sorted by different names"),
    ],
)  # fmt: skip
def test_altered_files_are_refused(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ValueError) as error:
        AttributeCodes.load(folder)
    assert message in str(error.value) and str(folder) in str(error.value)


def test_other_tensors_are_no_attributes(folder):
    save_file({"mean": torch.zeros(3)}, folder / FILE)
    with pytest.raises(ValueError, match="no file of attributes"):
        AttributeCodes.load(folder)
