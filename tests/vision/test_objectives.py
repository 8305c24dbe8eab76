"""The contractive term against the Jacobian itself, in every kind of encoder."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.objectives import TERMS as CORE_TERMS
from textae.core.objectives import Objective
from vision.models.conv import ConvAutoencoder, ConvConfig
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.objectives import TERMS, Contractive, is_single_layer

SMALL = {"height": 6, "width": 5, "latent_dim": 4, "posterior": "point"}
SINGLE = {  # those that have a closed form
    "linear": {},
    "sigmoid": {"code_activation": "sigmoid"},
    "tanh": {"code_activation": "tanh"},
    "relu": {"code_activation": "relu"},
    "sparse": {"code_activation": "sigmoid", "k_sparse": 2},
    "gaussian": {"posterior": "gaussian"},
}
DEEP = {
    "one hidden layer": {"hidden_dims": [9], "activation": "tanh"},
    "three hidden layers": {"hidden_dims": [12, 9, 7], "activation": ["softplus", "sigmoid", "relu"], "code_activation": "sigmoid"},
    "deep gaussian": {"hidden_dims": [9], "activation": "elu", "posterior": "gaussian"},
}
CONV = {"strided": {"filters": [3, 4], "hidden_dim": 7, "activation": "softplus"}}
MODELS = {
    **{name: (MLPAutoencoder, MLPConfig, {"hidden_dims": [], **changes}) for name, changes in SINGLE.items()},
    **{name: (MLPAutoencoder, MLPConfig, changes) for name, changes in DEEP.items()},
    **{name: (ConvAutoencoder, ConvConfig, changes) for name, changes in CONV.items()},
}


def make(name, **changes):
    torch.manual_seed(0)
    model_class, config_class, options = MODELS[name]
    return model_class(config_class(**{**SMALL, **options, **changes})).train()


@pytest.fixture
def pixels():
    return torch.rand(3, 1, 6, 5, generator=torch.Generator().manual_seed(1))


def said_of(model, pixels, **options):
    term = Contractive(**options)
    term.bind(model)
    batch = {"pixel_values": pixels, "targets": pixels}
    return term(model, model(**batch), batch, 0)


def jacobians(model, pixels):
    """Of each image's code alone, shape (B, D, F), by forward and reverse passes of torch.func."""
    def code(image):
        return model.encode(pixel_values=image[None]).mean[0]

    return torch.stack([torch.func.jacrev(code)(image).flatten(1) for image in pixels])


@pytest.mark.parametrize("name", MODELS)
def test_exact_is_the_squared_frobenius_norm_of_the_jacobian(name, pixels):
    """The sum of the squares of all entries for each image: neither their mean nor the square of their sum."""
    model = make(name)
    said = said_of(model, pixels)
    expected = jacobians(model, pixels).square().sum((1, 2))
    assert said.value.shape == (3,) and expected.min() > 0
    assert_close(said.value, expected.detach())


