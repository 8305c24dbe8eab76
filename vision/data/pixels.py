"""One raw image → an array of gray or RGB pixels: every rule about depth, palettes, transparency, color and size.

Nothing is guessed. What loses nothing is done (a palette is looked up, an opaque alpha channel dropped, gray repeated
as RGB); what would change the picture is done where the caller says how, and refused in one sentence where not.

| raw | becomes |
|---|---|
| 1 or 8 bits a channel; palette; CMYK, YCbCr, HSV | 8-bit gray or RGB, by Pillow's conversion; EXIF rotation is applied |
| 16 bits and more a channel | refused: which range of it is the picture, only its owner knows |
| transparency | laid on `background`; refused without one, unless every pixel is opaque |
| several frames | refused |
| float array | must be finite and in [0, 1]; stays float32 |

Shapes: H, W height and width, C channels (1 gray, 3 RGB).
"""

import io
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from textae.core.config import choose

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and OpenCV
BACKGROUNDS = {"black": 0.0, "white": 1.0}
RESIZES = ("crop", "fit")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
GRAY, COLOR = ("L", "LA"), ("RGB", "RGBA")
MODES = {  # of Pillow: what each is converted to, without transparency and with it
    **dict.fromkeys(("1", "L", "LA", "La"), GRAY),
    **dict.fromkeys(("P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"), COLOR),
}
DEEP = re.compile(r"\b(I|LA|RGB[AaX]?|CMYK);16")  # of Pillow's raw modes: 16 bits a channel
SIXTEEN_BITS = "16 bits a channel; convert it to 8 bits first, from the range that holds the picture"
TOLERANCE = 1e-6  # float32 arithmetic may end a hair outside [0, 1]


def read_image(raw: Any, where: str, background: str | None = None) -> np.ndarray:
    """The pixels of one image.

    Args:
        raw: A path, the bytes of an image file, a PIL image, or an array of shape (H, W) or (H, W, C): uint8, other
            integers in 0..255, booleans, or floats in [0, 1].
        where: What messages call it, such as "image 3".
        background: "black" or "white", on which transparent images are laid; None refuses them.

    Returns:
        Shape (H, W, C), C of 1 or 3: uint8, or float32 in [0, 1] for float arrays.

    Raises:
        ValueError: One sentence that begins with `where`.
    """
    if isinstance(raw, np.ndarray):
        return _from_array(raw, where, background)
    if isinstance(raw, str | Path | bytes):
        return _from_file(raw, where, background)
    from PIL import Image

    if isinstance(raw, Image.Image):
        return _from_pil(raw, where, background)
    raise ValueError(f"{where} is {type(raw).__name__}, not an image: give a path, a PIL image, or a numpy array (H, W) or (H, W, 3)")


def as_uint8(pixels: np.ndarray) -> np.ndarray:
    """Pixels as uint8; floats in [0, 1] are rounded to the nearest of 256 levels."""
    return pixels if pixels.dtype == np.uint8 else np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def with_channels(pixels_HWC: np.ndarray, channels: int) -> np.ndarray:
    """The same image in gray (its luminance) or RGB (gray repeated); dtype stays."""
    found = pixels_HWC.shape[2]
    if found == channels:
        return pixels_HWC
    if channels == 3:
        return np.repeat(pixels_HWC, 3, axis=2)
    gray = pixels_HWC.astype(np.float64) @ np.array(LUMINANCE)
    gray = np.rint(gray) if pixels_HWC.dtype == np.uint8 else gray
    return gray.astype(pixels_HWC.dtype)[:, :, None]


def is_colorless(pixels_HWC: np.ndarray) -> bool:
    """Whether all channels are equal, so that gray holds the same picture."""
    return bool((pixels_HWC == pixels_HWC[:, :, :1]).all())


def resized(pixels_HWC: np.ndarray, height: int, width: int, how: str) -> np.ndarray:
    """The image at another size, its proportions kept; bicubic, averaging where it shrinks; dtype stays.

    Args:
        pixels_HWC: uint8, or float32 in [0, 1].
        height, width: Of the result.
        how: "crop" fills the new size and cuts off what stands out, evenly on both sides; "fit" keeps the whole image,
            with black bars.
    """
    from PIL import Image

    old_height, old_width, channels = pixels_HWC.shape
    if (old_height, old_width) == (height, width):
        return pixels_HWC
    ratios = height / old_height, width / old_width
    scale = max(ratios) if how == "crop" else min(ratios)
    inner = (height, width) if how == "crop" else (max(1, round(old_height * scale)), max(1, round(old_width * scale)))
    kept = (min(old_height, height / scale), min(old_width, width / scale)) if how == "crop" else (old_height, old_width)
    left, top = (old_width - kept[1]) / 2, (old_height - kept[0]) / 2
    box = (left, top, left + kept[1], top + kept[0])
    planes = [Image.fromarray(pixels_HWC[:, :, c].astype(np.float32)) for c in range(channels)]
    scaled = np.stack([np.asarray(p.resize(inner[::-1], Image.Resampling.BICUBIC, box=box)) for p in planes], 2)
    scaled = np.clip(scaled, 0, white(pixels_HWC))  # bicubic overshoots at edges
    scaled = np.rint(scaled) if pixels_HWC.dtype == np.uint8 else scaled
    out = np.zeros((height, width, channels), dtype=pixels_HWC.dtype)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    out[top : top + inner[0], left : left + inner[1]] = scaled
    return out


