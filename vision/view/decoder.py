"""A model's decoder, and its encoder, as numbers and steps that JavaScript carries out: `decoder.js` is the other half.

Shapes: D latent dimensions, N codes, C channels, H, W height and width.
"""

import base64
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vision.models.base import ImageAutoencoder
from vision.models.conv import ConvAutoencoder
from vision.models.mlp import MLPAutoencoder

PRECISIONS = {"float32": np.float32, "float16": np.float16}
LINKS = {"bernoulli": "sigmoid", "continuous_bernoulli": "continuous_bernoulli", "gaussian": "linear"}
PROBES = 256  # codes at which the error of narrow weights is measured


def plane_dims(model: ImageAutoencoder) -> int:
    """First dimension of the two that the plane shows: after the categories, where a code has some.

    Raises:
        ValueError: What remains of the code is not 2-D.
    """
    config = model.config
    style = config.latent_dim - config.categories
    if style != 2:
        beside = f" beside {config.categories} categories" if config.categories else ""
        raise ValueError(f"the page shows 2-D codes; this model's has {style} dimensions{beside}: train one with latent_dim={2 + config.categories}")
    return config.categories


def plane_codes(model: ImageAutoencoder, codes_ND: Tensor) -> Tensor:
    """Where codes lie on the plane, shape (..., 2): their style, around their categories' heads where the model has heads."""
    first = plane_dims(model)
    style = codes_ND[..., first:]
    if model.cluster_heads is None:
        return style
    return style + codes_ND[..., :first] @ model.cluster_heads.detach().cpu()


