"""Importance weights of draws from q(z|x): the bound they give for any number of them, and how much it hangs on a few.

Shapes: B examples, K draws.
"""

import math

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder
from textae.core.data import Batch
from textae.core.latent import PointPosterior


@torch.no_grad()
def log_importance_weights(model: Autoencoder, batch: Batch, samples: int = 100, rows: int | None = None) -> Tensor:
    """log p(z) + log p(x|z) - log q(z|x) of exactly `samples` draws, in nats, shape (K, B), on the CPU in float64.

    Source: Burda et al. 2016, eq. 8, with q(z|x) as the proposal and the model's own prior.

    Args:
        model: Any autoencoder whose posterior has a density, in eval mode.
        batch: Its forward arguments, B examples.
        samples: K.
        rows: Sequences or images decoded at once, which bounds the memory; None takes 512 on a CPU, whose caches hold no
            more, and 4,096 elsewhere.

    Raises:
        ValueError: The posterior is a point, or `samples` is below one.
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}; at least one draw is needed")
    if rows is None:
        rows = 512 if model.device.type == "cpu" else 4096
    posterior = model.encode(**batch)
    if isinstance(posterior, PointPosterior):
        raise ValueError("a point posterior has no likelihood bound: importance weights need posterior=gaussian")
    size = len(posterior.mean)
    draws = max(1, rows // size)
    log_weights = []
    for start in range(0, samples, draws):
        k = min(draws, samples - start)
        z_KBD = posterior.sample(k)
        repeated = {name: t.repeat(k, *[1] * (t.dim() - 1)) for name, t in batch.items()}
        nll_KB = model.nll(z_KBD.flatten(0, 1), **repeated)[0].view(k, size)
        log_weights.append(model.prior.log_prob(z_KBD) - nll_KB - posterior.log_prob(z_KBD))
    return torch.cat(log_weights).cpu().double()


def running_bound(log_weights_KB: Tensor, counts: list[int]) -> Tensor:
    """The bound on -log p(x) that the first k draws give, for each k of `counts`, shape (len(counts), B).

    Of one example it may rise and fall; its mean over many falls with k (Burda et al. 2016, theorem 1).
    """
    return torch.stack([math.log(k) - log_weights_KB[:k].logsumexp(0) for k in counts])


def effective_samples(log_weights_KB: Tensor) -> Tensor:
    """(Σw)² / Σw², between 1 and K, shape (B,)."""
    return torch.exp(2 * log_weights_KB.logsumexp(0) - (2 * log_weights_KB).logsumexp(0))


def curve_counts(samples: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... up to K, and K.

    >>> curve_counts(60)
    [1, 2, 5, 10, 20, 50, 60]
    """
    steps = [digit * 10**power for power in range(len(str(samples))) for digit in (1, 2, 5)]
    return [k for k in steps if k < samples] + [samples]
