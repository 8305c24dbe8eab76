"""What keeps a posterior from becoming a point where nothing else does."""

from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.latent import DiagonalGaussian
from textae.core.objectives.base import Term, TermValue


class LogVariance(Term):
    """Σ |log σ²| over dimensions, for each example: pulls every posterior's variance to 1, the prior's.

    An adversary or an MMD matches codes as a whole, and leaves an encoder that may draw its codes free to stop drawing them.
    With this beside it, noise stays and neighbouring codes decode alike: the LAAE of Shen et al. 2020, sec. 5, after Rubenstein et al. 2018,
    sec. 3. A KL needs no such help; it has the same minimum in each variance.
    """

    def bind(self, model: Autoencoder) -> None:
        if model.config.posterior != "gaussian":
            raise ValueError(f"objective.logvar_penalty is about log-variances, and posterior={model.config.posterior} has none: set model.posterior=gaussian")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        assert isinstance(output.posterior, DiagonalGaussian)
        value_B = output.posterior.logvar.abs().sum(1)
        return TermValue(value_B, value_B)
