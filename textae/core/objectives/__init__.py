"""Objectives: named terms, each times a schedule. `TERMS` is the whole list; configs combine them."""

from textae.core.objectives.adversary import LatentAdversary
from textae.core.objectives.base import Objective, Term
from textae.core.objectives.elbo import KL, Reconstruction

TERMS: dict[str, type[Term]] = {
    "reconstruction": Reconstruction,
    "kl": KL,
    "latent_adversary": LatentAdversary,
}

__all__ = ["TERMS", "KL", "LatentAdversary", "Objective", "Reconstruction", "Term"]
