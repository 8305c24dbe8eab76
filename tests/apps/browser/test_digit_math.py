"""Digits in Chromium against torch: what is drawn, encoded and decoded there is what the models themselves compute, and in time."""

import numpy as np
import pytest
import torch

from apps.digits.browser import map_models, weights
from apps.shelf import Shelf

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shelf():
    return Shelf(device="cpu")


@pytest.fixture(scope="module")
def opened_models(scripts, shelf):
    """The maps' models, unpacked in the browser as `models`."""
    names = map_models(shelf)
    assert names == ["mnist-ae", "mnist-vae", "mnist-aae"]
    scripts.evaluate("() => { window.models = {}; }")
    for name in names:
        scripts.evaluate(
            "({ name, spec }) => { models[name] = { encoder: new Decoder.Encoder(spec.encoder), decoder: new Decoder.Network(spec.decoder) }; }",
            {"name": name, "spec": weights(shelf, name)},
        )
    return scripts


@pytest.fixture(scope="module")
def drawn(scripts):
    """Our ten digits as the models read them, float64 (10, 28, 28)."""
    return np.array(scripts.evaluate("Strokes.DIGITS.map((d) => Array.from(Strokes.normalize(d)))")).reshape(10, 28, 28)


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-vae", "mnist-aae"])
def test_the_browser_encodes_and_decodes_as_torch_does(opened_models, shelf, drawn, name):
    space = shelf.open(name, "images")
    pixels = torch.from_numpy(drawn).float()[:, None]
    codes = 3 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        posterior = space.model.encode(pixel_values=pixels)
        images = space.model.generate(codes).flatten(1)
    found = opened_models.evaluate(
        """({ name, pixels, codes }) => {
          const plain = (x) => Array.from(x);
          const { encoder, decoder } = models[name];
          const read = pixels.map((x) => encoder.encode(x));
          return { mean: read.map((r) => plain(r.mean)), sigma: read.map((r) => r.sigma && plain(r.sigma)), images: codes.map((z) => plain(decoder.decode(...z))) };
        }""",
        {"name": name, "pixels": pixels.flatten(1).tolist(), "codes": codes.tolist()},
    )
    assert np.abs(np.array(found["mean"]) - posterior.mean.numpy()).max() < 1e-5
    assert np.abs(np.array(found["images"]) - images.numpy()).max() < 1e-5
    if name == "mnist-vae":
        assert np.abs(np.array(found["sigma"]) - posterior.logvar.mul(0.5).exp().numpy()).max() < 1e-5
    else:
        assert found["sigma"] == [None] * 10


def test_a_frame_of_hovering_is_decoded_in_time(opened_models):
    """All three models decode; the median of many, after the compiler has warmed up."""
    milliseconds = opened_models.evaluate("""() => {
      const times = [];
      for (let k = 0; k < 60; k++) {
        const start = performance.now();
        for (const { decoder } of Object.values(models)) decoder.decode(k / 30 - 1, 0.5);
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[30];
    }""")
    print(f"three decodings: {milliseconds:.2f} ms")
    assert milliseconds < 16


def test_a_drawing_is_normalized_as_mnist_is(drawn):
    for digit, pixels in enumerate(drawn):
        assert pixels.min() == 0 and pixels.max() == 1
        mass, at = pixels.sum(), np.arange(28) + 0.5
        assert abs((pixels.sum(1) * at).sum() / mass - 14) < 0.05 and abs((pixels.sum(0) * at).sum() / mass - 14) < 0.05, digit
        rows, columns = (np.flatnonzero((pixels > 0.3).any(axis)) for axis in (1, 0))
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21


def test_size_and_place_on_the_paper_do_not_matter(scripts):
    first, other = scripts.evaluate("""[[1, 0, 0], [0.31, 140, -20]].map(([scale, dx, dy]) =>
      Array.from(Strokes.normalize(Strokes.DIGITS[5].map((s) => s.map(([x, y]) => [dx + scale * x, dy + scale * y])))))""")
    assert np.allclose(first, other, atol=1e-9)


@pytest.mark.parametrize("strokes", [[], [[]], [[[50, 50]]], [[[50, 50], [50, 50]]], [[[0, 0], [280, 0]]]])
def test_strange_drawings_have_pixels_too(scripts, strokes):
    pixels = np.array(scripts.evaluate("(s) => Array.from(Strokes.normalize(s))", strokes))
    assert pixels.shape == (784,) and np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1
    assert (pixels.sum() > 0) == any(strokes)


def test_our_digits_are_read_as_what_they_are(shelf, drawn):
    """The nearest recorded digits on the AE's map; 4 and 9, 3, 5 and 8 share their places there, so most is not all."""
    import base64

    space = shelf.open("mnist-ae", "images")
    packed = weights(shelf, "mnist-ae")["codes"]
    codes = np.frombuffer(base64.b64decode(packed["data"]), "<f2").reshape(packed["shape"]).astype(float)
    labels = np.array([int(c) for c in packed["labels"]])
    with torch.no_grad():
        mine = space.model.encode(pixel_values=torch.from_numpy(drawn).float()[:, None]).mean.numpy()
    nearest = np.linalg.norm(codes[None] - mine[:, None], axis=2).argsort(1)[:, :10]
    found = [np.bincount(labels[row], minlength=10).argmax() for row in nearest]
    assert sum(f == d for d, f in enumerate(found)) >= 6, found
