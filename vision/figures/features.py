"""What single units see: the first layer's weights, and what excites units most, from shallow layers to deep ones.

Shapes: N images, C channels, H, W height and width of the model's images, U units of a layer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vision.figures.rows import Row, draw_rows
from vision.figures.style import GRID, draw_image, new_figure, styled
from vision.models.base import ImageAutoencoder
from vision.models.conv import ConvAutoencoder
from vision.models.mlp import MLPAutoencoder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vision.space import LatentSpace

Layer = nn.Linear | nn.Conv2d

@styled
def filters(model: ImageAutoencoder, *, count: int = 64, title: str = "") -> "Figure":
    """The first layer's weights as images: whole images of a dense layer, small patches of a convolution.

    The `count` filters of the largest norm, each on its own scale: blue takes away, red adds. Filters of three channels
    are drawn in their own colors around gray, and those of other layers by their mean over channels.

    Args:
        model: An MLP or convolutional autoencoder with at least one hidden layer.
        count: Filters shown at most.
        title: Above the figure.
    """
    if count < 1:
        raise ValueError(f"count is {count}; at least one filter must be asked for")
    config = model.config
    _, first = hidden_layers(model)[0]
    weights = first.weight.detach().cpu().float()
    if isinstance(first, nn.Linear):
        weights = weights.view(-1, config.channels, config.height, config.width)
    order = weights.flatten(1).norm(dim=1).argsort(descending=True, stable=True)[:count]
    chosen = weights[order].numpy()
    columns = math.ceil(math.sqrt(len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    tall = chosen.shape[2] / chosen.shape[3]
    figure = new_figure(0.75 * columns + 0.3, 0.75 * rows * tall + (0.5 if title else 0.2), title)
    cells = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0.08, "hspace": 0.08})
    for axes in list(cells.flat)[len(chosen) :]:
        axes.axis("off")
    for axes, weight in zip(cells.flat, chosen, strict=False):
        largest = float(np.abs(weight).max()) or 1.0
        if len(weight) == 3:
            draw_image(axes, np.moveaxis(0.5 + 0.5 * weight / largest, 0, -1))
        else:
            draw_image(axes, weight.mean(0), cmap="RdBu_r", vmin=-largest, vmax=largest)
    return figure


@styled
def features_by_depth(space: "LatentSpace", images: Sequence[Any], *, count: int = 10, strongest: int = 25, title: str = "") -> "Figure":
    """One row for each layer of the encoder, shallow to deep: what excites some of its units most, from strokes to shapes.

    Each picture is the mean of the `strongest` patches that a unit answers to most, one from an image, as large as the
    unit's receptive field (after Zeiler & Fergus 2014, sec. 4, who show such patches side by side). It is scaled to its
    own brightest pixel.

    Args:
        space: Of images, of an MLP or convolutional autoencoder.
        images: Raw images, some hundreds.
        count: Units of each layer: those that vary most, apart from near copies of one another.
        strongest: Patches averaged for each unit.
        title: Above the figure.

    Raises:
        ValueError: Fewer images than `strongest`, or a model of another family or without hidden layers.
    """
    if count < 1 or strongest < 1:
        raise ValueError(f"count is {count} and strongest is {strongest}; each must be at least 1")
    pixels, model = space.pixels(images), space.model
    if len(pixels) < strongest:
        raise ValueError(f"{len(pixels)} images were given and {strongest} patches are averaged for each unit: give more, or lower strongest")
    found = [*hidden_layers(model), ("code", code_layer(model))]
    count = min(count, max(_units(layer) for _, layer in found))
    rows = []
    for name, layer in found:
        answers = responses(model, layer, pixels, space.batch_size)
        side, jump = receptive_field(model, layer)
        patches = [_mean_patch(pixels, answers, unit, strongest, side, jump) for unit in _various(answers.values_NU, count)]
        seen = "whole image" if side == 0 else f"{side} × {side} pixels"
        empty = [None] * (count - len(patches))
        rows.append(Row(f"{name}, {_units(layer)} units\n{seen}", [*patches, *empty], options={"border": GRID, "border_width": 0.8}))
    return draw_rows(rows, title)[0]


def hidden_layers(model: ImageAutoencoder) -> list[tuple[str, Layer]]:
    """The encoder's layers before the code, by name, in order.

    Raises:
        ValueError: The model has none, or is of another family.
    """
    if isinstance(model, MLPAutoencoder):
        found = list(model.encoder)
    elif isinstance(model, ConvAutoencoder):
        found = [*model.before, *model.down, *([model.dense_in] if model.dense_in is not None else [])]
    else:
        raise ValueError(f"filters and features are drawn of MLP and convolutional autoencoders, not of {type(model).__name__}")
    if not found:
        raise ValueError("the encoder has no hidden layer: its only weights are the code's own")
    return [(f"layer {i + 1}", layer) for i, layer in enumerate(found)]


def code_layer(model: ImageAutoencoder) -> Layer:
    """The layer of the code's mean."""
    if isinstance(model, ConvAutoencoder) and model.maps is not None:
        return model.maps
    return model.posterior_head.mean


