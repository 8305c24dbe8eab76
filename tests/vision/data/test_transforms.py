"""Exercise 9.1: a permutation loses nothing, a rotation agrees with exact turns and with Pillow, a flip is its own inverse."""

import numpy as np
import pytest
import torch
from PIL import Image

from vision.data.transforms import TRANSFORMS, Flip, Identity, Permutation, Rotation, Transforms


def batch(num=8, channels=3, height=12, width=12):
    return torch.rand(num, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("step", [Identity(), Permutation(3), Rotation(30), Flip()])
@pytest.mark.parametrize("shape", [(12, 12), (7, 15)])
def test_invariants(step, shape):
    pixels = batch(height=shape[0], width=shape[1])
    before = pixels.clone()
    state = torch.random.get_rng_state()
    out = step(pixels)
    assert torch.equal(pixels, before) and out.shape == pixels.shape and out.dtype == torch.float32
    assert out.min() >= 0 and out.max() <= 1 and torch.equal(step(pixels), out)
    assert torch.equal(torch.random.get_rng_state(), state)  # fixed, not drawn
    assert torch.equal(step(pixels[2:3])[0], out[2])  # each image as it is alone


def test_every_kind_is_tested():
    assert {type(step) for step in (Identity(), Permutation(), Rotation(1), Flip())} == set(TRANSFORMS.values())


def test_a_permutation_is_a_fixed_bijection():
    numbered = torch.arange(12 * 15.0).view(1, 1, 12, 15).expand(2, 3, 12, 15)
    out = Permutation(7)(numbered)
    assert torch.equal(out[0, 0].flatten().sort().values, numbered[0, 0].flatten())
    assert torch.equal(out, out[:1, :1].expand_as(out))  # the same for all images and channels
    assert not torch.equal(out, numbered) and not torch.equal(out, Permutation(8)(numbered))
    assert (out[0, 0] == numbered[0, 0]).sum() < 8  # one on average stays
    assert torch.equal(out[0, 0].flatten().long(), torch.from_numpy(np.random.default_rng(7).permutation(180)))


@pytest.mark.parametrize("angle", [0, 360, -720])
@pytest.mark.parametrize("shape", [(12, 12), (7, 15)])
def test_no_rotation_is_the_identity(angle, shape):
    pixels = batch(height=shape[0], width=shape[1])
    assert torch.allclose(Rotation(angle)(pixels), pixels, atol=1e-5)


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_quarter_turns_are_exact(quarters, size):
    pixels = batch(height=size, width=size)
    assert torch.allclose(Rotation(90 * quarters)(pixels), pixels.rot90(quarters, (2, 3)), atol=1e-5)


def test_half_a_turn_of_a_rectangle():
    pixels = batch(height=7, width=15)
    assert torch.allclose(Rotation(180)(pixels), pixels.flip((2, 3)), atol=1e-5)


@pytest.mark.parametrize("angle", [17.0, -40.0, 75.0])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_rotation_extends_turns_and_crops(angle, fill):
    """As the exercise says it, with Pillow: a border wide enough, a turn, the middle again. Rectangles keep proportions."""
    pixels = batch(2, 1, 20, 31)
    out = Rotation(angle, fill)(pixels)
    for image, turned in zip(pixels[:, 0].numpy(), out[:, 0].numpy(), strict=True):
        wide = np.pad(image, 40, constant_values=fill)
        expected = np.asarray(Image.fromarray(wide).rotate(angle, Image.Resampling.BILINEAR))[40:60, 40:71]
        assert np.abs(turned - expected).max() < 1e-3


def test_a_turn_and_back_keeps_a_smooth_picture():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 28), torch.linspace(-1, 1, 28), indexing="ij")
    blob = torch.exp(-(((x - 0.2) / 0.35) ** 2 + ((y + 0.1) / 0.2) ** 2))[None, None]
    assert (Rotation(-33)(Rotation(33)(blob)) - blob).abs().max() < 0.08
    assert (Rotation(33)(blob) - blob).abs().max() > 0.2


def test_flips():
    pixels = batch(height=7, width=15)
    assert torch.equal(Flip()(pixels), pixels.flip(3)) and torch.equal(Flip("vertical")(pixels), pixels.flip(2))
    assert all(torch.equal(Flip(axis)(Flip(axis)(pixels)), pixels) for axis in ("horizontal", "vertical"))


def test_composed_in_order():
    pixels = batch()
    assert torch.equal(Transforms(Flip(), Permutation(1))(pixels), Permutation(1)(Flip()(pixels)))
    assert not torch.equal(Transforms(Permutation(1), Flip())(pixels), Permutation(1)(Flip()(pixels)))


def test_a_random_one_for_each_image():
    steps = Identity(), Permutation(1), Rotation(90), Flip()
    mixed = Transforms(*steps, mode="random")
    pixels = batch(4000, 1, 4, 4)
    outs = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        outs.append(mixed(pixels))
    assert torch.equal(outs[0], outs[1]) and not torch.equal(outs[0], outs[2])
    alone = torch.stack([step(pixels) for step in steps])
    matches = (alone - outs[0]).abs().flatten(2).amax(2) < 1e-6  # steps, images
    assert (matches.sum(0) == 1).all()
    assert matches.float().mean(1).tolist() == pytest.approx([0.25] * 4, abs=0.03)  # deviation 0.007


def test_from_plain_settings():
    one = Transforms.from_config({"kind": "rotation", "angle": 30})
    assert one.steps == (Rotation(30),) and one.mode == "compose" and one.apply_to == "both"
    several = Transforms.from_config({"steps": ["identity", {"kind": "flip", "axis": "vertical"}], "mode": "random", "apply_to": "input"})
    assert several.steps == (Identity(), Flip("vertical")) and several.mode == "random" and several.apply_to == "input"
    assert Transforms.from_config(["flip", {"kind": "permutation", "seed": 4}]).steps == (Flip(), Permutation(4))
    assert repr(one) == "Transforms(Rotation(angle=30, fill=0.0), mode='compose', apply_to='both')"


@pytest.mark.parametrize(
    "spec, message",
    [
        ({"kind": "rotation"}, "needs the key 'angle'"),
        ({"kind": "rotation", "angle": float("nan")}, "angle is nan"),
        ({"kind": "rotation", "angle": 3, "fill": 2}, "fill is 2"),
        ({"kind": "rotate", "angle": 3}, "no kind 'rotate': did you mean 'rotation'"),
        ({"kind": "flip", "axis": "diagonal"}, "no axis 'diagonal'"),
        ({"kind": "permutation", "seed": -1}, "seed is -1"),
        ({"steps": ["flip"], "mode": "all"}, "no mode 'all'"),
        ({"steps": ["flip"], "apply_to": "target"}, "no apply_to 'target'"),
        ({"steps": ["flip"], "mod": "random"}, "no key 'mod': did you mean 'mode'"),
        ({"steps": []}, "at least one step"),
        (4, "data.transforms is 4"),
    ],
)
def test_settings_out_of_range(spec, message):
    with pytest.raises(ValueError, match=message):
        Transforms.from_config(spec)
