"""Layer-by-layer pretraining: what is unrolled is what was trained, the closed forms, and every entry of the table."""

import math

import pytest
import torch
from torch import nn

from textae.core.autoencoder import make_config
from vision.greedy import contraction, corrupt, fit_layer, reconstruction_cost
from vision.levels import levels_of
from vision.models.base import ACTIVATIONS, CodeShape
from vision.models.conv import ConvAutoencoder, ConvConfig
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.options import RBMOptions, StackOptions
from vision.pretraining import PRETRAINING, layer_seed, pretrain, pretrain_rbm_stack
from vision.rbm import RBM, fit_rbm


def make(seed=0, **changes):
    torch.manual_seed(seed)
    tiny = dict(height=8, width=8, hidden_dims=[30, 20], latent_dim=10, posterior="point", activation="sigmoid")
    return MLPAutoencoder(make_config(MLPConfig, {**tiny, **changes})).eval()


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    return torch.tensor(load_digits().images[:600] / 16, dtype=torch.float32)[:, None]


def error(model, images):
    with torch.no_grad():
        rebuilt = model.generate(model.encode(pixel_values=images).mean)
    return (rebuilt - images).square().flatten(1).sum(1).mean().item()


def quiet(**changes):
    return {"progress": False, "epochs": 2, **changes}


# --- unrolling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,options",
    [
        ({}, {}),
        ({"code_activation": "sigmoid", "tied": True}, {}),
        ({"posterior": "gaussian"}, {"persistent": True, "chains": 20}),
        ({"likelihood": "gaussian"}, {"learn_sigma": True}),
        ({"likelihood": "gaussian", "tied": True}, {"sigma": 1.0}),
        ({"likelihood": "gaussian", "output": "sigmoid", "hidden_dims": []}, {}),
    ],
)
def test_an_unrolled_stack_propagates_as_its_machines_do(digits, changes, options):
    model, options = make(**changes), RBMOptions(**quiet(**options))
    reports = pretrain_rbm_stack(model, digits, options, seed=3)
    widths = [64, *model.config.hidden_dims, 10]
    assert [(r.layer, r.num_inputs, r.num_units) for r in reports] == list(zip(range(9), widths[:-1], widths[1:], strict=False))
    gaussian = changes.get("likelihood") == "gaussian" and "output" not in changes
    x, machines = digits.flatten(1), []
    for k, (below, units) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        is_code = k == len(widths) - 2
        kinds = {"hidden": "gaussian" if is_code and model.config.code_activation == "linear" else "bernoulli"}
        if gaussian and k == 0:
            kinds |= {"visible": "gaussian", "sigma": options.sigma or x.var(0, correction=0).mean().sqrt().item(), "learn_sigma": options.learn_sigma}
        g = torch.Generator().manual_seed(layer_seed(3, k))
        rbm = RBM(below, units, **kinds, init_std=options.init_std, generator=g)
        rbm.start_at(x)
        history = fit_rbm(rbm, x, options, seed=layer_seed(3, k))
        assert history[-1].reconstruction_error == pytest.approx(reports[k].epochs[-1].reconstruction_error, rel=1e-4)
        with torch.no_grad():
            x = rbm.hidden_mean(x)
        machines.append(rbm)
    if gaussian and options.learn_sigma:
        assert machines[0].log_sigma.std() > 0
    with torch.no_grad():
        torch.testing.assert_close(model.encode(pixel_values=digits).mean, x, rtol=1e-4, atol=1e-5)
        down = x
        for rbm in reversed(machines):
            down = rbm.visible_mean(down)
        torch.testing.assert_close(model.generate(x).flatten(1), down, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_greedy_layers_are_trained_on_clean_codes_in_the_model_itself(digits, tied):
    model, twin = make(activation=["relu", "tanh"]), make(activation=["relu", "tanh"])
    options = StackOptions(layer="plain", tied=tied, progress=False, epochs=2)
    reports = pretrain(model, digits, "plain", 5, tied=tied, progress=False, epochs=2, valid=digits[:50])
    x, held_out = digits.flatten(1), digits[:50].flatten(1)
    for k, level in enumerate(levels_of(twin, 0, 0)):
        history = fit_layer(level, reconstruction_cost(twin, level, "auto"), x, options, layer_seed(5, k), held_out)
        assert [h.cost for h in history] == [h.cost for h in reports[k].epochs]
        assert history[-1].valid_error == reports[k].epochs[-1].valid_error
        assert torch.equal(level.decoder.weight, level.encoder.weight.T) == tied
        with torch.no_grad():
            x, held_out = level.activation(level.encoder(x)), level.activation(level.encoder(held_out))
    for name, value in twin.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    torch.testing.assert_close(model.encode(pixel_values=digits).mean, x)
    assert all(p.grad is None for p in model.parameters())


def test_a_level_decodes_what_it_encodes(digits):
    """Each pair's rebuilt inputs are what the model's own decoder yields at that depth."""
    model = make(activation=["tanh", "softplus"], decoder_activation=["relu", "tanh"], likelihood="gaussian", output="sigmoid")
    levels = levels_of(model, 0, 0)
    assert [level.below for level in levels] == ["pixels", "tanh", "softplus"]
    assert [level.link for level in levels] == ["sigmoid", "tanh", "relu"]
    x = model.encode(pixel_values=digits).mean
    down = x
    for level in reversed(levels):
        down = level.undo(nn.functional.linear(down, level.decoder.weight, level.decoder_bias))
    torch.testing.assert_close(down, model.generate(x).flatten(1))


# --- the parts of greedy layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_contractive_penalty_is_the_squared_norm_of_the_jacobian(name):
    torch.manual_seed(0)
    layer, activation, x = nn.Linear(5, 4).double(), ACTIVATIONS[name](), torch.randn(6, 5, dtype=torch.float64)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda one: activation(layer(one))))(x)
    wanted = jacobians.square().sum((1, 2))
    torch.testing.assert_close(contraction(layer, activation, x), wanted)
    found = torch.autograd.grad(contraction(layer, activation, x).sum(), layer.weight)[0]
    torch.testing.assert_close(found, torch.autograd.grad(wanted.sum(), layer.weight)[0])


