"""Training of the small nets that read ids: one loop with length buckets and early stopping; no net is defined here.

Shapes: N sentences, B of a batch, T ids, K classes.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from textae.core.data import bucketed_order

PADDING = 0
SCORED_IDS = 1 << 16  # ids scored at once, padding included; bounds the memory whatever the lengths


class IdRows:
    """Ids of sentences in one flat array, gathered a batch at a time.

    Args:
        flat: Ids of all sentences one after the other, at least 1 each: 0 is padding.
        lengths: How many each sentence has, at least 1, int64 of shape (N,).
    """

    def __init__(self, flat: np.ndarray, lengths: np.ndarray):
        self.flat, self.lengths = flat, lengths
        self._starts = np.cumsum(lengths) - lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, indices: np.ndarray) -> Tensor:
        """Right-padded ids of some sentences, int64 of shape (B, T)."""
        lengths = self.lengths[indices]
        steps = np.arange(lengths.max())
        where = np.minimum(self._starts[indices][:, None] + steps, len(self.flat) - 1)
        return torch.from_numpy(np.where(steps < lengths[:, None], self.flat[where], PADDING))


@dataclass(frozen=True)
class Fitting:
    """How a net is trained.

    Attributes:
        epochs: Most passes over the training sentences, where they are many.
        batch_size: Sentences a step.
        lr: Adam's first learning rate; it falls linearly to 0 at the end of the last epoch.
        held_out: Share of the training sentences that only decides which epoch's weights are kept.
        patience: Measurements without a lower held-out loss after which training stops; there is one after every
            epoch, or after as many epochs as hold a tenth of `min_steps`.
        min_steps: Steps that few sentences are passed over again and again for, however many epochs that takes.
    """

    epochs: int
    batch_size: int
    lr: float
    held_out: float = 0.05
    patience: int = 2
    min_steps: int = 2000

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 1), ("patience", 1), ("min_steps", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        if not self.lr > 0:
            raise ValueError(f"lr is {self.lr}; it must be above 0")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out}; it must be between 0 and 1")


def fit(build: Callable[[], nn.Module], rows: IdRows, classes_N: np.ndarray, options: Fitting, seed: int) -> nn.Module:
    """A trained net in eval mode, with the weights of the lowest held-out loss that was measured.

    The same for the same arguments; torch's global generator is left as it was.

    Args:
        build: Makes the net, which maps ids (B, T) to logits (B, K); its weights may be drawn.
        rows: Sentences.
        classes_N: int64, shape (N,).
        options: How.
        seed: Of the weights, the held-out sentences, the order and dropout.

    Raises:
        ValueError: Too few sentences to hold any out, or the loss is not finite.
    """
    held_out = max(1, round(len(rows) * options.held_out))
    if held_out >= len(rows):
        raise ValueError(f"{len(rows)} sentences are too few to train on and to hold some out")
    order = np.random.default_rng(seed).permutation(len(rows))
    valid, train = order[:held_out], order[held_out:]
    torch.set_flush_denormal(True)  # Adam's moments of rare words decay into subnormals, which are slow
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
        _train(net, rows, torch.from_numpy(classes_N), train, valid, options, seed)
    return net.eval()


def _train(
    net: nn.Module, rows: IdRows, classes_N: Tensor, train: np.ndarray, valid: np.ndarray, options: Fitting, seed: int
) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=options.lr, fused=True)
    a_pass = math.ceil(len(train) / options.batch_size)
    epochs = max(options.epochs, math.ceil(options.min_steps / a_pass))
    every = max(1, math.ceil(options.min_steps / 10 / a_pass))  # epochs
    total, step, best, kept, since = epochs * a_pass, 0, math.inf, None, 0
    with tqdm(total=total, desc="classifier", unit="step", disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:
        for epoch in range(1, epochs + 1):
            net.train()
            for batch in bucketed_order(rows.lengths[train], options.batch_size, seed=seed, epoch=epoch):
                optimizer.param_groups[0]["lr"] = options.lr * (1 - step / total)
                indices = train[batch]
                loss = cross_entropy(net(rows.padded(indices)), classes_N[indices])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                bar.update()
            if epoch % every and epoch < epochs:
                continue
            lost = cross_entropy(torch.from_numpy(score(net, rows, valid)), classes_N[valid]).item()
            if not math.isfinite(lost):
                raise ValueError(f"training diverged in epoch {epoch}: choose a lower lr than {options.lr}")
            bar.set_postfix(held_out_nats=f"{lost:.4f}")
            since += 1
            if lost < best:
                best, kept, since = lost, {name: tensor.clone() for name, tensor in net.state_dict().items()}, 0
            if since == options.patience:
                break
    net.load_state_dict(kept)


@torch.no_grad()
def score(net: nn.Module, rows: IdRows, indices: np.ndarray) -> np.ndarray:
    """Logits of some sentences in eval mode, in the order of `indices`, float32 of shape (B, K)."""
    net.eval()
    order = np.argsort(-rows.lengths[indices], kind="stable")
    by_length = indices[order]
    parts, start = [], 0
    while start < len(order):  # the first of a part is its longest
        size = max(1, SCORED_IDS // int(rows.lengths[by_length[start]]))
        parts.append(net(rows.padded(by_length[start : start + size])))
        start += size
    return torch.cat(parts).numpy()[np.argsort(order)]
