"""How unlike the normal images an image is, by one measure each: residuals, likelihood bounds, densities of the code.

A score is fitted to normal images, keeps what it learned as tensors, and is higher for stranger images; detectors that
combine scores and choose a threshold are in `vision.anomaly`. An image's score depends on nothing but the image: random
draws are the same for all.

Shapes: B images of a batch, N normal images, C channels, H, W height and width, P = C · H · W, D latent dimensions, K draws.
"""

import math
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from textae.core.latent import DiagonalGaussian
from vision.reduction import codes_of
from vision.space import LatentSpace

ENERGY_FLOOR = 0.01  # of `Relative`: the share of normal images' mean energy below which an image counts as empty


class Score:
    """One measure of strangeness.

    A subclass takes plain keyword arguments; its tensors in `learned` are all that `fit` leaves behind.

    Attributes:
        learned: What is saved with a detector, by name.
    """

    def __init__(self) -> None:
        self.learned: dict[str, Tensor] = {}

    def fit(self, space: LatentSpace, pixels_NCHW: Tensor) -> None:
        """Learn from normal images; many scores have nothing to learn."""

    @abstractmethod
    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        """Shape (B,), float64, on the CPU; higher is stranger."""


class Reconstruction(Score):
    """Squared error of the reconstruction, summed over pixels; the classic.

    Args:
        smoothing: Standard deviation in pixels of a Gaussian filter on the residual before it is squared. About one
            pixel forgives strokes that are slightly off, whose residuals alternate in sign; 0 does not filter.
    """

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        if not 0 <= smoothing < math.inf:
            raise ValueError(f"smoothing is {smoothing}; a standard deviation in pixels is 0 or more")
        self.smoothing = smoothing

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        residual = smoothed(space.rebuild(pixels_BCHW).double() - pixels_BCHW.double(), self.smoothing)
        return residual.square().flatten(1).sum(1)


class Relative(Reconstruction):
    """The (smoothed) squared error as a share of the image's energy, the sum of its squared pixels.

    For light things on a black ground, where much of an error's size is only how much was drawn: without the
    division a thin, strange stroke scores below a bold, familiar one. The energy counts as at least a hundredth of the
    normal images' mean, so that an empty image has a score.

    Args:
        smoothing: As in `Reconstruction`.
    """

    def __init__(self, smoothing: float = 1.0):
        super().__init__(smoothing)

    def fit(self, space: LatentSpace, pixels_NCHW: Tensor) -> None:
        mean = _energy(pixels_NCHW).mean()
        if mean == 0:
            raise ValueError("the normal images are all black: an error has no share of their energy; take the score 'reconstruction'")
        self.learned = {"floor": ENERGY_FLOOR * mean}

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        return super().__call__(space, pixels_BCHW) / _energy(pixels_BCHW).clamp_min(self.learned["floor"].item())


class ResidualMahalanobis(Score):
    """Squared Mahalanobis distance of the residual from normal residuals: errors count where and how normal ones are rare.

    The covariance is that of probabilistic PCA (Tipping & Bishop 1999, eq. 7-8): some principal directions, and one
    variance for all others.

    Args:
        components: Principal directions.
    """

    def __init__(self, components: int = 32):
        super().__init__()
        if components < 1:
            raise ValueError(f"components is {components}; at least one direction is needed")
        self.components = components

    def fit(self, space: LatentSpace, pixels_NCHW: Tensor) -> None:
        residual = (space.rebuild(pixels_NCHW) - pixels_NCHW).double().flatten(1)
        if min(residual.shape) <= self.components:
            raise ValueError(f"{self.components} components need more normal images and pixels; there are {residual.shape[0]} and {residual.shape[1]}")
        mean = residual.mean(0)
        values, vectors = torch.linalg.eigh((residual - mean).T @ (residual - mean) / len(residual))
        rest = values[: -self.components].mean().clamp_min(1e-12)
        variances = values[-self.components :].clamp_min(rest)
        directions = vectors[:, -self.components :].T.contiguous()
        self.learned = {"mean": mean, "directions": directions, "variances": variances, "rest": rest}
        self.learned = {name: t.float() for name, t in self.learned.items()}

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        learned = {name: t.double() for name, t in self.learned.items()}
        residual = (space.rebuild(pixels_BCHW) - pixels_BCHW).double().flatten(1) - learned["mean"]
        along = residual @ learned["directions"].T
        others = (residual.square().sum(1) - along.square().sum(1)).clamp_min(0)
        return (along.square() / learned["variances"]).sum(1) + others / learned["rest"]


class Mahalanobis(Score):
    """Squared Mahalanobis distance of the code from normal codes; minus twice the log density of a Gaussian, but for a constant.

    The covariance is shrunk as Ledoit & Wolf 2004 say (scikit-learn's).
    """

    def fit(self, space: LatentSpace, pixels_NCHW: Tensor) -> None:
        mean, whiten = _gaussian(codes_of(space, pixels_NCHW))
        self.learned = {"mean": mean, "whiten": whiten}

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        return _white(codes_of(space, pixels_BCHW), self.learned).square().sum(1)


