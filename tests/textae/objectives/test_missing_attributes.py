"""Marginalization over values that nobody told: the bound by brute force, and what it does for few labels."""

import math
from itertools import product

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from textae.objectives.missing_attributes import MissingAttributes


@pytest.fixture
def term(case, bound):
    return bound(MissingAttributes(supervision=0.7), case[0])


def by_brute_force(term, model, output, batch, row):
    """The bound of one sentence: all values of all attributes in turn, those it has left out where they differ."""
    values = batch["attributes"][row]
    part = {name: tensor[row : row + 1] for name, tensor in batch.items()}
    log_q = [p[0].log_softmax(0) for p in term.classifier.split(term.classifier(part["labels"].clamp_min(0), part["attention_mask"]))]
    total = torch.zeros(())
    for mood, tense in product(range(3), range(2)):
        if any(known >= 0 and known != given for known, given in zip(values.tolist(), (mood, tense), strict=True)):
            continue
        q = math.prod(log_q[i][v].exp() for i, v in enumerate((mood, tense)) if values[i] < 0)
        nll = model.nll(output.z[row : row + 1], **{**part, "attributes": torch.tensor([[mood, tense]])})[0][0]
        total = total + q * nll
    return total + sum((p.exp() * (p + math.log(len(p)))).sum() for p, known in zip(log_q, values.tolist(), strict=True) if known < 0)


def test_the_bound_is_that_of_all_values_by_brute_force(case, term):
    model, output, batch = case
    said = term(model, output, batch, 0)
    assert_close(said.value, torch.stack([by_brute_force(term, model, output, batch, row) for row in range(6)]).detach())
    labelled = [0, 4, 5]
    assert torch.equal(said.value[labelled], output.nll[labelled].detach())


def test_both_players_descend_the_joint_bound(case, term):
    """The model's gradient and the classifier's are those of one loss: bounds of all, and the labelled cross-entropy."""
    model, output, batch = case
    bounds = torch.stack([by_brute_force(term, model, output, batch, row) for row in range(6)]).mean()
    logits = term.classifier.split(term.classifier(batch["labels"].clamp_min(0), batch["attention_mask"]))
    supervised = sum(cross_entropy(part, batch["attributes"][:, i], ignore_index=-1) for i, part in enumerate(logits))
    ours = [p for p in model.parameters() if p.requires_grad]
    wanted = torch.autograd.grad(bounds + 0.7 * supervised, [*ours, *term.parameters()], retain_graph=True)
    said = term(model, output, batch, 0)
    found = torch.autograd.grad(said.loss.mean() + said.own_loss, [*ours, *term.parameters()], retain_graph=True)
    for a, b in zip(found, wanted, strict=True):
        assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_it_bounds_the_marginal_likelihood_and_meets_it_at_the_true_posterior(case, bound):
    """-log Σ_a p(a) p(x|z, a) is never more, and reached where q(a|x) is p(a|x, z); one attribute, one sentence."""
    model, output, batch = case
    row = {name: tensor[3:4] for name, tensor in batch.items()}
    costs = torch.stack([model.nll(output.z[3:4], **{**row, "attributes": torch.tensor([[m, t]])})[0][0] for m, t in product(range(3), range(2))])
    marginal = math.log(6) - (-costs).logsumexp(0)
    term = bound(MissingAttributes(), model)
    value = term(model, output, batch, 0).value[3]
    assert value > marginal
    known_tense = {**batch, "attributes": batch["attributes"].clone()}
    known_tense["attributes"][3, 1] = 0
    costs = costs.view(3, 2)[:, 0]
    with torch.no_grad():
        term.classifier.output.weight.zero_()
        term.classifier.output.bias[:3] = -costs
    assert_close(term(model, output, known_tense, 0).value[3], (math.log(3) - (-costs).logsumexp(0)).detach())


def test_labelled_batches_are_plain_reconstruction(case, term):
    model, output, batch = case
    said = term(model, output, {**batch, "attributes": batch["attributes"].clamp_min(0)}, 0)
    assert torch.equal(said.value, output.nll) and torch.equal(said.loss, output.nll)


@pytest.mark.slow
def test_half_the_labels_teach_all_sentences(verbs):
    """Sentences without a label learn what they would say with it: the verb can be exchanged in every one."""
    model, term = verbs.train({"missing_attributes": None, "kl": 0.05}, share=0.5, steps=250, term="missing_attributes")
    edited = verbs.decode(model, verbs.codes(model), 1 - verbs.values)
    assert sum(verbs.swapped(s) == t for s, t in zip(verbs.sentences, edited, strict=True)) / 36 > 0.9
    words = verbs.batch["labels"]
    guessed = term.classifier(words.clamp_min(0), verbs.batch["attention_mask"]).argmax(1)
    assert (guessed == verbs.values[:, 0]).all()
