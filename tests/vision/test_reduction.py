"""The code beside PCA, LDA and GDA: each against its own closed form or another way to compute it."""

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics.pairwise import rbf_kernel

from textae.core.autoencoder import make_config
from vision.data.images import ImageSet
from vision.data.processor import ImageProcessor
from vision.metrics import squared_error
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.reduction import GDA, LDA, PCA, Code, codes_of, compare, decoded, pca_space, pixels_of, principal_angles
from vision.space import LatentSpace

DIGITS = load_digits()
ORDER = np.random.default_rng(0).permutation(len(DIGITS.target))
PIXELS = torch.from_numpy(DIGITS.images[ORDER] / 16).float()[:, None]
LABELS = DIGITS.target[ORDER]
TRAIN, TEST = slice(0, 400), slice(400, 600)


def make_space(posterior="point", latent_dim=3, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"height": 8, "width": 8, "hidden_dims": [12], "posterior": posterior, "latent_dim": latent_dim, **settings}
    return LatentSpace(MLPAutoencoder(make_config(MLPConfig, settings)), ImageProcessor(1, 8, 8), batch_size=64)


def test_a_linear_autoencoder_finds_the_principal_subspace():
    """Baldi & Hornik 1989: under squared error the best linear autoencoder spans the leading principal components."""
    dim, images = 4, PIXELS[:300]
    torch.manual_seed(0)
    settings = {"height": 8, "width": 8, "hidden_dims": [], "posterior": "point", "likelihood": "gaussian", "latent_dim": dim}
    model = MLPAutoencoder(make_config(MLPConfig, settings))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300, history_size=30, line_search_fn="strong_wolfe", tolerance_change=0)

    def loss():  # without the likelihood's constant, beside which float32 does not resolve the last angles
        optimizer.zero_grad()
        value = (model.generate(model.encode(pixel_values=images).mean) - images).square().sum((1, 2, 3)).mean()
        value.backward()
        return value

    optimizer.step(loss)
    pca = SklearnPCA(dim).fit(images.flatten(1).double().numpy())
    space = LatentSpace(model, ImageProcessor(1, 8, 8))
    error = squared_error(space.rebuild(images), images).mean().item()
    best = squared_error(PCA(dim).fit(images).inverse_transform(PCA(dim).fit(images).transform(images)), images).mean().item()
    assert best <= error + 1e-6 < best * 1.005
    angles = principal_angles(model.output.weight, pca.components_.T)
    assert angles.shape == (dim,) and angles[0] < 0.01


def test_principal_angles_of_known_planes():
    tilt = 0.3
    a = np.array([[1, 0], [0, 1], [0, 0]])
    b = np.array([[1, 0], [0, np.cos(tilt)], [0, np.sin(tilt)]])
    assert principal_angles(a, torch.from_numpy(b)) == pytest.approx([tilt, 0], abs=1e-12)
    assert principal_angles(a, a @ [[2, 1], [0, -3]]) == pytest.approx([0, 0], abs=1e-7)  # the basis does not matter


def test_pca_as_a_space_is_pca():
    space, reference = pca_space(PIXELS[TRAIN], 5), PCA(5).fit(PIXELS[TRAIN])
    codes = reference.transform(PIXELS[TEST])
    np.testing.assert_allclose(codes_of(space, PIXELS[TEST]), codes, atol=1e-5)
    torch.testing.assert_close(space.rebuild(PIXELS[TEST]), reference.inverse_transform(codes), atol=1e-5, rtol=0)
    torch.testing.assert_close(decoded(space, torch.from_numpy(codes).float()), space.rebuild(PIXELS[TEST]), atol=1e-5, rtol=0)
    as_set = ImageSet((PIXELS[TRAIN] * 255).round().byte().permute(0, 2, 3, 1).numpy())
    assert codes_of(pca_space(as_set, 5), as_set).abs().numpy() == pytest.approx(np.abs(reference.transform(PIXELS[TRAIN])), abs=0.05)


def test_pca_keeps_less_error_with_more_dimensions_and_none_with_all():
    errors = []
    for dim in (1, 8, 64):
        pca = PCA(dim).fit(PIXELS[TRAIN])
        errors.append(squared_error(pca.inverse_transform(pca.transform(PIXELS[TRAIN])), PIXELS[TRAIN]).mean().item())
    assert errors[0] > errors[1] > 0.1 and errors[2] < 1e-9


def test_lda_is_that_of_scikit_learn():
    rows = PIXELS.flatten(1).double().numpy()
    wanted = LinearDiscriminantAnalysis(n_components=2).fit(rows[TRAIN], LABELS[TRAIN]).transform(rows[TEST])
    np.testing.assert_allclose(LDA(2).fit(PIXELS[TRAIN], LABELS[TRAIN]).transform(PIXELS[TEST]), wanted)


def test_gda_with_all_landmarks_solves_the_dual_problem():
    """Baudat & Anouar 2000: maximize a'KWKa over a'KKa with a centered kernel; here with the same ridge on both sides."""
    n, dim, ridge = 150, 3, 0.05
    images, labels = PIXELS[:n], LABELS[:n]
    gda = GDA(dim, gamma=0.2, landmarks=n, ridge=ridge).fit(images, labels)
    rows = images.flatten(1).double().numpy()
    center = np.eye(n) - 1 / n
    kernel = center @ rbf_kernel(rows, gamma=0.2) @ center
    blocks = sum(np.outer(labels == c, labels == c) / (labels == c).sum() for c in range(10))
    features = np.trace(kernel) / n / n  # the mean variance of the n whitened features
    total = kernel @ kernel / n + ridge * features * kernel
    values, vectors = eigh(kernel @ blocks @ kernel / n, total + 1e-12 * np.eye(n), subset_by_index=[n - dim, n - 1])
    dual = kernel @ vectors[:, ::-1]
    primal = gda.transform(images)
    for k in range(dim):  # equal but for sign and scale
        assert abs(np.corrcoef(dual[:, k], primal[:, k])[0, 1]) > 0.99999
    assert primal.mean(0) == pytest.approx(0, abs=1e-8)


