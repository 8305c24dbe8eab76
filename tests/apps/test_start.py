"""What a config may say of priors, and of beginning from a checkpoint: refused before anything is loaded, or done."""

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
     ("yelp_vq", "prior.num_beams=5", "a prior is drawn from and never searched"),
     ("yelp_vq", "model.posterior_options.num_codes=1", "num_codes is 1; a codebook has at least 2"),
     ("ptb_vmf", "model.latent_dim=1", "a sphere in one dimension is two points"),
     ("ptb_vae", "objective.kl.weight=-1", "a weight is a finite number and cannot be negative"),
     ("ptb_vae_cyclical", "objective.kl.weight.cycles=0", "cycles=0 must be at least 1"),
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