@pytest.mark.parametrize("name", MODELS)
def test_training_follows_its_gradient(name, pixels):
    """The derivative of the penalty in every weight equals that of jacrev's norm."""
    model = make(name)
    weights = [p for n, p in model.named_parameters() if p.requires_grad and ("encoder" in n or "head.mean" in n or "down" in n or "dense_in" in n)]
    ours = torch.autograd.grad(said_of(model, pixels).loss.mean(), weights, allow_unused=True)
    theirs = torch.autograd.grad(jacobians(model, pixels).square().sum((1, 2)).mean(), weights, allow_unused=True)
    assert len(weights) >= 2 and any(g is not None and g.abs().max() > 1e-6 for g in ours)
    for a, b in zip(ours, theirs, strict=True):
        a, b = (torch.zeros(()) if g is None else g for g in (a, b))
        assert_close(a, b if b.shape == a.shape else torch.zeros_like(a) + b, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_layer_takes_the_closed_form_and_the_passes_agree(name, pixels):
    model = make(name)
    assert is_single_layer(model)
    passes = Contractive()._by_backward_passes(model, {"pixel_values": pixels})
    assert_close(said_of(model, pixels).value, passes)


@pytest.mark.parametrize("name", [*DEEP, *CONV])
def test_other_encoders_have_no_closed_form(name):
    assert not is_single_layer(make(name))


@pytest.mark.parametrize("name", ["sigmoid", "three hidden layers", "strided"])
def test_hutchinson_is_unbiased_and_its_gradient_as_well(name, pixels):
    model = make(name)
    exact = said_of(model, pixels)
    torch.manual_seed(0)
    estimate = said_of(model, pixels, method="hutchinson", num_probes=600)
    assert_close(estimate.value, exact.value, rtol=0.1, atol=0)
    weight = next(p for n, p in model.named_parameters() if n.startswith(("encoder", "posterior_head", "down")) and p.dim() > 1)
    ours, theirs = (torch.autograd.grad(s.loss.mean(), weight)[0] for s in (estimate, exact))
    assert torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.98


def test_one_probe_of_one_dimension_is_exact(pixels):
    model = make("three hidden layers", latent_dim=1)
    assert_close(said_of(model, pixels, method="hutchinson").value, said_of(model, pixels).value)


def test_it_is_taken_at_what_the_encoder_read(pixels):
    """A denoising run's corrupted input, not its clean target."""
    model = make("sigmoid")
    batch = {"pixel_values": pixels, "targets": torch.zeros_like(pixels)}
    assert_close(Contractive()(model, model(**batch), batch, 0).value, jacobians(model, pixels).square().sum((1, 2)).detach())


def test_the_batch_is_left_as_it_was(pixels):
    kept = pixels.clone()
    said_of(make("strided"), pixels).loss.mean().backward()
    assert torch.equal(pixels, kept) and not pixels.requires_grad and pixels.grad is None


@pytest.mark.parametrize("name", ["sigmoid", "one hidden layer"])
def test_it_contracts_the_code(name, pixels):
    def norm_after(weight):
        model = make(name)
        objective = Objective.from_config({"reconstruction": None, "contractive": weight}, TERMS)
        objective.bind(model)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
        batch = {"pixel_values": pixels, "targets": pixels}
        for step in range(60):
            optimizer.zero_grad()
            objective(model, model(**batch), batch, step)[0].backward()
            optimizer.step()
        return said_of(model, pixels).value.mean().item()

    assert norm_after(30.0) < 0.3 * norm_after(0.0)


def test_the_table_is_the_cores_and_its_own():
    assert TERMS == {**CORE_TERMS, "contractive": Contractive}


def test_categories_that_depend_on_the_batch_are_refused():
    model = MLPAutoencoder(MLPConfig(**SMALL, categories=3, prior="categorical"))
    with pytest.raises(ValueError, match="normalized over the batch"):
        Contractive().bind(model)


@pytest.mark.parametrize(
    "options, message",
    [({"method": "exat"}, "method is 'exat'; it must be exact or hutchinson"),
     ({"num_probes": 3}, "num_probes is for method=hutchinson"),
     ({"method": "hutchinson", "num_probes": 0}, "num_probes is 0; it must be a whole number"),
     ({"probes": 3}, "no key 'probes': did you mean 'num_probes'")],
)  # fmt: skip
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Objective.from_config({"contractive": options}, TERMS)


@pytest.mark.slow
def test_an_adversary_sorts_digits_instead_of_driving_all_into_one_category():
    """Without normalized logits every digit ended in one category, 12 % right; real handwriting, no labels, half a minute."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images, digits = torch.tensor(found.images / 16, dtype=torch.float32)[:, None], torch.tensor(found.target)
    seen, unseen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).split([1400, 397])
    torch.manual_seed(0)
    model = MLPAutoencoder(
        MLPConfig(height=8, width=8, hidden_dims=[128, 128], posterior="point", latent_dim=26, categories=20, prior="categorical")
    ).train()
    config = {"reconstruction": None, "category_adversary": {"hidden_dim": 64, "noise": 0.1}, "style_adversary": {"hidden_dim": 64}}
    objective = Objective.from_config(config, TERMS)
    objective.bind(model)
    players = [p for p in model.parameters() if p.requires_grad], list(objective.parameters())
    optimizer = torch.optim.Adam([{"params": p} for p in players], lr=1e-3, betas=(0.5, 0.9))
    for step in range(1500):
        pixels = images[seen[torch.randint(len(seen), (100,), generator=torch.Generator().manual_seed(step))]]
        batch = {"pixel_values": pixels, "targets": pixels}
        optimizer.zero_grad()
        objective(model, model(**batch), batch, step)[0].backward()
        optimizer.step()
    with torch.no_grad():
        cluster = model.eval().encode(pixel_values=images[unseen]).mean[:, :20].argmax(1)
    right = sum(torch.bincount(digits[unseen][cluster == k]).max().item() for k in cluster.unique())
    assert right / len(unseen) > 0.75
