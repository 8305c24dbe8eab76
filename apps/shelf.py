"""The models that the page may open: by name, each loaded once and shared by all visitors. Nothing else can be opened from a browser."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from apps.catalog import ZOOS, modality_of, models, open_space
from textae.core.card import read_figures
from textae.core.catalog import find_checkpoint
from textae.core.config import nearest
from textae.core.space import LatentSpace

MODALITY_NAMES = ("text", "images")
DEFAULT = "everyday"


class Shelf:
    """Names of models and, once somebody asks for one, its `LatentSpace`.

    Args:
        more: Folders or Hub ids that whoever serves the page adds to the bundled models; they come first in their modality. Of a
            folder visitors see the last part of its path alone.
        device: "auto", or a torch device name.
        spaces: Spaces that are open already, by name, such as those of a test.
        bundled: Whether the bundled models stand on it.

    Raises:
        ValueError: One of `more` is no model, or one that no tab shows.
    """

    def __init__(
        self, more: Iterable[str] = (), device: str = "auto", spaces: dict[str, LatentSpace] | None = None, bundled: bool = True
    ) -> None:
        self.device = device
        self._open = dict(spaces or {})
        self._lock = threading.Lock()
        self._sources: dict[str, str] = {}  # name → what to open
        given = list(more)
        for source in dict.fromkeys([*given, *([DEFAULT] if bundled else []), *(models() if bundled else [])]):
            self._sources[_label(source, [*self._open, *self._sources])] = source
        opened = {name: modality_name(_module(space)) for name, space in self._open.items()}
        kinds = {name: modality_name(modality_of(source)) for name, source in self._sources.items()}
        for name, kind in kinds.items():
            if kind not in MODALITY_NAMES and self._sources[name] in given:
                raise ValueError(f"{name!r} is a model of {kind}; this page has tabs for models of sentences and of images")
        self._modality = {**opened, **{name: kind for name, kind in kinds.items() if kind in MODALITY_NAMES}}

    def names(self, modality: str) -> list[str]:
        """Models of a modality, "text" or "images", the one to begin with first."""
        return [name for name, kind in self._modality.items() if kind == modality]

    def open(self, name: str, modality: str | None = None) -> LatentSpace:
        """The space of a model on the shelf; loaded at the first call.

        Raises:
            ValueError: The name does not stand here, or it is of another modality.
        """
        known = list(self._modality) if modality is None else self.names(modality)
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"there is no model {str(name)[:80]!r} on this page. {nearest(str(name)[:80], known)}")
        with self._lock:  # two visitors at once load it once
            if name not in self._open:
                space = open_space(self._sources[name], self.device)
                space.name = name
                self._open[name] = space
            return self._open[name]

    def is_open(self, name: str) -> bool:
        """Whether a model is loaded already."""
        return name in self._open

    def folder(self, name: str) -> Path | None:
        """Where a model's files are; None for a space that was given open and never saved."""
        space = self._open.get(name)
        return space.folder if space is not None else find_checkpoint(self._sources[name], ZOOS)

    def summary(self, name: str) -> dict[str, Any]:
        """What is known of a model without loading it: `name`, `modality`, `type`, `latent_dim`, `attributes` that its decoder is
        told with their values, and whether it can `edit`."""
        space, folder = self._open.get(name), self.folder(name)
        if space is not None:
            config = space.model.config.to_dict()
        else:
            assert folder is not None  # a name that is not open was found when the shelf was made
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        told = config.get("attributes") or {} if config.get("conditioned", True) else {}
        fitted = folder is not None and (folder / "attributes.safetensors").is_file()
        return {
            "name": name, "modality": self._modality[name], "type": config["model_type"], "latent_dim": config["latent_dim"],
            "attributes": told, "edits": self._modality[name] == "text" and bool(told or fitted),
        }  # fmt: skip

    def figures(self, name: str) -> dict[str, Any]:
        """Of the model's card; empty where it has none."""
        folder = self.folder(name)
        return {} if folder is None else read_figures(folder)


def _label(source: str, taken: Iterable[str]) -> str:
    """What visitors see of a model: bundled names and Hub ids as they are, of a folder its name alone (of a run's `model` the run's)."""
    label = str(source)
    if label not in models() and Path(label).exists():
        path = Path(label).resolve()
        label = path.parent.name if path.name == "model" else path.name
    base, number, others = label, 2, set(taken) | set(models()) - {str(source)}
    while label in others:
        label, number = f"{base}-{number}", number + 1
    return label


def modality_name(module: ModuleType) -> str:
    """ "text" or "images", of a module of `apps.modalities`."""
    return module.__name__.rpartition(".")[2]


def _module(space: LatentSpace) -> ModuleType:
    from apps.modalities import MODALITIES, modality

    return next(module for module in map(modality, MODALITIES) if isinstance(space, module.space_class()))
