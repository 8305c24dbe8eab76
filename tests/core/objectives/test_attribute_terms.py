"""Terms that keep an attribute out of the code, or in its first dimensions: closed forms, gradient sides, and small codes under them."""

import math
from itertools import permutations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, logsigmoid, softplus
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import PointPosterior
from textae.core.objectives import TERMS, AttributeAdversary, AttributeCode, AttributeInformation, Objective
from textae.core.objectives.attribute_adversary import LOSSES
from textae.core.objectives.attribute_code import coded_slices, write_attributes
from textae.core.objectives.attribute_information import club

KINDS = {"kind": ["a", "b", "c"], "age": ["old", "new"]}  # columns by name: age, kind
PLAIN = {"attributes": KINDS, "latent_dim": 7}
FREE = {**PLAIN, "conditioned": False}
MODES = {
    "all": ({}, PLAIN),
    "one of two": ({"attributes": ["age"]}, PLAIN),
    "gaussian posterior": ({}, {**PLAIN, "posterior": "gaussian"}),
    "behind a coded attribute": ({"part": "style", "coded": ["kind"]}, FREE),
    "behind both": ({"part": "style", "coded": ["kind", "age"], "layers": 1, "activation": "tanh"}, FREE),
    "behind categories": ({"part": "style"}, {**FREE, "categories": 3, "prior": "categorical"}),
    "categories": ({"part": "categories", "attributes": ["age"]}, {**FREE, "categories": 3, "prior": "categorical"}),
}
CRITICS = [AttributeAdversary, AttributeInformation]


def attributes(age, kind):
    return {"attributes": torch.stack([torch.tensor(age), torch.tensor(kind)], 1)}


BATCH = attributes([0, 1, -1, 0, 1, 1, -1, 0], [0, 1, 2, -1, 1, 0, -1, 2])


def output_of(codes):
    return AutoencoderOutput(torch.zeros(len(codes)), PointPosterior(codes), codes, torch.ones(len(codes)))


def bound(term, model):
    torch.manual_seed(3)
    term.bind(model)
    return term


# --- both critics -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [*CRITICS, *(lambda loss=loss, **options: AttributeAdversary(loss=loss, **options) for loss in LOSSES)])
def test_gradients_stay_on_their_side_in_every_mode(kind, mode, new_toy):
    options, changes = MODES[mode]
    model = new_toy(**changes)
    term = bound(kind(hidden_dim=8, **options), model)
    said = term(model, model(x=torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), **BATCH), BATCH, 0)
    assert said.value.shape == said.own_loss.shape == () and said.own_loss.isfinite()
    said.loss.backward(retain_graph=True)
    assert all(p.grad is None for p in term.parameters()) and all(p.grad is None for p in model.decoder.parameters())
    assert model.encoder[0].weight.grad is not None
    assert (model.encoder[0].weight.grad.abs().sum() > 0) == bool(said.loss > 0)  # a bound below zero is left alone
    model.zero_grad()
    said.own_loss.backward()
    assert all(p.grad is None for p in model.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in term.parameters())


