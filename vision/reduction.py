"""The autoencoder's code beside other ways to few dimensions: PCA, LDA and GDA (kernel discriminant analysis).

All have one shape: `fit(images, labels)`, `transform(images)`, and `inverse_transform(codes)` where there is a way back.

Shapes: N images, C channels, H, W height and width, P = C · H · W values of an image, D dimensions of a code, K classes,
M landmarks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from textae.core.autoencoder import make_config
from vision.data.images import ImageSet, as_pixels
from vision.data.processor import ImageProcessor
from vision.metrics import knn_probe, logistic_probe
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.space import LatentSpace

LANDMARKS = 2000  # of GDA: a kernel matrix of 32 MB; that of the exact method on 60,000 images would take 29 GB
ROWS_AT_ONCE = 4000  # images whose features are held at once
GDA_RIDGE = 1e-2  # of GDA, as a share of the mean variance of a feature; 1e-4 to 0.1 differ by 2 % on 8x8 digits


class Reducer(Protocol):
    """A way to few dimensions."""

    def fit(self, images: Tensor, labels: np.ndarray | None = None) -> "Reducer":
        """Learn from images (N, C, H, W) in [0, 1], and labels (N,) where the method has use for them."""

    def transform(self, images: Tensor) -> np.ndarray:
        """Codes, shape (N, D)."""

    def inverse_transform(self, codes: np.ndarray) -> Tensor | None:
        """Images (N, C, H, W) at codes; None where the method has no way back."""


class Code:
    """The code of a trained autoencoder: `fit` changes nothing.

    Args:
        space: Its posterior means are the codes.
    """

    def __init__(self, space: LatentSpace):
        self.space = space

    def fit(self, images: Tensor, labels: np.ndarray | None = None) -> "Code":
        return self

    def transform(self, images: Tensor) -> np.ndarray:
        return codes_of(self.space, images).numpy()

    def inverse_transform(self, codes: np.ndarray) -> Tensor:
        return decoded(self.space, torch.as_tensor(codes, dtype=torch.float32))


class PCA:
    """Principal components, by scikit-learn's exact solver.

    Args:
        dim: D, at most the smaller of N and P.
    """

    def __init__(self, dim: int):
        self.dim = _check_dim(dim)

    def fit(self, images: Tensor, labels: np.ndarray | None = None) -> "PCA":
        from sklearn.decomposition import PCA as SklearnPCA

        rows = _rows(images)
        if self.dim > min(rows.shape):
            raise ValueError(f"{self.dim} principal components need as many images and pixels; there are {rows.shape[0]} and {rows.shape[1]}")
        self.shape = tuple(images.shape[1:])
        self.solver = SklearnPCA(self.dim, svd_solver="covariance_eigh").fit(rows)
        return self

    def transform(self, images: Tensor) -> np.ndarray:
        return self.solver.transform(_rows(images))

    def inverse_transform(self, codes: np.ndarray) -> Tensor:
        return torch.from_numpy(self.solver.inverse_transform(codes)).float().view(-1, *self.shape)


class LDA:
    """Linear discriminants (Fisher 1936; Rao 1948): directions along which classes lie apart. They have no way back.

    Args:
        dim: D, at most K - 1.
    """

    def __init__(self, dim: int):
        self.dim = _check_dim(dim)

    def fit(self, images: Tensor, labels: np.ndarray | None = None) -> "LDA":
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        rows, labels = _labelled_rows(images, labels, self.dim, "linear discriminant analysis")
        self.solver = LinearDiscriminantAnalysis(n_components=self.dim).fit(rows, labels)
        return self

    def transform(self, images: Tensor) -> np.ndarray:
        return self.solver.transform(_rows(images))

    def inverse_transform(self, codes: np.ndarray) -> None:
        return None


class GDA:
    """Generalized discriminant analysis: LDA in the feature space of a Gaussian kernel (Baudat & Anouar 2000).

    Maximizes the between-class inertia over the total inertia of the mapped images. With `landmarks` at
    least N it is the exact method, with a ridge where theirs leaves out null directions of the kernel matrix; with fewer,
    the feature space is the span of so many images drawn at random (Nyström's method, Williams & Seeger 2001), while
    means and inertias still come from all N.

    Args:
        dim: D, at most K - 1.
        gamma: Of exp(-gamma |x - y|²); None takes 1 / (P · variance of all pixels).
        landmarks: M.
        ridge: Added to the total inertia's diagonal, as a share of its mean.
        seed: Of the landmarks.
    """

    def __init__(self, dim: int, *, gamma: float | None = None, landmarks: int = LANDMARKS, ridge: float = GDA_RIDGE, seed: int = 0):
        self.dim, self.gamma, self.landmarks, self.ridge, self.seed = _check_dim(dim), gamma, landmarks, ridge, seed
        if landmarks < 1:
            raise ValueError(f"landmarks is {landmarks}; at least one image must span the feature space")
        if ridge <= 0 or (gamma is not None and gamma <= 0):
            raise ValueError(f"gamma is {gamma} and ridge {ridge}; both must be above 0")

    def fit(self, images: Tensor, labels: np.ndarray | None = None) -> "GDA":
        from scipy.linalg import eigh

        rows, labels = _labelled_rows(images, labels, self.dim, "generalized discriminant analysis")
        variance = rows.var()
        if variance == 0:
            raise ValueError("all images are one and the same; there is nothing to tell apart")
        self.scale = self.gamma or 1 / (rows.shape[1] * variance)
        rng = np.random.default_rng(self.seed)
        self.anchors = rows[rng.permutation(len(rows))[: self.landmarks]]
        values, vectors = eigh(self._kernel(self.anchors))
        kept = values > values[-1] * 1e-10  # the others are noise of the eigensolver
        self.whiten = vectors[:, kept] / np.sqrt(values[kept])
        if self.whiten.shape[1] < self.dim:
            raise ValueError(f"{len(self.anchors)} landmarks span {self.whiten.shape[1]} dimensions; {self.dim} were asked for")
        classes, members = np.unique(labels, return_inverse=True)
        sums, inertia = np.zeros((len(classes), self.whiten.shape[1])), 0.0
        for start in range(0, len(rows), ROWS_AT_ONCE):
            features = self._features(rows[start : start + ROWS_AT_ONCE])
            np.add.at(sums, members[start : start + ROWS_AT_ONCE], features)
            inertia = inertia + features.T @ features
        counts = np.bincount(members)
        self.center = sums.sum(0) / len(rows)
        means = sums / counts[:, None] - self.center
        between = means.T * (counts / len(rows)) @ means
        total = inertia / len(rows) - np.outer(self.center, self.center)
        total[np.diag_indices_from(total)] += self.ridge * np.trace(total) / len(total)
        last = len(total) - 1
        self.directions = eigh(between, total, subset_by_index=[last - self.dim + 1, last])[1][:, ::-1]
        return self

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import rbf_kernel

        return rbf_kernel(rows, self.anchors, gamma=self.scale)

    def _features(self, rows: np.ndarray) -> np.ndarray:
        """Coordinates in the span of the landmarks: inner products of two images' are their kernel, where both lie in it."""
        return self._kernel(rows) @ self.whiten

    def transform(self, images: Tensor) -> np.ndarray:
        rows = _rows(images)
        starts = range(0, len(rows), ROWS_AT_ONCE)
        return np.concatenate([(self._features(rows[i : i + ROWS_AT_ONCE]) - self.center) @ self.directions for i in starts])

    def inverse_transform(self, codes: np.ndarray) -> None:
        return None


# --- the comparison -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One way to few dimensions.

    Attributes:
        name: Such as "PCA".
        dim: D.
        squared_error: Of test images rebuilt from their codes, summed over pixels, mean over images; None: no way back.
        knn: Accuracy of the 5 nearest training codes on test codes, 0 to 1.
        logistic: Accuracy of logistic regression on the codes, 0 to 1.
    """

    name: str
    dim: int
    squared_error: float | None
    knn: float
    logistic: float


def compare(
    spaces: Mapping[str, LatentSpace], train: Tensor, train_labels: Any, test: Tensor, test_labels: Any, *,
    dims: Sequence[int] = (2,), seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Autoencoders beside PCA, LDA and GDA: reducers learn from `train`, all are measured on `test`.

    LDA and GDA see the labels, PCA and autoencoders do not: their accuracies are not a contest of equals.

    Args:
        spaces: Trained models by name; may be empty.
        train, test: Images, shape (N, C, H, W), in [0, 1].
        train_labels, test_labels: Shape (N,).
        dims: D of the other methods; discriminants are left out where D exceeds K - 1.
        seed: Of GDA's landmarks.
    """
    reducers: list[tuple[str, Reducer]] = [(name, Code(space)) for name, space in spaces.items()]
    labels, test_labels = np.asarray(train_labels), np.asarray(test_labels)
    classes = len(np.unique(labels))
    for dim in dims:
        reducers.append(("PCA", PCA(dim)))
        if dim < classes:
            reducers += [("LDA", LDA(dim)), ("GDA", GDA(dim, seed=seed))]
    rows = []
    for name, reducer in reducers:
        codes = reducer.fit(train, labels).transform(train)
        test_codes = reducer.transform(test)
        rebuilt = reducer.inverse_transform(test_codes)
        error = None if rebuilt is None else (rebuilt.double() - test.double()).square().flatten(1).sum(1).mean().item()
        knn = knn_probe(codes, labels, test_codes, test_labels)
        rows.append(Row(name, codes.shape[1], error, knn, logistic_probe(codes, labels, test_codes, test_labels)))
    return rows


def principal_angles(a: Any, b: Any) -> np.ndarray:
    """Angles between the spans of the columns of two matrices of shape (P, D), in radians, largest first (Björck & Golub 1973)."""
    from scipy.linalg import subspace_angles

    a, b = (np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, dtype=np.float64) for x in (a, b))
    return subspace_angles(a, b)


