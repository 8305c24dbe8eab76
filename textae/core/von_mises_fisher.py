"""Codes on the unit sphere: the von Mises-Fisher posterior, its uniform prior, their KL, draws and Bessel functions. No objectives.

The density is C(κ) exp(κ μ·z) with respect to the sphere's own area: κ = 0 is uniform, and a large κ close to a Gaussian of variance 1/κ
around μ (Davidson et al. 2018, sec. 3; Xu & Durrett 2018, sec. 3). It is a density over the sphere and over nothing else, so a
Gaussian mixture or a flow, which have theirs over the space around it, cannot be its prior.

Shapes: B examples, D latent dimensions, N cosines, Q nodes of a quadrature.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn.functional import normalize, softplus

KAPPA_MAX = 1e5  # a standard deviation of 0.003: beyond it float32 codes of one example are no longer told apart
DEBYE_ORDER = 50  # from here on four terms of the expansion leave 1e-9
NODES = 48  # of the quadrature: measured, 1e-7 of the derivative


@dataclass(frozen=True)
class VonMisesFisher:
    """q(z|x) = vMF(mean, kappa) on the unit sphere in D dimensions.

    Attributes:
        mean: The mean direction μ, unit vectors, shape (B, D), float32. The expected code is shorter and points the same way.
        kappa: The concentration κ, above 0, shape (B,), float32.
    """

    mean: Tensor
    kappa: Tensor

    def sample(self, num: int | None = None) -> Tensor:
        """Draws with gradients, shape (B, D), or (num, B, D) where `num` is given.

        The cosine w to μ is drawn by rejection (Ulrich 1984, Wood 1994) and has its exact derivative by κ through the
        distribution function (Figurnov et al. 2018, eq. 6), which knows nothing of the rejections; the
        direction around μ is a Gaussian draw without its part along μ.
        """
        mean = self.mean if num is None else self.mean.expand(num, *self.mean.shape)
        kappa = self.kappa.double().expand(mean.shape[:-1])
        w = _Cosine.apply(kappa, draw_cosines(kappa.detach(), mean.shape[-1]), mean.shape[-1])
        noise = torch.randn(mean.shape, device=mean.device)
        around = _beside(_beside(noise, mean), mean)  # twice: where little is left of the noise, once leaves float32's rounding
        sine = (1 - w.square()).clamp_min(1e-12).sqrt().float()
        return w.float()[..., None] * mean + sine[..., None] * around

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) in nats with respect to the sphere's area; unit vectors (..., B, D) give (..., B)."""
        # κ μ·z = κ - κ/2 |z - μ|²: of log C(κ) and κ μ·z, both near 10^5 at the largest κ, float32 would leave two digits behind the point
        height = log_normalizer(self.kappa, self.mean.shape[-1]) + self.kappa.double()
        return height.float() - 0.5 * self.kappa * (z - self.mean).square().sum(-1)

    def kl(self) -> Tensor:
        """KL(q(z|x) || uniform) in nats, shape (B, 1): κ A(κ) + log C(κ) + log area (Davidson et al. 2018, eq. 8).

        One number for all dimensions: it depends on κ alone.
        """
        dim = self.mean.shape[-1]
        kappa = self.kappa.double()
        kl = kappa * mean_resultant(kappa, dim) + log_normalizer(kappa, dim) + log_area(dim)
        return kl.float()[:, None]


def _beside(x: Tensor, mean: Tensor) -> Tensor:
    """Unit vectors of what of `x` is at right angles to unit vectors `mean`."""
    return normalize(x - (x * mean).sum(-1, keepdim=True) * mean, dim=-1)


class SphereHead(nn.Module):
    """Features to a von Mises-Fisher posterior.

    Args:
        in_dim: Width of the features.
        latent_dim: D, at least 2.
        kappa: One concentration for all examples, which makes the KL a constant that no training can push to zero (Xu &
            Durrett 2018, sec. 3.2); 0: learned for each example, softplus + 1 (Davidson et al. 2018, sec. 5).
    """

    def __init__(self, in_dim: int, latent_dim: int, kappa: float = 0.0):
        super().__init__()
        if latent_dim < 2:
            raise ValueError(f"posterior vmf: latent_dim is {latent_dim}; a sphere in one dimension is two points: take at least 2")
        if not 0 <= kappa <= KAPPA_MAX:
            raise ValueError(f"posterior vmf: kappa is {kappa}; it must be 0 (learned) or a concentration of up to {KAPPA_MAX:g}")
        self.kappa = kappa
        self.mean = nn.Linear(in_dim, latent_dim)
        self.concentration = None if kappa else nn.Linear(in_dim, 1)

    def forward(self, features: Tensor) -> VonMisesFisher:
        mean = normalize(self.mean(features).float(), dim=-1)
        if self.concentration is None:
            return VonMisesFisher(mean, mean.new_full(mean.shape[:1], self.kappa))
        kappa = 1 + softplus(self.concentration(features).float()[:, 0])
        return VonMisesFisher(mean, kappa.clamp_max(KAPPA_MAX))

    def snap(self, z_BD: Tensor) -> Tensor:
        """The nearest points of the sphere: a path or a sum of codes leaves it, and no decoder has seen what lies off it."""
        return normalize(z_BD, dim=-1)


