"""Every bundled config trains for two steps on a small file, and what it wrote can be opened and used."""

import pytest

from apps.catalog import configs, open_space
from apps.run import train
from apps.modalities.text import DATA_KEYS
from apps.settings import resolve

SENTENCES = [f"{who} {verb} {what}." for who in ("I", "You", "We", "They", "Anna", "Ben") for verb in ("like", "need", "see", "want")
             for what in ("tea", "the old dog", "a good book", "more rain", "this house", "some bread")]  # fmt: skip


def two_steps(config: dict, tmp_path) -> dict:
    """The config with its own model and objective, on a small file, for two steps."""
    (tmp_path / "train.txt").write_text("\n".join(SENTENCES * 3) + "\n")
    kept = {k: v for k, v in config["data"].items() if k in DATA_KEYS and k not in ("name", "attributes")}
    config["data"] = {**kept, "name": "files", "train": str(tmp_path / "train.txt"), "valid": str(tmp_path / "train.txt"), "batch_size": 32}
    config["tokenizer"] = {**config.get("tokenizer", {}), "vocab_size": 300}
    config["trainer"] = {**config.get("trainer", {}), "max_steps": 2, "device": "cpu", "progress": False, "log_every": 1, "epochs": 1}
    if config.get("prior"):
        config["prior"] = {**config["prior"], "fit": {"steps": 2} if config["prior"]["name"] == "flow" else {"iterations": 2}}
    if config.get("examples"):
        config["examples"] = {"num": 10}
    return config


@pytest.mark.parametrize("name", configs())
def test_config_trains_and_loads(name, tmp_path):
    config = two_steps(resolve(configs()[name], [f"out={tmp_path / 'run'}"]), tmp_path)
    folder = train(config)
    space = open_space(str(folder), device="cpu")
    assert len(space.sample(3, seed=0, max_new_tokens=5)) == 3
    assert space.encode(SENTENCES[:2]).shape == (2, space.latent_dim)
    if config.get("examples"):
        assert not set(space.examples) & set(SENTENCES), "nothing of the data is shipped"
    assert (folder / "README.md").read_text().startswith("---\n")
    assert not [p for p in folder.rglob("*") if p.suffix in (".pt", ".bin", ".pkl")], "nothing shared is a pickle"


@pytest.mark.parametrize("name", configs())
def test_config_says_what_it_costs(name):
    """The header gives command, hardware, duration and expected numbers."""
    header = [line for line in configs()[name].read_text().splitlines() if line.startswith("#")]
    text = "\n".join(header)
    for word in (f"textae train --config {name}", "Hardware", "Duration", "Expect"):
        assert word in text, f"the header of {name} lacks {word!r}"
