"""Finds a checkpoint by bundled name, folder or Hub id. What kinds of models there are, the caller says."""

import json
from collections.abc import Iterable
from pathlib import Path

from textae.core.config import nearest
from textae.core.files import recover

# What is fetched from the Hub: never code, never pickles.
PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.yaml", "README.md"]


def bundled_names(zoo: Path) -> list[str]:
    """Names of the checkpoints in a zoo folder."""
    return sorted(p.name for p in zoo.iterdir() if (p / "config.json").is_file()) if zoo.is_dir() else []


def find_checkpoint(source: str | Path, zoos: list[Path], types: Iterable[str] | None = None) -> Path:
    """The folder of a checkpoint.

    Args:
        source: A bundled name, a folder (of a run or of its model), or a Hub id such as `someone/model`.
        zoos: Folders of bundled checkpoints.
        types: Model types that can be opened; a Hub model of another type is refused before its weights are fetched.

    Raises:
        ValueError: Nothing of that name exists; the message lists the bundled names.
    """
    text = str(source)
    for zoo in zoos:
        if text in bundled_names(zoo):
            return zoo / text
    path = Path(source)
    recover(path)
    recover(path / "model")
    for candidate in (path, path / "model"):
        if (candidate / "config.json").is_file():
            return candidate
    names = [n for zoo in zoos for n in bundled_names(zoo)]
    if path.exists():
        raise ValueError(f"{text!r} holds no model: there is no config.json in it. Bundled models: {', '.join(names)}")
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        return _from_hub(text, names, types)
    raise ValueError(f"there is no model {text!r}: {nearest(text, names)}; or give a folder, or a Hub id such as someone/model")


def _from_hub(repo_id: str, names: list[str], types: Iterable[str] | None) -> Path:
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        kind = model_type(Path(hf_hub_download(repo_id, "config.json")).parent)
        if types is not None and kind not in types:
            raise ValueError(f"{repo_id!r} is a model of type {kind!r}, which cannot be opened here: {nearest(kind, types)}")
        return Path(snapshot_download(repo_id, allow_patterns=PATTERNS, ignore_patterns=["*/*"]))
    except (RepositoryNotFoundError, HFValidationError):
        reason = "the Hub has no such public model"
    except LocalEntryNotFoundError:
        reason = "the Hub cannot be reached and the model is not in the local cache"
    except (HfHubHTTPError, OSError) as error:
        reason = f"the Hub answered: {' '.join(str(error).split())[:200]}"
    raise ValueError(f"could not get {repo_id!r}: {reason}. No folder has that name either. Bundled models: {', '.join(names)}")


def model_type(folder: Path) -> str:
    """The `model_type` in a checkpoint's config, or a ValueError that says what is wrong with it."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{folder / 'config.json'} is not valid JSON: the checkpoint is damaged") from None
    if "model_type" not in content:
        raise ValueError(f"{folder / 'config.json'} names no model_type: it is not a textae checkpoint")
    return str(content["model_type"])
