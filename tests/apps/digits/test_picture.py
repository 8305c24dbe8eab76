"""Pictures become digits as MNIST holds them; what is no picture is refused in a sentence, in less than a second."""

import base64
import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from apps.digits.picture import MAX_BYTES, data_address, normalized, read_digit


def address(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def seven(width=300, height=400, ink=20, paper=235, mode="L"):
    """A 7 of two bars, dark on light."""
    pixels = np.full((height, width), paper, np.uint8)
    pixels[height // 5 : height // 5 + 30, width // 4 : 3 * width // 4] = ink
    for y in range(height // 5, 4 * height // 5):
        x = 3 * width // 4 - (y - height // 5) // 3
        pixels[y, x - 25 : x] = ink
    return Image.fromarray(pixels).convert(mode)


def center(pixels):
    at = np.arange(28) + 0.5
    return (pixels.sum(1) * at).sum() / pixels.sum(), (pixels.sum(0) * at).sum() / pixels.sum()


def test_a_photo_becomes_a_centered_digit():
    digit = read_digit(address(seven()))
    assert digit.shape == (28, 28) and digit.dtype == np.float32 and digit.min() == 0 and digit.max() == 1
    assert max(np.abs(np.array(center(digit)) - 14)) < 0.3
    rows = np.flatnonzero((digit > 0.2).any(1))
    assert 19 <= np.ptp(rows) + 1 <= 21


def test_ink_and_paper_may_be_either_way():
    dark, light = read_digit(address(seven())), read_digit(address(seven(ink=235, paper=20)))
    assert np.abs(dark - light).max() < 0.01


def test_size_does_not_matter_much():
    small, large = read_digit(address(seven(300, 400))), read_digit(address(seven(300, 400).resize((900, 1200))))
    assert np.abs(small - large).mean() < 0.02


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "WEBP", "GIF"])
def test_other_formats_read_the_same(kind):
    assert np.abs(read_digit(address(seven(), kind)) - read_digit(address(seven()))).mean() < 0.03


def test_cmyk_palettes_color_and_transparency_are_converted():
    wanted = read_digit(address(seven()))
    for image, kind in ((seven(mode="CMYK"), "JPEG"), (seven(mode="P"), "PNG"), (seven(mode="RGB"), "PNG"), (seven(paper=255, ink=0).convert("1"), "PNG")):
        assert np.abs(read_digit(address(image, kind)) - wanted).mean() < 0.03, image.mode
    alpha = Image.new("RGBA", (300, 400))
    alpha.paste((0, 0, 0, 255), mask=seven().point(lambda v: 255 if v < 100 else 0))
    assert np.abs(read_digit(address(alpha)) - wanted).mean() < 0.03


def test_a_picture_of_28_pixels_is_taken_as_it_is():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 4:24] = np.random.default_rng(0).integers(0, 256, (20, 20))
    assert np.allclose(read_digit(data_address(pixels)), pixels / 255, atol=1e-6)
    assert np.allclose(read_digit(data_address(255 - pixels)), pixels / 255, atol=1e-6)  # dark on light is turned around
    canvas = Image.fromarray(pixels).convert("RGBA")  # as a browser's canvas writes it
    assert np.allclose(read_digit(address(canvas)), pixels / 255, atol=1e-6)


def test_base64_alone_will_do():
    picture = address(seven())
    assert np.array_equal(read_digit(picture.partition(",")[2]), read_digit(picture))


def test_mnists_own_normalization_changes_little():
    """A digit that is 20 pixels high and centered stays where it is when it comes back enlarged."""
    small = normalized(np.asarray(seven(), np.float32).max() - np.asarray(seven(), np.float32))
    small = small / small.max()
    again = normalized(np.kron(small, np.ones((8, 8), np.float32)))
    assert np.abs(again - small).mean() < 0.03


# --- refused --------------------------------------------------------------------------------------------------


