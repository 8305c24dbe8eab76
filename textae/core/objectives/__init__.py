"""Objectives: named terms, each times a schedule. `TERMS` is the whole list; configs combine them."""

from collections.abc import Callable

from textae.core.objectives.adversary import CategoryAdversary, LatentAdversary, StyleAdversary
from textae.core.objectives.attribute_adversary import AttributeAdversary
from textae.core.objectives.attribute_code import AttributeCode
from textae.core.objectives.attribute_information import AttributeInformation
from textae.core.objectives.base import Objective, Term
from textae.core.objectives.categories import Classification, ClusterHeadDistance
from textae.core.objectives.commitment import Commitment
from textae.core.objectives.elbo import KL, Reconstruction
from textae.core.objectives.iwae import IWAE
from textae.core.objectives.latent_generator import LatentGenerator
from textae.core.objectives.log_variance import LogVariance
from textae.core.objectives.mim import MIM
from textae.core.objectives.mmd import MMD
from textae.core.objectives.sparsity import Sparsity
from textae.core.objectives.total_correlation import TotalCorrelation
from textae.core.objectives.weights import L1Weights, L2Weights

TERMS: dict[str, Callable[..., Term]] = {
    "reconstruction": Reconstruction,
    "kl": KL,
    "iwae": IWAE,
    "commitment": Commitment,
    "logvar_penalty": LogVariance,
    "mmd": MMD,
    "total_correlation": TotalCorrelation,
    "mim": MIM,
    "latent_generator": LatentGenerator,
    "latent_adversary": LatentAdversary,
    "category_adversary": CategoryAdversary,
    "style_adversary": StyleAdversary,
    "classification": Classification,
    "cluster_head_distance": ClusterHeadDistance,
    "attribute_adversary": AttributeAdversary,
    "attribute_information": AttributeInformation,
    "attribute_code": AttributeCode,
    "sparsity": Sparsity,
    "l1_weights": L1Weights,
    "l2_weights": L2Weights,
}

__all__ = [
    "IWAE",
    "KL",
    "MIM",
    "MMD",
    "TERMS",
    "AttributeAdversary",
    "AttributeCode",
    "AttributeInformation",
    "Classification",
    "ClusterHeadDistance",
    "Commitment",
    "L1Weights",
    "L2Weights",
    "LatentAdversary",
    "LatentGenerator",
    "LogVariance",
    "Objective",
    "Reconstruction",
    "Sparsity",
    "Term",
    "TotalCorrelation",
]
