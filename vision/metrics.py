"""Numbers from images, codes, labels and masks alone: errors, probes, clustering, retrieval, detection; no model belongs here.

Shares, accuracies and areas run from 0 to 1, errors are in units of the pixel range, PSNR in decibels.

Shapes: N images, M of a second set, C channels, H, W height and width, D latent dimensions, K clusters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

# Wang et al. 2004, sec. III.C: an 11 x 11 Gaussian window with a standard deviation of 1.5, K1 = 0.01, K2 = 0.03.
WINDOW, WINDOW_SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
PRO_LIMIT = 0.3  # Bergmann et al. 2020, "Uninformed students", sec. 4: beyond it a segmentation is of no use
QUERIES_AT_ONCE = 256  # rows of distances held at once


# --- images beside images -------------------------------------------------------------------------------------


def squared_error(images: Tensor, targets: Tensor) -> Tensor:
    """Squared differences of each image, summed over its pixels and channels: (N, C, H, W) twice gives float64 (N,)."""
    _check_alike(images, targets)
    return (images.double() - targets.double()).square().flatten(1).sum(1)


def mse(images: Tensor, targets: Tensor) -> float:
    """The mean squared difference of a pixel value, over all images, channels and pixels."""
    return squared_error(images, targets).mean().item() / images[0].numel()


def psnr(images: Tensor, targets: Tensor) -> float:
    """Peak signal-to-noise ratio of a set in dB, for pixels in [0, 1]: -10 log10 of the set's mean squared error.

    The error is averaged over the set before the logarithm is taken; the mean of the single images' ratios is another,
    higher number. Equal sets give infinity.
    """
    error = mse(images, targets)
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(images: Tensor, targets: Tensor) -> Tensor:
    """Structural similarity of each pair, 1 for equal images: (N, C, H, W) twice gives float64 (N,).

    Source: Wang et al. 2004, eq. 13, with their Gaussian window and constants, pixels in [0, 1], population (not sample)
    covariances, the mean over windows that lie inside the image; channels are averaged.

    Raises:
        ValueError: Images are smaller than the window of 11 x 11.
    """
    _check_alike(images, targets)
    num, channels, height, width = images.shape
    if min(height, width) < WINDOW:
        raise ValueError(f"images are {height} x {width}; structural similarity needs at least {WINDOW} x {WINDOW} pixels")
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-offsets.square() / (2 * WINDOW_SIGMA**2))
    window /= window.sum()

    def smooth(x: Tensor) -> Tensor:
        return conv2d(conv2d(x, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))

    values = []
    for x, y in zip(images.split(500), targets.split(500), strict=True):  # 500: some hundred megabytes of float64
        x = x.double().cpu().reshape(-1, 1, height, width)
        y = y.double().cpu().reshape(-1, 1, height, width)
        mean_x, mean_y = smooth(x), smooth(y)
        var_x, var_y = smooth(x * x) - mean_x.square(), smooth(y * y) - mean_y.square()
        cov = smooth(x * y) - mean_x * mean_y
        c1, c2 = K1**2, K2**2
        maps = (2 * mean_x * mean_y + c1) * (2 * cov + c2) / ((mean_x.square() + mean_y.square() + c1) * (var_x + var_y + c2))
        values.append(maps.reshape(-1, channels * maps.shape[2] * maps.shape[3]).mean(1))
    return torch.cat(values)


def _check_alike(images: Tensor, targets: Tensor) -> None:
    if images.shape != targets.shape or images.dim() != 4:
        raise ValueError(f"images have shape {tuple(images.shape)} and targets {tuple(targets.shape)}; both must be (N, C, H, W) and equal")
    if not images.numel():
        raise ValueError("there are no images to measure: give at least one")


# --- what a code knows of labels ------------------------------------------------------------------------------


def knn_probe(codes: Any, labels: Any, test_codes: Any, test_labels: Any, *, neighbours: int = 5) -> float:
    """Accuracy of the vote of the `neighbours` nearest training codes (Euclidean), of two ties the lower label.

    Args:
        codes, test_codes: Shapes (N, D) and (M, D).
        labels, test_labels: Shapes (N,) and (M,).
        neighbours: At most N.
    """
    x, y, test_x, test_y = _check_codes(codes, labels, test_codes, test_labels)
    if not 1 <= neighbours <= len(x):
        raise ValueError(f"neighbours is {neighbours}; it must be from 1 to the {len(x)} training codes")
    from sklearn.neighbors import KNeighborsClassifier

    return float(KNeighborsClassifier(neighbours).fit(x, y).score(test_x, test_y))


def logistic_probe(codes: Any, labels: Any, test_codes: Any, test_labels: Any, *, strength: float = 1.0) -> float:
    """Accuracy of multinomial logistic regression on codes standardized by the training codes' mean and deviation.

    Args:
        codes, test_codes: Shapes (N, D) and (M, D).
        labels, test_labels: Shapes (N,) and (M,), at least two classes.
        strength: scikit-learn's C, the inverse of the L2 penalty.
    """
    x, y, test_x, test_y = _check_codes(codes, labels, test_codes, test_labels)
    if len(np.unique(y)) < 2:
        raise ValueError("a classifier needs training labels of at least two classes; there is only one")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    return float(probe.fit(x, y).score(test_x, test_y))


# --- clusters -------------------------------------------------------------------------------------------------


def clustering_accuracy(codes: Any, labels: Any, *, clusters: int | None = None, seed: int = 0) -> float:
    """Accuracy of k-means on the codes, each cluster matched to one class so that most agree; see `matched_accuracy`.

    Args:
        codes: Shape (N, D).
        labels: Shape (N,); used for matching and counting alone.
        clusters: K; None takes the number of classes.
        seed: Of the ten starts.
    """
    codes, labels = _check_labelled(codes, labels)
    clusters = len(np.unique(labels)) if clusters is None else clusters
    if not 1 <= clusters <= len(codes):
        raise ValueError(f"clusters is {clusters}; it must be from 1 to the {len(codes)} codes")
    from sklearn.cluster import KMeans

    return matched_accuracy(KMeans(clusters, n_init=10, random_state=seed).fit_predict(codes), labels)


def matched_accuracy(assigned: Any, labels: Any) -> float:
    """Accuracy of cluster numbers under the best one-to-one matching with classes (Hungarian method, Kuhn 1955).

    With more clusters than classes some stay without a class and count as wrong; `cluster_labels` is the measure that
    gives every cluster a label.
    """
    assigned, labels = _as_array(assigned), _as_array(labels)
    _check_length(assigned, labels, "cluster numbers")
    from scipy.optimize import linear_sum_assignment

    clusters, rows = np.unique(assigned, return_inverse=True)
    classes, columns = np.unique(labels, return_inverse=True)
    agree = np.zeros((len(clusters), len(classes)), np.int64)
    np.add.at(agree, (rows, columns), 1)
    return float(agree[linear_sum_assignment(-agree)].sum() / len(labels))


def cluster_labels(probabilities: Any, labels: Any, *, rule: str = "head") -> np.ndarray:
    """A label for each cluster from labelled validation images, as unsupervised clustering by an AAE is measured.

    The accuracy on a test set is then `(cluster_labels(q_valid, y_valid)[q_test.argmax(1)] == y_test).mean()`.

    Args:
        probabilities: q(y|x) of the validation images, shape (N, K).
        labels: Shape (N,).
        rule: "head": the label of the one image with the highest q(y = k|x) (Makhzani et al. 2016, sec. 6); "majority":
            the most frequent label among the images whose likeliest cluster it is, by head where there is none.

    Returns:
        Shape (K,).
    """
    probabilities, labels = _check_labelled(probabilities, labels)
    heads = labels[probabilities.argmax(0)]
    if rule == "head":
        return heads
    if rule != "majority":
        raise ValueError(f"rule is {rule!r}; it must be head or majority")
    assigned = probabilities.argmax(1)
    for cluster in np.unique(assigned):
        values, counts = np.unique(labels[assigned == cluster], return_counts=True)
        heads[cluster] = values[counts.argmax()]
    return heads


# --- retrieval ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Retrieval:
    """How well nearness in the code finds images of the same label, means over queries.

    Attributes:
        precision: Share of the `k` nearest that have the query's label.
        mean_average_precision: Mean over queries of the average precision of the whole ranking.
        k: Of `precision`.
        num_queries: Queries counted.
    """

    precision: float
    mean_average_precision: float
    k: int
    num_queries: int


def retrieval(codes: Any, labels: Any, queries: Any = None, query_labels: Any = None, *, k: int = 10) -> Retrieval:
    """Rank `codes` by Euclidean distance to each query; relevant are those with its label.

    Average precision is the mean, over the relevant codes, of the precision at their rank. Equal distances keep the
    order of `codes`.

    Args:
        codes: What is searched, shape (N, D).
        labels: Shape (N,).
        queries: Shape (M, D); None searches with each of `codes` among the others.
        query_labels: Shape (M,).
        k: At most N, or N - 1 without queries.

    Raises:
        ValueError: A query's label does not occur among `labels`, so that nothing could be found.
    """
    codes, labels = _check_labelled(codes, labels)
    among_itself = queries is None
    if among_itself:
        queries, query_labels = codes, labels
    else:
        queries, query_labels = _check_labelled(queries, query_labels)
        if queries.shape[1] != codes.shape[1]:
            raise ValueError(f"codes have {codes.shape[1]} dimensions and queries {queries.shape[1]}; both must have the same")
    reach = len(codes) - among_itself
    if not 1 <= k <= reach:
        raise ValueError(f"k is {k}; it must be from 1 to the {reach} codes that can be found")
    values, counts = np.unique(labels, return_counts=True)
    known = dict(zip(values.tolist(), (counts - among_itself).tolist(), strict=True))
    for label in np.unique(query_labels).tolist():
        if known.get(label, 0) < 1:
            raise ValueError(f"no code with the label {label!r} can be found: leave its queries out")
    points, asked = torch.from_numpy(codes).double(), torch.from_numpy(queries).double()
    precisions, averages = [], []
    for start in range(0, len(asked), QUERIES_AT_ONCE):
        rows = slice(start, start + QUERIES_AT_ONCE)
        # Not through matrix products, which leave distances between equal codes.
        distances = torch.cdist(asked[rows], points, compute_mode="donot_use_mm_for_euclid_dist")
        if among_itself:
            own = torch.arange(start, start + len(distances))
            distances[torch.arange(len(distances)), own] = math.inf  # last, and cut off
        order = distances.argsort(dim=1, stable=True)[:, :reach].numpy()
        relevant = labels[order] == query_labels[rows, None]
        ranks = np.arange(1, reach + 1)
        found = relevant.cumsum(1)
        precisions.append(relevant[:, :k].mean(1))
        averages.append((relevant * found / ranks).sum(1) / found[:, -1])
    precision, average = np.concatenate(precisions), np.concatenate(averages)
    return Retrieval(float(precision.mean()), float(average.mean()), k, len(asked))


# --- detection and localization -------------------------------------------------------------------------------


def auroc(scores: Any, anomalous: Any) -> float:
    """Area under the ROC curve: the chance that an anomalous example scores above a normal one, ties counting half.

    Args:
        scores: Higher is more anomalous, any shape.
        anomalous: Booleans of the same shape; both values must occur.
    """
    scores, anomalous = _as_array(scores).ravel(), _as_array(anomalous).ravel().astype(bool)
    _check_length(scores, anomalous, "scores")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite numbers; some are NaN or infinite")
    if anomalous.all() or not anomalous.any():
        raise ValueError("the area under a ROC curve needs both normal and anomalous examples; all are of one kind")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(anomalous, scores))


def pixel_auroc(maps: Any, masks: Any) -> float:
    """`auroc` over all pixels of all images: `maps` and `masks` have shape (N, H, W)."""
    maps, masks = _check_maps(maps, masks)
    return auroc(maps, masks)


def pro(maps: Any, masks: Any, *, limit: float = PRO_LIMIT) -> float:
    """Per-region overlap, averaged over false-positive rates from 0 to `limit`: small defects count as much as large ones.

    At every threshold the overlap is the mean, over the defects (8-connected regions of the masks), of the share of
    their pixels above it; the rate is the share of all normal pixels above it. The area under the one over the other,
    divided by `limit`. All thresholds are used, none is sampled.

    Source: Bergmann et al. 2020, "Uninformed students", sec. 4 (AU-PRO).

    Args:
        maps: Higher is more anomalous, shape (N, H, W).
        masks: True on defects, shape (N, H, W); at least one region and one normal pixel.
        limit: Above 0, at most 1.
    """
    maps, masks = _check_maps(maps, masks)
    if not 0 < limit <= 1:
        raise ValueError(f"limit is {limit}; a false-positive rate to integrate to lies above 0 and is at most 1")
    from scipy.ndimage import label

    weights = np.zeros(masks.shape)  # each pixel's share of the overlap: 1 / (pixels of its region · regions)
    num_regions = 0
    for mask, weight in zip(masks, weights, strict=True):
        regions, num = label(mask, np.ones((3, 3)))
        sizes = np.bincount(regions.ravel())
        weight[mask] = 1 / sizes[regions[mask]]
        num_regions += num
    normal = ~masks
    if not num_regions or not normal.any():
        raise ValueError("per-region overlap needs defects and normal pixels; the masks are all empty or all full")
    order = np.argsort(-maps, axis=None, kind="stable")
    values = maps.ravel()[order]
    rate = np.cumsum(normal.ravel()[order]) / normal.sum()
    overlap = np.cumsum(weights.ravel()[order]) / num_regions
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # equal scores pass a threshold together
    rate, overlap = np.append(0.0, rate[ends]), np.append(0.0, overlap[ends])
    last = int(np.searchsorted(rate, limit))  # the first point at or beyond the limit; the one before lies within
    share = (limit - rate[last - 1]) / (rate[last] - rate[last - 1])
    at_limit = overlap[last - 1] + share * (overlap[last] - overlap[last - 1])
    return float(np.trapezoid(np.append(overlap[:last], at_limit), np.append(rate[:last], limit)) / limit)


# --- checks ---------------------------------------------------------------------------------------------------


def _as_array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _check_length(values: np.ndarray | Sequence, labels: np.ndarray, what: str) -> None:
    if len(values) != len(labels) or len(labels) == 0:
        raise ValueError(f"{len(values)} {what} come with {len(labels)} labels; there must be one for each, and at least one")


def _check_labelled(codes: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    codes, labels = _as_array(codes), _as_array(labels)
    if codes.ndim != 2 or labels.ndim != 1:
        raise ValueError(f"codes have shape {codes.shape} and labels {labels.shape}; they must be (N, D) and (N,)")
    _check_length(codes, labels, "codes")
    if not np.isfinite(codes).all():
        raise ValueError("codes must be finite numbers; some are NaN or infinite")
    return codes, labels


def _check_codes(codes: Any, labels: Any, test_codes: Any, test_labels: Any) -> tuple[np.ndarray, ...]:
    x, y = _check_labelled(codes, labels)
    test_x, test_y = _check_labelled(test_codes, test_labels)
    if x.shape[1] != test_x.shape[1]:
        raise ValueError(f"training codes have {x.shape[1]} dimensions and test codes {test_x.shape[1]}; both must have the same")
    return x, y, test_x, test_y


def _check_maps(maps: Any, masks: Any) -> tuple[np.ndarray, np.ndarray]:
    maps, masks = _as_array(maps), _as_array(masks).astype(bool)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(f"maps have shape {maps.shape} and masks {masks.shape}; both must be (N, H, W) and equal")
    if not np.isfinite(maps).all():
        raise ValueError("maps must be finite numbers; some are NaN or infinite")
    return maps, masks
