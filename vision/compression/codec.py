"""Images to a file and back through a `LatentSpace`, and what that costs in bytes and in quality.

Lossless files give back every pixel; they need a VAE with a likelihood of 8-bit pixels, and are only read where the
writer's probabilities are met to the last bit (`vision.compression.bits_back` says what that takes). Lossy files hold
quantized codes; any model can write them, and any machine read them, up to the rounding of pixels. Both need the model
that wrote them. A conditional model codes as if no attribute were known.

Shapes: N images, C channels, H, W height and width, D latent dimensions.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textae.core.config import choose
from textae.core.latent import DiagonalGaussian
from textae.core.space import seeded
from vision.compression import container, quantized
from vision.compression.bits_back import BitsBack, Coded
from vision.models.discrete import levels_of
from vision.space import LatentSpace

MODES = ("lossless", "lossy")
STEP = 0.25  # a quarter of the prior's standard deviation


@dataclass(frozen=True)
class CompressionReport:
    """What a file costs, and what it was expected to cost.

    Attributes:
        mode: "lossless" or "lossy".
        num_images: N.
        num_pixels: C · H · W of an image; "a pixel" below is one value of one channel.
        bytes: Of the whole file, header and checksum included.
        seconds: Taken.
        net_bits: Lossless: bits of an image by which its coding made the stack grow.
        elbo_bits: Lossless: -ELBO of an image in bits, one draw of each code from the model's own continuous posterior.
        initial_bits: Lossless: bits of the file that were taken for the first code and carry nothing.
        step: Lossy: of the quantizer.
        mse: Lossy: mean squared error of a pixel, of the range [0, 1], after rounding to 8 bits.
    """

    mode: str
    num_images: int
    num_pixels: int
    bytes: int
    seconds: float
    net_bits: float | None = None
    elbo_bits: float | None = None
    initial_bits: int | None = None
    step: float | None = None
    mse: float | None = None

    @property
    def bytes_per_image(self) -> float:
        """The file's bytes over its images."""
        return self.bytes / self.num_images

    @property
    def bits_per_pixel(self) -> float:
        """The file's bits over all its pixels."""
        return 8 * self.bytes / self.num_images / self.num_pixels

    @property
    def psnr(self) -> float | None:
        """Peak signal-to-noise ratio in dB; None where lossless."""
        return None if self.mse is None else psnr(self.mse)


@dataclass(frozen=True)
class RatePoint:
    """One point of a rate-distortion curve: the quantizer's step, bytes an image with everything, error of a pixel."""

    step: float
    bytes_per_image: float
    mse: float

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB."""
        return psnr(self.mse)


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a squared error in [0, 1]; infinite without error."""
    return -10 * math.log10(mse) if mse > 0 else math.inf


def compress(
    space: LatentSpace, images: Sequence[Any] | np.ndarray, path: str | Path, *, mode: str = "lossless", step: float | None = None,
    progress: bool = False,
) -> CompressionReport:  # fmt: skip
    """Write images to a file that `decompress` reads with the same model.

    Args:
        space: The model.
        images: A list of images, or uint8 of shape (N, H, W) or (N, H, W, C).
        path: Of the file; one that exists is replaced once the new one is complete.
        mode: "lossless" or "lossy".
        step: Lossy: the quantizer's, in units of the code; None is `STEP`. Larger is smaller and worse.
        progress: Lossless: whether to draw a bar on standard error.

    Raises:
        ValueError: The list is empty, an image does not fit the model, or the model does not fit the mode.
        OSError: The file could not be written.
    """
    started = time.perf_counter()
    choose(dict.fromkeys(MODES), mode, "mode")
    if mode == "lossless" and step is not None:
        raise ValueError("step is for mode=lossy; lossless coding has none")
    raw = _listed(space, images)
    if mode == "lossless":
        coder = BitsBack(space.model)
        _check_unchanged(space)
        pixels = space.pixels(raw)
        levels = levels_of(pixels).to(torch.uint8)
        coded = coder.encode(levels, progress)
        content = container.pack(_lossless_header(space, levels, coded), coded.words.astype("<u4").tobytes())
        figures = {
            "net_bits": (32 * len(coded.words) - coded.initial_bits) / len(levels),
            "elbo_bits": _elbo_bits(space, pixels),
            "initial_bits": coded.initial_bits,
        }
    else:
        pixels, step = space.pixels(raw), STEP if step is None else float(step)
        content, rebuilt = _lossy(space, _codes(space, pixels), step)
        figures = {"step": step, "mse": _mse(rebuilt, space.processor.decode(pixels))}
    container.write_whole(path, content)
    return CompressionReport(mode, len(pixels), pixels[0].numel(), len(content), time.perf_counter() - started, **figures)


