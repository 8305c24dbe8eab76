"""Posteriors q(z|x) and the geometry of the code; no networks, no data.

Shapes: B examples, D latent dimensions, K draws or categories.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

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
    """A deterministic code: all mass on `mean`. It has no density, so no KL and no bound.

    Attributes:
        mean: Shape (B, D), float32. With categories its first K dimensions are the probabilities q(y|x).
        category_logits: Logits of those probabilities, shape (B, K), float32; None for a code without categories.
    """

    mean: Tensor
    category_logits: Tensor | None = None

    def sample(self, num: int | None = None) -> Tensor:
        """The code itself, shape (B, D), or (num, B, D) where `num` is given."""
        return self.mean if num is None else self.mean.expand(num, *self.mean.shape)


@dataclass(frozen=True, kw_only=True)
class QuantizedPosterior(PointPosterior):
    """A point that a codebook's entries are laid side by side to: what `textae.core.codebook.Codebook` yields.

    Its `mean` has the encoder's gradient (straight through). Under a prior over codes it has a likelihood bound.

    Attributes:
        indices: The entry at each of P positions, int64, shape (B, P).
        distance: ‖encoder's output - its entries‖², summed over positions and dimensions, shape (B,), with a gradient to
            the encoder alone.
    """

    indices: Tensor
    distance: Tensor


class Posterior(Protocol):
    """q(z|x) of B examples: of these and other families (`textae.core.families`), what all code may rely on.

    Those with a density have `log_prob(z)` too, (..., B, D) -> (..., B); a `PointPosterior` has none.

    Attributes:
        mean: The code that stands for each example, shape (B, D), float32.
    """

    @property
    def mean(self) -> Tensor: ...

    def sample(self, num: int | None = None) -> Tensor:
        """Draws with a gradient to the encoder, shape (B, D), or (num, B, D) where `num` is given."""


def join(parts: Sequence[Posterior], restore: Callable[[list[Tensor]], Tensor] = torch.cat) -> Posterior:
    """Posteriors of batches as one of all their examples.

    Args:
        parts: Of one family and one model.
        restore: Makes one tensor of a field's tensors, examples first: puts them into an order, or on a device.
    """
    values = {}
    for field in fields(parts[0]):
        column = [getattr(part, field.name) for part in parts]
        values[field.name] = restore(column) if isinstance(column[0], Tensor) else column[0]
    return type(parts[0])(**values)


def clamp_logvar(logvar: Tensor) -> Tensor:
    """Log-variances cut to `LOGVAR_MIN` and `LOGVAR_MAX`, with a way back: beyond a limit the gradient of a step inwards passes.

    The plain clamp has none there, and a code that went beyond while nothing kept it would stay for good. What is taken as a loss is
    descended; a step further out has gradient 0, as in the clamp.
    """
    if not torch.is_grad_enabled():
        return logvar.clamp(LOGVAR_MIN, LOGVAR_MAX)
    return _ClampLogvar.apply(logvar)


class _ClampLogvar(torch.autograd.Function):
    """What `clamp_logvar` says."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logvar: Tensor) -> Tensor:
        return logvar.clamp(LOGVAR_MIN, LOGVAR_MAX)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (logvar,) = ctx.saved_tensors
        outwards = ((logvar < LOGVAR_MIN) & (gradient > 0)) | ((logvar > LOGVAR_MAX) & (gradient < 0))
        return gradient.masked_fill(outwards, 0)


class PosteriorHead(nn.Module):
    """Linear map from an encoder's features to a Gaussian or a point.

    Args:
        in_dim: Width of the features.
        latent_dim: D.
        kind: "gaussian" or "point".
        categories: K: the first K dimensions of a point code are softmax probabilities q(y|x), the others a free style
            (Makhzani et al. 2016, sec. 5); 0: none. The logits are normalized over the batch while training (app. A):
            without it an adversary drives all examples into one category, where softmax has no gradient to leave by.
        mean_scale: γ: the means of a Gaussian are normalized over the batch to this standard deviation in every dimension,
            and a learned shift, which keeps the mean KL at γ²/2 nats a dimension or more: a decoder cannot train it
            away (BN-VAE; Zhu et al. 2020, eq. 6-7; they take 0.3 to 0.7). 0: the linear map's own.
    """

    def __init__(self, in_dim: int, latent_dim: int, kind: str = "gaussian", categories: int = 0, mean_scale: float = 0.0):
        super().__init__()
        if kind not in POSTERIORS:
            raise ValueError(f"posterior is {kind!r}; it must be one of {', '.join(POSTERIORS)}")
        check_categories(categories, latent_dim, kind)
        if not 0 <= mean_scale < math.inf:
            raise ValueError(f"mean_scale is {mean_scale}; it must be 0 (off) or the standard deviation that means shall have")
        if mean_scale and kind != "gaussian":
            raise ValueError(f"mean_scale keeps a KL from 0, and posterior={kind} has none: set posterior=gaussian, or leave it out")
        self.categories = categories
        self.mean = nn.Linear(in_dim, latent_dim)
        self.logvar = nn.Linear(in_dim, latent_dim) if kind == "gaussian" else None
        self.category_norm = BatchNorm(categories) if categories else None
        self.mean_norm = FixedScaleNorm(latent_dim, mean_scale) if mean_scale else None

    def forward(self, features: Tensor) -> Posterior:
        mean = self.mean(features).float()
        if self.mean_norm is not None:
            mean = self.mean_norm(mean)
        if self.category_norm is not None:
            logits = self.category_norm(mean[:, : self.categories])
            return PointPosterior(torch.cat([logits.softmax(-1), mean[:, self.categories :]], -1), logits)
        if self.logvar is None:
            return PointPosterior(mean)
        return DiagonalGaussian(mean, clamp_logvar(self.logvar(features).float()))

    def snap(self, z_BD: Tensor) -> Tensor:
        """The codes of this family that are nearest to any points: here the points themselves."""
        return z_BD


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization (Ioffe & Szegedy 2015), (B, K) -> (B, K) in float32; a batch of one takes the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)  # a model in half precision has its statistics in it as well
        if self.training and len(x) == 1:
            return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps).float()
        return super().forward(x).float()


class FixedScaleNorm(nn.Module):
    """Batch normalization to one fixed standard deviation and a learned shift, (B, D) -> (B, D) in float32.

    A batch of one takes the running statistics.
    """

    def __init__(self, dim: int, scale: float):
        super().__init__()
        self.scale = scale
        self.shift = nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        batch = self.training and len(x) > 1
        x, mean, var = x.float(), self.running_mean, self.running_var
        weight = torch.full_like(self.shift, self.scale).float()
        if mean.dtype == torch.float32:  # a model in half precision is read, and not trained
            return batch_norm(x, mean, var, weight, self.shift, training=batch)
        return batch_norm(x, mean.float(), var.float(), weight, self.shift.float(), training=False)


POSTERIORS = {"gaussian": DiagonalGaussian, "point": PointPosterior}


def check_categories(categories: int, latent_dim: int, kind: str) -> None:
    """Refuse a categorical part that a code of this width or kind cannot have.

    Raises:
        ValueError: One category, fewer than none, more than dimensions, or a Gaussian posterior.
    """
    if categories == 0:
        return
    if not 2 <= categories <= latent_dim:
        raise ValueError(f"categories is {categories}; it must be 0 (none) or from 2 to latent_dim, which is {latent_dim}")
    if kind != "point":
        raise ValueError(f"a code with categories is deterministic: set posterior=point, not {kind!r}, or categories=0")


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
