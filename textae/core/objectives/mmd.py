"""The maximum mean discrepancy of codes and prior: what a WAE has in the place of a critic, and InfoVAE beside its KL.

Shapes: B examples, D latent dimensions.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule

KERNELS = ("imq", "rbf")
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # Tolstikhin et al. 2018, their code


class MMD(Term):
    """MMD² of the batch's codes and as many draws of the model's prior: zero where q(z) = p(z).

    Pushes the aggregate posterior to the prior without a game: steadier than a critic, and weaker in many dimensions. The
    unbiased estimate of Tolstikhin et al. 2018, alg. 2, which may be negative; kernels are summed over scales s of
    C = 2 D σ² s (σ² = 1, the prior's variance of a dimension): "imq" C / (C + ‖x - y‖²), "rbf" exp(-‖x - y‖² / C). A sum of k kernels
    is at most 2 k, beside a reconstruction in nats: weights are 10 to 1000. InfoVAE (Zhao et al. 2019, eq. 6) with its α and λ is `kl`
    with weight 1 - α and this with weight α + λ - 1.

    Args:
        weight: Of the term.
        kernel: "imq", whose heavy tail still pulls far codes, or "rbf".
        scales: Each above 0.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, kernel: str = "imq", scales: Sequence[float] = SCALES):
        super().__init__(weight)
        if kernel not in KERNELS:
            raise ValueError(f"objective.mmd.kernel is {kernel!r}; it must be {' or '.join(KERNELS)}")
        if not scales or not all(0 < s < math.inf for s in scales):
            raise ValueError(f"objective.mmd.scales is {list(scales)}; give at least one, all above 0")
        self.kernel, self.scales, self.variance = kernel, tuple(scales), 1.0

    def bind(self, model: Autoencoder) -> None:
        config = model.config
        if config.posterior == "quantized":
            raise ValueError("objective.mmd compares codes with a prior's draws in space, and posterior=quantized has rows of a codebook: take another posterior")
        if config.prior == "generator":
            raise ValueError("objective.mmd needs a prior to match, and prior=generator follows the codes itself: leave one of the two out")
        self.variance = 1 / config.latent_dim if config.posterior == "vmf" else 1.0

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        z_BD = output.z.float()
        if len(z_BD) < 2:  # no pair, and so no estimate
            return TermValue(z_BD.sum() * 0, z_BD.sum() * 0)
        value = self.estimate(z_BD, model.prior.sample(len(z_BD)).to(z_BD))
        return TermValue(value, value)

    def estimate(self, x_BD: Tensor, y_BD: Tensor) -> Tensor:
        """The U-statistic of MMD², shape (): both with themselves without the diagonals, less twice with each other."""
        size = len(x_BD)
        within = self._sum(x_BD, x_BD, diagonal=False) + self._sum(y_BD, y_BD, diagonal=False)
        return within / (size * (size - 1)) - 2 * self._sum(x_BD, y_BD) / size**2

    def _sum(self, x_BD: Tensor, y_BD: Tensor, diagonal: bool = True) -> Tensor:
        distance_BB = (x_BD[:, None] - y_BD).square().sum(-1)  # not through products, which leave 1e-5 where codes are equal
        total = distance_BB.new_zeros(())
        for scale in self.scales:
            c = 2 * x_BD.shape[1] * self.variance * scale
            kernel_BB = c / (c + distance_BB) if self.kernel == "imq" else torch.exp(-distance_BB / c)
            total = total + kernel_BB.sum() - (0 if diagonal else kernel_BB.diagonal().sum())
        return total
