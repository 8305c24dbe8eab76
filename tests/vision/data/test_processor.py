"""`ImageProcessor`: raw ↔ tensors without loss, permissions for what would change a picture, strict files."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vision.data.images import ImageSet
from vision.data.processor import ImageProcessor

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (6, 5), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
SMALL, COLORED = ImageProcessor(1, 6, 5), ImageProcessor(3, 6, 5)
DIGITS = ImageProcessor(1, 6, 5, {"label": [str(d) for d in range(10)], "bold": ["yes", "no"]})


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("processor, image", [(SMALL, GRAY), (COLORED, COLOR)], ids=["gray", "color"])
def test_the_way_there_and_back_loses_nothing(processor, image, invert):
    processor = replace(processor, invert=invert)
    batch = processor([image, 255 - image])
    channels = processor.channels
    assert batch["pixel_values"].shape == (2, channels, 6, 5) and batch["pixel_values"].dtype == torch.float32
    assert batch["pixel_values"].is_contiguous() and set(batch) == {"pixel_values", "targets"}
    assert torch.equal(batch["pixel_values"], batch["targets"])
    back = processor.decode(batch["pixel_values"])
    assert same(back[0], image) and same(back[1], 255 - image)
    shown = 255 - image if invert else image
    expected = torch.from_numpy(shown.reshape(6, 5, channels).transpose(2, 0, 1).copy()).float() / 255
    assert torch.equal(batch["pixel_values"][0], expected)


def test_every_level_survives():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert same(ImageProcessor(1, 16, 16).decode(ImageProcessor(1, 16, 16)([every])["pixel_values"])[0], every)


def test_decode_cuts_and_rounds():
    pixels = torch.tensor([-0.5, 1.5, 0.4999 / 255, 0.5001 / 255]).view(1, 1, 2, 2)
    assert ImageProcessor(1, 2, 2).decode(pixels)[0].tolist() == [[0, 255], [0, 1]]
    with pytest.raises(ValueError, match="finite"):
        SMALL.decode(torch.full((1, 1, 6, 5), float("nan")))


def test_floats_are_not_rounded_and_mix_with_bytes(tmp_path):
    floats = RNG.random((6, 5)).astype(np.float32)
    Image.fromarray(GRAY).save(tmp_path / "x.png")
    batch = SMALL([floats, GRAY, tmp_path / "x.png", Image.fromarray(GRAY)])
    pixels = batch["pixel_values"]
    assert torch.equal(pixels[0, 0], torch.from_numpy(floats))
    assert all(torch.equal(pixels[i], SMALL([GRAY])["pixel_values"][0]) for i in (1, 2, 3))


def test_gray_and_color():
    tripled = np.repeat(GRAY[:, :, None], 3, 2)
    assert torch.equal(SMALL([tripled])["pixel_values"], SMALL([GRAY])["pixel_values"])  # nothing is lost
    assert torch.equal(COLORED([GRAY])["pixel_values"], COLORED([tripled])["pixel_values"])
    with pytest.raises(ValueError, match="image 2 is in color; this model takes gray images: .*to_gray=True"):
        SMALL([GRAY, COLOR])
    luminance = replace(SMALL, to_gray=True)([COLOR])["pixel_values"][0, 0].numpy() * 255
    assert np.abs(luminance - np.asarray(Image.fromarray(COLOR).convert("L"))).max() <= 1


@pytest.mark.parametrize("raw, where", [(np.zeros((5, 6), np.uint8), "5x6"), (np.zeros((28, 28), np.uint8), "28x28")])
def test_other_sizes_are_refused_until_they_are_allowed(raw, where):
    with pytest.raises(ValueError, match=rf"image 2 is {where} \(height x width\); this model takes 6x5: .*resize='fit'"):
        SMALL([GRAY, raw])
    for how in ("fit", "crop"):
        assert replace(SMALL, resize=how)([raw])["pixel_values"].shape == (1, 1, 6, 5)


def test_a_dark_on_light_photo_gets_dark_bars():
    photo = np.full((20, 40), 250, np.uint8)
    photo[5:15, 18:22] = 10
    processor = ImageProcessor(1, 28, 28, resize="fit", invert=True)
    pixels = processor([photo])["pixel_values"][0, 0]
    assert (pixels[:7] == 0).all() and (pixels[21:] == 0).all()
    assert pixels[14, 14] > 0.9 and pixels[14, 2] < 0.05


def test_check_names_the_first_image_that_cannot_be_taken():
    SMALL.check([GRAY, GRAY / 255])
    for bad, message in [(np.full((6, 5), np.nan), "not finite"), (GRAY.astype(np.uint16), "16 bits"), (torch.zeros(6, 5), "Tensor"), ("no.png", "does not exist")]:
        with pytest.raises(ValueError, match=f"image 3.*{message}"):
            SMALL.check([GRAY, GRAY, bad, bad])
    SMALL.check([np.zeros((6, 5), np.uint8)])  # all black is an image
    with pytest.raises(ValueError, match="image 1 is partly transparent"):
        COLORED.check([Image.new("RGBA", (5, 6))])
    replace(COLORED, background="white").check([Image.new("RGBA", (5, 6))])


def test_an_empty_list():
    with pytest.raises(ValueError, match="the list is empty"):
        SMALL([])


@pytest.mark.parametrize(
    "raw, single",
    [
        (GRAY, True), (GRAY[:, :, None], True), (COLOR, True), (Image.fromarray(GRAY), True), ("x.png", True), (b"", True),
        ([GRAY], False), ((GRAY, GRAY), False), (np.stack([GRAY] * 4), False), (np.stack([COLOR] * 4), False), (np.zeros((2, 28, 28)), False),
    ],
)  # fmt: skip
def test_is_single(raw, single):
    assert SMALL.is_single(raw) is single


def test_stacks_that_look_like_images():
    assert not ImageProcessor(1, 4, 4).is_single(np.zeros((9, 4, 4), np.uint8))  # nine tiny images, not one with alpha
    with pytest.raises(ValueError, match=r"shape \(3, 6, 5\) is one image with its channels first, or three gray ones"):
        COLORED.is_single(np.zeros((3, 6, 5), np.uint8))
    with pytest.raises(ValueError, match="channels stand first"):
        COLORED.check([np.zeros((3, 6, 5), np.uint8)])


def test_cost_groups_nothing():
    assert SMALL.cost(GRAY) == SMALL.cost("x.png")


def test_attributes():
    batch = DIGITS([GRAY, GRAY], [{"label": "7"}, {"bold": "no", "label": None}])
    assert batch["attributes"].tolist() == [[-1, 7], [1, -1]] and batch["attributes"].dtype == torch.int64  # sorted by name
    assert DIGITS.attribute_ids([{"label": 3}]).tolist() == [[-1, 3]]
    with pytest.raises(ValueError, match="knows no attribute 'lable': did you mean 'label'"):
        DIGITS.attribute_ids([{"lable": "1"}])
    with pytest.raises(ValueError, match="'label' has no value '11'"):
        DIGITS.attribute_ids([{"label": "11"}])


def test_the_processor_of_a_set():
    images = ImageSet(RNG.integers(0, 256, (4, 6, 5, 1), dtype=np.uint8), np.array([0, 1, 1, 0]), ["a", "b"])
    assert ImageProcessor.of(images) == SMALL
    assert ImageProcessor.of(images, labels=True, resize="fit") == replace(SMALL, attributes={"label": ["a", "b"]}, resize="fit")
    with pytest.raises(ValueError, match="the images have none"):
        ImageProcessor.of(ImageSet(images.images), labels=True)


@pytest.mark.parametrize("invert", [False, True])
def test_the_bytes_of_a_set_are_those_of_its_images(invert):
    processor = replace(COLORED, invert=invert)
    images = RNG.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    found = processor.of_set(ImageSet(images))
    assert found.dtype == torch.uint8 and found.is_contiguous()
    assert torch.equal(found.float() / 255, processor(images)["pixel_values"])
    with pytest.raises(ValueError, match=r"mine are 6x5 \(height x width\) in RGB, but the model takes 6x5 \(height x width\) in gray"):
        SMALL.of_set(ImageSet(images), "mine")


def test_files_keep_everything(tmp_path):
    full = ImageProcessor(3, 6, 5, {"z": ["ü", "b"], "a": ["1"]}, "crop", False, True, "white")
    full.save_pretrained(tmp_path / "new")
    assert ImageProcessor.from_pretrained(tmp_path / "new") == full
    assert list(ImageProcessor.from_pretrained(tmp_path / "new").attributes) == ["a", "z"]


def written(tmp_path, **changes):
    SMALL.save_pretrained(tmp_path)
    path = tmp_path / "processor.json"
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value != "gone"}))
    return tmp_path


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"widht": 3}, "unknown key 'widht'"),
        ({"width": "gone"}, "lacks key 'width'"),
        ({"channels": "gone"}, "not of an image model"),
        ({"width": "5"}, "damaged: width is '5'"),
        ({"channels": 2}, "damaged: channels is 2"),
        ({"resize": "squash"}, "damaged: there is no resize 'squash'"),
        ({"resize": ["fit"]}, "damaged"),
        ({"invert": 1}, "damaged: invert is 1"),
        ({"attributes": {"label": "abc"}}, "damaged: attribute 'label' has the values 'abc'"),
        ({"attributes": {"label": ["a", "a"]}}, "needs a list of different ones"),
        ({"attributes": ["label"]}, "they map each name"),
    ],
)
def test_files_are_read_to_the_letter(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        ImageProcessor.from_pretrained(written(tmp_path, **changes))


def test_files_that_are_no_processor(tmp_path):
    with pytest.raises(ValueError, match="has no processor.json"):
        ImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "processor.json").write_text('{"attributes": {}, "max_length": 256}')  # of a sentence model
    with pytest.raises(ValueError, match="not of an image model"):
        ImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "processor.json").write_text('{"channels"')
    with pytest.raises(ValueError, match="is damaged"):
        ImageProcessor.from_pretrained(tmp_path)


@pytest.mark.parametrize("arguments", [(0, 6, 5), (1, 6, 0), (2, 6, 5), (1, 6.0, 5), (True, 6, 5)])
def test_sizes_that_cannot_be(arguments):
    with pytest.raises(ValueError, match="channels is|height is|width is"):
        ImageProcessor(*arguments)
