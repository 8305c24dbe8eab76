"""Images with defects and exact masks of them, made from any images by a published recipe and a seed.

A defect changes each of its pixels by at least `VISIBLE` levels in some channel; a pixel that it would change by less
stays as it was, and so does a connected piece of fewer than `SMALLEST` pixels. The mask is exactly the set of changed
pixels, not dilated: where a drawn line crosses a stroke of its own brightness, nothing is wrong and nothing is marked.

Shapes: N images, C channels, H, W height and width. Sizes are given for H = W = 28 and grow with the smaller side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from textae.core.config import choose
from vision.metrics import pixel_auroc, pro

VISIBLE = 51  # of 255 levels: a fifth of the range
SMALLEST = 4  # pixels of a connected piece
LEAST = 8  # pixels of a whole defect at 28 x 28
ATTEMPTS = 200  # places tried in an image before it is given up


@dataclass(frozen=True)
class DefectSet:
    """Images with one defect each.

    Attributes:
        images: uint8, the shape of the given ones.
        masks: True on changed pixels, shape (N, H, W).
        kinds: Of each image's defect, names in `KINDS`, shape (N,).
    """

    images: np.ndarray
    masks: np.ndarray
    kinds: np.ndarray


def make_defects(images: np.ndarray, *, seed: int = 0, kinds: Sequence[str] | None = None) -> DefectSet:
    """Put one defect into each image; kinds take turns, so that each has its share.

    Everything is a function of the images' order and the seed: image i draws from a generator of (seed, i).

    Args:
        images: uint8, shape (N, H, W) or (N, H, W, C), at least two (a patch comes from another one), at least 8 x 8.
        seed: Of places, sizes, colors and patches.
        kinds: Names in `KINDS`; None takes all.

    Raises:
        ValueError: An image has no place where such a defect would be seen (erasing needs something to erase).
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or min(images.shape[1:3]) < 8:
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape (N, H, W) or (N, H, W, C), at least 8 x 8")
    if len(images) < 2:
        raise ValueError("a patch is pasted from another image: give at least two")
    names = list(KINDS) if kinds is None else list(kinds)
    if not names:
        raise ValueError(f"no kind of defect is asked for: name some of {', '.join(KINDS)}")
    makers = [choose(KINDS, name, "kind of defect") for name in names]
    stack = images[..., None] if images.ndim == 3 else images
    changed, masks = stack.copy(), np.zeros(stack.shape[:3], bool)
    for i in range(len(stack)):
        changed[i], masks[i] = _visible_defect(stack, i, makers[i % len(makers)], names[i % len(makers)], np.random.default_rng((seed, i)))
    return DefectSet(changed.reshape(images.shape), masks, np.array([names[i % len(names)] for i in range(len(stack))]))


