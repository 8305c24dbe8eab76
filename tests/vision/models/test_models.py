"""Every image model keeps the contract: shapes, nats, conditioning, saving; and what only some of them can do."""

import math
from itertools import product

import pytest
import torch
from torch.nn.functional import mse_loss

from textae.core.autoencoder import make_config
from textae.core.latent import DiagonalGaussian, PointPosterior
from vision.models import MODELS, model_classes
from vision.models.base import LIKELIHOODS
from vision.models.likelihood import choose_likelihood
from vision.models.mlp import MLPAutoencoder, MLPConfig

SMALL = {
    "mlp": {"hidden_dims": [12, 9]},
    "conv": {"filters": [4, 6], "hidden_dim": 10},
}
OWN = {"vq"}  # whose code is a grid, of no size one likes: test_vq.py
CASES = list(product(SMALL, ["point", "gaussian"], LIKELIHOODS))


def build(name, seed=0, **changes):
    torch.manual_seed(seed)
    config_class, model_class = model_classes(name)
    settings = {"latent_dim": 3, "height": 9, "width": 7, "channels": 2, **SMALL[name], **changes}
    return model_class(make_config(config_class, settings)).eval()


def images(num=5, channels=2, height=9, width=7, seed=0):
    return torch.randint(256, (num, channels, height, width), generator=torch.Generator().manual_seed(seed)) / 255  # all likelihoods take 8 bits


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_tested(name):
    assert name in {*SMALL, *OWN}


@pytest.mark.parametrize("name,posterior,likelihood", CASES)
def test_contract(name, posterior, likelihood, tmp_path):
    model, x = build(name, posterior=posterior, likelihood=likelihood), images()
    out = model(pixel_values=x, sample=False)
    assert out.nll.shape == (5,) and out.z.shape == (5, 3) and out.count.tolist() == [126] * 5
    assert type(out.posterior) is (PointPosterior if posterior == "point" else DiagonalGaussian)
    assert model.generate(out.z).shape == x.shape
    one = model(pixel_values=x[2:3], sample=False).nll
    torch.testing.assert_close(one, out.nll[2:3], atol=1e-4, rtol=1e-5)  # an image's cost does not hang on its neighbours
    # the cost is of the target, the code of what was read
    y = images(seed=1)
    torch.testing.assert_close(model.nll(out.z, pixel_values=y)[0], model.nll(out.z, pixel_values=x, targets=y)[0])
    model.train()
    out = model(pixel_values=x)
    out.nll.sum().backward()
    unused = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused, f"no gradient reaches {unused}"
    model.eval().save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    torch.testing.assert_close(again(pixel_values=x, sample=False).nll, model(pixel_values=x, sample=False).nll)
    assert again.config.to_dict() == type(model).from_pretrained(tmp_path).config.to_dict()


@pytest.mark.parametrize("name", SMALL)
def test_labels_change_what_is_decoded(name):
    model = build(name, attributes={"label": ["a", "b", "c"]})
    z = torch.zeros(4, 3)
    decoded = model.generate(z, attributes=torch.tensor([[-1], [0], [1], [2]]))
    assert len({tuple(d.flatten().tolist()) for d in decoded}) == 4
    torch.testing.assert_close(decoded[:1], model.generate(z[:1]))  # unspecified is the same as no label at all


@pytest.mark.parametrize("name", SMALL)
def test_images_of_any_size_come_back_in_their_size(name):
    for height, width in ((5, 5), (8, 13), (28, 28)):
        model = build(name, height=height, width=width)
        assert model(pixel_values=images(2, 2, height, width)).nll.shape == (2,)
        assert model.generate(torch.zeros(2, 3)).shape == (2, 2, height, width)