def test_the_contractive_penalty_of_a_k_sparse_code():
    torch.manual_seed(0)
    layer, shape, x = nn.Linear(5, 4).double(), CodeShape("linear", 2), torch.randn(6, 5, dtype=torch.float64)
    jacobians = torch.autograd.functional.jacobian(lambda v: shape(layer(v)).sum(0), x).transpose(0, 1)
    torch.testing.assert_close(contraction(layer, shape, x), jacobians.square().sum((1, 2)))


def test_contraction_shrinks_the_jacobian_and_is_logged_apart(digits):
    found = {}
    for weight in (0.0, 1.0):
        model = make(hidden_dims=[], code_activation="sigmoid", latent_dim=20)
        report = pretrain(model, digits, "contractive", contraction=weight, epochs=20, lr=0.01, progress=False)[0].epochs[-1]
        found[weight] = contraction(model.posterior_head.mean, model.code_shape, digits.flatten(1)).mean().item()
        assert report.contraction == pytest.approx(found[weight], rel=0.1)
        assert 16 < report.cost < 27, report  # nats, without the penalty; 44 = 64 log 2 at the start
    assert found[1.0] < 0.5 * found[0.0]
    assert pretrain(make(), digits, "plain", epochs=1, progress=False)[0].epochs[0].contraction is None


def test_corruption_strikes_the_share_it_should():
    g = torch.Generator().manual_seed(0)
    x = torch.full((200, 500), 0.6)
    masked = corrupt(x, "masking", 0.3, g)
    assert (masked == 0).float().mean().item() == pytest.approx(0.3, abs=0.01) and set(masked.unique().tolist()) == {0.0, x[0, 0].item()}
    salted = corrupt(x, "salt_pepper", 0.2, g, (-1.0, 1.0))
    for value in (-1.0, 1.0):
        assert (salted == value).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (salted == x).float().mean().item() == pytest.approx(0.8, abs=0.01)
    noisy = corrupt(x, "gaussian", 0.5, g)
    assert (noisy - x).mean().abs() < 0.01 and (noisy - x).std().item() == pytest.approx(0.5, abs=0.01)
    assert (x == 0.6).all()


