"""Documents, their counts and their batches."""

import numpy as np
import pytest
import torch

from textae.topics.documents import counted, grouped, in_memory
from textae.topics.processor import BagProcessor

VOCABULARY = ["bread", "oven", "goal", "team"]
TEXTS = ["The oven, the OVEN bread.", "A goal for the team!", "Nothing here.", "team team bread"]


def test_texts_become_documents_in_order_and_nothing_is_lost():
    assert list(grouped([" a ", "b", "c", "d", "e"], 2)) == ["a b", "c d", "e"]
    assert list(grouped(["a", "b"], 1)) == ["a", "b"]
    with pytest.raises(ValueError, match="data.group is 0"):
        list(grouped(["a"], 0))


def test_counts_and_what_has_none():
    counts, kept = counted(BagProcessor(VOCABULARY), TEXTS)
    assert kept.tolist() == [0, 1, 3]
    assert counts.toarray().tolist() == [[1, 2, 0, 0], [0, 0, 1, 1], [1, 0, 0, 2]]
    with pytest.raises(ValueError, match="none of its 1 documents"):
        counted(BagProcessor(VOCABULARY), TEXTS[2:3])


def test_batches_hold_every_document_once_and_repeat_themselves():
    batches = in_memory(BagProcessor(VOCABULARY), TEXTS * 5, batch_size=4, seed=3)
    first = [b["counts"] for b in batches.epoch(2)]
    assert len(batches) == 4 and torch.cat(first).shape == (15, 4) and first[0].dtype == torch.float32
    assert torch.cat(first).sum(0).tolist() == [10, 10, 5, 15]
    assert all(torch.equal(a, b["counts"]) for a, b in zip(first, batches.epoch(2), strict=True))
    assert "15 documents, 40 words of 4" in batches.fingerprint


def test_processor_round_trip_and_errors(tmp_path):
    BagProcessor(VOCABULARY).save_pretrained(tmp_path / "new")
    processor = BagProcessor.from_pretrained(tmp_path / "new")
    assert processor.vocabulary == VOCABULARY
    assert torch.equal(processor(TEXTS[:2])["counts"], torch.tensor([[1.0, 2, 0, 0], [0, 0, 1, 1]]))
    assert processor.decode(torch.tensor([[3, 0]])) == ["team bread"]
    for raw, message in ((TEXTS[2:3], "document 1 has none"), (["team", " "], "document 2 is empty"), (["team", 5], "document 2 is int"), (["x" * 2_000_000], "split it")):
        with pytest.raises(ValueError, match=message):
            processor.check(raw)
    with pytest.raises(ValueError, match="know no attributes"):
        processor(TEXTS[:1], [{"tense": "past"}])
    (tmp_path / "new" / "processor.json").write_text('{"attributes": {}, "max_length": 5}')
    with pytest.raises(ValueError, match="another kind of model"):
        BagProcessor.from_pretrained(tmp_path / "new")
    with pytest.raises(ValueError, match="each of them once"):
        BagProcessor(["a", "a"])


def test_counts_do_not_depend_on_the_batch():
    processor = BagProcessor(VOCABULARY)
    together = processor([TEXTS[0], TEXTS[1]])["counts"].numpy()
    assert np.array_equal(together[1:], processor([TEXTS[1]])["counts"].numpy())
