"""What compressors without a model of the pictures reach on the same pixels, in bytes an image."""

import bz2
import heapq
import io
import lzma
import zlib
from collections.abc import Sequence

import numpy as np


def baselines(images: np.ndarray) -> dict[str, float]:
    """Bytes an image of general compressors, each at its strongest setting.

    All images are one block, except for `png`, where every image is a file of its own. `lzma` is the older file format of
    LZMA, `xz` the newer of LZMA2. `huffman` is the payload of an optimal prefix code for single pixels, computed
    exactly, without its table of 256 lengths.

    Args:
        images: uint8, shape (N, H, W) or (N, H, W, C).

    Returns:
        `raw`, `huffman`, `png`, `zlib`, `bzip2`, `lzma`, `xz`.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; give uint8 of shape (N, H, W) or (N, H, W, C), N at least 1")
    data, strongest = np.ascontiguousarray(images).tobytes(), 9 | lzma.PRESET_EXTREME
    sizes = {
        "raw": len(data),
        "huffman": huffman_bits(np.bincount(images.ravel(), minlength=256)) / 8,
        "png": sum(_png(image) for image in images),
        "zlib": len(zlib.compress(data, 9)),
        "bzip2": len(bz2.compress(data, 9)),
        "lzma": len(lzma.compress(data, lzma.FORMAT_ALONE, preset=strongest)),
        "xz": len(lzma.compress(data, lzma.FORMAT_XZ, preset=strongest)),
    }
    return {name: size / len(images) for name, size in sizes.items()}


def huffman_lengths(counts: Sequence[int]) -> list[int]:
    """Lengths in bits of an optimal prefix code (Huffman 1952); 0 for what never occurs, 1 for what alone occurs.

    >>> huffman_lengths([45, 13, 12, 16, 9, 5])  # Cormen et al., Introduction to Algorithms, sec. 16.3
    [1, 3, 3, 3, 4, 4]
    """
    lengths = [0] * len(counts)
    heap = [(int(count), [symbol]) for symbol, count in enumerate(counts) if count > 0]
    heapq.heapify(heap)
    if len(heap) == 1:
        lengths[heap[0][1][0]] = 1
    while len(heap) > 1:
        (a, rare), (b, common) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in rare + common:
            lengths[symbol] += 1
        heapq.heappush(heap, (a + b, rare + common))
    return lengths


def huffman_bits(counts: Sequence[int]) -> int:
    """Bits of a whole message with these counts in its Huffman code."""
    return sum(int(count) * length for count, length in zip(counts, huffman_lengths(counts), strict=True))


def _png(image: np.ndarray) -> int:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image).save(file, format="PNG", optimize=True)
    return file.tell()
