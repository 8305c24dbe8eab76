"""MNIST: 70,000 handwritten digits, 28x28, light on dark (LeCun et al. 1998)."""

from collections.abc import Sequence

from vision.data.arrays import read_idx
from vision.data.files import local_file
from vision.data.images import ImageSet

INSTEAD = (
    "or read it from the Hugging Face Hub with the data set 'hub' (repo=ylecun/mnist, valid_size=5000), from files of your own "
    "with 'files' (train=..., test=...), or use the handwritten digits of 'digits', which need no files."
)


def load(
    *, digits: Sequence[int] | None = None, limit: int | None = None, valid_size: int = 5000
) -> dict[str, ImageSet]:
    """Splits `train` (55,000 images), `valid` (5,000) and `test` (10,000), with the digit as label.

    Models are chosen by `valid` and never by `test`. With `valid_size=0` all 60,000 train, and there is no `valid`:
    the protocol of most papers, for runs that choose nothing.

    Args:
        digits: Keep these alone, such as `[1, 5, 6]`; they are then the only label names. None keeps all ten.
        limit: Of each split, the first so many images; None keeps all.
        valid_size: The last so many of the 60,000 training images, counted before `digits` chooses: an image of `valid`
            is there whatever the digits. 0 leaves the split out.

    Raises:
        ValueError: `TEXTAE_DATA` is not set or has no `mnist/`, or an argument is out of range.
    """
    splits = {**_read("train").cut(valid_size), "test": _read("t10k")}
    if digits is not None:
        splits = {name: split.only(digits) for name, split in splits.items()}
    return {name: split.limit(limit) for name, split in splits.items()}


def _read(name: str) -> ImageSet:
    images = local_file("mnist", f"{name}-images-idx3-ubyte.gz", INSTEAD)
    return read_idx(images, label_file=local_file("mnist", f"{name}-labels-idx1-ubyte.gz", INSTEAD))
