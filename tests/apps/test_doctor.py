"""The doctor: healthy and collapsed models told apart, figures that are those of the core, words for every case."""

import copy

import pytest
import torch

from apps import doctor
from textae.core.latent import PointPosterior
from textae.models.lm import SentenceLM, SentenceLMConfig
from textae.models.rnn import RNNVAE, RNNVAEConfig
from textae.space import LatentSpace

HEALTHY = dict(kl=9.0, mi=5.5, ln_n=6.9, active_units=30, latent_dim=32, nll_own=20.0, nll_shuffled=45.0)


def test_a_model_that_listens_is_healthy_and_one_that_does_not_is_told_so(tiny_space):
    sentences = list(tiny_space.examples) * 4
    found = doctor.examine(tiny_space, sentences, "its own examples")
    assert found.worth > 3 and found.nll_own < found.nll_shuffled and found.mi > 1 and found.num == 32
    deaf = copy.deepcopy(tiny_space)
    with torch.no_grad():
        for layer in (deaf.model.head.mean, deaf.model.head.logvar):
            layer.weight.zero_()
            layer.bias.zero_()
    ill = doctor.examine(deaf, sentences, "its own examples")
    assert ill.kl == 0 and ill.active_units == 0 and abs(ill.worth) < 1e-4 and ill.mi < 1e-6
    assert "Posterior collapse" in ill.findings[0] and "free_bits" in ill.findings[0] and "hardly listens" in ill.findings[1]
    text = doctor.as_text(ill)
    assert "active units              0 of 6" in text and text.count("\n- ") == 2
    assert doctor.as_dict(ill)["worth"] == ill.worth


