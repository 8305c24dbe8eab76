"""Raw pictures one after the other → an `ImageSet` whose images all have one form.

What one picture may be is told in `pixels`. Shapes: H, W height and width, C channels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from textae.core.config import check_keys, choose
from vision.data.images import ImageSet, check_contrast, size_in_words
from vision.data.pixels import BACKGROUNDS, RESIZES, as_uint8, read_image, resized, with_channels


@dataclass(frozen=True)
class Form:
    """What every image of a set is brought to.

    Args:
        size: Height and width, or one number for both; None keeps the size that all images share.
        resize: Other sizes are scaled to fill and cut evenly ("crop"), or to lie within with black bars ("fit").
        channels: 1 turns colors to luminance, 3 repeats gray; None keeps what all images share.
        background: "black" or "white", on which transparent images are laid; None refuses them.
        limit: Read no more images than this; None reads all.
    """

    size: int | Sequence[int] | None = None
    resize: str = "crop"
    channels: int | None = None
    background: str | None = None
    limit: int | None = None

    def __post_init__(self):
        if self.size is not None:
            size = tuple(self.size) if isinstance(self.size, Sequence) else (self.size, self.size)
            if len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
                raise ValueError(f"size is {self.size!r}; it is one number of pixels, or height and width")
            object.__setattr__(self, "size", size)
        choose(dict.fromkeys(RESIZES), self.resize, "resize")
        if self.channels not in (None, 1, 3):
            raise ValueError(f"channels is {self.channels!r}; images have 1 (gray) or 3 (RGB)")
        if self.background is not None:
            choose(BACKGROUNDS, self.background, "background")
        if self.limit is not None and (type(self.limit) is not int or self.limit < 1):
            raise ValueError(f"limit is {self.limit!r}; it must be at least 1, or None for every image")

    def of(self, raw: Any, where: str) -> np.ndarray:
        """One image in this form, uint8 (H, W, C)."""
        pixels = as_uint8(read_image(raw, where, self.background))
        if self.channels:
            pixels = with_channels(pixels, self.channels)
        return resized(pixels, *self.size, self.resize) if self.size else pixels


def collect(
    records: Iterable[tuple[str, Any]], labels: list[Any] | None, form: Form, where: str, names: list[str] | None = None
) -> ImageSet:
    """A set from raw images one after the other, each with what messages call it.

    Args:
        records: Names and raw images, see `read_image`.
        labels: One for each image, or a list that `records` fills while it is read; None for no labels.
        form: What they are brought to.
        where: What messages call the set.
        names: What integer labels stand for, or the order of text labels; None sorts what occurs.
    """
    images, first = [], ""
    for name, raw in records:
        image = form.of(raw, name)
        if images and image.shape != images[0].shape:
            setting = "size, such as size=28," if image.shape[:2] != images[0].shape[:2] else "channels=1 or channels=3"
            found = f"{first} is {size_in_words(*images[0].shape)}, {name} {size_in_words(*image.shape)}"
            raise ValueError(f"{found}: set {setting} to bring all images to one form")
        first = first or name
        images.append(image)
        if len(images) == form.limit:
            break
    if not images:
        raise ValueError(f"{where} holds no images")
    stacked = np.stack(images)
    check_contrast(stacked, where)
    return ImageSet(stacked, *encoded(None if labels is None else labels[: len(images)], names))


def encoded(labels: list[Any] | None, names: list[str] | None = None) -> tuple[np.ndarray | None, list[str]]:
    """Labels as indices into their names, and the names.

    Args:
        labels: Texts, or integers; None and -1 are unknown.
        names: What integers count through, or the order of texts; None sorts what occurs.
    """
    if labels is None:
        return None, []
    labels = [None if label is None or label == -1 else label for label in labels]
    if names is not None:
        if wrong := [i for i in labels if isinstance(i, int) and not 0 <= i < len(names)]:
            raise ValueError(f"there is a label {wrong[0]}, but only {len(names)} names of labels: {', '.join(names)}")
        labels = [names[label] if isinstance(label, int) else label for label in labels]
    texts = [None if label is None else str(label) for label in labels]
    names = list(names) if names is not None else in_order({text for text in texts if text is not None})
    index = {None: -1, **{name: i for i, name in enumerate(names)}}
    return np.array([index[text] for text in texts], dtype=np.int64), names


def in_order(names: Iterable[str]) -> list[str]:
    """Sorted, numbers by their value and before words."""
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def make_form(options: Mapping[str, Any], reader: str, *others: str) -> Form:
    """A form from plain options whose names are checked; `others` are the reader's further ones, for the message."""
    check_keys(options, [*(f.name for f in fields(Form)), *others], reader)
    return Form(**options)
