"""What a run on images needs beside the core: its data and pretraining, and the checks of what a config says of them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.modalities.checks import number
from textae.core.config import arguments, call, check_keys, choose
from vision.models import MODELS, model_classes

logger = logging.getLogger(__name__)

__all__ = ["MODELS", "SECTIONS", "USE", "ZOO", "as_trained", "check", "finish", "fit", "judge", "load", "model_classes", "model_settings", "prepare", "read_set", "read_split", "space_class", "terms"]

ZOO = Path(__file__).resolve().parents[2] / "vision" / "zoo"
USE = """from vision import LatentSpace

space = LatentSpace.from_pretrained("{name}")
images = space.sample(16, seed=0)  # uint8 arrays
space.reconstruct(images[0])"""
PROBE_IMAGES = 10_000
HISTORY_IMAGES = 300
SECTIONS = ("pretraining", "history")  # beside those of every config
# What the section `data` says itself; the rest goes to the data set.
BATCH_KEYS = ("attribute_drop", "binarize", "labelled", "labelled_per_batch")
DATA_KEYS = ("name", "batch_size", "labels", "corruption", "transforms", "augmentation", "valid_limit", *BATCH_KEYS)


def terms() -> Mapping[str, type]:
    """Terms that an objective may list."""
    from vision.objectives import TERMS

    return TERMS


def space_class() -> type:
    """The `LatentSpace` of this modality."""
    from vision.space import LatentSpace

    return LatentSpace


def check(config: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first key or value of the sections `data` and `pretraining` that cannot be."""
    from vision.data import DATASETS
    from vision.data.batching import BINARIZATIONS

    data = config["data"]
    load_set = choose(DATASETS, data["name"], "data set")
    own = ["label_names"]  # follow from the set itself
    check_keys(data, [*DATA_KEYS, *(k for k in arguments(load_set) if k not in own), *_reader_options(load_set)], "data")
    for name, parameter in arguments(load_set).items():
        if parameter.default is parameter.empty and data.get(name) is None:
            raise ValueError(f"the data set {data['name']!r} needs data.{name}")
    number(data, "batch_size", 1, least=1, whole=True)
    number(data, "attribute_drop", 0.0, least=0, most=1)
    for key in ("labelled", "labelled_per_batch", "valid_limit"):
        if data.get(key) is not None:
            number(data, key, 1, least=1, whole=True)
    if not isinstance(data.get("labels", False), bool):
        raise ValueError(f"data.labels is {data['labels']!r}; it is true or false")
    if not data.get("labels") and any(data.get(k) for k in ("labelled", "labelled_per_batch", "attribute_drop")):
        raise ValueError("data.labelled, data.labelled_per_batch and data.attribute_drop are about labels: set data.labels=true")
    if data.get("binarize") is not None:
        choose(dict.fromkeys(BINARIZATIONS), data["binarize"], "data.binarize")
    _noise(data)
    if config.get("pretraining"):
        _pretraining(config["pretraining"])
    check_keys(config.get("history", {}), ["num"], "history")
    number(config.get("history", {}), "num", HISTORY_IMAGES, least=1, whole=True, where="history")


def _reader_options(load_set: Any) -> list[str]:
    """Options that a data set of the user's own files passes on to whatever reads them."""
    from vision.data.arrays import read_idx, read_npz
    from vision.data.files import load_files, load_hub, read_folder
    from vision.data.form import Form
    from vision.data.tables import read_hub, read_parquet

    readers = {load_files: [read_folder, read_idx, read_npz, read_parquet, Form], load_hub: [read_hub, Form]}.get(load_set, [])
    return [name for reader in readers for name in arguments(reader) if name not in ("path", "repo", "split", "form")]


def _noise(data: Mapping[str, Any]) -> dict[str, Any]:
    from vision.data.corruption import Corruption
    from vision.data.transforms import Transforms

    kinds = {"corruption": Corruption, "transforms": Transforms, "augmentation": Corruption}
    return {key: kind.from_config(data[key], where=f"data.{key}") for key, kind in kinds.items() if data.get(key) is not None}


