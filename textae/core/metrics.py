"""Numbers about a trained autoencoder: bounds on its likelihood, KL, mutual information, active units.

Shapes: B examples of a batch, N of a split, D latent dimensions, K draws.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from textae.core.autoencoder import Autoencoder, AutoencoderConfig
from textae.core.code_prior import UniformCodes
from textae.core.data import Batch
from textae.core.hierarchical import HierarchicalGaussian, HierarchicalPrior
from textae.core.importance import effective_samples, log_importance_weights, running_bound
from textae.core.latent import DiagonalGaussian, PointPosterior, Posterior, QuantizedPosterior
from textae.core.prior import StandardNormal
from textae.core.von_mises_fisher import UniformSphere, VonMisesFisher

# A dimension is active if its posterior mean varies by more than this over the data (Burda et al. 2016, app. C).
ACTIVE_VARIANCE = 0.01
# Numbers that pairs without a matrix product have at once, each as many as its widest vector: 16 MiB, and a few times that in all.
NUMBERS = 2**22


@dataclass
class Bound:
    """Sums over a split of what the ELBO is made of, one draw an example.

    Attributes:
        num_examples: N.
        count: Tokens (with end marks) or pixels.
        reconstruction: Mean of -log p(x|z), nats per example.
        kl: Mean of KL(q(z|x) || p(z)), nats per example: analytic for the standard prior, log q - log p of the draw
            for a fitted one, -log p of the codes for a quantized posterior; 0 for any other point, which has no bound.
        active_units: Dimensions whose posterior mean has a variance of at least `active_variance`.
        latent_dim: D.
    """

    num_examples: int
    count: int
    reconstruction: float
    kl: float
    active_units: int
    latent_dim: int

    @property
    def loss(self) -> float:
        """-ELBO in nats per example, unannealed; for a point posterior the reconstruction alone."""
        return self.reconstruction + self.kl


@torch.no_grad()
def bound(model: Autoencoder, batches: Iterable[Batch], reduce=lambda tensor: tensor) -> Bound:
    """The negative ELBO of a split and its parts, in eval mode's arithmetic, unweighted.

    Args:
        model: In eval mode.
        batches: Its forward arguments.
        reduce: Sums a tensor over processes.
    """
    dim = model.config.latent_dim
    sums = torch.zeros(4 + 2 * dim, dtype=torch.float64)
    for batch in batches:
        output = model(**batch)
        kl = kl_to_prior(model, output.posterior, output.z)
        mean = output.posterior.mean.cpu().double()  # on the CPU: not every accelerator has float64
        parts = [len(output.nll), output.count.sum(), output.nll.cpu().double().sum(), kl.cpu().double().sum()]
        sums[:4] += torch.tensor([float(p) for p in parts], dtype=torch.float64)
        sums[4 : 4 + dim] += mean.sum(0)
        sums[4 + dim :] += mean.square().sum(0)
    sums = reduce(sums)
    n = sums[0].item()
    if n == 0:
        raise ValueError("nothing to evaluate: the split is empty")
    mean = sums[4 : 4 + dim] / n
    variance = sums[4 + dim :] / n - mean.square()
    return Bound(
        num_examples=int(n), count=int(sums[1]), reconstruction=(sums[2] / n).item(), kl=(sums[3] / n).item(),
        active_units=int((variance >= active_variance(model.config)).sum()), latent_dim=dim,
    )  # fmt: skip


def kl_to_prior(model: Autoencoder, posterior: Posterior, z: Tensor) -> Tensor:
    """KL(q(z|x) || p(z)) of each example under the model's own prior, in nats, shape (B,).

    Analytic for the standard prior and the sphere's; for the others the one-draw estimate log q(z|x) - log p(z), which is unbiased
    and may be negative for single examples (of groups, analytic in all but the groups above). For a quantized posterior under a prior
    over codes exactly -log p of its codes; zero for any other point.
    """
    if is_discrete(model, posterior):
        return -model.prior.log_prob(z)
    if isinstance(posterior, PointPosterior):
        return torch.zeros(len(z), device=z.device)
    return kl_parts(posterior, model.prior, z).sum(1)


def kl_parts(posterior: Posterior, prior: nn.Module, z: Tensor) -> Tensor:
    """The same of any posterior with a density, by dimension where that is known, (B, D), else in one number, (B, 1)."""
    if isinstance(posterior, DiagonalGaussian) and isinstance(prior, StandardNormal):
        return posterior.kl()
    if isinstance(posterior, VonMisesFisher) and isinstance(prior, UniformSphere):
        return posterior.kl()
    if isinstance(posterior, HierarchicalGaussian) and isinstance(prior, HierarchicalPrior):
        return posterior.kl(prior, z)
    return (posterior.log_prob(z) - prior.log_prob(z))[:, None]


def is_discrete(model: Autoencoder, posterior: Posterior) -> bool:
    """Whether q(z|x) and p(z) are masses on the same codes, so that reconstruction + KL is a bound though q is a point."""
    return isinstance(posterior, QuantizedPosterior) and isinstance(model.prior, UniformCodes)


@dataclass
class ImportanceBound:
    """Importance-weighted estimates of one batch.

    Attributes:
        nll: Upper bound on -log p(x), in nats, shape (B,), on the CPU in float64.
        effective_samples: (Σw)² / Σw², between 1 and K, shape (B,). Near 1 the bound hangs on a single draw.
    """

    nll: Tensor
    effective_samples: Tensor


@torch.no_grad()
def importance_nll(model: Autoencoder, batch: Batch, samples: int = 100, rows: int | None = None) -> ImportanceBound:
    """Upper bound on -log p(x) in nats that tightens as `samples` grows; one draw gives the ELBO's.

    Source: Burda et al. 2016, eq. 8, with q(z|x) as the proposal and the model's own prior.

    Args:
        model: Any autoencoder whose posterior has a density, in eval mode.
        batch: Its forward arguments, B examples.
        samples: K, exactly this many draws for each example.
        rows: Sequences or images decoded at once, which bounds the memory; None takes 512 on a CPU, whose caches hold no
            more, and 4,096 elsewhere.

    Raises:
        ValueError: The posterior is a point, or `samples` is below one.
    """
    log_w = log_importance_weights(model, batch, samples, rows)
    return ImportanceBound(nll=running_bound(log_w, [samples])[0], effective_samples=effective_samples(log_w))


@torch.no_grad()
def mutual_information(posterior: Posterior, draws: int = 1, rows: int = 1024) -> float:
    """I(x; z) under q in nats: E[log q(z|x)] - E[log q(z)], q(z) being the mixture of the N posteriors given.

    Source: Hoffman & Johnson 2016, sec. 3; Dieng et al. 2019, sec. 2. Each example's own posterior is in the mixture, so
    the estimate never exceeds ln N, and saturates there: report N and ln N beside it. Noise could take
    it below zero, where no mutual information lies; it is cut off there.

    Args:
        posterior: N posteriors with a density.
        draws: Codes drawn from each.
        rows: Codes compared at once; bounds the memory to rows x N. Fewer where pairs are no matrix product and have a vector each.
    """
    gaussian, num = isinstance(posterior, DiagonalGaussian), len(posterior.mean)
    if gaussian:
        mean, logvar = posterior.mean.double(), posterior.logvar.double()
        precision = torch.exp(-logvar)
        constant = ((mean.square() * precision) + logvar).sum(1) + mean.shape[1] * math.log(2 * math.pi)
    else:
        width = max(posterior.mean.shape[1], posterior.head.hidden_dim if isinstance(posterior, HierarchicalGaussian) else 0)
        rows = max(1, min(rows, NUMBERS // (num * width)))
    total = 0.0
    for _ in range(draws):
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean) if gaussian else posterior.sample()
        for start in range(0, len(z), rows):
            part = z[start : start + rows]
            if gaussian:  # log q(z_i|x_j) of every pair through matrix products
                pairs = -0.5 * (part.square() @ precision.T - 2 * part @ (mean * precision).T + constant)
            else:
                pairs = posterior.log_prob(part[:, None]).double()
            own = pairs[torch.arange(len(part)), torch.arange(start, start + len(part))]
            total += (own - pairs.logsumexp(1) + math.log(len(z))).sum().item()
    return max(0.0, min(total / (draws * num), math.log(num)))


def active_variance(config: AutoencoderConfig) -> float:
    """The variance that makes a dimension active: 0.01 where the prior's is 1, and so 0.01 / D on the sphere, where it is 1 / D."""
    return ACTIVE_VARIANCE / (config.latent_dim if config.posterior == "vmf" else 1)


def active_units(means_ND: Tensor, variance: float = ACTIVE_VARIANCE) -> int:
    """Dimensions whose posterior mean has at least this variance over the data (Burda et al. 2016, app. C)."""
    return int((means_ND.double().var(0, unbiased=False) >= variance).sum())
