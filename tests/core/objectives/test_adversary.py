"""The critic in every mode: who gets whose gradient, what it is shown, and what small codes become under it."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear, softplus
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import PointPosterior
from textae.core.objectives import TERMS, LatentAdversary, Objective

KINDS = {"attributes": {"kind": ["a", "b", "c"], "age": ["old", "new"]}}
CATEGORIES = {"categories": 3, "latent_dim": 5, "prior": "categorical"}
RING = {"target": "gaussian_mixture", "components": 3}
MODES = {
    "unsupervised": ({}, {}),
    "gaussian posterior": ({}, {"posterior": "gaussian"}),
    "ring": ({"prior": "gaussian_mixture"}, {}),
    "normal told the label": ({"labels": "kind"}, KINDS),
    "ring by label": ({"prior": RING, "labels": "kind"}, KINDS),
    "roll by label": ({"prior": {"target": "swiss_roll", "components": 3}, "labels": "kind"}, KINDS),
    "categories by label": ({"prior": "categorical", "part": "categories", "labels": "kind"}, {**KINDS, **CATEGORIES}),
    "whole structured code": ({"prior": "categorical"}, CATEGORIES),
    "categories": ({"prior": "categorical", "part": "categories"}, CATEGORIES),
    "style": ({"part": "style"}, CATEGORIES),
    "style on a ring": ({"part": "style", "prior": "gaussian_mixture"}, CATEGORIES),
    "noise and smoothing": ({"noise": 0.3, "smoothing": 0.1, "layers": 1, "activation": "elu"}, {}),
}


def batch_of(model, size=8):
    batch = {"x": torch.randn(size, model.config.x_dim, generator=torch.Generator().manual_seed(0))}
    if model.config.attributes:  # columns by name: age, then kind; some unlabelled
        rows = torch.arange(size)
        batch["attributes"] = torch.stack([rows % 2, torch.where(rows == 3, -1, rows % 3)], 1)
    return batch


def output_of(codes):
    return AutoencoderOutput(torch.zeros(len(codes)), PointPosterior(codes), codes, torch.ones(len(codes)))


@pytest.mark.parametrize("mode", MODES)
def test_gradients_stay_on_their_side_in_every_mode(mode, new_toy):
    options, changes = MODES[mode]
    model, term = new_toy(**changes), LatentAdversary(hidden_dim=8, **options)
    term.bind(model)
    batch = batch_of(model)
    said = term(model, model(**batch), batch, 0)
    assert said.value.shape == (8,) and said.own_loss.shape == () and said.own_loss.isfinite()
    said.loss.mean().backward(retain_graph=True)
    assert all(p.grad is None for p in term.parameters())
    assert model.head.mean.weight.grad.abs().sum() > 0 and model.encoder[0].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.decoder.parameters())
    model.zero_grad()
    said.own_loss.backward()
    assert all(p.grad is None for p in model.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in term.parameters())


@pytest.mark.parametrize("part, columns", [("categories", [0, 1, 2]), ("style", [3, 4]), ("all", [0, 1, 2, 3, 4])])
def test_the_critic_sees_its_part_of_the_code_and_nothing_else(part, columns, new_toy):
    model = new_toy(**CATEGORIES)
    term = LatentAdversary(part=part, prior="normal" if part == "style" else "categorical", hidden_dim=8)
    term.bind(model)
    assert term.critic[0].in_features == len(columns)
    z = torch.randn(6, 5, requires_grad=True)
    term(model, output_of(z), {}, 0).loss.sum().backward()
    assert z.grad.abs().sum(0).nonzero()[:, 0].tolist() == columns


def test_defaults_are_the_adversary_as_it_always_was(new_toy):
    """The same draws from the generator, the same critic, the same losses and gradients, bit for bit."""
    model = new_toy(latent_dim=3)
    torch.manual_seed(5)
    term = LatentAdversary(hidden_dim=16)
    term.bind(model)
    torch.manual_seed(5)
    critic = nn.Sequential(nn.Linear(3, 16), nn.LeakyReLU(0.2), nn.Linear(16, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    assert str(term.critic) == str(critic)
    for ours, theirs in zip(term.critic.parameters(), critic.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    z = torch.randn(9, 3)
    torch.manual_seed(7)
    said = term(model, output_of(z), {}, 0)
    torch.manual_seed(7)
    real, fake = critic(torch.cat([torch.randn_like(z), z]))[:, 0].chunk(2)
    own = softplus(-real).mean() + softplus(fake).mean()
    assert torch.equal(said.own_loss, own) and torch.equal(said.value, softplus(-critic(z)[:, 0]))
    for a, b in zip(torch.autograd.grad(said.own_loss, list(term.parameters())), torch.autograd.grad(own, list(critic.parameters())), strict=True):
        assert torch.equal(a, b)


def with_critic(weights, new_toy, **options):
    """A term whose critic is one linear layer with the given weights, so that what it reads can be read off its answers."""
    model, term = new_toy(**KINDS), LatentAdversary(prior={**RING, "radial_std": 1e-4, "tangential_std": 1e-4}, labels="kind", **options)
    term.bind(model)
    term.critic = nn.Linear(len(weights), 1)
    with torch.no_grad():
        term.critic.weight.copy_(torch.tensor([weights]))
        term.critic.bias.zero_()
    return model, term


def test_labels_reach_the_critic_as_one_hot_with_unlabelled_last(new_toy):
    model, term = with_critic([0.0, 0.0, 1.0, 2.0, 3.0, 4.0], new_toy)
    labels = torch.tensor([0, 1, 2, -1])
    batch = {"attributes": torch.stack([torch.zeros(4, dtype=torch.long), labels], 1)}  # age, kind
    said = term(model, output_of(torch.randn(4, 2)), batch, 0)
    classes = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert_close(said.value, softplus(-classes))
    assert_close(said.own_loss, softplus(-classes).mean() + softplus(classes).mean())  # draws and codes alike


def test_prior_draws_come_from_the_component_of_each_label(new_toy):
    model, term = with_critic([1.0, 0.5, 0.0, 0.0, 0.0, 0.0], new_toy)
    labels = torch.tensor([0, 1, 2, 2, 1])
    batch = {"attributes": torch.stack([torch.zeros(5, dtype=torch.long), labels], 1)}
    said = term(model, output_of(torch.zeros(5, 2)), batch, 0)
    angle = 2 * math.pi * labels / 3
    scores = linear(1.4 * torch.stack([angle.cos(), angle.sin()], 1), torch.tensor([[1.0, 0.5]]))[:, 0]
    assert_close(said.own_loss, softplus(-scores).mean() + math.log(2), atol=1e-3, rtol=0)


def test_unlabelled_examples_are_held_against_the_whole_mixture(new_toy):
    model, term = with_critic([1.0, 0.5, 0.0, 0.0, 0.0, 0.0], new_toy)
    batch = {"attributes": torch.full((6000, 2), -1)}
    torch.manual_seed(0)
    said = term(model, output_of(torch.zeros(6000, 2)), batch, 0)
    angle = 2 * math.pi * torch.arange(3) / 3
    scores = 1.4 * (angle.cos() + 0.5 * angle.sin())
    assert_close(said.own_loss, softplus(-scores).mean() + math.log(2), atol=0.03, rtol=0)


def test_smoothing_is_cross_entropy_with_soft_targets(new_toy):
    model, term = new_toy(), LatentAdversary(hidden_dim=8, smoothing=0.1)
    term.bind(model)
    z = torch.randn(12, 2)
    torch.manual_seed(3)
    own = term(model, output_of(z), {}, 0).own_loss
    torch.manual_seed(3)
    real, fake = term.critic(torch.randn_like(z))[:, 0], term.critic(z)[:, 0]
    bce = binary_cross_entropy_with_logits
    assert_close(own, bce(real, torch.full_like(real, 0.9)) + bce(fake, torch.zeros_like(fake)))


def test_noise_is_added_to_all_that_the_critic_sees(new_toy):
    model, term = new_toy(), LatentAdversary(noise=0.5)
    term.bind(model)
    term.critic = nn.Linear(2, 1)
    with torch.no_grad():
        term.critic.weight.copy_(torch.tensor([[1.0, 0.0]]))
        term.critic.bias.zero_()
    torch.manual_seed(0)
    said = term(model, output_of(torch.zeros(20_000, 2)), {}, 0)
    noise = -torch.log(torch.expm1(said.value))  # the inverse of softplus(-noise)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02) and noise.mean().item() == pytest.approx(0, abs=0.02)
    draws = torch.randn(400_000) * math.sqrt(1 + 0.25)
    expected = softplus(-draws).mean() + softplus(0.5 * torch.randn(400_000)).mean()
    assert_close(said.own_loss, expected, atol=0.02, rtol=0)


def test_critics_have_the_layers_that_were_asked_for(new_toy):
    term = LatentAdversary(hidden_dim=6, layers=3, activation="tanh")
    term.bind(new_toy())
    assert [type(m).__name__ for m in term.critic] == ["Linear", "Tanh"] * 3 + ["Linear"]
    assert [m.out_features for m in term.critic if isinstance(m, nn.Linear)] == [6, 6, 6, 1]


def test_one_objective_may_have_a_critic_for_each_part(new_toy):
    config = {
        "reconstruction": None,
        "category_adversary": {"hidden_dim": 8, "lr": 0.5},
        "style_adversary": {"hidden_dim": 6, "prior": "gaussian_mixture"},
        "latent_adversary": {"prior": "categorical"},
    }
    objective, model = Objective.from_config(config, TERMS), new_toy(**CATEGORIES)
    objective.bind(model)
    assert {n: share for n, (_, share) in objective.players().items()} == {"category_adversary": 0.5, "style_adversary": 1.0, "latent_adversary": 1.0}
    assert [t.critic[0].in_features for n, t in objective.terms.items() if n != "reconstruction"] == [3, 2, 5]
    batch = batch_of(model)
    loss, logs = objective(model, model(**batch), batch, 0)
    loss.backward()
    assert all(p.grad is not None for p in [*model.parameters(), *objective.parameters()])
    assert len(logs) == 7


@pytest.mark.parametrize(
    "name, options, changes, message",
    [("latent_adversary", {"prior": "gausian_mixture"}, {}, "no target 'gausian_mixture': did you mean 'gaussian_mixture'"),
     ("latent_adversary", {"prior": {"target": "swiss_roll", "turn": 3}}, {}, "no key 'turn': did you mean 'turns'"),
     ("latent_adversary", {"part": "syle"}, {}, "no part of a code 'syle': did you mean 'style'"),
     ("latent_adversary", {"activation": "gelu"}, {}, "no activation of a critic 'gelu'"),
     ("latent_adversary", {"layers": 0}, {}, "layers is 0"),
     ("latent_adversary", {"hidden_dim": 2.5}, {}, "hidden_dim is 2.5; it must be a whole number"),
     ("latent_adversary", {"noise": -1}, {}, "noise is -1"),
     ("latent_adversary", {"smoothing": 0.5}, {}, "smoothing is 0.5; it must be from 0 to below 0.5"),
     ("latent_adversary", {"smooth": 0.5}, {}, "no key 'smooth': did you mean 'smoothing'"),
     ("style_adversary", {"wide": 3}, {}, "no key 'wide'.*hidden_dim"),
     ("latent_adversary", {"prior": "gaussian_mixture"}, {"latent_dim": 3}, "judged part of the code has 3 dimensions"),
     ("latent_adversary", {}, CATEGORIES, "take prior=categorical, or part=style"),
     ("category_adversary", {}, {}, "the code has none to judge; set model.categories"),
     ("category_adversary", {"prior": "normal"}, CATEGORIES, "never resemble"),
     ("style_adversary", {}, {**CATEGORIES, "latent_dim": 3}, "categories and nothing else"),
     ("latent_adversary", {"prior": "categorical"}, {}, "needs categories to judge"),
     ("latent_adversary", {"labels": "knd", "prior": RING}, KINDS, "no attribute 'knd' to take labels from: did you mean 'kind'"),
     ("latent_adversary", {"labels": "kind", "prior": "swiss_roll"}, KINDS, "has 3 values and the adversary's prior 10")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_training(name, options, changes, message, new_toy):
    with pytest.raises(ValueError, match=message):
        Objective.from_config({"reconstruction": None, name: options}, TERMS).bind(new_toy(**changes))


def test_batches_without_attributes_are_refused(new_toy):
    model, term = new_toy(**KINDS), LatentAdversary(labels="kind", prior=RING)
    term.bind(model)
    with pytest.raises(ValueError, match="hold no attributes, so none has a label 'kind'"):
        term(model, output_of(torch.zeros(2, 2)), {}, 0)


# --- what codes become --------------------------------------------------------------------------------------------


def mmd(a, b):
    """Squared maximum mean discrepancy under a Gaussian kernel of width 1, biased."""
    def kernel(x, y):
        return torch.exp(-0.5 * torch.cdist(x, y).square()).mean()

    return (kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)).item()


def blobs(num, seed, k=3):
    """Vectors around the corners of a simplex, and which corner."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(k, (num,), generator=generator)
    return 3 * torch.eye(4)[kind] + 0.3 * torch.randn(num, 4, generator=generator), kind


