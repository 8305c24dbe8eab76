"""Baselines of restoration against their definitions, and the table that an autoencoder has to top."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge as SklearnRidge

from vision.data.corruption import Gaussian, Gray, LowResolution
from vision.data.digits import enlarge
from vision.metrics import mse, psnr
from vision.reduction import pca_space
from vision.restoration import Cubic, Median, Ridge, compare_restoration

SMALL = torch.from_numpy(load_digits().images / 16).float()[:, None]
DIGITS = torch.from_numpy(enlarge(load_digits().images[:300] / 16)).permute(0, 3, 1, 2) / 255


def test_ridge_is_that_of_scikit_learn():
    rng = torch.Generator().manual_seed(0)
    x, y = torch.rand(50, 2, 3, 4, generator=rng), torch.rand(50, 2, 3, 4, generator=rng)
    wanted = SklearnRidge(alpha=0.7).fit(x.flatten(1).double(), y.flatten(1).double()).predict(x.flatten(1).double())
    restored = Ridge(0.7).fit(x, y)(x)
    np.testing.assert_allclose(restored.flatten(1), np.clip(wanted, 0, 1), atol=1e-6)


def test_ridge_undoes_what_is_linear():
    """Pixels in another order and half as bright: the map is found."""
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    mixed = (SMALL.flatten(1)[:, order] / 2).view_as(SMALL)
    assert psnr(Ridge(1e-3).fit(mixed[:1000], SMALL[:1000])(mixed[1000:]), SMALL[1000:]) > 50


def test_median_removes_a_speck_and_keeps_an_edge():
    image = torch.zeros(1, 2, 7, 7)
    image[:, :, :, 4:] = 1
    specked = image.clone()
    specked[0, 0, 3, 1] = 1
    assert torch.equal(Median()(specked), image)
    assert torch.equal(Median(1)(specked), specked)


def test_cubic_enlarges_smooth_pictures_best_and_constants_exactly():
    y, x = torch.meshgrid(torch.arange(30.0), torch.arange(28.0), indexing="ij")
    smooth = (0.5 + 0.4 * torch.sin(x / 5) * torch.cos(y / 6))[None, None]
    low = LowResolution(4)(smooth)
    restored = Cubic(4)(low)
    assert restored.shape == smooth.shape and mse(restored, smooth) < mse(low, smooth) / 5
    flat = torch.full((2, 3, 9, 10), 0.25)
    torch.testing.assert_close(Cubic(4)(LowResolution(4)(flat)), flat)
    torch.testing.assert_close(Cubic(1)(smooth), smooth)


def test_the_table_names_doing_nothing_and_every_way():
    space = pca_space(DIGITS[:200], 20)
    rows = compare_restoration({"mine": space}, DIGITS[200:], Gaussian(0.3), train=DIGITS[:200], seed=3)
    assert [r.name for r in rows] == ["corrupted", "ridge", "median", "mine"]
    by_name = {r.name: r for r in rows}
    for row in rows:
        assert row.psnr == pytest.approx(-10 * math.log10(row.mse)) and 0 < row.ssim < 1
    assert by_name["mine"].psnr > by_name["corrupted"].psnr + 3 and by_name["median"].psnr > by_name["corrupted"].psnr
    assert rows == compare_restoration({"mine": space}, DIGITS[200:], Gaussian(0.3), train=DIGITS[:200], seed=3)
    assert rows != compare_restoration({"mine": space}, DIGITS[200:], Gaussian(0.3), train=DIGITS[:200], seed=4)


def test_enlarging_and_small_images():
    rows = compare_restoration({}, DIGITS[200:], LowResolution(2), train=DIGITS[:200], baselines={"cubic": Cubic(2), "ridge": Ridge()})
    corrupted, cubic, ridge = rows
    assert cubic.psnr > corrupted.psnr and ridge.psnr > corrupted.psnr
    small = compare_restoration({}, SMALL[1000:], LowResolution(2), train=SMALL[:1000])
    assert all(r.ssim is None for r in small) and small[1].psnr > small[0].psnr


def test_colorizing_by_ridge():
    """The second channel is the first's inverse: gray tells all."""
    color = torch.cat([SMALL, 1 - SMALL, SMALL / 2], 1)
    corrupted, ridge = compare_restoration({}, color[1000:], Gray(), train=color[:1000], baselines={"ridge": Ridge(1e-3)})
    assert corrupted.psnr < 15 and ridge.psnr > 40


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ridge(0), "penalty is 0"),
        (lambda: Ridge()(SMALL), "not fitted yet"),
        (lambda: Ridge().fit(SMALL[:3], SMALL[:4]), "both must be"),
        (lambda: Median(0), "size is 0"),
        (lambda: Cubic(0), "factor is 0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.data
def test_the_reference_numbers_of_mnist(data_folder):
    """MEASURES: denoising 22.98 / 17.58 (ridge) and 19.27 / 14.15 (median) dB; enlarging 22.44 (ridge) and 20.56 (cubic)."""
    from vision.data import DATASETS

    splits = DATASETS["mnist"]()
    train, test = (torch.from_numpy(splits[n].images / 255).float().permute(0, 3, 1, 2) for n in ("train", "test"))
    for sigma, ridge, median in ((0.2, 22.98, 19.27), (0.5, 17.58, 14.15)):
        rows = {r.name: r.psnr for r in compare_restoration({}, test, Gaussian(sigma), train=train)}
        assert rows["ridge"] == pytest.approx(ridge, abs=0.05) and rows["median"] == pytest.approx(median, abs=0.03)
    ways = {"ridge": Ridge(), "cubic": Cubic(2)}
    rows = {r.name: r.psnr for r in compare_restoration({}, test, LowResolution(2), train=train, baselines=ways)}
    assert rows["ridge"] == pytest.approx(22.44, abs=0.03) and rows["cubic"] == pytest.approx(20.56, abs=0.01)
