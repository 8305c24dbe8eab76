"""Changes of a picture that keep all of it, or nearly: fixed permutation, rotation, flip; alone, in a row, or mixed.

These are exercise 9.1 of the source document 003. Unlike corruption, they may change the target too.
Shapes: B images, C channels, H, W height and width; pixels lie in [0, 1].
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from textae.core.config import build, check_keys, choose

MODES = ("compose", "random")
SIDES = ("both", "input")
AXES = {"horizontal": 3, "vertical": 2}


@dataclass(frozen=True)
class Identity:
    """Leaves images as they are; in a random mix, the share of them that does not change."""

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        return pixels_BCHW


@dataclass(frozen=True)
class Permutation:
    """Moves pixels to other places, the same way in every image; the channels of a pixel stay together.

    Args:
        seed: The permutation is a function of it and of the number of pixels.
    """

    seed: int = 0

    def __post_init__(self):
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}; it must be a whole number, 0 or more")

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        order = _permutation(self.seed, pixels_BCHW.shape[2] * pixels_BCHW.shape[3]).to(pixels_BCHW.device)
        return pixels_BCHW.flatten(2)[:, :, order].view_as(pixels_BCHW)


@dataclass(frozen=True)
class Rotation:
    """Turns images about their center, counter-clockwise: extended by `fill`, rotated, cropped; bilinear.

    Args:
        angle: In degrees.
        fill: What the image is extended by, from 0 (black) to 1 (white).
    """

    angle: float
    fill: float = 0.0

    def __post_init__(self):
        for name in ("angle", "fill"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; it must be a finite number")
        if not 0 <= self.fill <= 1:
            raise ValueError(f"fill is {self.fill}; it must be a number from 0 to 1")

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        num, channels, height, width = pixels_BCHW.shape
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        # From output to input coordinates, y downwards; both run from -1 to 1, so an edge's length enters.
        theta = pixels_BCHW.new_tensor([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]])
        grid = affine_grid(theta[None], [1, channels, height, width], align_corners=False).expand(num, -1, -1, -1)
        turned = grid_sample(pixels_BCHW - self.fill, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return turned.add_(self.fill).clamp_(0, 1)


@dataclass(frozen=True)
class Flip:
    """Mirrors images: "horizontal" exchanges left and right, "vertical" above and below."""

    axis: str = "horizontal"

    def __post_init__(self):
        choose(AXES, self.axis, "axis")

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        return pixels_BCHW.flip(AXES[self.axis])


TRANSFORMS = {"identity": Identity, "permutation": Permutation, "rotation": Rotation, "flip": Flip}


class Transforms:
    """Several transforms as one.

    Args:
        *steps: Functions of pixels (B, C, H, W) in [0, 1] to the same shape, such as `Rotation(30)`.
        mode: "compose" applies all, one after the other; "random" one to each image, drawn evenly from torch's global
            generator, which the caller seeds.
        apply_to: "both" changes input and target, so the model learns to copy changed images, as in the exercise;
            "input" alone makes it learn to undo the change.
    """

    def __init__(self, *steps: Callable[[Tensor], Tensor], mode: str = "compose", apply_to: str = "both"):
        if not steps:
            raise ValueError("transforms need at least one step")
        choose(dict.fromkeys(MODES), mode, "mode")
        choose(dict.fromkeys(SIDES), apply_to, "apply_to")
        self.steps, self.mode, self.apply_to = steps, mode, apply_to

    @classmethod
    def from_config(cls, spec: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str], where: str = "data.transforms") -> "Transforms":
        """From plain settings: `{kind: rotation, angle: 30}`, a list of such, or `{steps: [...], mode:, apply_to:}`.

        Raises:
            ValueError: An unknown kind or key, or a value out of range.
        """
        options: dict[str, Any] = {}
        if isinstance(spec, Mapping) and "steps" in spec:
            check_keys(spec, ("steps", "mode", "apply_to"), where)
            options = {key: value for key, value in spec.items() if key != "steps"}
            spec = spec["steps"]
        specs = [spec] if isinstance(spec, str | Mapping) else spec
        if not isinstance(specs, Sequence):
            raise ValueError(f"{where} is {spec!r}; it is a kind of transform with its settings, or a list of such")
        return cls(*(build(TRANSFORMS, one, kind="kind", where=where) for one in specs), **options)

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        """Changed pixels of the same shape; the batch itself stays as it is."""
        if self.mode == "compose":
            for step in self.steps:
                pixels_BCHW = step(pixels_BCHW)
            return pixels_BCHW
        chosen_B = torch.randint(len(self.steps), (len(pixels_BCHW),), device=pixels_BCHW.device)
        out = pixels_BCHW.clone()
        for number, step in enumerate(self.steps):
            rows = (chosen_B == number).nonzero()[:, 0]
            if len(rows):
                out[rows] = step(pixels_BCHW[rows])
        return out

    def __repr__(self) -> str:
        return f"Transforms({', '.join(map(repr, self.steps))}, mode={self.mode!r}, apply_to={self.apply_to!r})"


@lru_cache(maxsize=8)
def _permutation(seed: int, num: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).permutation(num))
