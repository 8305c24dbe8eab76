"""The contract of the terms that sentences alone have; the core's table has its own test."""

import pytest
import torch

from textae.core.objectives import TERMS as CORE_TERMS
from textae.core.objectives import Objective
from textae.core.objectives.base import TermValue
from textae.models.transformer import TransformerVAE, TransformerVAEConfig
from textae.objectives import TERMS

OWN = {
    "controlled_generation": {"max_tokens": 6},
    "cycle": {"max_tokens": 6},
    "missing_attributes": {},
}
VARIANTS = {
    **OWN,
    "controlled_generation, straight through, of the batch's codes": {"max_tokens": 6, "hard": True, "latents": "posterior", "attributes": ["mood"]},
    "controlled_generation, nothing beside the discriminator": {"max_tokens": 6, "independency": 0, "unlabelled": 0, "examples": 3},
    "cycle, through": {"max_tokens": 6, "through": True},
    "cycle, straight through": {"max_tokens": 6, "through": True, "hard": True, "attributes": ["tense"], "examples": 2},
}
variants = pytest.mark.parametrize("name", VARIANTS)


def made(name):
    return TERMS[name.split(",")[0]](**VARIANTS[name])


def gradients(module):
    return [p.grad for p in module.parameters() if p.requires_grad]


def test_the_table_is_the_cores_and_our_own():
    elsewhere = {"bag_of_words"}  # which knows no attributes and has a test of its own
    assert set(TERMS) - set(CORE_TERMS) == set(OWN) | elsewhere and all(TERMS[name] is term for name, term in CORE_TERMS.items())


@variants
def test_term_says_value_and_loss_of_a_batch(name, case, bound):
    term = bound(made(name), case[0])
    said = term(*case, 0)
    assert isinstance(said, TermValue)
    for tensor in (said.value, said.loss):
        assert tensor.dim() <= 1 and tensor.isfinite().all() and tensor.dtype == torch.float32
    assert (said.own_loss is not None) == any(True for _ in term.parameters())
    assert said.own_loss is None or said.own_loss.shape == ()


@variants
def test_gradients_stay_on_their_side(name, case, bound):
    term = bound(made(name), case[0])
    said = term(*case, 0)
    said.loss.mean().backward(retain_graph=True)
    assert all(g is None for g in gradients(term))
    assert any(g is not None and g.abs().sum() > 0 for g in gradients(case[0].decoder))
    case[0].zero_grad()
    if said.own_loss is not None:
        said.own_loss.backward()
        assert all(g is None for g in gradients(case[0]))
        assert all(g is not None and g.isfinite().all() and g.abs().sum() > 0 for g in gradients(term))


@variants
def test_a_transformer_serves_as_well(name, case, bound, attribute_processor):
    tiny = dict(latent_dim=4, hidden_dim=16, num_heads=2, feedforward_dim=24, num_encoder_layers=1, num_decoder_layers=1)
    torch.manual_seed(0)
    model = TransformerVAE(TransformerVAEConfig(vocab_size=len(attribute_processor.tokenizer), attributes=attribute_processor.attributes, **tiny))
    term = bound(made(name), model)
    said = term(model, model(**case[2]), case[2], 0)
    said.loss.mean().backward()
    assert all(g is None for g in gradients(term)) and said.value.isfinite().all()
    assert model.decoder.output_bias.grad.abs().sum() > 0


@variants
def test_a_term_is_a_function_of_the_seed(name, case, bound):
    term = bound(made(name), case[0])
    said = []
    for _ in range(2):
        torch.manual_seed(3)
        said.append(term(*case, 0))
    assert torch.equal(said[0].value, said[1].value) and torch.equal(said[0].loss, said[1].loss)
    assert said[0].own_loss is None or torch.equal(said[0].own_loss, said[1].own_loss)


@variants
def test_bfloat16_autocast_is_close(name, case, bound):
    term, said = bound(made(name), case[0].eval()), {}
    model, _, batch = case
    for low in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            output = model(sample=False, **batch)
            torch.manual_seed(0)
            said[low] = term(model, output, batch, 0)
    said[True].loss.mean().backward()
    assert said[True].value.dtype == said[True].loss.dtype == torch.float32
    assert said[True].value.mean().item() == pytest.approx(said[False].value.mean().item(), rel=0.15)


@pytest.mark.parametrize("name", ["controlled_generation", "cycle"])
def test_generating_terms_sleep_when_they_are_told(name, case, bound):
    term = bound(TERMS[name](start=3, every=2, max_tokens=4), case[0])
    costs = [float(term(*case, step).value.detach().mean()) for step in range(8)]
    assert [c != 0 for c in costs] == [False, False, False, True, False, True, False, True]


@pytest.mark.parametrize("name", OWN)
def test_batches_without_attributes_are_refused(name, case, bound):
    model, output, batch = case
    with pytest.raises(ValueError, match="hold no attributes"):
        bound(TERMS[name](), model)(model, output, {n: t for n, t in batch.items() if n != "attributes"}, 0)


@pytest.mark.parametrize(
    "config, changes, message",
    [*(({name: None}, {"conditioned": False}, f"{name}: the decoder is given no attributes") for name in OWN),
     *(({name: None}, {"attributes": {"mood": ["good"]}}, f"{name}: attribute 'mood' has one value") for name in OWN),
     ({"missing_attributes": None}, {"attributes": {"a": list("uvwxyz"), "b": list("uvwxyz")}}, "36 combinations of values are more than 32"),
     ({"reconstruction": None, "missing_attributes": None}, {}, "charges the likelihood twice, by reconstruction and by missing_attributes"),
     ({"missing_attributes": {"supervision": -1}}, {}, "supervision is -1"),
     ({"cycle": {"attributes": ["tens"]}}, {}, "no attribute 'tens': did you mean 'tense'"),
     ({"cycle": {"hard": True}}, {}, "set through=true"),
     ({"cycle": {"every": 0}}, {}, "every is 0"),
     ({"cycle": {"max_tokens": 0}}, {}, "max_tokens is 0"),
     ({"controlled_generation": {"max_tokens": 0}}, {}, "max_tokens is 0"),
     ({"controlled_generation": {"attributes": []}}, {}, "no attributes to work on"),
     ({"controlled_generation": {"latents": "priors"}}, {}, "no origin of latents 'priors': did you mean 'prior'"),
     ({"controlled_generation": {"unlabelled": -0.1}}, {}, "unlabelled is -0.1"),
     ({"controlled_generation": {"filters": 0}}, {}, "filters is 0"),
     ({"controlled_generation": {"temperature": {"schedule": "liner"}}}, {}, "did you mean 'linear'"),
     ({"controlled_generation": {"start": -1}}, {}, "start is -1")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(config, changes, message, attribute_processor, new_model):
    with pytest.raises(ValueError, match=message):
        changed = dict(changes)
        processor = attribute_processor
        if "attributes" in changed:
            from textae.data.processor import SentenceProcessor

            processor = SentenceProcessor(attribute_processor.tokenizer, changed.pop("attributes"))
        beside = {} if "missing_attributes" in config else {"reconstruction": None}
        Objective.from_config({**beside, **config}, TERMS).bind(new_model(processor, **changed))
