"""Every command and every line of Python that the README shows is run as it stands, shortened where it would take minutes."""

import os
import re
import shlex
import sys

import pytest

from apps import cli
from apps.catalog import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.strip()
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line.startswith("textae ")
]
# What is added to a command so that a test can afford it; the words of the README stay as they are.
SHORTER = {
    "textae train": ["trainer.max_steps=2", "trainer.device=cpu", "tokenizer.vocab_size=300", "data.batch_size=8", "examples.num=5"],
    "textae demo": ["--smoke"],
}
SENTENCES = [f"{who} {verb} {what}." for who in ("I", "You", "We") for verb in ("like", "need") for what in ("tea", "rain", "the dog")]


def run(command: str, capsys, monkeypatch) -> str:
    words = shlex.split(command)
    for start, more in SHORTER.items():
        if command.startswith(start):
            words += more
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert (end.value.code or 0) == 0, said.err
    return said.out


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """A user's folder with the files that the README's commands speak of."""
    for name in ("my.txt", "held-out.txt", "sentences.txt", "reviews.txt"):
        (tmp_path / name).write_text("\n".join(SENTENCES * 2) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


NEEDS_RUNS = ("textae train", "textae configs cp", "textae demo --model runs/", "textae frontier", "textae bench", "textae evaluate --data")
OF_ATTRIBUTES = ("textae attributes", "textae edit", "textae judge", "textae evaluate --edits")
SHORT = [c for c in COMMANDS if not c.startswith(NEEDS_RUNS + OF_ATTRIBUTES)]


@pytest.mark.parametrize("command", SHORT)
def test_command(command, somewhere, capsys, monkeypatch):
    run(command, capsys, monkeypatch)


@pytest.mark.slow
@pytest.mark.data
def test_attributes(somewhere, capsys, monkeypatch, data_folder):
    """The section on attributes, in its order, on a model of two steps."""
    section = README[README.index("**Attributes.**") : README.index("**Posterior collapse**")]
    commands = [line.strip() for line in section.splitlines() if line.startswith("textae ")]
    assert [c.split()[1] for c in commands] == ["label", "train", "attributes", "edit", "edit", "judge", "evaluate"]
    for command in commands:
        said = run(command, capsys, monkeypatch)
    assert "accuracy" in said and "source_accuracy" in said


def test_train_your_own(somewhere, capsys, monkeypatch):
    """The section on training, in its order: copy a config, train, resume, open the page on the result."""
    section = README[README.index("## Train your own") : README.index("An objective is a list of terms")]
    commands = [c for c in COMMANDS if c in section and c.startswith("textae")]
    assert len(commands) >= 4
    for command in commands:
        run(command, capsys, monkeypatch)
    assert (somewhere / "runs" / "mine" / "model" / "model.safetensors").is_file()


def test_measuring_commands_are_offered(capsys, monkeypatch):
    """Commands that take minutes at least name options that exist."""
    for command in COMMANDS:
        if command.startswith(("textae frontier", "textae bench", "textae evaluate --data")):
            monkeypatch.setattr(sys, "argv", [*shlex.split(command)[:2], "--help"])
            with pytest.raises(SystemExit):
                cli.main()
            known = capsys.readouterr().out
            for option in re.findall(r"--[a-z0-9-]+", command):
                assert option in known, f"{command}: there is no {option}"


def test_python_block(somewhere):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README", "exec"), {})


def test_config_block_builds():
    """The README's objective is a real one, with both of its lines that are commented out."""
    from omegaconf import OmegaConf

    from textae.core.objectives import TERMS, Objective

    block = re.search(r"```yaml\n(.*?)```", README, flags=re.DOTALL).group(1)
    text = "\n".join(line.replace("  # latent", "  latent", 1).split("#")[0] for line in block.splitlines())
    Objective.from_config(OmegaConf.to_container(OmegaConf.create(text))["objective"], TERMS)


def test_tree_tells_the_truth():
    """Folders in the README's tree exist."""
    tree = README[README.index("## How it is built") :].split("```")[1]
    for line in tree.strip().splitlines():
        assert (ROOT / line.split()[0]).exists(), line


def test_setup_commands_are_where_ci_looks():
    for mark in ("demo", "tests"):
        assert f"<!-- setup: {mark} -->\n```bash\n" in README
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
