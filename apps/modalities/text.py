"""What a run on sentences needs beside the core: its data and tokenizer, and the checks of what a config says of them."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from apps.modalities.checks import init_folder, number
from textae.core.config import arguments, call, check_keys, choose
from textae.models import MODELS, model_classes

logger = logging.getLogger(__name__)
Rows = list[dict[str, str]] | None

__all__ = ["MODELS", "SECTIONS", "USE", "ZOO", "as_trained", "check", "finish", "fit", "judge", "load", "model_classes", "model_settings", "prepare", "read_split", "space_class", "terms"]

ZOO = Path(__file__).resolve().parents[2] / "textae" / "zoo"
USE = """from textae import LatentSpace

space = LatentSpace.from_pretrained("{name}")
space.interpolate("I was happy to see you.", "It will rain tomorrow.")"""
SECTIONS = ("tokenizer", "examples")  # beside those of every config
# What the section `data` says itself; the rest goes to the data set.
DATA_KEYS = (
    "name", "batch_size", "max_tokens", "corruption", "augmentation", "word_drop", "attribute_drop", "streaming", "attributes", "labelers", "labelled",
    "labelled_per_batch", "pool", "valid_limit",
)  # fmt: skip
EXAMPLE_CHARS = 120  # an example is to be read at a glance


def terms() -> Mapping[str, type]:
    """Terms that an objective may list."""
    from textae.objectives import TERMS

    return TERMS


def space_class() -> type:
    """The `LatentSpace` of this modality."""
    from textae.space import LatentSpace

    return LatentSpace


def check(config: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first key or value of the sections `data`, `tokenizer` and `examples` that cannot be."""
    from textae.data import DATASETS
    from textae.data.corpus import read_files, read_hub
    from textae.data.corruption import Corruption
    from textae.data.tokenizer import train_tokenizer

    data = config["data"]
    load = choose(DATASETS, config["data"]["name"], "data set")
    reader = read_hub if data["name"] == "hub" else read_files  # where a data set passes its options on to
    own = ("paths", "name", "split", "attribute_columns", "constants")  # what `data` says in its own words, or not at all
    options = [k for k in arguments(reader) if k not in own]
    check_keys(data, [*DATA_KEYS, *arguments(load), *options], "data")
    for name, parameter in arguments(load).items():
        if parameter.default is parameter.empty and data.get(name) is None:
            raise ValueError(f"the data set {data['name']!r} needs data.{name}")
    for key in ("batch_size", "max_tokens"):
        number(data, key, 1, least=1, whole=True)
    for key in ("word_drop", "attribute_drop"):
        number(data, key, 0.0, least=0, most=1)
    for key in ("corruption", "augmentation"):
        call(Corruption, data.get(key) or {}, where=f"data.{key}")
    if (data.get("augmentation") or {}).get("mask"):
        raise ValueError("data.augmentation changes targets, and <mask> is never one: leave out its mask, or take data.corruption, which changes what is read alone")
    for name, values in (data.get("attributes") or {}).items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"data.attributes.{name} must list the attribute's values; got {values!r}")
    check_labelers(data)
    for key in ("labelled", "labelled_per_batch"):
        if data.get(key) is not None:
            number(data, key, 1, least=1, whole=True)
            if data.get("streaming"):
                raise ValueError(f"data.{key} chooses among all labels, and a stream is never seen as a whole: leave out data.streaming")
    tokenizer = config.get("tokenizer", {})
    if tokenizer and config["model"].get("decoder_id"):
        raise ValueError("the model's pretrained parts bring their own tokenizers: leave out the section 'tokenizer'")
    check_keys(tokenizer, [*(k for k in arguments(train_tokenizer) if k != "texts"), "path", "train_on"], "tokenizer")
    for key in ("vocab_size", "min_frequency", "train_on"):
        number(tokenizer, key, 1, least=1, whole=True, where="tokenizer")
    check_keys(config.get("examples", {}), ["num", "seed"], "examples")
    number(config.get("examples", {}), "num", 1, least=1, whole=True, where="examples")
    number(config.get("examples", {}), "seed", 0, least=0, whole=True, where="examples")
    if config["model"]["name"] == "lm":
        if told := [f"objective.{name}" for name in config["objective"] if name not in ("reconstruction", "kl")]:
            raise ValueError(f"a language model has no code: leave out {' and '.join(told)}")
        if data.get("corruption"):
            raise ValueError("a language model has no encoder whose reading data.corruption could change: leave it out, or take data.augmentation")


