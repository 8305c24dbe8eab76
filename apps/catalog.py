"""Joins the tables of both packages: what a name on the command line or in a config stands for."""

from pathlib import Path
from types import ModuleType

from apps.modalities import MODALITIES, modality
from textae.core.catalog import bundled_names, find_checkpoint, model_type
from textae.core.config import nearest

ROOT = Path(__file__).resolve().parents[1]
ZOOS = [ROOT / "textae" / "zoo", ROOT / "vision" / "zoo"]
CONFIGS = ROOT / "configs"


def models() -> list[str]:
    """Bundled models."""
    return [name for zoo in ZOOS for name in bundled_names(zoo)]


def open_space(source: str = "everyday", device: str = "auto"):
    """The `LatentSpace` of a bundled name, folder or Hub id, whatever its modality.

    Args:
        source: What to open.
        device: "auto" takes a GPU where there is one; any torch device name else.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"the device {device!r} cannot be used: {str(error).splitlines()[0]}") from None
    kind, folder = _kind_and_folder(source)
    space = kind.space_class().from_pretrained(folder, device=device)
    space.name = str(source)
    return space


def modality_of(source: str) -> ModuleType:
    """The module of `apps.modalities` that a bundled name, folder or Hub id belongs to."""
    return _kind_and_folder(source)[0]


def _kind_and_folder(source: str) -> tuple[ModuleType, Path]:
    kinds = {kind.model_classes(name)[0].model_type: kind for kind in map(modality, MODALITIES) for name in kind.MODELS}
    folder = find_checkpoint(source, ZOOS, kinds)
    found = model_type(folder)
    if found not in kinds:
        raise ValueError(f"{source!r} is a model of type {found!r}: {nearest(found, kinds)}")
    return kinds[found], folder


def configs() -> dict[str, Path]:
    """Bundled configs by name, such as `text/tatoeba_lstm_vae`."""
    folder = config_folder()
    return {str(p.relative_to(folder).with_suffix("")): p for p in sorted(folder.rglob("*.yaml"))}


def config_folder() -> Path:
    """Where the bundled configs are: in the repository, or inside the installed package."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else CONFIGS


def find_config(name: str) -> Path:
    """A config by path or bundled name.

    Raises:
        ValueError: Neither exists; the message gives the nearest bundled name.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = configs()
    for candidate in (name, name.removesuffix(".yaml"), name.removeprefix("configs/").removesuffix(".yaml")):
        if candidate in known:
            return known[candidate]
    raise ValueError(f"there is no config {name!r}, as a file or bundled: {nearest(name, known)}")
