"""What a config cannot say is refused before anything is loaded; what only data and model can tell, before anything is fetched or trained."""

import json

import pytest

from apps import run
from apps.run import train
from apps.settings import resolve

LINES = [f"{who} {verb} {what}." for who in ("I", "You", "We", "They") for verb in ("like", "need", "see", "want") for what in ("tea", "rain")]


@pytest.fixture
def place(tmp_path):
    """A config that trains in a second: overrides are given as by hand."""
    (tmp_path / "text.txt").write_text("\n".join(LINES * 3) + "\n")
    (tmp_path / "config.yaml").write_text(f"""\
model: {{name: rnn, embedding_dim: 8, hidden_dim: 8, encoder_hidden_dim: 8, latent_dim: 3}}
tokenizer: {{kind: word, vocab_size: 100}}
data: {{name: files, train: {tmp_path / "text.txt"}, valid: {tmp_path / "text.txt"}, batch_size: 16}}
objective: {{reconstruction: , kl: 0.1}}
trainer: {{max_steps: 2, lr: 1e-2, device: cpu, progress: false}}
out: {tmp_path / "run"}
""")
    return tmp_path


@pytest.mark.parametrize(
    "override, message",
    [("trainer.final_lr=-3", "final_lr is -3; it is a share of trainer.lr, from 0 to 1"), ("trainer.final_lr=.nan", "final_lr is nan; it must be finite"),
     ("trainer.lr=.inf", "lr is inf; it must be finite"), ("trainer.clip=.nan", "clip is nan"), ("trainer.seed=-1", "seed is -1; it cannot be negative"),
     ("model.embedding_std=.nan", "embedding_std is nan; it must be finite"), ("model.forget_bias=.inf", "forget_bias is inf"),
     ("examples.num=0", "examples.num is 0; it must be a whole number of at least 1"), ("examples.num=abc", "examples.num is 'abc'"), ("examples.seed=abc", "examples.seed is 'abc'"),
     ("prior={name: mixture, components: 250000}", "components"),
     ("model={name: rnn, latent_dim: 4, prior: vamp, prior_options: {width: 7}}", "leave prior_options.width out"),
     ("objective={mmd: 10}", None), ("model.posterior_options={mean_scale: 0.6}", None)],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_the_config_alone(place, override, message):
    alone = ["data.batch_size=1"] if message is None else []
    resolve(place / "config.yaml", [override] if message is None else [])
    with pytest.raises(ValueError, match=message or "compare the examples of a batch, and data.batch_size is 1"):
        resolve(place / "config.yaml", [override, *alone])


@pytest.mark.parametrize("override, message", [("objective.bag_of_words=1", "no code: leave out objective.bag_of_words"), ("data.corruption={drop: 0.1}", "no encoder"), ("prior={name: mixture}", "prior")])
def test_a_language_model_is_asked_for_nothing_that_it_lacks(place, override, message):
    lm = ["model={name: lm, embedding_dim: 8, hidden_dim: 8}", "objective=null", "objective={reconstruction: }"]
    resolve(place / "config.yaml", lm)
    with pytest.raises(ValueError, match=message):
        resolve(place / "config.yaml", [*lm, override])


@pytest.mark.parametrize(
    "overrides, message",
    [(["model.posterior=point"], "a point posterior has no KL"), (["trainer.aggressive=30", "data.valid=null"], "aggressive needs a validation split"),
     (["prior={name: mixture, components: 150}"], "components"), (["tokenizer.min_frequency=99999"], "no word of the text occurs 99999 times"),
     (["model={name: transformer, hidden_dim: 8, num_heads: 2, positions: learned, num_positions: 40}"], "num_positions=65, model.positions=rotary"),
     (["model.posterior=vmf", "model.posterior_options={kappa: 20}", "objective.kl={free_bits: 4, free_bits_per: batch}"], "fixed posterior_options.kappa makes the KL a constant"),
     (["model.posterior=vmf", "model.posterior_options={kappa: 20}", "objective.kl={weight: {schedule: pi, target: 4}}"], "fixed posterior_options.kappa"),
     (["trainer.patience=2", "data.valid=null"], "patience counts validations, and there is no validation split")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_weights_are_fetched_or_a_step_is_made(place, monkeypatch, overrides, message):
    fetched = []
    monkeypatch.setattr("apps.modalities.text.prepare", lambda *_: fetched.append(1))
    config = resolve(place / "config.yaml", overrides)
    with pytest.raises(ValueError, match=message):
        train(config)
    assert not (place / "run" / "log.jsonl").exists() and (not fetched or "patience" in message)


def test_the_whole_runs_steps_stand_beside_those_of_the_kept_weights(place, monkeypatch):
    """The validation after a step of an infinitely worse model is not the best."""
    config = resolve(place / "config.yaml", ["trainer.max_steps=6", "trainer.eval_every=1", "trainer.lr=3.0", "trainer.clip=0"])
    train(config)
    losses = [json.loads(line)["loss"] for line in (place / "run" / "log.jsonl").read_text().splitlines() if '"valid"' in line]
    best = losses.index(min(losses)) + 1
    assert best < 6, "the test needs a run whose best weights are not its last"
    training = json.loads((place / "run" / "model" / "figures.json").read_text())["training"]
    assert training["step"] == best and training["updates"] == 6
    assert "- Optimizer steps: 6\n" in (place / "run" / "model" / "README.md").read_text()


def test_checking_draws_nothing(place):
    """A run begins with the same weights whether its objective has networks of its own to be tried on the model or not."""
    import torch

    config = resolve(place / "config.yaml", ["objective={latent_adversary: 1}"])
    options = config["trainer"]
    kind = run.of_model("rnn")
    splits, processor = kind.load(config, 0)
    model = run.make_model(config, processor)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    run.check_fit(config, model, splits, type("Options", (), {"aggressive": 0, **options}), kind)
    assert torch.equal(torch.rand(2), expected)
