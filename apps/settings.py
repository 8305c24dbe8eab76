"""The config tree of a run: what sections and keys exist, and every check that can be made before anything is loaded."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from textae.core.config import arguments, call, check_keys, choose, read_config

SECTIONS = ("init", "model", "tokenizer", "data", "objective", "trainer", "prior", "examples", "save", "card", "out")
# What the section `data` says itself; the rest goes to the data set.
DATA_KEYS = (
    "name", "batch_size", "max_tokens", "corruption", "word_drop", "attribute_drop", "streaming", "attributes", "pool", "valid_limit",
)  # fmt: skip
CARD_KEYS = ("name", "title", "summary", "license", "data", "describes", "terms", "limits", "example")
DTYPES = ("float32", "float16", "bfloat16")


def resolve(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a config and check every name, key and type in it.

    Raises:
        ValueError: The first thing that does not exist or cannot be, with its nearest known name.
    """
    config = read_config(path, overrides)
    check_keys(config, SECTIONS, f"config {path}")
    config = {key: value for key, value in config.items() if value is not None}
    for section in ("model", "data", "objective"):
        if section not in config:
            raise ValueError(f"config {path} needs a section {section!r}")
    for section, value in config.items():
        if section not in ("init", "out") and not isinstance(value, Mapping):
            raise ValueError(f"the section {section!r} must hold keys and values; got {value!r}")
    config.setdefault("out", f"runs/{Path(path).stem}")
    _check_model(config)
    _check_data(config)
    _check_rest(config)
    return config


def _check_model(config: Mapping[str, Any]) -> None:
    from textae.core.autoencoder import make_config
    from textae.core.objectives import TERMS, Objective
    from textae.core.options import TrainerOptions
    from textae.models import MODELS, model_classes

    name = _named(config, "model")
    choose(MODELS, name, "model")
    make_config(model_classes(name)[0], {k: v for k, v in config["model"].items() if k != "name"})
    Objective.from_config(config["objective"], TERMS)
    call(TrainerOptions, config.get("trainer", {}), where="trainer")


def _check_data(config: Mapping[str, Any]) -> None:
    from textae.data import DATASETS
    from textae.data.corpus import read_files, read_hub
    from textae.data.corruption import Corruption
    from textae.data.tokenizer import train_tokenizer

    data = config["data"]
    load = choose(DATASETS, _named(config, "data"), "data set")
    reader = read_hub if data["name"] == "hub" else read_files  # where a data set passes its options on to
    own = ("paths", "name", "split", "attribute_columns", "constants")  # what `data` says in its own words, or not at all
    options = [k for k in arguments(reader) if k not in own]
    check_keys(data, [*DATA_KEYS, *arguments(load), *options], "data")
    for name, parameter in arguments(load).items():
        if parameter.default is parameter.empty and data.get(name) is None:
            raise ValueError(f"the data set {data['name']!r} needs data.{name}")
    for key in ("batch_size", "max_tokens"):
        _number(data, key, 1, least=1, whole=True)
    for key in ("word_drop", "attribute_drop"):
        _number(data, key, 0.0, least=0, most=1)
    call(Corruption, data.get("corruption") or {}, where="data.corruption")
    for name, values in (data.get("attributes") or {}).items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"data.attributes.{name} must list the attribute's values; got {values!r}")
    tokenizer = config.get("tokenizer", {})
    check_keys(tokenizer, [*(k for k in arguments(train_tokenizer) if k != "texts"), "path", "train_on"], "tokenizer")
    for key in ("vocab_size", "min_frequency", "train_on"):
        _number(tokenizer, key, 1, least=1, whole=True, where="tokenizer")


def _check_rest(config: Mapping[str, Any]) -> None:
    from textae.core.prior import PRIORS

    if prior := config.get("prior"):
        kind = choose(PRIORS, _named(config, "prior"), "prior")
        options = {k: v for k, v in prior.items() if k not in ("name", "fit", "limit")}
        call(kind, {"dim": config["model"].get("latent_dim", 32), **options}, where="prior")
        known = [k for k in arguments(kind.fit) if k not in ("z_ND", "seed")] if prior["name"] != "standard" else []
        check_keys(prior.get("fit") or {}, known, "prior.fit")
    check_keys(config.get("examples", {}), ["num", "seed"], "examples")
    check_keys(config.get("save", {}), ["dtype"], "save")
    choose(dict.fromkeys(DTYPES), config.get("save", {}).get("dtype", "float32"), "save.dtype")
    card = config.get("card", {})
    check_keys(card, CARD_KEYS, "card")
    if card.get("describes") not in (None, config["data"]["name"]):
        raise ValueError(
            f"the section 'card' describes a model of {card['describes']!r}, and this one is trained on {config['data']['name']!r}: "
            "remove it with card=null, or write your own"
        )


def _named(config: Mapping[str, Any], section: str) -> str:
    if "name" not in config[section]:
        raise ValueError(f"the section {section!r} needs the key 'name'")
    return config[section]["name"]


def _number(
    section: Mapping[str, Any], key: str, default: float, *, least: float, most: float | None = None, whole: bool = False, where: str = "data"
) -> None:
    value = section.get(key, default)
    kinds = int if whole else (int, float)
    if value is None or isinstance(value, bool) or not isinstance(value, kinds) or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{where}.{key} is {value!r}; it must be a {'whole ' if whole else ''}number {limits}")
