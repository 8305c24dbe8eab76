"""What the server does with digits: answers of the bundled models, and what it refuses."""

import json

import numpy as np
import pytest
import torch

from apps.digits import verbs
from apps.digits.browser import as_script, map_models, title, weights
from apps.digits.picture import data_address
from apps.digits.recorded import CODES, FOLDER, JUDGE, MAPS, PER_CLASS, codes_on_map, detector, record
from apps.shelf import Shelf
from apps.tabs.digits import heat, strip


@pytest.fixture(scope="module")
def shelf():
    return Shelf(device="cpu")


@pytest.fixture(scope="module")
def one():
    """A digit 1 and, from a model that knows classes, a 3."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 13:15] = 255
    return data_address(pixels)


@pytest.fixture(scope="module")
def three(shelf):
    return data_address(verbs.samples(shelf, "3", 1, 0.3, 0)[0][1])


def test_rebuilding_is_what_the_model_does(shelf, one):
    space = shelf.open("mnist-vae", "images")
    found = verbs.rebuild(shelf, one, "mnist-vae")
    assert np.array_equal(found.image, space.reconstruct(found.seen))
    assert np.allclose(found.code, space.encode(found.seen)) and len(found.code) == 2
    assert found.squared_error == pytest.approx(((found.image / 255.0 - found.seen / 255.0) ** 2).sum(), rel=0.05)


def test_samples_are_of_their_class_and_repeat_their_seed(shelf):
    found = verbs.samples(shelf, "all", 12, 1.0, 5)
    assert [label for label, _ in found] == [*"0123456789", "0", "1"]
    again, other = verbs.samples(shelf, "all", 12, 1.0, 5), verbs.samples(shelf, "all", 12, 1.0, 6)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(found, again, strict=True)) and not np.array_equal(found[0][1], other[0][1])
    space = shelf.open("mnist-cvae", "images")
    assert np.array_equal(verbs.samples(shelf, 7, 2, 1.0, 3)[1][1], space.sample(2, seed=3, attributes={"label": "7"})[1])


def test_a_walk_has_both_reconstructions_at_its_ends(shelf, one, three):
    steps = verbs.interpolate(shelf, one, three, 5, "lerp")
    assert len(steps) == 5 and np.array_equal(steps[0], verbs.rebuild(shelf, one, JUDGE).image)
    assert np.array_equal(steps[-1], verbs.rebuild(shelf, three, JUDGE).image) and not np.array_equal(steps[2], steps[0])


def test_a_stray_stroke_is_odd_and_the_map_shows_where(shelf, three):
    from apps.digits.picture import read_digit

    plain = verbs.anomaly(shelf, three)
    marked = (read_digit(three) * 255).astype(np.uint8)
    marked[2:9, 22:25] = 255
    odd = verbs.anomaly(shelf, data_address(marked))
    assert plain.p_value > 0.05 > odd.p_value and odd.score > plain.score and odd.alarm and not plain.alarm
    assert np.isclose(odd.heat.max(), odd.heat[2:9, 22:25].max()) and odd.heat.shape == (28, 28)


def test_denoising_comes_with_its_model(shelf, three):
    if not verbs.can(shelf, "denoise"):
        pytest.skip("mnist-denoiser is not bundled")
    found = verbs.denoise(shelf, three, 0.5, 0)
    assert found.psnr_clean > found.psnr_noisy + 5
    assert verbs.denoise(shelf, three, 0.0, 0).psnr_clean is None
    assert verbs.MODELS["denoise"] not in verbs.digit_models(shelf)


def test_draws_leave_the_global_generator(shelf):
    before = torch.get_rng_state()
    verbs.samples(shelf, "all", 3, 1.0, 1)
    assert torch.equal(before, torch.get_rng_state())


REFUSED = [
    (lambda s, p: verbs.rebuild(s, p, "everyday"), "the model must be one of mnist-aae, "),
    (lambda s, p: verbs.rebuild(s, p, "../../etc"), "the model must be one of"),
    (lambda s, p: verbs.rebuild(s, p, None), "the model must be one of"),
    (lambda s, p: verbs.rebuild(s, "", "mnist-vae"), "the picture is missing"),
    (lambda s, p: verbs.samples(s, "11", 3, 1, 0), "the digit must be one of all, 0"),
    (lambda s, p: verbs.samples(s, True, 3, 1, 0), "the digit must be one of"),
    (lambda s, p: verbs.samples(s, "1", 10**9, 1, 0), "from 1 to 30"),
    (lambda s, p: verbs.samples(s, "1", 3, float("nan"), 0), "spread is nan"),
    (lambda s, p: verbs.samples(s, "1", 3, 1, 2**64), "the seed is"),
    (lambda s, p: verbs.interpolate(s, p, p, 10**9, "lerp"), "from 2 to 25"),
    (lambda s, p: verbs.interpolate(s, p, "", 3, "lerp"), "the second picture is missing"),
    (lambda s, p: verbs.interpolate(s, p, p, 3, "spiral"), "the path must be one of"),
    (lambda s, p: verbs.anomaly(s, "x" * 50), "is no PNG|is not base64"),
    (lambda s, p: verbs.denoise(s, p, -1, 0), "sigma is -1"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_bad_input_is_refused_in_a_sentence(shelf, one, number):
    ask, message = REFUSED[number]
    with pytest.raises(ValueError, match=message) as caught:
        ask(shelf, one)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


# --- what the browser gets ------------------------------------------------------------------------------------


def test_maps_are_of_flat_codes_of_digits_and_hold_what_was_added(shelf, tmp_path):
    from vision.data.processor import ImageProcessor
    from vision.models.mlp import MLPAutoencoder, MLPConfig
    from vision.space import LatentSpace

    assert map_models(shelf) == [*MAPS] and [title(n) for n in MAPS] == ["AE", "VAE", "AAE"]
    mine = LatentSpace(MLPAutoencoder(MLPConfig(hidden_dims=[8], latent_dim=2)).eval(), ImageProcessor(1, 28, 28), name="mine")
    small = LatentSpace(MLPAutoencoder(MLPConfig(hidden_dims=[8], latent_dim=2, height=8, width=8)).eval(), ImageProcessor(1, 8, 8), name="small")
    config = MLPConfig(hidden_dims=[8], latent_dim=2, code_activation="tanh", posterior="point")
    shaped = LatentSpace(MLPAutoencoder(config).eval(), ImageProcessor(1, 28, 28), name="shaped")  # a code that the scripts do not know
    other = Shelf(device="cpu", spaces={"mine": mine, "small": small, "shaped": shaped}, bundled=False)
    assert map_models(other) == ["mine"] and title("mine") == "mine"
    packed = weights(other, "mine")
    assert packed["codes"] is None and packed["encoder"]["mean"]["weight"]["dtype"] == "float32"


def test_bundled_weights_go_in_16_bits_without_loss(shelf):
    packed = weights(shelf, "mnist-vae")
    assert packed["decoder"]["precision"] == "float16" and packed["decoder"]["error"] == 0
    assert len(json.dumps(packed)) < 2.4e6
    script = as_script(shelf, "mnist-vae")
    assert script.startswith("(window.textaeWeights ||= {})[\"mnist-vae\"] = {") and "<" not in script


def test_recordings_are_of_the_bundled_models(shelf):
    recorded = json.loads((FOLDER / CODES).read_text())
    assert [recorded["labels"].count(str(d)) for d in range(10)] == [PER_CLASS] * 10
    for name in MAPS:
        packed = codes_on_map(shelf.open(name, "images"))
        assert packed is not None, f"{name} has changed: record its codes anew with python -m apps.digits.recorded"
        assert packed["model"] == name and packed["shape"] == [10 * PER_CLASS, 2]
    assert detector(shelf.open(JUDGE, "images")).false_positive_rate == 0.05
    assert codes_on_map(shelf.open("mnist-cvae", "images")) is None


@pytest.mark.data
@pytest.mark.slow
def test_recording_anew_gives_the_same(tmp_path):
    record(tmp_path)
    assert (tmp_path / CODES).read_text() == (FOLDER / CODES).read_text()
    assert (tmp_path / "anomaly.safetensors").stat().st_size == (FOLDER / "anomaly.safetensors").stat().st_size


# --- what the page shows --------------------------------------------------------------------------------------


def test_heat_runs_from_cold_to_hot():
    colors = heat(np.linspace(0, 5, 9).reshape(3, 3)).astype(int)
    assert colors.shape == (3, 3, 3) and (np.diff(colors.sum(2).ravel()) > 0).all()
    assert np.array_equal(heat(np.zeros((2, 2)))[0, 0], [0, 0, 4])


def test_captions_are_escaped():
    html = strip([("<script>x</script>", np.zeros((4, 4), np.uint8))])
    assert "<script" not in html and 'alt="&lt;script&gt;' in html