@pytest.mark.parametrize("kind", CRITICS)
@pytest.mark.parametrize(
    "mode, columns", [("all", range(7)), ("behind a coded attribute", range(3, 7)), ("behind both", range(5, 7)), ("behind categories", range(3, 7)), ("categories", range(3))]
)
def test_the_critic_sees_its_part_of_the_code_and_nothing_else(kind, mode, columns, new_toy):
    options, changes = MODES[mode]
    term = bound(kind(hidden_dim=8, **options), new_toy(**changes))
    for seed in range(5):  # one batch's bound may be below zero
        z = torch.randn(8, 7, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        said = term(None, output_of(z), BATCH, 0)
        said.value.backward()
        assert z.grad.abs().sum(0).nonzero()[:, 0].tolist() == list(columns)


@pytest.mark.parametrize("kind", CRITICS)
def test_unlabelled_examples_move_nobody(kind, new_toy):
    """With or without them: the same costs, the same gradients, each attribute by its own labels."""
    term = bound(kind(hidden_dim=8), new_toy(**PLAIN))
    z = torch.randn(8, 7, requires_grad=True)
    said = term(None, output_of(z), BATCH, 0)
    said.value.backward()
    assert (z.grad[6] == 0).all() and (z.grad[[0, 1, 2, 3]].abs().sum(1) > 0).all()  # row 6 has no label at all, 2 and 3 one
    other = z.detach().clone()
    other[6] = 100.0
    again = term(None, output_of(other), BATCH, 0)
    assert_close(again.value, said.value)
    assert_close(again.own_loss, said.own_loss)


@pytest.mark.parametrize("kind", [*CRITICS, AttributeCode])
def test_a_batch_without_labels_costs_nothing(kind, new_toy):
    options = {} if kind is AttributeCode else {"hidden_dim": 8}
    term = bound(kind(**options), new_toy(**FREE))
    z = torch.randn(4, 7, requires_grad=True)
    said = term(None, output_of(z), attributes([-1] * 4, [-1] * 4), 0)
    assert said.value == 0 and (said.own_loss is None or said.own_loss == 0)
    said.loss.backward()
    assert (z.grad == 0).all()
    with pytest.raises(ValueError, match="hold no attributes"):
        term(None, output_of(z), {}, 0)


def test_a_critic_is_trained_by_the_cross_entropy_of_each_attribute(new_toy):
    term = bound(AttributeAdversary(hidden_dim=8), new_toy(**PLAIN))
    z = torch.randn(8, 7)
    age, kind = term.critic.layers(z).split([2, 3], 1)
    wanted = cross_entropy(age, BATCH["attributes"][:, 0], ignore_index=-1) + cross_entropy(kind, BATCH["attributes"][:, 1], ignore_index=-1)
    assert_close(term(None, output_of(z), BATCH, 0).own_loss, wanted)


def test_several_attributes_add_up(new_toy):
    z, costs = torch.randn(8, 7), {}
    for names in (None, ["kind"], ["age"]):
        term = bound(AttributeAdversary(attributes=names, hidden_dim=8), new_toy(**PLAIN))
        term.critic.layers = nn.Linear(7, sum(term.critic.sizes))
        with torch.no_grad():
            term.critic.layers.weight.zero_()
            term.critic.layers.bias.copy_(torch.tensor({None: [0.0, 1, 2, 3, 5], "age": [0.0, 1], "kind": [2.0, 3, 5]}[names and names[0]]))
        costs[names and names[0]] = term(None, output_of(z), BATCH, 0).value
    assert_close(costs[None], costs["age"] + costs["kind"])


# --- what the encoder minimizes -----------------------------------------------------------------------------------


def test_losses_in_closed_form():
    p = torch.tensor([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 1e-12]])
    values, logits = torch.tensor([0, 2, 1]), p.log() + torch.tensor([[5.0], [0.0], [-2.0]])
    right = p[range(3), values]
    assert_close(LOSSES["certainty"](logits, values), -(1 - right).log())
    assert_close(LOSSES["entropy"](logits, values), math.log(3) + (p * p.log()).sum(1), atol=1e-6, rtol=1e-5)
    assert_close(LOSSES["confusion"](logits, values), -p.log().mean(1) - math.log(3), atol=1e-6, rtol=1e-5)


def test_only_entropy_gives_up_on_a_critic_that_is_sure():
    values, steepness = torch.tensor([0]), {}
    for name, loss in LOSSES.items():
        logits = torch.tensor([[60.0, 0.0]], requires_grad=True)
        loss(logits, values).sum().backward()
        assert logits.grad.isfinite().all()
        steepness[name] = float(logits.grad[0, 0])
    assert steepness["certainty"] == pytest.approx(1.0) and steepness["confusion"] == pytest.approx(0.5)
    assert abs(steepness["entropy"]) < 1e-20


def test_doubt_is_the_least_of_two_losses_and_error_that_of_the_third():
    values, logits = torch.tensor([0]), torch.linspace(-4, 4, 801)
    best = {n: float(logits[torch.stack([f(torch.tensor([[v, 0.0]]), values)[0] for v in logits]).argmin()]) for n, f in LOSSES.items()}
    assert best["entropy"] == pytest.approx(0, abs=1e-4) and best["confusion"] == pytest.approx(0, abs=1e-4) and best["certainty"] == -4


# --- the information bound ----------------------------------------------------------------------------------------


def test_club_is_the_mean_over_all_pairs():
    torch.manual_seed(0)
    logits, values = torch.randn(7, 3), torch.tensor([0, 2, 1, 1, -1, 0, 2])
    log_q, known = logits.log_softmax(1)[values >= 0], values[values >= 0]
    own = sum(log_q[i, known[i]] for i in range(6)) / 6
    pairs = sum(log_q[i, known[j]] for i in range(6) for j in range(6)) / 36
    assert_close(club(logits, values), own - pairs)


