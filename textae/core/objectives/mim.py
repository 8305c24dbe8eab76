"""Mutual information machine: a latent model that is trained to keep what the VAE's KL throws away."""

from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.families import DENSITIES
from textae.core.objectives.base import Term, TermValue


class MIM(Term):
    """-(log q(z|x) + log p(z)) / 2 of the draw, in nats per example: beside `reconstruction` the loss of sentence-MIM.

    Livne et al. 2020 (SentenceMIM), alg. 1: where a VAE has log p(z) - log q(z|x), here both are added, so that the encoder is paid for
    narrow posteriors: mutual information is high and a KL stays as large as it likes, without a weight to tune. A density has no
    upper limit, so the value goes below zero, and where posteriors stop is where their log-variances are cut off.
    """

    def bind(self, model: Autoencoder) -> None:
        if model.config.posterior not in DENSITIES:
            raise ValueError(f"objective.mim needs densities, and posterior={model.config.posterior} has none: set model.posterior=gaussian")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        value_B = -0.5 * (output.posterior.log_prob(output.z) + model.prior.log_prob(output.z))
        return TermValue(value_B, value_B)