@pytest.mark.parametrize("likelihood", ["continuous_bernoulli", "gaussian"])
@pytest.mark.parametrize("output", [-7.0, -0.5, -0.005, 0.0, 0.005, 0.0099, 0.0101, 2.0, 11.0])
def test_densities_integrate_to_one(likelihood, output):
    edge = 0.0 if likelihood == "continuous_bernoulli" else -12.0 + output
    x = torch.linspace(edge, 1.0 if edge == 0.0 else output + 12.0, 20_001, dtype=torch.float64)
    chosen = LIKELIHOODS[likelihood]()
    outputs = torch.full_like(x, output)
    density = torch.exp(-chosen.nll(outputs, x).double())
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=2e-4)
    assert torch.trapezoid(density * x, x).item() == pytest.approx(chosen.mean(torch.tensor(output)).item(), abs=4e-4 * max(1, abs(output)))


def test_continuous_bernoulli_agrees_with_torch():
    logits = torch.linspace(-9, 9, 91)
    x = torch.rand(91, generator=torch.Generator().manual_seed(0))
    ours = LIKELIHOODS["continuous_bernoulli"]().nll(logits, x)
    theirs = -torch.distributions.ContinuousBernoulli(logits=logits).log_prob(x)
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)
    small = torch.tensor([-0.02, -1e-3, 0.0, 1e-3, 0.02], dtype=torch.float32, requires_grad=True)
    LIKELIHOODS["continuous_bernoulli"]().nll(small, torch.full((5,), 0.3)).sum().backward()
    torch.testing.assert_close(small.grad, torch.tensor([0.2 - 0.02 / 12, 0.2 - 1e-3 / 12, 0.2, 0.2 + 1e-3 / 12, 0.2 + 0.02 / 12]), atol=1e-4, rtol=0)


