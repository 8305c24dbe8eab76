"""Order: a permutation, a function of (seed, epoch), similar lengths together, nothing shared between processes."""

import numpy as np
import pytest
import torch

from textae.core.data import IndexedBatches, bucketed_order

LENGTHS = np.random.default_rng(0).integers(1, 60, 1003)


def flat(order):
    return [int(i) for indices in order for i in indices]


def padding(order):
    return sum(int(LENGTHS[i].max()) * len(i) for i in order) / LENGTHS.sum()


@pytest.mark.parametrize("pool", [0, 1, 5, 1000])
@pytest.mark.parametrize("batch_size", [1, 16, 1003, 5000])
def test_every_index_occurs_exactly_once(batch_size, pool):
    order = bucketed_order(LENGTHS, batch_size, seed=3, epoch=2, pool=pool)
    assert sorted(flat(order)) == list(range(1003))
    assert max(map(len, order)) <= batch_size


def test_order_is_a_function_of_seed_and_epoch():
    def draw(**changes):
        return flat(bucketed_order(LENGTHS, 16, **{"seed": 1, "epoch": 0, **changes}))

    np.random.seed(5)
    first = draw()
    np.random.seed(6)
    assert draw() == first
    assert draw(epoch=1) != first and draw(seed=2) != first and draw(seed=0, epoch=1) != first


def test_bucketing_saves_padding_and_the_batches_are_still_mixed():
    plain = bucketed_order(LENGTHS, 16, seed=1, epoch=0, pool=1)
    bucketed = bucketed_order(LENGTHS, 16, seed=1, epoch=0)
    assert padding(bucketed) < 1.08 < 1.5 < padding(plain)
    widths = [LENGTHS[i].max() for i in bucketed]
    assert abs(np.corrcoef(np.arange(len(widths)), widths)[0, 1]) < 0.4  # not from short to long
    others = bucketed_order(LENGTHS, 16, seed=1, epoch=1)
    assert {tuple(sorted(i)) for i in bucketed} != {tuple(sorted(i)) for i in others}  # other company each epoch


def test_equal_lengths_are_shuffled():
    order = flat(bucketed_order(np.zeros(500, dtype=int), 10, seed=0, epoch=0))
    assert sorted(order) == list(range(500)) and abs(np.corrcoef(order, np.arange(500))[0, 1]) < 0.2


def test_an_empty_corpus_has_no_batches():
    assert bucketed_order(np.zeros(0, dtype=int), 4, seed=0, epoch=0) == []


def batches(num=103, **options):
    return IndexedBatches(num, lambda i: {"x": torch.from_numpy(np.asarray(i))}, 8, **{"lengths": LENGTHS[:num], "seed": 2, **options})


def seen(iterator):
    return [b["x"].tolist() for b in iterator]


def test_skip_is_the_tail():
    data = batches()
    whole = seen(data.epoch(1))
    assert len(whole) == len(data) == 13
    for skip in (0, 1, 7, 12, 13, 20):
        assert seen(data.epoch(1, skip=skip)) == whole[skip:]
    assert seen(data.epoch(1)) == whole and seen(data.epoch(2)) != whole


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("shuffle", [True, False])
def test_processes_share_nothing_and_train_the_same_number_of_steps(world, shuffle):
    data = batches(shuffle=shuffle)
    whole = seen(data.epoch(0))
    parts = [seen(data.epoch(0, rank=r, world=world)) for r in range(world)]
    together = [tuple(b) for part in parts for b in part]
    assert len(set(together)) == len(together) and set(together) <= {tuple(b) for b in whole}
    if shuffle:  # the rest of an epoch that does not divide is left out, another one each epoch
        assert {len(p) for p in parts} == {len(whole) // world}
    else:  # a validation misses nobody
        assert len(together) == len(whole)
    for rank in range(world):
        assert seen(data.epoch(0, rank=rank, world=world, skip=2)) == parts[rank][2:]


def test_validation_order_is_fixed_and_complete():
    data = batches(shuffle=False)
    assert seen(data.epoch(0)) == seen(data.epoch(5)) and sorted(flat(data.order(0))) == list(range(103))
    unsorted = IndexedBatches(10, lambda i: {"x": torch.from_numpy(i)}, 4, shuffle=False)
    assert flat(unsorted.order(0)) == list(range(10))


def test_clean_keeps_the_order_and_drops_the_noise():
    noisy = batches(clean=lambda i: {"x": torch.from_numpy(np.asarray(i)), "clean": torch.ones(1)})
    assert all("clean" in b for b in noisy.clean().epoch(0)) and not any("clean" in b for b in noisy.epoch(0))
    assert seen(noisy.clean().epoch(3)) == seen(noisy.epoch(3))
    assert seen(batches(pool=1, shuffle=False).clean().epoch(0)) == seen(batches(pool=1, shuffle=False).epoch(0))


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="no examples"):
        batches(0)
    for make in (lambda: IndexedBatches(3, dict, 0), lambda: bucketed_order(LENGTHS, 0, seed=0, epoch=0)):
        with pytest.raises(ValueError, match="batch_size is 0"):
            make()
