"""Every bundled config trains for two steps on a small set, and what it wrote can be opened and used."""

import numpy as np
import pytest

from apps.catalog import configs, open_space
from apps.modalities import documents, images, of_model, text
from apps.run import train
from apps.settings import resolve
from tests.pretrained_parts import pretrained_folder

PRETRAINED = {"bert": ("bert",), "gpt2": ("gpt2",), "llama": ("llama", "smollm"), "t5": ("t5",)}
SENTENCES = [f"{who} {verb} {what}." for who in ("I", "You", "We", "They", "Anna", "Ben") for verb in ("like", "need", "see", "want")
             for what in ("tea", "the old dog", "a good book", "more rain", "this house", "some bread")]  # fmt: skip


def two_steps(config: dict, tmp_path) -> dict:
    """The config with its own model and objective, on a small set, for two steps."""
    (tmp_path / "train.txt").write_text("\n".join(SENTENCES * 3) + "\n")
    if of_model(config["model"]["name"]) is documents:
        files = {"name": "files", "train": str(tmp_path / "train.txt"), "valid": str(tmp_path / "train.txt")}
        config["data"] = {**files, "group": config["data"].get("group", 1), "batch_size": 10}
        config["vocabulary"] = {**config.get("vocabulary", {}), "min_df": 1, "max_df": 1.0}
        if config.get("pretraining"):
            config["pretraining"]["epochs"] = 1
    elif of_model(config["model"]["name"]) is text:
        kept = {k: v for k, v in config["data"].items() if k in text.DATA_KEYS and k not in ("name", "attributes")}
        config["data"] = {**kept, "name": "files", "train": str(tmp_path / "train.txt"), "valid": str(tmp_path / "train.txt"), "batch_size": 32}
        config["tokenizer"] = {**config.get("tokenizer", {}), "vocab_size": 300}
        for part in ("encoder_id", "decoder_id"):  # tiny folders in the place of the Hub's
            if source := config["model"].get(part):
                kind = next(kind for kind, names in PRETRAINED.items() if any(name in source.lower() for name in names))
                config["model"][part] = str(pretrained_folder(kind, SENTENCES, tmp_path / part))
    else:  # the digits that come with scikit-learn, in the place of MNIST
        faces = config["data"]["name"] == "faces"
        kept = {k: v for k, v in config["data"].items() if k in images.DATA_KEYS and k not in ("name", "batch_size")}
        kept |= {k: min(v, 20) for k, v in kept.items() if k in ("labelled", "labelled_per_batch")}
        config["data"] = {**kept, "name": "digits", "limit": 60, "batch_size": 20}
        if faces:
            config["data"] = {**kept, **colored_files(tmp_path), "batch_size": 4}
        if config.get("pretraining"):
            config["pretraining"]["epochs"] = 1
    config["trainer"] = {**config.get("trainer", {}), "max_steps": 2, "device": "cpu", "progress": False, "log_every": 1, "epochs": 1, "eval_every": 0}
    if config["trainer"].get("aggressive"):
        config["trainer"] |= {"aggressive": 4, "aggressive_window": 2}
    if config.get("init"):  # the model of another config, which is then trained first
        before = next(name for name in configs() if config["init"] == f"runs/{name.split('/')[-1]}/model")
        start = two_steps(resolve(configs()[before], [f"out={tmp_path / 'before'}"]), tmp_path)
        config["init"] = str(train(start))
    if config.get("prior"):
        config["prior"] = {**config["prior"], "fit": {"iterations": 2} if config["prior"]["name"] == "mixture" else {"steps": 2}}
    if config.get("examples"):
        config["examples"] = {"num": 10}
    return config


def colored_files(folder) -> dict:
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "colored.npz", images=pictures)
    return {"name": "files", "train": str(folder / "colored.npz"), "valid": str(folder / "colored.npz")}


@pytest.mark.parametrize("name", configs())
def test_config_trains_and_loads(name, tmp_path):
    config = two_steps(resolve(configs()[name], [f"out={tmp_path / 'run'}"]), tmp_path)
    kind = of_model(config["model"]["name"])
    folder = train(config)
    space = open_space(str(folder), device="cpu")
    if kind is text:
        assert len(space.sample(3, seed=0, max_new_tokens=5)) == 3
        assert space.encode(SENTENCES[:2]).shape == (2, space.latent_dim)
    elif kind is documents:
        assert len(space.sample(3, seed=0, num_words=5)) == 3 and len(space.topics(5)) == space.latent_dim
        assert space.encode(SENTENCES[:2]).shape == (2, space.latent_dim)
    else:
        drawn = space.sample(3, seed=0)
        assert len(drawn) == 3 and drawn[0].dtype == np.uint8 and drawn[0].shape[:2] == (space.model.config.height, space.model.config.width)
        assert space.encode(drawn).shape == (3, space.latent_dim)
    if config.get("examples"):
        assert not set(space.examples) & set(SENTENCES), "nothing of the data is shipped"
    assert (folder / "README.md").read_text().startswith("---\n") and kind.USE.splitlines()[0] in (folder / "README.md").read_text()
    assert not [p for p in folder.rglob("*") if p.suffix in (".pt", ".bin", ".pkl")], "nothing shared is a pickle"


@pytest.mark.parametrize("name", configs())
def test_config_says_what_it_costs(name):
    """The header gives command, hardware, duration and expected numbers."""
    header = [line for line in configs()[name].read_text().splitlines() if line.startswith("#")]
    text = "\n".join(header)
    for word in (f"textae train --config {name}", "Hardware", "Duration", "Expect"):
        assert word in text, f"the header of {name} lacks {word!r}"
