"""What a config may say of priors, and of beginning from a checkpoint: refused before anything is loaded, or done."""

import json

import pytest
import torch

from apps.catalog import configs
from apps.run import make_model, train
from apps.settings import resolve
from textae.data.processor import SentenceProcessor
from textae.models.rnn import RNNVAE

TINY = ["model.embedding_dim=8", "model.hidden_dim=8", "model.encoder_hidden_dim=8", "model.latent_dim=4"]


def config(name, *changes):
    return resolve(configs()[f"text/{name}"], changes)


@pytest.mark.parametrize(
    "name, change, message",
    [("ptb_vae", "reset=[decoder]", "there is no init: name the checkpoint"),
     ("ptb_vae_pretrained", "reset=decoder", r"reset must list parts of the model, such as \[decoder\]"),
     ("ptb_vmf", "prior.name=mixture", "prior.name=mixture is no prior of codes with posterior=vmf, which can have sphere"),
     ("ptb_vae", "prior.name=codes", "has none: fit mixture or flow"),
     ("ptb_vae", "prior={name: mixture, fit: {iterations: 0}}", "iterations is 0; it must be a whole number"),
     ("ptb_vae", "prior={name: mixture, fit: {ridge: -1}}", "ridge is -1; what is added to variances"),
     ("ptb_vae", "prior={name: mixture, components: 8, limit: 8}", "8 codes cannot fit 8 components"),
     ("ptb_vae", "prior={name: mixture, limit: 0}", "limit is 0; it must be a whole number"),
     ("ptb_vae", "prior={name: mixture, limit: -5}", "limit is -5; it must be a whole number"),
     ("ptb_vae", "prior={name: flow, limit: 2}", "of 2 codes, held_out=0.05 leaves fewer than the 2"),
     ("ptb_vae", "prior={name: flow, layers: 0}", "layers is 0; it must be a whole number"),
     ("ptb_vae", "prior={name: flow, layers: -1}", "layers is -1; it must be a whole number"),
     ("ptb_vae", "prior={name: flow, hidden_dim: 0}", "hidden_dim is 0; it must be a whole number"),
     ("ptb_vae", "prior={name: flow, fit: {held_out: 1.0}}", "held_out is 1.0; a share of the codes"),
     ("ptb_vae", "prior={name: flow, fit: {steps: 0}}", "steps is 0; it must be a whole number"),
     ("ptb_vae", "prior={name: flow, fit: {batch_size: 0}}", "batch_size is 0; it must be a whole number"),
     ("ptb_vae", "prior={name: flow, fit: {lr: 0}}", "lr is 0; a learning rate is finite and above 0"),
     ("yelp_vq", "prior.fit.steps=0", "steps is 0; it must be a whole number"),
     ("ptb_vae", "model.prior=flow", r"model.prior=flow is fitted after training: use the section prior: \{name: flow\}"),
     ("ptb_vae", "model.prior=mixture", "model.prior=mixture is fitted after training"),
     ("yelp_vq", "model.prior=codes", "model.prior=codes is fitted after training"),
     ("yelp_vq", "prior.num_beams=5", "a prior is drawn from and never searched"),
     ("yelp_vq", "model.posterior_options.num_codes=1", "num_codes is 1; a codebook has at least 2"),
     ("ptb_vmf", "model.latent_dim=1", "a sphere in one dimension is two points"),
     ("ptb_vae", "objective.kl.weight=-1", "a weight is a finite number and cannot be negative"),
     ("ptb_vae_cyclical", "objective.kl.weight.cycles=0", "cycles=0 must be a whole number from 1"),
     ("ptb_vae_aggressive", "trainer.aggressive=3", "set it to 10 or more, or to 0")],
)  # fmt: skip
def test_configs_that_cannot_work_are_refused_at_once(name, change, message):
    with pytest.raises(ValueError, match=message):
        config(name, change)


def test_a_prior_over_codes_gets_the_sizes_of_the_codebook():
    assert config("yelp_vq")["prior"] == {"name": "codes", "hidden_dim": 128, "layers": 3, "num_codes": 512, "code_dim": 16}