def _units(layer: Layer) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


@dataclass(frozen=True)
class Responses:
    """What a layer answers before its activation; of a convolution, where in the image it answers most.

    Attributes:
        values_NU: The largest answer of each unit over positions.
        places_NU2: Row and column of that answer in the layer's map; zero for a dense layer.
    """

    values_NU: Tensor
    places_NU2: Tensor


def responses(model: ImageAutoencoder, layer: Layer, pixels: Tensor, batch_size: int = 256) -> Responses:
    """The answers of a layer to images of shape (N, C, H, W), on the CPU."""
    caught: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: caught.append(output))
    values, places = [], []
    try:
        with torch.no_grad():
            for part in pixels.split(batch_size):
                model.encode(pixel_values=part.to(model.device))
                maps = caught.pop().float().cpu()
                width = maps.shape[3] if maps.dim() == 4 else 1
                best, flat = maps.flatten(2).max(2) if maps.dim() == 4 else (maps, torch.zeros_like(maps, dtype=torch.long))
                values.append(best)
                places.append(torch.stack([flat // width, flat % width], -1))
    finally:
        hook.remove()
    return Responses(torch.cat(values), torch.cat(places))


def receptive_field(model: ImageAutoencoder, layer: Layer) -> tuple[int, int]:
    """Side of the square of pixels that a unit sees, and pixels between neighbors of its map; (0, 0) for the whole image."""
    if isinstance(layer, nn.Linear):
        return 0, 0
    assert isinstance(model, ConvAutoencoder)
    side, jump = 1, 1
    for conv in [*model.before, *model.down, *([model.maps] if model.maps is not None else [])]:
        side += (conv.kernel_size[0] - 1) * jump
        jump *= conv.stride[0]
        if conv is layer:
            break
    return (side, jump) if side < min(model.config.height, model.config.width) else (0, 0)


def _various(values_NU: Tensor, count: int) -> list[int]:
    """Units that vary most over the images, skipping those that say the same as one before (correlation above 0.9)."""
    centered = values_NU - values_NU.mean(0)
    spread = centered.norm(dim=0)
    unit = centered / spread.clamp_min(1e-12)
    chosen: list[int] = []
    for candidate in spread.argsort(descending=True, stable=True).tolist():
        if spread[candidate] > 0 and all((unit[:, candidate] @ unit[:, c]).abs() < 0.9 for c in chosen):
            chosen.append(candidate)
        if len(chosen) == count:
            break
    return chosen or [0]


def _mean_patch(pixels: Tensor, answers: Responses, unit: int, strongest: int, side: int, jump: int) -> np.ndarray:
    """Mean of the patches that excite a unit most, (H, W) or (H, W, 3), its brightest pixel 1."""
    best = answers.values_NU[:, unit].topk(strongest).indices
    patches = pixels[best]
    if side:
        half = side // 2  # kernels are odd and padded by half, so a map's place p sees the pixels around p * jump
        padded = pad(patches, (half, half, half, half))
        corners = (answers.places_NU2[best, unit] * jump).tolist()
        patches = torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(padded, corners, strict=True)])
    mean = patches.mean(0).numpy()
    mean = mean / max(float(mean.max()), 1e-6)
    return mean[0] if len(mean) == 1 else np.moveaxis(mean, 0, -1)