def test_costs_are_in_nats_or_squared_error(digits):
    x = digits.flatten(1)[:7]
    out = torch.randn(7, 64)
    bce = nn.functional.binary_cross_entropy(torch.sigmoid(out), x, reduction="none").sum(1)
    square = (torch.sigmoid(out) - x).square().sum(1)

    def cost(model, index, loss):
        level = levels_of(model, 0, 0)[index]
        return reconstruction_cost(model, level, loss)

    bernoulli, gaussian, linear = make(), make(likelihood="gaussian", output="sigmoid"), make(likelihood="gaussian", activation="tanh")
    for model, loss, wanted in (
        (bernoulli, "auto", bce), (bernoulli, "cross_entropy", bce), (bernoulli, "squared_error", square),
        (gaussian, "cross_entropy", bce), (gaussian, "squared_error", square), (gaussian, "auto", square + 32 * math.log(math.pi)),
        (linear, "squared_error", (out - x).square().sum(1)),
    ):  # fmt: skip
        torch.testing.assert_close(cost(model, 0, loss)(out, x), wanted)
    torch.testing.assert_close(cost(bernoulli, 1, "auto")(out, x), bce)
    torch.testing.assert_close(cost(linear, 1, "auto")(out, x), (torch.tanh(out) - x).square().sum(1))
    for model, index in ((linear, 0), (linear, 1)):
        with pytest.raises(ValueError, match="cross-entropy needs inputs in"):
            cost(model, index, "cross_entropy")


# --- the table ----------------------------------------------------------------------------------------------------

OPTIONS = {"rbm": {"gaussian_lr": 0.01}, "denoising": {"lr": 0.01}, "contractive": {"lr": 0.01}, "plain": {"lr": 0.01}}


@pytest.mark.parametrize("kind", PRETRAINING)
def test_every_kind_lowers_the_error_of_the_whole_and_repeats_by_seed(digits, kind):
    options = {**OPTIONS[kind], "epochs": 10, "batch_size": 20, "progress": False}
    mean = (digits - digits.mean(0)).square().flatten(1).sum(1).mean().item()
    models = []
    for seed in (0, 0, 1):
        model = make()
        before, state = error(model, digits), torch.get_rng_state()
        short = options if not models else {**options, "epochs": 2}
        reports = pretrain(model, digits, kind, seed, **short)
        assert len(reports) == 3 and torch.equal(state, torch.get_rng_state())
        if not models:
            # measured: 1.6 to 2.1, where the mean image has 4.6 and random weights 11.8
            assert error(model, digits) < 0.55 * mean < before, (error(model, digits), mean, before)
        models.append(model.state_dict())
    again = make()
    pretrain(again, digits, kind, 0, **{**options, "epochs": 2})
    assert all(torch.equal(v, models[1][n]) for n, v in again.state_dict().items())
    assert not torch.equal(models[1]["encoder.0.weight"], models[2]["encoder.0.weight"])


@pytest.mark.parametrize("kind", PRETRAINING)
def test_layer_by_layer_is_the_same_as_at_once(digits, kind):
    whole, parts = make(), make()
    pretrain(whole, digits, kind, 4, **quiet())
    for layer in range(3):
        reports = pretrain(parts, digits, kind, 4, start_layer=layer, stop_layer=layer + 1, **quiet())
        assert [r.layer for r in reports] == [layer]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_layers_outside_the_span_stay_as_they_are(digits):
    model, fresh = make(), make()
    pretrain(model, digits, "denoising", start_layer=1, stop_layer=2, **quiet())
    changed = {n for n, v in fresh.state_dict().items() if not torch.equal(v, model.state_dict()[n])}
    assert changed == {"encoder.1.weight", "encoder.1.bias", "decoder.1.weight", "decoder.1.bias"}


