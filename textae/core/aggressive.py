"""Aggressive training of the encoder (He et al. 2019, alg. 1): which parameters it moves, and when it stops. Steps are the trainer's.

While an encoder lags behind its decoder, codes say little of sentences and the decoder learns to do without. So before each step
of the decoder the encoder alone is trained until the bound no longer improves, for as long as the mutual information of codes and
examples on held-out data still climbs, by `CLIMB` or more, from one validation to the next. (Theirs is any gain at all. Where a small
KL weight lets codes tell all examples apart, that is many times the plain run's cost for a thousandth of a nat.)
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from textae.core.autoencoder import Autoencoder, is_part
from textae.core.data import Batch, Splits
from textae.core.families import DENSITIES
from textae.core.latent import join
from textae.core.metrics import mutual_information

EXAMPLES = 2000  # of the validation split, whose mutual information is measured: ln 2000 is 7.6 nats
CLIMB = 0.05  # nats; a smaller gain is the estimate's noise, or its ceiling ln N, under which it creeps for good
EPOCHS = 10**6  # added to the number of an epoch of encoder-only batches, so that their order is another than the decoder's


def encoder_parameters(model: Autoencoder, splits: Splits, processes: int = 1) -> list[nn.Parameter]:
    """What q(z|x) alone is made of; weights that stand elsewhere too, such as a decoder's word vectors, move with the decoder.

    Raises:
        ValueError: The model does not say what its encoder is, its posterior has no mutual information to go by, or data or
            processes do not allow it.
    """
    kind = model.config.posterior
    if splits.valid is None or not len(splits.train):
        raise ValueError("trainer.aggressive needs a validation split, to know when to stop, and training data of known length: give both, or set it to 0")
    if processes > 1:
        raise ValueError("trainer.aggressive runs in one process: set it to 0, or leave the others out")
    if not model.encoder_modules:
        raise ValueError(f"trainer.aggressive: {type(model).__name__} does not name its encoder's modules, so there is nothing to train alone: set it to 0")
    if kind not in DENSITIES:
        raise ValueError(f"trainer.aggressive stops by the mutual information of codes, and posterior={kind} has no density: set it to 0")
    named = list(model.named_parameters(remove_duplicate=False))
    elsewhere = {id(p) for name, p in named if not any(is_part(name, module) for module in model.encoder_modules)}
    own = [p for p in model.parameters() if p.requires_grad and id(p) not in elsewhere]
    if not own:
        raise ValueError("trainer.aggressive trains the encoder alone, all of which is frozen: set it to 0, or leave a part of the encoder out of model.frozen")
    return own


@contextmanager
def held(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Parameters without gradients for a while: what they cost is not computed, and an optimizer passes them by."""
    changed = [p for p in parameters if p.requires_grad]
    for parameter in changed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)


def train_encoder(step: Callable[[], tuple[float, float]], most: int, window: int) -> int:
    """Repeat a step until the mean cost of a window of them is no lower than that of the window before; returns their number.

    Args:
        step: Trains on one batch; returns its summed cost and its count of tokens or pixels, by which batches of long and of short
            sentences compare.
        most: Steps after which it ends in any case.
        window: Steps that are averaged.
    """
    before, done = math.inf, 0
    while done < most:
        costs = [step() for _ in range(min(window, most - done))]
        done += len(costs)
        mean = sum(cost for cost, _ in costs) / sum(count for _, count in costs)
        if mean >= before:
            break
        before = mean
    return done


@torch.no_grad()
def held_out_information(model: Autoencoder, batches: Callable[[], Iterable[Batch]]) -> float:
    """Mutual information in nats of codes and 2,000 examples at equal distances in the split, or all where there are no more.

    Args:
        model: In eval mode.
        batches: Gives the split's batches, which may be sorted by length, on the model's device; it is asked twice.
    """
    num = sum(_size(batch) for batch in batches())
    taken = torch.arange(min(num, EXAMPLES)) * num // min(num, EXAMPLES)
    parts, start = [], 0
    for batch in batches():
        rows = taken[(taken >= start) & (taken < start + _size(batch))] - start
        start += _size(batch)
        if len(rows):
            parts.append(model.encode(**{name: tensor[rows.to(tensor.device)] for name, tensor in batch.items()}))
    return mutual_information(join(parts))


def _size(batch: Batch) -> int:
    """B."""
    return len(next(iter(batch.values())))