@pytest.fixture(scope="module")
def vamp_run(tmp_path_factory):
    """A tiny VampPrior model, trained for two steps, and the changes that made it."""
    folder = tmp_path_factory.mktemp("vamp")
    (folder / "train.txt").write_text("\n".join(f"{a} {b} ." for a in "uvwxyz" for b in "abcdefgh") + "\n")
    data = f"data={{name: files, train: {folder / 'train.txt'}, valid: {folder / 'train.txt'}, batch_size: 8}}"
    changes = [*TINY, data, "model.prior_options={components: 3, length: 2}", "trainer.max_steps=2", "trainer.device=cpu", "trainer.progress=false", "trainer.precision=fp32"]
    train(config("ptb_vamp_prior", *changes, f"out={folder / 'run'}"))
    return folder / "run" / "model", changes


def run_of(name, folder, *changes):
    """The model of a config, trained for two steps on files of `folder`."""
    (folder / "train.txt").write_text("\n".join(f"{a} {b} ." for a in "uvwxyz" for b in "abcdefgh") + "\n")
    data = f"data={{name: files, train: {folder / 'train.txt'}, valid: {folder / 'train.txt'}, batch_size: 8}}"
    quick = ["trainer.max_steps=2", "trainer.device=cpu", "trainer.progress=false", "trainer.precision=fp32", "card=null"]
    return train(config(name, *TINY, data, *quick, *changes, f"out={folder / 'run'}"))


def test_a_prior_is_fitted_after_training_where_there_was_no_density_before(tmp_path):
    model = run_of("yelp_arae", tmp_path, "prior={name: mixture, components: 2}")
    assert "no density before (generator)" in json.loads((model / "figures.json").read_text())["prior"]
    assert RNNVAE.from_pretrained(model).config.prior == "mixture"


def test_training_goes_on_from_a_model_with_a_fitted_prior(tmp_path):
    """Which is set aside: the run trains under N(0, I)."""
    changes = "prior={name: mixture, components: 2}"
    model = run_of("ptb_vae", tmp_path, changes)
    before = RNNVAE.from_pretrained(model)
    assert before.config.prior == "mixture"
    start = make_model(config("ptb_vae", *TINY, changes, f"init={model}"), SentenceProcessor.from_pretrained(model))
    assert start.config.prior == "standard" and torch.equal(start.head.mean.weight, before.head.mean.weight)


def test_training_goes_on_from_a_model_whose_prior_it_had_learned(vamp_run):
    model, changes = vamp_run
    start = make_model(config("ptb_vamp_prior", *changes, f"init={model}"), SentenceProcessor.from_pretrained(model))
    before = RNNVAE.from_pretrained(model)
    assert all(torch.equal(t, before.state_dict()[n]) for n, t in start.state_dict().items())
    assert start.prior.pseudo_inputs.requires_grad


def test_a_reset_takes_the_learned_prior_unless_it_is_named(vamp_run):
    model, changes = vamp_run
    before, processor = RNNVAE.from_pretrained(model), SentenceProcessor.from_pretrained(model)
    for reset, kept in (("[decoder]", True), ("[decoder,prior]", False)):
        start = make_model(config("ptb_vamp_prior", *changes, f"init={model}", f"reset={reset}"), processor)
        assert torch.equal(start.prior.pseudo_inputs, before.prior.pseudo_inputs) == kept
        assert torch.equal(start.head.mean.weight, before.head.mean.weight) and torch.equal(start.decoder.embed.weight, before.decoder.embed.weight)
        assert not torch.equal(start.decoder.layers[0].weight_ih_l0, before.decoder.layers[0].weight_ih_l0)


def test_another_model_cannot_go_on_without_a_reset(vamp_run):
    model, changes = vamp_run
    with pytest.raises(ValueError, match="is another one than the config's: latent_to_layers: False -> True"):
        make_model(config("ptb_vamp_prior", *changes, f"init={model}", "model.latent_to_layers=true"), SentenceProcessor.from_pretrained(model))


def test_an_empty_reset_takes_all_weights_into_another_config(vamp_run):
    model, changes = vamp_run
    start = make_model(config("ptb_vamp_prior", *changes, f"init={model}", "model.dropout=0.25", "reset=[]"), SentenceProcessor.from_pretrained(model))
    before = RNNVAE.from_pretrained(model)
    assert start.config.dropout == 0.25 != before.config.dropout
    assert all(torch.equal(t, before.state_dict()[n]) for n, t in start.state_dict().items())
