"""The kinds of data behind one command. Each module has the same names; `of_model` chooses by a model's name."""

from importlib import import_module
from types import ModuleType

from textae.core.config import choose

MODALITIES = ("text", "documents", "images")


def modality(name: str) -> ModuleType:
    """The module of a modality; imported when asked for."""
    return import_module(f"apps.modalities.{name}")


def of_model(name: str) -> ModuleType:
    """The modality of a model's name in a config.

    Raises:
        ValueError: No modality has such a model; the message lists all.
    """
    found = {model: name for name in MODALITIES for model in modality(name).MODELS}
    return modality(choose(found, name, "model"))
