"""Generated sentences in a loss: how soft they are, and how the model's encoder reads them back. Which ones are made is the terms' business.

Nothing here counts as data: running means of a batch norm and a codebook's averages stay those of real sentences.

Shapes: B sentences, T tokens, V vocabulary, D latent dimensions.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from textae.core.autoencoder import Autoencoder
from textae.core.latent import PointPosterior, Posterior, gaussian_log_prob
from textae.core.objectives.base import frozen_call
from textae.core.schedules import Schedule, build_schedule
from textae.models.soft_generation import SoftSentences


def build_temperature(value: float | Mapping[str, Any] | Schedule, where: str) -> Schedule:
    """The temperature of soft sentences: as `build_schedule`.

    Raises:
        ValueError: A schedule that begins or ends at 0, below, or at no finite number: no softmax has such a temperature.
    """
    schedule = build_schedule(value, where=where)
    for name in ("value", "start", "end"):
        number = getattr(schedule, name, 1.0)
        if not 0 < number < math.inf:
            raise ValueError(f"{where}: {name} is {number}; a temperature is finite and above 0")
    return schedule


def lost_code(model: Autoencoder, said: SoftSentences, z_BD: Tensor) -> Tensor:
    """-log q(z|x̂) in nats, shape (B,), of soft sentences and an encoder that is held constant; a point counts as N(mean, I)."""
    return frozen_call(_Of(model, _minus_log_q), said.probabilities, said.mask, z_BD)


def code_read(model: Autoencoder, said: SoftSentences, soft: bool) -> Tensor:
    """A draw of q(z|x̂), shape (B, D), with gradients to the encoder, and of `soft` sentences to their probabilities."""
    module = _Of(model, _draw)
    statistics = {name: b.clone() for name, b in module.named_buffers()}
    return torch.func.functional_call(module, statistics, (said.probabilities, said.mask, soft))


class _Of(nn.Module):
    """A function of a model as a module, so that the whole of it can be called with other weights and statistics."""

    def __init__(self, model: Autoencoder, function: Callable[..., Tensor]):
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *args: Any) -> Tensor:
        return self.function(self.model, *args)


def _posterior(model: Autoencoder, said: SoftSentences, soft: bool) -> Posterior:
    read = {"inputs_embeds": said.embedded(model.decoder.embed)} if soft else {"input_ids": said.ids}
    return model.encode(**read, attention_mask=said.mask)


def _draw(model: Autoencoder, probabilities_BTV: Tensor, mask_BT: Tensor, soft: bool) -> Tensor:
    return _posterior(model, SoftSentences(probabilities_BTV, mask_BT), soft).sample()


def _minus_log_q(model: Autoencoder, probabilities_BTV: Tensor, mask_BT: Tensor, z_BD: Tensor) -> Tensor:
    posterior = _posterior(model, SoftSentences(probabilities_BTV, mask_BT), soft=True)
    if isinstance(posterior, PointPosterior):
        return -gaussian_log_prob(z_BD, posterior.mean)
    return -posterior.log_prob(z_BD)
