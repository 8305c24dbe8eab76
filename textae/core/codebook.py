"""A codebook: vectors give way to the nearest of K codes, which follow them by moving averages. No networks, no priors.

The VQ of a VQ-VAE (van den Oord et al. 2017). Codes have no gradient: they are means of what chose them.

Shapes: B examples, P positions of an example, C dimensions of a code, D = P · C, K codes, N vectors.
"""

import torch
from torch import Tensor, distributed, nn

from textae.core.latent import QuantizedPosterior

EPSILON = 1e-5  # Laplace smoothing of the counts: the default of Sonnet's VectorQuantizerEMA, by the paper's authors
PAIRS = 2**22  # distances held at once: 32 MiB


class QuantizedHead(nn.Module):
    """Features to the nearest codes of a codebook: P = latent_dim / code_dim codes side by side.

    Args:
        in_dim: Width of the features.
        latent_dim: D, a multiple of C.
        num_codes: K, at least 2: an example is told in at most P · ln K nats.
        code_dim: C; 0: one code is the whole code.
        decay, revive_after: Of the codebook.
    """

    NUM_CODES = 512  # van den Oord et al. 2017, sec. 4.1

    def __init__(
        self, in_dim: int, latent_dim: int, num_codes: int = NUM_CODES, code_dim: int = 0, decay: float = 0.99, revive_after: int = 200
    ):
        super().__init__()
        code_dim = code_dim or latent_dim
        if code_dim < 1 or latent_dim % code_dim:
            raise ValueError(f"posterior quantized: latent_dim is {latent_dim}, which whole codes of code_dim={code_dim} do not fill")
        self.positions = latent_dim // code_dim
        self.vectors = nn.Linear(in_dim, latent_dim)
        self.codebook = Codebook(num_codes, code_dim, decay, revive_after)

    def forward(self, features: Tensor) -> QuantizedPosterior:
        return self.codebook(self.vectors(features).unflatten(1, (self.positions, -1)))

    def snap(self, z_BD: Tensor) -> Tensor:
        """The nearest codes: the decoder has seen nothing else."""
        return self.codebook.snap(z_BD)


