"""The toy shapes: the article's points and network, and trails that are the exact gradient where the article's were not."""

import numpy as np
import pytest
import torch
from torch import nn

from vision.shapes import NUM_POINTS, SHAPES, record, shape, shape_model, shape_pixels

PUBLISHED = {  # (index, point), rounded from the article's data files
    "circle": [(0, (1.0, 0.5, 0.5)), (1, (0.984292, 0.624591, 0.624591)), (19, (0.531395, 0.0, 0.0))],
    "roller": [(1, (0.984292, 0.624591, 0.741353)), (22, (0.864484, 0.157050, 0.0))],
    "sin": [(0, (0.5, 0.5, 0.5)), (6, (1.0, 0.625, 0.625)), (24, (0.375409, 1.0, 1.0))],
    "twisted cubic": [(0, (0.0, 1.0, 0.0)), (13, (0.52, 0.5008, 0.500032)), (24, (0.96, 0.9232, 0.889344))],
}


@pytest.fixture(scope="module")
def circle():
    return record(shape_model(seed=0), shape("circle"), steps=120, every=50)


@pytest.mark.parametrize("name", SHAPES)
def test_points_are_the_articles(name):
    points = shape(name)
    assert points.shape == (25, 3) and points.dtype == torch.float32 and NUM_POINTS == 25
    assert points.min() >= 0 and points.max() <= 1 and len(points.unique(dim=0)) == 25
    assert torch.equal(shape_pixels(name).flatten(1), points)
    for index, point in PUBLISHED[name]:
        assert torch.allclose(points[index], torch.tensor(point), atol=2e-6)


def test_unknown_shape_is_named():
    with pytest.raises(ValueError, match="no shape 'square'; choose one of circle, roller"):
        shape("square")


def test_network_is_the_articles():
    before = torch.get_rng_state()
    model = shape_model()
    assert torch.equal(torch.get_rng_state(), before)
    widths = [m.out_features for m in model.modules() if isinstance(m, nn.Linear)]
    assert widths == [64, 64, 2, 2, 2, 64, 64, 3]
    assert [type(m) for m in [*model.activations, *model.decoder_activations]] == [nn.Tanh] * 6
    assert model.config.code_activation == "linear" and model.config.output == "linear"
    z = torch.randn(5, 2)
    by_hand = z
    for layer in model.decoder:
        by_hand = torch.tanh(layer(by_hand))
    assert torch.equal(model.generate(z).flatten(1), model.output(by_hand))


def test_recorded_moments(circle):
    assert circle.moments_K.tolist() == [0, 50, 100, 120] and circle.unit == "step"
    assert circle.codes_KND.shape == circle.gradients_KND.shape == (4, 25, 2) and circle.outputs_KNP.shape == (4, 25, 3)
    fresh = shape_model(seed=0).eval()
    assert torch.allclose(circle.codes_KND[0], fresh.encode(shape_pixels("circle")).mean, atol=1e-6)
    errors = (circle.outputs_KNP - shape("circle")).square().mean((1, 2))
    assert errors[-1] < 0.05 * errors[0]


def test_looking_changes_no_step():
    seldom, often = shape_model(1), shape_model(1)
    record(seldom, shape("sin"), steps=30, every=30)
    record(often, shape("sin"), steps=30, every=1)
    for a, b in zip(seldom.parameters(), often.parameters(), strict=True):
        assert torch.equal(a, b)


def point_loss(model, point):
    """The squared error of one point as a function of its code, in float64 and without torch's gradients."""
    layers = [(x.weight.detach().double().numpy(), x.bias.detach().double().numpy()) for x in [*model.decoder, model.output]]

    def loss(z):
        for i, (weight, bias) in enumerate(layers):
            z = weight @ z + bias
            z = np.tanh(z) if i < len(layers) - 1 else z
        return float(((z - point) ** 2).sum())

    return loss


def finite_differences(model, points, codes, step=1e-5):
    rows = []
    for point, z in zip(points.double().numpy(), codes.double().numpy(), strict=True):
        loss = point_loss(model, point)
        rows.append([(loss(z + e) - loss(z - e)) / (2 * step) for e in step * np.eye(2)])
    return np.array(rows)


def articles_gradients(model, points, codes):
    """(W * dW).sum(axis) / z for both axes: of one point, dL/dz_i = sum over units j of W_ij dL/dW_ij / z_i.

    The weights stand as (inputs, units), as in Keras; the article's code sums over axis 0, the inputs.
    """
    both = []
    first = model.decoder[0]
    for point, z in zip(points, codes, strict=True):
        loss = (model.generate(z[None]).flatten(1) - point).square().sum()
        (gradient,) = torch.autograd.grad(loss, first.weight)
        product = (first.weight * gradient).T.detach()
        both.append(torch.stack([product.sum(0) / z, product.sum(1) / z]))
    return torch.stack(both, 1).numpy()


def cosine(a, b):
    return ((a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-30)).mean()


@pytest.mark.parametrize("name", SHAPES)
def test_trails_are_the_exact_gradient_and_the_articles_are_not(name):
    model, points = shape_model(seed=3), shape(name)
    history = record(model, points, steps=40, every=40)
    codes, ours = history.codes_KND[-1], history.gradients_KND[-1].numpy()
    true = finite_differences(model, points, codes)
    assert np.allclose(ours, true, rtol=1e-3, atol=1e-4 * np.abs(true).max())
    mistaken, mended = articles_gradients(model, points, codes)
    assert cosine(mended, true) > 0.999  # the other axis is right
    assert cosine(mistaken, true) < 0.9
    assert not np.allclose(mistaken, true, rtol=0.1, atol=0.1 * np.abs(true).max())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": torch.rand(25, 2)}, r"points have shape \(25, 2\); they must be \(N, 3\)"),
        ({"steps": 0}, "steps is 0"),
        ({"every": 0}, "every is 0"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        record(**{"model": shape_model(), "points": shape("sin"), "steps": 2, "every": 1, **change})
