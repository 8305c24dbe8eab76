"""Order and batches: every batch of an epoch is a function of (seed, epoch, number), so that a run can be resumed.

Shapes: N examples of a split.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

Batch = dict[str, Tensor]

# Batches whose examples are sorted together: wide enough for equal lengths, narrow enough to mix the corpus.
POOL = 100


class Processor(Protocol):
    """Raw examples ↔ tensors; saved beside the model, so that a checkpoint is all that is needed."""

    def __call__(self, raw: Sequence[Any], attributes: Sequence[dict[str, str]] | None = None) -> Batch:
        """The model's batch for raw examples, clean and in order."""

    def check(self, raw: Sequence[Any]) -> None:
        """Raise a ValueError that names, by its number from 1, the first example that the model cannot take."""

    def decode(self, generated: Tensor) -> list[Any]:
        """What `generate` yielded, as raw examples."""

    def is_single(self, raw: Any) -> bool:
        """Whether `raw` is one example and not a list of them."""

    def cost(self, raw: Any) -> int:
        """What similar examples share (a length), for batching inside `LatentSpace`."""

    def attribute_ids(self, rows: Sequence[dict[str, str | None]]) -> np.ndarray:
        """Values of attributes as indices, -1 for unspecified."""

    def save_pretrained(self, folder: str | Path) -> None: ...


class Batches(Protocol):
    """A split as batches. `epoch` repeats itself exactly for the same arguments."""

    def __len__(self) -> int:
        """Batches in an epoch; 0 where nobody knows (a stream)."""

    def epoch(self, epoch: int, *, skip: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of one epoch for one process of `world`, after the first `skip` of them."""

    def clean(self) -> "Batches":
        """The same split without corruption."""


@dataclass(frozen=True)
class Splits:
    """The data of a run; `valid` may be missing, and then nothing is evaluated while training."""

    train: Batches
    valid: Batches | None = None


def bucketed_order(
    lengths_N: np.ndarray, batch_size: int, *, seed: int, epoch: int, pool: int = POOL
) -> list[np.ndarray]:
    """Batches of indices with similar lengths, in random order; every index occurs exactly once.

    The corpus is shuffled, cut into pools of `pool` batches, each pool is sorted by length (ties stay random) and cut
    into batches, and the batches are shuffled.

    Args:
        lengths_N: Any measure of size, shape (N,); a constant gives a plain shuffle.
        batch_size: Examples a batch; the last of a pool may be smaller.
        seed, epoch: The order is a function of these two.
        pool: Batches sorted together; 0 sorts the whole corpus.

    Returns:
        Arrays of indices into the corpus.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; a batch holds at least one example")
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(lengths_N))
    size = len(order) if pool == 0 else pool * batch_size
    batches = []
    for start in range(0, len(order), max(size, 1)):
        chunk = order[start : start + size]
        chunk = chunk[np.argsort(lengths_N[chunk], kind="stable")]
        batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


class IndexedBatches:
    """A split in memory, gathered a whole batch at a time.

    Args:
        num_examples: N.
        collate: Indices to a batch of tensors. Random corruption draws from torch's global generator, which the
            trainer seeds before every batch.
        batch_size: Examples a batch.
        lengths: Sizes for bucketing, shape (N,); None shuffles freely.
        shuffle: False sorts by length alone, the same in every epoch (validation).
        seed: Of the order.
        pool: Batches sorted together by length; 0 sorts the whole split.
        clean: As `collate`, without corruption; None where there is none.
    """

    def __init__(
        self, num_examples: int, collate: Callable[[np.ndarray], Batch], batch_size: int, *,
        lengths: np.ndarray | None = None, shuffle: bool = True, seed: int = 0, pool: int = POOL,
        clean: Callable[[np.ndarray], Batch] | None = None,
    ):  # fmt: skip
        if num_examples < 1:
            raise ValueError("a split has no examples")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; a batch holds at least one example")
        self.num_examples, self.collate, self.batch_size = num_examples, collate, batch_size
        self.lengths = np.zeros(num_examples, dtype=np.int64) if lengths is None else np.asarray(lengths)
        self.shuffle, self.seed, self.pool = shuffle, seed, pool
        self._clean = clean or collate
        self.fingerprint = f"{num_examples} examples"  # what a resumed run must find again

    def clean(self) -> "IndexedBatches":
        """The same split without corruption, for what is measured or fitted on it."""
        return IndexedBatches(
            self.num_examples, self._clean, self.batch_size, lengths=self.lengths, shuffle=self.shuffle, seed=self.seed, pool=self.pool
        )

    def order(self, epoch: int) -> list[np.ndarray]:
        """The indices of every batch of an epoch."""
        if self.shuffle:
            return bucketed_order(self.lengths, self.batch_size, seed=self.seed, epoch=epoch, pool=self.pool)
        by_length = np.argsort(self.lengths, kind="stable")
        return [by_length[i : i + self.batch_size] for i in range(0, self.num_examples, self.batch_size)]

    def __len__(self) -> int:
        return math.ceil(self.num_examples / self.batch_size)  # pools hold whole batches, so only the last is smaller

    def epoch(self, epoch: int, *, skip: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        order = self.order(epoch)
        if self.shuffle and world > 1:  # all processes take the same number of steps, or one waits forever
            order = order[: len(order) // world * world]
        for indices in order[rank::world][skip:]:
            yield self.collate(indices)
