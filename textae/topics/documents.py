"""Corpora as documents and batches of counts: consecutive texts joined, counted once, kept sparse in memory.

Shapes: N documents, B of a batch, V words of the vocabulary.
"""

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from scipy.sparse import csr_matrix

from textae.core.data import Batch, IndexedBatches
from textae.topics.processor import BagProcessor, as_batch

logger = logging.getLogger(__name__)


def grouped(texts: Iterable[str], size: int) -> Iterator[str]:
    """Documents of `size` consecutive texts each, joined by blanks; the last may be shorter. 1 leaves texts as they are.

    Sensible where a corpus keeps its order: neighbors are then of one article, or of two.

    >>> list(grouped(["a b", "c", "d"], 2))
    ['a b c', 'd']
    """
    if size < 1:
        raise ValueError(f"data.group is {size}; a document has at least one text")
    rest = iter(texts)
    while part := list(islice(rest, size)):
        yield " ".join(text.strip() for text in part)


def counted(processor: BagProcessor, documents: Sequence[str], name: str = "corpus") -> tuple[csr_matrix, np.ndarray]:
    """Counts of the documents that have a word of the vocabulary, and their places; the log says how many have none.

    Raises:
        ValueError: None has one.
    """
    counts = processor.matrix(documents)
    kept = np.flatnonzero(np.asarray(counts.sum(1)).ravel())
    if not len(kept):
        raise ValueError(f"{name}: none of its {len(documents):,} documents has a word that the model counts")
    if len(kept) < len(documents):
        logger.info("%s: left out %d of %d documents, which have no word of the vocabulary", name, len(documents) - len(kept), len(documents))
    return counts[kept], kept


def in_memory(
    processor: BagProcessor, documents: Sequence[str], *, batch_size: int, shuffle: bool = True, seed: int = 0, name: str = "corpus"
) -> IndexedBatches:
    """Batches `{"counts": (B, V)}` of a corpus that is counted once; documents without a known word are left out."""
    counts, _ = counted(processor, documents, name)

    def collate(indices: np.ndarray) -> Batch:
        return {"counts": as_batch(counts[indices])}

    batches = IndexedBatches(counts.shape[0], collate, batch_size, shuffle=shuffle, seed=seed)
    checksum = zlib.crc32(counts.data.tobytes(), zlib.crc32(counts.indices.tobytes()))
    batches.fingerprint = f"{counts.shape[0]} documents, {int(counts.sum())} words of {counts.shape[1]}, {checksum:08x}"
    return batches