def decompress(space: LatentSpace, path: str | Path, *, progress: bool = False) -> np.ndarray:
    """The images of a file, uint8 of shape (N, H, W), or (N, H, W, C) where C is above 1.

    Args:
        space: The model that wrote it.
        path: Of the file.
        progress: Lossless: whether to draw a bar on standard error.

    Raises:
        ValueError: The file is missing, damaged, of another kind, version or model; or, lossless, this machine
            computes other probabilities than the one that wrote it.
    """
    header, payload = container.unpack(container.read_whole(path), str(path))
    ours, config = container.fingerprint(space.model), space.model.config
    if header.get("mode") in MODES and header.get("model") != ours:
        theirs = str(header.get("model"))
        raise ValueError(f"{path} was written by another model than {space.name}: its fingerprint is {theirs[:12]}, this one's {ours[:12]}")
    if not _is_sound(header, [config.channels, config.height, config.width]):
        raise ValueError(f"{path} is of another kind or was written wrongly: its header lacks what this program needs")
    if header["mode"] == "lossy":
        levels = quantized.decode(header["entropy"], payload, header["count"], space.latent_dim)
        return _rebuild(space, quantized.dequantize(levels, header["step"]))
    sizes = [size for size, times in header["blocks"] for _ in range(times)]
    coded = Coded(np.frombuffer(payload, "<u4").astype(np.uint32), header["kept"], 0, sizes)
    levels = BitsBack(space.model).decode(coded, tuple(header["shape"]), progress)
    if levels is None or container.digest(levels.numpy().tobytes()).hex() != header["pixels"]:
        raise ValueError(
            f"{path} is sound, but this machine computes other probabilities than the one that wrote it "
            f"({header['writer']}; here {_writer()}): read it there"
        )
    return np.stack(space.processor.decode(levels.float() / 255))


def _is_sound(header: dict[str, Any], shape: list[int]) -> bool:
    """Whether a header holds what decoding reads."""
    if header.get("shape") != shape or not _whole(header.get("count")):
        return False
    if header["mode"] == "lossy":
        step = header.get("step")
        return isinstance(step, float) and 0 < step < math.inf and header.get("entropy") in quantized.ENTROPIES
    blocks = header.get("blocks")
    pairs = isinstance(blocks, list) and all(isinstance(b, list) and len(b) == 2 and all(map(_whole, b)) for b in blocks)
    words = all(isinstance(header.get(key), str) for key in ("pixels", "writer"))
    return pairs and words and sum(a * b for a, b in blocks) == header["count"] and isinstance(header.get("kept"), int)


def _whole(value: Any) -> bool:
    return type(value) is int and value > 0


def rate_distortion(space: LatentSpace, images: Sequence[Any] | np.ndarray, steps: Sequence[float]) -> list[RatePoint]:
    """Bytes and error of lossy files at several steps of the quantizer, in their order; nothing is written.

    Args:
        space: Any model.
        images: As in `compress`.
        steps: Each above 0.
    """
    pixels = space.pixels(_listed(space, images))
    codes, wanted, points = _codes(space, pixels), space.processor.decode(pixels), []
    for step in steps:
        content, rebuilt = _lossy(space, codes, float(step))
        points.append(RatePoint(float(step), len(content) / len(pixels), _mse(rebuilt, wanted)))
    return points


def _listed(space: LatentSpace, images: Sequence[Any] | np.ndarray) -> list[Any]:
    if space.processor.is_single(images):
        raise ValueError("give a list or a stack of images, not a single one")
    if len(images) == 0:
        raise ValueError("the list is empty: give at least one image")
    return list(images)


def _check_unchanged(space: LatentSpace) -> None:
    """Refuse a processor that may change what it reads."""
    processor = space.processor
    if processor.resize != "error" or processor.to_gray or processor.background is not None:
        raise ValueError("lossless coding keeps images as they are: the processor must not resize, turn gray or fill a background")


def _lossless_header(space: LatentSpace, levels: Tensor, coded: Coded) -> dict[str, Any]:
    from itertools import groupby

    return {
        "mode": "lossless", "model": container.fingerprint(space.model), "count": len(levels), "shape": list(levels.shape[1:]),
        "blocks": [[size, len(list(same))] for size, same in groupby(coded.blocks)], "kept": coded.kept,
        "pixels": container.digest(levels.numpy().tobytes()).hex(), "writer": _writer(),
    }  # fmt: skip


def _writer() -> str:
    """What decides the last bits of a probability, as far as it has a name."""
    import platform

    return f"torch {torch.__version__}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def _lossy(space: LatentSpace, codes: np.ndarray, step: float) -> tuple[bytes, np.ndarray]:
    """A lossy file's bytes, and the images that it will give."""
    levels = quantized.quantize(codes, step)
    entropy, payload = quantized.encode(levels)
    config = space.model.config
    header = {
        "mode": "lossy", "model": container.fingerprint(space.model), "count": len(levels),
        "shape": [config.channels, config.height, config.width], "step": step, "entropy": entropy,
    }  # fmt: skip
    return container.pack(header, payload), _rebuild(space, quantized.dequantize(levels, step))


def _codes(space: LatentSpace, pixels: Tensor) -> np.ndarray:
    """Posterior means, float32 (N, D)."""
    with torch.no_grad():
        parts = [space.model.encode(pixel_values=part.to(space.device)).mean.cpu() for part in pixels.split(space.batch_size)]
    return torch.cat(parts).numpy()


def _rebuild(space: LatentSpace, codes: np.ndarray) -> np.ndarray:
    """Images at codes."""
    return np.stack(space.decode(torch.from_numpy(codes)))


def _mse(rebuilt: np.ndarray, wanted: list[np.ndarray]) -> float:
    return float(np.square((rebuilt.astype(np.float64) - np.stack(wanted)) / 255).mean())


@torch.no_grad()
def _elbo_bits(space: LatentSpace, pixels: Tensor) -> float:
    """-ELBO of an image in bits under the prior N(0, I), which is the coder's."""
    total = 0.0
    with seeded(0):
        for part in pixels.split(space.batch_size):
            output = space.model(pixel_values=part.to(space.device))
            assert isinstance(output.posterior, DiagonalGaussian)
            total += (output.nll.double() + output.posterior.kl().sum(1)).sum().item()
    return total / len(pixels) / math.log(2)
