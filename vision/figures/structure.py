"""A diagram of the layers, read from the real module by one pass through it.

Shapes: C channels, H, W height and width of the model's images, U units of a layer.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vision.figures.style import PALETTE, SUBDUED, new_figure, styled
from vision.models.base import ImageAutoencoder
from vision.models.mlp import MLPAutoencoder

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Layer:
    """What one layer yields.

    Attributes:
        part: "input", "encoder", "code", "decoder" or "output".
        shape: Of its output for one image: (U,) or (C, H, W).
        parameters: Weights and biases.
    """

    part: str
    shape: tuple[int, ...]
    parameters: int

    @property
    def units(self) -> int:
        """Numbers that it yields."""
        return math.prod(self.shape)


def layers(model: ImageAutoencoder) -> list[Layer]:
    """The layers that one image passes, in order, as one pass of the real module shows them: nothing is read from the config.

    Dense and convolutional layers count; the code is one layer, whose mean and variance are counted together.
    """
    names = {module: name for name, module in model.named_modules()}
    seen: list[tuple[str, tuple[int, ...], int]] = []

    def note(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((names[module], tuple(output.shape[1:]), sum(p.numel() for p in module.parameters())))

    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, kinds)]
    config, training = model.config, model.training
    image = torch.zeros(1, config.channels, config.height, config.width, device=model.device)
    try:
        with torch.no_grad():
            mean = model.eval().encode(pixel_values=image).mean
            encoder, seen = seen, []
            model.pixels(mean)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    heads = [i for i, (name, _, _) in enumerate(encoder) if name.startswith(("posterior_head", "maps"))]
    body = [Layer("encoder", shape, size) for i, (_, shape, size) in enumerate(encoder) if i not in heads]
    code = Layer("code", encoder[heads[0]][1] if len(encoder[heads[0]][1]) > 1 else (mean.shape[1],), sum(encoder[i][2] for i in heads))
    if seen:
        decoder = [Layer("decoder", shape, size) for _, shape, size in seen]
    else:  # tied weights are used without a module: their biases are what the decoder adds
        assert isinstance(model, MLPAutoencoder)
        decoder = [Layer("decoder", tuple(b.shape), b.numel()) for b in model.decoder_biases]
    pixels = tuple(image.shape[1:])
    return [Layer("input", pixels, 0), *body, code, *decoder[:-1], Layer("output", pixels, decoder[-1].parameters)]


@styled
def structure(model: ImageAutoencoder, *, title: str = "") -> "Figure":
    """The model as it is: a bar for each layer, as high as the logarithm of its units, in encoder, code and decoder.

    Args:
        model: Any autoencoder of images.
        title: Above the figure; the number of parameters stands under it.
    """
    from matplotlib.patches import Polygon

    found = layers(model)
    heights = [0.25 + math.log10(1 + layer.units) for layer in found]
    top, middle = max(heights) / 2, next(i for i, layer in enumerate(found) if layer.part == "code")
    figure = new_figure(max(5.5, 1.05 * len(found) + 1), 3.9, title)
    axes = figure.add_subplot()
    tints = {"encoder": PALETTE[0], "decoder": PALETTE[6]}
    for part, span in (("encoder", range(middle + 1)), ("decoder", range(middle, len(found)))):
        outline = [(i, heights[i] / 2) for i in span]
        outline += [(x, -y) for x, y in reversed(outline)]
        axes.add_patch(Polygon(outline, facecolor=tints[part], alpha=0.16, linewidth=0, label=part))
        center = (span[0] + span[-1]) / 2
        axes.text(center, top + 0.42, part.capitalize(), ha="center", va="center", color=tints[part], fontsize=12, fontweight="bold")
    for i, (layer, height) in enumerate(zip(found, heights, strict=True)):
        color = "#222a35" if layer.part == "code" else tints["encoder" if i < middle else "decoder"]
        axes.bar(i, height, width=0.22, bottom=-height / 2, color=color, linewidth=0)
        width = " × ".join(map(str, layer.shape))
        note = {"input": "pixels", "output": "pixels", "code": "code"}.get(layer.part, "")
        axes.text(i, -top - 0.22, f"{width}\n{note}" if note else width, ha="center", va="top", fontsize=10.5, linespacing=1.4)
    total = sum(layer.parameters for layer in found)
    axes.text((len(found) - 1) / 2, -top - 1.15, f"{total:,} weights and biases", ha="center", va="center", color=SUBDUED)
    axes.set(xlim=(-0.7, len(found) - 0.3), ylim=(-top - 1.4, top + 0.7))
    axes.axis("off")
    return figure
