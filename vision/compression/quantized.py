"""Lossy coding: the posterior mean, rounded to multiples of a step, and entropy-coded dimension by dimension.

Two entropy models, of which the shorter file is kept: a Gaussian a dimension, which costs eight bytes each to describe,
and the codes' own histogram, which follows any shape and costs more.

Shapes: N images, D latent dimensions.
"""

import struct
import zlib

import numpy as np
from constriction import stream

WIDEST = 2**20  # levels of a dimension: the coder's probabilities have 24 bits
SIZES = struct.Struct("<I")
ENTROPIES = GAUSSIAN, HISTOGRAM = "gaussian", "histogram"


def quantize(codes: np.ndarray, step: float) -> np.ndarray:
    """Codes as whole numbers of steps, int32, shape (N, D).

    Raises:
        ValueError: The step is not above 0, or so small that the codes span too many levels; or codes are not finite.
    """
    if not 0 < step < np.inf:
        raise ValueError(f"step is {step}; it must be above 0")
    if not np.isfinite(codes).all():
        raise ValueError("the model's codes are not finite numbers: its weights are damaged")
    levels = np.rint(codes.astype(np.float64) / step)
    if np.abs(levels).max() >= WIDEST / 2:
        raise ValueError(f"step is {step}, too small for codes as large as {np.abs(codes).max():.3g}: take at least {2.1 * np.abs(codes).max() / WIDEST:.2g}")
    return levels.astype(np.int32)


def dequantize(levels: np.ndarray, step: float) -> np.ndarray:
    """The codes that whole numbers of steps stand for, float32, shape (N, D)."""
    return (levels * np.float64(step)).astype(np.float32)


def encode(levels: np.ndarray) -> tuple[str, bytes]:
    """Code whole numbers of shape (N, D): the name of the shorter entropy model, and its table and the stack."""
    return min(((GAUSSIAN, _encode_gaussian(levels)), (HISTOGRAM, _encode_histograms(levels))), key=lambda pair: len(pair[1]))


def decode(entropy: str, payload: bytes, num: int, dim: int) -> np.ndarray:
    """What `encode` was given, int32, shape (num, dim)."""
    return {GAUSSIAN: _decode_gaussian, HISTOGRAM: _decode_histograms}[entropy](payload, num, dim)


def _encode_gaussian(levels: np.ndarray) -> bytes:
    moments = np.stack([levels.mean(0), np.maximum(levels.std(0), 0.1)]).astype("<f4")  # 0.1: a constant dimension has none
    bounds = np.array([levels.min(), levels.max() + 1], dtype="<i4")  # at least two levels, or there is nothing to code
    coder = stream.stack.AnsCoder()
    coder.encode_reverse(levels.ravel(), *_gaussian(moments, bounds, len(levels)))
    return bounds.tobytes() + moments.tobytes() + _words(coder)


def _decode_gaussian(payload: bytes, num: int, dim: int) -> np.ndarray:
    bounds, rest = np.frombuffer(payload[:8], "<i4"), payload[8:]
    moments = np.frombuffer(rest[: 8 * dim], "<f4").reshape(2, dim)
    return _coder(rest[8 * dim :]).decode(*_gaussian(moments, bounds, num)).reshape(num, dim)


def _gaussian(moments: np.ndarray, bounds: np.ndarray, num: int) -> tuple:
    mean, std = (np.tile(m.astype(np.float64), num) for m in moments)
    return stream.model.QuantizedGaussian(int(bounds[0]), int(bounds[1])), mean, std


def _encode_histograms(levels: np.ndarray) -> bytes:
    low, high = levels.min(0), levels.max(0)
    counts = [np.bincount(column - least) for column, least in zip(levels.T, low, strict=True)]
    table = zlib.compress(np.concatenate([low, high, *counts]).astype("<i4").tobytes(), 9)
    coder = stream.stack.AnsCoder()
    for column, least, count in reversed(list(zip(levels.T, low, counts, strict=True))):
        if len(count) > 1:
            coder.encode_reverse(column - least, _histogram(count))
    return SIZES.pack(len(table)) + table + _words(coder)


def _decode_histograms(payload: bytes, num: int, dim: int) -> np.ndarray:
    (length,) = SIZES.unpack_from(payload)
    table = np.frombuffer(zlib.decompress(payload[SIZES.size : SIZES.size + length]), "<i4")
    low, high, counts = table[:dim], table[dim : 2 * dim], table[2 * dim :]
    coder, columns = _coder(payload[SIZES.size + length :]), []
    for least, count in zip(low, np.split(counts, np.cumsum(high - low + 1)[:-1]), strict=True):
        columns.append(least + (coder.decode(_histogram(count), num) if len(count) > 1 else np.zeros(num, np.int32)))
    return np.stack(columns, 1).astype(np.int32)


def _histogram(count: np.ndarray) -> stream.model.Categorical:
    return stream.model.Categorical(count.astype(np.float64), perfect=False)


def _words(coder: stream.stack.AnsCoder) -> bytes:
    return coder.get_compressed().astype("<u4").tobytes()


def _coder(words: bytes) -> stream.stack.AnsCoder:
    return stream.stack.AnsCoder(np.frombuffer(words, "<u4").astype(np.uint32))
