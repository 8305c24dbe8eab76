"""Convolutional autoencoders with a grid of codes from a codebook: the VQ-VAE of van den Oord et al. 2017.

Shapes: B images, C channels, H, W height and width, h, w those of the grid, D latent dimensions, K codes.
"""

from dataclasses import field
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn.functional import relu

from textae.core.code_prior import UniformCodes
from textae.core.codebook import Codebook, check_codebook
from textae.core.latent import Posterior
from vision.models.base import ImageAutoencoder, ImageConfig

CODE_PRIORS = ("uniform_codes", "codes")


@strict
class VQConfig(ImageConfig):
    """Strided convolutions, residual blocks, a grid of codes, and the same backwards (van den Oord et al. 2017, sec. 4.1).

    Attributes:
        latent_dim: code_dim · h · w: the codes of the grid side by side, row by row.
        posterior: "point": a code is drawn by nothing.
        prior: "uniform_codes" in training; "codes" once it is fitted. Others may be fitted too, but know no codes: they
            give no likelihood bound, and their draws are moved to the nearest ones.
        num_codes: K. A grid says at most h · w · log2(K) bits.
        code_dim: Dimensions of a code.
        filters: Channels after each layer; every layer halves the image, an odd pixel left over is not given a place.
        residual_blocks: Blocks of a 3 × 3 and a 1 × 1 convolution, at the grid's size on either side.
        decay, revive_after: Of the codebook: see `textae.core.codebook.Codebook`.
    """

    model_type = "textae_vq"

    latent_dim: int = 392
    posterior: str = "point"
    prior: str = "uniform_codes"
    num_codes: int = 128
    code_dim: int = 8
    filters: list[int] = field(default_factory=lambda: [32, 64])
    residual_blocks: int = 2
    decay: float = 0.99
    revive_after: int = 200

    def __post_init__(self, **kwargs: Any) -> None:
        """A prior over codes that is named alone gets the codebook's sizes."""
        if self.prior in CODE_PRIORS and not self.prior_options:
            self.prior_options = self.code_sizes
        super().__post_init__(**kwargs)

    def validate_grid(self) -> None:
        """Filters, grid and codebook; called by `strict` after the types are checked."""
        if not self.filters or any(f < 1 for f in self.filters):
            raise ValueError(f"filters is {self.filters}; give the channels of at least one layer")
        if self.residual_blocks < 0:
            raise ValueError(f"residual_blocks is {self.residual_blocks}; it cannot be negative")
        height, width = self.grid
        if min(height, width) < 1:
            raise ValueError(f"{len(self.filters)} halvings are too many for images of {self.height} x {self.width}: give fewer filters")
        check_codebook(self.num_codes, self.code_dim, self.decay, self.revive_after)
        if self.latent_dim != self.code_dim * height * width:
            raise ValueError(
                f"latent_dim is {self.latent_dim}; {height} x {width} codes of code_dim={self.code_dim} make it {self.code_dim * height * width}"
            )
        if self.posterior != "point" or self.categories or self.k_sparse or self.code_activation != "linear":
            raise ValueError("a quantized code is a point and nothing else: posterior=point, and no categories, k_sparse or code_activation")
        found = {name: self.prior_options.get(name) for name in self.code_sizes}
        if self.prior in CODE_PRIORS and found != self.code_sizes:
            raise ValueError(f"prior={self.prior} has num_codes={found['num_codes']} and code_dim={found['code_dim']}, the codebook others: leave prior_options out")

    @property
    def grid(self) -> tuple[int, int]:
        """h, w."""
        return self.height >> len(self.filters), self.width >> len(self.filters)

    @property
    def code_sizes(self) -> dict[str, int]:
        """What a prior over codes must know of the codebook."""
        return {"num_codes": self.num_codes, "code_dim": self.code_dim}


class VQAutoencoder(ImageAutoencoder):
    """Pixels through convolutions to a grid of codes and back.

    `generate` moves every position to its nearest code first: the decoder has seen nothing else, so points between two
    codes, of an interpolation or of a sum, decode to images it knows. `pixels` and `nll` decode as they are given.
    """

    config_class = VQConfig

    def __init__(self, config: VQConfig):
        super().__init__(config)
        channels, wide = [config.channels, *config.filters], config.filters[-1]
        # Kernels of 4 and stride 2: sec. 4.1.
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in zip(channels[:-1], channels[1:], strict=True))
        self.refine = nn.ModuleList(_Residual(wide) for _ in range(config.residual_blocks))
        self.maps = nn.Conv2d(wide, config.code_dim, 1)
        self.codebook = Codebook(config.num_codes, config.code_dim, config.decay, config.revive_after)
        given = self.decoder_in_dim - config.latent_dim
        self.unfold = nn.Conv2d(config.code_dim + given, wide, 3, padding=1)
        self.rebuild = nn.ModuleList(_Residual(wide) for _ in range(config.residual_blocks))
        back = [*config.filters[::-1], config.channels * self.likelihood.per_pixel]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in zip(back[:-1], back[1:], strict=True))
        self.post_init()
        self._show_codes_to_prior()

    def encode(self, pixel_values: Tensor, **_: Any) -> Posterior:
        """Codes row by row, their indices and the encoder's distance to them; in training mode the codebook learns from it."""
        x = pixel_values
        for i, layer in enumerate(self.down):
            x = layer(relu(x) if i else x)
        for block in self.refine:
            x = block(x)
        posterior = self.codebook(self.maps(relu(x)).flatten(2).transpose(1, 2))
        if self.training:
            self._show_codes_to_prior()
        return posterior

    def outputs(self, context: Tensor) -> Tensor:
        config = self.config
        height, width = config.grid
        code, given = context.split([config.latent_dim, context.shape[1] - config.latent_dim], 1)
        maps = code.view(len(code), height * width, config.code_dim).transpose(1, 2).unflatten(2, (height, width))
        x = self.unfold(torch.cat([maps, given[:, :, None, None].expand(-1, -1, height, width)], 1))
        for block in self.rebuild:
            x = block(x)
        for i in reversed(range(len(self.up))):
            size = torch.Size((config.height >> i, config.width >> i))
            x = self.up[len(self.up) - 1 - i](relu(x), output_size=size)
        return x

    def generate(self, latents: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Expected pixels at codes, shape (B, C, H, W); what is no code counts as the nearest."""
        return super().generate(self.codebook.snap(latents), attributes)

    def set_prior(self, name: str, prior: nn.Module, options: dict[str, Any]) -> None:
        """As in the core; a prior over codes is given this codebook.

        Raises:
            ValueError: Its codes are of another number or size, or it was fitted to other codes.
        """
        if isinstance(prior, UniformCodes):
            found, wanted = {"num_codes": prior.num_codes, "code_dim": prior.code_dim}, self.config.code_sizes
            if found != wanted:
                raise ValueError(f"the prior is over codes with {found}, the model's codebook has {wanted}: fit one with the same")
            prior.take(self.codebook.codes)
        super().set_prior(name, prior, options)

    @torch.no_grad()
    def _show_codes_to_prior(self) -> None:
        if isinstance(self.prior, UniformCodes):
            self.prior.codebook.copy_(self.codebook.codes)


class _Residual(nn.Module):
    """x + conv1(relu(conv3(relu(x)))) (van den Oord et al. 2017, sec. 4.1)."""

    def __init__(self, channels: int):
        super().__init__()
        self.wide, self.point = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.point(relu(self.wide(relu(x))))
