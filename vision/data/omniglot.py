"""Omniglot in MNIST's form: letters of alphabets that no model of digits has seen (Lake et al. 2015)."""

import gzip

import numpy as np

from vision.data.arrays import idx_array
from vision.data.files import local_file
from vision.data.images import ImageSet

INSTEAD = "or read pictures of your own with the data set 'files' (train=FOLDER, size=28, channels=1)."
# Twenty people drew every letter; whole people are held out.
DRAWERS = {"train": range(1, 15), "valid": range(15, 17), "test": range(17, 21)}


def load(*, limit: int | None = None) -> dict[str, ImageSet]:
    """Splits by who drew: `train` (drawers 1-14, 3,388 images), `valid` (15-16, 484) and `test` (17-20, 968).

    28x28, light on dark, with the alphabet as label. As a test of what is unlike digits, any split will do.

    Args:
        limit: Of each split, the first so many images; None keeps all.

    Raises:
        ValueError: `TEXTAE_DATA` is not set or has no `omniglot28/`, or its files do not belong together.
    """
    stem = "omniglot-small12"
    images = idx_array(local_file("omniglot28", f"{stem}-images-idx3-ubyte.gz", INSTEAD))
    labels = idx_array(local_file("omniglot28", f"{stem}-alphabet-idx1-ubyte.gz", INSTEAD)).astype(np.int64)
    path = local_file("omniglot28", f"{stem}-names.txt.gz", INSTEAD)
    names = gzip.decompress(path.read_bytes()).decode().split()  # Balinese/character01/0108_01.png
    if not len(images) == len(labels) == len(names):
        raise ValueError(f"omniglot28 holds {len(images)} images, {len(labels)} labels and {len(names)} names: they are not of one set")
    alphabets = [name.split("/")[0] for name in names]
    label_names = [alphabets[int(np.flatnonzero(labels == i)[0])] for i in range(int(labels.max()) + 1)]
    drawers = np.array([int(name.rsplit("_", 1)[1].removesuffix(".png")) for name in names])
    whole = ImageSet(images[:, :, :, None], labels, label_names)
    return {split: whole.select(np.flatnonzero(np.isin(drawers, people))).limit(limit) for split, people in DRAWERS.items()}
