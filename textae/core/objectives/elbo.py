"""The two terms of the evidence lower bound (Kingma & Welling 2014, eq. 3)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.controllers import Controller
from textae.core.families import DENSITIES
from textae.core.latent import DiagonalGaussian
from textae.core.learned_prior import LearnedPrior
from textae.core.metrics import kl_parts
from textae.core.objectives.base import Term, TermValue, build_weight
from textae.core.schedules import Schedule

FREE_PER = ("dimension", "sentence", "example", "batch")


class Reconstruction(Term):
    """-log p(x|z), summed over tokens or pixels, in nats per example. Every objective has it, or a term in its place."""

    charges = ("likelihood",)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        return TermValue(output.nll, output.nll)


class KL(Term):
    """KL(q(z|x) || p(z)), summed over dimensions and groups, in nats per example.

    p(z) is the prior that the model is trained under: N(0, I), the sphere's uniform one, or one that learns with it; of a prior
    without a closed form the draw's log q(z|x) - log p(z). One that was fitted after training plays no part.

    It pushes codes towards the prior. A weight below one is a β-VAE that reconstructs better (Higgins et al. 2017); a
    weight that climbs (`linear`, `logistic`, `cosine`) or cycles (`cyclical`) lets the decoder learn to read z before z
    costs anything (Bowman et al. 2016, Fu et al. 2019); one that steers (`pi`, `minimum_rate`) holds the KL at a number of nats; free
    bits make the first nats free for good; a capacity asks for exactly so many.

    Args:
        weight: β, a number, a schedule or a controller.
        free_bits: Nats that cost nothing; 0 is the plain KL.
        free_bits_per: "dimension": each dimension's KL, averaged over the batch, costs only what exceeds `free_bits`
            (Kingma et al. 2016, eq. 9-10). "sentence" (or "example"): each example's total KL costs only what
            exceeds `free_bits`, so that an example may spend its nats in whichever dimensions it likes. "batch": the batch's
            mean total costs only what exceeds it, so that examples may share them too.
        capacity: C, nats, a number or a schedule: the cost is |mean KL - C|, which also pulls it up (Burgess et al. 2018, eq. 8;
            the target rate of Alemi et al. 2018, sec. 4). Their weight is large, 10 to 1000. None: none.
    """

    charges = ("kl",)

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, free_bits: float = 0.0, free_bits_per: str = "dimension",
        capacity: float | Mapping[str, Any] | Schedule | None = None,
    ):  # fmt: skip
        super().__init__(weight)
        if not 0 <= free_bits < math.inf:
            raise ValueError(f"objective.kl.free_bits is {free_bits}; nats that cost nothing cannot be negative")
        if free_bits_per not in FREE_PER:
            raise ValueError(f"objective.kl.free_bits_per is {free_bits_per!r}; it must be dimension, sentence or example, or batch")
        if free_bits and capacity is not None:
            raise ValueError("objective.kl has free_bits and a capacity, two answers to one question: leave one out")
        self.free_bits, self.free_bits_per, self.learned = free_bits, free_bits_per, False
        self.capacity = None if capacity is None else build_weight(capacity, "objective.kl.capacity")
        if isinstance(self.capacity, Controller):
            raise ValueError("objective.kl.capacity: a controller steers a weight by what it does, and a capacity is a wish: give a number or a schedule")
        if isinstance(self.schedule, Controller) and (self.free_bits or self.capacity is not None):
            raise ValueError("objective.kl has a weight that steers the KL to a target, and free_bits or a capacity beside it: leave one out")

    def bind(self, model: Autoencoder) -> None:
        config = model.config
        if config.posterior not in DENSITIES:
            raise ValueError(f"a {config.posterior} posterior has no KL: set model.posterior=gaussian, or remove objective.kl")
        if config.posterior == "vmf" and config.posterior_options.get("kappa") and (self.free_bits or self.capacity is not None or isinstance(self.schedule, Controller)):
            raise ValueError(
                "a fixed posterior_options.kappa makes the KL a constant, which nothing can free, hold or steer: leave out objective.kl's free_bits, "
                "capacity and controller, or kappa"
            )
        self.learned = isinstance(model.prior, LearnedPrior)
        by_dimension = config.posterior != "vmf" and (config.posterior == "hierarchical" or not self.learned)
        if self.free_bits and self.free_bits_per == "dimension" and not by_dimension:
            raise ValueError(
                f"the KL of posterior={config.posterior} to prior={config.prior} is one number for all dimensions: "
                "set objective.kl.free_bits_per=sentence or batch"
            )

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        if isinstance(output.posterior, DiagonalGaussian) and not self.learned:
            kl_BD = output.posterior.kl()
        else:
            kl_BD = kl_parts(output.posterior, model.prior, output.z)
        kl_B = kl_BD.sum(1)
        if self.capacity is not None:
            return TermValue(kl_B, (kl_B.mean() - self.capacity(step)).abs())
        if self.free_bits == 0:
            return TermValue(kl_B, kl_B)
        if self.free_bits_per == "dimension":
            return TermValue(kl_B, kl_BD.mean(0).clamp_min(self.free_bits).sum())
        if self.free_bits_per == "batch":
            return TermValue(kl_B, kl_B.mean().clamp_min(self.free_bits))
        return TermValue(kl_B, torch.clamp_min(kl_B, self.free_bits))
