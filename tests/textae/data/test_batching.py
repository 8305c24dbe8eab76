"""Corpora as batches: the flat table against plain loops, the stream against the table."""

from collections import Counter

import numpy as np
import pytest
import torch

from textae.data.batching import Noise, StreamedBatches, TokenTable, in_memory
from textae.data.corruption import Corruption


@pytest.fixture(scope="module")
def rows():
    words = ["cat", "house", "bread", "friend", "old", "red", "today", "she", "the", "my"]
    rng = np.random.default_rng(0)
    return [{"text": " ".join(rng.choice(words, rng.integers(1, 12))), "mood": ["good", "bad", None][i % 3]} for i in range(203)]


def texts(processor, batches):
    return [s for batch in batches for s in processor.decode(batch["input_ids"])]


def same(a, b):
    return len(a) == len(b) and all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in zip(a, b, strict=True))


def test_table_equals_a_loop(attribute_processor, rows):
    table = TokenTable(attribute_processor, rows, max_tokens=8)
    kept = [r for r in rows if len(r["text"].split()) <= 8]
    assert len(table) == len(kept) and table.dropped == len(rows) - len(kept) > 0
    assert table.lengths.tolist() == [len(r["text"].split()) for r in kept]
    assert table.attributes.tolist() == attribute_processor.attribute_ids([{"mood": r["mood"]} for r in kept]).tolist()
    for indices in ([0], [5, 3, len(kept) - 1], [len(kept) - 1], list(range(len(kept)))):
        ids, lengths = table.padded(np.array(indices))
        tokens = [attribute_processor.tokenize([kept[i]["text"]])[0] for i in indices]
        assert lengths.tolist() == [len(t) for t in tokens] and ids.shape == (len(indices), max(map(len, tokens)))
        for row, expected in zip(ids.tolist(), tokens, strict=True):
            assert row[: len(expected)] == expected


def test_table_takes_four_bytes_a_token(processor, rows):
    table = TokenTable(processor, rows * 20, max_tokens=64)
    held = sum(v.nbytes for v in vars(table).values() if isinstance(v, np.ndarray))
    assert held <= 4 * table.lengths.sum() + 16 * len(table)


def test_table_takes_any_iterable_and_nothing(processor, rows):
    assert len(TokenTable(processor, iter(rows), 64)) == len(rows)
    assert len(TokenTable(processor, [], 64)) == 0
    with_empty = TokenTable(processor, [{"text": ""}, {"text": "the cat"}], 64)
    assert len(with_empty) == 1 and with_empty.dropped == 1


def test_in_memory_batches_are_what_the_processor_makes(attribute_processor, rows):
    data = in_memory(attribute_processor, rows, batch_size=16, shuffle=False)
    order = [i for batch in data.order(0) for i in batch]
    for start, batch in zip(range(0, len(rows), 16), data.epoch(0), strict=True):
        part = [rows[i] for i in order[start : start + 16]]
        expected = attribute_processor([r["text"] for r in part], [{"mood": r["mood"]} for r in part])
        assert same([batch], [expected])


def test_in_memory_epochs_repeat_and_lose_nobody(processor, rows):
    data = in_memory(processor, rows, batch_size=16, seed=4)
    assert Counter(texts(processor, data.epoch(2))) == Counter(r["text"] for r in rows)
    whole = list(data.epoch(2))
    assert same(list(data.epoch(2)), whole) and same(list(data.epoch(2, skip=5)), whole[5:])


def test_longer_sentences_are_left_out_and_counted(processor, rows, caplog):
    with caplog.at_level("INFO"):
        data = in_memory(processor, rows, batch_size=16, max_tokens=5, name="mine")
    assert max(b["input_ids"].shape[1] for b in data.epoch(0)) == 6
    assert "mine: left out" in caplog.text and "more than 5 tokens" in caplog.text
    with pytest.raises(ValueError, match="mine: no sentence has at most 0 tokens"):
        in_memory(processor, rows, batch_size=16, max_tokens=0, name="mine")


NOISE = {"noise": Noise(Corruption(drop=0.5), word_drop=0.5)}