def test_gda_bends_where_lda_cannot():
    """A ring around a disc: no line tells them apart, one kernel direction does."""
    rng = np.random.default_rng(0)
    angle, ring = rng.uniform(0, 2 * np.pi, 400), np.arange(400) % 2
    radius = np.where(ring, 0.4, 0.1) + rng.normal(0, 0.02, 400)
    images = torch.from_numpy(0.5 + radius * np.stack([np.cos(angle), np.sin(angle)])).float().T.reshape(-1, 1, 1, 2)
    train, test = slice(0, 300), slice(300, 400)

    def separation(reducer):
        x = reducer.fit(images[train], ring[train]).transform(images[test])[:, 0]
        inside, outside = x[ring[test] == 0], x[ring[test] == 1]
        return abs(inside.mean() - outside.mean()) / (inside.std() + outside.std())

    assert separation(LDA(1)) < 0.5 < 3 < separation(GDA(1))
    assert separation(GDA(1, landmarks=40, seed=3)) > 3


def test_landmarks_are_drawn_by_seed_and_approach_the_exact_method():
    exact = GDA(4, landmarks=10_000).fit(PIXELS[TRAIN], LABELS[TRAIN]).transform(PIXELS[TEST])

    def agreement(landmarks, seed=0):
        few = GDA(4, landmarks=landmarks, seed=seed).fit(PIXELS[TRAIN], LABELS[TRAIN]).transform(PIXELS[TEST])
        return few, np.cos(principal_angles(few - few.mean(0), exact - exact.mean(0))).mean()

    few, agrees = agreement(60)
    assert np.array_equal(few, agreement(60)[0]) and not np.allclose(few, agreement(60, seed=1)[0])
    assert agreement(15)[1] < agrees < agreement(380)[1]
    assert agreement(400)[1] > 1 - 1e-9


def test_the_comparison_has_a_row_for_each_way():
    space = pca_space(PIXELS[TRAIN], 4)
    rows = compare({"mine": space}, PIXELS[TRAIN], LABELS[TRAIN], PIXELS[TEST], LABELS[TEST], dims=(2, 12))
    assert [(r.name, r.dim) for r in rows] == [("mine", 4), ("PCA", 2), ("LDA", 2), ("GDA", 2), ("PCA", 12)]
    mine, pca2, lda, gda, pca12 = rows
    assert pca12.squared_error < mine.squared_error < pca2.squared_error
    assert lda.squared_error is None and gda.squared_error is None
    assert mine.squared_error == pytest.approx(squared_error(space.rebuild(PIXELS[TEST]), PIXELS[TEST]).mean().item(), abs=1e-6)
    assert max(pca2.knn, lda.knn) + 0.1 < gda.knn and pca12.knn > 0.9 and pca12.logistic > 0.85


def test_a_code_is_the_posterior_mean():
    space = make_space("gaussian")
    codes = Code(space).fit(PIXELS[TRAIN]).transform(PIXELS[TEST])
    np.testing.assert_allclose(codes, space.encode(list(PIXELS[TEST, 0].numpy())), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PCA(0), "dim is 0"),
        (lambda: PCA(65).fit(PIXELS[TRAIN]), "65 principal components need as many images and pixels"),
        (lambda: LDA(10).fit(PIXELS[TRAIN], LABELS[TRAIN]), "10 classes has 9 dimensions at most; 10 were asked for"),
        (lambda: GDA(2).fit(PIXELS[TRAIN]), "needs a label for each of the 400 images"),
        (lambda: GDA(2, landmarks=0), "landmarks is 0"),
        (lambda: GDA(5, landmarks=3).fit(PIXELS[TRAIN], LABELS[TRAIN]), "3 landmarks span 3 dimensions"),
        (lambda: GDA(1).fit(torch.zeros(4, 1, 8, 8), np.array([0, 1, 0, 1])), "one and the same"),
        (lambda: pixels_of(make_space(), PIXELS[:2, :, :4]), r"pixels have shape \(2, 1, 4, 8\)"),
        (lambda: pixels_of(make_space(), PIXELS[:0]), "at least one"),
        (lambda: pixels_of(make_space(), PIXELS[:2] * 3), "from 0 to 1"),
        (lambda: pixels_of(make_space(), PIXELS[:2] / 0), "from 0 to 1"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.data
def test_the_reference_numbers_of_mnist(data_folder):
    """MEASURES: PCA-30 leaves 13.866 and is 89.6 % to a logistic probe; PCA-2 is 42.4 % and LDA-2 52.2 % to 5-NN."""
    from vision.data import DATASETS

    splits = DATASETS["mnist"]()
    x, test = (torch.from_numpy(splits[n].images / 255).float().permute(0, 3, 1, 2) for n in ("train", "test"))
    y, test_y = splits["train"].labels, splits["test"].labels
    rows = compare({}, x, y, test, test_y, dims=(2,))
    found = {(r.name, r.dim): r for r in rows}
    assert found["PCA", 2].knn == pytest.approx(0.424, abs=0.006)
    assert found["LDA", 2].knn == pytest.approx(0.522, abs=0.02)
    assert found["GDA", 2].knn > found["LDA", 2].knn
    assert squared_error(pca_space(x, 30).rebuild(test), test).mean().item() == pytest.approx(13.866, abs=0.02)
