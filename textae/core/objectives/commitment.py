"""What keeps an encoder near the codes that stand for its outputs."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.codebook import Codebook
from textae.core.latent import QuantizedPosterior
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule


class Commitment(Term):
    """‖x - sg[e]‖²: squared distance of an encoder's outputs x to their codes e, summed over positions and dimensions.

    The third term of van den Oord et al. 2017, eq. 3: its gradient pulls the encoder to the codes, never the reverse, since
    codes are moving averages of what chooses them. Without it nothing stops the outputs from growing away from
    the codes, which decoder and likelihood see alone. It adds to a reconstruction in nats, so a likelihood that is
    sharper (a smaller sigma) wants a larger weight.

    Args:
        weight: β; the paper found 0.1 to 2 to serve alike and took 0.25 (sec. 3.2).
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 0.25):
        super().__init__(weight)

    def bind(self, model: Autoencoder) -> None:
        if not any(isinstance(module, Codebook) for module in model.modules()):
            raise ValueError("objective.commitment: the model has no codebook to commit to; take one that has (posterior=quantized of sentences, model.name=vq of images), or remove objective.commitment")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        assert isinstance(output.posterior, QuantizedPosterior)
        return TermValue(output.posterior.distance, output.posterior.distance)