class UniformSphere(nn.Module):
    """The uniform distribution on the unit sphere. Nothing to fit."""

    def __init__(self, dim: int):
        super().__init__()
        if dim < 2:
            raise ValueError(f"prior sphere: the code has {dim} dimension; a sphere needs at least 2")
        self.dim = dim

    def log_prob(self, z: Tensor) -> Tensor:
        """-log area in nats, the shape of `z` without its last axis."""
        return torch.full(z.shape[:-1], -log_area(self.dim), device=z.device)

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """`num` unit vectors from torch's global generator, shape (num, D); `spread` has nothing to scale."""
        return normalize(torch.randn(num, self.dim), dim=-1)


def log_area(dim: int) -> float:
    """Logarithm of the area of the unit sphere in `dim` dimensions.

    >>> round(log_area(3), 6) == round(math.log(4 * math.pi), 6)
    True
    """
    return math.log(2) + 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim)


def log_normalizer(kappa: Tensor, dim: int) -> Tensor:
    """log C(κ) in nats, in float64, with its derivative -A(κ); the shape of `kappa`."""
    return _LogNormalizer.apply(kappa.double(), dim)


def mean_resultant(kappa: Tensor, dim: int) -> Tensor:
    """A(κ) = I_{D/2}(κ) / I_{D/2-1}(κ), the length of the expected code, in float64, with its derivative."""
    return _MeanResultant.apply(kappa.double(), dim)


def bessel(order: float, x: Tensor) -> tuple[Tensor, Tensor]:
    """log I_v(x) and I_{v+1}(x) / I_v(x) for any order v >= 0 and x > 0, in float64.

    Debye's uniform expansion (Abramowitz & Stegun 9.7.7) at an order that is large enough for it, and from there down
    by the recurrence of the ratios (9.6.26), in which errors shrink.
    """
    x = x.double()
    steps = max(0, math.ceil(DEBYE_ORDER - order))
    log_value, above = _debye(order + steps, x), _debye(order + steps + 1, x)
    ratio = (above - log_value).exp()
    for below in (order + i for i in reversed(range(steps))):
        ratio = 1 / (2 * (below + 1) / x + ratio)
        log_value = log_value - ratio.log()
    return log_value, ratio


def _debye(order: float, x: Tensor) -> Tensor:
    """log I_v(x) by four terms in 1/v (Abramowitz & Stegun 9.7.7 and 9.3.9)."""
    z = x / order
    root = (1 + z.square()).sqrt()
    p = 1 / root
    q = p.square()
    terms = (
        1.0,
        p * (3 - 5 * q) / 24,
        q * (81 - 462 * q + 385 * q**2) / 1152,
        p * q * (30375 - 369603 * q + 765765 * q**2 - 425425 * q**3) / 414720,
        q**2 * (4465125 - 94121676 * q + 349922430 * q**2 - 446185740 * q**3 + 185910725 * q**4) / 39813120,
    )
    series = sum(term / order**k for k, term in enumerate(terms))
    eta = root + (z / (1 + root)).log()
    return order * eta - 0.5 * math.log(2 * math.pi * order) - 0.5 * root.log() + series.log()


class _LogNormalizer(torch.autograd.Function):
    """log C(κ) = v log κ - D/2 log 2π - log I_v(κ) with v = D/2 - 1 (Davidson et al. 2018, eq. 6)."""

    @staticmethod
    def forward(ctx, kappa: Tensor, dim: int) -> Tensor:
        order = 0.5 * dim - 1
        log_value, ratio = bessel(order, kappa)
        ctx.save_for_backward(ratio)
        return order * kappa.log() - 0.5 * dim * math.log(2 * math.pi) - log_value

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (ratio,) = ctx.saved_tensors
        return -ratio * gradient, None


