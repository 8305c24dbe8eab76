"""Bundled models: each opens, is as small as promised, and its card says what its files say."""

import re

import pytest

from apps.catalog import ZOOS, open_space
from apps.run import with_use
from textae.core.card import read_figures, render_card
from textae.core.config import read_config

FOLDERS = sorted((path for zoo in ZOOS for path in zoo.iterdir() if (path / "config.json").is_file()), key=lambda p: p.name)
MEGABYTES = {"textae": 12, "vision": 2}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_a_bundled_model_is_what_its_card_says(folder):
    config, figures = read_config(folder / "run.yaml"), read_figures(folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == render_card(with_use(config), figures)
    assert config["card"]["name"] == folder.name and config["card"]["terms"] and config["card"]["limits"]
    assert sum(f.stat().st_size for f in folder.iterdir() if f.is_file()) <= MEGABYTES[folder.parent.parent.name] * 2**20
    assert figures["training"]["command"].startswith("textae train --config ")
    for file in ("README.md", "run.yaml", "figures.json"):
        assert not re.search(r"(^|[\s'\"=])/(work|tmp|home|root)\b", (folder / file).read_text(encoding="utf-8")), f"{file} names a folder of one machine"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_a_bundled_model_opens_by_name_and_answers(folder):
    space = open_space(folder.name)
    if folder.parent.parent.name == "textae":
        said = space.reconstruct(["I was happy to see you.", "The food is good."])
        assert len(said) == 2 and all(s.strip() for s in said)
    else:
        from vision.data.digits import load

        images = load()["test"].images[:2]
        assert len(space.reconstruct(list(images))) == 2


def test_all_of_them_stay_small():
    assert sum(f.stat().st_size for folder in FOLDERS for f in folder.rglob("*") if f.is_file()) <= 30 * 10**6