def pack(values: Tensor | np.ndarray, precision: str = "float32") -> dict[str, Any]:
    """A tensor as base64 of little-endian floats, with its shape."""
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    array = np.ascontiguousarray(array, dtype=np.dtype(PRECISIONS[precision]).newbyteorder("<"))
    return {"dtype": precision, "shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def export_decoder(model: ImageAutoencoder, precision: str = "float32") -> dict[str, Any]:
    """The decoder of a 2-D code as plain data, ready for JSON.

    Args:
        model: An MLP or convolutional autoencoder whose code is 2-D, apart from categories.
        precision: Of the weights: "float32" computes what the model computes, "float16" halves the size; `error` says
            what it costs.

    Returns:
        `inputs` (what the decoder reads beside the two numbers), `steps`, `link`, the image's `shape`, `precision`,
        `error`: the largest difference of a pixel in [0, 1] from the full weights, over codes of a wide normal.

    Raises:
        ValueError: Another family of models or likelihood, a code of another width, or an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    config = model.config
    plane_dims(model)
    if config.likelihood not in LINKS:
        raise ValueError(f"the page cannot decode the likelihood {config.likelihood}; it knows {', '.join(LINKS)}")
    if isinstance(model, MLPAutoencoder):
        steps = _mlp_steps(model, precision)
    elif isinstance(model, ConvAutoencoder):
        steps = _conv_steps(model, precision)
    else:
        raise ValueError(f"the page decodes MLP and convolutional autoencoders, not {type(model).__name__}")
    link = "sigmoid" if config.likelihood == "gaussian" and config.output == "sigmoid" else LINKS[config.likelihood]
    attributes = [{"name": n, "values": list(v)} for n, v in sorted(config.decoder_attributes.items())]
    categories = config.categories if model.cluster_heads is None else 0  # with heads the plane itself is what is decoded
    return {
        "shape": [config.channels, config.height, config.width],
        "inputs": {"categories": categories, "attributes": attributes},
        "steps": steps,
        "link": link,
        "precision": precision,
        "error": _error(model, precision),
    }


def export_encoder(model: ImageAutoencoder, precision: str = "float32") -> dict[str, Any]:
    """The encoder as plain data, ready for JSON.

    Args:
        model: An MLP or convolutional autoencoder with a plain code of any width: a linear point, or a Gaussian.
        precision: Of the weights, as in `export_decoder`.

    Returns:
        `steps` from pixels to features, and the code's layers: `mean`, and `logvar`, None for a point.

    Raises:
        ValueError: Another family of models, a code with categories, an activation or maps, or an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    config = model.config
    if config.categories or config.k_sparse or config.code_activation != "linear":
        raise ValueError("the page encodes to plain codes: without categories, k_sparse and code_activation")
    if isinstance(model, MLPAutoencoder):
        names = [config.activation] * len(config.hidden_dims) if isinstance(config.activation, str) else config.activation
        steps = [s for x, n in zip(model.encoder, names, strict=True) for s in (_dense(x.weight, x.bias, precision), {"kind": "activation", "name": n})]
    elif isinstance(model, ConvAutoencoder) and model.posterior_head is not None:
        steps = _conv_encoder_steps(model, precision)
    else:
        raise ValueError(f"the page encodes with MLP and convolutional autoencoders without a spatial code, not with this {type(model).__name__}")
    head = model.posterior_head
    assert head is not None
    return {
        "steps": steps,
        "mean": _dense(head.mean.weight, head.mean.bias, precision),
        "logvar": None if head.logvar is None else _dense(head.logvar.weight, head.logvar.bias, precision),
    }


def _dense(weight: Tensor, bias: Tensor, precision: str) -> dict[str, Any]:
    return {"kind": "dense", "weight": pack(weight, precision), "bias": pack(bias, precision)}


def _mlp_steps(model: MLPAutoencoder, precision: str) -> list[dict[str, Any]]:
    config = model.config
    given = config.decoder_activation
    if given is None:
        given = config.activation if isinstance(config.activation, str) else config.activation[::-1]
    names = [given] * len(config.mirrored_dims) if isinstance(given, str) else list(given)
    if config.tied:
        weights = [model.posterior_head.mean.weight.T, *(layer.weight.T for layer in reversed(model.encoder))]
        pairs = list(zip(weights, model.decoder_biases, strict=True))
    else:
        pairs = [(layer.weight, layer.bias) for layer in [*model.decoder, model.output]]
    steps = []
    for i, (weight, bias) in enumerate(pairs):
        steps.append(_dense(weight, bias, precision))
        if i < len(names):
            steps.append({"kind": "activation", "name": names[i]})
    return steps


def _conv_steps(model: ConvAutoencoder, precision: str) -> list[dict[str, Any]]:
    config = model.config
    if config.spatial:
        raise ValueError("the page cannot decode a spatial code; train a model without spatial=true")
    act = {"kind": "activation", "name": config.activation}
    steps = []
    if model.dense_out is not None:
        steps += [_dense(model.dense_out.weight, model.dense_out.bias, precision), act]
    steps.append(_dense(model.unfold.weight, model.unfold.bias, precision))
    sizes = config.sizes[::-1]
    for layer, before, after in zip(model.up, sizes[:-1], sizes[1:], strict=True):
        steps += [act, {"kind": "transposed", **_conv(layer, before, after, precision)}]
    for layer in model.after:
        steps += [act, {"kind": "conv", **_conv(layer, sizes[-1], sizes[-1], precision)}]
    return steps


def _conv_encoder_steps(model: ConvAutoencoder, precision: str) -> list[dict[str, Any]]:
    config = model.config
    act, sizes, steps = {"kind": "activation", "name": config.activation}, config.sizes, []
    for layer in model.before:
        steps += [{"kind": "conv", **_conv(layer, sizes[0], sizes[0], precision)}, act]
    for layer, before, after in zip(model.down, sizes[:-1], sizes[1:], strict=True):
        steps += [{"kind": "conv", **_conv(layer, before, after, precision)}, act]
    if model.dense_in is not None:
        steps += [_dense(model.dense_in.weight, model.dense_in.bias, precision), act]
    return steps


def _conv(layer: torch.nn.Module, before: tuple[int, int], after: tuple[int, int], precision: str) -> dict[str, Any]:
    return {
        "weight": pack(layer.weight, precision), "bias": pack(layer.bias, precision), "stride": layer.stride[0],
        "pad": layer.padding[0], "before": list(before), "after": list(after),
    }  # fmt: skip


def _error(model: ImageAutoencoder, precision: str) -> float:
    """Largest difference of an expected pixel between weights of a precision and the model's own."""
    if precision == "float32":
        return 0.0
    z = 2 * torch.randn(PROBES, model.config.latent_dim, generator=torch.Generator().manual_seed(0)).to(model.device)
    narrow = {name: p.detach().half().float() for name, p in model.named_parameters()}
    with torch.no_grad():
        context = model.context(z)
        full = model.likelihood.mean(model.outputs(context))
        rounded = model.likelihood.mean(torch.func.functional_call(_Outputs(model), {f"model.{n}": p for n, p in narrow.items()}, (context,)))
    return (full - rounded).abs().max().item()


class _Outputs(torch.nn.Module):
    """A model whose forward pass is its decoder."""

    def __init__(self, model: ImageAutoencoder):
        super().__init__()
        self.model = model

    def forward(self, context: Tensor) -> Tensor:
        return self.model.outputs(context)
