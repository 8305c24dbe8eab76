"""The models that the page may open: by name, each loaded once and shared by all visitors. Nothing else can be opened from a browser."""

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
        more: Folders or Hub ids that whoever serves the page adds to the bundled models; they come first in their modality.
        device: "auto", or a torch device name.
        spaces: Spaces that are open already, by name, such as those of a test.
        bundled: Whether the bundled models stand on it.

    Raises:
        ValueError: One of `more` is no model.
    """

    def __init__(
        self, more: Iterable[str] = (), device: str = "auto", spaces: dict[str, LatentSpace] | None = None, bundled: bool = True
    ) -> None:
        self.device = device
        self._open = dict(spaces or {})
        self._lock = threading.Lock()
        names = dict.fromkeys([*self._open, *more, *([DEFAULT] if bundled else []), *(models() if bundled else [])])
        self._modality = {n: modality_name(_module(self._open[n]) if n in self._open else modality_of(n)) for n in names}

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
                self._open[name] = open_space(name, self.device)
            return self._open[name]

    def is_open(self, name: str) -> bool:
        """Whether a model is loaded already."""
        return name in self._open

    def folder(self, name: str) -> Path | None:
        """Where a model's files are; None for a space that was given open and never saved."""
        space = self._open.get(name)
        return space.folder if space is not None else find_checkpoint(name, ZOOS)

    def figures(self, name: str) -> dict[str, Any]:
        """Of the model's card; empty where it has none."""
        folder = self.folder(name)
        return {} if folder is None else read_figures(folder)


def modality_name(module: ModuleType) -> str:
    """ "text" or "images", of a module of `apps.modalities`."""
    return module.__name__.rpartition(".")[2]


def _module(space: LatentSpace) -> ModuleType:
    from apps.modalities import MODALITIES, modality

    return next(module for module in map(modality, MODALITIES) if isinstance(space, module.space_class()))
