"""The playground's network in Chromium against torch: losses, gradients, Adam; and the points that it learns."""

import numpy as np
import pytest
import torch
from torch import nn

from vision.shapes import SHAPES, shape

pytestmark = pytest.mark.browser
ACTIVATIONS = {
    "tanh": torch.tanh, "relu": torch.relu, "leaky_relu": lambda x: nn.functional.leaky_relu(x, 0.2), "elu": nn.functional.elu,
    "sigmoid": torch.sigmoid, "softplus": nn.functional.softplus, "linear": lambda x: x,
}  # fmt: skip
RUN = """({ points, options, noises }) => {
  const net = new Toy.Net(points, options);
  const plain = (x) => JSON.parse(JSON.stringify(x, (key, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v)));
  const drawn = net.backward(noises.length ? noises[0] : null);
  const mean = net.backward();
  for (const noise of noises) net.step(noise);
  return plain({ drawn, mean, after: net.backward(), weights: net.layers.map(({ weight, bias }) => [weight, bias]) });
}"""


class Reference:
    """The same network in torch, float64, with gradients by autograd."""

    def __init__(self, hidden, activation, variational, kl_weight):
        generator = torch.Generator().manual_seed(0)
        widths, back = [3, *hidden], [2, *hidden[::-1], 3]
        shapes = list(zip(widths[1:], widths[:-1], strict=True)) + [(2, widths[-1])] * (1 + variational)
        shapes += list(zip(back[1:], back[:-1], strict=True))
        self.layers = [
            (torch.randn(o, i, generator=generator, dtype=torch.float64).mul(0.6).requires_grad_(),
             torch.randn(o, generator=generator, dtype=torch.float64).mul(0.3).requires_grad_()) for o, i in shapes
        ]  # fmt: skip
        self.num_hidden, self.act, self.variational, self.kl_weight = len(hidden), ACTIVATIONS[activation], variational, kl_weight

    def losses(self, points, noise):
        """Each point's loss, its error and KL, and the code to differentiate for."""
        x, layers = points, iter(self.layers)
        for _ in range(self.num_hidden):
            x = self.act(nn.functional.linear(x, *next(layers)))
        mean = nn.functional.linear(x, *next(layers))
        mean.retain_grad()
        kl = torch.zeros(len(points), dtype=torch.float64)
        code = mean
        if self.variational:
            logvar = nn.functional.linear(x, *next(layers))
            if noise is not None:
                code = mean + torch.exp(0.5 * logvar) * noise
            q = torch.distributions.Normal(mean, torch.exp(0.5 * logvar))
            kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
        y = code
        for _ in range(self.num_hidden):
            y = self.act(nn.functional.linear(y, *next(layers)))
        output = nn.functional.linear(y, *next(layers))
        error = (output - points).square().sum(1)
        return error + self.kl_weight * kl, error, kl, mean, output

    def backward(self, points, noise):
        for weight, bias in self.layers:
            weight.grad = bias.grad = None
        loss, error, kl, mean, output = self.losses(points, noise)
        loss.mean().backward()
        return {
            "loss": loss.mean().item(), "error": error.mean().item(), "kl": kl.mean().item(), "means": mean.detach(),
            "codeGrads": mean.grad * len(points), "outputs": output.detach(), "grads": [(w.grad, b.grad) for w, b in self.layers],
        }  # fmt: skip


