"""Corruption of pixels: its rates, its bounds, and everything that it must leave alone."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from vision.data.corruption import (
    CORRUPTIONS,
    MARK,
    Affine,
    Blocks,
    Corruption,
    Gaussian,
    Gray,
    LowResolution,
    Masking,
    SaltPepper,
    Watermark,
)

SETTINGS = {
    "gaussian": {"sigma": 0.5}, "salt_pepper": {"rate": 0.3}, "masking": {"rate": 0.3}, "blocks": {"size": 5, "count": 2},
    "watermark": {}, "low_resolution": {"factor": 3}, "gray": {},
    "affine": {"rotate": 10, "scale": 0.1, "shear": 10, "shift": 2},
}  # fmt: skip


def batch(num=64, channels=3, height=20, width=24):
    return torch.rand(num, channels, height, width, generator=torch.Generator().manual_seed(0))


def test_every_kind_has_settings_here():
    assert SETTINGS.keys() == CORRUPTIONS.keys()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_invariants(kind):
    pixels = batch()
    before = pixels.clone()
    corruption = Corruption.from_config({"kind": kind, **SETTINGS[kind]})
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(corruption(pixels))
    assert torch.equal(pixels, before)
    assert outs[0].shape == pixels.shape and outs[0].dtype == torch.float32
    assert outs[0].min() >= 0 and outs[0].max() <= 1 and not torch.equal(outs[0], pixels)
    assert torch.equal(outs[0], outs[1])
    assert torch.equal(outs[0], outs[2]) == (kind in ("low_resolution", "gray"))
    assert not torch.equal(outs[0][0] - pixels[0], outs[0][1] - pixels[1])


@pytest.mark.parametrize("kind", [k for k in CORRUPTIONS if k != "gray"])
def test_gray_images_of_any_shape(kind):
    pixels = batch(3, 1, 12, 17)
    assert CORRUPTIONS[kind](**SETTINGS[kind])(pixels).shape == pixels.shape


def test_gaussian_is_normal_and_clipped():
    torch.manual_seed(0)
    noise = Gaussian(0.1)(torch.full((100, 1, 28, 28), 0.5)) - 0.5
    assert noise.mean().item() == pytest.approx(0, abs=2e-3) and noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert noise.pow(4).mean().item() == pytest.approx(3e-4, rel=0.05)  # three sigma to the fourth
    clipped = Gaussian(0.5)(torch.zeros(100, 1, 28, 28))
    assert (clipped == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    # E max(0, N(0, s²)) = s / sqrt(2 pi); what is cut above 1 takes 0.5 E max(0, N - 2) = 0.0042 off
    assert clipped.mean().item() == pytest.approx(0.5 * 0.39894 - 0.5 * 0.00849, abs=3e-3)


def test_salt_and_pepper():
    torch.manual_seed(0)
    out = SaltPepper(0.3)(torch.full((100, 3, 28, 28), 0.5))
    assert (out == out[:, :1]).all()  # a pixel is struck as a whole
    for value, share in ((0.0, 0.15), (1.0, 0.15), (0.5, 0.7)):
        assert (out == value).float().mean().item() == pytest.approx(share, abs=0.006)  # 78,400 draws: 0.0013 to 0.0016
    full = SaltPepper(1.0)(torch.full((100, 1, 28, 28), 0.5))
    assert set(full.unique().tolist()) == {0.0, 1.0}


def test_masking():
    torch.manual_seed(0)
    out = Masking(0.25)(torch.ones(100, 3, 28, 28))
    assert (out == out[:, :1]).all() and set(out.unique().tolist()) == {0.0, 1.0}
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.008)
    assert (Masking(1.0)(batch()) == 0).all()


def test_blocks_are_whole_squares_anywhere_within():
    torch.manual_seed(0)
    out = Blocks(5, value=0.25)(torch.ones(4000, 1, 8, 9))
    struck = out[:, 0] == 0.25
    assert (struck.flatten(1).sum(1) == 25).all() and set(out.unique().tolist()) == {0.25, 1.0}
    corners = struck.flatten(1).int().argmax(1)  # the first pixel of each
    ys, xs = corners // 9, corners % 9
    assert all(struck[i, y : y + 5, x : x + 5].all() for i, (y, x) in enumerate(zip(ys[:50], xs[:50], strict=True)))
    counts = np.histogram2d(ys, xs, bins=[range(5), range(6)])[0]
    assert counts.shape == (4, 5) and counts.min() > 150 and counts.max() < 250  # 200 each, deviation 14
    two = Blocks(2, count=2)(torch.ones(500, 1, 8, 9))
    holes = (two == 0).flatten(1).sum(1)
    assert holes.max() == 8 and holes.min() >= 4 and holes.float().mean() > 7


@pytest.mark.parametrize("scale", [1, 2])
def test_the_watermark_lies_whole_within_each_image(scale):
    mark = torch.tensor([[c == "#" for c in row] for row in MARK]).repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    torch.manual_seed(0)
    out = Watermark(0.25, scale)(torch.full((300, 3, 28, 28), 0.2))
    struck = out[:, 0] > 0.3
    assert torch.allclose(out[:, 0][struck], torch.tensor(0.2 + 0.25 * 0.8)) and (out[:, 0][~struck] == 0.2).all()
    assert (out == out[:, :1]).all() and (struck.flatten(1).sum(1) == mark.sum()).all()
    for image in struck[:20]:
        rows, columns = image.any(1).nonzero()[:, 0], image.any(0).nonzero()[:, 0]
        assert torch.equal(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], mark)
    assert len({tuple(image.nonzero()[0].tolist()) for image in struck}) > 20


def test_a_full_watermark_hides_and_an_invisible_one_does_not():
    assert torch.equal(Watermark(0.0)(batch()), batch())
    assert (Watermark(1.0, value=0.0)(torch.ones(2, 1, 28, 28)) == 0).sum() == 2 * sum(row.count("#") for row in MARK)


def test_low_resolution_is_a_mean_shown_large():
    pixels = batch(4, 3, 28, 28)
    small = pixels.view(4, 3, 14, 2, 14, 2).mean((3, 5))
    assert torch.allclose(LowResolution(2)(pixels), interpolate(small, scale_factor=2, mode="nearest"), atol=1e-6)
    assert torch.equal(LowResolution(1)(pixels), pixels)


def test_low_resolution_of_sizes_that_do_not_divide():
    pixels = batch(2, 1, 7, 8)
    out = LowResolution(3)(pixels)
    for top in (0, 3, 6):
        for left in (0, 3, 6):
            part = (slice(None), 0, slice(top, min(top + 3, 7)), slice(left, min(left + 3, 8)))
            assert torch.allclose(out[part], pixels[part].mean((1, 2), keepdim=True).expand_as(out[part]), atol=1e-6)


def test_gray_is_luminance_in_three_equal_channels():
    pixels = batch()
    out = Gray()(pixels)
    expected = 0.299 * pixels[:, 0] + 0.587 * pixels[:, 1] + 0.114 * pixels[:, 2]
    assert all(torch.allclose(out[:, c], expected, atol=1e-6) for c in range(3))
    assert torch.allclose(Gray()(out), out, atol=1e-6)


def test_kinds_strike_one_after_the_other():
    both = Corruption.from_config([{"kind": "gray"}, {"kind": "masking", "rate": 0.5}])
    torch.manual_seed(3)
    expected = Masking(0.5)(Gray()(batch()))
    torch.manual_seed(3)
    assert torch.equal(both(batch()), expected)
    assert repr(both) == "Corruption(Gray(), Masking(rate=0.5))"
    assert Corruption.from_config("gray").steps == (Gray(),)


@pytest.mark.parametrize("step", [Gaussian(0), SaltPepper(0), Masking(0)])
def test_a_rate_of_zero_draws_nothing(step):
    pixels = batch()
    torch.manual_seed(3)
    assert torch.equal(step(pixels), pixels)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize(
    "spec, message",
    [
        ({"kind": "gaussian", "sigma": -0.1}, "sigma is -0.1"),
        ({"kind": "gaussian", "sigma": float("nan")}, "sigma is nan"),
        ({"kind": "gaussian", "sigma": float("inf")}, "sigma is inf"),
        ({"kind": "gaussian", "sigma": "0.5"}, "sigma is '0.5'"),
        ({"kind": "gaussian"}, "needs the key 'sigma'"),
        ({"kind": "gaussian", "sgima": 1}, "no key 'sgima': did you mean 'sigma'"),
        ({"kind": "gauss", "sigma": 1}, "no kind 'gauss': did you mean 'gaussian'"),
        ({"kind": "salt_pepper", "rate": 1.1}, "rate is 1.1"),
        ({"kind": "masking", "rate": float("nan")}, "rate is nan"),
        ({"kind": "masking", "rate": True}, "rate is True"),
        ({"kind": "blocks", "size": 0}, "size is 0"),
        ({"kind": "blocks", "size": 2.5}, "size is 2.5"),
        ({"kind": "blocks", "size": 2, "count": 0}, "count is 0"),
        ({"kind": "watermark", "opacity": 2}, "opacity is 2"),
        ({"kind": "low_resolution", "factor": 0}, "factor is 0"),
        ([], "at least one kind"),
        (3, "data.corruption is 3"),
        ([3], "mapping with a key 'kind'"),
    ],
)
def test_settings_out_of_range(spec, message):
    with pytest.raises(ValueError, match=message):
        Corruption.from_config(spec)


@pytest.mark.parametrize(
    "step, shape, message",
    [
        (Blocks(9), (2, 1, 8, 20), "the block is 9x9 pixels; it does not fit into images of 8x20"),
        (Watermark(scale=3), (2, 1, 28, 28), "the watermark is 21x33 pixels"),
        (LowResolution(9), (2, 1, 8, 20), "averaged over 8 at most"),
        (Gray(), (2, 1, 8, 8), "these have 1 channel"),
    ],
)
def test_images_that_a_kind_cannot_strike(step, shape, message):
    with pytest.raises(ValueError, match=message):
        step(torch.zeros(shape))


def test_a_pair_of_sigmas_gives_every_image_its_own():
    torch.manual_seed(0)
    noisy = Corruption.from_config({"kind": "gaussian", "sigma": [0.02, 0.1]})(torch.full((200, 1, 28, 28), 0.5))
    found = noisy.flatten(1).std(1)
    assert 0.018 < found.min() < 0.03 and 0.09 < found.max() < 0.11 and found.mean().item() == pytest.approx(0.06, abs=0.006)


@pytest.mark.parametrize("sigma", [[0.3, 0.1], [0.1], [0.1, 0.2, 0.3], [-0.1, 0.2], "ab", [None, 1]])
def test_a_pair_of_sigmas_is_a_pair(sigma):
    with pytest.raises(ValueError, match="pair"):
        Corruption.from_config({"kind": "gaussian", "sigma": sigma})


def moments(images):
    """Mass, center and second moments of the pixels, in pixels from the middle; y downwards."""
    num, _, height, width = images.shape
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    mass = images.sum((1, 2, 3))
    mean = lambda t: (images[:, 0] * t).sum((1, 2)) / mass  # noqa: E731
    return mass, mean(x), mean(y), mean(x * x), mean(x * y), mean(y * y)


def bar(num, thickness=1.5, height=31, width=25):
    """An upright bar in the middle, with soft edges that an interpolation keeps."""
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    return torch.exp(-((x / thickness) ** 2) - (y / 5) ** 2)[None, None].repeat(num, 1, 1, 1)


def test_affine_moves_by_pixels_and_each_image_by_its_own():
    torch.manual_seed(0)
    _, x, y, *_ = moments(Affine(shift=3)(bar(400)))
    for moved in (x, y):
        assert 2.9 < moved.abs().max() <= 3.02 and moved.mean().abs() < 0.3 and moved.std() == pytest.approx(3 / 3**0.5, rel=0.08)
    assert torch.corrcoef(torch.stack([x, y]))[0, 1].abs() < 0.15


def test_affine_turns_within_its_angle():
    torch.manual_seed(0)
    before = moments(bar(1))
    mass, x, y, xx, xy, yy = moments(Affine(rotate=30)(bar(400)))
    angle = torch.rad2deg(0.5 * torch.atan2(2 * xy, yy - xx))  # of the long axis against upright
    assert 28 < angle.abs().max() < 30.5 and angle.std() == pytest.approx(30 / 3**0.5, rel=0.08)
    assert torch.allclose(xx + yy, (before[3] + before[5]).expand(400), rtol=0.03)  # a turn changes no length, on a page that is not square
    assert x.abs().max() < 0.05 and y.abs().max() < 0.05 and torch.allclose(mass, before[0].expand(400), rtol=0.01)


def test_affine_enlarges_by_its_share():
    torch.manual_seed(0)
    mass = moments(Affine(scale=0.2)(bar(400, 3)))[0] / moments(bar(1, 3))[0]
    assert mass.min() == pytest.approx(0.64, abs=0.03) and mass.max() == pytest.approx(1.44, abs=0.04)


def test_affine_slants_upright_lines():
    torch.manual_seed(0)
    mass, _, _, _, xy, yy = moments(Affine(shear=20)(bar(400)))
    lean = torch.rad2deg(torch.atan(xy / yy))
    assert 18.5 < lean.abs().max() < 20.5 and lean.mean().abs() < 2.5
    assert torch.allclose(yy, moments(bar(1))[5].expand(400), rtol=0.03) and torch.allclose(mass, moments(bar(1))[0].expand(400), rtol=0.02)


def test_affine_leaves_a_share_of_the_images_as_they_are():
    torch.manual_seed(0)
    pixels = bar(2000)
    same = (Affine(shift=3, rate=0.25)(pixels) == pixels).flatten(1).all(1)
    assert same.float().mean().item() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "changes nothing"), ({"shift": 1, "rate": 1.5}, "rate is 1.5; it must be a number from 0 to 1"), ({"rotate": 200}, "0 to 180 degrees"), ({"scale": 1.0}, "0 to 0.99"), ({"shear": 90}, "0 to 89 degrees"),
     ({"shift": -1}, "0 or more pixels"), ({"shift": float("nan")}, "0 or more pixels"), ({"shift": True}, "0 or more pixels")],
)  # fmt: skip
def test_affine_that_makes_no_sense(options, words):
    with pytest.raises(ValueError, match=words):
        Affine(**options)