class Codebook(nn.Module):
    """K codes, and the averages that move them in training.

    Each batch in training mode is one update, after its own vectors were quantized; with gradient accumulation that is
    one for each part of a step, and with several processes one for all of them together. A code that falls out of use
    is dead: no vector is near, so nothing moves it. It then starts again at a random vector of the batch, and so do all
    codes of a fresh codebook with the first batch.

    Args:
        num_codes: K, at least 2.
        dim: C.
        decay: γ of the moving averages, between 0 and 1 (van den Oord et al. 2017, app. A.1, eq. 6-8, take 0.99).
        revive_after: Batches without a use after which a code that started anew does so again. A code that was used
            often lives longer: until its average use has fallen to that of such a code. 0: dead codes stay dead.
    """

    def __init__(self, num_codes: int, dim: int, decay: float = 0.99, revive_after: int = 200):
        super().__init__()
        check_codebook(num_codes, dim, decay, revive_after)
        self.num_codes, self.dim, self.decay, self.revive_after = num_codes, dim, decay, revive_after
        # Set here and not in `reset_parameters`: transformers would call that again after loading.
        self.register_buffer("codes", torch.empty(num_codes, dim).uniform_(-1 / num_codes, 1 / num_codes))
        self.register_buffer("counts", torch.zeros(num_codes))  # average uses in a batch, N of eq. 6
        self.register_buffer("sums", torch.zeros(num_codes, dim))  # average sum of the vectors that use it, m of eq. 7

    def forward(self, x_BPC: Tensor) -> QuantizedPosterior:
        """Every vector's nearest code, laid side by side: `mean` is (B, P · C), float32.

        Its gradient goes to `x_BPC` as if nothing had been done (van den Oord et al. 2017, sec. 3.2).
        """
        x_BPC = x_BPC.float()
        x_NC = x_BPC.detach().flatten(0, 1)
        indices_N = nearest(x_NC, self.codes)
        codes_BPC = self.codes[indices_N].view_as(x_BPC).float()
        if self.training:
            self._update(x_NC, indices_N)
        distance = (x_BPC - codes_BPC).square().sum((1, 2))
        through = codes_BPC + (x_BPC - x_BPC.detach())  # + 0: the code itself to the last bit, with the gradient of x
        return QuantizedPosterior(through.flatten(1), indices=indices_N.view(x_BPC.shape[:2]), distance=distance)

    def snap(self, z_BD: Tensor) -> Tensor:
        """The nearest code at every position of any points (B, D); what is made of codes already stays as it is."""
        return self.codes[nearest(z_BD.reshape(-1, self.dim), self.codes)].view_as(z_BD)

    @property
    def perplexity(self) -> float:
        """Codes in use, by the moving averages: exp of the entropy of their shares, from 1 to K; K before any training."""
        return perplexity(self.counts)

    @torch.no_grad()
    def _update(self, x_NC: Tensor, indices_N: Tensor) -> None:
        """Eq. 6-8: averages of uses and sums over all processes, and their quotients as the new codes."""
        seen = torch.zeros(self.num_codes, 1 + self.dim, device=x_NC.device)
        seen.index_add_(0, indices_N, torch.cat([torch.ones_like(x_NC[:, :1]), x_NC], 1))
        if _in_a_group():
            distributed.all_reduce(seen)
        self.counts.mul_(self.decay).add_(seen[:, 0], alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(seen[:, 1:], alpha=1 - self.decay)
        total = self.counts.sum()
        smoothed = (self.counts + EPSILON) / (total + self.num_codes * EPSILON) * total
        self.codes.copy_(torch.where(self.counts[:, None] > 0, self.sums / smoothed[:, None], self.codes))
        if self.revive_after:
            self._revive(x_NC)

    def _revive(self, x_NC: Tensor) -> None:
        """Set dead codes on random vectors of the batch, those of the first process for all."""
        # A new code counts as one use, or as the average code where batches are so small that this has less.
        start = (self.counts.sum() / self.num_codes).clamp_max(1.0)
        dead = (self.counts <= start * self.decay**self.revive_after).nonzero()[:, 0]
        if not len(dead):
            return
        order = torch.randperm(len(x_NC))  # without repetition as far as there are vectors
        seeds = x_NC[order[torch.arange(len(dead)) % len(x_NC)].to(x_NC.device)]
        if _in_a_group():
            distributed.broadcast(seeds, src=0)
        self.codes[dead] = seeds.to(self.codes.dtype)
        self.counts[dead] = start
        self.sums[dead] = start * seeds.to(self.sums.dtype)


@torch.no_grad()
def nearest(x_NC: Tensor, codes_KC: Tensor) -> Tensor:
    """Index of the code with the least Euclidean distance to each vector, shape (N,).

    Through matrix products of doubles, whose rounding is far below what float32 can tell apart; in parts, so that
    memory stays bounded whatever N is.
    """
    # Apple's GPUs have no doubles: there, codes that are equally near to seven digits may be taken for one another.
    dtype = torch.float32 if x_NC.device.type == "mps" else torch.float64
    with torch.autocast(x_NC.device.type, enabled=False):
        codes_KC = codes_KC.to(dtype)
        offsets_K, found = codes_KC.square().sum(1), []
        for part in x_NC.split(max(1, PAIRS // len(codes_KC))):
            found.append(torch.addmm(offsets_K, part.to(dtype), codes_KC.T, alpha=-2).argmin(1))
    return torch.cat(found)


def check_codebook(num_codes: int, dim: int, decay: float, revive_after: int) -> None:
    """Refuse arguments that no `Codebook` can have.

    Raises:
        ValueError: Fewer than two codes, no dimension, a decay that forgets nothing or all, or a negative time.
    """
    if num_codes < 2:
        raise ValueError(f"num_codes is {num_codes}; a codebook has at least 2 codes, or a code would say nothing")
    if dim < 1:
        raise ValueError(f"a code has {dim} dimensions; it needs at least 1")
    if not 0 < decay < 1:
        raise ValueError(f"a codebook's decay is {decay}; it must lie between 0 and 1, both excluded")
    if revive_after < 0:
        raise ValueError(f"revive_after is {revive_after}; it is a number of batches, or 0 to leave dead codes dead")


def perplexity(counts_K: Tensor) -> float:
    """Exp of the entropy of shares: how many codes, equally used, would say as much; K where nothing was counted.

    >>> round(perplexity(torch.tensor([5.0, 5.0, 0.0])), 3)
    2.0
    """
    counts = counts_K.double().cpu()
    if counts.sum() == 0:
        return float(len(counts))
    shares = counts / counts.sum()
    return torch.special.entr(shares).sum().exp().item()


def _in_a_group() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
