"""Files of images: exact where lossless, refused where damaged, as short as the bound says, and beside other compressors."""

import bz2
import lzma
import math
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from constriction import stream

from vision.compression import baselines, compress, container, decompress, quantized, rate_distortion
from vision.compression.baselines import huffman_bits, huffman_lengths
from vision.compression.bits_back import BLOCK, BUCKETS, edges, integer_pmf, masses, middles, put_back, take
from vision.data.processor import ImageProcessor
from vision.models.conv import ConvAutoencoder, ConvConfig
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.space import LatentSpace


def small_digits():
    """The 1,797 digits of scikit-learn, 8x8, with 17 levels from 0 to 240."""
    from sklearn.datasets import load_digits

    return (load_digits().images * 15).astype(np.uint8)


def make_space(seed=0, steps=0, images=None, **changes):
    """A small VAE of 8x8 images, trained for `steps` on `images`."""
    torch.manual_seed(seed)
    options = dict(height=8, width=8, latent_dim=6, hidden_dims=[48], likelihood="zero_inflated_levels", **changes)
    model = MLPAutoencoder(MLPConfig(**options))
    if steps:
        pixels = torch.from_numpy(images)[:, None].float() / 255
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(steps):
            output = model(pixel_values=pixels[torch.randint(len(pixels), (100,))])
            optimizer.zero_grad()
            (output.nll + output.posterior.kl().sum(1)).mean().backward()
            optimizer.step()
    return LatentSpace(model, ImageProcessor(model.config.channels, 8, 8), name="small")


@pytest.fixture(scope="module")
def digits():
    return small_digits()


@pytest.fixture(scope="module")
def space(digits):
    return make_space(steps=300, images=digits[:1400])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.tae"


# --- lossless -----------------------------------------------------------------------------------------------------


def test_lossless_is_exact_and_costs_what_the_bound_says(space, digits, path):
    images = digits[1400:]
    report = compress(space, images, path)
    assert np.array_equal(decompress(space, path), images) and decompress(space, path).dtype == np.uint8
    assert report.bytes == path.stat().st_size and report.num_images == 397 and report.num_pixels == 64
    assert report.net_bits == pytest.approx(report.elbo_bits, rel=0.02)
    payload = len(container.unpack(path.read_bytes(), "it")[1])
    assert 8 * payload == pytest.approx(397 * report.net_bits + report.initial_bits, abs=1e-6)
    assert 0 < report.initial_bits <= 48 * 6 + 64  # one image's code, at its dearest
    assert report.bytes_per_image < baselines(images)["xz"]
    assert report.bits_per_pixel == pytest.approx(8 * report.bytes / 397 / 64)
    assert report.psnr is None


def test_blocks_grow_and_are_full_at_last(space, digits, path):
    compress(space, digits[:1000], path)
    header, _ = container.unpack(path.read_bytes(), "it")
    sizes = [size for size, times in header["blocks"] for _ in range(times)]
    assert sizes[0] == 1 and max(sizes) == BLOCK and sum(sizes) == 1000 and len(sizes) < 40
    assert np.array_equal(decompress(space, path), digits[:1000])


def test_wide_codes_come_in_smaller_blocks(digits, path):
    wide = LatentSpace(
        MLPAutoencoder(MLPConfig(height=8, width=8, latent_dim=4096, hidden_dims=[4], likelihood="zero_inflated_levels")), ImageProcessor(1, 8, 8)
    )  # fmt: skip
    compress(wide, digits[:9], path)
    header, _ = container.unpack(path.read_bytes(), "it")
    assert max(size for size, _ in header["blocks"]) <= 4
    assert np.array_equal(decompress(wide, path), digits[:9])


@pytest.mark.parametrize("num", [1, 2, 3])
def test_few_images(space, digits, path, num):
    compress(space, digits[:num], path)
    assert np.array_equal(decompress(space, path), digits[:num])


def test_images_unlike_any_seen(space, path):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    images[:3] = np.array([0, 255, 128], np.uint8)[:, None, None]
    report = compress(space, images, path)
    assert np.array_equal(decompress(space, path), images)
    assert report.bits_per_pixel > 8  # nothing is free


