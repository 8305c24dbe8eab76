"""Priors p(z): the fixed ones of training, and richer ones fitted afterwards to the aggregate posterior.

`PRIORS` is the whole list, with those that learn with the model (`textae.core.learned_prior`, `textae.core.hierarchical`).

A VAE trained with a weight below one on its KL leaves q(z) = E[q(z|x)] away from N(0, I), and draws from N(0, I) then
decode to noise. Fitting p(z) to q(z) with encoder and decoder frozen closes that gap and tightens the bound: the
second stage of Dai & Wipf 2019, the ex-post density estimation of Ghosh et al. 2020.

Shapes: N points, D latent dimensions, K categories, M mixture components.
"""

import logging
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from textae.core.code_prior import CodeSequence, UniformCodes, check_descent
from textae.core.config import check_counts
from textae.core.hierarchical import HierarchicalPrior
from textae.core.latent import gaussian_log_prob
from textae.core.learned_prior import Generated, LearnedMixture, VampPrior
from textae.core.von_mises_fisher import UniformSphere

logger = logging.getLogger(__name__)


class StandardNormal(nn.Module):
    """N(0, I), the prior that the analytic KL refers to. Nothing to fit."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats, the shape of `z` without its last axis."""
        return gaussian_log_prob(z)

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """`num` draws from torch's global generator, their noise scaled by `spread`; shape (num, D)."""
        return spread * torch.randn(num, self.dim)


class Categorical(nn.Module):
    """A uniform one-hot vector and an independent N(0, I) beside it: p(y) p(z) of Makhzani et al. 2016, sec. 5.

    The prior of a code whose first dimensions are probabilities, where an adversary has matched both parts.
    Nothing to fit. One-hot vectors have no density over codes, so there is no `log_prob` and no likelihood bound.

    Args:
        dim: D.
        categories: K, from 2 to D.
    """

    def __init__(self, dim: int, categories: int):
        super().__init__()
        if not 2 <= categories <= dim:
            raise ValueError(f"prior categorical: categories is {categories}; it must be from 2 to the code's {dim} dimensions")
        self.dim, self.categories = dim, categories

    def log_prob(self, z: Tensor) -> Tensor:
        """Refused: always a ValueError."""
        raise ValueError("the categorical prior has no density over codes, so no code has a likelihood under it; a fitted prior has one")

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """Draws as in `StandardNormal`, shape (num, D); `spread` scales the style and leaves the categories as they are."""
        categories = one_hot(torch.randint(self.categories, (num,)), self.categories).float()
        return torch.cat([categories, spread * torch.randn(num, self.dim - self.categories)], 1)


