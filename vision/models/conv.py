"""Convolutional autoencoders: strided layers down to a dense or a spatial code, transposed ones back up.

Shapes: B images, C channels, H, W height and width, D latent dimensions.
"""

from dataclasses import field, replace
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn

from textae.core.config import choose
from textae.core.latent import DiagonalGaussian, PointPosterior, Posterior, PosteriorHead, clamp_logvar
from vision.models.base import ACTIVATIONS, CodeShape, ImageAutoencoder, ImageConfig


@strict
class ConvConfig(ImageConfig):
    """Convolutions, a code, transposed convolutions.

    Attributes:
        filters: Channels after each layer; every layer halves the image.
        kernel_size: Odd.
        activation: Of all layers.
        hidden_dim: Width of a dense layer between the convolutions and the code, on both sides; 0: none.
        full_layers: Convolutions at the image's own size before the first halving and after the last doubling, with
            `filters[0]` channels each: for tasks of fine detail such as denoising.
        spatial: The code is a stack of maps, `latent_dim` = maps · height · width of the smallest layer, made by 1 × 1
            convolutions: a wide code with few weights. Needs a `latent_dim` that fits, and no hidden_dim.
    """

    model_type = "textae_conv"

    filters: list[int] = field(default_factory=lambda: [32, 64])
    kernel_size: int = 3
    activation: str = "relu"
    hidden_dim: int = 256
    full_layers: int = 0
    spatial: bool = False

    def validate_sizes(self) -> None:
        """As in the core, but that `hidden_dim` may be 0."""
        if self.hidden_dim < 0:
            raise ValueError(f"hidden_dim is {self.hidden_dim}; 0 is no dense layer")
        if self.latent_dim < 1:
            raise ValueError(f"latent_dim is {self.latent_dim}; it must be at least 1")

    def validate_layers(self) -> None:
        """Filters, kernel and code; called by `strict` after the types are checked."""
        choose(ACTIVATIONS, self.activation, "activation")
        if not self.filters or any(f < 1 for f in self.filters):
            raise ValueError(f"filters is {self.filters}; give the channels of at least one layer")
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {self.kernel_size}; it must be odd, so that a pixel has a middle")
        if self.full_layers < 0:
            raise ValueError(f"full_layers is {self.full_layers}; it cannot be negative")
        if min(self.height, self.width) < 2 ** len(self.filters) // 2 + 1:
            raise ValueError(f"{len(self.filters)} halvings are too many for images of {self.height} x {self.width}: give fewer filters")
        if self.spatial:
            height, width = self.sizes[-1]
            if self.latent_dim % (height * width) or self.hidden_dim or self.categories or self.decoder_attributes:
                raise ValueError(
                    f"a spatial code needs latent_dim = maps · {height} · {width}, hidden_dim=0, and no categories or attributes; "
                    f"latent_dim is {self.latent_dim}"
                )

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width before the first layer and after each."""
        found = [(self.height, self.width)]
        for _ in self.filters:
            found.append(((found[-1][0] + 1) // 2, (found[-1][1] + 1) // 2))
        return found


class ConvAutoencoder(ImageAutoencoder):
    """Pixels through convolutions to a code and back."""

    config_class = ConvConfig

    def __init__(self, config: ConvConfig):
        super().__init__(config)
        kernel, pad, first = config.kernel_size, config.kernel_size // 2, config.filters[0]
        self.activation = ACTIVATIONS[config.activation]()
        channels = [config.channels, *[first] * config.full_layers]
        self.before = nn.ModuleList(nn.Conv2d(a, b, kernel, padding=pad) for a, b in zip(channels[:-1], channels[1:], strict=True))
        channels = [channels[-1], *config.filters]
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, kernel, stride=2, padding=pad) for a, b in zip(channels[:-1], channels[1:], strict=True)
        )
        height, width = config.sizes[-1]
        flat, maps = config.filters[-1] * height * width, config.latent_dim // (height * width)
        self.code_shape = CodeShape(config.code_activation, config.k_sparse)
        self.dense_in = nn.Linear(flat, config.hidden_dim) if config.hidden_dim else None
        self.dense_out = nn.Linear(self.decoder_in_dim, config.hidden_dim) if config.hidden_dim else None
        self.maps = self.maps_logvar = self.posterior_head = None
        if config.spatial:
            self.maps = nn.Conv2d(config.filters[-1], maps, 1)
            self.maps_logvar = nn.Conv2d(config.filters[-1], maps, 1) if config.posterior == "gaussian" else None
            self.unfold = nn.Conv2d(maps, config.filters[-1], 1)
        else:
            self.posterior_head = PosteriorHead(config.hidden_dim or flat, config.latent_dim, config.posterior, config.categories)
            self.unfold = nn.Linear(config.hidden_dim or self.decoder_in_dim, flat)
        outputs = config.channels * self.likelihood.per_pixel
        back = [*config.filters[::-1], first if config.full_layers else outputs]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, kernel, stride=2, padding=pad) for a, b in zip(back[:-1], back[1:], strict=True)
        )
        channels = [*[first] * config.full_layers, outputs] if config.full_layers else [outputs]
        self.after = nn.ModuleList(nn.Conv2d(a, b, kernel, padding=pad) for a, b in zip(channels[:-1], channels[1:], strict=True))
        self.post_init()

    def features(self, pixel_values: Tensor) -> list[Tensor]:
        """The input and every convolution's maps, in order."""
        seen = [pixel_values]
        for layer in [*self.before, *self.down]:
            seen.append(self.activation(layer(seen[-1])))
        return seen

    def encode(self, pixel_values: Tensor, **_: Any) -> Posterior:
        x = self.features(pixel_values)[-1]
        if self.maps is not None:
            mean = self.maps(x).flatten(1).float()
            if self.maps_logvar is not None:
                return DiagonalGaussian(mean, clamp_logvar(self.maps_logvar(x).flatten(1).float()))
            return PointPosterior(self.code_shape(mean))
        x = x.flatten(1)
        if self.dense_in is not None:
            x = self.activation(self.dense_in(x))
        assert self.posterior_head is not None
        posterior = self.posterior_head(x)
        if isinstance(posterior, PointPosterior) and not self.config.categories:
            return replace(posterior, mean=self.code_shape(posterior.mean))
        return posterior

    def outputs(self, context: Tensor) -> Tensor:
        config, x = self.config, context
        height, width = config.sizes[-1]
        if config.spatial:
            x = self.unfold(x.view(x.shape[0], -1, height, width))
        else:
            if self.dense_out is not None:
                x = self.activation(self.dense_out(x))
            x = self.unfold(x).view(x.shape[0], -1, height, width)
        for i, (layer, size) in enumerate(zip(self.up, config.sizes[-2::-1], strict=True)):
            x = layer(self.activation(x), output_size=torch.Size(size))
            if i == len(self.up) - 1 and not self.after:
                return x
        for layer in self.after:
            x = layer(self.activation(x))
        return x
