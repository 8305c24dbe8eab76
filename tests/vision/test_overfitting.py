"""A narrow code cannot copy what it was not trained on; a code as wide as the image learns to."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from vision.data.images import ImageSet
from vision.overfitting import narrow_code

PIXELS = np.rint(load_digits().images / 16 * 255).astype(np.uint8)[..., None]
TRAIN, TEST = ImageSet(PIXELS[:100]), ImageSet(PIXELS[1200:1400])


def test_a_wide_code_copies_and_a_narrow_one_does_not():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    foreign = {"inverted": ImageSet(255 - TEST.images)}
    narrow, middle, wide = narrow_code(TRAIN, TEST, foreign, widths=[2, 24, 128], steps=150, lr=1e-2)
    assert torch.equal(torch.get_rng_state(), before)
    assert (narrow.width, middle.width, wide.width) == (2, 24, 128)
    assert narrow.train_error > middle.train_error > wide.train_error
    assert all(row.test_error > row.train_error > 0 for row in (narrow, middle, wide))
    assert set(wide.copied) == {"shuffled", "noise", "inverted"}
    for kind in wide.copied:
        assert narrow.copied[kind] < 0.25 and wide.copied[kind] > narrow.copied[kind] + 0.08
    assert wide.copied["shuffled"] > 0.4 > 4 * narrow.copied["shuffled"]
    assert narrow.noise_kept > middle.noise_kept < wide.noise_kept  # too narrow blurs, too wide keeps the noise


def test_layers_around_a_narrow_code_learn_by_heart():
    """What the source's claim leaves out: narrowness prevents copying, not memorizing."""
    (row,) = narrow_code(ImageSet(PIXELS[:20]), TEST, widths=[3], hidden_dims=[64], steps=150, lr=1e-2)
    assert row.test_error > 4 * row.train_error


def test_the_widths_go_past_the_image_and_everything_repeats():
    rows = narrow_code(TRAIN, TEST, steps=2)
    assert [r.width for r in rows] == [2, 8, 32, 64, 128]
    assert rows == narrow_code(TRAIN, TEST, steps=2)
    assert rows != narrow_code(TRAIN, TEST, steps=2, seed=1)


def test_foreign_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="letters are 9x8"):
        narrow_code(TRAIN, TEST, {"letters": ImageSet(np.zeros((2, 9, 8, 1), np.uint8))}, widths=[2], steps=1)