class GaussianMixture(nn.Module):
    """A mixture of full-covariance Gaussians, fitted by expectation-maximization (Dempster et al. 1977).

    Args:
        dim: D.
        components: M; 1 is a single Gaussian with the moments of the data.
    """

    def __init__(self, dim: int, components: int = 64):
        super().__init__()
        check_counts("prior mixture", components=components)
        self.dim, self.components = dim, components
        self.register_buffer("logits", torch.zeros(components))
        self.register_buffer("means", torch.zeros(components, dim))
        self.register_buffer("scales", torch.eye(dim).repeat(components, 1, 1))  # Cholesky factors, lower triangular

    def _component_log_prob(self, z: Tensor) -> Tensor:
        """Log densities under every component, (N, D) -> (N, M)."""
        diagonal = torch.diagonal(self.scales, dim1=-2, dim2=-1)
        log_norm = diagonal.log().sum(-1) + 0.5 * self.dim * math.log(2 * math.pi)
        columns = []
        for mean, scale, norm in zip(self.means, self.scales, log_norm, strict=True):
            white = torch.linalg.solve_triangular(scale, (z - mean).T, upper=False)
            columns.append(-0.5 * white.square().sum(0) - norm)
        return torch.stack(columns, -1)

    def log_prob(self, z: Tensor) -> Tensor:
        flat = z.reshape(-1, self.dim).to(self.means.dtype)
        scores = self._component_log_prob(flat) + self.logits.log_softmax(-1)
        return scores.logsumexp(-1).reshape(z.shape[:-1])

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """Draws as in `StandardNormal`; `spread` scales each component, not the distances between them."""
        which = torch.multinomial(self.logits.softmax(-1), num, replacement=True)
        noise = spread * torch.randn(num, self.dim, device=self.means.device)
        return self.means[which] + torch.einsum("nij,nj->ni", self.scales[which], noise)

    def check_fit(self, num: int, *, iterations: int, ridge: float) -> None:
        """Refuse what `fit` could not do with `num` codes.

        Raises:
            ValueError: Too few codes for so many components, or an option out of range.
        """
        check_counts("prior.fit", iterations=iterations)
        if not 0 <= ridge < math.inf:
            raise ValueError(f"prior.fit: ridge is {ridge}; what is added to variances is finite and not negative")
        if num <= self.components:
            raise ValueError(f"prior mixture: {num} codes cannot fit {self.components} components; lower `components`")

    @torch.no_grad()
    def fit(self, z_ND: Tensor, *, iterations: int = 40, seed: int = 0, ridge: float = 1e-3) -> float:
        """Maximize the likelihood of the points; returns their mean log density in nats.

        `ridge` is added to the covariances' diagonals, so that a component with few points keeps a density.
        """
        self.check_fit(len(z_ND), iterations=iterations, ridge=ridge)
        generator = torch.Generator().manual_seed(seed)
        z = z_ND.double().cpu()
        self.double()
        start = torch.randperm(len(z), generator=generator)[: self.components]
        self.means.copy_(z[start])
        centered = z - z.mean(0)
        eye = torch.eye(self.dim, dtype=torch.float64)
        cov = centered.T @ centered / len(z) + ridge * eye
        self.scales.copy_(torch.linalg.cholesky(cov).expand_as(self.scales))
        self.logits.zero_()
        previous = -math.inf
        for _ in range(iterations):
            scores = self._component_log_prob(z) + self.logits.log_softmax(-1)
            total = scores.logsumexp(-1, keepdim=True)
            share = (scores - total).exp()
            mass = share.sum(0) + 1e-8
            self.logits.copy_((mass / mass.sum()).log())
            self.means.copy_(share.T @ z / mass[:, None])
            for m in range(self.components):
                delta = z - self.means[m]
                cov = (delta * share[:, m, None]).T @ delta / mass[m] + ridge * eye
                self.scales[m] = torch.linalg.cholesky(cov)
            current = total.mean().item()
            if current - previous < 1e-4 * self.dim:
                break
            previous = current
        final = (self._component_log_prob(z) + self.logits.log_softmax(-1)).logsumexp(-1).mean().item()
        self.float()
        return final