def test_gaussian_at_root_half_is_squared_error_and_a_constant():
    model, x = build("mlp", likelihood="gaussian", posterior="point"), images()
    out = model(pixel_values=x)
    error = mse_loss(model.generate(out.z), x, reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(out.nll - error, torch.full((5,), 126 * 0.5 * math.log(math.pi)), atol=1e-3, rtol=1e-5)


def test_learned_sigma_finds_the_noise():
    likelihood = LIKELIHOODS["gaussian"](sigma=1.0, learn=True)
    noise = 0.2 * torch.randn(4000, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        likelihood.nll(torch.zeros(4000), noise).mean().backward()
        optimizer.step()
    assert math.exp(likelihood.offset.item()) == pytest.approx(0.2, rel=0.05)


def test_the_rule_of_thumb():
    assert choose_likelihood(torch.tensor([0.0, 0.5, 1.0])) == "bernoulli"
    assert choose_likelihood(torch.tensor([-0.1, 1.0])) == "gaussian" == choose_likelihood(torch.tensor([0.0, 255.0]))


def test_the_net_of_the_article_has_its_parameters():
    model = MLPAutoencoder(MLPConfig(hidden_dims=[500, 300], latent_dim=2, posterior="point", likelihood="gaussian"))
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 1_087_586


def test_layers_are_free():
    model = build("mlp", hidden_dims=[], decoder_dims=[20, 30, 40], posterior="point", latent_dim=200, activation="tanh")
    assert model.generate(torch.zeros(1, 200)).shape == (1, 2, 9, 7)
    toy = build("mlp", channels=1, height=1, width=3, hidden_dims=[64, 64, 2], decoder_dims=[2, 64, 64], latent_dim=2, posterior="point",
                activation=["relu", "relu", "tanh"], likelihood="gaussian")  # fmt: skip
    assert [type(a).__name__ for a in toy.decoder_activations] == ["Tanh", "ReLU", "ReLU"]


def test_tied_weights_are_the_encoders():
    model, x = build("mlp", tied=True, posterior="point", activation="sigmoid"), images()
    assert not [n for n, _ in model.named_parameters() if n.startswith(("decoder.", "output"))]
    h = torch.sigmoid(model.encoder[1](torch.sigmoid(model.encoder[0](x.flatten(1)))))
    z = model.posterior_head.mean(h)
    back = torch.sigmoid(z @ model.posterior_head.mean.weight) @ model.encoder[1].weight
    back = torch.sigmoid(back) @ model.encoder[0].weight
    torch.testing.assert_close(model.pixels(z).flatten(1), back)  # fresh decoder biases are zero
    model(pixel_values=x).nll.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_k_sparse_keeps_the_largest():
    model, x = build("mlp", latent_dim=20, posterior="point", k_sparse=4), images()
    dense = build("mlp", latent_dim=20, posterior="point").encode(pixel_values=x).mean
    z = model.encode(pixel_values=x).mean
    assert (z != 0).sum(1).tolist() == [4] * 5
    kept = dense.topk(4, dim=1)
    torch.testing.assert_close(z.gather(1, kept.indices), kept.values)


def test_cluster_heads_stand_in_for_the_category():
    model, x = build(
        "mlp", latent_dim=6, categories=4, cluster_heads=True, posterior="point", prior="categorical", prior_options={"categories": 4}
    ), images()
    z = model.encode(pixel_values=x).mean
    torch.testing.assert_close(z[:, :4].sum(1), torch.ones(5))
    torch.testing.assert_close(model.context(z), z[:, :4] @ model.cluster_heads + z[:, 4:])


def test_a_spatial_code_is_a_stack_of_maps():
    model = build("conv", spatial=True, hidden_dim=0, filters=[4, 6], latent_dim=3 * 3 * 2, full_layers=2)
    x = images()
    assert model.encode(pixel_values=x).mean.shape == (5, 18)
    moved = x.clone()
    moved[:, :, 8, 6] = 1 - moved[:, :, 8, 6]
    changed = (model.encode(pixel_values=moved).mean - model.encode(pixel_values=x).mean).view(5, 3, 3, 2).abs().amax((0, 1)) > 0
    assert changed[2, 1] and not changed[0, 0], "a corner pixel reaches its own corner of the code only"


@pytest.mark.parametrize(
    "name,settings,words",
    [
        ("mlp", {"likelihood": "gausian"}, "gaussian"),
        ("mlp", {"hidden_dims": [10, 0]}, "at least one unit"),
        ("mlp", {"likelihood": "logistic_mixture", "likelihood_options": {"rank": 3}}, "components"),
        ("mlp", {"likelihood": "logistic_mixture", "likelihood_options": {"components": 0}}, "at least 1"),
        ("mlp", {"likelihood_options": {"sigma": 1.0}, "likelihood": "gaussian"}, "set by sigma"),
        ("mlp", {"likelihood": "beta_binomial", "tied": True}, "one output for each pixel"),
        ("mlp", {"activation": "reul"}, "relu"),
        ("mlp", {"activation": ["relu"]}, "2 layers"),
        ("mlp", {"tied": True, "decoder_dims": [3]}, "mirrored"),
        ("mlp", {"k_sparse": 4, "posterior": "point"}, "latent_dim = 3"),
        ("mlp", {"k_sparse": 2}, "posterior=point"),
        ("mlp", {"cluster_heads": True, "posterior": "point"}, "categories"),
        ("mlp", {"sigma": 0.0}, "above 0"),
        ("mlp", {"output": "sigmoid"}, "gaussian"),
        ("mlp", {"width": 0}, "width is 0"),
        ("mlp", {"dropout": 1.0}, "below 1"),
        ("conv", {"filters": []}, "at least one layer"),
        ("conv", {"kernel_size": 4}, "odd"),
        ("conv", {"filters": [2, 2, 2, 2, 2]}, "too many"),
        ("conv", {"spatial": True}, "hidden_dim=0"),
        ("conv", {"hiden_dim": 3}, "hidden_dim"),
    ],
)
def test_what_cannot_be_is_refused(name, settings, words):
    with pytest.raises(ValueError, match=words):
        build(name, **settings)
