"""Defects are visible, their masks exact, the recipe repeatable; the benchmark ranks maps rightly."""

import numpy as np
import pytest
from scipy.ndimage import label
from sklearn.datasets import load_digits

from vision.data.digits import enlarge
from vision.defects import KINDS, LEAST, SMALLEST, VISIBLE, ground, localization_benchmark, make_defects

DIGITS = enlarge(load_digits().images[:60] / 16)[..., 0]

PUBLISHED_PIXELS, PUBLISHED_SUM = [626, 363, 291, 314, 415], 1959187  # by kind; of all levels


def colored(size=40, num=6):
    """Drawings of two colors on a light ground."""
    rng = np.random.default_rng(0)
    images = np.full((num, size, size, 3), (230, 240, 200), np.uint8)
    for image in images:
        y, x = rng.integers(5, size - 20, 2)
        image[y : y + 15, x : x + 6] = (20, 60, 150)
        image[y : y + 4, x : x + 15] = (200, 30, 40)
    return images


@pytest.mark.parametrize("images", [DIGITS, DIGITS[..., None], colored()], ids=["gray", "one channel", "color"])
def test_the_mask_is_exactly_what_changed_and_all_of_it_is_visible(images):
    made = make_defects(images, seed=1)
    difference = np.abs(made.images.astype(int) - images).reshape(*images.shape[:3], -1).max(-1)
    assert made.images.shape == images.shape and made.images.dtype == np.uint8
    assert np.array_equal(made.masks, difference > 0)
    assert difference[made.masks].min() >= VISIBLE
    for mask in made.masks:
        pieces, _ = label(mask, np.ones((3, 3)))
        assert np.bincount(pieces.ravel())[1:].min() >= SMALLEST
        assert mask.sum() >= LEAST and mask.mean() < 0.25
    assert made.kinds.tolist() == [list(KINDS)[i % 5] for i in range(len(images))]


def test_the_recipe_repeats_itself_and_leaves_the_originals():
    before = DIGITS.copy()
    a, b, other = make_defects(DIGITS, seed=3), make_defects(DIGITS, seed=3), make_defects(DIGITS, seed=4)
    assert np.array_equal(a.images, b.images) and np.array_equal(a.masks, b.masks) and np.array_equal(DIGITS, before)
    assert (a.masks != other.masks).any((1, 2)).all()
    np.random.seed(9)
    state = np.random.get_state()[1].copy()
    make_defects(DIGITS[:5])
    assert np.array_equal(state, np.random.get_state()[1])


def test_the_published_set_does_not_change():
    """Numbers of the benchmark are comparable only while these bytes stay."""
    made = make_defects(DIGITS, seed=0)
    assert [int(made.masks[k::5].sum()) for k in range(5)] == PUBLISHED_PIXELS
    assert int(made.images.astype(np.int64).sum()) == PUBLISHED_SUM


def test_each_kind_does_what_it_says():
    images = colored()
    backdrop = ground(images[0])
    assert backdrop.tolist() == [230, 240, 200]
    erased = make_defects(images, kinds=["erase"])
    assert (erased.images[erased.masks] == backdrop).all()
    assert (np.abs(images[erased.masks].astype(int) - backdrop).max(-1) >= VISIBLE).all()
    for name in ("stroke", "blob"):
        made = make_defects(images, kinds=[name])
        for image, mask in zip(made.images, made.masks, strict=True):
            assert len(np.unique(image[mask], axis=0)) == 1  # one color
    pasted = make_defects(images, kinds=["paste"])
    colors = {tuple(c) for c in images.reshape(-1, 3).tolist()}
    assert {tuple(c) for c in pasted.images.reshape(-1, 3).tolist()} == colors  # nothing that no image had
    noisy = make_defects(images, kinds=["noise"])
    assert len(np.unique(noisy.images[noisy.masks], axis=0)) > 50


def test_sizes_grow_with_the_image():
    small, large = make_defects(DIGITS, seed=2), make_defects(DIGITS.repeat(3, 1).repeat(3, 2), seed=2)
    assert 5 < large.masks.sum() / small.masks.sum() < 14


def test_the_benchmark_ranks_an_oracle_above_the_image_above_a_liar():
    made = make_defects(DIGITS, seed=5)
    truth = made.masks.astype(float)
    detectors = {"oracle": lambda x: truth, "pixels": lambda x: np.stack(x) / 255, "liar": lambda x: -truth}
    rows = localization_benchmark(detectors, made)
    assert [(r.name, r.kind) for r in rows[:6]] == [("oracle", k) for k in ("all", *KINDS)]
    whole = {r.name: r for r in rows if r.kind == "all"}
    assert (whole["oracle"].pixel_auroc, whole["oracle"].pro) == pytest.approx((1, 1)) and whole["oracle"].num_images == 60
    assert (whole["liar"].pixel_auroc, whole["liar"].pro) == pytest.approx((0, 0))
    assert 0.4 < whole["pixels"].pixel_auroc < 0.9
    assert {r.num_images for r in rows if r.kind == "blob"} == {12}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_defects(DIGITS / 255), "float64 of shape"),
        (lambda: make_defects(DIGITS[:, :5]), "at least 8 x 8"),
        (lambda: make_defects(DIGITS[:1]), "at least two"),
        (lambda: make_defects(DIGITS, kinds=["blot"]), "no kind of defect 'blot': did you mean 'blob'"),
        (lambda: make_defects(DIGITS, kinds=[]), "name some of paste"),
        (lambda: make_defects(np.zeros((3, 28, 28), np.uint8), kinds=["erase"]), "image 1 has no place where a defect of kind 'erase'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