def _visible_defect(stack: np.ndarray, i: int, maker: Callable, name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    from scipy.ndimage import label

    image = stack[i]
    scale = min(image.shape[:2]) / 28
    for _ in range(ATTEMPTS):
        proposed = maker(stack, i, scale, rng)
        mask = (np.abs(proposed.astype(np.int64) - image) >= VISIBLE).any(2)
        pieces, _ = label(mask, np.ones((3, 3)))
        sizes = np.bincount(pieces.ravel())
        mask &= sizes[pieces] >= SMALLEST
        if mask.sum() >= LEAST * scale**2:
            return np.where(mask[:, :, None], proposed, image), mask
    raise ValueError(f"image {i + 1} has no place where a defect of kind {name!r} would be seen: leave it out")


# --- kinds: each proposes a changed image; what is not visible of it is put back ------------------------------


def paste(stack: np.ndarray, i: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """A square of 6 to 12 pixels of another image, taken around a pixel that differs from its ground, laid anywhere."""
    other = stack[(i + rng.integers(1, len(stack))) % len(stack)]
    size = _size(rng, 6, 12, scale)
    from_y, from_x = _corner(_drawn_pixel(other, rng), size, other.shape)
    y, x = (rng.integers(0, n - size + 1) for n in other.shape[:2])
    out = stack[i].copy()
    out[y : y + size, x : x + size] = other[from_y : from_y + size, from_x : from_x + size]
    return out


def erase(stack: np.ndarray, i: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """A disc of radius 2.5 to 4.5 pixels around a pixel that differs from the ground, painted with the ground."""
    image = stack[i]
    y, x = _drawn_pixel(image, rng)
    return _painted(image, _ellipse(image.shape, y, x, *[scale * rng.uniform(2.5, 4.5)] * 2, 0.0), ground(image))


def stroke(stack: np.ndarray, i: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """A straight line, 8 to 16 pixels long and 2 to 3 wide, of a color far from the ground."""
    image = stack[i]
    height, width = image.shape[:2]
    length, thick, angle = scale * rng.uniform(8, 16), scale * rng.uniform(2, 3), rng.uniform(0, np.pi)
    y, x = rng.uniform(0.2, 0.8, 2) * (height, width)
    dy, dx = np.mgrid[:height, :width] + 0.5 - np.array([y, x])[:, None, None]
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    line = (np.abs(along) <= length / 2) & (np.abs(across) <= thick / 2)
    return _painted(image, line, _far_color(image, rng, 0.7))


def blob(stack: np.ndarray, i: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """An ellipse with semi-axes of 2 to 4.5 pixels, filled with a color that differs from the ground."""
    image = stack[i]
    y, x = rng.uniform(0.1, 0.9, 2) * image.shape[:2]
    shape = _ellipse(image.shape, y, x, *scale * rng.uniform(2, 4.5, 2), rng.uniform(0, np.pi))
    return _painted(image, shape, _far_color(image, rng, 0.3))


def noise(stack: np.ndarray, i: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """A square of 5 to 9 pixels, each value drawn evenly from all levels."""
    image = stack[i].copy()
    size = _size(rng, 5, 9, scale)
    y, x = (rng.integers(0, n - size + 1) for n in image.shape[:2])
    image[y : y + size, x : x + size] = rng.integers(0, 256, (size, size, image.shape[2]))
    return image


KINDS = {"paste": paste, "erase": erase, "stroke": stroke, "blob": blob, "noise": noise}


def ground(image: np.ndarray) -> np.ndarray:
    """The color that an image is drawn on: the median of its border, shape (C,)."""
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    return np.median(border, axis=0).astype(np.uint8)


def _drawn_pixel(image: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """A random pixel that differs visibly from the ground; any pixel where none does."""
    differs = (np.abs(image.astype(np.int64) - ground(image)) >= VISIBLE).any(2)
    places = np.argwhere(differs if differs.any() else np.ones_like(differs))
    return tuple(places[rng.integers(len(places))])


def _size(rng: np.random.Generator, low: int, high: int, scale: float) -> int:
    return max(2, round(scale * rng.integers(low, high + 1)))


def _corner(center: tuple[int, int], size: int, shape: tuple[int, ...]) -> tuple[int, int]:
    """Upper left corner of a square around a pixel, moved to lie within the image."""
    return tuple(int(np.clip(c - size // 2, 0, n - size)) for c, n in zip(center, shape[:2], strict=True))


def _ellipse(shape: tuple[int, ...], y: float, x: float, a: float, b: float, angle: float) -> np.ndarray:
    dy, dx = np.mgrid[: shape[0], : shape[1]] - np.array([y, x])[:, None, None]
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    return (along / a) ** 2 + (across / b) ** 2 <= 1


def _far_color(image: np.ndarray, rng: np.random.Generator, least: float) -> np.ndarray:
    """A color at least the share `least` of the way from the ground to the farther end of each channel, shape (C,)."""
    start = ground(image).astype(np.float64)
    end = np.where(start < 128, 255.0, 0.0)
    return np.rint(start + rng.uniform(least, 1, len(start)) * (end - start)).astype(np.uint8)


def _painted(image: np.ndarray, where: np.ndarray, color: np.ndarray) -> np.ndarray:
    return np.where(where[:, :, None], color, image)


# --- how well defects are found -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Localization:
    """How well a detector's maps show defects.

    Attributes:
        name: Of the detector.
        kind: Of defect, or "all".
        pixel_auroc: Over all pixels of the images with such defects.
        pro: Per-region overlap up to a false-positive rate of 0.3, on the same images.
        num_images: Images.
    """

    name: str
    kind: str
    pixel_auroc: float
    pro: float
    num_images: int


def localization_benchmark(detectors: Mapping[str, Callable[[list[np.ndarray]], np.ndarray]], defects: DefectSet) -> list[Localization]:
    """Each detector's maps against the masks: one row over all defects, then one for each kind.

    Put a detector of `vision.reduction.pca_space` among them: it is the residual that an autoencoder has to beat.

    Args:
        detectors: Functions by name from a list of images to maps (N, H, W), higher is more anomalous, such as
            `AnomalyDetector.localize`.
        defects: From `make_defects`, of images that no detector was fitted on.
    """
    rows = []
    for name, localize in detectors.items():
        maps = np.asarray(localize(list(defects.images)))
        for kind in ["all", *dict.fromkeys(defects.kinds.tolist())]:
            chosen = np.ones(len(maps), bool) if kind == "all" else defects.kinds == kind
            area, overlap = pixel_auroc(maps[chosen], defects.masks[chosen]), pro(maps[chosen], defects.masks[chosen])
            rows.append(Localization(name, kind, area, overlap, int(chosen.sum())))
    return rows
