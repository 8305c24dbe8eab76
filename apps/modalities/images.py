"""What a run on images needs beside the core: its data and pretraining, and the checks of what a config says of them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.modalities.checks import number
from textae.core.config import arguments, call, check_keys, choose
from vision.models import MODELS, model_classes

logger = logging.getLogger(__name__)

__all__ = ["MODELS", "SECTIONS", "ZOO", "check", "finish", "load", "model_classes", "model_settings", "prepare", "space_class", "terms"]

ZOO = Path(__file__).resolve().parents[2] / "vision" / "zoo"
SECTIONS = ("pretraining",)  # beside those of every config
# What the section `data` says itself; the rest goes to the data set.
DATA_KEYS = (
    "name", "batch_size", "attributes", "attribute_drop", "corruption", "transforms", "binarize", "labelled", "labelled_per_batch", "size", "valid_limit",
)  # fmt: skip
BINARIZE = ("dynamic", "threshold")


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
    from vision.data.corruption import build_corruption
    from vision.data.transforms import build_transforms

    data = config["data"]
    load_set = choose(DATASETS, data["name"], "data set")
    check_keys(data, [*DATA_KEYS, *arguments(load_set)], "data")
    for name, parameter in arguments(load_set).items():
        if parameter.default is parameter.empty and data.get(name) is None:
            raise ValueError(f"the data set {data['name']!r} needs data.{name}")
    number(data, "batch_size", 1, least=1, whole=True)
    number(data, "attribute_drop", 0.0, least=0, most=1)
    for key in ("labelled", "labelled_per_batch", "valid_limit"):
        number(data, key, 1, least=0, whole=True)
    if data.get("binarize") is not None:
        choose(dict.fromkeys(BINARIZE), data["binarize"], "data.binarize")
    build_corruption(data.get("corruption"))
    build_transforms(data.get("transforms"))
    if pretraining := config.get("pretraining"):
        from vision.pretraining import PRETRAINING

        options = {k: v for k, v in pretraining.items() if k != "kind"}
        call(choose(PRETRAINING, pretraining.get("kind"), "pretraining.kind"), options, where="pretraining")


def load(config: Mapping[str, Any], seed: int, kept: Path | None = None) -> tuple[Any, Any]:
    """The splits of a config as batches, and the processor (from `kept`, a processor's folder, where it is given)."""
    from textae.core.data import Splits
    from vision.data import DATASETS
    from vision.data.batching import in_memory
    from vision.data.corruption import build_corruption
    from vision.data.processor import ImageProcessor
    from vision.data.transforms import build_transforms

    data = config["data"]
    sets = DATASETS[data["name"]](**{k: v for k, v in data.items() if k not in DATA_KEYS})
    train, valid = sets["train"], sets.get("valid")
    if kept is not None:
        processor = ImageProcessor.from_pretrained(kept)
    else:
        height, width, channels = train.images.shape[1:]
        attributes = {"label": train.label_names} if data.get("attributes") else {}
        processor = ImageProcessor(channels=channels, height=height, width=width, attributes=attributes)
    shared = {
        "batch_size": data.get("batch_size", 100), "seed": seed, "binarize": data.get("binarize"),
        "corruption": build_corruption(data.get("corruption")), "transforms": build_transforms(data.get("transforms")),
    }  # fmt: skip
    noise = {"attribute_drop": data.get("attribute_drop", 0.0)}
    for key in ("labelled", "labelled_per_batch"):
        if data.get(key):
            noise[key] = data[key]
    splits = Splits(in_memory(train, processor, **shared, **noise))
    if valid is not None:
        splits = Splits(splits.train, in_memory(valid.limit(data.get("valid_limit")), processor, **shared, shuffle=False))
    return splits, processor


def model_settings(config: Mapping[str, Any], processor: Any) -> dict[str, Any]:
    """The model's settings that follow from the data: the images' shape, and the classes it is conditioned on.

    A model with categories predicts the label and is not told it.
    """
    settings = {"channels": processor.channels, "height": processor.height, "width": processor.width}
    if not config["model"].get("categories"):
        settings["attributes"] = processor.attributes
    return settings


def prepare(model: Any, config: Mapping[str, Any], splits: Any) -> None:
    """Pretrain a fresh model layer by layer, where the config asks for it."""
    spec = config.get("pretraining")
    if not spec:
        return
    import torch

    from vision.pretraining import pretrain

    pixels = torch.cat([batch["targets"] for batch in splits.train.clean().epoch(0)])
    pretrain(model, pixels, seed=config.get("trainer", {}).get("seed", 0), **spec)


def finish(folder: Path, config: Mapping[str, Any]) -> None:
    """What a finished model gets beside its prior: nothing."""
