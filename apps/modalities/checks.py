"""Checks and look-ups that configs of both modalities share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def init_folder(config: Mapping[str, Any], zoo: Path) -> Path:
    """The folder of the checkpoint that `init` names."""
    from textae.core.catalog import find_checkpoint

    return find_checkpoint(config["init"], [zoo])


def number(
    section: Mapping[str, Any], key: str, default: float, *, least: float, most: float | None = None, whole: bool = False, where: str = "data"
) -> None:
    """Raise a ValueError unless `section[key]` is a number within its limits."""
    value = section.get(key, default)
    kinds = int if whole else (int, float)
    if value is None or isinstance(value, bool) or not isinstance(value, kinds) or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{where}.{key} is {value!r}; it must be a {'whole ' if whole else ''}number {limits}")
