"""Likelihoods of 8-bit pixels: probabilities of the 256 levels, for lossless coding and bits per pixel. No networks.

All sum to one over the levels, so that -log2 p(x|z) is a number of bits that a coder can reach. Which to take:

- `BetaBinomial`: two outputs a pixel, smooth, one mode or mass at both ends (Townsend et al. 2019, sec. 3.1);
- `LogisticMixture`: several modes of any sharpness (Salimans et al. 2017, sec. 2.1), for photographs;
- `ZeroInflatedLogistic`: the same with point masses at 0 and 255, for pictures with plain ground;
- `ZeroInflatedLevels`: mass at 0, and any shape over the rest with a table of levels that all pixels share. It learns
  that some levels are common and their neighbors rare, as in resampled scans. The best of the four on MNIST.

Shapes: B images, C channels, H, W height and width, R outputs of the network for each pixel, L levels asked for,
K components of a mixture.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid, softplus

from vision.models.likelihood import Likelihood

LEVELS = 256
PART = 8  # images whose 256 probabilities a pixel are held at once by `mean`


def levels_of(targets: Tensor) -> Tensor:
    """Pixels in [0, 1] as levels from 0 to 255, int64.

    Raises:
        ValueError: A pixel is not a multiple of 1/255: it has no probability here.
    """
    scaled = targets.float() * (LEVELS - 1)
    levels = scaled.round()
    # Written so that NaN fails it too; float32 keeps k / 255 to 2e-5.
    if not bool(((scaled - levels).abs().amax() < 1e-2) & (levels.amin() >= 0) & (levels.amax() < LEVELS)):
        raise ValueError("this likelihood is of 8-bit pixels, multiples of 1/255 from 0 to 1; the targets hold other values")
    return levels.long()


class EightBitLikelihood(Likelihood):
    """A probability mass function over the levels 0 to 255 for every pixel.

    A subclass implements `log_prob`. Everything is computed in float32, or in float64 where the outputs are.
    """

    @abstractmethod
    def log_prob(self, outputs: Tensor, levels: Tensor) -> Tensor:
        """log p of levels in nats.

        Args:
            outputs: Of the network, shape (B, R · C, H, W).
            levels: int64, of shape (B, C, H, W, L), or (L,) to ask all pixels for the same levels.

        Returns:
            Shape (B, C, H, W, L).
        """

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return -self.log_prob(outputs, levels_of(targets)[..., None])[..., 0]

    def log_pmf(self, outputs: Tensor) -> Tensor:
        """log p of all levels in nats, shape (B, C, H, W, 256)."""
        return self.log_prob(outputs, torch.arange(LEVELS, device=outputs.device))

    def pmf(self, outputs: Tensor) -> Tensor:
        """p of all levels, shape (B, C, H, W, 256): for coding. A subclass may trade the digits of small ones for speed."""
        return self.log_pmf(outputs).exp()

    def mean(self, outputs: Tensor) -> Tensor:
        parts = []
        for part in outputs.split(PART):
            pmf = self.pmf(part)
            parts.append(pmf @ torch.arange(LEVELS, device=pmf.device, dtype=pmf.dtype) / (LEVELS - 1))
        return torch.cat(parts)

    def parameters_of(self, outputs: Tensor) -> Tensor:
        """The outputs as R parameters of each pixel, shape (R, B, C, H, W), in float32 or float64."""
        outputs = outputs if outputs.dtype == torch.float64 else outputs.float()
        return outputs.unflatten(1, (self.per_pixel, -1)).movedim(1, 0)


class BetaBinomial(EightBitLikelihood):
    """255 draws with a probability that is itself drawn from a beta distribution (Townsend et al. 2019, sec. 3.1).

    The two outputs are log alpha and log beta, squeezed into ±10, where 64 bits still hold the differences of
    log-gammas, which need them: in 32 bits those lose the second decimal.
    """

    per_pixel = 2

    def log_prob(self, outputs: Tensor, levels: Tensor) -> Tensor:
        alpha, beta = (p[..., None] for p in self._shape(outputs))
        n, k = LEVELS - 1, levels.double()
        choose = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
        log_p = choose + log_beta(k + alpha, n - k + beta) - log_beta(alpha, beta)
        return log_p if outputs.dtype == torch.float64 else log_p.float()

    def pmf(self, outputs: Tensor) -> Tensor:
        # Through p(k + 1) / p(k): two logarithms a level instead of four log-gammas.
        alpha, beta = (p[..., None] for p in self._shape(outputs))
        n, k = LEVELS - 1, torch.arange(LEVELS - 1, device=outputs.device).double()
        ratios = torch.log((n - k) / (k + 1) * (k + alpha)) - torch.log(n - k - 1 + beta)
        pmf = torch.cat([torch.zeros_like(alpha), ratios.cumsum(-1)], -1).softmax(-1)
        return pmf if outputs.dtype == torch.float64 else pmf.float()

    def mean(self, outputs: Tensor) -> Tensor:
        alpha, beta = self._shape(outputs)
        mean = alpha / (alpha + beta)
        return mean if outputs.dtype == torch.float64 else mean.float()

    def _shape(self, outputs: Tensor) -> Tensor:
        return torch.exp(10 * torch.tanh(self.parameters_of(outputs).double() / 10))


class LogisticMixture(EightBitLikelihood):
    """A mixture of logistic distributions, each rounded to the nearest level (Salimans et al. 2017, eq. 1-2).

    The levels 0 and 255 take all that lies beyond them. Outputs of a pixel: K weights (logits), K means (1 is half
    the range), K log scales; at outputs of zero the means are spread evenly, so that the components differ.

    Args:
        components: K.
    """

    POINTS = 0  # point masses that come before the mixture, in `ZeroInflatedLogistic`

    def __init__(self, components: int = 5):
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture of {components} logistics is none: components must be at least 1")
        self.components, self.per_pixel = components, self.POINTS + 3 * components

    def log_prob(self, outputs: Tensor, levels: Tensor) -> Tensor:
        log_weights, mean, inverse_scale = self._components(outputs)
        below, above = (levels - 0.5 - mean) * inverse_scale, (levels + 0.5 - mean) * inverse_scale
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which loses no digits in the tails.
        inner = logsigmoid(above) + logsigmoid(-below) + torch.log(-torch.expm1(-inverse_scale))
        log_p = torch.where(levels == 0, logsigmoid(above), torch.where(levels == LEVELS - 1, logsigmoid(-below), inner))
        mixture = torch.logsumexp(log_weights[self.POINTS :] + log_p, 0)
        for log_weight, point in zip(log_weights[: self.POINTS], (0, LEVELS - 1), strict=False):
            mixture = torch.where(levels == point, torch.logaddexp(mixture, log_weight.expand_as(mixture)), mixture)
        return mixture

    def pmf(self, outputs: Tensor) -> Tensor:
        # Differences of the distribution function: one sigmoid a level and component.
        log_weights, mean, inverse_scale = self._components(outputs)
        bounds = torch.arange(LEVELS - 1, device=outputs.device) + 0.5
        weights = log_weights.exp()
        below = (weights[self.POINTS :] * torch.sigmoid((bounds - mean) * inverse_scale)).sum(0)
        total = weights[self.POINTS :].sum(0)
        pmf = torch.cat([torch.zeros_like(total), below, total], -1).diff().clamp_min(0)
        for weight, point in zip(weights[: self.POINTS], (0, LEVELS - 1), strict=False):
            pmf[..., point] += weight[..., 0]
        return pmf

    def _components(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights (of point masses first), means in levels and inverse scales, each of shape (·, B, C, H, W, 1)."""
        points, weight, mean, log_scale = self.parameters_of(outputs).split([self.POINTS, *[self.components] * 3])
        log_weights = torch.cat([points, weight]).log_softmax(0)[..., None]
        middles = (torch.arange(self.components, device=mean.device) + 0.5) / self.components
        mean = 127.5 * (mean[..., None] + 2 * middles.view(-1, 1, 1, 1, 1, 1))
        # Scale 20 where the output is 0; at its floor of 0.1, 99 % of the mass can lie on a single level.
        return log_weights, mean, torch.exp(-(log_scale + 3).clamp(math.log(0.1), math.log(1e4)))[..., None]


