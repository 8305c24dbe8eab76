"""There and back: which values are changed, what is paid, and who learns from it."""

import pytest
import torch
from torch.testing import assert_close

from textae.objectives.cycle import Cycle


def test_only_known_values_are_changed_and_always(case, bound):
    model, _, batch = case
    term = bound(Cycle(), model)
    torch.manual_seed(0)
    changed = torch.stack([term.others(batch["attributes"]) for _ in range(300)])
    known = batch["attributes"] >= 0
    assert (changed[:, known] != batch["attributes"][known]).all() and (changed[:, ~known] == -1).all()
    mood = torch.bincount(changed[:, 1, 0], minlength=3) / 300  # of "flat": good or bad, as often
    assert mood[2] == 0 and abs(mood[0] - 0.5) < 0.1
    one = bound(Cycle(attributes=["tense"]), model).others(batch["attributes"])
    assert torch.equal(one[:, 0], batch["attributes"][:, 0]) and one[0, 1] == 0


@pytest.mark.parametrize("options", [{}, {"examples": 2}, {"attributes": ["mood"]}])
def test_it_is_the_cost_of_the_sentence_read_back(options, case, bound):
    model, output, batch = case
    model.eval()
    term = bound(Cycle(max_tokens=7, **options), model)
    torch.manual_seed(4)
    said = term(model, output, batch, 0)
    rows = {"examples": [0, 1], "attributes": [0, 1, 4, 5]}.get(next(iter(options), ""), [0, 1, 2, 4, 5])  # row 3 has no label
    part = {name: tensor[rows] for name, tensor in batch.items()}
    torch.manual_seed(4)
    changed = term.others(part["attributes"])
    ids = model.generate(output.z[rows].detach(), attributes=changed, max_new_tokens=7)[:, 1:]
    mask = torch.stack([torch.cat([torch.ones(1), (row == 2).cumsum(0)[:-1] == 0]) for row in ids]).long()
    z = model.encode(input_ids=torch.where(mask.bool(), ids, 0), attention_mask=mask).sample()
    assert_close(said.value, model.nll(z, **part)[0].mean())
    assert torch.equal(said.loss, said.value)


def test_without_labels_there_is_nothing_to_change(case, bound):
    model, output, batch = case
    term = bound(Cycle(), model)
    said = term(model, output, {**batch, "attributes": torch.full_like(batch["attributes"], -1)}, 0)
    assert said.value == 0 and said.loss == 0


def test_the_edit_has_a_gradient_only_where_it_is_asked_for(case, bound):
    """The first code reaches the cost through the edit alone."""
    model, output, batch = case
    for options, reaches in (({}, False), ({"through": True}, True), ({"through": True, "hard": True}, True)):
        z = output.z.detach().requires_grad_()
        term = bound(Cycle(max_tokens=5, **options), model)
        output.z = z
        (gradient,) = torch.autograd.grad(term(model, output, batch, 0).loss, z, allow_unused=True)
        assert (gradient is not None and bool(gradient[0].abs().sum() > 0)) == reaches


@pytest.mark.slow
def test_edits_that_can_be_undone_keep_their_content(verbs):
    """Beside the discriminator: changing the verb leaves the other words alone more often, and the way back is open."""
    steering = {"weight": 0.5, "independency": 0, "max_tokens": 8, "start": 100, "temperature": 0.5, "examples": 0, "latents": "posterior"}
    objective = {"reconstruction": None, "kl": 0.003, "controlled_generation": steering, "cycle": {"start": 100, "max_tokens": 8}}
    model = verbs.train(objective, share=0.3, steps=200)
    there = verbs.decode(model, verbs.codes(model), 1 - verbs.values)
    assert sum(verbs.swapped(s) == t for s, t in zip(verbs.sentences, there, strict=True)) / 36 > 0.55
    back = verbs.decode(model, model.encode(**verbs.processor(there)).mean.detach(), verbs.values)
    assert sum(s == t for s, t in zip(verbs.sentences, back, strict=True)) / 36 > 0.55