def bomb(width, height):
    """A PNG of a few kilobytes that says it is huge, with pixels to match."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(b"\0" * (width + 1) * min(height, 2000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def plain(content):
    return base64.b64encode(content).decode()


def animated(kind):
    file = io.BytesIO()
    seven(60, 80).save(file, kind, save_all=True, append_images=[seven(60, 80, ink=90)] * 300, duration=20)
    return plain(file.getvalue())


def png(side=300):
    file = io.BytesIO()
    seven().resize((side, side)).save(file, "PNG")
    return file.getvalue()


def tiff():
    file = io.BytesIO()
    seven().save(file, "TIFF")
    return plain(file.getvalue())


def deep():
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40), 3000, np.uint16)).save(file, "PNG")
    return plain(file.getvalue())


REFUSED = {
    "nothing": (lambda: "", "the picture is missing"),
    "no text": (lambda: None, "must be text"),
    "a number": (lambda: 10**9, "must be text"),
    "rows": (lambda: [[0] * 28] * 28, "must be text"),
    "a path": (lambda: "/etc/passwd", "is no PNG|is not base64"),
    "an address": (lambda: "http://127.0.0.1:22/x.png", "is not base64"),
    "a file address": (lambda: "file:///etc/passwd,", "must be a data address"),
    "another data address": (lambda: "data:text/html,<script>", "must be a data address"),
    "an SVG": (lambda: "data:image/svg+xml;base64," + plain(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "is no PNG"),
    "too many bytes": (lambda: "A" * (MAX_BYTES * 2), "at most 2.9 MB"),
    "huge": (lambda: plain(bomb(10_000, 10_000)), r"10,000 x 10,000 pixels; this page takes at most 4,096 a side"),
    "a bomb": (lambda: plain(bomb(60_000, 60_000)), "pixels; this page takes|too many pixels"),
    "large and cut off": (lambda: plain(png(2000)[:3000]), "damaged or cut off"),
    "cut off": (lambda: plain(png()[:300]), "damaged or cut off"),
    "random bytes": (lambda: plain(bytes(range(256)) * 20), "is no PNG"),
    "an animated GIF": (lambda: animated("GIF"), "animated"),
    "an animated WebP": (lambda: animated("WEBP"), "animated"),
    "an animated PNG": (lambda: animated("PNG"), "animated"),
    "a TIFF": (tiff, "is no PNG"),
    "16 bits": (deep, "16 bits"),
    "all white": (lambda: address(Image.new("L", (50, 50), 255)), "shows no digit"),
    "all gray": (lambda: address(Image.new("RGB", (9, 500), (90, 90, 90))), "shows no digit"),
    "fully transparent": (lambda: address(Image.new("RGBA", (50, 50))), "shows no digit"),
    "one pixel": (lambda: address(Image.new("L", (1, 1), 7)), "shows no digit"),
    "half a character": (lambda: "\ud800" * 30, "is not base64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_digit_is_refused_in_a_second(name):
    make, message = REFUSED[name]
    given = make()
    start = time.process_time()
    with pytest.raises(ValueError, match=message) as caught:
        read_digit(given)
    assert time.process_time() - start < 1
    assert str(caught.value).startswith("the picture") and "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_the_largest_allowed_picture_is_read_in_a_second():
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8) * 255
    large = Image.fromarray(np.kron(noise, np.ones((64, 64), np.uint8)))
    for image, kind, options in ((large, "PNG", {}), (large, "JPEG", {"quality": 60}), (large.convert("RGBA"), "PNG", {"compress_level": 6})):
        given = address(image, kind, **options)
        start = time.process_time()
        assert read_digit(given).max() == 1
        assert time.process_time() - start < 1


def test_a_large_picture_takes_little_memory():
    """What Python itself allocates; the decoder's own buffer of 4096 x 4096 x 4 bytes lies outside."""
    import tracemalloc

    given = address(seven(300, 400).resize((4096, 4096)).convert("RGBA"))
    tracemalloc.start()
    read_digit(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


def test_a_thin_line_has_pixels():
    for shape in ((1, 400), (400, 1)):
        paper = np.full((420, 420), 255, np.uint8)
        paper[10 : 10 + shape[0], 10 : 10 + shape[1]] = 0
        digit = read_digit(address(Image.fromarray(paper)))
        assert digit.max() == 1 and (digit > 0.2).sum() >= 18
