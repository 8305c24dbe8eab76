"""A Gaussian code of several groups, each drawn given those above it: posterior, head and prior. No objectives.

q(z|x) = Π q(z_l | x, z_<l) and p(z) = N(z_1; 0, I) Π p(z_l | z_<l), every factor a diagonal Gaussian (the bottom-up hierarchy of Sønderby et
al. 2016, eq. 1-3, read from the top: their z_L is our first group). The KL is the **sum** over the groups.

Shapes: B examples, D latent dimensions of all groups side by side, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from textae.core.latent import DiagonalGaussian, clamp_logvar
from textae.core.learned_prior import LearnedPrior


def group_sizes(latent_dim: int, groups: Sequence[int] | None) -> list[int]:
    """Sizes of the groups, the first on top: as given, or two halves.

    Raises:
        ValueError: Fewer than two, an empty one, or another sum than `latent_dim`.
    """
    if groups is None:
        groups = [latent_dim // 2, latent_dim - latent_dim // 2]
    if len(groups) < 2 or any(not isinstance(g, int) or g < 1 for g in groups):
        raise ValueError(f"posterior hierarchical: groups is {list(groups)}; give at least two sizes of at least 1, the top group first")
    if sum(groups) != latent_dim:
        raise ValueError(f"posterior hierarchical: groups {list(groups)} have {sum(groups)} dimensions and latent_dim is {latent_dim}")
    return list(groups)


class _Groups(nn.Module):
    """Mean and log-variance of every group but the first, given what stands above it and something of the example.

    Args:
        in_dim: F; 0 for a prior.
        sizes: Of all groups.
        hidden_dim: Width of each network's hidden layer.
    """

    def __init__(self, in_dim: int, sizes: list[int], hidden_dim: int):
        super().__init__()
        if hidden_dim < 1:
            raise ValueError(f"posterior hierarchical: hidden_dim is {hidden_dim}; it must be at least 1")
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(in_dim + sum(sizes[:i]), hidden_dim), nn.SiLU(), nn.Linear(hidden_dim, 2 * size))
            for i, size in enumerate(sizes) if i
        )  # fmt: skip

    def forward(self, group: int, given: Tensor) -> DiagonalGaussian:
        return _gaussian(self.networks[group - 1](given))

    def apart(self, group: int, features: Tensor, above: Tensor) -> DiagonalGaussian:
        """The same of features and what is above, whose leading axes broadcast: the first layer reads each of them alone."""
        first, *rest = self.networks[group - 1]
        weight_F, weight_A = first.weight.split([features.shape[-1], above.shape[-1]], 1)
        x = linear(features, weight_F, first.bias) + linear(above, weight_A)
        for layer in rest:
            x = layer(x)
        return _gaussian(x)


def _gaussian(both: Tensor) -> DiagonalGaussian:
    mean, logvar = both.float().chunk(2, -1)
    return DiagonalGaussian(mean, clamp_logvar(logvar))


def _side_by_side(parts: list[DiagonalGaussian]) -> DiagonalGaussian:
    return DiagonalGaussian(torch.cat([p.mean for p in parts], -1), torch.cat([p.logvar for p in parts], -1))


class HierarchicalHead(nn.Module):
    """Features to a hierarchical posterior.

    Args:
        in_dim: F.
        latent_dim: D.
        groups: Sizes of the groups, the top one first; None: two halves.
        hidden_dim: Width of the hidden layer of q(z_l | x, z_<l).
    """

    def __init__(self, in_dim: int, latent_dim: int, groups: Sequence[int] | None = None, hidden_dim: int = 128):
        super().__init__()
        self.sizes, self.hidden_dim = group_sizes(latent_dim, groups), hidden_dim
        self.top = nn.Linear(in_dim, 2 * self.sizes[0])
        self.below = _Groups(in_dim, self.sizes, hidden_dim)

    def forward(self, features: Tensor) -> "HierarchicalGaussian":
        return HierarchicalGaussian(features.float(), self)

    def group(self, number: int, features: Tensor, above: Tensor) -> DiagonalGaussian:
        """q(z_l | x, z_<l) of group `number`, counted from 0 on top; features (..., F), what is above (..., any), which broadcast."""
        if number == 0:
            return _gaussian(self.top(features))
        if features.shape[:-1] != above.shape[:-1]:
            return self.below.apart(number, features, above)
        return self.below(number, torch.cat([features, above], -1))

    def snap(self, z_BD: Tensor) -> Tensor:
        """Every point is a code."""
        return z_BD


@dataclass(frozen=True)
class HierarchicalGaussian:
    """q(z|x) of several groups; draws, densities and means go through them from the top.

    Attributes:
        features: Of the encoder, shape (B, F), float32.
        head: Whose networks it reads.
    """

    features: Tensor
    head: HierarchicalHead

    @cached_property
    def mean(self) -> Tensor:
        """Each group's mean given the means above it, shape (B, D)."""
        return self._walk(None, spread=0.0)

    def sample(self, num: int | None = None) -> Tensor:
        """Reparameterized draws, group by group, shape (B, D), or (num, B, D) where `num` is given."""
        return self._walk(num, spread=1.0)

    def at(self, z: Tensor) -> DiagonalGaussian:
        """Every group's Gaussian given the part of `z` above it, side by side: fields of shape (..., B, D).

        `z` of shape (..., 1, D) is held against every example: what depends on one of the two alone is computed once.
        """
        shape = torch.broadcast_shapes(z.shape[:-1], self.features.shape[:-1])
        parts, start = [], 0
        for number, size in enumerate(self.head.sizes):
            q = self.head.group(number, self.features, z[..., :start])
            parts.append(DiagonalGaussian(q.mean.expand(*shape, size), q.logvar.expand(*shape, size)))
            start += size
        return _side_by_side(parts)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) in nats, summed over groups; `z` of shape (..., B, D) gives (..., B), and so does (..., 1, D)."""
        return self.at(z).log_prob(z)

    def kl(self, prior: "HierarchicalPrior", z: Tensor) -> Tensor:
        """KL of every factor from the prior's, in nats for each dimension, shape (B, D).

        Exact but for the groups above, which are those of `z`; over draws of z its sum is the KL of the whole.
        """
        q, p = self.at(z), prior.at(z)
        difference = (q.mean - p.mean).square()
        return 0.5 * (p.logvar - q.logvar + (q.logvar.exp() + difference) * torch.exp(-p.logvar) - 1)

    def _walk(self, num: int | None, spread: float) -> Tensor:
        features = self.features if num is None else self.features.expand(num, *self.features.shape)
        z = features[..., :0]
        for number in range(len(self.head.sizes)):
            q = self.head.group(number, features, z)
            drawn = q.mean + spread * torch.exp(0.5 * q.logvar) * torch.randn_like(q.mean) if spread else q.mean
            z = torch.cat([z, drawn], -1)
        return z


class HierarchicalPrior(LearnedPrior):
    """N(0, I) for the top group and learned Gaussians given what is above for the others.

    Args:
        dim: D.
        groups: As in `HierarchicalHead`.
        hidden_dim: Width of the hidden layer of p(z_l | z_<l).
    """

    def __init__(self, dim: int, groups: Sequence[int] | None = None, hidden_dim: int = 128):
        super().__init__(dim)
        self.sizes = group_sizes(dim, groups)
        self.below = _Groups(0, self.sizes, hidden_dim)

    def at(self, z: Tensor) -> DiagonalGaussian:
        """Every group's Gaussian given the part of `z` above it, side by side: fields of the shape of `z`."""
        first = z[..., : self.sizes[0]]
        parts, start = [DiagonalGaussian(torch.zeros_like(first), torch.zeros_like(first))], self.sizes[0]
        for number, size in enumerate(self.sizes[1:], 1):
            parts.append(self.below(number, z[..., :start]))
            start += size
        return _side_by_side(parts)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats, the shape of `z` without its last axis."""
        return self.at(z).log_prob(z)

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """`num` draws from torch's global generator, the noise of every group scaled by `spread`; shape (num, D)."""
        z = spread * torch.randn(num, self.sizes[0], device=next(self.parameters()).device)
        for number in range(1, len(self.sizes)):
            p = self.below(number, z)
            z = torch.cat([z, p.mean + spread * torch.exp(0.5 * p.logvar) * torch.randn_like(p.mean)], -1)
        return z
