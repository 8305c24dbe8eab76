"""Annealed importance sampling: log Z of a machine too large to enumerate, with its standard error.

Shapes: M chains, V visible units, H hidden units.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vision.rbm import RBM, check_data

LEAST_SHARE = 0.01  # of a Bernoulli unit in the base model; none may be impossible there that the machine allows


@dataclass(frozen=True)
class PartitionEstimate:
    """An estimate of a partition function.

    Attributes:
        log_z: Natural logarithm of the unbiased estimate of Z.
        standard_error: Of `log_z`, nats: that of the mean weight divided by it (delta method). It is itself an
            estimate, and too small where a few chains carry all the weight.
        effective_chains: (Σw)² / Σw², between 1 and M.
        chains: M.
    """

    log_z: float
    standard_error: float
    effective_chains: float
    chains: int


def temperatures(distributions: int) -> Tensor:
    """Inverse temperatures from 0 to 1, `distributions` steps of float64, in the proportions of the source.

    Source: Salakhutdinov & Murray 2008, the experiments: 500 up to 0.5, 4,000 up to 0.9, 10,000 up to 1.
    """
    first, second = max(1, round(distributions * 500 / 14_500)), max(1, round(distributions * 4_000 / 14_500))
    spans = ((0.0, 0.5, first), (0.5, 0.9, second), (0.9, 1.0, distributions - first - second))
    parts = [torch.linspace(low, high, count + 1, dtype=torch.float64)[:-1] for low, high, count in spans]
    return torch.cat([*parts, torch.ones(1, dtype=torch.float64)])


@torch.no_grad()
def estimate_log_partition(
    rbm: RBM, data: Tensor | None = None, *, distributions: int = 14_500, chains: int = 100, seed: int = 0
) -> PartitionEstimate:
    """Estimate log Z by annealed importance sampling from a base-rate model.

    The base model has no weights: its visible units have the data's own means (and variances, where Gaussian), its
    hidden units neither. At inverse temperature β the base's visible energy counts 1 - β, the machine's β, and the
    hidden units' input is scaled by β.

    Source: Salakhutdinov & Murray 2008; Neal 2001.

    Args:
        rbm: Any machine.
        data: What it was trained on, shape (N, V), on its device; None starts at the machine's own visible biases.
        distributions: Steps from the base model to the machine; at least 3.
        chains: M, at least 2.
        seed: Of the draws.
    """
    if distributions < 3 or chains < 2:
        raise ValueError(f"AIS needs at least 3 distributions and 2 chains; got {distributions} and {chains}")
    gaussian = rbm.log_sigma is not None
    sigma = rbm.log_sigma.exp() if gaussian else torch.ones_like(rbm.visible_bias)
    if data is None:
        mean = rbm.visible_bias.clone() if gaussian else torch.sigmoid(rbm.visible_bias)
        std = sigma
    else:
        check_data(data, len(rbm.visible_bias), not gaussian, "AIS: data")
        # The machine's own σ is the least that its unit can vary by, so a base with less would miss where it lives.
        mean, std = data.mean(0), torch.maximum(data.std(0, correction=0), sigma)
    base = mean if gaussian else torch.logit(mean.clamp(LEAST_SHARE, 1 - LEAST_SHARE))
    path = _Path(rbm, base, std, sigma, gaussian)

    generator = torch.Generator(rbm.weight.device).manual_seed(seed)
    beta = temperatures(distributions).tolist()
    start = (base if gaussian else torch.sigmoid(base)).expand(chains, -1)
    v = rbm.sample_visible(start, generator) if not gaussian else start + std * torch.empty_like(start).normal_(generator=generator)
    log_weights = torch.zeros(chains, dtype=torch.float64, device=v.device)
    for cold, warm in zip(beta[1:], beta[:-1], strict=True):
        x = rbm.hidden_input(v)
        log_weights += path.log_ratio(v, x, cold, warm).double()
        v = path.step(x, cold, generator)
    if not bool(log_weights.isfinite().all()):
        raise ValueError("AIS met infinite weights: the machine has diverged, or has no partition function")

    largest = log_weights.max()
    weights = torch.exp(log_weights - largest)
    relative = weights / weights.mean()
    return PartitionEstimate(
        log_z=path.base_log_partition() + largest.item() + math.log(weights.mean().item()),
        standard_error=(relative.std() / math.sqrt(chains)).item(),
        effective_chains=(weights.sum().square() / weights.square().sum()).item(),
        chains=chains,
    )


@dataclass(frozen=True)
class _Path:
    """The distributions between the base model and the machine.

    Attributes:
        base: Logits of the base's Bernoulli units, or means of its Gaussian ones, shape (V,).
        std: Standard deviations of the base's Gaussian units, shape (V,).
        sigma: Those of the machine's.
    """

    rbm: RBM
    base: Tensor
    std: Tensor
    sigma: Tensor
    gaussian: bool

    def log_ratio(self, v: Tensor, x: Tensor, cold: float, warm: float) -> Tensor:
        """log p_cold(v) - log p_warm(v) of the unnormalized densities, hidden units summed out; shape (M,).

        `x` is the hidden units' input without bias. Differences are taken before sums, which would swallow them.
        """
        rbm = self.rbm
        of_base = 0.5 * ((v - self.base) / self.std).square().sum(1) if self.gaussian else -(v @ self.base)
        total = (cold - warm) * (of_base - rbm.visible_energy(v))
        inputs = rbm.hidden_bias + x
        if rbm.hidden == "bernoulli":
            return total + (softplus(cold * inputs) - softplus(warm * inputs)).sum(1)
        # log ∫ exp(-(1-β) h²/2 - β (h-c)²/2 + β x h) dh = log(2π)/2 + β² (c+x)²/2 - β c²/2
        return total + 0.5 * ((cold**2 - warm**2) * inputs.square() - (cold - warm) * rbm.hidden_bias.square()).sum(1)

    def step(self, x: Tensor, beta: float, generator: torch.Generator) -> Tensor:
        """One Gibbs step that leaves p_β as it is."""
        rbm = self.rbm
        inputs = beta * (rbm.hidden_bias + x)
        h = rbm.sample_hidden(torch.sigmoid(inputs) if rbm.hidden == "bernoulli" else inputs, generator)
        y = h @ rbm.weight.T
        if not self.gaussian:
            return rbm.sample_visible(torch.sigmoid((1 - beta) * self.base + beta * (rbm.visible_bias + y)), generator)
        own, base = beta / self.sigma.square(), (1 - beta) / self.std.square()
        mean = (base * self.base + own * (rbm.visible_bias + self.sigma * y)) / (base + own)
        return mean + torch.empty_like(mean).normal_(generator=generator) / (base + own).sqrt()

    def base_log_partition(self) -> float:
        rbm = self.rbm
        hidden = len(rbm.hidden_bias) * (math.log(2) if rbm.hidden == "bernoulli" else 0.5 * math.log(2 * math.pi))
        visible = self.std.double().log() + 0.5 * math.log(2 * math.pi) if self.gaussian else softplus(self.base.double())
        return hidden + visible.sum().item()
