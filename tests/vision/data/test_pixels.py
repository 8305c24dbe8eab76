"""One raw image: every kind that is taken equals its plain array, and every other is refused in a sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vision.data.pixels import as_uint8, is_colorless, read_image, resized, with_channels

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (6, 5), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)


def read(raw, **options):
    return read_image(raw, "image 7", **options)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def deep_color_png(pixels):
    """A PNG of 16 bits a channel in RGB, which Pillow reads but cannot write."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_every_way_to_give_the_same_image(tmp_path):
    (tmp_path / "x.png").write_bytes(encoded(Image.fromarray(COLOR)))
    for raw in (COLOR, COLOR.astype(np.int64), Image.fromarray(COLOR), encoded(Image.fromarray(COLOR)), tmp_path / "x.png", str(tmp_path / "x.png")):
        assert read(raw).dtype == np.uint8 and np.array_equal(read(raw), COLOR)
    for raw in (GRAY, GRAY[:, :, None], Image.fromarray(GRAY), encoded(Image.fromarray(GRAY))):
        assert np.array_equal(read(raw), GRAY[:, :, None])


def test_floats_stay_floats_and_booleans_become_black_and_white():
    floats = RNG.random((6, 5))
    assert read(floats).dtype == np.float32 and np.array_equal(read(floats)[:, :, 0], floats.astype(np.float32))
    assert read(np.array([[0.0, 1.0 + 1e-9]])).max() == 1  # a hair of arithmetic
    assert np.array_equal(read(GRAY > 99)[:, :, 0], np.where(GRAY > 99, 255, 0))
    assert np.array_equal(as_uint8(np.arange(256, dtype=np.float32) / 255), np.arange(256))


def test_modes_of_pillow():
    black_white = Image.fromarray(GRAY).convert("1")
    assert set(np.unique(read(black_white))) <= {0, 255} and read(black_white).shape == (6, 5, 1)
    palette = Image.fromarray(COLOR).quantize(256)
    assert palette.mode == "P" and np.array_equal(read(palette), np.asarray(palette.convert("RGB")))
    for mode in ("CMYK", "YCbCr", "HSV"):
        image = Image.fromarray(COLOR).convert(mode)
        assert np.array_equal(read(image), np.asarray(image.convert("RGB")))
    assert np.abs(read(Image.fromarray(COLOR).convert("CMYK")).astype(int) - COLOR).max() <= 1


def test_a_photo_is_turned_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    assert np.array_equal(read(encoded(Image.fromarray(COLOR), exif=exif)), np.rot90(COLOR, -1))


@pytest.mark.parametrize("colors", [GRAY[:, :, None], COLOR], ids=["gray", "color"])
def test_transparency_is_laid_on_a_background_that_is_named(colors):
    alpha = np.zeros((6, 5, 1), np.uint8)
    alpha[:2], alpha[2:4] = 255, 128
    image = Image.fromarray(np.concatenate([colors, alpha], 2), "LA" if colors.shape[2] == 1 else "RGBA")
    with pytest.raises(ValueError, match="image 7 is partly transparent .* background='black'"):
        read(encoded(image))
    for name, value in (("black", 0), ("white", 255)):
        laid = read(encoded(image), background=name)
        assert laid.shape == colors.shape and np.array_equal(laid[:2], colors[:2]) and (laid[4:] == value).all()
        expected = colors[2:4] * (128 / 255) + value * (127 / 255)
        assert np.abs(laid[2:4] - expected).max() <= 0.5
    with pytest.raises(ValueError, match="no background 'red'"):
        read(image, background="red")


def test_transparency_in_palettes_and_arrays():
    palette = Image.fromarray(COLOR).quantize(4)
    palette.info["transparency"] = 0
    with pytest.raises(ValueError, match="partly transparent"):
        read(encoded(palette, transparency=0))
    hidden = np.asarray(palette) == 0
    assert (read(encoded(palette, transparency=0), background="white")[hidden] == 255).all()
    array = np.concatenate([COLOR, np.full((6, 5, 1), 128, np.uint8)], 2)
    with pytest.raises(ValueError, match="partly transparent"):
        read(array)
    half = read(array / 255, background="black")
    assert half.dtype == np.float32 and np.allclose(half, COLOR / 255 * 128 / 255)


def test_an_opaque_alpha_channel_hides_nothing():
    assert np.array_equal(read(Image.fromarray(COLOR).convert("RGBA")), COLOR)
    assert np.array_equal(read(np.concatenate([COLOR, np.full((6, 5, 1), 255, np.uint8)], 2)), COLOR)


DEEP = (GRAY.astype(np.uint16) * 257)[:, :, None].repeat(3, 2)