@pytest.mark.parametrize("make", [in_memory, StreamedBatches])
def test_clean_is_the_same_split_without_noise(processor, rows, make):
    """A prior is fitted to clean codes: a corrupted 'clean' split would move it and nothing would show it."""
    options = {"batch_size": 16, "seed": 3}
    noisy, plain = make(processor, rows, **options, **NOISE), make(processor, rows, **options)
    assert same(list(noisy.clean().epoch(1)), list(plain.epoch(1)))
    assert not same(list(noisy.epoch(1)), list(plain.epoch(1)))
    assert [b["labels"].tolist() for b in noisy.epoch(1)] == [b["labels"].tolist() for b in plain.epoch(1)]  # targets stay clean


def test_noise_is_a_function_of_the_global_seed(processor, rows):
    data = in_memory(processor, rows, batch_size=16, **NOISE)

    def first(seed):
        torch.manual_seed(seed)
        return [next(data.epoch(0))]

    assert same(first(1), first(1)) and not same(first(1), first(2))


@pytest.fixture
def stream(processor, rows):
    return StreamedBatches(processor, rows, batch_size=8, max_tokens=64, seed=5, buffer=4)


def test_stream_loses_nobody_and_repeats_itself(processor, rows, stream):
    assert len(stream) == 0  # nobody knows
    whole = list(stream.epoch(1))
    assert Counter(texts(processor, whole)) == Counter(r["text"] for r in rows)
    assert same(list(stream.epoch(1)), whole) and not same(list(stream.epoch(2)), whole)


def test_skip_of_a_stream_is_its_tail(stream):
    whole = list(stream.epoch(1))
    for skip in (0, 1, 4, 5, 9, len(whole)):
        assert same(list(stream.epoch(1, skip=skip)), whole[skip:])


def test_processes_share_nothing_of_a_stream(processor, stream):
    parts = [list(stream.epoch(0, rank=r, world=2)) for r in range(2)]
    assert len(parts[0]) == len(parts[1]) > 0
    everything = Counter(texts(processor, stream.epoch(0)))
    assert Counter(texts(processor, parts[0] + parts[1])) <= everything
    assert same(list(stream.epoch(0, rank=1, world=2, skip=3)), parts[1][3:])


def test_stream_buckets_within_its_buffer(processor, rows):
    wide = StreamedBatches(processor, rows, batch_size=8, buffer=100)
    cells = sum(b["input_ids"].numel() for b in wide.epoch(0))
    real = sum(int(b["attention_mask"].sum()) for b in wide.epoch(0))
    assert cells < 1.15 * real


def test_stream_reads_no_more_than_its_buffer(processor, rows):
    read = []

    class Rows:
        def __iter__(self):
            for row in rows:
                read.append(row)
                yield row

    next(StreamedBatches(processor, Rows(), batch_size=8, buffer=2).epoch(0))
    assert len(read) == 16


def test_a_stretch_of_long_sentences_does_not_end_a_stream(processor, rows):
    long = [{"text": "the " * 20}] * 40
    stream = StreamedBatches(processor, [*long, *rows], batch_size=8, max_tokens=12, buffer=2)
    assert Counter(texts(processor, stream.epoch(0))) == Counter(r["text"] for r in rows)


def test_attributes_are_hidden_at_their_rate(attribute_processor, sentences):
    rows = [{"text": s, "tense": "past", "mood": "good"} for s in sentences] * 30
    batches = in_memory(attribute_processor, rows, batch_size=len(rows), noise=Noise(attribute_drop=0.25))
    torch.manual_seed(0)
    hidden = (next(batches.epoch(0))["attributes"] == -1).float().mean().item()
    assert hidden == pytest.approx(0.25, abs=0.03)
    assert (next(batches.clean().epoch(0))["attributes"] == -1).sum() == 0


def test_a_corpus_is_known_again(processor, sentences):
    rows = [{"text": s} for s in sentences]
    prints = [in_memory(processor, part, batch_size=2).fingerprint for part in (rows, rows, rows[1:], rows[::-1])]
    assert prints[0] == prints[1] and len(set(prints)) == 3


