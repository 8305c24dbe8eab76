"""Real handwritten digits that come with scikit-learn, enlarged to MNIST's form: always there, without files or network."""

from collections.abc import Sequence

import numpy as np

from vision.data.images import ImageSet

BORDER = 4  # MNIST's own: digits of 20x20 in images of 28x28
INNER = 20
TEST_SIZE, VALID_SIZE = 300, 200
TEST_SEED, VALID_SEED = 1, 2  # fixed once: the splits are part of the data set


def load(*, digits: Sequence[int] | None = None, limit: int | None = None) -> dict[str, ImageSet]:
    """Splits `train` (1,297 images), `valid` (200) and `test` (300): 28x28, light on dark, with the digit as label.

    The 1,797 digits of 8x8 pixels and 17 levels are enlarged by cubic convolution to 20x20 within a border of 4. Every
    digit has its share of every split; writers are not kept apart (the set does not name them).

    Source: Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits", UCI, the part that scikit-learn
    includes (CC BY 4.0).

    Args:
        digits: Keep these alone, such as `[1, 5, 6]`; they are then the only label names. None keeps all ten.
        limit: Of each split, the first so many images; None keeps all.
    """
    from sklearn.datasets import load_digits

    source = load_digits()
    whole = ImageSet(enlarge(source.images / 16), source.target.astype(np.int64), [str(d) for d in range(10)])
    rest, test = whole.hold_out(TEST_SIZE, TEST_SEED)
    train, valid = rest.hold_out(VALID_SIZE, VALID_SEED)
    splits = {"train": train, "valid": valid, "test": test}
    if digits is not None:
        splits = {name: split.only(digits) for name, split in splits.items()}
    return {name: split.limit(limit) for name, split in splits.items()}


def enlarge(small: np.ndarray) -> np.ndarray:
    """Digits of any square size as 20x20 within a dark border of 4.

    Args:
        small: Gray in [0, 1], shape (N, S, S); beyond its edges all is dark.

    Returns:
        uint8, shape (N, 28, 28, 1).
    """
    weights = _weights(small.shape[1])
    large = np.einsum("is,nst,jt->nij", weights, small.astype(np.float64), weights)
    return np.rint(np.clip(large, 0, 1) * 255).astype(np.uint8)[:, :, :, None]


def _weights(size: int) -> np.ndarray:
    """What each of `size` pixels gives to each of 28, shape (28, size).

    Source: Keys 1981, cubic convolution with a = -1/2, sampled at pixel centers.
    """
    centers = (np.arange(INNER + 2 * BORDER) - BORDER + 0.5) * size / INNER - 0.5
    x = np.abs(centers[:, None] - np.arange(size))
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
