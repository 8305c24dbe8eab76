"""Noise on a batch of pixels: what the encoder sees is corrupted, what the decoder must show stays clean.

Everything is drawn from torch's global generator, which the caller seeds; a rate of 0 draws nothing. Colorizing is
`gray` corruption with the color picture as target, enlarging is `low_resolution` with the sharp one.

Shapes: B images, C channels, H, W height and width; pixels lie in [0, 1]. Noise strikes all channels of a pixel at
once, but for `gaussian`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from textae.core.config import build
from vision.data.pixels import LUMINANCE

# Ours: drawn by hand, so that it is the same on every machine.
MARK = (
    " ###  #####",
    "#   # #    ",
    "#   # #    ",
    "##### #### ",
    "#   # #    ",
    "#   # #    ",
    "#   # #####",
)


@dataclass(frozen=True)
class Gaussian:
    """Adds N(0, sigma²) to every value and cuts the result to [0, 1].

    Args:
        sigma: Standard deviation, in units of the pixel range; or a pair, and each image draws its own between the two.
    """

    sigma: float | Sequence[float]

    def __post_init__(self):
        one = _is_number(self.sigma)
        ends = [self.sigma] if one else list(self.sigma) if isinstance(self.sigma, Sequence) and len(self.sigma) == 2 else [None]
        if not all(_is_number(end) and 0 <= end < math.inf for end in ends) or ends != sorted(ends):
            raise ValueError(f"sigma is {self.sigma!r}; a standard deviation is a number, 0 or more, or a pair [least, most] of such")

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        if _is_number(self.sigma):
            if not self.sigma:
                return pixels_BCHW
            return torch.randn_like(pixels_BCHW).mul_(self.sigma).add_(pixels_BCHW).clamp_(0, 1)
        least, most = self.sigma
        sigma_B111 = torch.rand(len(pixels_BCHW), 1, 1, 1, device=pixels_BCHW.device).mul_(most - least).add_(least)
        return torch.randn_like(pixels_BCHW).mul_(sigma_B111).add_(pixels_BCHW).clamp_(0, 1)


@dataclass(frozen=True)
class SaltPepper:
    """Turns each pixel black or white, as a fair coin falls, with probability `rate` (Vincent et al. 2010, sec. 3.3)."""

    rate: float

    def __post_init__(self):
        _check_probability("rate", self.rate)

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        if not self.rate:
            return pixels_BCHW
        draw_BHW = _uniform(pixels_BCHW)
        pixels_BCHW = torch.where(draw_BHW < self.rate / 2, 0.0, pixels_BCHW)
        return torch.where(draw_BHW >= 1 - self.rate / 2, 1.0, pixels_BCHW)


@dataclass(frozen=True)
class Masking:
    """Turns each pixel black with probability `rate`, alone (Vincent et al. 2010, sec. 3.3, where the share is exact)."""

    rate: float

    def __post_init__(self):
        _check_probability("rate", self.rate)

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        if not self.rate:
            return pixels_BCHW
        return torch.where(_uniform(pixels_BCHW) < self.rate, 0.0, pixels_BCHW)


@dataclass(frozen=True)
class Blocks:
    """Paints squares of one color over each image, at random places within it; they may overlap.

    Args:
        size: Pixels along an edge.
        count: Squares in each image.
        value: Their color, from 0 (black) to 1 (white).
    """

    size: int
    count: int = 1
    value: float = 0.0

    def __post_init__(self):
        _check_count("size", self.size)
        _check_count("count", self.count)
        _check_probability("value", self.value)

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        for _ in range(self.count):
            y_BH, x_BW = _place(self.size, self.size, pixels_BCHW, "the block")
            pixels_BCHW = torch.where(_inside(y_BH, self.size, x_BW, self.size), self.value, pixels_BCHW)
        return pixels_BCHW


@dataclass(frozen=True)
class Watermark:
    """Lays the letters AE, 7 pixels high and 11 wide, over each image at a random place within it.

    Args:
        opacity: Share of the mark in a pixel that it covers, 0 to 1.
        scale: Enlarges the mark.
        value: Its color, from 0 (black) to 1 (white).
    """

    opacity: float = 0.5
    scale: int = 1
    value: float = 1.0

    def __post_init__(self):
        _check_probability("opacity", self.opacity)
        _check_count("scale", self.scale)
        _check_probability("value", self.value)

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        mark = torch.tensor([[float(c == "#") for c in row] for row in MARK], dtype=pixels_BCHW.dtype, device=pixels_BCHW.device)
        mark = mark.repeat_interleave(self.scale, 0).repeat_interleave(self.scale, 1)
        h, w = mark.shape
        y_BH, x_BW = _place(h, w, pixels_BCHW, "the watermark")
        stamped_BHW = mark[y_BH.clamp(0, h - 1)[:, :, None], x_BW.clamp(0, w - 1)[:, None, :]]
        weight_BCHW = self.opacity * _inside(y_BH, h, x_BW, w) * stamped_BHW[:, None]
        return pixels_BCHW + weight_BCHW * (self.value - pixels_BCHW)


@dataclass(frozen=True)
class LowResolution:
    """Averages squares of pixels and shows each as one large pixel, so that the shape stays.

    A square at the right or lower edge may be cut off; it is the average of what is there.

    Args:
        factor: Pixels along a square's edge: 2 turns 28x28 into 14x14 shown at 28x28.
    """

    factor: int

    def __post_init__(self):
        _check_count("factor", self.factor)

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        height, width = pixels_BCHW.shape[2:]
        if self.factor > min(height, width):
            raise ValueError(f"factor is {self.factor}; images of {height}x{width} pixels can be averaged over {min(height, width)} at most")
        small = avg_pool2d(pixels_BCHW, self.factor, ceil_mode=True)
        return small.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3)[:, :, :height, :width]


@dataclass(frozen=True)
class Gray:
    """Replaces colors by their luminance, the same in all three channels (ITU-R BT.601)."""

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        if pixels_BCHW.shape[1] != 3:
            raise ValueError(f"gray takes the color from RGB images; these have {pixels_BCHW.shape[1]} channel")
        weights = pixels_BCHW.new_tensor(LUMINANCE)[:, None, None]
        return (pixels_BCHW * weights).sum(1, keepdim=True).repeat(1, 3, 1, 1)


@dataclass(frozen=True)
class Affine:
    """Turns, enlarges, slants and moves each image by amounts of its own, drawn evenly up to these; bilinear, black beyond the edge.

    As `data.corruption` the model learns to set images upright again; as `data.augmentation` it sees more images.

    Args:
        rotate: Degrees, either way, up to 180.
        scale: Share, below 1: 0.1 draws factors from 0.9 to 1.1.
        shear: Degrees that upright lines lean, either way, below 90.
        shift: Pixels in each direction, either way; a fraction is drawn too.
        rate: Probability with which an image is changed at all. Interpolation blurs a little: an autoencoder that has only
            seen changed images rebuilds sharp ones badly.
    """

    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    rate: float = 1.0

    def __post_init__(self):
        _check_probability("rate", self.rate)
        for name, most, unit in (("rotate", 180, " degrees"), ("shear", 89, " degrees"), ("scale", 0.99, ""), ("shift", math.inf, " pixels")):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value <= most and value < math.inf):
                raise ValueError(f"{name} is {value!r}; it must be a number of 0{f' to {most}' if most < math.inf else ' or more'}{unit}")
        if not (self.rotate or self.scale or self.shear or self.shift):
            raise ValueError("affine changes nothing: give rotate, scale, shear or shift")

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        num, _, height, width = pixels_BCHW.shape
        angle, slant, factor, right, down = torch.rand(5, num, device=pixels_BCHW.device).mul_(2).sub_(1)
        angle, lean = angle * math.radians(self.rotate), (slant * math.radians(self.shear)).tan()
        cos, sin, factor = angle.cos(), angle.sin(), 1 + factor * self.scale
        # From output to input in units of half an edge: unslant(turn(x)) / factor, y downwards.
        rows = [
            [(cos + lean * sin) / factor, (lean * cos - sin) / factor * (height / width), right * (2 * self.shift / width)],
            [sin / factor * (width / height), cos / factor, down * (2 * self.shift / height)],
        ]
        theta_B23 = torch.stack([torch.stack(row, 1) for row in rows], 1)
        grid = affine_grid(theta_B23, list(pixels_BCHW.shape), align_corners=False)
        moved = grid_sample(pixels_BCHW, grid, mode="bilinear", padding_mode="zeros", align_corners=False).clamp_(0, 1)
        if self.rate == 1:
            return moved
        return torch.where(torch.rand(num, 1, 1, 1, device=pixels_BCHW.device) < self.rate, moved, pixels_BCHW)


CORRUPTIONS = {
    "gaussian": Gaussian,
    "salt_pepper": SaltPepper,
    "masking": Masking,
    "blocks": Blocks,
    "watermark": Watermark,
    "low_resolution": LowResolution,
    "gray": Gray,
    "affine": Affine,
}


class Corruption:
    """Several kinds of noise, each on what the ones before left.

    Args:
        *steps: Functions of pixels (B, C, H, W) in [0, 1] to the same shape, such as `Gaussian(0.5)`.
    """

    def __init__(self, *steps: Callable[[Tensor], Tensor]):
        if not steps:
            raise ValueError("a corruption needs at least one kind of noise")
        self.steps = steps

    @classmethod
    def from_config(cls, spec: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str], where: str = "data.corruption") -> "Corruption":
        """From plain settings: `{kind: gaussian, sigma: 0.5}`, or a list of such.

        Raises:
            ValueError: An unknown kind or key, or a value out of range.
        """
        specs = [spec] if isinstance(spec, str | Mapping) else spec
        if not isinstance(specs, Sequence):
            raise ValueError(f"{where} is {spec!r}; it is a kind of noise with its settings, or a list of such")
        return cls(*(build(CORRUPTIONS, one, kind="kind", where=where) for one in specs))

    def __call__(self, pixels_BCHW: Tensor) -> Tensor:
        """Corrupted pixels of the same shape; the batch itself stays as it is."""
        for step in self.steps:
            pixels_BCHW = step(pixels_BCHW)
        return pixels_BCHW

    def __repr__(self) -> str:
        return f"Corruption({', '.join(map(repr, self.steps))})"


def _uniform(pixels_BCHW: Tensor) -> Tensor:
    """U(0, 1) for each pixel, shape (B, 1, H, W)."""
    return torch.rand_like(pixels_BCHW[:, :1])


def _place(h: int, w: int, pixels_BCHW: Tensor, what: str) -> tuple[Tensor, Tensor]:
    """Coordinates of each row (B, H) and column (B, W) from the corner of a stamp, which is drawn evenly in each image."""
    num, _, height, width = pixels_BCHW.shape
    if h > height or w > width:
        raise ValueError(f"{what} is {h}x{w} pixels; it does not fit into images of {height}x{width}")
    device = pixels_BCHW.device
    y_BH = torch.arange(height, device=device) - torch.randint(height - h + 1, (num, 1), device=device)
    x_BW = torch.arange(width, device=device) - torch.randint(width - w + 1, (num, 1), device=device)
    return y_BH, x_BW


def _inside(y_BH: Tensor, h: int, x_BW: Tensor, w: int) -> Tensor:
    """Where the stamp lies, shape (B, 1, H, W)."""
    return (((y_BH >= 0) & (y_BH < h))[:, :, None] & ((x_BW >= 0) & (x_BW < w))[:, None, :])[:, None]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_probability(name: str, value: Any) -> None:
    if not (_is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{name} is {value!r}; it must be a number from 0 to 1")


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, at least 1")
