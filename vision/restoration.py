"""Denoising, removing marks, enlarging, colorizing: autoencoders beside the baselines that they have to beat.

A baseline is fitted on pairs of corrupted and clean images, and maps corrupted pixels to restored ones in [0, 1].
Corruptions are in `vision.data.corruption`.

Shapes: N images, C channels, H, W height and width, P = C · H · W.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from textae.core.space import seeded
from vision.metrics import WINDOW, mse, psnr, ssim
from vision.reduction import pixels_of
from vision.space import LatentSpace


class Baseline(Protocol):
    """A restorer that is not an autoencoder."""

    def fit(self, corrupted: Tensor, clean: Tensor) -> "Baseline":
        """Learn from pairs of shape (N, C, H, W), where there is something to learn; returns itself."""

    def __call__(self, corrupted: Tensor) -> Tensor:
        """Restored pixels, shape (N, C, H, W), in [0, 1]."""


class Ridge:
    """The best linear map with an offset from corrupted to clean images, all pixels to all pixels, in closed form.

    Args:
        penalty: L2 cost of the map (not of the offset), added to the diagonal of the P x P sum of outer products.
    """

    def __init__(self, penalty: float = 1.0):
        if not 0 < penalty < math.inf:
            raise ValueError(f"penalty is {penalty}; it must be above 0, or pixels that never change leave no solution")
        self.penalty = penalty
        self.map: Tensor | None = None

    def fit(self, corrupted: Tensor, clean: Tensor) -> "Ridge":
        if corrupted.shape != clean.shape or corrupted.dim() != 4 or not len(clean):
            raise ValueError(f"corrupted images have shape {tuple(corrupted.shape)} and clean ones {tuple(clean.shape)}; both must be (N, C, H, W) and equal")
        x, y = corrupted.flatten(1).double(), clean.flatten(1).double()
        self.mean_x, self.mean_y = x.mean(0), y.mean(0)
        x, y = x - self.mean_x, y - self.mean_y
        inner = x.T @ x
        inner.diagonal().add_(self.penalty)
        self.map = torch.cholesky_solve(x.T @ y, torch.linalg.cholesky(inner))
        return self

    def __call__(self, corrupted: Tensor) -> Tensor:
        if self.map is None:
            raise ValueError("the linear map is not fitted yet: call fit with pairs of corrupted and clean images")
        y = (corrupted.flatten(1).double() - self.mean_x) @ self.map + self.mean_y
        return y.clamp(0, 1).float().view_as(corrupted)


class Median:
    """The median of a square around each pixel, mirrored at the edges; each channel by itself.

    Args:
        size: Pixels along the square's edge.
    """

    def __init__(self, size: int = 3):
        if size < 1:
            raise ValueError(f"size is {size}; a median needs at least one pixel")
        self.size = size

    def fit(self, corrupted: Tensor, clean: Tensor) -> "Median":
        return self

    def __call__(self, corrupted: Tensor) -> Tensor:
        from scipy.ndimage import median_filter

        return torch.from_numpy(median_filter(corrupted.numpy(), (1, 1, self.size, self.size)))


class Cubic:
    """Cubic splines through the large pixels of a lowered resolution, cut to [0, 1] (scipy's `zoom` in grid mode).

    Args:
        factor: Pixels along a large pixel's edge, as in `vision.data.corruption.LowResolution`.
    """

    def __init__(self, factor: int):
        if factor < 1:
            raise ValueError(f"factor is {factor}; a large pixel has an edge of at least one")
        self.factor = factor

    def fit(self, corrupted: Tensor, clean: Tensor) -> "Cubic":
        return self

    def __call__(self, corrupted: Tensor) -> Tensor:
        from scipy.ndimage import zoom

        height, width = corrupted.shape[2:]
        small = corrupted[:, :, :: self.factor, :: self.factor].double().numpy()
        large = zoom(small, (1, 1, self.factor, self.factor), order=3, mode="nearest", grid_mode=True)
        return torch.from_numpy(large[:, :, :height, :width]).clamp(0, 1).float()


@dataclass(frozen=True)
class Row:
    """How near to the clean images one restorer comes.

    Attributes:
        name: "corrupted" is doing nothing.
        psnr: In dB, of the mean squared error over the set.
        ssim: Structural similarity, mean over images; None where images are smaller than its window.
        mse: Of a pixel value.
    """

    name: str
    psnr: float
    ssim: float | None
    mse: float


def compare_restoration(
    spaces: Mapping[str, LatentSpace], clean: Tensor, corrupt: Callable[[Tensor], Tensor], *, train: Tensor,
    baselines: Mapping[str, Baseline] | None = None, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Corrupt clean images, restore them in each way, and measure what is left: one row for each.

    Args:
        spaces: Autoencoders by name that were trained on such pairs; may be empty.
        clean: Test images, shape (N, C, H, W), in [0, 1].
        corrupt: From `vision.data.corruption`, or any function of pixels; its draws come from torch's global generator.
        train: Clean images that baselines are fitted on, shape (M, C, H, W); other ones than `clean`.
        baselines: By name; None takes the linear map and the median of 3 x 3. For enlarging take `Cubic`.
        seed: Of the corruption of the test images, and one more of the training images'.
    """
    baselines = {"ridge": Ridge(), "median": Median()} if baselines is None else baselines
    with seeded(seed):
        corrupted = corrupt(clean)
    with seeded(seed + 1):
        train_corrupted = corrupt(train)
    rows = [_row("corrupted", corrupted, clean)]
    for name, baseline in baselines.items():
        rows.append(_row(name, baseline.fit(train_corrupted, train)(corrupted), clean))
    for name, space in spaces.items():
        rows.append(_row(name, space.rebuild(pixels_of(space, corrupted)).clamp(0, 1), clean))
    return rows


def _row(name: str, restored: Tensor, clean: Tensor) -> Row:
    similar: Any = ssim(restored, clean).mean().item() if min(clean.shape[2:]) >= WINDOW else None
    return Row(name, psnr(restored, clean), similar, mse(restored, clean))
