"""Writes the folder of a Space: the page with the packages and models it needs, or its static half.

A Space reads `requirements.txt` and nothing else of a project, and this package is in no registry, so the folder carries it.
"""

import json
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import requires, version
from pathlib import Path

from apps.catalog import ROOT, ZOOS, models
from textae.core.catalog import find_checkpoint
from textae.core.config import choose
from textae.core.files import whole_folder

PACKAGES = ("textae", "vision", "apps")
MARK = "textae-space.json"  # says that a folder is ours to replace
PYTHON = "3.12.12"  # what ZeroGPU runs; the default of Spaces, 3.10, is too old for transformers 5
HARDWARE = {
    "zero-a10g": "a GPU shared for seconds at a time, with free slots",
    "cpu-basic": "two cores",
    "cpu-upgrade": "eight cores",
    "t4-small": "a GPU of its own",
}
NEWEST_TORCH = "<2.12"  # of ZeroGPU
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "zoo", "configs")
TITLE = "textae: walk through the latent space of sentences"

APP = '''"""The page of this Space."""

import os

try:
    import spaces  # before torch, of which ZeroGPU replaces parts
except ImportError:  # not a Space with ZeroGPU
    spaces = None

from apps.demo import build, launch
from apps.shelf import Shelf

MODELS = {models}

# Sentences decode in tens of milliseconds on a CPU; only sampling in bulk is worth a GPU's start.
page = build(Shelf(MODELS, "cpu" if spaces else "auto"), gpu=spaces.GPU if spaces else None)

if __name__ == "__main__":
    host = "0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1"
    launch(page, os.environ.get("GRADIO_SERVER_NAME", host), int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    page.block_thread()
'''

README = """---
title: "{title}"
emoji: 🧭
colorFrom: green
colorTo: blue
{sdk}pinned: false
license: apache-2.0
short_description: Walk through the latent space of sentences
tags:
- autoencoder
- vae
- latent-space
---

# {title}

Written by `textae space build`. {what} The models' own cards say what they were trained on and under which terms.
"""
GRADIO = """sdk: gradio
sdk_version: {gradio}
python_version: {python}
app_file: app.py
suggested_hardware: {hardware}
"""
STATIC = """sdk: static
app_file: index.html
"""


def build(folder: Path, names: Sequence[str] = (), *, hardware: str = "zero-a10g", title: str = TITLE) -> Path:
    """Write a Gradio Space; returns its folder.

    Args:
        folder: New, empty, or a Space that this wrote before, which is replaced.
        names: Models beside the bundled ones: folders, which are copied, and Hub ids, which the Space fetches when it is built.
        hardware: One of `HARDWARE`.
        title: Shown on the Hub.

    Raises:
        ValueError: The folder holds other things, there is no such model or hardware, or the title is none.
        OSError: It cannot be written; what was there before is as it was.
    """
    choose(HARDWARE, hardware, "hardware")
    given = {name: find_checkpoint(name, ZOOS) for name in dict.fromkeys(names)}
    with _new_space(folder, "gradio") as space:
        for package in PACKAGES:
            shutil.copytree(ROOT / package, space / package, ignore=LEFT_OUT)
        for name in models():
            source = find_checkpoint(name, ZOOS)
            shutil.copytree(source, space / source.relative_to(ROOT), ignore=LEFT_OUT)
        opened, hub = [], []
        for name, source in given.items():
            if name in models():
                opened.append(name)
            elif Path(name).exists():
                label = _label(Path(name), opened)
                shutil.copytree(source, space / "models" / label, ignore=LEFT_OUT)
                opened.append(f"models/{label}")
            else:
                hub.append(name)
                opened.append(name)
        (space / "app.py").write_text(APP.replace("{models}", json.dumps(opened)), encoding="utf-8")
        (space / "requirements.txt").write_text(requirements(hardware), encoding="utf-8")
        front = GRADIO.format(gradio=version("gradio"), python=PYTHON, hardware=hardware)
        if hub:
            listed = "".join(f"- {name}\n" for name in hub)
            front += f"models:\n{listed}preload_from_hub:\n{listed}"
        _write_readme(space, front, title, "It runs on a CPU; bulk sampling uses a GPU where there is one.")
        if (ROOT / "LICENSE").is_file():
            shutil.copy(ROOT / "LICENSE", space / "LICENSE")
    return Path(folder)


def build_static(folder: Path, names: Sequence[str] = (), *, title: str = TITLE) -> Path:
    """Write a static Space, which is free for everybody: digits, playground and map, all in the visitor's browser.

    Args and errors as of `build`.
    """
    from apps.shelf import Shelf
    from apps.static_page import write_static

    shelf = Shelf(names, "cpu")
    with _new_space(folder, "static") as space:
        write_static(space, shelf)
        if not (space / "index.html").is_file():
            raise RuntimeError("the static page has no index.html")
        _write_readme(space, STATIC, title, "Everything in it computes in your browser; no server answers.")
    return Path(folder)


def requirements(hardware: str) -> str:
    """The text of `requirements.txt`: what textae needs, but for Gradio, which the Space's `sdk_version` installs."""
    project = ROOT / "pyproject.toml"
    if project.is_file():  # in a checkout, where what was installed may be older
        needed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        needed = [line for line in requires("textae") or [] if "extra ==" not in line]
    lines = [line for line in needed if not line.startswith("gradio")]
    if hardware == "zero-a10g":
        lines = [f"torch>=2.8,{NEWEST_TORCH}" if line.startswith("torch") else line for line in lines]
    return "\n".join(sorted(lines)) + "\n"


def kind_of(folder: Path) -> str:
    """ "gradio" or "static", of a folder that `build` or `build_static` wrote.

    Raises:
        ValueError: It is none.
    """
    mark = Path(folder) / MARK
    if not mark.is_file():
        raise ValueError(f"{str(folder)!r} is no Space of ours: write one with textae space build {folder}")
    return str(json.loads(mark.read_text(encoding="utf-8"))["kind"])


@contextmanager
def _new_space(folder: Path, kind: str) -> Iterator[Path]:
    """A temporary folder that takes `folder`'s place when the block ends well, marked as ours."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file: give a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise ValueError(f"{str(folder)!r} holds other files than a Space: choose a new or empty folder")
    with whole_folder(folder) as space:
        yield space
        (space / MARK).write_text(json.dumps({"kind": kind, "textae": version("textae")}) + "\n", encoding="utf-8")


def _write_readme(space: Path, sdk: str, title: str, what: str) -> None:
    if not title.strip() or any(c in title for c in '"\\\n'):
        raise ValueError("the title must be one line of text without quotes and backslashes")
    (space / "README.md").write_text(README.format(title=title, sdk=sdk, what=what), encoding="utf-8")


def _label(folder: Path, taken: Sequence[str]) -> str:
    """What a copied model is called: its folder's name, of a run's `model` the run's."""
    path = folder.resolve()
    base = path.parent.name if path.name == "model" else path.name
    label, number = base, 2
    while f"models/{label}" in taken:
        label, number = f"{base}-{number}", number + 1
    return label
