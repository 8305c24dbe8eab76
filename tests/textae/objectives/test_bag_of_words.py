"""The second reader of the code: what it counts, who gets whose gradient, and that it makes a code worth having."""

import torch
from torch.testing import assert_close

from textae.core.objectives import Objective
from textae.objectives import TERMS


def test_it_counts_every_word_and_no_end_mark(case, bound):
    model, output, batch = case
    term = bound(TERMS["bag_of_words"](hidden_dim=5, layers=2), model)
    said = term(model, output, batch, 0)
    logs = term.reader(output.z).log_softmax(1)
    for i, labels in enumerate(batch["labels"]):
        words = [t for t in labels.tolist() if t not in (-100, model.config.eos_token_id)]
        assert_close(said.value[i], -sum(logs[i, w] for w in words))
    assert_close(said.own_loss, said.value.mean())


def test_sides_are_kept_apart_and_add_up_to_one_loss(case, bound):
    model, output, batch = case
    term = bound(TERMS["bag_of_words"](hidden_dim=5), model)
    said = term(model, output, batch, 0)
    (reach,) = torch.autograd.grad(said.loss.sum(), output.z, retain_graph=True)
    assert reach.abs().sum() > 0
    own = torch.autograd.grad(said.own_loss, list(term.parameters()), retain_graph=True)
    said.loss.sum().backward(retain_graph=True)
    assert all(p.grad is None for p in term.parameters())
    whole = -(term.reader(output.z).log_softmax(1).gather(1, batch["labels"].clamp_min(0)) * (batch["labels"] > model.config.eos_token_id)).sum(1)
    expected = torch.autograd.grad(whole.mean(), [output.z, *term.parameters()])
    assert_close(reach / len(reach), expected[0])
    for ours, theirs in zip(own, expected[1:], strict=True):
        assert_close(ours, theirs)


def test_bfloat16_autocast_is_close(case, bound):
    model, _, batch = case
    term, said = bound(TERMS["bag_of_words"](hidden_dim=5), model.eval()), {}
    for low in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            said[low] = term(model, model(sample=False, **batch), batch, 0)
    assert said[True].loss.dtype == torch.float32
    assert_close(said[True].value, said[False].value, rtol=0.05, atol=0)


def test_it_is_a_player_of_its_own(case):
    objective = Objective.from_config({"reconstruction": None, "bag_of_words": {"lr": 0.5, "hidden_dim": 3}}, TERMS)
    objective.bind(case[0])
    assert objective.players()["bag_of_words"][1] == 0.5
