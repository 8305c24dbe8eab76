"""Objective terms that only pictures have, and the table of all that an image run may name.

Shapes: B images, C channels, H, W height and width, D latent dimensions, F pixels of an image.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives import TERMS as CORE_TERMS
from textae.core.objectives import Term
from textae.core.objectives.base import TermValue
from textae.core.schedules import Schedule
from vision.models.mlp import MLPAutoencoder

METHODS = ("exact", "hutchinson")


class Contractive(Term):
    """‖J‖²: the squared Frobenius norm of the Jacobian of an image's code with respect to its pixels.

    The sum of the squares of all D · F derivatives, for each image (Rifai et al. 2011, eq. 1), taken at what the encoder
    read. It makes the code insensitive to small changes of the input, where denoising makes the reconstruction so.
    The code is the posterior's mean.

    Args:
        weight: λ of the paper.
        method: "exact": in closed form for a model with a single dense layer before its code, at the cost of one matrix
            product; else by one backward pass for each latent dimension. "hutchinson": the unbiased estimate
            E ‖vᵀJ‖² over random signs v (Hutchinson 1990), one backward pass a probe.
        num_probes: Draws of v an image and step; of "hutchinson" alone.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, method: str = "exact", num_probes: int | None = None
    ):
        super().__init__(weight)
        if method not in METHODS:
            raise ValueError(f"objective.contractive.method is {method!r}; it must be exact or hutchinson")
        if method == "exact" and num_probes is not None:
            raise ValueError("objective.contractive.num_probes is for method=hutchinson; method=exact draws nothing")
        self.method, self.num_probes = method, 1 if num_probes is None else num_probes
        if not isinstance(self.num_probes, int) or self.num_probes < 1:
            raise ValueError(f"objective.contractive.num_probes is {self.num_probes!r}; it must be a whole number of at least 1")

    def bind(self, model: Autoencoder) -> None:
        if model.config.categories:
            raise ValueError("objective.contractive: categories are normalized over the batch, so no image's code has a Jacobian of its own")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        if self.method == "exact" and is_single_layer(model):
            value = single_layer_norm(model, batch["pixel_values"])
        else:
            value = self._by_backward_passes(model, batch)
        return TermValue(value, value)

    def _by_backward_passes(self, model: Autoencoder, batch: dict[str, Tensor]) -> Tensor:
        pixels = batch["pixel_values"].detach().clone().requires_grad_()
        code_BD = model.encode(**{**batch, "pixel_values": pixels}).mean
        if self.method == "exact":
            directions = [torch.nn.functional.one_hot(torch.tensor(d), code_BD.shape[1]) for d in range(code_BD.shape[1])]
        else:
            directions = [2.0 * torch.randint_like(code_BD, 2) - 1.0 for _ in range(self.num_probes)]
        total = torch.zeros(len(pixels), device=pixels.device)
        for direction in directions:
            v_BD = direction.to(code_BD).expand_as(code_BD)
            (gradient,) = torch.autograd.grad(code_BD, pixels, v_BD, create_graph=True)
            total = total + gradient.flatten(1).square().sum(1)
        return total if self.method == "exact" else total / self.num_probes


def is_single_layer(model: Autoencoder) -> bool:
    """Whether the code is an elementwise function of one dense layer of the pixels."""
    return isinstance(model, MLPAutoencoder) and not len(model.encoder)


def single_layer_norm(model: MLPAutoencoder, pixel_values: Tensor) -> Tensor:
    """‖J‖² of h = s(W x + b): Σ_d s'(a_d)² Σ_f W_df², shape (B,) (Rifai et al. 2011, for a sigmoid)."""
    layer = model.posterior_head.mean
    row_D = layer.weight.square().sum(1)
    if model.config.posterior != "point":  # whose mean is the layer itself
        return row_D.sum().expand(len(pixel_values))
    a_BD = linear(pixel_values.flatten(1), layer.weight, layer.bias).float()
    code_BD = model.code_shape(a_BD)
    (slope_BD,) = torch.autograd.grad(code_BD.sum(), a_BD, create_graph=True)
    return (slope_BD.square() * row_D).sum(1)  # no matrix product, which autocast would round


TERMS: dict[str, Callable[..., Term]] = {**CORE_TERMS, "contractive": Contractive}