# --- few labels ---------------------------------------------------------------------------------------------------


@pytest.fixture
def labelled_rows(rows):
    return [{**row, "tense": ["past", "present"][i % 2]} for i, row in enumerate(rows)]


def known(batches):
    return np.concatenate([b["attributes"].numpy() for b in batches]) >= 0


def test_labels_are_kept_evenly_for_each_attribute(attribute_processor, labelled_rows):
    data = in_memory(attribute_processor, labelled_rows, batch_size=16, labelled=20, seed=3)
    values = np.concatenate([b["attributes"].numpy() for b in data.epoch(0)])
    assert (values >= 0).sum(0).tolist() == [20, 20]
    assert [np.bincount(column[column >= 0]).tolist() for column in values.T] == [[10, 10], [10, 10]]  # "flat" never occurs
    again = in_memory(attribute_processor, labelled_rows, batch_size=16, labelled=20, seed=3)
    other = in_memory(attribute_processor, labelled_rows, batch_size=16, labelled=20, seed=4)
    texts_of = lambda d: {t for b in d.epoch(0) for t, v in zip(texts(attribute_processor, [b]), b["attributes"], strict=True) if v[0] >= 0}  # noqa: E731
    assert texts_of(again) == texts_of(data) != texts_of(other)
    assert data.fingerprint != in_memory(attribute_processor, labelled_rows, batch_size=16).fingerprint
    assert (known(data.clean().epoch(0)).sum(0) == 20).all()


def test_labelled_sentences_are_added_to_every_batch(attribute_processor, labelled_rows):
    data = in_memory(attribute_processor, labelled_rows, batch_size=16, labelled=6, seed=3, noise=Noise(labelled_per_batch=5))
    whole = {t: tuple(v.tolist()) for b in data.clean().epoch(0) for t, v in zip(texts(attribute_processor, [b]), b["attributes"], strict=True)}
    seen = Counter()
    torch.manual_seed(0)
    for batch in data.epoch(0):
        num = len(batch["attributes"]) - 5
        assert (batch["attributes"][:num] == -1).all() and (batch["attributes"][num:] >= 0).any(1).all()
        added = list(zip(texts(attribute_processor, [batch])[num:], batch["attributes"][num:].tolist(), strict=True))
        assert all(whole[text] == tuple(values) for text, values in added) and len({text for text, _ in added}) == 5
        seen.update(text for text, _ in added)
    assert set(seen) == {text for text, values in whole.items() if max(values) >= 0}
    assert sum(len(b["attributes"]) for b in data.clean().epoch(0)) == len(labelled_rows)


def test_more_additions_than_labels_are_all_of_them_in_turn(attribute_processor, labelled_rows):
    few = [{**row, "mood": None, "tense": "past" if i < 3 else None} for i, row in enumerate(labelled_rows)]
    data = in_memory(attribute_processor, few, batch_size=16, noise=Noise(labelled_per_batch=7))
    added = texts(attribute_processor, [next(data.epoch(0))])[-7:]
    assert sorted(Counter(added).values()) == [2, 2, 3]


def test_labels_that_are_not_there_are_asked_for_in_vain(processor, attribute_processor, rows, labelled_rows):
    for options, message in (
        ({"labelled": 500}, "'mood': 500 labels cannot be kept: there are 2 values and 136 labelled"),
        ({"labelled": 1}, "'mood': 1 labels cannot be kept"),
    ):
        with pytest.raises(ValueError, match=message):
            in_memory(attribute_processor, labelled_rows, batch_size=16, **options)
    with pytest.raises(ValueError, match="have no attributes: give data.attributes"):
        in_memory(processor, rows, batch_size=16, labelled=4)
    with pytest.raises(ValueError, match="mine has no label that the model knows"):
        in_memory(attribute_processor, [{"text": "the cat"}], batch_size=16, noise=Noise(labelled_per_batch=2), name="mine")
    with pytest.raises(ValueError, match="a stream does not know its labelled sentences"):
        StreamedBatches(attribute_processor, labelled_rows, batch_size=8, noise=Noise(labelled_per_batch=2))
