"""Image sets as batches: gathered as a loop would, targets clean, labels where they should stand, resumed exactly."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from vision.data.batching import attribute_values, balanced, in_memory
from vision.data.corruption import Corruption, Gaussian
from vision.data.images import ImageSet
from vision.data.processor import ImageProcessor
from vision.data.transforms import Flip, Identity, Transforms

NOISE, FLIP = Corruption(Gaussian(0.3)), Transforms(Flip())


def make_set(num=53, channels=1, classes=3):
    """Images that hold their own number in their first pixel."""
    images = np.random.default_rng(0).integers(0, 256, (num, 6, 5, channels), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(num) % 256
    return ImageSet(images, np.arange(num) % classes, [str(c) for c in range(classes)])


SET = make_set()
PLAIN, LABELLED = ImageProcessor.of(SET), ImageProcessor.of(SET, labels=True)


def numbers(batch, key="targets"):
    return (batch[key][:, 0, 0, 0] * 255).round().int().tolist()


def same(a, b):
    return len(a) == len(b) and all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in zip(a, b, strict=True))


def seeded_epoch(data, epoch=0, **options):
    """An epoch whose batches are each seeded as the trainer does, by their number."""
    batches, first = data.epoch(epoch, **options), options.get("skip", 0)
    out = []
    for number in range(first, len(data)):
        torch.manual_seed(number)
        out.append(next(batches))
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("invert", [False, True])
def test_batches_are_what_the_processor_makes(channels, invert):
    images = make_set(channels=channels)
    processor = replace(ImageProcessor.of(images, labels=True), invert=invert)
    data = in_memory(images, processor, batch_size=8, seed=3)
    for indices, batch in zip(data.order(1), data.epoch(1), strict=True):
        rows = [{"label": images.label_names[images.labels[i]]} for i in indices]
        assert same([batch], [processor([images.images[i] for i in indices], rows)])


def test_epochs_repeat_and_lose_nobody():
    data = in_memory(SET, PLAIN, batch_size=8, seed=3)
    whole = list(data.epoch(2))
    assert same(list(data.epoch(2)), whole) and not same(list(data.epoch(1)), whole)
    assert sorted(n for batch in whole for n in numbers(batch)) == list(range(53)) and len(whole) == len(data) == 7
    assert same(list(data.epoch(2, skip=4)), whole[4:])
    assert not same(list(in_memory(SET, PLAIN, batch_size=8, seed=4).epoch(2)), whole)
    assert set(whole[0]) == {"pixel_values", "targets"}


def test_without_shuffling_the_order_is_the_sets():
    data = in_memory(SET, PLAIN, batch_size=8, shuffle=False)
    assert [n for batch in data.epoch(5) for n in numbers(batch)] == list(range(53))


@pytest.mark.parametrize(
    "options",
    [
        {"corruption": NOISE},
        {"binarize": "dynamic"},
        {"transforms": Transforms(Identity(), Flip(), mode="random")},
        {"augmentation": Corruption.from_config({"kind": "affine", "rotate": 20})},
        {"labelled": 9, "labelled_per_batch": 5},
        {"attribute_drop": 0.5},
    ],
)
def test_a_resumed_epoch_is_the_tail_of_the_whole(options):
    """With seeded batches, as the trainer draws them."""
    data = in_memory(SET, LABELLED, batch_size=8, seed=3, **options)
    whole = seeded_epoch(data)
    assert same(seeded_epoch(data, skip=3), whole[3:]) and same(seeded_epoch(data), whole)
    clean = list(in_memory(SET, LABELLED, batch_size=8, seed=3).epoch(0))
    assert not same(whole, clean)


def test_processes_share_the_epoch():
    data = in_memory(SET, PLAIN, batch_size=8, seed=3)
    parts = [list(data.epoch(0, rank=r, world=2)) for r in range(2)]
    found = [n for part in parts for batch in part for n in numbers(batch)]
    assert len(parts[0]) == len(parts[1]) == 3 and len(found) == len(set(found))


def test_corruption_leaves_the_target_clean():
    data = in_memory(SET, PLAIN, batch_size=8, shuffle=False, corruption=NOISE)
    for batch in data.epoch(0):
        clean = torch.from_numpy(SET.images[numbers(batch)]).permute(0, 3, 1, 2) / 255
        assert torch.equal(batch["targets"], clean)
        assert (batch["pixel_values"] - clean).abs().mean() > 0.05
    assert same(list(data.clean().epoch(0)), list(in_memory(SET, PLAIN, batch_size=8, shuffle=False).epoch(0)))


def test_augmentation_changes_both_sides_before_the_noise_and_in_training_alone():
    turned = Corruption.from_config({"kind": "affine", "rotate": 20, "shift": 1})
    plain = in_memory(SET, PLAIN, batch_size=8, seed=3)
    data = in_memory(SET, PLAIN, batch_size=8, seed=3, augmentation=turned)
    for batch, original in zip(data.epoch(0), plain.epoch(0), strict=True):
        assert torch.equal(batch["pixel_values"], batch["targets"]) and not torch.equal(batch["targets"], original["targets"])
    assert same(list(data.clean().epoch(0)), list(plain.clean().epoch(0)))
    noisy = in_memory(SET, PLAIN, batch_size=8, seed=3, augmentation=turned, corruption=NOISE)
    for with_noise, without in zip(seeded_epoch(noisy), seeded_epoch(data), strict=True):
        assert torch.equal(with_noise["targets"], without["targets"]) and not torch.equal(with_noise["pixel_values"], with_noise["targets"])


@pytest.mark.parametrize("apply_to", ["both", "input"])
def test_transforms_of_both_sides_or_of_the_input(apply_to):
    flip = Transforms(Flip(), apply_to=apply_to)
    plain = in_memory(SET, PLAIN, batch_size=8, seed=1)
    data = in_memory(SET, PLAIN, batch_size=8, seed=1, transforms=flip)
    for batch, original, clean in zip(data.epoch(0), plain.epoch(0), data.clean().epoch(0), strict=True):
        assert torch.equal(batch["pixel_values"], original["targets"].flip(3))
        assert torch.equal(batch["targets"], original["targets"].flip(3) if apply_to == "both" else original["targets"])
        # The task itself, or nothing but what the input suffers.
        assert same([clean], [batch if apply_to == "both" else original])


def test_noise_comes_after_a_transform_of_both():
    """The other way round, half a watermark could be turned out of the picture."""

    class Stamp:
        def __call__(self, pixels):
            out = pixels.clone()
            out[..., 0] = 1.0
            return out

    data = in_memory(SET, PLAIN, batch_size=8, transforms=FLIP, corruption=Corruption(Stamp()))
    batch = next(data.epoch(0))
    assert (batch["pixel_values"][..., 0] == 1).all() and torch.equal(batch["pixel_values"][..., 1:], batch["targets"][..., 1:])


def test_dynamic_binarization():
    images = np.random.default_rng(0).integers(0, 256, (4, 30, 30, 1), dtype=np.uint8)
    data = in_memory(ImageSet(images), ImageProcessor(1, 30, 30), batch_size=4, shuffle=False, binarize="dynamic")
    torch.manual_seed(0)
    draws = [next(data.epoch(0)) for _ in range(400)]
    mean = torch.stack([draw["targets"] for draw in draws]).mean(0)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    assert set(draws[0]["targets"].unique().tolist()) == {0.0, 1.0}
    assert all(torch.equal(draw["pixel_values"], draw["targets"]) for draw in draws[:20])
    assert ((mean - pixels) / 0.025).square().mean() < 1  # the widest deviation: sqrt(0.25 / 400) = 0.025
    assert (mean[pixels == 0] == 0).all() and (mean[pixels == 1] == 1).all()
    torch.manual_seed(0)
    assert same([next(data.clean().epoch(0))], [draws[0]])  # the data's own, not a corruption


def test_binarization_by_threshold():
    data = in_memory(SET, PLAIN, batch_size=53, shuffle=False, binarize="threshold", corruption=NOISE)
    batch = next(data.epoch(0))
    assert torch.equal(batch["targets"], torch.from_numpy(SET.images > 127).permute(0, 3, 1, 2).float())
    assert not torch.equal(batch["pixel_values"], batch["targets"])


def test_labels_stand_in_the_processors_order():
    processor = replace(PLAIN, attributes={"label": ["2", "seven", "0", "1"]})
    batch = next(in_memory(SET, processor, batch_size=53, shuffle=False).epoch(0))
    names = [processor.attributes["label"][i] for i in batch["attributes"][:, 0]]
    assert names == [SET.label_names[i] for i in SET.labels]
    unknown = ImageSet(SET.images, np.where(SET.labels == 0, -1, SET.labels), SET.label_names)
    assert (attribute_values(unknown, processor)[:, 0] == -1).tolist() == (SET.labels == 0).tolist()
    assert attribute_values(SET, PLAIN) is None


def test_labels_that_the_model_does_not_know():
    with pytest.raises(ValueError, match="images has the label '2': Known: 0, 1"):
        in_memory(SET, replace(PLAIN, attributes={"label": ["0", "1"]}), batch_size=8)
    narrow = SET.only(["0", "1"]).relabelled(["0", "1", "2"])  # a name that does not occur does no harm
    in_memory(narrow, replace(PLAIN, attributes={"label": ["0", "1"]}), batch_size=8)
    with pytest.raises(ValueError, match="mine has none"):
        in_memory(ImageSet(SET.images), LABELLED, batch_size=8, name="mine")
    with pytest.raises(ValueError, match="carry the attribute 'label' alone; the processor has mood"):
        in_memory(SET, replace(PLAIN, attributes={"mood": ["good"]}), batch_size=8)


def test_labels_are_hidden_at_their_rate():
    images = make_set(3000)
    data = in_memory(images, ImageProcessor.of(images, labels=True), batch_size=3000, attribute_drop=0.25)
    torch.manual_seed(0)
    assert (next(data.epoch(0))["attributes"] == -1).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert (next(data.clean().epoch(0))["attributes"] >= 0).all()


@pytest.mark.parametrize("num", [3, 10, 53])
def test_few_labels_are_balanced_and_fixed(num):
    data = in_memory(SET, LABELLED, batch_size=8, seed=3, labelled=num)
    known = {}
    for epoch in range(2):
        for batch in data.epoch(epoch):
            for number, (label,) in zip(numbers(batch), batch["attributes"].tolist(), strict=True):
                if label >= 0:
                    assert label == SET.labels[number]
                    known.setdefault(number, 0)
                    known[number] += 1
    assert len(known) == num and set(known.values()) == {2}  # the same ones in both epochs
    counts = np.bincount(SET.labels[list(known)], minlength=3)
    assert counts.max() - counts.min() <= 1 and counts.sum() == num
    other = in_memory(SET, LABELLED, batch_size=53, seed=4, shuffle=False, labelled=num)
    theirs = (next(other.epoch(0))["attributes"][:, 0] >= 0).nonzero()[:, 0].tolist()
    assert (set(theirs) == set(known)) == (num == 53)


def test_balanced_leaves_unknown_labels_out_and_refuses_what_cannot_be():
    labels = np.array([-1] * 50 + [0] * 30 + [1] * 4)
    for seed in range(5):
        chosen = balanced(labels, 7, seed)
        assert sorted(np.bincount(labels[chosen]).tolist()) == [3, 4] and len(set(chosen.tolist())) == 7
    assert np.bincount(labels[balanced(labels, 9, 0)]).tolist() == [5, 4]  # the odd one from the class that has it
    for num in (10, 11):
        with pytest.raises(ValueError, match="at least 5 of each of 2 values, but value 1 has 4 examples"):
            balanced(labels, num, 0)
    for num in (1, 0, 35):
        with pytest.raises(ValueError, match=f"{num} labels cannot be kept: there are 2 values and 34 labelled examples"):
            balanced(labels, num, 0)


@pytest.mark.parametrize("per_batch", [4, 9, 20])
def test_every_batch_has_its_labelled_part(per_batch):
    data = in_memory(SET, LABELLED, batch_size=8, seed=3, labelled=9, labelled_per_batch=per_batch)
    seen, used = [], []
    for number, batch in enumerate(data.epoch(0)):
        torch.manual_seed(number)
        values = batch["attributes"][:, 0]
        main = len(values) - per_batch
        assert batch["targets"].shape[0] == len(values) and main == (5 if len(data.order(0)[number]) == 5 else 8)
        assert (values[:main] == -1).all() and (values[main:] >= 0).all()
        own = numbers(batch)
        seen += own[:main]
        assert values[main:].tolist() == SET.labels[own[main:]].tolist()
        counts = np.unique(own[main:], return_counts=True)[1]
        assert counts.max() - counts.min() <= (0 if per_batch < 9 else 1)  # none twice before all were there once
        used += own[main:]
    assert sorted(seen) == list(range(53)) and len(set(used)) == 9
    clean = list(data.clean().epoch(0))
    assert sum(len(batch["targets"]) for batch in clean) == 53
    assert sum((batch["attributes"] >= 0).sum().item() for batch in clean) == 9


def test_a_labelled_part_of_everything_is_drawn_anew():
    data = in_memory(SET, LABELLED, batch_size=8, labelled_per_batch=4)
    torch.manual_seed(0)
    drawn = {tuple(numbers(batch)[-4:]) for batch in data.epoch(0)}
    assert len(drawn) == len(data)


def test_a_set_is_known_again():
    first = in_memory(SET, LABELLED, batch_size=8).fingerprint
    assert in_memory(SET, LABELLED, batch_size=4, seed=9).fingerprint == first
    changed = SET.images.copy()
    changed[40, 2, 2] ^= 1
    relabelled = ImageSet(SET.images, np.roll(SET.labels, 1), SET.label_names)
    others = [
        in_memory(ImageSet(changed, SET.labels, SET.label_names), LABELLED, batch_size=8),
        in_memory(relabelled, LABELLED, batch_size=8),
        in_memory(SET.limit(52), LABELLED, batch_size=8),
        in_memory(SET, LABELLED, batch_size=8, labelled=9),
        in_memory(SET.select(np.arange(53)[::-1]), LABELLED, batch_size=8),
    ]
    assert len({first, *(data.fingerprint for data in others)}) == 6
    assert first.startswith("53 images of 6x5")


def test_memory_stays_bytes():
    data = in_memory(SET, PLAIN, batch_size=8)
    table = data.collate.func.__self__
    assert table.images.dtype == torch.uint8 and table.images.data_ptr() == SET.images.__array_interface__["data"][0]  # not even copied


def test_a_batch_is_gathered_fast():
    images = ImageSet(np.random.default_rng(0).integers(0, 256, (20_000, 28, 28, 1), dtype=np.uint8))
    data = in_memory(images, ImageProcessor.of(images), batch_size=50)
    order = data.order(0)[:200]
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for indices in order:
            data.collate(indices)
        best = min(best, (time.perf_counter() - start) / len(order))
    assert best < 0.5e-3  # seconds; measured 0.05e-3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"binarize": "often"}, "no binarize 'often'"),
        ({"attribute_drop": 1.5}, "attribute_drop is 1.5"),
        ({"labelled": 2}, "2 labels cannot be kept"),
        ({"labelled_per_batch": -1}, "labelled_per_batch is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        in_memory(SET, LABELLED, **{"batch_size": 8, **options})


def test_labels_asked_of_a_model_without_them():
    with pytest.raises(ValueError, match="labelled is 9, but the model knows no labels"):
        in_memory(SET, PLAIN, batch_size=8, labelled=9)
    with pytest.raises(ValueError, match="labelled_per_batch is 4, but images has no labels that the model knows"):
        in_memory(SET, PLAIN, batch_size=8, labelled_per_batch=4)


def test_sets_that_cannot_be_used():
    with pytest.raises(ValueError, match="the images of mine are 6x5 .* gray, but the model takes 28x28"):
        in_memory(SET, ImageProcessor(1, 28, 28), batch_size=8, name="mine")
    with pytest.raises(ValueError, match="mine: every image is of a single color"):
        in_memory(ImageSet(np.zeros((5, 6, 5, 1), np.uint8)), PLAIN, batch_size=8, name="mine")