def check_labelers(data: Mapping[str, Any]) -> None:
    """Raise a ValueError if `data.labelers` names what cannot label here, or gives values that `data.attributes` lacks."""
    from textae.labels import LABELERS
    from textae.labels.labeler import find_labelers

    if data.get("labelers") is None:
        return
    if not isinstance(data["labelers"], list) or not all(isinstance(name, str) for name in data["labelers"]):
        raise ValueError(f"data.labelers must list names, such as [tense, sentiment]; got {data['labelers']!r}")
    for name, labeler in find_labelers(data["labelers"], LABELERS).items():
        listed = (data.get("attributes") or {}).get(name, labeler.values)
        if missing := [value for value in labeler.values if value not in listed]:
            raise ValueError(f"data.attributes.{name} lacks {', '.join(missing)}, which the labeler {name!r} gives: add what is missing, or leave the list out")


def read_split(name: str, split: str) -> tuple[list[str], list[dict[str, str]], str]:
    """The sentences of a named data set's split, their attributes, and its name in words."""
    from textae.data import DATASETS

    rows = list(choose(choose(DATASETS, name, "data set")(), split, f"split of {name}"))
    attributes = [{k: v for k, v in row.items() if k != "text" and v is not None} for row in rows]
    return [row["text"] for row in rows], attributes, f"{name}, split {split} ({len(rows):,} sentences)"


def as_trained(space: Any, examples: list[str], rows: Rows, seed: int) -> tuple[list[str], Rows, str]:
    """Sentences as they are; rows with the attributes that the model's own run had labelled, where a row lacks them."""
    from textae.core.config import read_config

    run = space.folder / "run.yaml"
    names = [n for n in (read_config(run)["data"].get("labelers") or [] if run.is_file() else []) if n in space.model.config.decoder_attributes]
    if not names:
        return examples, rows, ""
    from textae.labels import LABELERS
    from textae.labels.labeler import find_labelers

    rows = [dict(row) for row in rows or [{}] * len(examples)]
    for name, labeler in find_labelers(names, LABELERS).items():
        for row, value in zip(rows, labeler(examples), strict=True):
            if value is not None:
                row.setdefault(name, value)
    return examples, rows, f", told {' and '.join(names)}"


def draws_words(space: Any) -> bool:
    """Whether the model's sentences are drawn word by word unless it is told otherwise, as a language model's are."""
    return bool(space.model.decoder.generation_config.do_sample)


def judge(space: Any, name: str, examples: list[str], num_samples: int, seed: int, drawn: bool = False) -> dict[str, Any]:
    """Figures that need the training text of the data set: the quality of prior samples.

    The likeliest sentence of each code shows what the codes know; an autoencoder whose decoder carries much of the text itself says the same
    few words for all of them, and is a model of text only where words are drawn too. `drawn` measures that; its figures begin with `drawn_`.
    """
    from dataclasses import asdict

    from textae.metrics import sample_quality

    if not num_samples:
        return {}
    sentences = space.sample(num_samples, seed=seed, **({"do_sample": True} if drawn else {}))
    figures = asdict(sample_quality(sentences, read_split(name, "train")[0], examples, seed=seed, size=num_samples))
    return {f"drawn_{k}": v for k, v in figures.items() if not k.endswith(("_real", "_real_sd"))} if drawn else figures


def model_settings(config: Mapping[str, Any], processor: Any) -> dict[str, Any]:
    """The model's settings that follow from the data, and of one with pretrained parts from those."""
    settings = {"vocab_size": len(processor.tokenizer), "attributes": processor.attributes}
    if config["model"].get("decoder_id"):
        from textae.models.pretrained import part_settings

        settings |= part_settings(config["model"], processor)
    return settings


def prepare(model: Any, config: Mapping[str, Any], splits: Any) -> None:
    """What happens to a fresh model before training: one with pretrained parts is given their weights."""
    if config["model"].get("decoder_id"):
        model.load_parts()


def fit(trainer: Any, config: Mapping[str, Any]) -> None:
    """Train from the start."""
    trainer.fit()


def finish(folder: Path, config: Mapping[str, Any]) -> None:
    """What a finished model gets beside its prior: sentences of its own, where the config asks for some."""
    if config.get("examples"):
        write_examples(folder, config)


def load_corpora(config: Mapping[str, Any]) -> dict[str, Any]:
    """The splits of the config's data set as text."""
    from textae.data import DATASETS

    data = config["data"]
    options = {k: v for k, v in data.items() if k not in DATA_KEYS}
    if data.get("streaming"):
        options["streaming"] = True
    attributes = data.get("attributes") or {}
    if attributes and data["name"] in ("files", "hub"):
        options["attribute_columns"] = list(attributes)
    corpora = DATASETS[data["name"]](**options)
    check_keys(attributes, [*corpora["train"].attributes, *(data.get("labelers") or [])], "data.attributes")
    return corpora