def white(pixels: np.ndarray) -> int:
    """The brightest value that pixels of this dtype can have."""
    return 255 if pixels.dtype == np.uint8 else 1


def _from_file(raw: str | Path | bytes, where: str, background: str | None) -> np.ndarray:
    from PIL import Image

    if not isinstance(raw, bytes):
        if not os.path.isfile(raw):
            raise ValueError(f"{where}: {str(raw)!r} {'is a folder' if os.path.isdir(raw) else 'does not exist'}; give the path of an image")
        if not os.path.getsize(raw):
            raise ValueError(f"{where} is an empty file")
    try:
        image = Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw)
    except Image.UnidentifiedImageError:
        raise ValueError(f"{where} is not an image file that Pillow can read") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{where} cannot be read: {error}") from None
    with image:
        return _from_pil(image, where, background)


def _from_pil(image: Any, where: str, background: str | None) -> np.ndarray:
    from PIL import Image, ImageFile, ImageOps

    # Pillow reads 16-bit colors as 8-bit ones without a word; only the decoder's arguments say so, until it has run.
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else ()
    if image.mode.startswith("I;16") or any(DEEP.search(str(tile[3])) for tile in tiles):
        raise ValueError(f"{where} has {SIXTEEN_BITS}")
    if image.mode not in MODES:
        raise ValueError(f"{where} has Pillow's mode {image.mode!r}; convert it to 8 bits a channel first, gray ('L') or color ('RGB')")
    plain, with_alpha = MODES[image.mode]
    try:
        frames = getattr(image, "n_frames", 1)  # formats that hold but one image do not have it
        several = frames > 1 and image.format != "MPO"  # whose second picture is a preview
        image = ImageOps.exif_transpose(image)
        transparent = image.has_transparency_data
        pixels = np.asarray(image.convert(with_alpha if transparent else plain))
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"{where} is damaged or cut off: {error}") from None
    if several:
        raise ValueError(f"{where} has {frames} frames; give one picture")
    return _on_background(pixels, where, background) if transparent else _from_array(pixels, where, background)


def _from_array(raw: np.ndarray, where: str, background: str | None) -> np.ndarray:
    shape = raw.shape
    pixels = raw[:, :, None] if raw.ndim == 2 else raw
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in shape:
        hint = "; its channels stand first: transpose(1, 2, 0)" if raw.ndim == 3 and shape[0] in (1, 3) else ""
        raise ValueError(f"{where} has shape {shape}; an image is (H, W) or (H, W, C) with 1 or 3 channels{hint}")
    pixels = eight_bit(pixels, where)
    return _on_background(pixels, where, background) if pixels.shape[2] == 4 else pixels


def eight_bit(pixels: np.ndarray, where: str) -> np.ndarray:
    """uint8 or float32 in [0, 1] from any dtype that has one meaning; any shape."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise ValueError(f"{where} has pixels that are not finite numbers (NaN or infinite)")
        low, high = float(pixels.min()), float(pixels.max())
        if low < -TOLERANCE or high > 1 + TOLERANCE:
            hint = "divide by 255" if low >= 0 and high <= 255 else "scale them"
            raise ValueError(f"{where} has float pixels from {low:.4g} to {high:.4g}; they must lie in [0, 1]: {hint}")
        return np.clip(pixels, 0, 1).astype(np.float32)
    if pixels.dtype in (np.uint16, np.int16):
        raise ValueError(f"{where} has {SIXTEEN_BITS}")
    if pixels.dtype.kind not in "iu":
        raise ValueError(f"{where} has pixels of type {pixels.dtype}; give uint8, or floats in [0, 1]")
    if pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(f"{where} has pixels from {pixels.min()} to {pixels.max()}; integers must lie in 0..255")
    return pixels.astype(np.uint8)


def _on_background(pixels: np.ndarray, where: str, background: str | None) -> np.ndarray:
    """Gray or RGB from pixels whose last channel is alpha; dtype stays."""
    colors, alpha = pixels[:, :, :-1], pixels[:, :, -1:]
    if (alpha == white(pixels)).all():
        return np.ascontiguousarray(colors)
    if background is None:
        raise ValueError(f"{where} is partly transparent (it has an alpha channel): say what lies behind it with background='black' or 'white'")
    share = alpha / np.float64(white(pixels))
    behind = white(pixels) * choose(BACKGROUNDS, background, "background")
    laid = colors * share + behind * (1 - share)
    return (np.rint(laid) if pixels.dtype == np.uint8 else laid).astype(pixels.dtype)
