"""Readers beside a model: small classifiers that tell methods which value of an attribute a sentence has. No judge lives here.

A folder of a model may hold `readers/NAME/` for each attribute, each a classifier of kind "bag" (`textae.classifiers`).
"""

from collections.abc import Mapping
from pathlib import Path

from textae.classifiers.bag import BagClassifier

FOLDER = "readers"


def save_readers(readers: Mapping[str, BagClassifier], folder: str | Path) -> None:
    """Write readers beside the model in `folder`, each as a whole or not at all.

    Raises:
        ValueError: There is no model in the folder, or a name is no name of an attribute.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ValueError(f"{str(folder)!r} holds no model to put readers beside")
    for name in readers:
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no name of an attribute: letters, digits and underscores")
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, reader in readers.items():
        reader.save(folder / FOLDER / name)


def load_readers(folder: str | Path | None) -> dict[str, BagClassifier]:
    """The readers beside a model, by attribute, sorted; none where there are none.

    Raises:
        ValueError: One is damaged.
    """
    if folder is None or not (Path(folder) / FOLDER).is_dir():
        return {}
    return {path.name: BagClassifier.load(path) for path in sorted((Path(folder) / FOLDER).iterdir()) if path.is_dir() and not path.name.startswith(".")}