def attribute_values(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The values of every attribute that a config's data carries: those that it lists, and its labelers' own."""
    from textae.labels import LABELERS

    return {**{name: list(LABELERS[name].values) for name in data.get("labelers") or []}, **(data.get("attributes") or {})}


def load(config: Mapping[str, Any], seed: int, kept: Path | None = None) -> tuple[Any, Any]:
    """The splits of a config as batches, and the processor.

    The tokenizer is trained here, or taken from `kept`, a processor's folder, or from the checkpoint that `init` names.
    """
    from itertools import islice

    from textae.core.data import POOL, Splits
    from textae.data.batching import Noise, StreamedBatches, in_memory
    from textae.data.corruption import Corruption
    from textae.data.processor import SentenceProcessor
    from textae.labels import LABELERS
    from textae.labels.labeler import labelled

    data, corpora = config["data"], load_corpora(config)
    attributes = attribute_values(data)
    if kept is not None:
        processor = SentenceProcessor.from_pretrained(kept)
    else:
        processor = make_processor(config, corpora["train"], attributes, max(256, data.get("max_tokens", 64)))
    noise = Noise(
        corruption=Corruption(**data["corruption"]) if data.get("corruption") else None,
        augmentation=Corruption(**data["augmentation"]) if data.get("augmentation") else None,
        word_drop=data.get("word_drop", 0.0),
        attribute_drop=data.get("attribute_drop", 0.1),
        labelled_per_batch=data.get("labelled_per_batch", 0),
    )
    if data.get("labelers"):  # only here: tokenizer and examples need the text alone
        labelers = {name: LABELERS[name] for name in data["labelers"]}
        corpora = {split: labelled(corpus, labelers) for split, corpus in corpora.items()}
    shared = {"batch_size": data.get("batch_size", 64), "max_tokens": data.get("max_tokens", 64), "seed": seed}
    if data.get("streaming"):
        train = StreamedBatches(processor, corpora["train"], **shared, noise=noise)
    else:
        train = in_memory(processor, corpora["train"], **shared, noise=noise, pool=data.get("pool", POOL), labelled=data.get("labelled"), name="train")
    valid = corpora.get("valid")
    if valid is not None:
        rows = islice(iter(valid), data.get("valid_limit"))
        valid = in_memory(processor, rows, **shared, shuffle=False, name="valid")
    return Splits(train, valid), processor


def make_processor(config: Mapping[str, Any], corpus: Iterable[Mapping[str, str]], attributes: Mapping[str, list[str]], longest: int):
    """A processor with the tokenizers of a checkpoint (`init`), of the pretrained parts of the model, or with one of `make_tokenizer`."""
    from textae.data.processor import SentenceProcessor

    model = config["model"]
    if config.get("init"):
        found = SentenceProcessor.from_pretrained(init_folder(config, ZOO))
        return SentenceProcessor(found.tokenizer, attributes, longest, found.encoder_tokenizer)
    if model.get("decoder_id"):
        from textae.models.pretrained import pretrained_processor

        return pretrained_processor(model["decoder_id"], model.get("encoder_id", ""), attributes, longest)
    return SentenceProcessor(make_tokenizer(config.get("tokenizer", {}), corpus), attributes, longest)


def make_tokenizer(options: Mapping[str, Any], corpus: Iterable[Mapping[str, str]]):
    """Load `tokenizer.path`, or train one on (the first `train_on` sentences of) the training corpus."""
    from itertools import islice

    from textae.data.tokenizer import train_tokenizer

    options = dict(options)
    if path := options.pop("path", None):
        from textae.data.processor import SentenceProcessor

        return SentenceProcessor.from_pretrained(path).tokenizer
    limit = options.pop("train_on", None)
    return train_tokenizer((row["text"] for row in islice(iter(corpus), limit)), **options)


def write_examples(folder: Path, config: Mapping[str, Any]) -> None:
    """Give the model sentences of its own to search: prior samples that it reads back as they are.

    None of them occurs in the data, so that nothing of the data is shipped with the model.
    """
    from textae.core.files import write_text
    from textae.space import EXAMPLES, LatentSpace

    num, seed = config["examples"].get("num", 500), config["examples"].get("seed", 0)
    space = LatentSpace.from_pretrained(folder)
    drawn = list(dict.fromkeys(s for s in space.sample(6 * num, seed=seed) if 0 < len(s) <= EXAMPLE_CHARS))
    wanted = set(drawn)  # the corpus is only looked through, never held
    copied = {text for corpus in load_corpora(config).values() for row in corpus if (text := row["text"].strip()) in wanted}
    drawn = [s for s in drawn if s not in copied]
    lengths = map(len, space.processor.tokenizer(drawn, add_special_tokens=False)["input_ids"]) if drawn else ()
    drawn = [s for s, length in zip(drawn, lengths, strict=True) if 0 < length <= space.processor.max_length]  # stray bytes take many tokens
    if not drawn:
        logger.warning("examples: none, every sample was empty, long or a copy")
        return
    kept = [s for s, back in zip(drawn, space.reconstruct(drawn), strict=True) if s == back][:num]
    write_text(folder / EXAMPLES, "".join(f"{s}\n" for s in kept))
    logger.info("examples: %d sentences of the model's own", len(kept))