@pytest.mark.parametrize("noise", ["masking", "gaussian", "salt_pepper"])
def test_a_denoising_layer_removes_its_own_noise_better_than_a_plain_one(digits, noise):
    corrupted = corrupt(digits, noise, 0.4, torch.Generator().manual_seed(9))
    errors = {}
    for kind, options in (("denoising", {"noise": noise, "noise_level": 0.4}), ("plain", {})):
        model = make(hidden_dims=[], latent_dim=60, code_activation="sigmoid")
        pretrain(model, digits, kind, batch_size=20, epochs=20, lr=0.01, progress=False, tied=False, **options)
        with torch.no_grad():
            rebuilt = model.generate(model.encode(pixel_values=corrupted).mean)
        errors[kind] = (rebuilt - digits).square().flatten(1).sum(1).mean().item()
    assert errors["denoising"] < 0.85 * errors["plain"], errors


# --- what does not fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,kind,options,match",
    [
        ({"categories": 3, "prior": "categorical"}, "plain", {}, "leave out categories"),
        ({"attributes": {"digit": ["0", "1"]}}, "rbm", {}, "leave out categories, attributes"),
        ({"decoder_dims": [30, 20]}, "plain", {}, r"decoder_dims \[30, 20\] do not mirror hidden_dims \[30, 20\]"),
        ({"activation": "relu"}, "rbm", {}, "layer 0 is relu: set activation=sigmoid"),
        ({"code_activation": "tanh"}, "rbm", {}, "layer 2 is tanh: set code_activation linear or sigmoid"),
        ({"k_sparse": 3}, "rbm", {}, "set k_sparse=0, not 3"),
        ({"decoder_activation": "relu"}, "rbm", {}, "sigmoid, not relu: set decoder_activation=sigmoid"),
        ({"likelihood": "gaussian", "tied": True}, "rbm", {}, "tied weights cannot be divided by sigma"),
        ({"tied": True}, "denoising", {"tied": False}, "set pretraining.tied=true"),
        ({"activation": "relu"}, "denoising", {"noise": "salt_pepper"}, "relu units have no greatest value"),
        ({"activation": "relu"}, "plain", {"loss": "cross_entropy"}, "cross-entropy needs inputs in"),
        ({}, "rbms", {}, "did you mean 'rbm'"),
        ({}, "rbm", {"noise": "masking"}, "kind rbm has no key 'noise'"),
        ({}, "plain", {"layer": "denoising"}, "kind plain has no key 'layer'"),
        ({}, "plain", {"noise": "masking"}, "noise and noise_level are for denoising layers"),
        ({}, "denoising", {"contraction": 0.1}, "contraction is for contractive layers"),
        ({}, "denoising", {"noise_level": 1.0}, "noise_level is 1.0; for masking noise it must be a share"),
        ({}, "denoising", {"noise": "gaussian", "noise_level": 0.0}, "it must be above 0"),
        ({}, "plain", {"stop_layer": 4}, "the model has layers 0 to 2"),
        ({}, "rbm", {"start_layer": 2, "stop_layer": 2}, "start_layer is 2 and stop_layer 2"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(digits, changes, kind, options, match):
    model = make(**changes)
    before = {n: v.clone() for n, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=match):
        pretrain(model, digits, kind, **{"progress": False, **options})
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_bad_images_and_models_are_refused(digits):
    with pytest.raises(ValueError, match=r"images has shape \(600, 64\); the model reads \(N, 1, 8, 8\)"):
        pretrain(make(), digits.flatten(1), "plain")
    with pytest.raises(ValueError, match="images runs from 0 to 16"):
        pretrain(make(), digits * 16, "denoising")
    with pytest.raises(ValueError, match="valid holds NaN"):
        pretrain(make(), digits, "rbm", valid=torch.full((1, 1, 8, 8), math.nan))
    conv = ConvAutoencoder(make_config(ConvConfig, {"height": 8, "width": 8, "filters": [4], "posterior": "point"}))
    with pytest.raises(ValueError, match="for MLP autoencoders, not for ConvAutoencoder"):
        pretrain(conv, digits, "plain")


def test_divergence_is_an_error_that_names_the_layer(digits):
    model = make(likelihood="gaussian", activation="linear")
    with pytest.raises(ValueError, match="plain layer 1 of 3, 64-30 diverged in epoch .*: lower pretraining.lr, now 1e\\+18"):
        pretrain(model, digits, "plain", lr=1e18, epochs=20, progress=False)
