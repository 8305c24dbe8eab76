"""`ImageSet`: choosing and dividing keeps images and labels together."""

import numpy as np
import pytest
import torch

from vision.data.corruption import Corruption, Gaussian
from vision.data.images import ImageSet, as_bytes, as_pixels, check_contrast
from vision.data.transforms import Flip


def make_set(num=40, channels=1, names=("one", "five", "six", "nine"), labels=True):
    """Images that hold their own number in their first pixel, so that each is known again."""
    images = np.random.default_rng(0).integers(0, 256, (num, 4, 5, channels), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(num)
    values = np.random.default_rng(1).integers(0, len(names), num) if labels else None
    return ImageSet(images, values, list(names) if labels else [])


def numbers(image_set):
    return image_set.images[:, 0, 0, 0].tolist()


def test_select_and_limit():
    whole = make_set()
    part = whole.select([7, 3, 3])
    assert numbers(part) == [7, 3, 3] and part.labels.tolist() == whole.labels[[7, 3, 3]].tolist() and len(part) == 3
    assert numbers(whole.limit(3)) == [0, 1, 2] and whole.limit(None) is whole and len(whole.limit(99)) == 40
    assert make_set(labels=False).select([1]).labels is None
    with pytest.raises(ValueError, match="limit is 0"):
        whole.limit(0)


def test_only_keeps_order_and_counts_anew():
    whole = make_set()
    part = whole.only(["six", "one"])
    assert part.label_names == ["six", "one"]
    expected = [i for i in range(40) if whole.label_names[whole.labels[i]] in ("six", "one")]
    assert numbers(part) == expected
    assert [part.label_names[i] for i in part.labels] == [whole.label_names[whole.labels[i]] for i in expected]
    digits = ImageSet(whole.images, whole.labels, ["0", "1", "5", "6"])
    assert digits.only([1, 6]).label_names == ["1", "6"]
    assert digits.only(5).label_names == ["5"] and whole.only("six").label_names == ["six"]
    with pytest.raises(ValueError, match="no label 'sax': did you mean 'six'"):
        whole.only(["sax"])
    with pytest.raises(ValueError, match="no label to keep"):
        whole.only([])
    with pytest.raises(ValueError, match="have no labels"):
        make_set(labels=False).only(["six"])


def test_only_leaves_unknown_labels_out():
    labels = np.array([-1, 0, 1, -1])
    part = ImageSet(make_set(4).images, labels, ["a", "b"]).only(["b", "a"])
    assert numbers(part) == [1, 2] and part.labels.tolist() == [1, 0]


def test_relabelled_keeps_the_names():
    whole = make_set()
    wider = whole.relabelled(["nine", "two", "six", "five", "one"])
    assert [wider.label_names[i] for i in wider.labels] == [whole.label_names[i] for i in whole.labels]
    with pytest.raises(ValueError, match="label 'nine' is unknown"):
        whole.relabelled(["one", "five", "six"])
    unknown = ImageSet(whole.images, np.full(40, -1), whole.label_names)
    assert set(unknown.relabelled(["nine", "two", "six", "five", "one"]).labels) == {-1}


@pytest.mark.parametrize("num", [1, 7, 20, 39])
@pytest.mark.parametrize("labels", [True, False])
def test_hold_out_divides_and_repeats(num, labels):
    whole = make_set(labels=labels)
    stays, held = whole.hold_out(num, seed=3)
    assert len(held) == num and sorted(numbers(stays) + numbers(held)) == list(range(40))
    assert numbers(stays) == sorted(numbers(stays)) and numbers(held) == sorted(numbers(held))
    assert numbers(whole.hold_out(num, seed=3)[1]) == numbers(held)
    if num == 20:
        assert numbers(whole.hold_out(num, seed=4)[1]) != numbers(held)


def test_hold_out_gives_every_label_its_share():
    labels = np.repeat([0, 1, 2, -1], [500, 300, 190, 10])
    images = np.random.default_rng(0).integers(0, 256, (1000, 2, 2, 1), dtype=np.uint8)
    _, held = ImageSet(images, labels, ["a", "b", "c"]).hold_out(100)
    assert np.bincount(held.labels + 1).tolist() == pytest.approx([1, 50, 30, 19], abs=1)


@pytest.mark.parametrize("num", [0, 40, -3])
def test_hold_out_of_nothing_or_all(num):
    with pytest.raises(ValueError, match=f"{num} of 40 images cannot be held out"):
        make_set().hold_out(num)


def test_cut_takes_the_last_ones():
    parts = make_set().cut(9)
    assert numbers(parts["train"]) == list(range(31)) and numbers(parts["valid"]) == list(range(31, 40))
    assert list(make_set().cut(0)) == ["train"]
    for num in (-1, 40, 2.5):
        with pytest.raises(ValueError, match=f"valid_size is {num}; it must be from 0"):
            make_set().cut(num)


def test_map_changes_pixels_alone():
    whole = make_set(channels=3)
    assert np.array_equal(whole.map(lambda x: x).images, whole.images)
    flipped = whole.map(Flip())
    assert np.array_equal(flipped.images, whole.images[:, :, ::-1]) and flipped.labels is whole.labels
    before = torch.random.get_rng_state()
    noisy = [whole.map(Corruption(Gaussian(0.2)), seed=s).images for s in (1, 1, 2)]
    assert np.array_equal(noisy[0], noisy[1]) and not np.array_equal(noisy[0], noisy[2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_bytes_survive_the_way_there_and_back():
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    pixels = as_pixels(every)
    assert pixels.dtype == torch.float32 and pixels.min() == 0 and pixels.max() == 1
    assert np.array_equal(as_bytes(pixels)[0, :, :, 0], every[0, 0].numpy())
    assert as_bytes(torch.tensor([[[[-3.0, 7.0]]]])).ravel().tolist() == [0, 255]
    with pytest.raises(ValueError, match="finite"):
        as_bytes(torch.tensor([[[[float("nan")]]]]))


def test_a_set_without_contrast_is_refused_and_one_picture_is_enough():
    flat = np.broadcast_to(np.arange(2500, dtype=np.uint8)[:, None, None, None], (2500, 4, 4, 1)).copy()
    with pytest.raises(ValueError, match="mine: every image is of a single color"):
        check_contrast(flat, "mine")
    flat[2400, 1, 2] ^= 1  # beyond the first chunk
    check_contrast(flat, "mine")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros((2, 4, 4), np.uint8),), r"must be uint8 of shape \(N, H, W, C\)"),
        ((np.zeros((2, 4, 4, 1)),), "must be uint8"),
        ((np.zeros((2, 4, 4, 2), np.uint8),), "C being 1 or 3"),
        ((np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, np.int64), ["a"]), r"2 images need int64 of shape \(2,\)"),
        ((np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int32), ["a"]), "int32"),
        ((np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1]), ["a"]), "labels reach from 0 to 1"),
        ((np.zeros((2, 4, 4, 1), np.uint8), np.array([0, -2]), ["a"]), "labels reach from -2"),
        ((np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 0]), ["a", "a"]), "name something twice"),
    ],
)
def test_sets_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageSet(*arguments)
