"""The dependence between the dimensions of codes: β-TCVAE's share of the KL.

Shapes: B examples, D latent dimensions, M = B - 1.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.latent import DiagonalGaussian
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule

SAMPLINGS = ("weighted", "stratified")


class TotalCorrelation(Term):
    """KL(q(z) || Π q(z_d)) in nats: pushes dimensions of the aggregate posterior to be independent.

    It is one of the three parts of the mean KL to N(0, I) (Chen et al. 2018, eq. 2), so that `kl` with weight 1 and this with
    weight β - 1 is β-TCVAE: it costs dimensions their dependence and not what they say, as a β on the whole KL would. Both estimates
    are of a batch, and biased: log q(z) of B examples stands for that of the whole split.

    Args:
        weight: β - 1.
        num_examples: N, sentences or images of the training split; "stratified" needs it.
        sampling: "weighted", eq. S5 without its N, which is in each of the D + 1 logarithms and so only adds (D - 1) ln N nats, however
            independent the dimensions are; or "stratified", eq. S6, which is right in expectation of q(z) itself, and noisier.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, num_examples: int | None = None, sampling: str = "weighted"
    ):  # fmt: skip
        super().__init__(weight)
        if sampling not in SAMPLINGS:
            raise ValueError(f"objective.total_correlation.sampling is {sampling!r}; it must be {' or '.join(SAMPLINGS)}")
        if num_examples is None and sampling == "stratified":
            raise ValueError("objective.total_correlation.sampling=stratified needs num_examples, the size of the training split")
        if num_examples is not None and (not isinstance(num_examples, int) or num_examples < 2):
            raise ValueError(f"objective.total_correlation.num_examples is {num_examples!r}; it is the size of the training split, at least 2")
        self.num_examples, self.sampling = num_examples, sampling

    def bind(self, model: Autoencoder) -> None:
        if model.config.posterior != "gaussian":
            raise ValueError(f"objective.total_correlation needs a density by dimension, and posterior={model.config.posterior} has none: set model.posterior=gaussian")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        q = output.posterior
        assert isinstance(q, DiagonalGaussian)
        difference_BBD = output.z[:, None] - q.mean
        pairs_BBD = -0.5 * (difference_BBD.square() * torch.exp(-q.logvar) + q.logvar + math.log(2 * math.pi))
        weights_BB = self.log_weights(len(q.mean)).to(pairs_BBD)
        joint_B = (weights_BB + pairs_BBD.sum(-1)).logsumexp(1)
        single_BD = (weights_BB[:, :, None] + pairs_BBD).logsumexp(1)
        value_B = joint_B - single_BD.sum(1)
        return TermValue(value_B, value_B)

    def log_weights(self, size: int) -> Tensor:
        """log of what each example's density counts for in q(z) of another, (B, B); a row's own stands on the diagonal."""
        if self.sampling == "weighted" or size == 1:
            return torch.full((size, size), -math.log(size))
        num, others = max(self.num_examples or 0, size), size - 1
        weights = torch.full((size, size), 1 / others)
        rows = torch.arange(size)
        weights[rows, (rows + 1) % size] = (num - others) / (num * others)
        weights[rows, rows] = 1 / num
        return weights.log()
