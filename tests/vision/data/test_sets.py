"""Every named data set: what each promises, on the real files where they are there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vision.data import DATASETS
from vision.data.digits import BORDER, _weights, enlarge
from vision.data.images import ImageSet

EMBEDDED = ["digits"]
LOCAL = ["mnist", "faces", "omniglot"]
OWN = ["files", "hub"]  # of the user: tested in test_files
SPLITS = {
    "digits": {"train": 1297, "valid": 200, "test": 300},
    "mnist": {"train": 55_000, "valid": 5_000, "test": 10_000},
    "faces": {"train": 1_300, "valid": 100, "test": 300},
    "omniglot": {"train": 3_388, "valid": 484, "test": 968},
}


def test_every_set_is_tested():
    assert sorted(DATASETS) == sorted([*EMBEDDED, *LOCAL, *OWN])


def keys(image_set):
    return {image.tobytes() for image in image_set.images}


@pytest.mark.parametrize("name", [*EMBEDDED, *(pytest.param(n, marks=pytest.mark.data) for n in LOCAL)])
def test_the_contract_of_a_named_set(name):
    splits = DATASETS[name]()
    assert {split: len(images) for split, images in splits.items()} == SPLITS[name]
    shapes = {images.images.shape[1:] for images in splits.values()}
    assert len(shapes) == 1 and all(isinstance(images, ImageSet) for images in splits.values())
    assert len({tuple(images.label_names) for images in splits.values()}) == 1
    for images in splits.values():
        if images.labels is not None:
            assert set(images.labels) == set(range(len(images.label_names)))
    trained = keys(splits["train"])
    assert not trained & keys(splits["valid"]) and not trained & keys(splits["test"])
    again = DATASETS[name](limit=7)
    assert all(np.array_equal(again[split].images, splits[split].images[:7]) for split in splits)


def test_digits_are_like_mnists():
    splits = DATASETS["digits"]()
    for images in splits.values():
        assert images.images.shape[1:] == (28, 28, 1) and images.label_names == [str(d) for d in range(10)]
        shares = np.bincount(images.labels) / len(images)
        assert shares.min() > 0.09 and shares.max() < 0.11  # every digit in every split
        assert images.images.max() == 255 and images.images[:, :3].max() <= 2 and images.images[:, :, -3:].max() <= 2  # a dark border
    assert 20 < splits["train"].images.mean() < 50  # MNIST: 33


def test_digits_choose():
    splits = DATASETS["digits"](digits=[1, 5, 6])
    full = DATASETS["digits"]()
    for split, images in splits.items():
        assert images.label_names == ["1", "5", "6"]
        assert len(images) == np.isin(full[split].labels, [1, 5, 6]).sum()


def test_enlarging_keeps_light_and_place():
    weights = _weights(8)
    inner = weights[BORDER + 4 : -BORDER - 4]  # where all four neighbours are inside
    assert np.allclose(inner.sum(1), 1)
    assert np.allclose(inner @ np.arange(8), (np.arange(28)[BORDER + 4 : -BORDER - 4] - BORDER + 0.5) / 2.5 - 0.5)  # exact for lines
    assert np.allclose(weights, weights[::-1, ::-1])
    assert np.allclose(_weights(20)[BORDER:-BORDER], np.eye(20))  # nothing to enlarge, nothing changed
    flat = enlarge(np.full((1, 8, 8), 0.4))[0, :, :, 0]
    assert (flat[BORDER + 4 : -BORDER - 4, BORDER + 4 : -BORDER - 4] == 102).all() and flat[0].max() <= 2
    dot = np.zeros((1, 8, 8))
    dot[0, 2, 6] = 1
    found = np.argwhere(enlarge(dot)[0, :, :, 0] > 200)
    assert np.allclose(found.mean(0), [BORDER + 2.5 * 2.5 - 0.5, BORDER + 6.5 * 2.5 - 0.5], atol=0.5)


@pytest.mark.data
def test_mnist_of_the_source_document():
    splits = DATASETS["mnist"](digits=[1, 5, 6], valid_size=0)
    assert {split: len(images) for split, images in splits.items()} == {"train": 18_081, "test": 2_985}
    assert splits["train"].label_names == ["1", "5", "6"]


@pytest.mark.data
def test_mnist_validates_on_the_last_training_images():
    whole, parts = DATASETS["mnist"](valid_size=0), DATASETS["mnist"](valid_size=1000)
    assert len(whole["train"]) == 60_000 and "valid" not in whole
    assert np.array_equal(parts["valid"].images, whole["train"].images[-1000:])
    assert np.array_equal(parts["train"].images, whole["train"].images[:-1000])
    assert np.array_equal(parts["valid"].labels, whole["train"].labels[-1000:])
    chosen = DATASETS["mnist"](digits=[3], valid_size=1000)
    assert np.array_equal(chosen["valid"].images, parts["valid"].only([3]).images)  # the same images whatever the digits
    assert whole["train"].labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert abs(whole["train"].images.mean() / 255 - 0.1307) < 1e-4  # the mean that everyone normalizes with


@pytest.mark.data
def test_omniglot_keeps_drawers_apart():
    splits = DATASETS["omniglot"]()
    assert len(splits["train"].label_names) == 8 and "Greek" in splits["train"].label_names
    greek = splits["train"].only(["Greek"])
    assert len(greek) == 24 * 14  # letters times drawers


@pytest.mark.parametrize("name", LOCAL)
def test_sets_that_are_not_there_say_what_else_to_do(name, monkeypatch):
    monkeypatch.delenv("TEXTAE_DATA", raising=False)
    with pytest.raises(ValueError, match=r"set the environment variable TEXTAE_DATA .* 'files' \("):
        DATASETS[name]()


def test_importing_the_package_loads_no_framework():
    code = "import sys, vision.data; print(sorted({'torch', 'transformers', 'datasets', 'sklearn', 'PIL', 'pyarrow'} & set(sys.modules)))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
