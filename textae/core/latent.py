"""Posteriors q(z|x) and the geometry of the code; no networks, no data.

Shapes: B examples, D latent dimensions, K draws.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# exp(-5) is a standard deviation of 0.7 % of the prior's, exp(4) fifty times it: outside, float32 KL loses its meaning.
LOGVAR_MIN, LOGVAR_MAX = -10.0, 8.0


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(logvar))).

    Attributes:
        mean: Shape (B, D), float32.
        logvar: Natural logarithm of the variances, shape (B, D), float32.
    """

    mean: Tensor
    logvar: Tensor

    def sample(self, num: int | None = None) -> Tensor:
        """Reparameterized draws from torch's global generator (Kingma & Welling 2014, sec. 2.4).

        Returns:
            Shape (B, D), or (num, B, D) where `num` is given.
        """
        shape = self.mean.shape if num is None else (num, *self.mean.shape)
        return self.mean + torch.exp(0.5 * self.logvar) * torch.randn(shape, device=self.mean.device)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) in nats, summed over dimensions; `z` of shape (..., B, D) gives (..., B)."""
        return gaussian_log_prob(z, self.mean, self.logvar)

    def kl(self) -> Tensor:
        """KL(q(z|x) || N(0, I)) in nats for each dimension, shape (B, D) (Kingma & Welling 2014, app. B)."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1.0 - self.logvar)


@dataclass(frozen=True)
class PointPosterior:
    """A deterministic code: all mass on `mean`, shape (B, D). It has no density, so no KL and no bound."""

    mean: Tensor

    def sample(self, num: int | None = None) -> Tensor:
        """The code itself, shape (B, D), or (num, B, D) where `num` is given."""
        return self.mean if num is None else self.mean.expand(num, *self.mean.shape)


Posterior = DiagonalGaussian | PointPosterior


class PosteriorHead(nn.Module):
    """Linear map from an encoder's features to a posterior.

    Args:
        in_dim: Width of the features.
        latent_dim: D.
        kind: "gaussian" or "point".
    """

    def __init__(self, in_dim: int, latent_dim: int, kind: str = "gaussian"):
        super().__init__()
        if kind not in POSTERIORS:
            raise ValueError(f"posterior is {kind!r}; it must be one of {', '.join(POSTERIORS)}")
        self.mean = nn.Linear(in_dim, latent_dim)
        self.logvar = nn.Linear(in_dim, latent_dim) if kind == "gaussian" else None

    def forward(self, features: Tensor) -> Posterior:
        mean = self.mean(features).float()
        if self.logvar is None:
            return PointPosterior(mean)
        return DiagonalGaussian(mean, self.logvar(features).float().clamp(LOGVAR_MIN, LOGVAR_MAX))


POSTERIORS = {"gaussian": DiagonalGaussian, "point": PointPosterior}


def gaussian_log_prob(z: Tensor, mean: Tensor | float = 0.0, logvar: Tensor | None = None) -> Tensor:
    """Log density of a diagonal Gaussian in nats, summed over the last dimension.

    Without `logvar` the variances are one.
    """
    if logvar is None:
        return -0.5 * ((z - mean).square() + math.log(2 * math.pi)).sum(-1)
    return -0.5 * ((z - mean).square() * torch.exp(-logvar) + logvar + math.log(2 * math.pi)).sum(-1)


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on the straight line from `a` to `b`.

    Args:
        a, b: Shape (D,).
        t: Positions, shape (S,); 0 is `a`, 1 is `b`.

    Returns:
        Shape (S, D).
    """
    return a + t[:, None] * (b - a)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on the great arc from `a` to `b`, their norms interpolated linearly (Shoemake 1985; White 2016, sec. 2.1).

    The arc keeps a Gaussian code's typical norm where a straight line falls through the empty center. Vectors that
    are parallel, opposite or zero have no single arc: there the straight line is taken.

    Args:
        a, b: Shape (D,).
        t: Positions, shape (S,); 0 is `a`, 1 is `b`.

    Returns:
        Shape (S, D).
    """
    norm_a, norm_b = a.norm(), b.norm()
    if norm_a == 0 or norm_b == 0:
        return lerp(a, b, t)
    unit_a, unit_b = a / norm_a, b / norm_b
    omega = torch.acos((unit_a @ unit_b).clamp(-1, 1))
    sine = torch.sin(omega)
    if sine < 1e-4:  # float32: below this the quotients lose their digits, and arc and line agree to 1e-8
        return lerp(a, b, t)
    t = t[:, None]
    direction = (torch.sin((1 - t) * omega) * unit_a + torch.sin(t * omega) * unit_b) / sine
    return direction * ((1 - t) * norm_a + t * norm_b)


PATHS = {"lerp": lerp, "slerp": slerp}
