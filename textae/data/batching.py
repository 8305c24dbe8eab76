"""Corpora as batches: tokenized once and kept flat in memory, or streamed through a shuffling buffer.

Shapes: N sentences, B of a batch, T tokens, A attributes.
"""

import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import torch

from textae.core.data import POOL, Batch, IndexedBatches, bucketed_order
from textae.core.labelled import balanced
from textae.data.corruption import Corruption
from textae.data.processor import SentenceProcessor

logger = logging.getLogger(__name__)
CHUNK = 10_000  # sentences handed to the tokenizer at once


class TokenTable:
    """Tokenized sentences in one flat array: four bytes a token, whatever the number of sentences.

    Attributes:
        lengths: Tokens of each sentence, shape (N,).
        attributes: Values, -1 unspecified, shape (N, A).
        checksum: CRC-32 of the tokens, to know the corpus again.
        dropped: Sentences left out because they had more tokens than allowed.
    """

    def __init__(self, processor: SentenceProcessor, rows: Iterable[Mapping[str, str | None]], max_tokens: int):
        flat, lengths, attributes, self.dropped = [], [], [], 0
        names = list(processor.attributes)
        iterator = iter(rows)
        while chunk := list(islice(iterator, CHUNK)):
            tokenized = processor.tokenizer([row["text"] for row in chunk], add_special_tokens=False)["input_ids"]
            values = processor.attribute_ids([{n: row.get(n) for n in names} for row in chunk])
            keep = np.array([0 < len(ids) <= max_tokens for ids in tokenized])
            self.dropped += int((~keep).sum())
            kept = [ids for ids, ok in zip(tokenized, keep, strict=True) if ok]
            flat.append(np.fromiter(chain.from_iterable(kept), dtype=np.int32))
            lengths += map(len, kept)
            attributes.append(values[keep])
        self.lengths = np.array(lengths, dtype=np.int64)
        self.attributes = np.concatenate(attributes) if attributes else np.zeros((0, len(names)), dtype=np.int64)
        self._flat = np.concatenate(flat) if flat else np.zeros(0, dtype=np.int32)
        self.checksum = zlib.crc32(self._flat.tobytes())
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])[:-1].astype(np.int64)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Right-padded ids (B, T) and lengths (B,) of some sentences, gathered without a loop."""
        lengths = self.lengths[indices]
        steps = np.arange(lengths.max())
        where = np.minimum(self._starts[indices][:, None] + steps, len(self._flat) - 1)
        return torch.from_numpy(self._flat[where].astype(np.int64)), torch.from_numpy(lengths)

    def keep_labels(self, processor: SentenceProcessor, num: int, seed: int) -> None:
        """Hide all labels but those of `num` sentences for each attribute, the same number of each value to within one.

        Raises:
            ValueError: The processor has no attributes, or there are too few labels of one.
        """
        if not processor.attributes:
            raise ValueError(f"labelled is {num}, but the sentences have no attributes: give data.attributes")
        for column, name in enumerate(processor.attributes):
            try:
                kept = balanced(self.attributes[:, column], num, (seed, column))
            except ValueError as error:
                raise ValueError(f"attribute {name!r}: {error}") from None
            self.attributes[~np.isin(np.arange(len(self)), kept), column] = -1

    def labelled(self) -> np.ndarray:
        """Indices of the sentences with at least one label."""
        return np.flatnonzero((self.attributes >= 0).any(1))


@dataclass(frozen=True)
class Noise:
    """What a training batch suffers and a clean one does not.

    Attributes:
        corruption: Of what the encoder reads; None is none.
        augmentation: Of the sentences themselves, input and target alike; None is none.
        word_drop: Rate at which the decoder's inputs become <unk>.
        attribute_drop: Rate at which a known attribute is hidden (-1), so that the model also learns to do without.
        labelled_per_batch: Labelled sentences that are added to every batch, behind the others, whose labels are then hidden
            all: so that a few labels are in every batch. 0 adds none, and labels stand where they occur.
    """

    corruption: Corruption | None = None
    augmentation: Corruption | None = None
    word_drop: float = 0.0
    attribute_drop: float = 0.0
    labelled_per_batch: int = 0


def _collate(
    table: TokenTable, processor: SentenceProcessor, indices: np.ndarray, noise: Noise, labelled: np.ndarray | None = None
) -> Batch:
    num = len(indices)
    if labelled is not None:
        indices = np.concatenate([indices, _draw(labelled, noise.labelled_per_batch)])
    ids, lengths = table.padded(indices)
    values = torch.from_numpy(table.attributes[indices]) if processor.attributes else None
    if labelled is not None:
        values[:num] = -1
    if values is not None and noise.attribute_drop:
        values = values.masked_fill(torch.rand(values.shape) < noise.attribute_drop, -1)
    return processor.collate(ids, lengths, values, corruption=noise.corruption, word_drop=noise.word_drop, augmentation=noise.augmentation)


def _draw(labelled: np.ndarray, num: int) -> np.ndarray:
    """`num` labelled sentences, all equally often to within one, from torch's global generator."""
    rounds = -(-num // len(labelled))
    return labelled[torch.cat([torch.randperm(len(labelled)) for _ in range(rounds)])[:num].numpy()]


def in_memory(
    processor: SentenceProcessor, rows: Iterable[Mapping[str, str | None]], *, batch_size: int, max_tokens: int = 64,
    shuffle: bool = True, seed: int = 0, noise: Noise | None = None, pool: int = POOL, labelled: int | None = None, name: str = "corpus",
) -> IndexedBatches:  # fmt: skip
    """Batches of a corpus that is tokenized once. Longer sentences than `max_tokens` are left out, and counted in the log.

    Args:
        processor: Whose attributes the batches carry.
        rows: Mappings with "text" and the attributes.
        batch_size: Sentences a batch, apart from `noise.labelled_per_batch`.
        max_tokens: The longest sentence that is taken.
        shuffle: False sorts by length, the same in every epoch (validation).
        seed: Of the order, and of the choice of `labelled`.
        noise: What batches suffer; `clean()` of the result is without.
        pool: Batches sorted together by length; 0 sorts the whole corpus.
        labelled: Keep the labels of so many sentences for each attribute, the same number of each value, and hide the rest;
            None keeps all.
        name: What messages call the corpus.

    Raises:
        ValueError: No sentence is short enough, or labels are asked for that are not there.
    """
    noise = noise or Noise()
    table = TokenTable(processor, rows, max_tokens)
    if table.dropped:
        logger.info("%s: left out %d of %d sentences: more than %d tokens", name, table.dropped, table.dropped + len(table), max_tokens)
    if len(table) == 0:
        raise ValueError(f"{name}: no sentence has at most {max_tokens} tokens")
    if labelled is not None:
        table.keep_labels(processor, labelled, seed)
    known = None
    if noise.labelled_per_batch:
        known = table.labelled()
        if not len(known):
            raise ValueError(f"labelled_per_batch is {noise.labelled_per_batch}, but {name} has no label that the model knows")
    batches = IndexedBatches(
        len(table), lambda indices: _collate(table, processor, indices, noise, known), batch_size,
        lengths=table.lengths, shuffle=shuffle, seed=seed, pool=pool, clean=lambda indices: _collate(table, processor, indices, Noise()),
    )  # fmt: skip
    batches.fingerprint = f"{len(table)} sentences, {int(table.lengths.sum())} tokens, {table.checksum:08x}"
    if labelled is not None:
        batches.fingerprint += f", {labelled} labelled for each attribute"
    return batches


class StreamedBatches:
    """Batches of a corpus that never fits in memory: a buffer of sentences is filled, shuffled, bucketed and emptied.

    Memory is that of one buffer. The order is a function of (seed, epoch), so a resumed run skips what it had seen,
    at the cost of reading it again. A stream is shuffled within its buffer only: shuffle the files once, beforehand.

    Args:
        rows: Re-iterable mappings with "text" and the attributes.
        buffer: Batches held at once.
    """

    def __init__(
        self, processor: SentenceProcessor, rows: Iterable[Mapping[str, str | None]], *, batch_size: int,
        max_tokens: int = 64, seed: int = 0, noise: Noise | None = None, buffer: int = POOL,
    ):  # fmt: skip
        self.processor, self.rows, self.batch_size, self.max_tokens = processor, rows, batch_size, max_tokens
        self.seed, self.noise, self.buffer = seed, noise or Noise(), buffer
        if self.noise.labelled_per_batch:
            raise ValueError("a stream does not know its labelled sentences, so none can be added to every batch: set streaming=false")

    def __len__(self) -> int:
        return 0

    def clean(self) -> "StreamedBatches":
        """The same stream without corruption."""
        return StreamedBatches(
            self.processor, self.rows, batch_size=self.batch_size, max_tokens=self.max_tokens, seed=self.seed, buffer=self.buffer
        )

    def epoch(self, epoch: int, *, skip: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        rows, number, first, dropped = iter(self.rows), 0, skip * world, 0
        for part in range(10**12):
            chunk = list(islice(rows, self.buffer * self.batch_size))
            if not chunk:
                if dropped:
                    logger.info("stream: left out %d sentences of epoch %d: more than %d tokens", dropped, epoch, self.max_tokens)
                return
            table = TokenTable(self.processor, chunk, self.max_tokens)
            dropped += table.dropped
            order = bucketed_order(
                table.lengths, self.batch_size, seed=self.seed, epoch=hash((epoch, part)) % 2**63, pool=0
            )
            order = order[: len(order) // world * world]
            for indices in order:
                if number >= first and number % world == rank:
                    yield _collate(table, self.processor, indices, self.noise)
                number += 1
