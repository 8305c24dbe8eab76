"""Errors, probes, clusters, retrieval and detection against loops that follow the definitions, and by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from sklearn.datasets import load_digits

from vision.metrics import (
    auroc,
    cluster_labels,
    clustering_accuracy,
    knn_probe,
    logistic_probe,
    matched_accuracy,
    mse,
    pixel_auroc,
    pro,
    psnr,
    retrieval,
    squared_error,
    ssim,
)

DIGITS = load_digits()
RNG = np.random.default_rng(0)


def random_images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_errors_by_hand():
    images, targets = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    images[0, 0, 0, 0], images[1, 0, 1, :] = 0.5, 0.1
    assert squared_error(images, targets).tolist() == pytest.approx([0.25, 0.02])
    assert mse(images, targets) == pytest.approx(0.27 / 8)
    assert psnr(images, targets) == pytest.approx(10 * math.log10(8 / 0.27))
    assert psnr(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 0
    assert psnr(targets, targets) == math.inf


def naive_ssim(x, y):
    """Wang et al. 2004, eq. 13, window by window."""
    grid = np.arange(11) - 5
    window = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            cov = (window * (a - ma) * (b - mb)).sum()
            values.append((2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
    return np.mean(values)


def test_ssim_follows_its_definition():
    x, y = random_images(3, 2, 14, 16), random_images(3, 2, 14, 16, seed=1)
    y[2] = (x[2] + 0.1 * y[2]).clamp(0, 1)
    wanted = [np.mean([naive_ssim(x[i, c].double().numpy(), y[i, c].double().numpy()) for c in range(2)]) for i in range(3)]
    assert ssim(x, y).tolist() == pytest.approx(wanted, abs=1e-6)
    assert ssim(x, x).tolist() == pytest.approx([1, 1, 1])
    assert wanted[2] > 0.8 > wanted[0]


def test_knn_probe_counts_votes():
    codes, labels = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]]), np.array([0, 0, 1, 1, 1, 0])
    assert knn_probe(codes, labels, [[0.05], [1.05]], [0, 1], neighbours=3) == 1
    assert knn_probe(codes, labels, torch.tensor([[0.21], [1.21]]), [1, 0], neighbours=1) == 1
    assert knn_probe(codes, labels, [[0.21], [1.21]], [1, 0], neighbours=3) == 0


def test_probes_on_real_digits():
    x, y = DIGITS.data / 16, DIGITS.target
    assert knn_probe(x[:1200], y[:1200], x[1200:], y[1200:]) > 0.94
    plain = logistic_probe(x[:1200], y[:1200], x[1200:], y[1200:])
    assert plain > 0.88
    stretched = x * np.arange(1, 65) + 7  # standardizing undoes scale and offset
    assert logistic_probe(stretched[:1200], y[:1200], stretched[1200:], y[1200:]) == pytest.approx(plain, abs=2e-3)


def test_clusters_are_matched_one_to_one():
    labels = np.array([0, 0, 0, 1, 1, 2])
    assert matched_accuracy([5, 5, 5, 9, 9, 7], labels) == 1
    assert matched_accuracy([1, 1, 2, 2, 2, 2], labels) == pytest.approx(4 / 6)
    assert matched_accuracy([0, 1, 2, 3, 4, 5], labels) == pytest.approx(3 / 6)  # three clusters stay unmatched
    rng = np.random.default_rng(0)
    centers = np.eye(4) * 10
    codes = centers[np.repeat(range(4), 30)] + rng.normal(size=(120, 4))
    assert clustering_accuracy(codes, np.repeat([3, 1, 0, 2], 30)) == 1
    assert clustering_accuracy(codes, np.repeat([3, 1, 0, 2], 30), clusters=2) == 0.5


def test_cluster_heads_give_their_label():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.45, 0.55]])
    labels = np.array([4, 7, 7, 2, 4])
    assert cluster_labels(probabilities, labels).tolist() == [4, 2]
    assert cluster_labels(probabilities, labels, rule="majority").tolist() == [7, 2]
    unused = np.c_[probabilities * 0.99, [0.01, 0.02, 0.01, 0.0, 0.0]]
    assert cluster_labels(torch.from_numpy(unused), labels, rule="majority").tolist() == [7, 2, 7]  # by head


def test_retrieval_by_hand():
    codes, labels = np.array([[0.0], [1.0], [2.0], [4.0]]), np.array([0, 1, 0, 1])
    found = retrieval(codes, labels, [[0.1]], [0], k=2)
    assert (found.precision, found.num_queries, found.k) == (0.5, 1, 2)
    assert found.mean_average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)
    # among themselves: 0 finds 1, 2, 4 (relevant: second); 1 finds 0, 2, 4 (third); 2 finds 1, 0, 4 (second); 4 finds 2, 1, 0 (second)
    among = retrieval(codes, labels, k=1)
    assert among.precision == 0
    assert among.mean_average_precision == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)


def test_retrieval_follows_its_definition_over_chunks(monkeypatch):
    monkeypatch.setattr("vision.metrics.QUERIES_AT_ONCE", 7)
    codes, labels = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40)
    precisions, averages = [], []
    for i in range(40):
        order = [j for j in np.argsort(((codes - codes[i]) ** 2).sum(1), kind="stable") if j != i]
        hits = [labels[j] == labels[i] for j in order]
        precisions.append(np.mean(hits[:5]))
        averages.append(np.mean([sum(hits[: r + 1]) / (r + 1) for r, hit in enumerate(hits) if hit]))
    found = retrieval(codes, labels, k=5)
    assert found.precision == pytest.approx(np.mean(precisions))
    assert found.mean_average_precision == pytest.approx(np.mean(averages))


def test_auroc_is_the_chance_of_the_right_order():
    scores, anomalous = np.array([1, 2, 2, 3, 5.0]), np.array([0, 1, 0, 0, 1], bool)
    pairs = [(a > n) + 0.5 * (a == n) for a in scores[anomalous] for n in scores[~anomalous]]
    assert auroc(scores, anomalous) == pytest.approx(np.mean(pairs))
    maps, masks = scores[:4].reshape(1, 2, 2), anomalous[:4].reshape(1, 2, 2)
    assert pixel_auroc(torch.from_numpy(maps), masks) == auroc(scores[:4], anomalous[:4])


def naive_pro(maps, masks, limit):
    """A threshold at a time, a region at a time; the curve is cut at the limit by interpolation."""
    regions = []
    for n, mask in enumerate(masks):
        numbered, num = label(mask, np.ones((3, 3)))
        regions += [(n, numbered == r) for r in range(1, num + 1)]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        hit = maps >= threshold
        rates.append((hit & ~masks).sum() / (~masks).sum())
        overlaps.append(np.mean([hit[n][where].mean() for n, where in regions]))
    area = 0.0
    for a, b, p, q in zip(rates[:-1], rates[1:], overlaps[:-1], overlaps[1:], strict=True):
        if a >= limit:
            break
        if b > limit:
            q, b = p + (q - p) * (limit - a) / (b - a), limit
        area += (b - a) * (p + q) / 2
    return area / limit


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("levels", [4, 1000])
def test_pro_follows_its_definition(limit, levels):
    rng = np.random.default_rng(levels)
    masks = rng.random((4, 12, 12)) > 0.85
    maps = rng.integers(0, levels, masks.shape) + levels * 0.3 * masks
    assert pro(maps, masks, limit=limit) == pytest.approx(naive_pro(maps, masks, limit), abs=1e-12)


def test_pro_weighs_defects_alike_and_diagonals_together():
    masks = np.zeros((1, 10, 10), bool)
    masks[0, :6, :6] = True
    masks[0, 9, 9] = masks[0, 8, 8] = True  # touch at a corner: one defect
    large, small = masks.copy(), masks.copy()
    large[0, 8:, 8:], small[0, :6, :6] = False, False
    assert pro(masks.astype(float), masks) == pytest.approx(1)
    rate = np.linspace(0, 0.3, 100_001)  # the missed defect is found by chance at the rate itself
    assert pro(large.astype(float), masks) == pytest.approx(np.mean((1 + rate) / 2), abs=1e-9)
    assert pro(small.astype(float), masks) == pytest.approx(np.mean((1 + rate) / 2), abs=1e-9)
    assert pro(np.zeros(masks.shape), masks) == pytest.approx(0.15)  # the diagonal's area below 0.3
    assert pro(1 - masks.astype(float), masks) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mse(torch.zeros(2, 1, 3, 3), torch.zeros(1, 1, 3, 3)), r"\(2, 1, 3, 3\) and targets \(1, 1, 3, 3\)"),
        (lambda: mse(torch.zeros(0, 1, 3, 3), torch.zeros(0, 1, 3, 3)), "no images to measure"),
        (lambda: ssim(torch.zeros(1, 1, 8, 20), torch.zeros(1, 1, 8, 20)), "at least 11 x 11"),
        (lambda: knn_probe(np.zeros((3, 2)), [0, 1, 0], np.zeros((3, 2)), [0, 1, 0]), "neighbours is 5; it must be from 1 to the 3"),
        (lambda: knn_probe(np.zeros((9, 2)), np.zeros(9), np.zeros((3, 1)), np.zeros(3)), "2 dimensions and test codes 1"),
        (lambda: logistic_probe(np.zeros((3, 2)), [1, 1, 1], np.zeros((3, 2)), [1, 1, 1]), "at least two classes"),
        (lambda: logistic_probe(np.full((3, 2), np.nan), [1, 1, 0], np.zeros((3, 2)), [1, 1, 1]), "finite"),
        (lambda: clustering_accuracy(np.zeros((3, 2)), [0, 1, 0], clusters=4), "clusters is 4"),
        (lambda: matched_accuracy([0, 1], [0]), "2 cluster numbers come with 1 labels"),
        (lambda: cluster_labels(np.eye(2), [0, 1], rule="vote"), "rule is 'vote'"),
        (lambda: retrieval(np.zeros((3, 2)), [0, 1, 0], k=3), "k is 3; it must be from 1 to the 2"),
        (lambda: retrieval(np.zeros((3, 2)), [0, 1, 0], k=1), "no code with the label 1 can be found"),
        (lambda: retrieval(np.zeros((3, 2)), [0, 1, 0], np.zeros((1, 3)), [0], k=1), "2 dimensions and queries 3"),
        (lambda: auroc([1.0, 2.0], [True, True]), "all are of one kind"),
        (lambda: auroc([1.0, math.nan], [True, False]), "finite"),
        (lambda: pro(np.zeros((1, 3, 3)), np.zeros((1, 3, 3))), "all empty or all full"),
        (lambda: pro(np.zeros((1, 3, 3)), np.eye(3)[None], limit=0), "limit is 0"),
        (lambda: pixel_auroc(np.zeros((1, 3, 3)), np.zeros((3, 3))), r"both must be \(N, H, W\)"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