@torch.no_grad()
def codes(model, x):
    return model.encode(x=x).mean


@pytest.mark.parametrize("prior", ["normal", "gaussian_mixture", "swiss_roll"])
def test_codes_move_towards_the_prior(prior, new_toy, train):
    x, _ = blobs(500, seed=10**6)
    model = new_toy(seed=1)
    objective = Objective.from_config({"reconstruction": 0.2, "latent_adversary": {"prior": prior, "hidden_dim": 32}}, TERMS)
    target = objective.terms["latent_adversary"].target
    torch.manual_seed(0)
    draws = target.draw(torch.zeros(500, 2))
    before = mmd(codes(model, x), draws)
    train(model, objective, lambda step: {"x": blobs(64, step)[0]}, 300)
    assert mmd(codes(model, x), draws) < 0.4 * before


def test_labels_send_each_kind_to_its_component(new_toy, train):
    """Two thirds of the examples unlabelled: their codes find the component of their kind as well."""
    def batch(step):
        x, kind = blobs(96, step)
        hidden = torch.where(torch.arange(96) < 32, kind, -1)
        return {"x": x, "attributes": torch.stack([hidden * 0, hidden], 1)}

    model = new_toy(seed=0, conditioned=False, **KINDS)
    round_ones = {**RING, "radial_std": 0.4, "tangential_std": 0.4}
    objective = Objective.from_config(
        {"reconstruction": 0.2, "latent_adversary": {"prior": round_ones, "labels": "kind", "hidden_dim": 32}}, TERMS
    )
    train(model, objective, batch, 300, lr=5e-3)
    x, kind = blobs(600, seed=10**6)
    angle = 2 * math.pi * torch.arange(3) / 3
    nearest = torch.cdist(codes(model, x), 1.4 * torch.stack([angle.cos(), angle.sin()], 1)).argmin(1)
    assert (nearest == kind).float().mean() > 0.95


