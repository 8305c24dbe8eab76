"""`ImageSet`: one split of images in memory, as bytes, with labels or without; how it is chosen from and divided.

No files are read here and nothing becomes a batch. Shapes: N images, H, W height and width, C channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from textae.core.config import nearest

CHUNK = 1000  # images that `map` holds as floats at once


@dataclass(frozen=True)
class ImageSet:
    """One split.

    Args:
        images: uint8, shape (N, H, W, C), C of 1 (gray) or 3 (RGB).
        labels: Indices into `label_names`, int64, shape (N,), -1 where unknown; None where the set has none.
        label_names: What the labels are called, each once.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    label_names: list[str] = field(default_factory=list)

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[3] not in (1, 3):
            raise ValueError(
                f"images are {self.images.dtype} of shape {self.images.shape}; they must be uint8 of shape (N, H, W, C), C being 1 or 3"
            )
        if len(set(self.label_names)) != len(self.label_names):
            raise ValueError(f"label_names name something twice: {self.label_names}")
        if self.labels is None:
            return
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise ValueError(f"labels are {self.labels.dtype} of shape {self.labels.shape}; {len(self.images)} images need int64 of shape ({len(self.images)},)")
        if len(self.labels) and (self.labels.min() < -1 or self.labels.max() >= len(self.label_names)):
            raise ValueError(f"labels reach from {self.labels.min()} to {self.labels.max()}; with {len(self.label_names)} label_names they are -1 to {len(self.label_names) - 1}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> str:
        """Height, width and channels in words."""
        return size_in_words(*self.images.shape[1:])

    def select(self, indices: np.ndarray | Sequence[int]) -> "ImageSet":
        """Some of the images, in the order of their indices; labels keep their meaning."""
        indices = np.asarray(indices, dtype=np.int64)
        return ImageSet(self.images[indices], None if self.labels is None else self.labels[indices], self.label_names)

    def limit(self, num: int | None) -> "ImageSet":
        """The first `num` images, or all with None."""
        if num is None:
            return self
        if num < 1:
            raise ValueError(f"limit is {num}; it must be at least 1, or None for every image")
        return self.select(np.arange(min(num, len(self))))

    def only(self, labels: Sequence[str | int] | str | int) -> "ImageSet":
        """The images with some of the labels, in their old order; the set then has these labels alone.

        `only([1, 5, 6])` of digits has `label_names == ["1", "5", "6"]` and labels 0, 1 and 2.

        Raises:
            ValueError: The set has no labels, or none of such a name.
        """
        if self.labels is None:
            raise ValueError("these images have no labels to choose by")
        labels = [labels] if isinstance(labels, str | int) else labels
        names = list(dict.fromkeys(str(label) for label in labels))
        if not names:
            raise ValueError(f"no label to keep: name some of {', '.join(self.label_names)}")
        new = np.full(len(self.label_names) + 1, -1)  # the last stands for an unknown label
        for index, name in enumerate(names):
            if name not in self.label_names:
                raise ValueError(f"there is no label {name!r}: {nearest(name, self.label_names)}")
            new[self.label_names.index(name)] = index
        kept = np.flatnonzero(new[self.labels] >= 0)
        return ImageSet(self.images[kept], new[self.labels[kept]].astype(np.int64), names)

    def relabelled(self, names: Sequence[str]) -> "ImageSet":
        """The same images with labels that count through `names`, which hold all of theirs."""
        if self.labels is None or list(names) == self.label_names:
            return self
        if missing := [name for name in self.label_names if name not in names]:
            raise ValueError(f"the label {missing[0]!r} is unknown: {nearest(missing[0], names)}")
        new = np.array([*(list(names).index(name) for name in self.label_names), -1], dtype=np.int64)
        return ImageSet(self.images, new[self.labels], list(names))

    def hold_out(self, num: int, seed: int = 0) -> tuple["ImageSet", "ImageSet"]:
        """What stays, and `num` images drawn at random, with every label in its share; both in their old order.

        Each label is held out to within one image of `num` times its share.

        Raises:
            ValueError: Fewer than one image would be held out, or stay.
        """
        if not 0 < num < len(self):
            raise ValueError(f"{num} of {len(self)} images cannot be held out: at least one must go and one must stay")
        order = np.random.default_rng(seed).permutation(len(self))
        if self.labels is not None:
            order = order[np.argsort(self.labels[order], kind="stable")]
        out = order[((np.arange(num) + 0.5) * len(self) / num).astype(np.int64)]  # evenly along the sorted labels
        stays = np.setdiff1d(np.arange(len(self)), out)
        return self.select(stays), self.select(np.sort(out))

    def cut(self, num: int) -> dict[str, "ImageSet"]:
        """The set as `train`, with its last `num` images as `valid`; 0 leaves that out.

        Raises:
            ValueError: Nothing would be left to train on.
        """
        if type(num) is not int or not 0 <= num < len(self):
            raise ValueError(f"valid_size is {num!r}; it must be from 0 (no validation split) to {len(self) - 1:,}")
        if not num:
            return {"train": self}
        return {"train": self.limit(len(self) - num), "valid": self.select(range(len(self) - num, len(self)))}

    def map(self, change: Callable[[Any], Any], seed: int | None = None) -> "ImageSet":
        """The set with every image changed by a corruption or a transform, rounded to bytes.

        Args:
            change: Of pixels (B, C, H, W) in [0, 1] to the same shape.
            seed: Of its draws, without a trace in torch's global generator; None draws from that.
        """
        import torch

        from textae.core.space import seeded

        parts = []
        with torch.no_grad(), seeded(seed):
            for start in range(0, len(self), CHUNK):
                pixels = change(as_pixels(torch.from_numpy(self.images[start : start + CHUNK]).permute(0, 3, 1, 2)))
                parts.append(as_bytes(pixels))
        return ImageSet(np.concatenate(parts), self.labels, self.label_names)


def as_pixels(bytes_BCHW):
    """A uint8 tensor as float32 in [0, 1]."""
    return bytes_BCHW.float().div_(255)


def as_bytes(pixels_BCHW) -> np.ndarray:
    """A float tensor (B, C, H, W) as uint8 (B, H, W, C): cut to [0, 1], rounded to the nearest level.

    Raises:
        ValueError: A pixel is not a finite number.
    """
    import torch

    if not torch.isfinite(pixels_BCHW).all():
        raise ValueError("pixels must be finite numbers; some are NaN or infinite")
    return (pixels_BCHW.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def size_in_words(height: int, width: int, channels: int) -> str:
    """A size as messages say it.

    >>> size_in_words(28, 28, 1)
    '28x28 (height x width) in gray'
    """
    return f"{height}x{width} (height x width) in {'gray' if channels == 1 else 'RGB'}"


def check_contrast(images: np.ndarray, where: str) -> None:
    """Refuse a set in which no image shows anything: each of them is of one color, such as all black.

    Args:
        images: Shape (N, H, W, C).
        where: What the message calls the set.
    """
    for start in range(0, len(images), CHUNK):  # the first chunk of any real set ends the search
        part = images[start : start + CHUNK]
        if (part != part[:, :1, :1]).any():
            return
    raise ValueError(f"{where}: every image is of a single color (all black, say); there is nothing to learn from them")
