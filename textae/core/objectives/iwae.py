"""The importance-weighted bound as an objective (Burda et al. 2016); `core.metrics` measures it, this trains on it.

Shapes: B examples, D latent dimensions, K draws.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.families import DENSITIES
from textae.core.latent import DiagonalGaussian, PointPosterior, Posterior
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule


class IWAE(Term):
    """-log 1/K Σ p(x, z_k) / q(z_k|x), in nats per example: an upper bound on -log p(x) that tightens with K.

    It takes the place of `reconstruction` and `kl`. With one draw it is the negative ELBO of that draw. Source: Burda
    et al. 2016, eq. 8, under the model's own prior; the first of the K codes is the one that the model has scored already.

    Args:
        weight: Of the bound.
        samples: K.
        doubly_reparameterized: Replace the encoder's gradient by one of the same expectation whose signal does not drown
            in its noise as K grows (Tucker et al. 2019, sec. 4); the decoder's stays. Scores the first code twice.
        rows: Sequences or images decoded at once; what lies between is computed again in the backward pass, so that memory
            is that of one part. 0: all at once, and nothing twice.
    """

    charges = ("likelihood", "kl")

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, samples: int = 50, doubly_reparameterized: bool = False, rows: int = 0
    ):
        super().__init__(weight)
        if not isinstance(samples, int) or samples < 1:
            raise ValueError(f"objective.iwae.samples is {samples!r}; it must be a whole number of at least 1")
        if not isinstance(rows, int) or rows < 0:
            raise ValueError(f"objective.iwae.rows is {rows!r}; it must be 0 (all at once) or a whole number above")
        self.samples, self.doubly_reparameterized, self.rows = samples, doubly_reparameterized, rows

    def bind(self, model: Autoencoder) -> None:
        kind = model.config.posterior
        if kind not in DENSITIES:
            raise ValueError(f"a {kind} posterior has no likelihood bound: set model.posterior=gaussian, or remove objective.iwae")
        if self.doubly_reparameterized and kind != "gaussian":
            raise ValueError(f"objective.iwae.doubly_reparameterized is for posterior=gaussian, not {kind}: leave it out")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        posterior = output.posterior
        assert not isinstance(posterior, PointPosterior)
        z_KBD = output.z[None]
        if self.samples > 1:
            z_KBD = torch.cat([z_KBD, posterior.sample(self.samples - 1)])
        if self.doubly_reparameterized:
            return self._doubly_reparameterized(model, posterior, z_KBD, batch)
        nll_KB = output.nll[None]
        if self.samples > 1:
            nll_KB = torch.cat([nll_KB, self._nll(model, z_KBD[1:], batch)])
        value = _bound(model.prior.log_prob(z_KBD) - nll_KB - posterior.log_prob(z_KBD))
        return TermValue(value, value)

    def _doubly_reparameterized(
        self, model: Autoencoder, posterior: Posterior, z_KBD: Tensor, batch: dict[str, Tensor]
    ) -> TermValue:
        """The bound, and a loss of the same value: Σ w̃ ∂ log w in the decoder, Σ w̃² ∂ log w / ∂z in the encoder.

        w̃ are the normalized weights, held constant. The second w̃ is multiplied onto the gradient where it passes the
        codes; q's own parameters are held constant in log q, since their score term is what Tucker et al. remove.
        """
        assert isinstance(posterior, DiagonalGaussian)
        z_KBD = z_KBD.clone()  # other terms' gradients through the same draw keep their size
        fixed = DiagonalGaussian(posterior.mean.detach(), posterior.logvar.detach())
        log_w_KB = model.prior.log_prob(z_KBD) - self._nll(model, z_KBD, batch) - fixed.log_prob(z_KBD)
        share_KB = log_w_KB.detach().softmax(0)
        if z_KBD.requires_grad:
            z_KBD.register_hook(lambda gradient: gradient * share_KB[..., None])
        value = _bound(log_w_KB.detach())
        surrogate = -(share_KB * log_w_KB).sum(0)
        return TermValue(value, value + surrogate - surrogate.detach())

    def _nll(self, model: Autoencoder, z_KBD: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """-log p(x|z) of every draw, (K, B, D) -> (K, B), in parts of `rows` where that is set."""
        size = z_KBD.shape[1]

        def nll_of(part_KBD: Tensor) -> Tensor:
            repeated = {name: t.repeat(len(part_KBD), *[1] * (t.dim() - 1)) for name, t in batch.items()}
            return model.nll(part_KBD.flatten(0, 1), **repeated)[0].view(len(part_KBD), size)

        if not self.rows:
            return nll_of(z_KBD)
        parts = z_KBD.split(max(1, self.rows // size))
        return torch.cat([checkpoint(nll_of, part, use_reentrant=False) for part in parts])


def _bound(log_w_KB: Tensor) -> Tensor:
    """log K - logsumexp of the log weights: (K, B) -> (B,)."""
    return math.log(len(log_w_KB)) - log_w_KB.float().logsumexp(0)