@pytest.mark.parametrize("likelihood", ["beta_binomial", "logistic_mixture", "zero_inflated_logistic", "zero_inflated_levels"])
def test_color_through_every_likelihood(likelihood, path):
    torch.manual_seed(1)
    config = ConvConfig(channels=3, height=8, width=8, latent_dim=3, filters=[4], hidden_dim=8, likelihood=likelihood)
    space = LatentSpace(ConvAutoencoder(config), ImageProcessor(3, 8, 8))
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    report = compress(space, images, path)
    assert np.array_equal(decompress(space, path), images)
    assert report.net_bits == pytest.approx(report.elbo_bits, rel=0.05)  # five images, one draw each


def test_an_untrained_model_is_exact_too(digits, path):
    space = make_space(seed=5)
    with torch.no_grad():
        for parameter in space.model.parameters():
            parameter.mul_(6)  # strong and wrong opinions: codes far outside the prior
    compress(space, digits[:30], path)
    assert np.array_equal(decompress(space, path), digits[:30])


def test_pictures_that_cost_nothing_do_not_run_the_stack_dry(path):
    space = make_space(seed=2, steps=200, images=np.zeros((200, 8, 8), np.uint8))
    black = np.zeros((300, 8, 8), np.uint8)
    report = compress(space, black, path)
    assert np.array_equal(decompress(space, path), black)
    assert report.net_bits < 5


def test_inverted_images_come_back_as_given(digits, path):
    space = make_space()
    space.processor = replace(space.processor, invert=True)
    compress(space, 255 - digits[:9], path)
    assert np.array_equal(decompress(space, path), 255 - digits[:9])


def test_threads_do_not_change_a_file(space, digits, tmp_path):
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            compress(space, digits[:200], tmp_path / str(threads))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_saved_model_reads_the_file_and_a_fitted_prior_does_not_hinder(space, digits, path, tmp_path):
    from textae.core.prior import GaussianMixture

    compress(space, digits[:20], path)
    space.save_pretrained(tmp_path / "model")
    again = LatentSpace.from_pretrained(tmp_path / "model")
    again.model.set_prior("mixture", GaussianMixture(6, 2), {"components": 2})
    assert np.array_equal(decompress(again, path), digits[:20])


