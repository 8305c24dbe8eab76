"""Faces of nobody: 1,700 synthetic portraits, 32x32 in color, for colorizing and enlarging."""

from vision.data.arrays import read_idx
from vision.data.files import local_file
from vision.data.images import ImageSet

INSTEAD = "or read pictures of your own with the data set 'files' (train=FOLDER, size=32, channels=3, valid_size=100)."


def load(*, limit: int | None = None, valid_size: int = 100) -> dict[str, ImageSet]:
    """Splits `train` (1,300 images), `valid` (100) and `test` (300), RGB, without labels.

    Args:
        limit: Of each split, the first so many images; None keeps all.
        valid_size: The last so many of the 1,400 training images; 0 leaves the split out. `test` is the 300 that the set
            calls "val".

    Raises:
        ValueError: `TEXTAE_DATA` is not set or has no `faces32/`, or an argument is out of range.
    """
    train, test = (read_idx(local_file("faces32", f"{name}-images-rgb-idx4-ubyte.gz", INSTEAD)) for name in ("train", "val"))
    splits = {**train.cut(valid_size), "test": test}
    return {name: split.limit(limit) for name, split in splits.items()}
