"""A visitor's picture → a digit as MNIST holds it. Knows files and pixels, no models.

A picture comes as a data address (`data:image/png;base64,...`) or as its base64 alone: no path is ever opened, no address fetched.

Shapes: H, W height and width.
"""

import base64
import binascii
import io
import math
import struct
import threading
import warnings
from typing import Any

import numpy as np

from vision.data.pixels import as_uint8, is_colorless, read_image, with_channels

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")  # the others have decoders that few people need and few people test
MAX_BYTES = 2_900_000  # of a file; as base64 it stays below the 4 MiB that the server takes in one request
MAX_SIDE = 4096
ENOUGH = 560  # pixels a side: a larger picture is made smaller before anything else, so that it takes no memory
SIDE, BOX = 28, 20  # MNIST's images, and the square within them that a digit fills
INK = 0.2  # of the brightest: what is brighter counts as drawn
CONTRAST = 0.05  # of black to white: a picture with less of it shows nothing

# Decoding takes up to 100 MB: pictures are read one after the other, however many are sent.
_ONE = threading.Lock()


def read_digit(picture: Any, what: str = "the picture") -> np.ndarray:
    """A picture as MNIST's digits are, float32 (28, 28) in [0, 1], light on dark.

    A gray picture of 28 x 28 pixels is taken as it is, or turned around where its ground is light. Of any other, transparency is laid on white, colors become their
    luminance, the ground (the median of the border) is subtracted, dark ink on a light ground is turned around, and the
    ink is scaled to 20 x 20 and centered by `normalized`.

    Raises:
        ValueError: It is no picture, too large, animated, damaged or empty; one sentence that begins with `what`.
    """
    with _ONE:
        pixels = _opened(_bytes(picture, what), what)
    if pixels.shape[:2] == (SIDE, SIDE) and is_colorless(pixels):
        light = (pixels[:, :, 0] / np.float32(255)).astype(np.float32)
        return 1 - light if _ground(light) > 0.5 else light
    gray = with_channels(pixels, 1)[:, :, 0].astype(np.float32) / 255
    ground = _ground(gray)
    ink = ground - gray if ground > 0.5 else gray - ground
    ink = np.clip(ink, 0, None)
    if ink.max() < CONTRAST:
        raise ValueError(f"{what} shows no digit: all of it looks like its border")
    return normalized(ink / ink.max())


def _ground(gray: np.ndarray) -> float:
    """What a picture is drawn on: the median of its border."""
    return float(np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])))


def normalized(ink: np.ndarray) -> np.ndarray:
    """Ink as MNIST's digits were made: its longer side scaled to 20 pixels, its center of mass in the middle of 28 x 28.

    Source: LeCun et al. 1998, sec. III-A, and MNIST's page.

    Args:
        ink: Shape (H, W), light on dark, the brightest 1.

    Returns:
        float32 (28, 28) in [0, 1].
    """
    from PIL import Image

    rows, columns = (np.flatnonzero((ink > INK).any(axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    pixel = max(cut.shape) / BOX  # of the result, in those of the picture
    window = pixel * SIDE
    border = math.ceil(window)
    corner = []
    for axis, size in enumerate(cut.shape):
        mass = cut.sum(1 - axis)
        middle = float((mass * (np.arange(size) + 0.5)).sum() / mass.sum())
        # Nothing is cut off, even where nearly all ink is at one end.
        corner.append(border + min(max(middle - window / 2, size - window), 0.0))
    image = Image.fromarray(np.pad(cut, border))
    box = (corner[1], corner[0], corner[1] + window, corner[0] + window)
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)).clip(0, None)
    return small / small.max()


def data_address(pixels: np.ndarray) -> str:
    """A picture as a PNG in a data address: uint8 (H, W) or (H, W, 3), or floats in [0, 1]."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(as_uint8(pixels)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _bytes(picture: Any, what: str) -> bytes:
    if not isinstance(picture, str):
        raise ValueError(f"{what} must be text: a data address such as data:image/png;base64,... or the base64 of a file")
    if not picture:
        raise ValueError(f"{what} is missing: draw a digit, or choose a picture")
    if len(picture) > MAX_BYTES * 4 // 3 + 100:
        raise ValueError(f"{what} has {len(picture) * 3 / 4e6:.1f} MB; this page takes at most {MAX_BYTES / 1e6:.1f} MB")
    head, comma, body = picture.partition(",")
    if not comma:
        body = head
    elif not (head.startswith("data:") and head.endswith(";base64")):
        raise ValueError(f"{what} must be a data address such as data:image/png;base64,... or the base64 of a file")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{what} is not base64: send the bytes of a picture file as base64") from None


def _opened(content: bytes, what: str) -> np.ndarray:
    """Pixels, uint8 (H, W, C)."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below, before anything is decoded
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except Image.UnidentifiedImageError:
            raise ValueError(f"{what} is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file, or it is damaged") from None
        except Image.DecompressionBombError:
            raise ValueError(f"{what} has too many pixels; this page takes at most {MAX_SIDE:,} a side") from None
        except (OSError, ValueError, SyntaxError) as error:
            raise ValueError(f"{what} cannot be read: {error}") from None
    with image:
        width, height = image.size
        if max(width, height) > MAX_SIDE:
            raise ValueError(f"{what} is {width:,} x {height:,} pixels; this page takes at most {MAX_SIDE:,} a side")
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ValueError(f"{what} is animated; send one still picture")
        return as_uint8(read_image(_smaller(image, what), what, background="white"))


def _smaller(image: Any, what: str) -> Any:
    """A large picture with `ENOUGH` pixels along its longer side; others as they are."""
    if max(image.size) <= ENOUGH:
        return image
    try:
        image.draft("L", (ENOUGH, ENOUGH))  # a JPEG is not even decoded at its full size
        if image.mode not in ("L", "RGB", "RGBA"):
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image.thumbnail((ENOUGH, ENOUGH))
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:
        raise ValueError(f"{what} is damaged or cut off: {error}") from None
    return image
