"""Image sets as batches: bytes in memory, gathered a whole batch at a time, then transformed, binarized and corrupted.

Shapes: N images of a split, B of a batch, C channels, H, W height and width, A attributes.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from textae.core.config import choose, nearest
from textae.core.data import Batch, IndexedBatches
from textae.core.labelled import balanced
from vision.data.corruption import Corruption
from vision.data.images import ImageSet, as_pixels, check_contrast
from vision.data.processor import LABEL, ImageProcessor
from vision.data.transforms import Transforms

BINARIZATIONS = ("dynamic", "threshold")


@dataclass(frozen=True)
class Recipe:
    """What becomes of pixels between memory and model, in this order; see `in_memory`."""

    transforms: Transforms | None = None
    augmentation: Corruption | None = None
    binarize: str | None = None
    corruption: Corruption | None = None
    attribute_drop: float = 0.0
    labelled_per_batch: int = 0

    def clean(self) -> "Recipe":
        """Without what only training has: augmentation, noise, changes of the input alone, hidden and repeated labels."""
        both = self.transforms if self.transforms is not None and self.transforms.apply_to == "both" else None
        return replace(self, transforms=both, augmentation=None, corruption=None, attribute_drop=0.0, labelled_per_batch=0)


class ImageTable:
    """An image set as the model reads it: one byte a value.

    Attributes:
        images: uint8, shape (N, C, H, W).
        attributes: Values, -1 unspecified, int64 of shape (N, A); None where the processor has no attributes.
        labelled: Indices of the images whose label is known, shape (L,).
        checksum: CRC-32 of images and attributes, to know the set again.
    """

    def __init__(self, image_set: ImageSet, processor: ImageProcessor, labelled: int | None, seed: int, name: str):
        self.images = processor.of_set(image_set, f"the images of {name}")
        attributes = attribute_values(image_set, processor, name)
        if labelled is not None:
            if attributes is None:
                raise ValueError(f"labelled is {labelled}, but the model knows no labels: make the processor with labels=True")
            column = list(processor.attributes).index(LABEL)
            kept = balanced(attributes[:, column], labelled, seed)
            attributes = np.where(np.isin(np.arange(len(attributes)), kept)[:, None], attributes, -1)
        self.attributes = None if attributes is None else torch.from_numpy(attributes)
        known = np.zeros(0, np.int64) if attributes is None else np.flatnonzero((attributes >= 0).any(1))
        self.labelled = torch.from_numpy(known)
        self.checksum = zlib.crc32(self.images.numpy())
        if attributes is not None:
            self.checksum = zlib.crc32(np.ascontiguousarray(attributes), self.checksum)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, recipe: Recipe) -> Batch:
        """`pixel_values` and `targets`, float32 (B, C, H, W), and `attributes`, int64 (B, A), where there are any."""
        rows = torch.from_numpy(indices)
        if recipe.labelled_per_batch:
            rows = torch.cat([rows, self._draw_labelled(recipe.labelled_per_batch)])
        targets = as_pixels(self.images.index_select(0, rows))  # indexing takes four times as long
        transforms = recipe.transforms
        if transforms is not None and transforms.apply_to == "both":
            targets = transforms(targets)
        if recipe.augmentation is not None:
            targets = recipe.augmentation(targets)
        if recipe.binarize == "threshold":
            targets = (targets > 0.5).float()
        elif recipe.binarize == "dynamic":
            targets = torch.rand_like(targets).lt_(targets)
        pixels = targets
        if transforms is not None and transforms.apply_to == "input":
            pixels = transforms(pixels)
        if recipe.corruption is not None:
            pixels = recipe.corruption(pixels)
        batch = {"pixel_values": pixels, "targets": targets}
        if self.attributes is not None:
            batch["attributes"] = self._attributes(rows, len(indices), recipe)
        return batch

    def _attributes(self, rows: Tensor, num: int, recipe: Recipe) -> Tensor:
        values = self.attributes[rows]
        if recipe.labelled_per_batch:
            values[:num] = -1  # labels stand in the labelled part alone
        if recipe.attribute_drop:
            values = values.masked_fill(torch.rand(values.shape) < recipe.attribute_drop, -1)
        return values

    def _draw_labelled(self, num: int) -> Tensor:
        """`num` labelled images, all equally often to within one."""
        rounds = -(-num // len(self.labelled))
        return torch.cat([self.labelled[torch.randperm(len(self.labelled))] for _ in range(rounds)])[:num]


def in_memory(
    image_set: ImageSet, processor: ImageProcessor, *, batch_size: int, shuffle: bool = True, seed: int = 0,
    corruption: Corruption | None = None, transforms: Transforms | None = None, augmentation: Corruption | None = None,
    binarize: str | None = None, attribute_drop: float = 0.0, labelled: int | None = None, labelled_per_batch: int = 0,
    name: str = "images",
) -> IndexedBatches:  # fmt: skip
    """Batches of a set that stays in memory as bytes.

    All draws come from torch's global generator, which the trainer seeds before every batch. `clean()` of the result is
    the same split without augmentation and corruption, without transforms of the input alone, each image once, with the labels it has.

    Args:
        image_set: Of the model's size.
        processor: Its attribute "label", if it has one, is filled from the set's labels.
        batch_size: Images a batch, apart from `labelled_per_batch`.
        shuffle: False keeps the set's order in every epoch (validation).
        seed: Of the order, and of the choice of `labelled`.
        corruption: Of `pixel_values` alone.
        transforms: Of input and target, or of the input alone, as they say themselves.
        augmentation: Of input and target alike, in training alone.
        binarize: "dynamic" draws every pixel anew from Bernoulli(its value), for input and target alike and in
            validation too (Burda et al. 2016, sec. 5); "threshold" cuts at one half; None leaves gray values.
        attribute_drop: Rate at which a known label is hidden (-1), so that the model also learns to do without.
        labelled: Keep the labels of so many images, the same number of each class, and hide the rest; None keeps all.
        labelled_per_batch: Add so many labelled images to every batch, behind the others, whose labels are then hidden
            all: rows with `attributes` >= 0 are the labelled part. 0 adds none, and labels stand where they occur.
        name: What messages call the set.

    Raises:
        ValueError: Images of another size, a set without contrast, labels that the processor does not know, or an
            argument out of range.
    """
    if binarize is not None:
        choose(dict.fromkeys(BINARIZATIONS), binarize, "binarize")
    if not 0 <= attribute_drop <= 1:
        raise ValueError(f"attribute_drop is {attribute_drop}; it must be a number from 0 to 1")
    if labelled_per_batch < 0:
        raise ValueError(f"labelled_per_batch is {labelled_per_batch}; it must be 0 or more")
    check_contrast(image_set.images, name)
    table = ImageTable(image_set, processor, labelled, seed, name)
    if labelled_per_batch and not len(table.labelled):
        raise ValueError(f"labelled_per_batch is {labelled_per_batch}, but {name} has no labels that the model knows")
    recipe = Recipe(transforms, augmentation, binarize, corruption, attribute_drop, labelled_per_batch)
    collate: Callable[[np.ndarray], Batch] = partial(table.batch, recipe=recipe)
    batches = IndexedBatches(
        len(table), collate, batch_size, shuffle=shuffle, seed=seed, clean=partial(table.batch, recipe=recipe.clean())
    )
    batches.fingerprint = f"{len(table)} images of {image_set.size}, {table.checksum:08x}"
    return batches


def attribute_values(image_set: ImageSet, processor: ImageProcessor, name: str = "images") -> np.ndarray | None:
    """The set's labels as the processor counts them, int64 (N, A), -1 unknown; None for a processor without attributes."""
    if not processor.attributes:
        return None
    if list(processor.attributes) != [LABEL]:
        raise ValueError(f"image sets carry the attribute {LABEL!r} alone; the processor has {', '.join(processor.attributes)}")
    if image_set.labels is None:
        raise ValueError(f"the model knows labels, but {name} has none")
    known = processor.attributes[LABEL]
    for label in np.unique(image_set.labels):
        if label >= 0 and image_set.label_names[label] not in known:
            raise ValueError(f"{name} has the label {image_set.label_names[label]!r}: {nearest(image_set.label_names[label], known)}")
    table = [known.index(n) if n in known else -1 for n in image_set.label_names]
    return np.array([*table, -1], dtype=np.int64)[image_set.labels][:, None]