def test_club_of_independent_codes_is_zero_in_expectation():
    """Exactly, for every classifier and every batch: the mean over all ways to deal the labels out."""
    torch.manual_seed(1)
    logits, values = 3 * torch.randn(5, 3), torch.tensor([0, 0, 1, 2, 1])
    dealt = torch.stack([club(logits, values[list(order)]) for order in permutations(range(5))])
    assert_close(dealt.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    assert dealt.std() > 0.1
    torch.manual_seed(2)
    codes, values = torch.randn(20_000, 2), torch.randint(3, (20_000,))
    assert abs(float(club(codes @ torch.randn(2, 3), values))) < 0.05


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.0])
def test_club_bounds_the_information_of_a_mixture_from_above(distance):
    """z ~ N(±m, 1) with even odds: p(a|z) has the logit 2mz, I(z; a) = ln 2 - E softplus(-2mz a), and the bound is m²."""
    torch.manual_seed(0)
    values = torch.arange(200_000) % 2
    sign = 2.0 * values - 1
    z = distance * sign + torch.randn(200_000)
    logit = 2 * distance * z
    information = math.log(2) - softplus(-logit * sign).mean()
    found = club(torch.stack([torch.zeros_like(z), logit], 1), values)
    assert float(found) == pytest.approx(distance**2, rel=0.03)
    assert found > information > 0
    by_definition = logsigmoid(logit * sign).mean() - 0.5 * (logsigmoid(logit) + logsigmoid(-logit)).mean()
    assert_close(found, by_definition, atol=1e-3, rtol=1e-3)


def test_below_zero_the_encoder_is_left_alone(new_toy):
    term = bound(AttributeInformation(attributes=["age"], hidden_dim=8), new_toy(**PLAIN))
    term.critic.layers = nn.Linear(7, 2, bias=False)
    nn.init.eye_(term.critic.layers.weight)
    z = torch.zeros(2, 7)
    z[0, 0], z[1, 1] = 1.0, 1.0
    for age, sign in (([0, 1], 1), ([1, 0], -1)):  # a classifier that is right, and one that is wrong
        codes = z.clone().requires_grad_()
        said = term(None, output_of(codes), attributes(age, [0, 0]), 0)
        assert_close(said.value, torch.tensor(0.5 * sign))
        said.loss.backward()
        assert (codes.grad.abs().sum() > 0) == (sign > 0) and float(said.loss) == max(0.5 * sign, 0)


# --- attributes in the code ---------------------------------------------------------------------------------------


def test_code_is_the_cross_entropy_of_the_first_dimensions(new_toy):
    model = new_toy(**FREE)
    term = bound(AttributeCode(), model)
    z = torch.randn(8, 7, requires_grad=True)
    said = term(model, output_of(z), BATCH, 0)
    age, kind = BATCH["attributes"].unbind(1)
    assert_close(said.value, cross_entropy(z[:, :2], age, ignore_index=-1) + cross_entropy(z[:, 2:5], kind, ignore_index=-1))
    said.loss.backward()
    assert z.grad.abs().sum(0).nonzero()[:, 0].tolist() == [0, 1, 2, 3, 4] and (z.grad[6] == 0).all()
    assert coded_slices(KINDS, ["kind"]) == {"kind": slice(0, 3)}


