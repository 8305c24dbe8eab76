"""Generated sentences read back: by an encoder held constant or not, and never as data."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.latent import gaussian_log_prob
from textae.models.soft_generation import SoftSentences, soft_generate
from textae.objectives.controlled_generation import ControlledGeneration
from textae.objectives.cycle import Cycle
from textae.objectives.generated import code_read, lost_code

FAMILIES = {
    "gaussian": {}, "point": {"posterior": "point"}, "vmf": {"posterior": "vmf"}, "hierarchical": {"posterior": "hierarchical"},
    "batch norm": {"posterior_options": {"mean_scale": 0.5}}, "quantized": {"posterior": "quantized", "posterior_options": {"num_codes": 3}},
}  # fmt: skip


@pytest.fixture
def said_by(attribute_processor, new_model):
    """A model of a family in training mode, soft sentences of it, and codes."""

    def make(name):
        model = new_model(attribute_processor, scale=1.5, **FAMILIES[name]).train()
        torch.manual_seed(0)
        z = torch.nn.functional.normalize(torch.randn(5, 4), dim=1)
        said = soft_generate(model.decoder, z, max_tokens=5).detach()
        return model, SoftSentences(said.probabilities.requires_grad_(), said.mask), z

    return make


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "quantized"])
def test_a_lost_code_is_minus_the_log_density_and_reaches_the_sentence_alone(name, said_by):
    model, said, z = said_by(name)
    cost = lost_code(model, said, z)
    cost.sum().backward()
    assert all(p.grad is None for p in model.parameters()), "the groups of a hierarchical posterior are read late"
    assert said.probabilities.grad.abs().sum() > 0
    posterior = model.encode(inputs_embeds=said.embedded(model.decoder.embed), attention_mask=said.mask)
    assert_close(cost, -(gaussian_log_prob(z, posterior.mean) if name == "point" else posterior.log_prob(z)))


@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("name", FAMILIES)
def test_what_was_generated_is_no_data(name, soft, said_by):
    """Neither a batch norm's running mean nor a codebook has seen it."""
    model, said, z = said_by(name)
    before = {n: b.clone() for n, b in model.named_buffers()}
    code_read(model, said, soft).sum().backward()
    if name != "quantized":
        lost_code(model, said, z)
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers())
    learning = [p for n, p in model.named_parameters() if n.startswith(("encoder.", "head."))]
    assert all(p.grad is not None for p in learning) and (said.probabilities.grad is not None) == soft


def test_a_code_is_read_as_the_model_reads(said_by):
    model, said, _ = said_by("gaussian")
    for soft, read in ((True, {"inputs_embeds": said.embedded(model.decoder.embed)}), (False, {"input_ids": said.ids})):
        torch.manual_seed(1)
        code = code_read(model, said, soft)
        torch.manual_seed(1)
        assert torch.equal(code, model.encode(**read, attention_mask=said.mask).sample())


def test_codes_of_a_codebook_have_no_density_to_lose(attribute_processor, new_model):
    model = new_model(attribute_processor, **FAMILIES["quantized"])
    with pytest.raises(ValueError, match="posterior=quantized have no density: set it to 0"):
        ControlledGeneration().bind(model)
    ControlledGeneration(independency=0).bind(model)


@pytest.mark.parametrize("term", [ControlledGeneration, Cycle])
@pytest.mark.parametrize(
    "temperature, name",
    [(0, "value"), (-1.0, "value"), ({"schedule": "linear", "start": 1, "end": 0, "steps": 9}, "end"), ({"schedule": "cosine", "start": 0, "end": 1}, "start"),
     (float("inf"), "value")],
)  # fmt: skip
def test_temperatures_stay_above_zero(term, temperature, name):
    with pytest.raises(ValueError, match=f"temperature: {name} is .*; a temperature is finite and above 0"):
        term(temperature=temperature)