class Neighbours(Score):
    """Mean distance of the code to its nearest normal codes, both whitened by the normal codes' covariance.

    Args:
        count: Neighbors.
        kept: Normal codes kept to compare with, drawn at random.
        seed: Of the draw.
    """

    def __init__(self, count: int = 5, kept: int = 5000, seed: int = 0):
        super().__init__()
        if not 1 <= count <= kept:
            raise ValueError(f"count is {count} and kept {kept}; at least one neighbor must be counted, and as many codes kept")
        self.count, self.kept, self.seed = count, kept, seed

    def fit(self, space: LatentSpace, pixels_NCHW: Tensor) -> None:
        codes = codes_of(space, pixels_NCHW)
        if len(codes) < self.count:
            raise ValueError(f"{self.count} neighbors need as many normal images; there are {len(codes)}")
        mean, whiten = _gaussian(codes)
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(codes), generator=generator)[: self.kept]
        self.learned = {"mean": mean, "whiten": whiten}
        self.learned["codes"] = _white(codes[chosen], self.learned).float()

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        # Not through matrix products, which leave 1e-3 between equal codes.
        codes = _white(codes_of(space, pixels_BCHW), self.learned)
        distances = torch.cdist(codes, self.learned["codes"].double(), compute_mode="donot_use_mm_for_euclid_dist")
        return distances.topk(self.count, largest=False).values.mean(1)


class Elbo(Score):
    """The negative evidence lower bound in nats, averaged over draws; for a VAE.

    Args:
        samples: K.
        seed: Of the draws, which are the same for every image.
    """

    def __init__(self, samples: int = 16, seed: int = 0):
        super().__init__()
        if samples < 1:
            raise ValueError(f"samples is {samples}; at least one draw is needed")
        self.samples, self.seed = samples, seed

    def fit(self, space: LatentSpace, pixels_NCHW: Tensor) -> None:
        self._log_weights(space, pixels_NCHW[:1])  # refuses a point code before anything is saved

    @torch.no_grad()
    def _log_weights(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        """log p(x|z) + log p(z) - log q(z|x) of each draw, shape (K, B)."""
        model, pixels = space.model, pixels_BCHW.to(space.device)
        posterior = model.encode(pixel_values=pixels)
        if not isinstance(posterior, DiagonalGaussian):
            raise ValueError(f"{space.name} has a point code, so an image has no likelihood bound: take a score of residuals or of the code")
        generator, rows = torch.Generator().manual_seed(self.seed), []
        for noise in torch.randn(self.samples, space.latent_dim, generator=generator):
            z = posterior.mean + torch.exp(0.5 * posterior.logvar) * noise.to(space.device)
            nll, _ = model.nll(z, pixel_values=pixels)
            rows.append((model.prior.log_prob(z) - nll - posterior.log_prob(z)).cpu().double())
        return torch.stack(rows)

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        return -self._log_weights(space, pixels_BCHW).mean(0)


class ImportanceNll(Elbo):
    """The importance-weighted upper bound on -log p(x) in nats (Burda et al. 2016, eq. 8); for a VAE.

    Args:
        samples: K.
        seed: Of the draws, which are the same for every image.
    """

    def __init__(self, samples: int = 64, seed: int = 0):
        super().__init__(samples, seed)

    def __call__(self, space: LatentSpace, pixels_BCHW: Tensor) -> Tensor:
        return math.log(self.samples) - self._log_weights(space, pixels_BCHW).logsumexp(0)


SCORES: dict[str, type[Score]] = {
    "reconstruction": Reconstruction,
    "relative": Relative,
    "residual_mahalanobis": ResidualMahalanobis,
    "mahalanobis": Mahalanobis,
    "neighbours": Neighbours,
    "elbo": Elbo,
    "nll": ImportanceNll,
}


def smoothed(maps: Tensor, sigma: float) -> Tensor:
    """A Gaussian filter over the last two axes, mirrored at the edges; sigma in pixels, 0 changes nothing."""
    if not sigma:
        return maps
    from scipy.ndimage import gaussian_filter

    return torch.from_numpy(gaussian_filter(maps.numpy(), (*[0] * (maps.dim() - 2), sigma, sigma)))


def _energy(pixels_BCHW: Tensor) -> Tensor:
    return pixels_BCHW.double().square().flatten(1).sum(1)


def _gaussian(codes_ND: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and a whitening matrix (D, D) of codes: `(z - mean) @ whiten` has unit covariance."""
    if len(codes_ND) < 2:
        raise ValueError("a covariance needs at least two normal images")
    from sklearn.covariance import LedoitWolf

    fitted = LedoitWolf().fit(codes_ND.double().numpy())
    values, vectors = np.linalg.eigh(fitted.covariance_)
    if values[-1] <= 0:
        raise ValueError("the normal images all have the same code: the encoder ignores them")
    whiten = vectors / np.sqrt(np.maximum(values, values[-1] * 1e-9))
    return torch.from_numpy(fitted.location_).float(), torch.from_numpy(whiten).float()


def _white(codes_BD: Tensor, learned: dict[str, Tensor]) -> Tensor:
    return (codes_BD.double() - learned["mean"].double()) @ learned["whiten"].double()