def test_written_attributes_are_what_the_term_reads(new_toy):
    z = torch.randn(8, 7)
    wanted = BATCH["attributes"]
    written = write_attributes(z, wanted, KINDS, level=1.5)
    for column, place in ((0, slice(0, 2)), (1, slice(2, 5))):
        known = wanted[:, column] >= 0
        assert written[known, place].argmax(1).tolist() == wanted[known, column].tolist()
        assert torch.equal(written[~known, place], z[~known, place])
        assert_close(written[known, place].sum(1), torch.zeros(int(known.sum())))
        assert (written[known, place].amax(1) == 1.5).all()
    assert torch.equal(written[:, 5:], z[:, 5:])
    only = write_attributes(z, wanted, KINDS, ["kind"])
    assert torch.equal(only[:, 3:], z[:, 3:]) and only[0, :3].tolist() == [2.0, -1.0, -1.0]
    model = new_toy(**FREE)
    assert float(bound(AttributeCode(), model)(model, output_of(write_attributes(z, wanted, KINDS, level=20.0)), BATCH, 0).value) < 1e-6


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config, changes, message",
    [({"attribute_adversary": {"attributes": ["knd"]}}, {}, "no attribute 'knd': did you mean 'kind'"),
     ({"attribute_adversary": {"attributes": "kind"}}, {}, "must be a list: attributes=\\[kind\\]"),
     ({"attribute_adversary": {"attributes": ["kind", "kind"]}}, {}, "name each one once"),
     ({"attribute_adversary": {"attributes": []}}, {}, "no attributes to work on"),
     ({"attribute_information": None}, {"attributes": {}}, "no attributes to work on"),
     ({"attribute_information": None}, {"attributes": {"kind": ["a"]}}, "'kind' has one value"),
     ({"attribute_adversary": {"loss": "entrpy"}}, {}, "no loss of an attribute adversary 'entrpy': did you mean 'entropy'"),
     ({"attribute_adversary": {"part": "styl"}}, {}, "no part of a code 'styl': did you mean 'style'"),
     ({"attribute_adversary": {"part": "style"}}, {}, "0 of the code's 7 dimensions.*set coded"),
     ({"attribute_adversary": {"part": "style", "coded": ["kind", "age"]}}, {"latent_dim": 5}, "5 of the code's 5 dimensions"),
     ({"attribute_adversary": {"coded": ["kind"]}}, {}, "part=all is not about it: set part=style"),
     ({"attribute_adversary": {"part": "categories"}}, {}, "the code has none to judge"),
     ({"attribute_adversary": {"part": "style", "coded": ["kind"]}}, {"categories": 3, "prior": "categorical"}, "categories already: leave coded out"),
     ({"attribute_adversary": {"hidden_dim": 0}}, {}, "hidden_dim is 0"),
     ({"attribute_code": None}, {"conditioned": True}, "the decoder is given 'age' already.*conditioned=false"),
     ({"attribute_code": None}, {"latent_dim": 4}, "5 values together and the code 4 dimensions: set model.latent_dim to 5"),
     ({"attribute_code": None}, {"categories": 3, "prior": "categorical"}, "categories already; take the term classification")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(config, changes, message, new_toy):
    with pytest.raises(ValueError, match=message):
        Objective.from_config({"reconstruction": None, **config}, TERMS).bind(new_toy(**{**FREE, **changes}))


# --- small codes under them ---------------------------------------------------------------------------------------


def correlated(size, seed):
    """Four values, two of which tell an attribute of even odds; the third is independent of it, the fourth a copy."""
    generator = torch.Generator().manual_seed(seed)
    sign = 2.0 * torch.randint(2, (size, 1), generator=generator) - 1
    x = torch.randn(size, 4, generator=generator)
    x[:, 0] = 0.3 * x[:, 0] + 1.5 * sign[:, 0]
    x[:, 1] += sign[:, 0]
    x[:, 3] = x[:, 2]
    return {"x": x, "attributes": (sign > 0).long()}


def probe(codes, labels, held_out, held_out_labels):
    """Held-out accuracy of a small classifier of codes."""
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Linear(codes.shape[1], 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(classifier.parameters(), 0.02)
    center, scale = codes.mean(0), codes.std(0)
    for _ in range(150):
        optimizer.zero_grad()
        cross_entropy(classifier((codes - center) / scale), labels).backward()
        optimizer.step()
    return float((classifier((held_out - center) / scale).argmax(1) == held_out_labels).float().mean())


def read_back(model, part=slice(None)):
    train, test = correlated(1500, 1), correlated(1500, 2)
    codes, held_out = (model.encode(**batch).mean.detach()[:, part] for batch in (train, test))
    return probe(codes, train["attributes"][:, 0], held_out, test["attributes"][:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("term, most", [("attribute_information", 0.68), ("attribute_adversary", 0.95)])
def test_a_conditioned_model_forgets_what_it_is_given(term, most, new_toy, train):
    objective = {"reconstruction": None, term: {"weight": 20.0, "hidden_dim": 64}}
    model = new_toy(latent_dim=3, attributes={"sign": ["-", "+"]})
    model = train(model, Objective.from_config(objective, TERMS), lambda step: correlated(64, 100 + step), 800)
    plain = train(new_toy(latent_dim=3, attributes={"sign": ["-", "+"]}), Objective.from_config({"reconstruction": None}, TERMS), lambda step: correlated(64, 100 + step), 300)
    assert read_back(plain) > 0.99 and read_back(model) < most


@pytest.mark.slow
def test_setting_the_first_dimensions_sets_the_attribute(new_toy, train):
    signs = {"sign": ["-", "+"]}
    forget = {"weight": 20.0, "part": "style", "coded": ["sign"], "hidden_dim": 64, "lr": 3.0}
    objective = {"reconstruction": None, "kl": 1.0, "attribute_code": 10.0, "attribute_information": forget}
    model = new_toy(latent_dim=5, attributes=signs, conditioned=False, posterior="gaussian")
    model = train(model, Objective.from_config(objective, TERMS), lambda step: correlated(64, 100 + step), 800)
    batch = correlated(500, 3)
    with torch.no_grad():
        z = model.encode(**batch).mean
        assert (z[:, :2].argmax(1) == batch["attributes"][:, 0]).float().mean() > 0.99
        flipped = 1 - batch["attributes"]
        level = float(z[torch.arange(500), batch["attributes"][:, 0]].mean())
        x = model.generate(write_attributes(z, flipped, signs, level=level))
    assert ((x[:, 0] > 0).long() == flipped[:, 0]).float().mean() > 0.9
    assert torch.corrcoef(torch.stack([x[:, 2], batch["x"][:, 2]]))[0, 1] > 0.9  # what has nothing to do with it stays
    assert read_back(model, slice(2, None)) < 0.9  # 0.96 without attribute_information
