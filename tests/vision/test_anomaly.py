"""Detectors: thresholds that keep their promise, maps that point at defects, files that come back or are refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from vision.anomaly import FILE, AnomalyDetector, OneClass, one_class_auroc, projected
from vision.data.digits import enlarge
from vision.data.images import ImageSet
from vision.defects import localization_benchmark, make_defects
from vision.metrics import pixel_auroc
from vision.reduction import pca_space

ORDER = np.random.default_rng(0).permutation(1797)[:600]  # writers are not shuffled in the set, so not exchangeable
RAW = enlarge(load_digits().images[ORDER] / 16)
IMAGES = [image[..., 0] for image in RAW]
PIXELS = torch.from_numpy(RAW).permute(0, 3, 1, 2) / 255
NORMAL, HELD_OUT, TEST = slice(0, 300), slice(300, 500), slice(500, 600)
SPACE = pca_space(PIXELS[NORMAL], 16)
NOISE = [np.random.default_rng(i).integers(0, 256, (28, 28), dtype=np.uint8) for i in range(5)]


def make_detector(score="relative", rate=0.05):
    return AnomalyDetector(SPACE, score).fit(PIXELS[NORMAL], PIXELS[HELD_OUT], false_positive_rate=rate)


def test_it_tells_noise_from_digits_at_about_the_promised_rate():
    detector = make_detector(rate=0.1)
    assert detector.predict(NOISE).all()
    assert detector.predict(IMAGES[TEST]).mean() < 0.2  # 0.1 but for the luck of 100 images
    assert detector.p_value(NOISE) == pytest.approx([1 / 201] * 5)
    assert 0.3 < detector.p_value(IMAGES[TEST]).mean() < 0.7  # uniform on normal images


def test_images_come_in_any_form_and_results_in_order():
    detector = make_detector()
    scores = detector.score(IMAGES[TEST])
    assert scores.shape == (100,) and scores.dtype == np.float64
    for form in (PIXELS[TEST], ImageSet(RAW[TEST]), [i / 255 for i in IMAGES[TEST]]):
        assert detector.score(form) == pytest.approx(scores, rel=1e-4)
    one = detector.score(IMAGES[500])
    assert isinstance(one, float) and one == pytest.approx(scores[0])
    assert isinstance(detector.p_value(IMAGES[500]), float) and detector.predict(NOISE[0]) is True
    assert detector.localize(IMAGES[500]).shape == (28, 28) and detector.localize(PIXELS[TEST]).shape == (100, 28, 28)
    assert detector.score(PIXELS[TEST].flip(0)) == pytest.approx(scores[::-1], rel=1e-4)


def test_the_threshold_is_the_conformal_quantile():
    detector = make_detector()
    sorted_scores = np.sort(detector.score(PIXELS[HELD_OUT]))
    for rate, rank in ((0.05, 191), (0.1, 181), (0.5, 101), (0.005, 200)):  # ceil(201 (1 - rate))
        detector.set_rate(rate)
        assert detector.threshold == pytest.approx(sorted_scores[rank - 1])
    with pytest.raises(ValueError, match=r"200 held-out images cannot promise a rate of 0.004: give at least 249"):
        detector.set_rate(0.004)
    detector.set_rate(1 / 201)


@pytest.mark.parametrize(("num", "rate"), [(19, 0.05), (39, 0.1), (50, 0.1), (99, 0.01)])
def test_the_promise_holds_on_average_over_held_out_sets(num, rate):
    """For exchangeable scores the chance of an alarm is 1 - rank / (n + 1): at most the rate, by less than 1 / (n + 1)."""
    detector, rng, alarms = make_detector(), torch.Generator().manual_seed(0), []
    for _ in range(4000):
        detector.calibration = torch.rand(num, generator=rng).sort().values  # scores that are even on [0, 1]
        detector.set_rate(rate)
        alarms.append(1 - detector.threshold)
    error = 4 * np.std(alarms) / np.sqrt(len(alarms))
    assert rate - 1 / (num + 1) - error < np.mean(alarms) < rate + error


def test_p_values_and_verdicts_agree():
    detector = make_detector(rate=0.07)
    images = IMAGES[TEST] + NOISE
    assert np.array_equal(detector.predict(images), detector.p_value(images) <= 0.07)


def test_several_scores_are_added_on_one_scale():
    both = make_detector({"reconstruction": {"smoothing": 0.5}, "neighbours": {"count": 3}})
    parts = [s(SPACE, PIXELS[TEST]) for s in both.scores.values()]
    scaled = sum((p - m) / d for p, (m, d) in zip(parts, both.scales, strict=True))
    assert both.score(PIXELS[TEST]) == pytest.approx(scaled.numpy(), rel=1e-5)
    aside = both.score(PIXELS[HELD_OUT])
    assert abs(np.mean(aside)) < 1 and 0.7 < np.std(aside) < 2.5  # normal images that the model has not seen: a little above mean 0, deviation 1 to 2
    assert both.predict(NOISE).all()
    again = make_detector({"reconstruction": {"smoothing": 0.5}, "neighbours": {"count": 3}})
    assert np.array_equal(again.score(PIXELS[TEST]), both.score(PIXELS[TEST]))


def test_maps_are_the_smoothed_squared_residual():
    detector = make_detector()
    residual = ((SPACE.rebuild(PIXELS[TEST]) - PIXELS[TEST]) ** 2).sum(1).numpy()
    np.testing.assert_allclose(detector.localize(PIXELS[TEST], smoothing=0), residual, atol=1e-7)
    np.testing.assert_allclose(detector.localize(PIXELS[TEST]), gaussian_filter(residual, (0, 1, 1)), atol=1e-6)
    normal = ((SPACE.rebuild(PIXELS[NORMAL]) - PIXELS[NORMAL]) ** 2).sum(1).mean(0).numpy()
    even = detector.localize(PIXELS[NORMAL], smoothing=0, normalize=True)
    inner = normal > normal.mean()
    assert even.mean(0)[inner] == pytest.approx((normal / (normal + 0.1 * normal.mean()))[inner], rel=1e-4)


def test_maps_point_at_defects_and_the_projection_sharpens_them():
    made = make_defects(RAW[TEST, ..., 0], seed=0)
    detector = AnomalyDetector(SPACE)
    plain = detector.localize(list(made.images))
    sharper = detector.localize(list(made.images), projection_steps=20)
    assert 0.8 < pixel_auroc(plain, made.masks) < pixel_auroc(sharper, made.masks)
    rows = localization_benchmark({"PCA": detector.localize}, made)
    assert rows[0].pixel_auroc == pytest.approx(pixel_auroc(plain, made.masks))


def test_the_projection_takes_the_papers_step():
    """For PCA, f(x) - x is linear in x, so the first step from x0, where the penalty has no slope, is known."""
    x = PIXELS[TEST]
    residual = x - SPACE.rebuild(x)
    torch.testing.assert_close(projected(SPACE, x, 1), (x - 0.5 * 2 * residual * residual**2).clamp(0, 1), atol=1e-5, rtol=0)

    def energy(y):
        return (y - SPACE.rebuild(y)).square().sum() + 0.05 * (y - x).abs().sum()

    energies = [energy(y) for y in (x, projected(SPACE, x, 1), projected(SPACE, x, 20))]
    assert energies[0] > energies[1] > energies[2]
    assert all(p.grad is None for p in SPACE.model.parameters())


def test_it_is_saved_beside_its_model_and_comes_back(tmp_path):
    score = {"relative": {"smoothing": 0.7}, "neighbours": {}, "residual_mahalanobis": {"components": 5}, "mahalanobis": {}}
    detector = make_detector(score, rate=0.03)
    SPACE.save_pretrained(tmp_path / "model")
    assert detector.save(tmp_path / "model").name == FILE
    assert sorted(p.name for p in (tmp_path / "model").iterdir() if FILE in p.name) == [FILE]
    again = AnomalyDetector.load(SPACE, tmp_path / "model")
    images = PIXELS[TEST]
    assert np.array_equal(again.score(images), detector.score(images)) and again.threshold == detector.threshold
    assert np.array_equal(again.localize(images, normalize=True), detector.localize(images, normalize=True))
    assert again.settings == detector.settings and again.false_positive_rate == 0.03
    from vision.space import LatentSpace

    loaded = LatentSpace.from_pretrained(tmp_path / "model")
    assert np.array_equal(AnomalyDetector.load(loaded).score(images), detector.score(images))


def test_foreign_and_damaged_files_are_refused(tmp_path):
    path = make_detector().save(tmp_path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="fitted with another model than PCA-9"):
        AnomalyDetector.load(pca_space(PIXELS[NORMAL], 9), tmp_path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        AnomalyDetector.load(SPACE, tmp_path)
    save_file(load_file_of(whole, tmp_path), path)  # without its description
    with pytest.raises(ValueError, match="is damaged"):
        AnomalyDetector.load(SPACE, tmp_path)
    save_file(load_file_of(whole, tmp_path), path, {"detector": json.dumps({"format": 9})})
    with pytest.raises(ValueError, match="has format 9; this version reads 1"):
        AnomalyDetector.load(SPACE, tmp_path)
    content = {"format": 1, "score": {"relative": {}}, "seed": 0, "false_positive_rate": 0.1, "model": "00000000"}
    save_file({"calibration": torch.rand(20)}, path, {"detector": json.dumps(content)})
    with pytest.raises(ValueError, match="is damaged"):
        AnomalyDetector.load(SPACE, tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=f"has no {FILE}"):
        AnomalyDetector.load(SPACE, tmp_path)
    with pytest.raises(OSError, match="could not save|could not write"):
        make_detector().save(tmp_path / "nowhere")
    assert not list(tmp_path.glob(f".{FILE}*"))


def load_file_of(content, folder):
    (folder / "copy").write_bytes(content)
    return load_file(folder / "copy")


def test_one_class_against_the_rest():
    digits = load_digits()
    images = np.rint(digits.images / 16 * 255).astype(np.uint8)[..., None]
    train = ImageSet(images[:1200], digits.target[:1200].astype(np.int64), [str(d) for d in range(10)])
    test = ImageSet(images[1200:], digits.target[1200:].astype(np.int64), [str(d) for d in range(10)])
    seen = []

    def make_space(normal):
        seen.append(normal.label_names)
        assert (normal.labels == 0).all()
        return pca_space(normal, 8)

    plain = one_class_auroc(make_space, train, test, score="reconstruction")
    assert seen == [[str(d) for d in range(10)]] or seen == [[str(d)] for d in range(10)]
    assert list(plain.auroc) == [str(d) for d in range(10)] and plain.mean == pytest.approx(np.mean(list(plain.auroc.values())))
    assert plain.mean > 0.95
    by_hand = AnomalyDetector(pca_space(train.only(["3"]), 8), "reconstruction").fit(train.only(["3"]), test)
    from vision.metrics import auroc

    assert plain.auroc["3"] == pytest.approx(auroc(by_hand.score(test), test.labels != 3))
    with pytest.raises(ValueError, match="needs labelled sets"):
        one_class_auroc(make_space, train, ImageSet(images[1200:]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AnomalyDetector(SPACE, "relativ"), "no score 'relativ': did you mean 'relative'"),
        (lambda: AnomalyDetector(SPACE, {"relative": {"smooth": 1}}), "has no key 'smooth': did you mean 'smoothing'"),
        (lambda: AnomalyDetector(SPACE, []), "name at least one of reconstruction"),
        (lambda: AnomalyDetector(SPACE).score(IMAGES), "no threshold yet: call fit"),
        (lambda: AnomalyDetector(SPACE).localize(IMAGES[:2], normalize=True), "call fit first"),
        (lambda: AnomalyDetector(SPACE).localize(IMAGES[:2], smoothing=-1), "neither can be negative"),
        (lambda: AnomalyDetector(SPACE).fit(IMAGES[:50], IMAGES[50:68]), "18 held-out images cannot promise a rate of 0.05: give at least 19"),
        (lambda: make_detector(rate=0), "false_positive_rate is 0; it must lie between"),
        (lambda: make_detector().score(np.zeros((9, 28), np.uint8)), "9x28"),
        (lambda: make_detector().score(PIXELS[:2] / 0), "from 0 to 1"),
        (lambda: make_detector("elbo"), "point code"),
        (lambda: AnomalyDetector(SPACE, ["relative", "neighbours"]).fit(IMAGES[:3], IMAGES[:50]), "several scores need more normal images"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.data
def test_the_reference_numbers_of_mnist(data_folder):
    """MEASURES: PCA-32's reconstruction error has a mean AUROC of .9553 over the ten digits; as a share of the energy it has .9818."""
    from vision.data import DATASETS

    splits = DATASETS["mnist"]()
    parts = [splits[n] for n in ("train", "valid") if n in splits]
    images, labels = (np.concatenate([getattr(p, k) for p in parts]) for k in ("images", "labels"))
    train = ImageSet(images, labels, parts[0].label_names)
    found = [one_class_auroc(lambda n: pca_space(n, 32), train, splits["test"], score=s) for s in ("reconstruction", "relative")]
    assert [r.mean for r in found] == pytest.approx([0.9553, 0.9818], abs=5e-4)
    assert isinstance(found[0], OneClass) and min(found[0].auroc, key=found[0].auroc.get) == "8"
