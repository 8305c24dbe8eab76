"""Fully connected autoencoders: any layers, activations and code; mirrored or not, linear, over-complete, tied.

Shapes: B images, C channels, H, W height and width, D latent dimensions, F features.
"""

from dataclasses import field, replace
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn.functional import linear

from textae.core.config import choose
from textae.core.latent import PointPosterior, Posterior, PosteriorHead
from vision.models.base import ACTIVATIONS, CodeShape, ImageAutoencoder, ImageConfig


@strict
class MLPConfig(ImageConfig):
    """An encoder of dense layers, a code, a decoder of dense layers.

    Attributes:
        hidden_dims: Widths of the encoder's hidden layers; empty: the code is one layer away from the pixels.
        decoder_dims: Of the decoder's; None mirrors the encoder.
        activation: Of the hidden layers: one name for all, or one for each layer of the encoder.
        decoder_activation: The same for the decoder; None mirrors the encoder.
        dropout: Rate at which hidden units are dropped in training.
        tied: The decoder's weights are the encoder's transposed, its biases its own; needs a mirrored decoder.
    """

    model_type = "textae_mlp"

    hidden_dims: list[int] = field(default_factory=lambda: [500, 300])
    decoder_dims: list[int] | None = None
    activation: str | list[str] = "relu"
    decoder_activation: str | list[str] | None = None
    dropout: float = 0.0
    tied: bool = False

    def validate_layers(self) -> None:
        """Widths and activations; called by `strict` after the types are checked."""
        for name, dims in (("hidden_dims", self.hidden_dims), ("decoder_dims", self.decoder_dims or [])):
            if any(d < 1 for d in dims):
                raise ValueError(f"{name} is {dims}; every layer has at least one unit")
        for name, dims, given in (
            ("activation", self.hidden_dims, self.activation),
            ("decoder_activation", self.mirrored_dims, self.decoder_activation),
        ):
            for one in [given] if isinstance(given, str) else given or []:
                choose(ACTIVATIONS, one, name)
            if isinstance(given, list) and len(given) != len(dims):
                raise ValueError(f"{name} names {len(given)} activations for {len(dims)} layers: give one name, or one for each layer")
        if self.decoder_activation is None and isinstance(self.activation, list) and len(self.mirrored_dims) != len(self.activation):
            raise ValueError("the decoder does not mirror the encoder, so its activations cannot either: set decoder_activation")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")
        if self.tied and (self.mirrored_dims != self.hidden_dims[::-1] or self.decoder_attributes or self.cluster_heads):
            raise ValueError("tied weights need a mirrored decoder without attributes or cluster_heads")
        if self.tied and self.likelihood not in ("bernoulli", "gaussian", "continuous_bernoulli"):
            raise ValueError(f"tied weights have one output for each pixel; likelihood {self.likelihood} wants more")

    @property
    def mirrored_dims(self) -> list[int]:
        """Widths of the decoder's hidden layers."""
        return self.hidden_dims[::-1] if self.decoder_dims is None else self.decoder_dims


class MLPAutoencoder(ImageAutoencoder):
    """Pixels through dense layers to a code and back.

    Attributes:
        encoder: The encoder's hidden layers.
        posterior_head: The code's layer; `.mean` is it for a point code.
        decoder: The decoder's hidden layers; empty where weights are tied, `decoder_biases` then hold its biases.
        output: The layer of pixels; None where weights are tied.
    """

    config_class = MLPConfig

    def __init__(self, config: MLPConfig):
        super().__init__(config)
        widths = [config.num_pixels, *config.hidden_dims]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.posterior_head = PosteriorHead(widths[-1], config.latent_dim, config.posterior, config.categories)
        self.code_shape = CodeShape(config.code_activation, config.k_sparse)
        self.dropout = nn.Dropout(config.dropout)
        self.activations = _activations(config.activation, len(config.hidden_dims))
        backwards = config.decoder_activation
        if backwards is None:
            backwards = config.activation if isinstance(config.activation, str) else config.activation[::-1]
        self.decoder_activations = _activations(backwards, len(config.mirrored_dims))
        widths = [self.decoder_in_dim, *config.mirrored_dims]
        self.decoder, self.output, self.decoder_biases = nn.ModuleList(), None, nn.ParameterList()
        if config.tied:
            self.decoder_biases = nn.ParameterList(torch.zeros(n) for n in [*config.mirrored_dims, config.num_pixels])
        else:
            self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
            self.output = nn.Linear(widths[-1], config.num_pixels * self.likelihood.per_pixel)
        self.post_init()

    def features(self, pixel_values: Tensor) -> list[Tensor]:
        """The input, flat, and every hidden layer's activations, in order."""
        seen = [pixel_values.flatten(1)]
        for layer, activation in zip(self.encoder, self.activations, strict=True):
            seen.append(self.dropout(activation(layer(seen[-1]))))
        return seen

    def encode(self, pixel_values: Tensor, **_: Any) -> Posterior:
        posterior = self.posterior_head(self.features(pixel_values)[-1])
        if isinstance(posterior, PointPosterior) and not self.config.categories:
            return replace(posterior, mean=self.code_shape(posterior.mean))
        return posterior

    def outputs(self, context: Tensor) -> Tensor:
        x = context
        if self.config.tied:
            weights = [self.posterior_head.mean.weight, *(layer.weight for layer in reversed(self.encoder))]
            for i, (weight, bias) in enumerate(zip(weights, self.decoder_biases, strict=True)):
                x = linear(x, weight.T, bias)
                if i < len(self.decoder_activations):
                    x = self.dropout(self.decoder_activations[i](x))
        else:
            assert self.output is not None
            for layer, activation in zip(self.decoder, self.decoder_activations, strict=True):
                x = self.dropout(activation(layer(x)))
            x = self.output(x)
        config = self.config
        return x.view(x.shape[0], -1, config.height, config.width)


def _activations(names: str | list[str], num: int) -> nn.ModuleList:
    return nn.ModuleList(ACTIVATIONS[name]() for name in ([names] * num if isinstance(names, str) else names))
