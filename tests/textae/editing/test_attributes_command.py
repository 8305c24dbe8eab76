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
