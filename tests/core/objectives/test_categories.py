"""Labels for the categorical part of a code, and room between cluster heads."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import PointPosterior
from textae.core.objectives import TERMS, Classification, ClusterHeadDistance, Objective

KINDS = {"kind": ["a", "b", "c"], "age": ["old", "new"]}  # columns by name: age, kind
CATEGORIES = {"categories": 3, "latent_dim": 5, "prior": "categorical", "conditioned": False}


def output_of(logits):
    mean = torch.cat([logits.softmax(1), torch.zeros(len(logits), 2)], 1)
    return AutoencoderOutput(torch.zeros(len(logits)), PointPosterior(mean, logits), mean, torch.ones(len(logits)))


@pytest.fixture
def term(new_toy):
    term = Classification(attribute="kind")
    term.bind(new_toy(attributes=KINDS, **CATEGORIES))
    return term


def attributes(kind):
    return {"attributes": torch.stack([torch.tensor([1, 0, 1, 0])[: len(kind)], torch.tensor(kind)], 1)}


def test_it_is_the_mean_cross_entropy_of_the_labelled_rows(term):
    torch.manual_seed(0)
    logits = torch.randn(4, 3, requires_grad=True)
    said = term(None, output_of(logits), attributes([2, -1, 0, -1]), 0)
    expected = cross_entropy(logits[[0, 2]], torch.tensor([2, 0]))
    assert_close(said.value, expected)
    said.loss.backward()
    assert_close(logits.grad[[1, 3]], torch.zeros(2, 3))  # the unlabelled pay nothing
    wanted = (logits.detach().softmax(1)[[0, 2]] - torch.eye(3)[[2, 0]]) / 2
    assert_close(logits.grad[[0, 2]], wanted)


def test_nats_of_even_odds(term):
    assert term(None, output_of(torch.zeros(4, 3)), attributes([0, 1, 2, -1]), 0).value.item() == pytest.approx(math.log(3))


def test_a_batch_without_labels_costs_nothing_and_moves_nothing(term):
    logits = torch.randn(4, 3, requires_grad=True)
    said = term(None, output_of(logits), attributes([-1] * 4), 0)
    assert said.value == 0 and said.loss.shape == ()
    said.loss.backward()
    assert (logits.grad == 0).all()


def test_extreme_logits_stay_finite(term):
    """The reason why the posterior carries logits: softmax, then log, would be infinite here."""
    logits = torch.tensor([[400.0, -400.0, 0.0]], requires_grad=True)
    said = term(None, output_of(logits), attributes([1]), 0)
    assert said.value.item() == pytest.approx(800.0)
    said.loss.backward()
    assert logits.grad.isfinite().all() and logits.grad[0, 1] < 0


@pytest.mark.parametrize(
    "config, changes, message",
    [({"classification": {"attribute": "knd"}}, {}, "no attribute 'knd' to take labels from: did you mean 'kind'"),
     ({"classification": {"attribute": "age"}}, {}, "'age' has 2 values and the code 3 categories: set model.categories=2"),
     ({"classification": {"attribute": "kind"}}, {"categories": 0, "prior": "standard"}, "has 3 values and the code 0 categories"),
     ({"classification": {"attribute": "kind"}}, {"attributes": {}}, "no attribute 'kind'.*Known: none"),
     ({"classification": {"attribute": "kind"}}, {"conditioned": True}, "the decoder is given 'kind' already.*set model.conditioned=false"),
     ({"classification": None}, {}, "needs the key 'attribute'"),
     ({"cluster_head_distance": None}, {}, "has no cluster heads to keep apart"),
     ({"cluster_head_distance": {"eta": 0}}, {"heads": True}, "eta is 0; a distance to keep is above 0")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(config, changes, message, new_toy):
    with pytest.raises(ValueError, match=message):
        Objective.from_config({"reconstruction": None, **config}, TERMS).bind(new_toy(**{"attributes": KINDS, **CATEGORIES, **changes}))


def test_batches_without_attributes_are_refused(term):
    with pytest.raises(ValueError, match="hold no attributes"):
        term(None, output_of(torch.zeros(2, 3)), {}, 0)


def test_a_structured_code_is_saved_and_loaded(new_toy, tmp_path):
    model = new_toy(attributes=KINDS, **CATEGORIES).eval()
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    x = torch.randn(4, 4)
    assert torch.equal(again.encode(x=x).category_logits, model.encode(x=x).category_logits)
    torch.manual_seed(0)
    draws = again.prior.sample(6)
    torch.manual_seed(0)
    assert torch.equal(model.prior.sample(6), draws) and torch.equal(draws[:, :3].sum(1), torch.ones(6))


# --- cluster heads ------------------------------------------------------------------------------------------------


def with_heads(new_toy, heads):
    model = new_toy(categories=len(heads), latent_dim=len(heads) + 2, prior="categorical", heads=True)
    with torch.no_grad():
        model.cluster_heads.copy_(torch.tensor(heads))
    return model


def test_each_pair_pays_what_its_distance_lacks(new_toy):
    model = with_heads(new_toy, [[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])  # distances 5, 1, sqrt(18)
    said = ClusterHeadDistance(eta=4.5)(model, None, {}, 0)
    assert_close(said.value, torch.tensor(0.0 + 3.5 + 4.5 - math.sqrt(18)))
    said.loss.backward()
    toward = torch.tensor([3.0, 3.0]) / math.sqrt(18)
    assert_close(model.cluster_heads.grad, torch.stack([torch.tensor([0.0, 1.0]), -toward, torch.tensor([0.0, -1.0]) + toward]))


def test_heads_that_are_far_apart_cost_nothing(new_toy):
    model = with_heads(new_toy, [[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    said = ClusterHeadDistance()(model, None, {}, 0)
    said.loss.backward()
    assert said.value == 0 and (model.cluster_heads.grad == 0).all()


def test_heads_part_until_eta(new_toy):
    model = new_toy(categories=4, latent_dim=6, prior="categorical", heads=True)
    term = ClusterHeadDistance(eta=3.0)
    term.bind(model)
    optimizer = torch.optim.SGD([model.cluster_heads], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        term(model, None, {}, 0).loss.backward()
        optimizer.step()
    assert torch.pdist(model.cluster_heads.detach()).min() > 2.9


def test_coinciding_heads_have_a_finite_gradient(new_toy):
    model = with_heads(new_toy, [[1.0, 1.0], [1.0, 1.0]])
    ClusterHeadDistance()(model, None, {}, 0).loss.backward()
    assert model.cluster_heads.grad.isfinite().all()
