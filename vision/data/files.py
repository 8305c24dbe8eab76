"""Splits from a user's files or the Hub: any kind of file by its name, and folders of pictures."""

import difflib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vision.data.arrays import read_idx, read_npz
from vision.data.form import collect, in_order, make_form
from vision.data.images import ImageSet
from vision.data.pixels import SUFFIXES
from vision.data.tables import read_hub, read_parquet

logger = logging.getLogger(__name__)


def read_images(path: str | Path, **options: Any) -> ImageSet:
    """Images of any kind of file, by its name: a folder, `.npz`, `.parquet`, or else idx, possibly `.gz`.

    Args:
        path: The file or folder.
        **options: Those of `Form`, and those of the kind's own reader.

    Raises:
        ValueError: The file is missing, foreign, damaged or holds an image that cannot be taken; the file is named.
    """
    path = Path(path)
    if not path.exists():
        near = difflib.get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [])
        raise ValueError(f"{path} does not exist" + (f"; near it: {', '.join(near)}" if near else ""))
    if path.suffix.lower() in SUFFIXES:
        raise ValueError(f"{path} is a single picture; give the folder that holds the pictures")
    reader = read_folder if path.is_dir() else {".npz": read_npz, ".parquet": read_parquet}.get(path.suffix.lower(), read_idx)
    return reader(path, **options)


def load_files(
    *, train: Any, valid: Any = None, test: Any = None, valid_size: int = 0, seed: int = 0, **options: Any
) -> dict[str, ImageSet]:
    """Splits from files: `train`, and `valid` and `test` where they are given.

    Args:
        train, valid, test: Each a path, or a mapping of `path` and options of this split alone, such as
            `{path: mnist.npz, image_key: x_train, label_key: y_train}`.
        valid_size: Without `valid`: images drawn from the training set, every label in its share; 0 draws none.
        seed: Of that draw.
        **options: Of `read_images`, for every split.
    """
    splits = {}
    for name, given in {"train": train, "valid": valid, "test": test}.items():
        if given is None:
            continue
        given = dict(given) if isinstance(given, Mapping) else {"path": given}
        if "path" not in given:
            raise ValueError(f"{name} has no key 'path'")
        splits[name] = read_images(**{**options, **given})
    return finished(splits, valid_size, seed)


def load_hub(
    *, repo: str, train_split: str = "train", valid_split: str | None = None, test_split: str | None = "test",
    valid_size: int = 0, seed: int = 0, **options: Any,
) -> dict[str, ImageSet]:  # fmt: skip
    """Splits of the Hub's data set `repo`; a split of None is left out.

    Args:
        repo: Its id, such as `ylecun/mnist`.
        train_split, valid_split, test_split: What the set calls them, such as `validation`.
        valid_size: Without `valid_split`: images drawn from the training set, every label in its share; 0 draws none.
        seed: Of that draw.
        **options: Of `read_hub`, for every split.
    """
    names = {"train": train_split, "valid": valid_split, "test": test_split}
    return finished({key: read_hub(repo, split=name, **options) for key, name in names.items() if name is not None}, valid_size, seed)


def finished(splits: dict[str, ImageSet], valid_size: int, seed: int) -> dict[str, ImageSet]:
    """Splits with one list of label names and one size, and a validation split drawn where it is asked for."""
    if valid_size and "valid" in splits:
        raise ValueError("give valid, or valid_size to draw it from the training set, not both")
    if valid_size:
        stays, held = splits["train"].hold_out(valid_size, seed)
        splits = {"train": stays, "valid": held, **{n: s for n, s in splits.items() if n != "train"}}
    for name, split in splits.items():
        if split.images.shape[1:] != splits["train"].images.shape[1:]:
            raise ValueError(f"the images of {name} are {split.size}, those of train {splits['train'].size}: set size and channels to bring all to one form")
    names = in_order({name for split in splits.values() for name in split.label_names})
    if all(split.label_names in ([], splits["train"].label_names) for split in splits.values()):
        names = splits["train"].label_names  # a given order is kept
    return {name: split.relabelled(names) for name, split in splits.items()}


def read_folder(path: str | Path, **form: Any) -> ImageSet:
    """Pictures in a folder, in the order of their names; or in one subfolder for each label.

    Hidden files are passed over; other files that are no pictures are passed over and counted in the log. With
    subfolders, `limit` takes every label in its share.

    Args:
        path: The folder.
        **form: Of `Form`.
    """
    path, form = Path(path), make_form(form, "read_folder")
    files, others = _pictures(path)
    classes = {folder.name: _pictures(folder, deep=True) for folder in sorted(path.iterdir()) if folder.is_dir() and folder.name[0] != "."}
    classes = {name: found for name, found in classes.items() if found[0] or found[1]}
    others += sum(found[1] for found in classes.values())
    classes = {name: found[0] for name, found in classes.items() if found[0]}
    if files and classes:
        raise ValueError(f"{path} holds pictures ({files[0].name}) and folders of pictures ({next(iter(classes))}): the labels are unclear; move one or the other")
    if others:
        logger.warning("%s: passed over %d files that are no pictures (%s)", path, others, " ".join(SUFFIXES))
    if not files and not classes:
        raise ValueError(f"{path} holds no pictures ({' '.join(SUFFIXES)})")
    names = in_order(classes)
    pairs = [(file, name) for name in names for file in classes[name]] if classes else [(file, None) for file in files]
    if classes and form.limit and form.limit < len(pairs):  # the first ones would be of one label
        pairs = [pairs[int((i + 0.5) * len(pairs) / form.limit)] for i in range(form.limit)]
    labels = [name for _, name in pairs] if classes else None
    return collect(((str(file), file) for file, _ in pairs), labels, form, str(path), names or None)


def _pictures(folder: Path, deep: bool = False) -> tuple[list[Path], int]:
    """Picture files of a folder in the order of their names, and how many others there are; hidden ones do not count."""
    files = [f for f in (folder.rglob("*") if deep else folder.iterdir()) if f.is_file() and f.name[0] != "."]
    pictures = sorted(f for f in files if f.suffix.lower() in SUFFIXES)
    return pictures, len(files) - len(pictures)


def local_file(folder: str, name: str, instead: str) -> Path:
    """`$TEXTAE_DATA/folder/name`, or an error that says what to do `instead` of having it."""
    root = os.environ.get("TEXTAE_DATA")
    if not root:
        raise ValueError(f"set the environment variable TEXTAE_DATA to the folder that holds {folder}/{name}; {instead}")
    path = Path(root, folder, name)
    if not path.is_file():
        raise ValueError(f"TEXTAE_DATA is {root}, which has no {folder}/{name}; {instead}")
    return path
