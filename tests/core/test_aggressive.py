"""Aggressive training: who moves when, when it ends, and that a resumed run goes on as if nothing had been."""

import json
import math

import pytest
import torch

from textae.core import aggressive
from textae.core.aggressive import encoder_parameters, held, held_out_information, train_encoder
from textae.core.options import TrainerOptions

pytestmark = pytest.mark.filterwarnings("ignore:posterior collapse")
QUICK = {"aggressive": 6, "aggressive_window": 2, "epochs": 2, "save_every": 3, "eval_every": 3}


def snapshot(module):
    return {n: p.clone() for n, p in module.named_parameters()}


def test_steps_end_with_the_first_window_that_is_no_better():
    costs = iter([5.0, 5.0, 4.0, 4.0, 4.5, 3.6, 0.0, 0.0])
    assert train_encoder(lambda: (next(costs), 1.0), most=100, window=2) == 6
    assert train_encoder(lambda: (1.0, 1.0), most=100, window=3) == 6
    falling = iter(range(1000, 0, -1))
    assert train_encoder(lambda: (float(next(falling)), 1.0), most=7, window=2) == 7


def test_long_and_short_batches_compare_by_their_tokens():
    steps = iter([(10.0, 10.0), (90.0, 100.0), (1.0, 1.0)])  # 1.0, then 0.9, then 1.0 nats a token
    assert train_encoder(lambda: next(steps), most=10, window=1) == 3


def test_information_is_of_the_whole_split_and_not_of_its_shortest_sentences(processor, new_model, sentences, monkeypatch):
    monkeypatch.setattr(aggressive, "EXAMPLES", 5)
    model, seen = new_model(processor), []
    batches = [processor(sorted(sentences, key=len)[start : start + 4]) for start in range(0, 22, 4)]  # 6 batches, 24 sentences
    encode = model.encode
    model.encode = lambda **batch: seen.append(batch["input_ids"]) or encode(**batch)
    information = held_out_information(model, lambda: iter(batches))
    rows = [batches[i // 4]["input_ids"][i % 4] for i in (0, 4, 9, 14, 19)]
    assert [list(row) for row in torch.nn.utils.rnn.pad_sequence([r for part in seen for r in part], True)] == [list(row) for row in torch.nn.utils.rnn.pad_sequence(rows, True)]
    assert 0 <= information <= math.log(5)
    monkeypatch.setattr(aggressive, "EXAMPLES", 100)
    seen.clear()
    held_out_information(model, lambda: iter(batches))
    assert sum(map(len, seen)) == 24, "all where there are no more"


def test_held_parameters_come_back_as_they_were(processor, new_model):
    model = new_model(processor)
    model.head.mean.weight.requires_grad_(False)
    before = {n: p.requires_grad for n, p in model.named_parameters()}
    with pytest.raises(KeyError), held(model.parameters()):
        assert not any(p.requires_grad for p in model.parameters())
        raise KeyError
    assert {n: p.requires_grad for n, p in model.named_parameters()} == before


def test_encoder_and_decoder_move_each_in_its_turn(new_trainer, tmp_path):
    """An encoder-only step leaves the decoder and its optimizer alone, and the step after it the encoder."""
    trainer = new_trainer(tmp_path, epochs=1, max_steps=1, aggressive=4, aggressive_window=2)
    moved, encoder = [], {id(p) for p in encoder_parameters(trainer.model, trainer.splits)}
    step = trainer.optimizer.step

    def watched():
        before = snapshot(trainer.model)
        step()
        moved.append({id(p) in encoder for n, p in trainer.model.named_parameters() if not torch.equal(p, before[n])})

    trainer.optimizer.step = watched
    trainer.fit()
    assert moved[-1] == {False} and len(moved) >= 5 and all(m == {True} for m in moved[:-1])
    assert all(p.requires_grad for p in trainer.model.parameters())


@pytest.mark.parametrize("climb", [[0.5, 1.0, 0.9, 5.0], [0.5, 1.0, 1.04, 5.0]], ids=["falls", "creeps"])
def test_it_ends_for_good_when_information_stops_climbing(climb, new_trainer, tmp_path, monkeypatch):
    told = iter(climb)
    monkeypatch.setattr("textae.core.trainer.held_out_information", lambda *_: next(told))
    trainer = new_trainer(tmp_path, **{**QUICK, "epochs": 6})
    trainer.fit()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    found = [line.get("mi") for line in lines if line["split"] == "valid"]
    assert found[:3] == climb[:3] and len(found) > 3 and set(found[3:]) == {None}
    assert not trainer.state.aggressive and trainer.state.information == climb[2]


def test_a_resumed_run_equals_the_unbroken_one(new_trainer, tmp_path):
    whole = new_trainer(tmp_path / "whole", **QUICK)
    whole.fit()
    first = new_trainer(tmp_path / "parts", **QUICK)
    original = first.save

    def save():
        original()
        if first.state.step == 6:
            raise KeyboardInterrupt

    first.save = save
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    resumed = new_trainer(tmp_path / "parts", **QUICK)
    resumed.fit(resume=True)
    assert resumed.state.step == whole.state.step and resumed.state.encoder_batch == whole.state.encoder_batch
    assert resumed.state.drawn == whole.state.drawn > 40
    different = [n for n, t in resumed.model.state_dict().items() if not torch.equal(t, whole.model.state_dict()[n])]
    assert not different
    for index, values in resumed.optimizer.state_dict()["state"].items():
        assert all(torch.equal(torch.as_tensor(v), torch.as_tensor(whole.optimizer.state_dict()["state"][index][n])) for n, v in values.items())


@pytest.mark.parametrize(
    "options, message",
    [({"aggressive": -1}, "aggressive is -1"), ({"aggressive": 10}, "set it to 30 or more"), ({"aggressive": 10, "aggressive_window": 0}, "aggressive_window is 0")],
)  # fmt: skip
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        TrainerOptions(**options)


def test_models_and_data_that_cannot_be_trained_so(new_trainer, new_model, processor, tmp_path):
    with pytest.raises(ValueError, match="needs a validation split"):
        new_trainer(tmp_path, valid=False, aggressive=30)
    with pytest.raises(ValueError, match="posterior=point has no density"):
        new_trainer(tmp_path, {"reconstruction": None}, model=new_model(processor, posterior="point"), aggressive=30)
    with pytest.raises(ValueError, match="runs in one process"):
        encoder_parameters(new_model(processor), new_trainer(tmp_path).splits, processes=2)
    model = new_model(processor)
    model.encoder_modules = ()
    with pytest.raises(ValueError, match="does not name its encoder's modules"):
        new_trainer(tmp_path, model=model, aggressive=30)