def pca_space(images: ImageSet | Tensor, dim: int) -> LatentSpace:
    """PCA as a linear autoencoder with the weights solved for, so that every verb and measure takes it as a baseline.

    Args:
        images: What it is fitted on: a set, or pixels (N, C, H, W) in [0, 1].
        dim: D.
    """
    if isinstance(images, ImageSet):
        images = as_pixels(torch.from_numpy(images.images).permute(0, 3, 1, 2))
    solver = PCA(dim).fit(images).solver
    channels, height, width = images.shape[1:]
    settings = {
        "channels": channels, "height": height, "width": width, "latent_dim": dim, "hidden_dims": [], "posterior": "point",
        "likelihood": "gaussian",
    }  # fmt: skip
    model = MLPAutoencoder(make_config(MLPConfig, settings))
    components, mean = torch.from_numpy(solver.components_).float(), torch.from_numpy(solver.mean_).float()
    code = model.posterior_head.mean
    with torch.no_grad():
        code.weight.copy_(components)
        code.bias.copy_(-components @ mean)
        model.output.weight.copy_(components.T)
        model.output.bias.copy_(mean)
    return LatentSpace(model, ImageProcessor(channels, height, width), name=f"PCA-{dim}")


# --- pixels and codes of a space ------------------------------------------------------------------------------