class ZeroInflatedLogistic(LogisticMixture):
    """`LogisticMixture` with point masses at 0 and at 255, whose logits are a pixel's first two outputs.

    Plain ground and saturated strokes then cost no component.
    """

    POINTS = 2


class ZeroInflatedLevels(EightBitLikelihood):
    """Zero or not; and if not, a softmax over the 255 other levels whose logits are linear in the outputs.

    log p(k) = log sigmoid(-o_0) + log softmax(bias + basis · o_{1..R-1})_k for k > 0, log p(0) = log sigmoid(o_0). The table
    of levels, `bias` and `basis`, is learned and shared by all pixels: an exponential family that starts as a cosine series
    of the level and fits itself to the set's histogram. Only pixels above zero cost a softmax in training.

    Args:
        rank: R - 1, the directions in which a pixel's distribution can differ from the shared one.
    """

    # The table moves this many times faster than its entries: of Adam's steps of 1e-3 it would need thousands to tell
    # a level that is a hundred times as common as its neighbors.
    GAIN = 10.0

    def __init__(self, rank: int = 8):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank is {rank}; a pixel above zero needs at least one output")
        self.per_pixel = 1 + rank
        self.bias = nn.Parameter(torch.empty(LEVELS - 1))
        self.basis = nn.Parameter(torch.empty(rank, LEVELS - 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Back to no level preferred, and cosines."""
        rank, levels = self.basis.shape
        middles = (torch.arange(levels) + 0.5) / levels
        with torch.no_grad():
            self.bias.zero_()
            self.basis.copy_(torch.cos(math.pi * torch.arange(1, rank + 1)[:, None] * middles) * math.sqrt(2) / self.GAIN)

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        levels = levels_of(targets)
        parameters = self.parameters_of(outputs)
        lit = levels > 0
        cost = softplus(torch.where(lit, parameters[0], -parameters[0]))
        log_p = self._lit(parameters[1:, lit].T)
        return cost.masked_scatter(lit, cost[lit] - log_p.gather(1, levels[lit][:, None] - 1)[:, 0])

    def log_prob(self, outputs: Tensor, levels: Tensor) -> Tensor:
        parameters = self.parameters_of(outputs)
        zero = parameters[0, ..., None]
        log_p = torch.cat([logsigmoid(zero), logsigmoid(-zero) + self._lit(parameters[1:].movedim(0, -1))], -1)
        return log_p.gather(-1, levels.expand(*log_p.shape[:-1], levels.shape[-1]))

    def _lit(self, outputs: Tensor) -> Tensor:
        """log p of the levels 1 to 255 given that the pixel is not 0: (..., R - 1) -> (..., 255)."""
        with torch.autocast(outputs.device.type, enabled=False):  # bfloat16 logits would be wrong in the second decimal
            return log_softmax(outputs @ (self.GAIN * self.basis) + self.GAIN * self.bias, -1)


def log_beta(a: Tensor, b: Tensor) -> Tensor:
    """log of the beta function."""
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