def styled(num, seed):
    """Vectors that show a kind in three dimensions and a style in two, independent of each other."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(3, (num,), generator=generator)
    style = torch.randn(num, 2, generator=generator)
    return torch.cat([2 * torch.eye(3)[kind], style], 1), kind, style


def kind_in(z, kind):
    """Share of examples whose kind the nearest class mean tells; a third is chance."""
    means = torch.stack([z[kind == k].mean(0) for k in range(3)])
    return (torch.cdist(z, means).argmin(1) == kind).float().mean().item()


def style_in(z, style):
    """Share of the style's variance that a linear map of the code explains."""
    z = torch.cat([z, torch.ones(len(z), 1)], 1)
    return 1 - ((style - z @ torch.linalg.lstsq(z, style).solution).square().mean() / style.var()).item()


def test_supervised_decoder_leaves_style_to_the_code(new_toy, train):
    """Given the kind, the decoder wants none of it in z; the adversary makes the room count (Makhzani et al. 2016, sec. 4)."""
    def batch(step):
        x, kind, _ = styled(64, step)
        return {"x": x, "attributes": torch.stack([kind * 0, kind], 1)}

    x, kind, style = styled(600, seed=10**6)
    config = {"reconstruction": 1.0, "latent_adversary": {"hidden_dim": 32}}
    plain = train(new_toy(x_dim=5), Objective.from_config(config, TERMS), lambda step: {"x": batch(step)["x"]}, 300)
    model = train(new_toy(x_dim=5, **KINDS), Objective.from_config(config, TERMS), batch, 300)
    assert kind_in(codes(plain, x), kind) > 0.9 and style_in(codes(plain, x), style) < 0.6
    assert kind_in(codes(model, x), kind) < 0.7 and style_in(codes(model, x), style) > 0.7
    with torch.no_grad():  # any code with a kind gives an example of that kind
        made = model.generate(torch.randn(600, 2), torch.stack([kind * 0, kind], 1))
    assert (made[:, :3].argmax(1) == kind).float().mean() > 0.97