def pixels_of(space: LatentSpace, images: Sequence[Any] | ImageSet | Tensor) -> Tensor:
    """Pixels (N, C, H, W) as a model reads them, from a list of images, a set, or such pixels.

    Raises:
        ValueError: Pixels of another shape than the model's, outside [0, 1] or not finite; or none at all.
    """
    if isinstance(images, ImageSet):
        return as_pixels(space.processor.of_set(images))
    if not isinstance(images, Tensor):
        return space.pixels(images)
    config = space.model.config
    wanted = (config.channels, config.height, config.width)
    if images.dim() != 4 or tuple(images.shape[1:]) != wanted:
        raise ValueError(f"pixels have shape {tuple(images.shape)}; {space.name} takes (N, {', '.join(map(str, wanted))})")
    if not len(images):
        raise ValueError("there are no images: give at least one")
    if not images.is_floating_point() or not ((images >= 0) & (images <= 1)).all():  # NaN fails too
        raise ValueError("pixels must be floating-point numbers from 0 to 1")
    return images.float().cpu()


@torch.no_grad()
def codes_of(space: LatentSpace, images: Sequence[Any] | ImageSet | Tensor) -> Tensor:
    """Posterior means of images as `pixels_of` takes them, shape (N, D), on the CPU."""
    parts = pixels_of(space, images).split(space.batch_size)
    return torch.cat([space.model.encode(pixel_values=part.to(space.device)).mean.cpu() for part in parts])


@torch.no_grad()
def decoded(space: LatentSpace, codes: Tensor) -> Tensor:
    """Expected pixels at codes, unrounded, shape (N, C, H, W), on the CPU."""
    return torch.cat([space.model.generate(part.to(space.device)).cpu() for part in codes.split(space.batch_size)])


def _rows(images: Tensor) -> np.ndarray:
    if images.dim() != 4 or not len(images):
        raise ValueError(f"images have shape {tuple(images.shape)}; they must be (N, C, H, W), at least one")
    return images.flatten(1).double().cpu().numpy()


def _labelled_rows(images: Tensor, labels: np.ndarray | None, dim: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    rows = _rows(images)
    if labels is None or len(labels) != len(rows):
        raise ValueError(f"{method} needs a label for each of the {len(rows)} images")
    classes = len(np.unique(labels))
    if dim > classes - 1:
        raise ValueError(f"{method} of {classes} classes has {classes - 1} dimensions at most; {dim} were asked for")
    return rows, np.asarray(labels)


def _check_dim(dim: int) -> int:
    if dim < 1:
        raise ValueError(f"dim is {dim}; a code has at least one dimension")
    return dim