def close(found, wanted):
    return np.allclose(np.array(found).ravel(), np.asarray(wanted).ravel(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("variational", "hidden"), [(False, [7, 5]), (True, [6]), (True, [8, 4, 2]), (False, [])])
def test_losses_gradients_and_adam_equal_torchs(scripts, activation, variational, hidden):
    points = torch.randn(9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noises = torch.randn(12, 9, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    kl_weight = 0.07 if variational else 0.0
    net = Reference(hidden, activation, variational, kl_weight)
    weights = [{"weight": w.detach().flatten().tolist(), "bias": b.detach().tolist()} for w, b in net.layers]
    options = {"hidden": hidden, "activation": activation, "variational": variational, "klWeight": kl_weight, "rate": 0.02, "weights": weights}
    page = scripts.evaluate(RUN, {"points": points.tolist(), "options": options, "noises": noises.flatten(1).tolist()})
    for name, noise in (("drawn", noises[0]), ("mean", None)):
        wanted, found = net.backward(points, noise if variational else None), page[name]
        for key in ("loss", "error", "kl", "means", "codeGrads", "outputs"):
            assert close(found[key], wanted[key]), f"{key} at the {name}"
        for n, pair in enumerate(wanted["grads"]):
            assert close(found["grads"][n][0], pair[0]) and close(found["grads"][n][1], pair[1]), f"layer {n} at the {name}"
    optimizer = torch.optim.Adam([p for pair in net.layers for p in pair], lr=0.02)
    for noise in noises:
        net.backward(points, noise if variational else None)
        optimizer.step()
    for found, wanted in zip(page["weights"], net.layers, strict=True):
        assert np.allclose(found[0], wanted[0].detach().flatten(), atol=1e-7) and np.allclose(found[1], wanted[1].detach(), atol=1e-7)
    assert close(page["after"]["loss"], net.backward(points, None)["loss"]) and page["after"]["loss"] != page["mean"]["loss"]


def test_the_offered_activations_are_those_tested(scripts):
    assert scripts.evaluate("Toy.ACTIVATIONS") == [*ACTIVATIONS]


def test_weights_start_by_pytorchs_law_and_repeat_their_seed(scripts):
    drawn = scripts.evaluate(
        "[1, 1, 2].map((seed) => new Toy.Net([[0, 0, 0]], { hidden: [400], seed }).layers.map((l) => [Array.from(l.weight), Array.from(l.bias)]))"
    )
    assert drawn[0] == drawn[1] != drawn[2]
    weight = np.array(drawn[0][0][0])  # (400, 3): uniform within 1 / sqrt(3)
    assert abs(weight).max() <= 3**-0.5 and abs(weight.std() - 1 / 3) < 0.02 and abs(weight.mean()) < 0.05


def test_noise_is_standard_normal(scripts):
    drawn = np.array(scripts.evaluate("(() => { const n = new Toy.Net([[0, 0, 0]], {}); return Array.from({ length: 4000 }, () => n.normal()); })()"))
    assert np.isfinite(drawn).all() and abs(drawn.mean()) < 0.06 and abs(drawn.std() - 1) < 0.05


@pytest.mark.parametrize("name", SHAPES)
def test_the_articles_shapes_are_those_of_vision(scripts, name):
    found = scripts.evaluate("(name) => Points.SHAPES[name].points()", name)
    assert np.allclose(found, shape(name), atol=1e-7)


def test_every_shape_lies_in_the_box(scripts):
    for name, points in scripts.evaluate("Object.entries(Points.SHAPES).map(([name, s]) => [name, s.points()])"):
        points = np.array(points)
        assert points.shape[1] == 3 and points.min() >= 0 and points.max() <= 1 and points.std(0).min() > 0.1, name


def test_a_drawn_line_becomes_even_points_from_front_to_back(scripts):
    drawn = [[0.1, 0.1], [0.2, 0.1], [0.9, 0.1], [0.9, 0.5]]
    points = np.array(scripts.evaluate("(drawn) => Points.fromDrawing(drawn)", drawn))
    steps = np.linalg.norm(np.diff(points[:, [0, 2]], axis=0), axis=1)
    assert np.allclose(points[0], [0.1, 0, 0.1]) and np.allclose(points[-1], [0.9, 1, 0.5])
    assert np.allclose(points[:, 1], np.linspace(0, 1, 40)) and np.median(steps) == pytest.approx(1.2 / 39) and steps.max() < 1.2 / 39 + 1e-9


@pytest.mark.parametrize("drawn", [[], [[0.5, 0.5]], [[0.5, 0.5], [0.55, 0.5]], [[0.5, 0.5]] * 9])
def test_a_dot_is_no_curve(scripts, drawn):
    assert scripts.evaluate("(drawn) => Points.fromDrawing(drawn)", drawn) is None


def test_the_network_learns_in_a_second(scripts):
    error = scripts.evaluate("""(() => {
      const net = new Toy.Net(Points.SHAPES.roller.points(), { hidden: [32, 32], variational: true, klWeight: 0.001, seed: 1 });
      const before = net.backward().error;
      for (let k = 0; k < 300; k++) net.step();
      return net.backward().error / before;
    })()""")
    assert error < 0.05
