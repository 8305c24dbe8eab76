"""p(x|z) of pixels: what a network's outputs say about an image, in nats. No networks here.

Shapes: B images, C channels, H, W height and width, R outputs of the network for each pixel.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Likelihood(nn.Module):
    """A distribution of every pixel given `outputs_BCHW` of the network.

    Attributes:
        per_pixel: R, outputs that each pixel takes; with R > 1 the network yields R · C channels, R blocks of C.
    """

    per_pixel = 1

    @abstractmethod
    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """-log p(x|z) in nats of each pixel; `outputs` (B, R · C, H, W), `targets` (B, C, H, W) and the result alike."""

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """The expected pixel, shape (B, C, H, W)."""


class Bernoulli(Likelihood):
    """Binary cross-entropy: exact for binary pixels; for gray ones in [0, 1] the usual cost, though not a density."""

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(outputs.float(), targets.float(), reduction="none")

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs.float())


class ContinuousBernoulli(Likelihood):
    """The density on [0, 1] whose kernel is the Bernoulli's (Loaiza-Ganem & Cunningham 2019, eq. 4-6).

    With the logit l of its parameter, the normalizer is l / tanh(l / 2) and the mean 1 / (1 - exp(-l)) - 1 / l.
    """

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = outputs.float()
        small = outputs.abs() < 1e-2  # where l / tanh(l / 2) loses its digits; the next term of the series is 5e-11 there
        safe = torch.where(small, torch.ones_like(outputs), outputs)
        exact = torch.log(safe.abs()) - torch.log(torch.tanh(safe.abs() / 2))
        series = math.log(2) + outputs.square() / 12
        log_normalizer = torch.where(small, series, exact)
        return binary_cross_entropy_with_logits(outputs, targets.float(), reduction="none") - log_normalizer

    def mean(self, outputs: Tensor) -> Tensor:
        outputs = outputs.float()
        small = outputs.abs() < 1e-2
        safe = torch.where(small, torch.ones_like(outputs), outputs)
        return torch.where(small, 0.5 + outputs / 12, -1 / torch.expm1(-safe) - 1 / safe)


class Gaussian(Likelihood):
    """N(x; mean, sigma²) with one sigma for all pixels; squared error in nats.

    Args:
        sigma: Standard deviation; 0.7071 makes the cost the plain squared error plus a constant.
        learn: Whether sigma is a parameter.
        sigmoid: Whether the mean passes a sigmoid, for pixels in [0, 1]; else it is the network's output itself.
    """

    def __init__(self, sigma: float = math.sqrt(0.5), learn: bool = False, sigmoid: bool = False):
        super().__init__()
        self.sigmoid, self.log_sigma = sigmoid, math.log(sigma)
        self.offset = nn.Parameter(torch.zeros(())) if learn else None  # of log sigma from its start

    def reset_parameters(self) -> None:
        """Back to the sigma it was made with."""
        if self.offset is not None:
            nn.init.zeros_(self.offset)

    def nll(self, outputs: Tensor, targets: Tensor) -> Tensor:
        error = targets.float() - self.mean(outputs)
        if self.offset is None:
            return error.square().mul(0.5 * math.exp(-2 * self.log_sigma)).add(self.log_sigma + HALF_LOG_2PI)
        log_sigma = self.offset + self.log_sigma
        return 0.5 * (error * torch.exp(-log_sigma)).square() + log_sigma + HALF_LOG_2PI

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs.float()) if self.sigmoid else outputs.float()


def choose_likelihood(values: Tensor) -> str:
    """The rule of thumb: cross-entropy where every input lies in [0, 1], squared error otherwise."""
    return "bernoulli" if values.min() >= 0 and values.max() <= 1 else "gaussian"