class Flow(nn.Module):
    """A normalizing flow of affine couplings, RealNVP (Dinh et al. 2017, eq. 7-8), with a fixed mixing of dimensions.

    Between couplings the dimensions are rotated by a fixed random orthogonal matrix, which costs no determinant and
    lets every dimension meet every other.

    Args:
        dim: D, at least 2.
        layers: Number of couplings, at least 1.
        hidden_dim: Width of each coupling's two hidden layers.
    """

    def __init__(self, dim: int, layers: int = 8, hidden_dim: int = 256):
        super().__init__()
        if dim < 2:
            raise ValueError("prior flow: latent_dim must be at least 2; use `mixture` for one dimension")
        check_counts("prior flow", layers=layers, hidden_dim=hidden_dim)
        self.dim, self.kept = dim, dim // 2
        self.couplings = nn.ModuleList(
            nn.Sequential(
                nn.Linear(self.kept, hidden_dim), nn.SiLU(), nn.Linear(hidden_dim, hidden_dim), nn.SiLU(),
                nn.Linear(hidden_dim, 2 * (dim - self.kept)),
            )
            for _ in range(layers)
        )  # fmt: skip
        self.register_buffer("rotations", torch.eye(dim).repeat(layers, 1, 1))
        self.register_buffer("shift", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def _parameters_of(self, coupling: nn.Module, kept: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = coupling(kept).chunk(2, -1)
        return 2.0 * torch.tanh(log_scale / 2.0), shift  # bounded, so that one coupling stretches at most e² times

    def log_prob(self, z: Tensor) -> Tensor:
        """Density by change of variables: codes to noise; in float32 under autocast too, or bounds would be none."""
        with torch.autocast(z.device.type, enabled=False):
            return self._log_prob(z.float())

    def _log_prob(self, z: Tensor) -> Tensor:
        x = (z - self.shift) / self.scale
        log_det = -self.scale.log().sum()
        for coupling, rotation in zip(self.couplings, self.rotations, strict=True):
            x = x @ rotation
            kept, moved = x[..., : self.kept], x[..., self.kept :]
            log_scale, shift = self._parameters_of(coupling, kept)
            x = torch.cat([kept, moved * log_scale.exp() + shift], -1)
            log_det = log_det + log_scale.sum(-1)
        return gaussian_log_prob(x) + log_det

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """Noise to codes: the inverse of every coupling; `spread` scales the noise."""
        x = spread * torch.randn(num, self.dim, device=self.shift.device)
        for coupling, rotation in zip(reversed(self.couplings), self.rotations.flip(0), strict=True):
            kept, moved = x[..., : self.kept], x[..., self.kept :]
            log_scale, shift = self._parameters_of(coupling, kept)
            x = torch.cat([kept, (moved - shift) * torch.exp(-log_scale)], -1) @ rotation.T
        return x * self.scale + self.shift

    def check_fit(self, num: int, *, steps: int, batch_size: int, lr: float, held_out: float) -> None:
        """Refuse what `fit` could not do with `num` codes.

        Raises:
            ValueError: Fewer than two codes to learn from, whose spread is measured, or an option out of range.
        """
        check_descent(steps, batch_size, lr, held_out)
        if num - max(1, int(num * held_out)) < 2:
            raise ValueError(f"prior flow: of {num} codes, held_out={held_out} leaves fewer than the 2 that a spread needs; take more codes, or lower it")

    @torch.enable_grad()
    def fit(
        self, z_ND: Tensor, *, steps: int = 4000, batch_size: int = 1024, lr: float = 1e-3, seed: int = 0,
        held_out: float = 0.05,
    ) -> float:  # fmt: skip
        """Maximize the likelihood with Adam and a cosine rate; returns the mean log density of held-out codes."""
        self.check_fit(len(z_ND), steps=steps, batch_size=batch_size, lr=lr, held_out=held_out)
        generator = torch.Generator().manual_seed(seed)
        z = z_ND.float().cpu()
        z = z[torch.randperm(len(z), generator=generator)]
        cut = max(1, int(len(z) * held_out))
        test, train = z[:cut], z[cut:]
        with torch.no_grad():
            self.shift.copy_(train.mean(0))
            self.scale.copy_(train.std(0).clamp_min(1e-3))
            for i in range(len(self.rotations)):
                noise = torch.randn(self.dim, self.dim, generator=generator)
                self.rotations[i] = torch.linalg.qr(noise).Q
            for coupling in self.couplings:
                for layer in coupling[:-1:2]:
                    bound = layer.in_features**-0.5
                    layer.weight.uniform_(-bound, bound, generator=generator)
                    layer.bias.zero_()
                coupling[-1].weight.zero_()  # every coupling starts as the identity
                coupling[-1].bias.zero_()
        optimizer = torch.optim.Adam(self.parameters(), lr=lr)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        self.requires_grad_(True)
        for step in range(steps):
            index = torch.randint(len(train), (batch_size,), generator=generator)
            loss = -self.log_prob(train[index]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 10.0)
            optimizer.step()
            scheduler.step()
            if step % 500 == 0:
                logger.info("flow prior, step %d: %.2f nats", step, loss.item())
        self.requires_grad_(False)
        with torch.no_grad():
            return self.log_prob(test).mean().item()


FITTED = {"mixture": GaussianMixture, "flow": Flow, "codes": CodeSequence}  # after training, by their `fit`
# with the model, in training: the last by a term of its own
LEARNED = {"learned_mixture": LearnedMixture, "vamp": VampPrior, "hierarchical": HierarchicalPrior, "generator": Generated}
WITHOUT_DENSITY = ("categorical", "generator")  # which have draws alone
PRIORS = {
    "standard": StandardNormal, "categorical": Categorical, "sphere": UniformSphere, "uniform_codes": UniformCodes, **LEARNED, **FITTED,
}  # fmt: skip
