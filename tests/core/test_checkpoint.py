"""Resumable states: whole or refused, and never lost between two renames."""

import pytest
import torch

from textae.core.checkpoint import RunState, latest_state, load_state, save_state


@pytest.fixture
def parts():
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return module, optimizer


def save(folder, parts, step=4, keep=2, **config):
    save_state(folder, *parts, RunState(step=step, best=1.5), {"trainer": {"lr": 0.1, **config}}, None, keep)


def fresh():
    module = torch.nn.Linear(3, 2)
    return module, torch.optim.AdamW(module.parameters(), lr=0.1)


def test_a_state_comes_back_bit_for_bit(parts, tmp_path):
    save(tmp_path, parts)
    module, optimizer = fresh()
    state = load_state(latest_state(tmp_path), module, optimizer, {"trainer": {"lr": 0.1}}, None)
    assert state == RunState(step=4, best=1.5)
    for name, tensor in parts[0].state_dict().items():
        assert torch.equal(module.state_dict()[name], tensor)
    for index, values in parts[1].state_dict()["state"].items():
        for name, value in values.items():
            assert torch.equal(torch.as_tensor(optimizer.state_dict()["state"][index][name]), torch.as_tensor(value))


def test_infinities_survive(parts, tmp_path):
    save_state(tmp_path, *parts, RunState(step=1), {}, None, 1)
    assert load_state(latest_state(tmp_path), *fresh(), {}, None).best == float("inf")


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_damage_is_said_and_how_to_go_on(parts, tmp_path, name):
    save(tmp_path, parts)
    path = latest_state(tmp_path) / name
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="the state in .* is damaged .*; delete it to resume from the one before"):
        load_state(latest_state(tmp_path), *fresh(), {"trainer": {"lr": 0.1}}, None)


def test_the_newest_by_number_not_by_name(parts, tmp_path):
    for step in (9, 10, 100):
        save(tmp_path, parts, step, keep=5)
    assert latest_state(tmp_path).name == "step-00000100"


def test_a_state_that_was_being_replaced_is_recovered(parts, tmp_path):
    """The last step is saved twice (before and after the final validation); a kill between the renames must not lose it."""
    save(tmp_path, parts, keep=1)
    (tmp_path / "step-00000004").rename(tmp_path / ".step-00000004.old")
    assert latest_state(tmp_path).name == "step-00000004"


def test_changed_keys_are_listed_and_free_ones_are_free(parts, tmp_path):
    save(tmp_path, parts, keep_=1, keep=2)
    with pytest.raises(ValueError, match="trainer.lr: 0.1 -> 0.2"):
        load_state(latest_state(tmp_path), *fresh(), {"trainer": {"lr": 0.2, "keep_": 1}}, None)
    load_state(latest_state(tmp_path), *fresh(), {"trainer": {"lr": 0.1, "keep_": 1, "keep": 5}, "out": "elsewhere"}, None)
    with pytest.raises(ValueError, match="outer: unset -> 1"):  # only `out` is free, not all that begins with it
        load_state(latest_state(tmp_path), *fresh(), {"trainer": {"lr": 0.1, "keep_": 1}, "outer": 1}, None)
