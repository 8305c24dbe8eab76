"""Penalties on the size of an autoencoder's weights: LASSO- and ridge-like regularization."""

from collections.abc import Iterator

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.base import Term, TermValue


def weight_matrices(model: Autoencoder) -> Iterator[Tensor]:
    """Trained parameters of two or more axes: dense, recurrent and convolution weights, embeddings; no biases."""
    return (p for p in model.parameters() if p.requires_grad and p.dim() > 1)


class L1Weights(Term):
    """Σ |w| over the autoencoder's weight matrices: drives single weights to zero.

    The sum itself, not a mean, beside a loss in nats per example: with N training examples, a Laplace prior of scale
    b on every weight is `weight` = 1 / (b N).
    """

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        value = torch.stack([w.abs().sum() for w in weight_matrices(model)]).sum()
        return TermValue(value, value)


class L2Weights(Term):
    """Σ w² over the autoencoder's weight matrices, without a factor ½: keeps all weights small.

    With N training examples, a prior N(0, σ²) on every weight is `weight` = 1 / (2 σ² N). It is part of the gradient that
    Adam rescales; `trainer.weight_decay` is decoupled from it and shrinks biases and critics as well.
    """

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        value = torch.stack([w.square().sum() for w in weight_matrices(model)]).sum()
        return TermValue(value, value)