def test_it_repeats_itself_and_leaves_the_generator_alone(tiny_space):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = doctor.examine(tiny_space, list(tiny_space.examples), "x", seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert doctor.examine(tiny_space, list(tiny_space.examples), "x", seed=1) == first


def test_own_and_wrong_codes_by_hand(tiny_space):
    """With two sentences the wrong code is the other's."""
    a, b = tiny_space.examples[:2]
    found = doctor.examine(tiny_space, [a, b], "two")
    batch = tiny_space.processor([a, b])
    with torch.no_grad():
        z = tiny_space.model.encode(**batch).mean
        own, wrong = tiny_space.model.nll(z, **batch)[0].mean(), tiny_space.model.nll(z.flip(0), **batch)[0].mean()
    assert found.nll_own == pytest.approx(own.item(), rel=1e-5) and found.nll_shuffled == pytest.approx(wrong.item(), rel=1e-5)


@pytest.mark.parametrize("num", [2, 3, 50])
def test_nobody_keeps_its_own_code(num):
    wrong = doctor._strangers(num)
    assert sorted(wrong.tolist()) == list(range(num)) and not (wrong == torch.arange(num)).any()


@pytest.mark.parametrize("family", ["point", "vmf", "quantized", "hierarchical"])
def test_every_family_is_examined(family, tiny_space):
    torch.manual_seed(0)
    options = {"quantized": {"num_codes": 4, "code_dim": 3}}.get(family, {})
    config = RNNVAEConfig(vocab_size=len(tiny_space.processor.tokenizer), latent_dim=6, embedding_dim=8, hidden_dim=8, encoder_hidden_dim=8, posterior=family, posterior_options=options)
    space = LatentSpace(RNNVAE(config), tiny_space.processor, examples=tiny_space.examples)
    found = doctor.examine(space, list(space.examples), "x")
    assert (found.kl is None) == (family == "point") and (found.mi is None) == (family in ("point", "quantized")) and found.findings
    assert isinstance(space.model.encode(**space.processor(["I see tea."])), PointPosterior) == (found.mi is None)


@pytest.mark.parametrize(
    "posterior, prior, changes, words",
    [("gaussian", "standard", {}, ["Codes as a whole lie 3.5 nats"]),
     ("gaussian", "standard", {"kl": 6.0}, ["Healthy", "worth 25.0 nats"]),
     ("gaussian", "standard", {"kl": 0.02, "mi": 0.0, "active_units": 0, "nll_shuffled": 20.1}, ["collapse", "hardly listens"]),
     ("gaussian", "standard", {"kl": 6.0, "mi": 0.4}, ["spent on little"]),
     ("gaussian", "standard", {"mi": 6.85}, ["Healthy"]),  # at its ceiling it tells nothing of the rest
     ("gaussian", "standard", {"kl": 6.0, "active_units": 5}, ["Only 5 of 32"]),
     ("vmf", "sphere", {"kl": 6.0, "active_units": 0, "mi": 0.0}, ["collapse"]),
     ("quantized", "uniform_codes", {"mi": None, "active_units": 0, "nll_shuffled": 20.0}, ["hardly listens", "same codes"]),
     ("point", "standard", {"kl": None, "mi": None}, ["fit one"]), ("point", "generator", {"kl": None, "mi": None}, ["here generator"])],
)  # fmt: skip
def test_words_for_what_was_found(posterior, prior, changes, words):
    said = doctor.findings(posterior, prior, **{"model_type": "textae_rnn", **HEALTHY, **changes})
    assert len(said) == (2 if words[-1] in ("hardly listens", "same codes") else 1)
    assert all(word in " ".join(said) for word in words)


ILL = {  # every finding that figures can lead to
    "collapse": {"kl": 0.02, "mi": 0.0, "active_units": 0, "nll_shuffled": 20.1},
    "spent": {"kl": 6.0, "mi": 0.4},
    "apart": {"kl": 9.0, "mi": 5.0},
    "idle": {"kl": 6.0, "active_units": 5},
}


@pytest.mark.parametrize("ill", ILL)
def test_a_sphere_is_told_nothing_that_only_a_gaussian_has(ill):
    """The flaw: head.logvar, free bits per dimension, mean_scale and other priors were prescribed, and configs with them are refused."""
    said = " ".join(doctor.findings("vmf", "sphere", model_type="textae_rnn", **{**HEALTHY, **ILL[ill]}))
    assert not any(word in said for word in ("logvar", "free_bits", "mean_scale", "pretrain", "flow", "vamp"))
    assert "kappa" in said or ill not in ("collapse", "apart")


def test_what_was_prescribed_can_be_trained(tiny_space):
    """Free bits and mean_scale as the doctor words them, for every family and prior that he words them for."""
    from textae.core.objectives import Objective
    from textae.objectives import TERMS

    size = dict(vocab_size=len(tiny_space.processor.tokenizer), latent_dim=6, embedding_dim=8, hidden_dim=8, encoder_hidden_dim=8)
    for family, prior in [("gaussian", "standard"), ("gaussian", "vamp"), ("gaussian", "learned_mixture"), ("hierarchical", "hierarchical")]:
        said = " ".join(doctor.findings(family, prior, model_type="textae_rnn", **{**HEALTHY, **ILL["collapse"]}))
        free = {"free_bits": 4.0, "free_bits_per": "batch"} if "free_bits_per=batch" in said else {"free_bits": 0.1}
        options = {"mean_scale": 0.6} if "mean_scale=0.6" in said else {}
        model = RNNVAE(RNNVAEConfig(**size, posterior=family, prior=prior, posterior_options=options))
        Objective.from_config({"reconstruction": None, "kl": free}, TERMS).bind(model)
        assert ("head.logvar" in said) == (family == "gaussian") and ("mean_scale" in said) == (prior in ("standard", "learned_mixture"))


@pytest.mark.parametrize("ill", ILL)
def test_other_decoders_are_not_sent_to_settings_of_sentences(ill):
    for kind in ("textae_mlp", "textae_topics"):
        said = " ".join(doctor.findings("gaussian", "standard", model_type=kind, **{**HEALTHY, **ILL[ill]}))
        assert not any(word in said for word in ("word_drop", "latent_to_layers", "bag_of_words", "aggressive", "mean_scale", "head.logvar"))
    pretrained = doctor.findings("gaussian", "standard", model_type="textae_pretrained", **{**HEALTHY, **ILL["collapse"]})
    assert "latent_to_memory" in pretrained[1] and "latent_to_layers" not in pretrained[1]


def test_a_language_model_has_nothing_to_heal(tiny_space):
    """The flaw: it has no code, and was told to pretrain the encoder that it has not."""
    config = SentenceLMConfig(vocab_size=len(tiny_space.processor.tokenizer), embedding_dim=8, hidden_dim=8)
    found = doctor.examine(LatentSpace(SentenceLM(config), tiny_space.processor, examples=tiny_space.examples), list(tiny_space.examples), "x")
    assert found.kl == 0 and len(found.findings) == 1 and "has no code" in found.findings[0] and "nothing to heal" in found.findings[0]


def test_what_it_cannot_examine():
    with pytest.raises(ValueError, match="give at least two"):
        doctor.diagnose("everyday", ["Only one."])