def _pretraining(spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    from dataclasses import fields

    from vision.pretraining import PRETRAINING

    options = dict(spec)
    kind = options.pop("kind", None)
    options_class, _, fixed = choose(PRETRAINING, kind, "pretraining.kind")
    check_keys(options, [f.name for f in fields(options_class) if f.name not in fixed], "pretraining")
    call(options_class, {**options, **fixed}, where="pretraining")
    return kind, options


def load(config: Mapping[str, Any], seed: int, kept: Path | None = None) -> tuple[Any, Any]:
    """The splits of a config as batches, and the processor (from `kept`, a processor's folder, where it is given)."""
    from textae.core.data import Splits
    from vision.data import DATASETS
    from vision.data.batching import in_memory
    from vision.data.processor import ImageProcessor

    data = config["data"]
    sets = DATASETS[data["name"]](**{k: v for k, v in data.items() if k not in DATA_KEYS})
    if kept is not None:
        processor = ImageProcessor.from_pretrained(kept)
    else:
        processor = ImageProcessor.of(sets["train"], labels=data.get("labels", False))
    noise = _noise(data)
    augmentation = noise.pop("augmentation", None)  # in training alone
    shared = {"batch_size": data.get("batch_size", 100), "seed": seed, "binarize": data.get("binarize"), **noise}
    own = {key: data[key] for key in BATCH_KEYS if key != "binarize" and data.get(key)}
    train, valid = in_memory(sets["train"], processor, **shared, **own, augmentation=augmentation, name="train"), None
    if sets.get("valid") is not None:
        valid = in_memory(sets["valid"].limit(data.get("valid_limit")), processor, **shared, shuffle=False, name="valid")
    return Splits(train, valid), processor


def read_split(name: str, split: str) -> tuple[list[Any], list[dict[str, str]], str]:
    """The images of a named data set's split, arrays; their labels as attributes; and its name in words."""
    found = read_set(name, split)
    labels = [] if found.labels is None else found.labels.tolist()
    rows = [{"label": found.label_names[i]} if i >= 0 else {} for i in labels] or [{}] * len(found)
    return list(found.images), rows, f"{name}, split {split} ({len(found):,} images)"


def read_set(name: str, split: str, **options: Any) -> Any:
    """A split of a named data set with its labels: an `ImageSet`."""
    from vision.data import DATASETS

    return choose(choose(DATASETS, name, "data set")(**options), split, f"split of {name}")


def as_trained(space: Any, examples: list[Any], rows: Any, seed: int) -> tuple[list[Any], Any, str]:
    """Images of a named set as the model's own run made them, binarized where it did, and that in words."""
    import numpy as np

    from textae.core.config import read_config

    run = space.folder / "run.yaml"
    binarize = read_config(run)["data"].get("binarize") if run.is_file() else None
    if binarize is None:
        return examples, rows, ""
    pixels = np.stack(examples)
    level = 127.5 if binarize == "threshold" else np.random.default_rng(seed).random(pixels.shape) * 255
    return list(np.where(pixels > level, np.uint8(255), np.uint8(0))), rows, f", {'dynamically binarized' if binarize == 'dynamic' else 'binarized'}"


def judge(space: Any, name: str, examples: list[Any], num_samples: int, seed: int) -> dict[str, Any]:
    """Figures that need the labels of the data set: what classifiers on the code learn from 10,000 training images.

    Of a model with categories also the accuracy of those: each stands for the label of the validation image that it is surest
    of (Makhzani et al. 2016, sec. 6).
    """
    from vision.data import DATASETS
    from vision.metrics import cluster_labels, knn_probe, logistic_probe

    sets = DATASETS[name]()
    train = sets["train"].limit(PROBE_IMAGES)
    test = next((s for s in sets.values() if len(s) == len(examples) and (s.images == examples).all()), None)
    if train.labels is None or test is None:
        return {}
    codes, test_codes = space.encode(list(train.images)).numpy(), space.encode(examples).numpy()
    figures = {
        "knn_accuracy": 100 * knn_probe(codes, train.labels, test_codes, test.labels),
        "logistic_accuracy": 100 * logistic_probe(codes, train.labels, test_codes, test.labels),
    }
    num, valid = space.model.config.categories, sets.get("valid")
    if num and valid is not None and valid is not test:
        heads = cluster_labels(space.encode(list(valid.images)).numpy()[:, :num], valid.labels)
        figures["category_accuracy"] = 100 * float((heads[test_codes[:, :num].argmax(1)] == test.labels).mean())
    return figures


def model_settings(config: Mapping[str, Any], processor: Any) -> dict[str, Any]:
    """The model's settings that follow from the data: the images' shape and the labels."""
    return {"channels": processor.channels, "height": processor.height, "width": processor.width, "attributes": processor.attributes}


def prepare(model: Any, config: Mapping[str, Any], splits: Any) -> None:
    """Pretrain a fresh model layer by layer, where the config asks for it."""
    if not config.get("pretraining"):
        return
    import torch

    from vision.pretraining import pretrain

    kind, options = _pretraining(config["pretraining"])
    pixels = torch.cat([batch["targets"] for batch in splits.train.clean().epoch(0)])
    pretrain(model, pixels, kind, config.get("trainer", {}).get("seed", 0), **options)


def fit(trainer: Any, config: Mapping[str, Any]) -> None:
    """Train from the start; with `history.num`, look at so many images before every epoch, for the slider of `textae view`."""
    if not config.get("history"):
        trainer.fit()
        return
    import torch

    from vision.view.history import film

    watched = (trainer.splits.valid or trainer.splits.train).clean()
    num, seen = config["history"].get("num", HISTORY_IMAGES), []
    for batch in watched.epoch(0):
        seen.append(batch)
        if sum(len(b["targets"]) for b in seen) >= num:
            break
    batch = {name: torch.cat([b[name] for b in seen])[:num].to(trainer.accelerator.device) for name in seen[0]}
    film(trainer, batch, batch["attributes"][:, 0].cpu() if "attributes" in batch else None)


def finish(folder: Path, config: Mapping[str, Any]) -> None:
    """What a finished model gets beside its prior: nothing."""