@pytest.mark.parametrize(
    "raw, message",
    [
        (GRAY.astype(np.uint16), "16 bits a channel"),
        (GRAY.astype(np.int16), "16 bits a channel"),
        (encoded(Image.fromarray(GRAY.astype(np.uint16) * 257)), "16 bits a channel"),
        (deep_color_png(DEEP), "16 bits a channel"),
        (Image.fromarray(GRAY.astype(np.int32), "I"), "mode 'I'"),
        (Image.fromarray(GRAY.astype(np.float32)), "mode 'F'"),
        (GRAY.astype(np.float64), "float pixels from .* divide by 255"),
        (GRAY - 300.0, "float pixels from .* scale them"),
        (np.full((4, 4), np.nan), "not finite numbers"),
        (np.full((4, 4), np.inf), "not finite numbers"),
        (GRAY.astype(np.int64) - 300, "integers must lie in 0..255"),
        (GRAY.astype(complex), "pixels of type complex128"),
        (np.zeros((3, 6, 5), np.uint8), r"channels stand first: transpose\(1, 2, 0\)"),
        (np.zeros((6, 5, 2), np.uint8), "1 or 3 channels"),
        (np.zeros((0, 5), np.uint8), "has shape"),
        (np.zeros(5, np.uint8), "has shape"),
        (b"no picture at all", "not an image file"),
        (encoded(Image.fromarray(COLOR.repeat(40, 0).repeat(40, 1)))[:-600], "damaged or cut off"),
        (encoded(Image.fromarray(COLOR.repeat(40, 0).repeat(40, 1)), "JPEG")[:-600], "damaged or cut off"),
        (encoded(Image.fromarray(GRAY), "GIF", save_all=True, append_images=[Image.fromarray(255 - GRAY)]), "2 frames"),
        ("nowhere.png", "does not exist"),
        (".", "is a folder"),
        (None, "NoneType, not an image"),
        (7, "int, not an image"),
    ],
)
def test_what_is_refused(raw, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(raw)
    assert str(caught.value).startswith("image 7") and "\n" not in str(caught.value)


def test_the_deep_png_would_be_read_without_a_word():
    """Pillow gives its high bytes: without our look at the header, 16 bits would pass."""
    assert Image.open(io.BytesIO(deep_color_png(DEEP))).mode == "RGB"


def test_an_empty_file(tmp_path):
    (tmp_path / "x.png").touch()
    with pytest.raises(ValueError, match="image 7 is an empty file"):
        read(tmp_path / "x.png")


def test_gray_and_color():
    gray = with_channels(COLOR, 1)
    assert gray.shape == (6, 5, 1) and gray.dtype == np.uint8
    assert np.abs(gray[:, :, 0] - np.asarray(Image.fromarray(COLOR).convert("L")).astype(int)).max() <= 1
    assert np.allclose(with_channels((COLOR / 255).astype(np.float32), 1) * 255, gray, atol=0.51)
    tripled = with_channels(GRAY[:, :, None], 3)
    assert (tripled == GRAY[:, :, None]).all() and tripled.shape == (6, 5, 3)
    assert np.array_equal(with_channels(tripled, 1)[:, :, 0], GRAY)
    assert is_colorless(tripled) and not is_colorless(COLOR)
    assert with_channels(COLOR, 3) is COLOR


def test_the_same_size_is_left_alone():
    assert resized(COLOR, 6, 5, "fit") is COLOR


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_fit_shows_everything_and_adds_black_bars(dtype):
    white = np.full((10, 40, 3), 255 if dtype == np.uint8 else 1, dtype)
    out = resized(white, 20, 20, "fit")
    assert out.shape == (20, 20, 3) and out.dtype == dtype
    assert (out[:7] == 0).all() and (out[7:12] == white.max()).all() and (out[12:] == 0).all()


def test_crop_fills_and_cuts_evenly():
    columns = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None] * 5, (10, 40, 1))
    out = resized(columns, 10, 10, "crop")
    assert np.array_equal(out, columns[:, 15:25])
    tall = np.ascontiguousarray(columns.transpose(1, 0, 2))
    assert np.array_equal(resized(tall, 10, 10, "crop"), tall[15:25])


def test_shrinking_averages():
    checkers = ((np.indices((64, 64)).sum(0) % 2) * 255).astype(np.uint8)[:, :, None]
    inner = resized(checkers, 8, 8, "crop")[1:-1, 1:-1]
    assert np.abs(inner.astype(int) - 127.5).max() < 3  # picking single pixels would give 0 or 255


@pytest.mark.parametrize("how", ["crop", "fit"])
def test_extreme_sizes(how):
    line = np.full((1, 20_000, 1), 200, np.uint8)
    out = resized(line, 28, 28, how)
    assert out.shape == (28, 28, 1) and out.max() == 200
    assert resized(np.full((1, 1, 3), 9, np.uint8), 28, 14, how).shape == (28, 14, 3)


@pytest.mark.parametrize("shape", [(28, 28), (19, 31), (7, 100)])
@pytest.mark.parametrize("how", ["crop", "fit"])
def test_resizing_commutes_with_mirroring(shape, how):
    image = RNG.integers(0, 256, (*shape, 1), dtype=np.uint8)
    a, b = resized(image[:, ::-1], 28, 28, how), resized(image, 28, 28, how)[:, ::-1]
    assert np.abs(a.astype(int) - b).max() <= 1
