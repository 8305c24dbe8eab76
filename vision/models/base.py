"""What every image autoencoder shares: sizes, likelihood, conditioning, and the way a code becomes decoder input.

Shapes: B images, C channels, H, W height and width, D latent dimensions, A attributes.
"""

import math
from abc import abstractmethod
from dataclasses import field
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn.functional import one_hot

from textae.core.autoencoder import Autoencoder, AutoencoderConfig
from textae.core.config import call, choose
from vision.models.discrete import BetaBinomial, LogisticMixture, ZeroInflatedLevels, ZeroInflatedLogistic
from vision.models.likelihood import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
}
LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    # of 8-bit pixels: see vision.models.discrete
    "beta_binomial": BetaBinomial,
    "logistic_mixture": LogisticMixture,
    "zero_inflated_logistic": ZeroInflatedLogistic,
    "zero_inflated_levels": ZeroInflatedLevels,
}
CODE_ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu")
OUTPUTS = ("linear", "sigmoid")


@strict
class ImageConfig(AutoencoderConfig):
    """What every image autoencoder's config holds, beside the core's.

    Attributes:
        channels, height, width: C, H, W.
        likelihood: A name in `LIKELIHOODS`: "bernoulli" is binary cross-entropy, "gaussian" squared error.
        likelihood_options: Arguments of a likelihood of 8-bit pixels, such as `components` or `rank`.
        sigma: Of the Gaussian likelihood; 0.7071 makes the cost the squared error plus a constant.
        learn_sigma: Whether sigma is learned.
        output: "linear", or "sigmoid" to keep a Gaussian's mean in [0, 1]; the other likelihoods have their own link.
        code_activation: Of a point code: "linear", "tanh", "sigmoid" or "relu".
        k_sparse: Keep the k largest entries of a point code, zero the rest (Makhzani & Frey 2014); 0 keeps all.
        cluster_heads: The decoder sees W y + style, of the style's width, instead of category and style side by side
            (Makhzani et al. 2016, sec. 7); needs `categories`.
    """

    channels: int = 1
    height: int = 28
    width: int = 28
    likelihood: str = "bernoulli"
    likelihood_options: dict[str, Any] = field(default_factory=dict)
    sigma: float = math.sqrt(0.5)
    learn_sigma: bool = False
    output: str = "linear"
    code_activation: str = "linear"
    k_sparse: int = 0
    cluster_heads: bool = False

    def validate_image(self) -> None:
        """Sizes and names; called by `strict` after the types are checked."""
        kind = choose(LIKELIHOODS, self.likelihood, "likelihood")
        if self.likelihood == "gaussian" and self.likelihood_options:
            raise ValueError("the Gaussian likelihood is set by sigma, learn_sigma and output, not by likelihood_options")
        call(kind, self.likelihood_options, where="likelihood_options")
        choose(dict.fromkeys(OUTPUTS), self.output, "output")
        choose(dict.fromkeys(CODE_ACTIVATIONS), self.code_activation, "code_activation")
        for name in ("channels", "height", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.sigma <= 0:
            raise ValueError(f"sigma is {self.sigma}; a standard deviation is above 0")
        if self.output == "sigmoid" and self.likelihood != "gaussian":
            raise ValueError(f"output=sigmoid is for likelihood=gaussian; {self.likelihood} has its own link: leave output out")
        if self.posterior != "point" and (self.code_activation != "linear" or self.k_sparse):
            raise ValueError("code_activation and k_sparse shape a point code: set posterior=point, or leave them out")
        if not 0 <= self.k_sparse <= self.latent_dim:
            raise ValueError(f"k_sparse is {self.k_sparse}; it must be from 0 (off) to latent_dim = {self.latent_dim}")
        if self.cluster_heads and not 0 < self.categories < self.latent_dim:
            raise ValueError("cluster_heads need categories and a style: set categories=K with latent_dim above K")

    @property
    def num_pixels(self) -> int:
        """C · H · W."""
        return self.channels * self.height * self.width


class ImageAutoencoder(Autoencoder):
    """Base of all image models: a subclass maps pixels to features and codes to outputs.

    A subclass implements `encode` through `shaped` and `outputs`.
    """

    config_class = ImageConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ImageConfig):
        super().__init__(config)
        options = config.likelihood_options
        if config.likelihood == "gaussian":
            options = {"sigma": config.sigma, "learn": config.learn_sigma, "sigmoid": config.output == "sigmoid"}
        self.likelihood: Likelihood = LIKELIHOODS[config.likelihood](**options)
        self.cluster_heads = None
        if config.cluster_heads:
            self.cluster_heads = nn.Parameter(torch.empty(config.categories, config.latent_dim - config.categories))
            nn.init.normal_(self.cluster_heads)

    @property
    def decoder_in_dim(self) -> int:
        """Width of what the decoder reads: the code, and a one-hot vector for each attribute."""
        config = self.config
        code = config.latent_dim - config.categories if config.cluster_heads else config.latent_dim
        return code + sum(len(values) for values in config.decoder_attributes.values())

    @abstractmethod
    def outputs(self, context: Tensor) -> Tensor:
        """The likelihood's parameters from decoder input of shape (B, decoder_in_dim): (B, R · C, H, W)."""

    def context(self, latents_BD: Tensor, attributes_BA: Tensor | None = None) -> Tensor:
        """Code and one-hot attributes side by side; unspecified values are all zeros."""
        config = self.config
        z = latents_BD
        if self.cluster_heads is not None:
            z = z[:, : config.categories] @ self.cluster_heads + z[:, config.categories :]
        parts = [z]
        # Sorted by name, as the processor's columns are.
        for column, (_, values) in enumerate(sorted(config.decoder_attributes.items())):
            if attributes_BA is None:
                parts.append(z.new_zeros(len(z), len(values)))
            else:  # class 0 of one_hot stands for unspecified and is cut off
                parts.append(one_hot(attributes_BA[:, column] + 1, len(values) + 1)[:, 1:].to(z.dtype))
        return torch.cat(parts, 1)

    def pixels(self, latents: Tensor, attributes: Tensor | None = None) -> Tensor:
        """What the network says about each pixel, before the likelihood's link: shape (B, R · C, H, W)."""
        return self.outputs(self.context(latents, attributes))

    def nll(
        self, z: Tensor, pixel_values: Tensor, targets: Tensor | None = None, attributes: Tensor | None = None, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """-log p(x|z, a) in nats for each image, of `targets` where they differ from what was read; and its pixels."""
        wanted = pixel_values if targets is None else targets
        costs = self.likelihood.nll(self.pixels(z, attributes), wanted).flatten(1).sum(1)
        return costs, torch.full((len(costs),), self.config.num_pixels, device=costs.device)

    def generate(self, latents: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Expected pixels at codes, shape (B, C, H, W)."""
        return self.likelihood.mean(self.pixels(latents, attributes))


class CodeShape(nn.Module):
    """What a point code goes through: its activation, and k-sparsity.

    Args:
        activation: A name in `CODE_ACTIVATIONS`.
        k: Entries kept, 0 for all.
    """

    def __init__(self, activation: str, k: int):
        super().__init__()
        self.activation, self.k = ACTIVATIONS[activation](), k

    def forward(self, code_BD: Tensor) -> Tensor:
        code_BD = self.activation(code_BD)
        if not self.k:
            return code_BD
        kept = code_BD.topk(self.k, dim=1).indices
        return torch.zeros_like(code_BD).scatter(1, kept, code_BD.gather(1, kept))
