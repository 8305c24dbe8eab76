"""The doctor: healthy and collapsed models told apart, figures that are those of the core, words for every case."""

import copy
import re
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from apps import doctor
from apps.catalog import find_config
from apps.cli import app
from apps.modalities import modality, of_model
from apps.settings import resolve
from textae.core.aggressive import encoder_parameters
from textae.core.autoencoder import make_config
from textae.core.families import DENSITIES
from textae.core.latent import PointPosterior
from textae.core.objectives import Objective
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


ADVISED = [
    ("text/ptb_vae",), ("text/ptb_vae", "model.name=rnn_bos"), ("text/ptb_vae", "objective.kl=0.5"), ("text/ptb_vae", "prior.name=flow"),
    ("text/ptb_vae", "prior={name: mixture, components: 4}"), ("text/ptb_vae", "model.prior=learned_mixture"), ("text/ptb_vae_bn",),
    ("text/ptb_transformer_vae",), ("text/ptb_vamp_prior",), ("text/ptb_hierarchical",), ("text/ptb_bert_gpt2_vae",), ("text/yelp_t5_vae",),
    ("text/ptb_vmf",), ("text/ptb_vmf", "model.posterior_options.kappa=0", "objective.kl={free_bits: 2, free_bits_per: batch}"),
    ("text/ptb_topics_nvdm",), ("text/ptb_topics_prodlda",), ("vision/mnist_vae",), ("vision/mnist_conv_vae",), ("vision/mnist_cvae",),
    ("text/ptb_ae",), ("text/yelp_vq",), ("text/yelp_arae",), ("vision/mnist_ae",), ("vision/mnist_vqvae",),
]  # fmt: skip
VALUE = r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\w+(?:\.\w+)*"
OVERRIDE = rf"(?<![\w.])(?:model|data|objective|trainer|prior)(?:\.\w+)*=(?:{VALUE})"
BERT = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
TINY = {
    "rnn": {"embedding_dim": 8, "hidden_dim": 8, "encoder_hidden_dim": 8}, "rnn_bos": {"embedding_dim": 8, "hidden_dim": 8, "encoder_hidden_dim": 8},
    "transformer": {"hidden_dim": 8, "feedforward_dim": 8}, "topics": {"hidden_dims": [8]},
    "pretrained": {"encoder_id": "", "decoder_id": "", "encoder_config": BERT, "decoder_config": {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2}},
    "seq2seq": {"decoder_id": "", "decoder_config": {"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}},
}  # fmt: skip


def tiny_model(config):
    """The model of a resolved config, with narrow layers."""
    name = config["model"]["name"]
    config_class, model_class = of_model(name).model_classes(name)
    size = {"vocab_size": 40, **TINY[name]} if name in TINY else {"attributes": {"label": ["one", "two"]}} if config["data"].get("labels") else {}
    return model_class(make_config(config_class, {**{k: v for k, v in config["model"].items() if k != "name"}, **size}))


def advice(config):
    """Every finding that the doctor could have of the model of a config, and the overrides in it, those side by side together."""
    name = config["model"]["name"]
    made = make_config(of_model(name).model_classes(name)[0], {k: v for k, v in config["model"].items() if k != "name"})
    fitted = config.get("prior", {}).get("name", "standard")
    prior = made.prior if fitted == "standard" else fitted
    deaf = {"nll_shuffled": 20.1}
    pointed = [{"kl": None}, {"kl": None, **deaf}] if prior not in ("uniform_codes", "codes") else [{"active_units": 0, **deaf}]
    ills = [*ILL.values(), {"kl": 6.0, **deaf}] if made.posterior in DENSITIES else [{"mi": None, **ill} for ill in pointed]
    said = [line for ill in ills for line in doctor.findings(made.posterior, prior, model_type=made.model_type, **{**HEALTHY, **ill})]
    return said, {tuple(re.findall(OVERRIDE, group)) for line in said for group in re.findall(rf"{OVERRIDE}(?: {OVERRIDE})*", line)}


@pytest.mark.parametrize("base", ADVISED, ids=" ".join)
def test_what_is_advised_can_be_trained(base):
    """The flaws: other models' settings were prescribed, and overrides that a number or another schedule in their place refuses."""
    name, *changes = base
    config = resolve(find_config(name), changes)
    said, found = advice(config)
    assert said and not any(word in " ".join(said) for word in ("Free bits without", "constant concentration"))
    assert set(re.findall(r"[\w.]+=", re.sub(OVERRIDE, "", " ".join(said)))) <= {"init=", "reset=", "posterior="}, "an override that is not tried"
    for overrides in found:
        changed = resolve(find_config(name), [*changes, *overrides])
        model = tiny_model(changed)
        Objective.from_config(changed["objective"], of_model(changed["model"]["name"]).terms()).bind(model)
        if "trainer.aggressive=100" in overrides:
            assert encoder_parameters(model, SimpleNamespace(train=[1], valid=[1]))


def test_the_overrides_of_a_finding_are_found():
    """Of the tests above: what they take out of the text is all that is in it."""
    said, found = advice(resolve(find_config("text/ptb_vae")))
    assert ("objective.kl=1", "objective.kl={weight: {schedule: pi, target: 4}}") in found and ("model.latent_to_layers=true",) in found
    assert {("trainer.aggressive=100",), ("prior={name: flow}",), ("data.word_drop=0.3",)} < found
    assert ("model.prior=vamp", "model.posterior_options.mean_scale=0", "objective.kl={free_bits_per: batch}") in found
    assert ("model.prior=learned_mixture", "objective.kl={free_bits_per: batch}") in found
    assert ("objective.kl={free_bits: 0.1, free_bits_per: dimension}",) in found and ("model.posterior_options.mean_scale=0.6",) in found
    assert "reset=[decoder, head.logvar]" in " ".join(said)


def test_a_vamp_prior_is_named_where_the_model_takes_one():
    for name in (model for kind in ("text", "documents", "images") for model in modality(kind).MODELS if model not in ("lm", "vq")):
        config_class = of_model(name).model_classes(name)[0]
        try:
            takes = bool(make_config(config_class, {"prior": "vamp"}))
        except ValueError:
            takes = False
        said = " ".join(doctor.findings("gaussian", "standard", model_type=config_class.model_type, **{**HEALTHY, **ILL["apart"]}))
        assert ("vamp" in said) == takes and "learned_mixture" in said and make_config(config_class, {"prior": "learned_mixture"})


def test_an_autoencoder_fits_under_every_prior_that_it_is_advised_for(tiny_space, tmp_path):
    """The flaw: of a prior that learns with the model an autoencoder has no weights, and `reset` did not name it."""
    size = dict(vocab_size=len(tiny_space.processor.tokenizer), latent_dim=6, embedding_dim=8, hidden_dim=8, encoder_hidden_dim=8)
    RNNVAE(RNNVAEConfig(**size, posterior="point")).save_pretrained(tmp_path)
    for prior in ("standard", "vamp", "learned_mixture"):
        said = " ".join(doctor.findings("gaussian", prior, model_type="textae_rnn", **{**HEALTHY, **ILL["collapse"]}))
        reset = re.search(r"reset=\[(.*?)\]", said)[1].split(", ")
        RNNVAE(RNNVAEConfig(**size, prior=prior)).take_weights(tmp_path, reset)
    for kind in ("textae_pretrained", "textae_seq2seq"):  # whose decoder would forget what it was fetched for
        assert "reset=" not in " ".join(doctor.findings("gaussian", "standard", model_type=kind, **{**HEALTHY, **ILL["collapse"]}))


def test_remedies_of_the_decoder_are_those_it_has():
    """The flaws: T5 was sent to slots that it always has, and an imported LSTM told that it is given little but the code."""
    said = {kind: " ".join(doctor.findings("gaussian", "standard", model_type=kind, **{**HEALTHY, "kl": 6.0, "nll_shuffled": 20.1})) for kind in doctor.SENTENCES}
    assert "latent_to_memory" not in said["textae_seq2seq"] and "latent_to_embedding" in said["textae_seq2seq"]
    assert "latent_to_layers" in said["textae_rnn_bos"] and not any("given little else" in words for words in said.values())


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


def test_examples_that_are_conditioned_are_told_what_they_are(told_space):
    """The flaw: of a split with attributes the decoder was told none, which in training it is."""
    texts, rows = ["I saw tea.", "We see rain."], [{"tense": "past", "sentiment": "positive"}, {"tense": "present", "sentiment": "negative"}]
    found = doctor.examine(told_space, texts, "two", rows=rows)
    batch = told_space.processor(texts, rows)
    with torch.no_grad():
        z = told_space.model.encode(**batch).mean
        own, wrong = (told_space.model.nll(codes, **batch)[0].mean().item() for codes in (z, z.flip(0)))
    assert found.nll_own == pytest.approx(own, rel=1e-5) and found.nll_shuffled == pytest.approx(wrong, rel=1e-5)
    assert abs(found.nll_own - doctor.examine(told_space, texts, "two").nll_own) > 1e-3


def test_a_data_set_is_measured_as_it_was_trained_on(told_folder, told_space, monkeypatch):
    from apps.modalities import text

    texts, rows = ["I saw tea.", "We see rain.", "They like tea."], [{"tense": "past", "other": "x"}, {}, {"tense": "present"}]
    monkeypatch.setattr(text, "read_split", lambda name, split: (texts, rows, f"{name}, split {split}"))
    found = doctor.diagnose(str(told_folder), data="own", split="test", device="cpu", limit=2)
    assert found == doctor.examine(told_space, texts[:2], "own, split test", rows=[{"tense": "past"}, {}])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "tatoeba", "--file", "{text}"], "--data tatoeba says what to measure on: leave out --file"),
        (["--data", "tatoeba", "--column", "said"], "leave out --column"),
        (["--split", "test", "--file", "{text}"], "there is no --data: leave out --split"),
    ],
)
def test_what_it_would_ignore_is_refused(words, message, told_folder, tmp_path):
    (tmp_path / "text.txt").write_text("I saw tea.\nWe see rain.\n")
    done = CliRunner().invoke(app, ["doctor", str(told_folder), *(word.format(text=tmp_path / "text.txt") for word in words)])
    assert isinstance(done.exception, ValueError) and message in str(done.exception)


def test_what_it_cannot_examine():
    with pytest.raises(ValueError, match="give at least two"):
        doctor.diagnose("everyday", ["Only one."])