class _MeanResultant(torch.autograd.Function):
    """A(κ), whose derivative is 1 - A² - (D - 1) A / κ."""

    @staticmethod
    def forward(ctx, kappa: Tensor, dim: int) -> Tensor:
        ratio = bessel(0.5 * dim - 1, kappa)[1]
        ctx.save_for_backward(kappa, ratio)
        ctx.dim = dim
        return ratio

    @staticmethod
    def backward(ctx, gradient: Tensor):
        kappa, ratio = ctx.saved_tensors
        return (1 - ratio.square() - (ctx.dim - 1) * ratio / kappa) * gradient, None


class _Cosine(torch.autograd.Function):
    """A drawn cosine as a function of κ: the value as it was drawn, and its derivative at a fixed share of the distribution."""

    @staticmethod
    def forward(ctx, kappa: Tensor, w: Tensor, dim: int) -> Tensor:
        ctx.save_for_backward(kappa, w)
        ctx.dim = dim
        return w.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor):
        kappa, w = ctx.saved_tensors
        return cosine_derivative(kappa, w, ctx.dim) * gradient, None, None


def draw_cosines(kappa: Tensor, dim: int) -> Tensor:
    """Cosines between draws and μ by rejection, float64, the shape of `kappa` (Wood 1994; Davidson et al. 2018, alg. 1)."""
    flat, m = kappa.double().reshape(-1), dim - 1.0
    root = (4 * flat.square() + m * m).sqrt()
    b_all = m / (2 * flat + root)  # (-2κ + root) / m without the difference of two large numbers
    a_all = (m + 2 * flat + root) / 4
    d_all = 4 * a_all * b_all / (1 + b_all) - m * math.log(m)
    beta = Beta(torch.tensor(m / 2, dtype=torch.float64), torch.tensor(m / 2, dtype=torch.float64))
    w, todo = torch.empty_like(flat), torch.arange(len(flat), device=flat.device)
    while len(todo):
        a, b, d = a_all[todo], b_all[todo], d_all[todo]
        share = beta.sample(todo.shape).to(flat.device)
        level = torch.rand(todo.shape, dtype=torch.float64, device=flat.device)
        below = 1 - (1 - b) * share
        t = 2 * a * b / below
        accepted = m * t.log() - t + d >= level.log()
        w[todo[accepted]] = ((1 - (1 + b) * share) / below)[accepted]
        todo = todo[~accepted]
    return w.view(kappa.shape)


def cosine_derivative(kappa: Tensor, w: Tensor, dim: int) -> Tensor:
    """dw/dκ at a fixed value of the distribution function, -(∂F/∂κ) / f, float64, the shape of `w`.

    With w = cos θ the density of θ is g(θ) = sin^{D-2} θ · exp(κ cos θ) and ∂F/∂κ the integral of (cos θ - A(κ)) g, which is zero
    over the whole range: of its two sides the one is taken where the integrand does not change its sign.
    """
    kappa_N1, w_N1 = kappa.double().reshape(-1, 1), w.reshape(-1, 1).clamp(-1, 1)
    mean_N1 = bessel(0.5 * dim - 1, kappa_N1)[1]
    theta_N1 = torch.acos(w_N1).clamp(1e-9, math.pi - 1e-9)
    upper_N1 = w_N1 > mean_N1
    curvature_N1 = (dim - 2) / (1 - mean_N1.square()).clamp_min(1e-12) + kappa_N1 * mean_N1
    reach_N1 = 12 / curvature_N1.sqrt()  # the density falls by e^-72 on the way
    start_N1 = torch.where(upper_N1, (theta_N1 - reach_N1).clamp_min(0), theta_N1)
    end_N1 = torch.where(upper_N1, theta_N1, (theta_N1 + reach_N1).clamp_max(math.pi))
    nodes, weights = (torch.from_numpy(x).to(w.device) for x in np.polynomial.legendre.leggauss(NODES))
    half_N1 = 0.5 * (end_N1 - start_N1)
    angles_NQ = start_N1 + half_N1 * (1 + nodes)

    def log_density(angle: Tensor) -> Tensor:
        return (dim - 2) * angle.sin().log() + kappa_N1 * angle.cos()

    relative_NQ = (log_density(angles_NQ) - log_density(theta_N1)).exp()
    integral_N1 = half_N1 * ((angles_NQ.cos() - mean_N1) * relative_NQ * weights).sum(1, keepdim=True)
    return (theta_N1.sin() * integral_N1.abs()).view(w.shape)