def test_a_critic_that_is_told_the_label_makes_the_code_forget_it(new_toy, train):
    def batch(step):
        x, kind, _ = styled(64, step)
        return {"x": x, "attributes": torch.stack([kind * 0, kind], 1)}

    x, kind, style = styled(600, seed=10**6)
    forgets = {"reconstruction": 1.0, "latent_adversary": {"weight": 10.0, "hidden_dim": 32, "labels": "kind"}}
    model = train(new_toy(x_dim=5, **KINDS), Objective.from_config(forgets, TERMS), batch, 500)
    assert kind_in(codes(model, x), kind) < 0.5 and style_in(codes(model, x), style) > 0.6


def majority(assigned, kind):
    """Clustering accuracy of Makhzani et al. 2016, sec. 6: every cluster counts as the kind that most of its members have."""
    hits = [torch.bincount(kind[assigned == j]).max().item() for j in assigned.unique()]
    return sum(hits) / len(kind)


def test_categories_find_the_blobs_without_labels(new_toy, train):
    model = new_toy(seed=2, latent_dim=7, categories=6, prior="categorical")
    config = {"reconstruction": 1.0, "category_adversary": {"hidden_dim": 32, "noise": 0.1}, "style_adversary": {"hidden_dim": 32}}
    x, kind = blobs(600, seed=10**6, k=4)
    assert codes(model, x)[:, :6].max(1).values.mean() < 0.7
    train(model, Objective.from_config(config, TERMS), lambda step: {"x": blobs(64, step, k=4)[0]}, 400)
    z = codes(model, x)
    assert majority(z[:, :6].argmax(1), kind) > 0.95
    assert z[:, :6].max(1).values.mean() > 0.8  # nearly one-hot
    assert z[:, :6].mean(0).max() < 0.4  # and no category has it all


def test_a_label_of_each_kind_names_the_categories(new_toy, train):
    """Semi-supervised: six labelled examples in all, and the categories of the others are right."""
    labelled, named = blobs(400, seed=77)
    pick = torch.cat([(named == k).nonzero()[:2, 0] for k in range(3)])
    labelled, named = labelled[pick], named[pick]

    def batch(step):
        x, _ = blobs(64, step)
        label = torch.cat([named, torch.full((64,), -1)])
        return {"x": torch.cat([labelled, x]), "attributes": torch.stack([label * 0, label], 1)}

    model = new_toy(seed=0, conditioned=False, **KINDS, **CATEGORIES)
    config = {
        "reconstruction": 1.0, "category_adversary": {"hidden_dim": 32}, "style_adversary": {"hidden_dim": 32}, "classification": {"attribute": "kind"},
    }  # fmt: skip
    train(model, Objective.from_config(config, TERMS), batch, 200)
    x, kind = blobs(600, seed=10**6)
    assert (codes(model, x)[:, :3].argmax(1) == kind).float().mean() > 0.97
