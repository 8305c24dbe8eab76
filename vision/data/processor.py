"""Images ↔ tensors: the one place that knows what a model's images look like.

Shapes: B images, C channels (1 gray, 3 RGB), H, W height and width, A attributes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textae.core.config import choose
from textae.core.data import Batch
from textae.core.files import write_text
from textae.core.labelled import value_ids
from vision.data.images import ImageSet, as_bytes, as_pixels, size_in_words
from vision.data.pixels import BACKGROUNDS, RESIZES, is_colorless, read_image, resized, with_channels

FILE = "processor.json"
LABEL = "label"  # the attribute that holds the classes of an `ImageSet`


@dataclass(frozen=True)
class ImageProcessor:
    """Reads images of one size, and writes what a model generates; saved beside the model.

    What an image is, and which files are refused, is told in `vision.data.pixels`. Gray images become RGB for a model
    of RGB, and RGB images without color gray for a model of gray; anything else that changes the picture must be
    allowed. `dataclasses.replace(processor, resize="fit")` is the same processor with other permissions.

    Args:
        channels, height, width: C, H, W of the model's images.
        attributes: Values of each attribute by name; the batch's `attributes` has their columns in the order of the
            names. The classes of an `ImageSet` are the attribute "label".
        resize: Images of other sizes are refused ("error"), scaled to lie within with black bars ("fit"), or scaled to
            fill and cut evenly ("crop").
        to_gray: Whether a model of gray takes the luminance of colored images; otherwise they are refused.
        invert: Raw images are dark on light and the model's light on dark: pixels are 1 minus theirs, both ways.
        background: "black" or "white", on which transparent images are laid; None refuses them.
    """

    channels: int
    height: int
    width: int
    attributes: dict[str, list[str]] = field(default_factory=dict)
    resize: str = "error"
    to_gray: bool = False
    invert: bool = False
    background: str | None = None

    def __post_init__(self):
        for name in ("channels", "height", "width"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} is {value!r}; it must be a whole number, at least 1")
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}; images have 1 (gray) or 3 (RGB)")
        for name in ("to_gray", "invert"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is true or false")
        choose(dict.fromkeys(("error", *RESIZES)), self.resize, "resize")
        if self.background is not None:
            choose(BACKGROUNDS, self.background, "background")
        if not isinstance(self.attributes, Mapping):
            raise ValueError(f"attributes are {self.attributes!r}; they map each name to its list of values")
        for name, values in self.attributes.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or len(set(map(str, values))) != len(values) or not values:
                raise ValueError(f"attribute {name!r} has the values {values!r}; it needs a list of different ones")
        attributes = {str(name): [str(v) for v in values] for name, values in sorted(self.attributes.items())}
        object.__setattr__(self, "attributes", attributes)

    @classmethod
    def of(cls, image_set: ImageSet, *, labels: bool = False, **options: Any) -> "ImageProcessor":
        """The processor for images like those of a set.

        Args:
            image_set: Any split.
            labels: Whether its label names become the attribute "label".
            **options: Further arguments of the class.
        """
        if labels and image_set.labels is None:
            raise ValueError("the model is to know labels, but the images have none")
        height, width, channels = image_set.images.shape[1:]
        attributes = {LABEL: list(image_set.label_names)} if labels else {}
        return cls(channels, height, width, attributes, **options)

    # --- raw → tensors ----------------------------------------------------------------------------------------

    def __call__(self, raw: Sequence[Any], attributes: Sequence[Mapping[str, str | None]] | None = None) -> Batch:
        """The batch of a list of images: `pixel_values` and the equal `targets`, float32 (B, C, H, W) in [0, 1].

        Args:
            raw: Arrays, PIL images or paths, see `vision.data.pixels.read_image`; float arrays are not rounded.
            attributes: Values of each image; the batch then has `attributes`, int64 (B, A).

        Raises:
            ValueError: The list is empty, or an image is refused; its number from 1 is named.
        """
        images = [self._read(image, number) for number, image in enumerate(raw, 1)]
        if not images:
            raise ValueError("the list is empty: give at least one image")
        if all(image.dtype == np.uint8 for image in images):
            pixels = as_pixels(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous())
        else:
            floats = [image / np.float32(255) if image.dtype == np.uint8 else image for image in images]
            pixels = torch.from_numpy(np.stack(floats)).permute(0, 3, 1, 2).contiguous()
        batch = {"pixel_values": pixels, "targets": pixels}
        if attributes is not None:
            batch["attributes"] = torch.from_numpy(self.attribute_ids(attributes))
        return batch

    def _read(self, raw: Any, number: int) -> np.ndarray:
        """The model's pixels of one image, shape (H, W, C): uint8, or float32 in [0, 1]."""
        where = f"image {number}"
        pixels = read_image(raw, where, self.background)
        if self.channels == 1 and pixels.shape[2] == 3 and not self.to_gray and not is_colorless(pixels):
            raise ValueError(f"{where} is in color; this model takes gray images: convert it, or allow that with to_gray=True")
        pixels = with_channels(pixels, self.channels)
        if self.resize == "error" and pixels.shape[:2] != (self.height, self.width):
            found = f"{pixels.shape[0]}x{pixels.shape[1]} (height x width)"
            raise ValueError(f"{where} is {found}; this model takes {self.height}x{self.width}: resize it, or allow that with resize='fit' or 'crop'")
        if self.invert:  # before bars are added, which are black in any case
            pixels = 255 - pixels if pixels.dtype == np.uint8 else 1 - pixels
        return pixels if self.resize == "error" else resized(pixels, self.height, self.width, self.resize)

    def of_set(self, image_set: ImageSet, where: str = "images") -> Tensor:
        """All images of a set as the model's bytes, uint8 (N, C, H, W).

        Raises:
            ValueError: They have another size or number of channels than the model's.
        """
        if image_set.images.shape[1:] != (self.height, self.width, self.channels):
            wanted = size_in_words(self.height, self.width, self.channels)
            raise ValueError(f"{where} are {image_set.size}, but the model takes {wanted}: read them with size=... and channels=...")
        images = 255 - image_set.images if self.invert else image_set.images
        return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))

    def attribute_ids(self, rows: Sequence[Mapping[str, str | None]]) -> np.ndarray:
        """Values as indices, -1 where unspecified, shape (B, A); as `textae.core.labelled.value_ids`."""
        return value_ids(self.attributes, rows)

    def check(self, raw: Sequence[Any]) -> None:
        """Raise a ValueError that names, by its number from 1, the first image that the model cannot take."""
        for number, image in enumerate(raw, 1):
            self._read(image, number)

    def is_single(self, raw: Any) -> bool:
        """Whether `raw` is one image. An array is one with two dimensions, or with channels last; else it is a stack.

        Raises:
            ValueError: An array could be one RGB image with its channels first, or three gray ones.
        """
        if not isinstance(raw, np.ndarray):
            return isinstance(raw, str | bytes) or not isinstance(raw, Sequence)
        if raw.ndim != 3:
            return raw.ndim < 3
        if self.channels == 3 and raw.shape[0] == 3 and raw.shape[2] not in (1, 3, 4):
            raise ValueError(f"an array of shape {raw.shape} is one image with its channels first, or three gray ones: give (H, W, 3), or a list")
        narrow_stack = raw.shape[1:] == (self.height, self.width) and raw.shape[:2] != (self.height, self.width)
        return raw.shape[2] in (1, 3, 4) and not narrow_stack

    def cost(self, raw: Any) -> int:
        """All images cost the same."""
        return 1

    # --- tensors → raw ----------------------------------------------------------------------------------------

    def decode(self, generated: Tensor) -> list[np.ndarray]:
        """Pixels (B, C, H, W) as images: uint8 arrays (H, W) where C is 1, (H, W, C) otherwise.

        They are cut to [0, 1] and rounded to the nearest of 256 levels.
        """
        images = as_bytes(1 - generated if self.invert else generated)
        return list(images[:, :, :, 0] if images.shape[3] == 1 else images)

    # --- files ------------------------------------------------------------------------------------------------

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `processor.json` into an existing or new folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_text(Path(folder) / FILE, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "ImageProcessor":
        """Read what `save_pretrained` wrote, to the letter.

        Raises:
            ValueError: The file is missing, is damaged, or is of a model of something else.
        """
        path = Path(folder) / FILE
        if not path.is_file():
            raise ValueError(f"{str(folder)!r} has no {FILE}: it is not a complete checkpoint of an image model")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error!r}") from None
        wanted = [f.name for f in fields(cls)]
        if not isinstance(content, dict) or "channels" not in content:
            raise ValueError(f"{path} is not of an image model: it lacks the key 'channels'")
        if odd := sorted(set(content) ^ set(wanted)):
            raise ValueError(f"{path} is damaged or of another version: it {'lacks' if odd[0] in wanted else 'has the unknown'} key {odd[0]!r}")
        try:
            return cls(**content)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