@pytest.mark.slow
def test_another_process_reads_the_file(space, digits, path, tmp_path):
    compress(space, digits[:300], path)
    space.save_pretrained(tmp_path / "model")
    code = (
        "import sys, numpy as np; from vision.compression import decompress; from vision.space import LatentSpace\n"
        "np.save(sys.argv[3], decompress(LatentSpace.from_pretrained(sys.argv[1]), sys.argv[2]))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, tmp_path / "model", path, tmp_path / "out.npy"], cwd=root, check=True)
    assert np.array_equal(np.load(tmp_path / "out.npy"), digits[:300])


def test_buckets_have_equal_mass_and_the_posterior_finds_them():
    mass = torch.special.ndtr(edges()).diff()
    torch.testing.assert_close(mass, torch.full_like(mass, 1 / BUCKETS), rtol=1e-6, atol=0)
    # Random bits, decoded with q, are draws from q; putting them back gives the bits again.
    num, mean, std = 20_000, 0.7, 0.05
    words = np.random.default_rng(0).integers(1, 2**32, num, dtype=np.uint32)
    coder = stream.stack.AnsCoder(words)
    parameters = torch.full((num,), mean, dtype=torch.float64), torch.full((num,), std, dtype=torch.float64)
    buckets = take(coder, *parameters)
    z = (middles()[torch.from_numpy(buckets)] - mean) / std
    assert abs(z.mean()) < 4 / math.sqrt(num) and z.abs().median().item() == pytest.approx(0.6745, abs=0.02)
    assert (z.abs() > 6).double().mean() < 5e-4  # the coder's least probabilities draw from the prior instead
    put_back(coder, buckets, *parameters)
    assert np.array_equal(coder.get_compressed(), words)


def test_masses_keep_their_digits_in_both_tails():
    bounds = torch.tensor([[5.0, 6.0, 7.0, math.inf], [-math.inf, -7.0, -6.0, -5.0], [90.0, 91.0, 92.0, 93.0]]).double()
    share = masses(bounds, torch.zeros(3).double(), torch.ones(3).double())
    # scipy.stats.norm.sf of 5, 6, 7
    tail = torch.tensor([2.866515718791933e-07, 9.865876450376946e-10, 1.279812543885835e-12, 0.0], dtype=torch.float64)
    expected = (tail[:-1] - tail[1:]) / tail[0]
    torch.testing.assert_close(share[0], expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(share[1], expected.flip(0), rtol=1e-9, atol=0)
    torch.testing.assert_close(share[2], torch.full((3,), 1 / 3).double())


def test_the_coder_takes_integer_probabilities_as_they_are():
    generator = torch.Generator().manual_seed(0)
    log_pmf = (6 * torch.randn(200, 256, generator=generator, dtype=torch.float64)).log_softmax(-1)
    counts = integer_pmf(log_pmf.exp())
    assert (counts.sum(1, dtype=np.float64) == 2**24 - 256).all() and (counts >= 0).all()
    shares = (counts.astype(np.float64) + 1) / 2**24
    symbols = torch.multinomial(log_pmf.exp(), 1, generator=generator)[:, 0].numpy().astype(np.int32)
    coder = stream.stack.AnsCoder(np.arange(1, 50, dtype=np.uint32))
    before = coder.num_bits()
    for _ in range(20):
        coder.encode_reverse(symbols, stream.model.Categorical(perfect=False), counts)
    ideal = -20 * np.log2(shares[np.arange(200), symbols]).sum()
    assert coder.num_bits() - before == pytest.approx(ideal, abs=64)
    kl = (log_pmf.exp().numpy() * (log_pmf.numpy() / math.log(2) - np.log2(shares))).sum(1)
    assert kl.max() < 2e-3  # bits that rounding to integers costs a pixel


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["lossless", "lossy"])
def test_every_flipped_bit_and_every_cut_is_refused(space, digits, path, mode):
    compress(space, digits[:2], path, mode=mode)
    good, bad = path.read_bytes(), path.with_name("bad")
    for position in range(8 * len(good)):
        flipped = bytearray(good)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(ValueError, match="^bad is [^.]*$"):
            container.unpack(bytes(flipped), "bad")
        if position % 37 == 0:  # `decompress` begins with `unpack`
            bad.write_bytes(flipped)
            with pytest.raises(ValueError, match="bad is "):
                decompress(space, bad)
    for length in range(len(good)):
        with pytest.raises(ValueError, match="is damaged|is truncated|is not a file"):
            container.unpack(good[:length], "bad")
    bad.write_bytes(good + b"\0")
    with pytest.raises(ValueError, match="is damaged"):
        decompress(space, bad)
    assert len(decompress(space, path)) == 2


def test_other_models_versions_and_files_are_refused(space, digits, path):
    for mode in ("lossless", "lossy"):
        compress(space, digits[:2], path, mode=mode)
        with pytest.raises(ValueError, match="written by another model than small"):
            decompress(make_space(seed=9), path)
    content = bytearray(path.read_bytes()[: -container.DIGEST])
    content[8] = 2
    path.write_bytes(bytes(content) + container.digest(bytes(content)))
    with pytest.raises(ValueError, match="version 2"):
        decompress(space, path)
    for foreign in (b"", b"\x89PNG\r\n\x1a\n" + bytes(100), lzma.compress(b"words")):
        path.write_bytes(foreign)
        with pytest.raises(ValueError, match="is not a file of compressed images"):
            decompress(space, path)
    sound = {"model": container.fingerprint(space.model), "count": 2, "shape": [1, 8, 8]}
    for header in (
        {}, {"mode": "lossless", **sound}, {"mode": "lossy", **sound}, {"mode": "lossy", **sound, "step": 0.5, "entropy": "x"},
        {"mode": "lossless", **sound, "kept": 0, "pixels": "", "writer": "", "blocks": [[1, 1]]},
    ):  # fmt: skip
        path.write_bytes(container.pack(header, b""))
        with pytest.raises(ValueError, match="its header lacks"):
            decompress(space, path)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        decompress(space, path.with_name("absent"))


def test_other_probabilities_are_noticed(space, digits, path):
    compress(space, digits[:20], path)
    other = make_space(seed=0, steps=0)
    other.model.load_state_dict(space.model.state_dict())
    with torch.no_grad():
        other.model.output.bias[0] += 1e-3
    header, payload = container.unpack(path.read_bytes(), "it")
    path.write_bytes(container.pack({**header, "model": container.fingerprint(other.model)}, payload))
    with pytest.raises(ValueError, match="computes other probabilities"):
        decompress(other, path)


def test_what_cannot_be_coded_is_refused_and_nothing_is_written(space, digits, path):
    path.write_bytes(b"kept")
    point = make_space(posterior="point")
    for wrong, options, words in [
        (point, {}, "needs a VAE"),
        (make_space().__class__(_bernoulli(), ImageProcessor(1, 8, 8)), {}, "likelihood=bernoulli"),
        (space, {"mode": "lossles"}, "did you mean 'lossless'"),
        (space, {"step": 0.1}, "step is for mode=lossy"),
        (space, {"mode": "lossy", "step": 0.0}, "must be above 0"),
        (space, {"mode": "lossy", "step": math.nan}, "must be above 0"),
        (space, {"mode": "lossy", "step": 1e-9}, "too small"),
    ]:
        with pytest.raises(ValueError, match=words):
            compress(wrong, digits[:3], path, **options)
    resizing = LatentSpace(space.model, replace(space.processor, resize="fit"))
    with pytest.raises(ValueError, match="must not resize"):
        compress(resizing, digits[:3], path)
    for images, words in [
        ([], "empty"),
        (digits[0], "not a single one"),
        (np.zeros((3, 9, 9), np.uint8), "image 1"),
        (np.full((3, 8, 8), 0.3, np.float32), "multiples of 1/255"),
    ]:
        with pytest.raises(ValueError, match=words):
            compress(space, images, path)
    with pytest.raises(OSError, match="could not write"):
        compress(space, digits[:3], path.parent / "absent" / "file")
    assert path.read_bytes() == b"kept" and list(path.parent.iterdir()) == [path]


def _bernoulli():
    return MLPAutoencoder(MLPConfig(height=8, width=8, latent_dim=2, hidden_dims=[4], likelihood="bernoulli"))


def test_damaged_weights_are_refused(digits, path):
    space = make_space()
    for layer, modes in ((space.model.output, ["lossless"]), (space.model.posterior_head.mean, ["lossless", "lossy"])):
        with torch.no_grad():
            layer.bias[0] = math.nan
        for mode in modes:
            with pytest.raises(ValueError, match="its weights are damaged"):
                compress(space, digits[:3], path, mode=mode)


# --- lossy --------------------------------------------------------------------------------------------------------


def test_lossy_gives_back_the_rounded_codes(space, digits, path):
    report = compress(space, digits[:100], path, mode="lossy", step=0.5)
    rebuilt = decompress(space, path)
    codes = torch.round(space.encode(list(digits[:100])) / 0.5) * 0.5
    assert np.array_equal(rebuilt, np.stack(space.decode(codes)))
    assert report.mse == pytest.approx((((rebuilt.astype(float) - digits[:100]) / 255) ** 2).mean())
    assert report.psnr == pytest.approx(-10 * math.log10(report.mse)) and report.step == 0.5
    assert report.bytes == path.stat().st_size and report.net_bits is None


def test_finer_steps_cost_more_and_err_less(space, digits, path):
    points = rate_distortion(space, digits[1400:], [4.0, 2.0, 1.0, 0.5, 0.25])
    sizes, errors = [p.bytes_per_image for p in points], [p.mse for p in points]
    assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)
    assert points[2].bytes_per_image == compress(space, digits[1400:], path, mode="lossy", step=1.0).bytes_per_image
    assert points[-1].psnr > points[0].psnr + 1
    smallest = rate_distortion(space, digits[1400:], [0.001])[0]
    exact = np.stack(space.reconstruct(list(digits[1400:])))
    assert smallest.mse == pytest.approx((((exact.astype(float) - digits[1400:]) / 255) ** 2).mean(), rel=1e-3)


