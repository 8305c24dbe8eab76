"""Every score against its definition; and what all must do: depend on the image alone, be saved, prefer digits to their negatives."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_digits

from textae.core.autoencoder import make_config
from textae.core.metrics import importance_nll
from vision.data.processor import ImageProcessor
from vision.metrics import auroc, squared_error
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.reduction import codes_of, pca_space
from vision.scores import (
    SCORES,
    Elbo,
    ImportanceNll,
    Mahalanobis,
    Neighbours,
    Reconstruction,
    Relative,
    ResidualMahalanobis,
)

DIGITS = torch.from_numpy(load_digits().images / 16).float()[:, None]
NORMAL, OTHERS = DIGITS[:300], DIGITS[300:340]
NEGATIVES = 1 - OTHERS


def make_vae(seed=0):
    """PCA's weights in a VAE with a small variance: a bound that means something, without training."""
    from vision.space import LatentSpace

    torch.manual_seed(seed)
    settings = {"height": 8, "width": 8, "hidden_dims": [], "latent_dim": 6, "likelihood": "gaussian", "sigma": 0.2}
    model, reference = MLPAutoencoder(make_config(MLPConfig, settings)), pca_space(NORMAL, 6).model
    with torch.no_grad():
        model.posterior_head.mean.load_state_dict(reference.posterior_head.mean.state_dict())
        model.output.load_state_dict(reference.output.state_dict())
        model.posterior_head.logvar.weight.mul_(0.1)
        model.posterior_head.logvar.bias.fill_(-3)
    return LatentSpace(model, ImageProcessor(1, 8, 8), name="vae")


SPACE, VAE = pca_space(NORMAL, 8), make_vae()


def fitted(score, space=SPACE):
    score.fit(space, NORMAL)
    return score(space, OTHERS).numpy()


@pytest.mark.parametrize("name", SCORES)
def test_every_score_keeps_the_contract(name):
    score, space = SCORES[name](), VAE if name in ("elbo", "nll") else SPACE
    score.fit(space, NORMAL)
    values = score(space, torch.cat([OTHERS, NEGATIVES]))
    assert values.shape == (80,) and values.dtype == torch.float64 and values.isfinite().all()
    assert auroc(values, np.arange(80) >= 40) > 0.75
    alone = torch.cat([score(space, image[None]) for image in OTHERS.flip(0)])  # whatever else is in the batch
    torch.testing.assert_close(alone.flip(0), values[:40], rtol=1e-4, atol=1e-4)
    again = SCORES[name]()
    again.learned = {key: tensor.clone() for key, tensor in score.learned.items()}  # all that is saved
    assert torch.equal(again(space, OTHERS), score(space, OTHERS))


def test_residuals_by_definition():
    residual = (SPACE.rebuild(OTHERS) - OTHERS).double().numpy()
    assert fitted(Reconstruction()) == pytest.approx(squared_error(SPACE.rebuild(OTHERS), OTHERS).numpy())
    smooth = (gaussian_filter(residual, (0, 0, 0.8, 0.8)) ** 2).sum((1, 2, 3))
    assert fitted(Reconstruction(0.8)) == pytest.approx(smooth)
    energy = (OTHERS.double() ** 2).sum((1, 2, 3)).numpy()
    assert fitted(Relative(0.8)) == pytest.approx(smooth / energy)


def test_an_empty_image_has_a_relative_error():
    score = Relative(0)
    score.fit(SPACE, NORMAL)
    black = torch.zeros(1, 1, 8, 8)
    floor = 0.01 * (NORMAL.double() ** 2).sum((1, 2, 3)).mean()
    assert score(SPACE, black).item() == pytest.approx(squared_error(SPACE.rebuild(black), black).item() / floor.item(), rel=1e-6)


def test_mahalanobis_distance_of_the_code():
    codes, others = codes_of(SPACE, NORMAL).double().numpy(), codes_of(SPACE, OTHERS).double().numpy()
    shrunk = LedoitWolf().fit(codes)
    assert fitted(Mahalanobis()) == pytest.approx(shrunk.mahalanobis(others), rel=1e-4)


