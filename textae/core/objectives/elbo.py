"""The two terms of the evidence lower bound (Kingma & Welling 2014, eq. 3)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.latent import DiagonalGaussian
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule


class Reconstruction(Term):
    """-log p(x|z), summed over tokens or pixels, in nats per example. Every objective has it."""

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        return TermValue(output.nll, output.nll)


class KL(Term):
    """KL(q(z|x) || N(0, I)), summed over dimensions, in nats per example.

    It pushes codes towards the prior. A weight below one is a β-VAE that reconstructs better (Higgins et al. 2017); a
    weight that climbs (`linear`, `logistic`) or cycles (`cyclical`) lets the decoder learn to read z before z
    costs anything (Bowman et al. 2016, Fu et al. 2019); free bits make the first nats free for good.

    Args:
        weight: β, a number or a schedule.
        free_bits: Nats that cost nothing; 0 is the plain KL.
        free_bits_per: "dimension": each dimension's KL, averaged over the batch, costs only what exceeds `free_bits`
            (Kingma et al. 2016, eq. 9-10). "sentence" (or "example"): each example's total KL costs only what
            exceeds `free_bits`, so that an example may spend its nats in whichever dimensions it likes.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, free_bits: float = 0.0, free_bits_per: str = "dimension"
    ):
        super().__init__(weight)
        if free_bits < 0:
            raise ValueError(f"objective.kl.free_bits is {free_bits}; nats that cost nothing cannot be negative")
        if free_bits_per not in ("dimension", "sentence", "example"):
            raise ValueError(f"objective.kl.free_bits_per is {free_bits_per!r}; it must be dimension, sentence or example")
        self.free_bits, self.per_dimension = free_bits, free_bits_per == "dimension"

    def bind(self, model: Autoencoder) -> None:
        if model.config.posterior == "point":
            raise ValueError("a point posterior has no KL: set model.posterior=gaussian, or remove objective.kl")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        assert isinstance(output.posterior, DiagonalGaussian)
        kl_BD = output.posterior.kl()
        kl_B = kl_BD.sum(1)
        if self.free_bits == 0:
            return TermValue(kl_B, kl_B)
        if self.per_dimension:
            return TermValue(kl_B, kl_BD.mean(0).clamp_min(self.free_bits).sum())
        return TermValue(kl_B, torch.clamp_min(kl_B, self.free_bits))