@pytest.mark.parametrize("posterior", ["point", "gaussian"])
def test_lossy_takes_any_model(posterior, digits, path):
    space = LatentSpace(
        MLPAutoencoder(MLPConfig(height=8, width=8, latent_dim=2, hidden_dims=[4], posterior=posterior)), ImageProcessor(1, 8, 8)
    )
    for num in (1, 50):
        compress(space, digits[:num], path, mode="lossy")
        assert decompress(space, path).shape == (num, 8, 8)


def codes_of(kind):
    rng = np.random.default_rng(0)
    two = np.where(rng.random((500, 1)) < 0.5, -300, 300) + rng.integers(-1, 2, (500, 3))
    return {
        "normal": rng.normal(3, 20, (500, 4)).round(), "two heaps": two, "constant": np.full((50, 3), -7), "one": np.array([[5, -100_000]]),
        "wide": rng.integers(-500_000, 500_000, (300, 2)),
    }[kind].astype(np.int32)  # fmt: skip


@pytest.mark.parametrize("kind", ["normal", "two heaps", "constant", "one", "wide"])
def test_both_entropy_models_are_exact(kind):
    levels = codes_of(kind)
    for encode, decode in (
        (quantized._encode_gaussian, quantized._decode_gaussian), (quantized._encode_histograms, quantized._decode_histograms),
    ):  # fmt: skip
        assert np.array_equal(decode(encode(levels), *levels.shape), levels)
    entropy, payload = quantized.encode(levels)
    assert np.array_equal(quantized.decode(entropy, payload, *levels.shape), levels)