def test_neighbours_in_the_whitened_code():
    codes, others = codes_of(SPACE, NORMAL).double().numpy(), codes_of(SPACE, OTHERS).double().numpy()
    precision = LedoitWolf().fit(codes).precision_
    apart = others[:, None] - codes[None]
    distances = np.sqrt(np.einsum("abi,ij,abj->ab", apart, precision, apart))
    assert fitted(Neighbours(3)) == pytest.approx(np.sort(distances)[:, :3].mean(1), rel=1e-4)
    few = Neighbours(2, kept=50, seed=1)
    few.fit(SPACE, NORMAL)
    assert few.learned["codes"].shape == (50, 8)
    assert (few(SPACE, OTHERS).numpy() >= fitted(Neighbours(2)) - 1e-6).all()


def test_residual_mahalanobis_is_that_of_probabilistic_pca():
    residual = (SPACE.rebuild(NORMAL) - NORMAL).double().flatten(1).numpy()
    values, vectors = np.linalg.eigh(np.cov(residual.T, bias=True))
    variances = np.where(np.arange(64) >= 54, values, values[:54].mean())  # ten directions kept
    apart = ((SPACE.rebuild(OTHERS) - OTHERS).double().flatten(1).numpy() - residual.mean(0)) @ vectors
    assert fitted(ResidualMahalanobis(10)) == pytest.approx((apart**2 / variances).sum(1), rel=1e-3)


def test_bounds_are_those_of_the_core():
    """The same bound as the core's, whose draws differ: means over images and many draws agree."""
    torch.manual_seed(0)
    wanted = importance_nll(VAE.model, {"pixel_values": OTHERS}, 1000).nll
    assert fitted(ImportanceNll(1000), VAE) == pytest.approx(wanted.numpy(), abs=0.6)
    assert (fitted(Elbo(64), VAE) > fitted(ImportanceNll(64), VAE)).all()  # Jensen, on the same draws
    assert fitted(Elbo(1), VAE) == pytest.approx(fitted(ImportanceNll(1), VAE))
    posterior = VAE.model.encode(pixel_values=OTHERS)
    nll = torch.stack([VAE.model.nll(posterior.sample(), pixel_values=OTHERS)[0] for _ in range(1000)]).mean(0)
    closed = (nll + posterior.kl().sum(1)).detach().numpy()  # with the KL in closed form
    assert fitted(Elbo(1000), VAE) == pytest.approx(closed, abs=1.0)
    assert np.array_equal(fitted(Elbo(4, seed=1), VAE), fitted(Elbo(4, seed=1), VAE))
    assert not np.array_equal(fitted(Elbo(4, seed=1), VAE), fitted(Elbo(4, seed=2), VAE))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Reconstruction(-1), "smoothing is -1"),
        (lambda: Relative(math.inf), "smoothing is inf"),
        (lambda: Relative().fit(SPACE, torch.zeros(3, 1, 8, 8)), "all black"),
        (lambda: Neighbours(0), "count is 0"),
        (lambda: Neighbours(6, kept=5), "count is 6 and kept 5"),
        (lambda: Neighbours(5).fit(SPACE, NORMAL[:4]), "5 neighbors need as many"),
        (lambda: Mahalanobis().fit(SPACE, NORMAL[:1]), "at least two normal images"),
        (lambda: Mahalanobis().fit(SPACE, NORMAL[:1].repeat(9, 1, 1, 1)), "all have the same code"),
        (lambda: ResidualMahalanobis(0), "components is 0"),
        (lambda: ResidualMahalanobis(64).fit(SPACE, NORMAL), "64 components need more"),
        (lambda: Elbo(0), "samples is 0"),
        (lambda: Elbo().fit(SPACE, NORMAL), "PCA-8 has a point code"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