def test_the_shorter_entropy_model_is_taken_and_is_near_the_entropy():
    entropy, payload = quantized.encode(codes_of("two heaps"))
    assert entropy == quantized.HISTOGRAM
    assert 8 * len(payload) < 1.05 * 500 * 3 * (1 + math.log2(3)) + 1000  # a heap and one of three places, each of three codes
    entropy, payload = quantized.encode(codes_of("normal"))
    assert entropy == quantized.GAUSSIAN
    assert 8 * len(payload) < 1.02 * 500 * 4 * math.log2(20 * math.sqrt(2 * math.pi * math.e)) + 8 * (8 + 32) + 64


# --- other compressors --------------------------------------------------------------------------------------------


def test_baselines_are_what_the_libraries_give(digits):
    images, data = digits[:300], digits[:300].tobytes()
    found = baselines(images)
    assert found["raw"] == 64
    assert found["zlib"] == len(zlib.compress(data, 9)) / 300 and found["bzip2"] == len(bz2.compress(data, 9)) / 300
    assert found["xz"] == len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)) / 300
    assert found["lzma"] < found["xz"] and found["png"] > found["zlib"]
    shares = np.bincount(images.ravel()) / images.size
    entropy = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum() * 64 / 8
    assert entropy <= found["huffman"] < entropy + 64 / 8
    with pytest.raises(ValueError, match="give uint8"):
        baselines(images / 255)


def test_huffman_lengths():
    assert huffman_lengths([45, 13, 12, 16, 9, 5]) == [1, 3, 3, 3, 4, 4]
    assert huffman_bits([45, 13, 12, 16, 9, 5]) == 224  # Cormen et al., sec. 16.3
    assert huffman_lengths([0, 7, 0]) == [0, 1, 0] and huffman_lengths([0, 0]) == [0, 0]
    fibonacci = [1, 1, 2, 3, 5, 8, 13, 21]
    assert sorted(huffman_lengths(fibonacci)) == [1, 2, 3, 4, 5, 6, 7, 7]
    counts = np.random.default_rng(0).integers(1, 10**6, 256)
    assert sum(2.0**-length for length in huffman_lengths(counts)) == 1  # Kraft: no code word is wasted


@pytest.mark.slow
@pytest.mark.data
def test_baselines_on_mnist(data_folder):
    from vision.data import DATASETS

    found = baselines(DATASETS["mnist"]()["test"].images)
    # lzma: 136.4 at the library's default preset
    for name, size in {"huffman": 222.2, "zlib": 160.2, "lzma": 135.4, "xz": 135.5}.items():
        assert found[name] == pytest.approx(size, abs=0.06)
