"""What a run on documents needs beside the core: texts joined to documents, a vocabulary, and the checks of what a config says."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.modalities.checks import number
from textae.core.config import arguments, call, check_keys, choose
from textae.topics import MODELS, model_classes

logger = logging.getLogger(__name__)

__all__ = ["MODELS", "SECTIONS", "USE", "ZOO", "as_trained", "check", "finish", "fit", "judge", "load", "model_classes", "model_settings", "prepare", "read_documents", "read_split", "space_class", "terms", "with_counts"]

ZOO = Path(__file__).resolve().parents[2] / "textae" / "zoo"
USE = """from textae.topics.space import LatentSpace

space = LatentSpace.from_pretrained("{name}")
space.topics()  # the top words of each topic
space.shares("a document of some sentences")"""
SECTIONS = ("vocabulary", "pretraining")  # beside those of every config
DATA_KEYS = ("name", "batch_size", "group", "valid_limit")  # what the section `data` says itself; the rest goes to the data set
TOP_WORDS = 10  # of a topic, that its coherence is measured by


def terms() -> Mapping[str, type]:
    """Terms that an objective may list."""
    from textae.core.objectives import TERMS

    return TERMS


def space_class() -> type:
    """The `LatentSpace` of this modality."""
    from textae.topics.space import LatentSpace

    return LatentSpace


def check(config: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first key or value of `data`, `vocabulary` and `pretraining` that cannot be."""
    from textae.data import DATASETS
    from textae.data.corpus import read_files, read_hub
    from textae.topics.vocabulary import build_vocabulary, check_options

    data = config["data"]
    load_set = choose(DATASETS, data["name"], "data set")
    reader = read_hub if data["name"] == "hub" else read_files
    own = ("paths", "name", "split", "constants", "streaming", "attribute_columns")
    check_keys(data, [*DATA_KEYS, *(k for k in (*arguments(load_set), *arguments(reader)) if k not in own)], "data")
    for name, parameter in arguments(load_set).items():
        if parameter.default is parameter.empty and data.get(name) is None:
            raise ValueError(f"the data set {data['name']!r} needs data.{name}")
    for key in ("batch_size", "group", "valid_limit"):
        if data.get(key) is not None:
            number(data, key, 1, least=1, whole=True)
    vocabulary = config.get("vocabulary", {})
    known = {k: p.default for k, p in arguments(build_vocabulary).items() if k != "documents"}
    check_keys(vocabulary, known, "vocabulary")
    check_options(**{**known, **vocabulary})
    if config.get("pretraining"):
        _pretraining(config)


def _pretraining(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind and options of layer-wise pretraining, once it is clear that the model can be pretrained."""
    from vision.pretraining import PRETRAINING

    options = dict(config["pretraining"])
    kind = options.pop("kind", None)
    options_class, _, fixed = choose(PRETRAINING, kind, "pretraining.kind")
    check_keys(options, [k for k in arguments(options_class) if k not in fixed], "pretraining")
    call(options_class, {**options, **fixed}, where="pretraining")
    model = config["model"]
    if model.get("reads") != "presence":
        raise ValueError("pretraining learns from which words are there and not how often: set model.reads=presence")
    if model.get("decoder_dims", []) != model.get("hidden_dims", [256])[::-1] or model.get("mixing") == "mixture" or model.get("batch_norm"):
        raise ValueError("pretraining makes a decoder that mirrors the encoder: set model.decoder_dims to hidden_dims backwards, mixing=product, batch_norm=false")
    return kind, options


def read_documents(data: Mapping[str, Any], split: str) -> list[str]:
    """The documents of a split, as the section `data` of a config names and groups them."""
    from textae.data import DATASETS
    from textae.topics.documents import grouped

    options = {k: v for k, v in data.items() if k not in DATA_KEYS}
    corpus = choose(choose(DATASETS, data["name"], "data set")(**options), split, f"split of {data['name']}")
    return list(grouped((row["text"] for row in corpus), data.get("group", 1)))


def with_counts(space: Any, documents: list[str], name: str) -> tuple[list[str], Any]:
    """The documents that have a word of a model's vocabulary, and their counts, a sparse matrix."""
    from textae.topics.documents import counted

    counts, kept = counted(space.processor, documents, name)
    return [documents[i] for i in kept], counts


def read_split(name: str, split: str) -> tuple[list[str], list[dict[str, str]], str]:
    """The texts of a named data set's split; `as_trained` makes documents of them."""
    texts = read_documents({"name": name}, split)
    return texts, [{} for _ in texts], f"{name}, split {split} ({len(texts):,} texts)"


def group_of(space: Any) -> int:
    """How many texts made a document in a model's own run."""
    from textae.core.config import read_config

    run = space.folder / "run.yaml"
    return read_config(run)["data"].get("group", 1) if run.is_file() else 1


def as_trained(space: Any, examples: list[str], rows: Any, seed: int) -> tuple[list[str], None, str]:
    """Texts joined to documents as the model's own run joined them, without those that have no word of the vocabulary."""
    from textae.topics.documents import grouped

    documents, _ = with_counts(space, list(grouped(examples, group_of(space))), "documents")
    return documents, None, f", as {len(documents):,} documents of {group_of(space)}"


def judge(space: Any, name: str, examples: list[str], num_samples: int, seed: int) -> dict[str, Any]:
    """Figures that need the training text: coherence of the topics in it, and how much topics differ."""
    from textae.topics.coherence import diversity, npmi

    _, counts = with_counts(space, read_documents({"name": name, "group": group_of(space)}, "train"), "train")
    topics = [[space.processor.ids[w] for w in words] for words in space.topics(min(TOP_WORDS, len(space.processor.vocabulary)))]
    return {"npmi": float(npmi(topics, counts).mean()), "diversity": diversity(topics)}


def model_settings(config: Mapping[str, Any], processor: Any) -> dict[str, Any]:
    """The model's settings that follow from the data."""
    return {"vocab_size": len(processor.vocabulary)}


def load(config: Mapping[str, Any], seed: int, kept: Path | None = None) -> tuple[Any, Any]:
    """The splits of a config as batches, and the processor.

    The vocabulary is taken from the training documents, from `kept`, a processor's folder, or from the checkpoint that `init` names.
    """
    from apps.modalities.checks import init_folder
    from textae.core.data import Splits
    from textae.data import DATASETS
    from textae.topics.documents import grouped, in_memory
    from textae.topics.processor import BagProcessor
    from textae.topics.vocabulary import build_vocabulary, words

    data = config["data"]
    corpora = DATASETS[data["name"]](**{k: v for k, v in data.items() if k not in DATA_KEYS})
    splits = {name: list(grouped((row["text"] for row in corpora[name]), data.get("group", 1))) for name in ("train", "valid") if corpora.get(name) is not None}
    if kept is None and config.get("init"):
        kept = init_folder(config, ZOO)
    if kept is not None:
        processor = BagProcessor.from_pretrained(kept)
    else:
        processor = BagProcessor(build_vocabulary((words(d) for d in splits["train"]), **config.get("vocabulary", {})))
    shared = {"batch_size": data.get("batch_size", 100), "seed": seed}
    train, valid = in_memory(processor, splits["train"], **shared, name="train"), None
    if "valid" in splits:
        valid = in_memory(processor, splits["valid"][: data.get("valid_limit")], **shared, shuffle=False, name="valid")
    logger.info("documents: %s", train.fingerprint)
    return Splits(train, valid), processor


def prepare(model: Any, config: Mapping[str, Any], splits: Any) -> None:
    """Pretrain a fresh model layer by layer, where the config asks for it.

    The layers are those of an autoencoder of images, whose pixels are the words that are there: it is pretrained in the
    model's place, and its weights are taken over. Its Bernoulli logits become the multinomial's.
    """
    if not config.get("pretraining"):
        return
    import torch

    from vision.models.mlp import MLPAutoencoder, MLPConfig
    from vision.pretraining import pretrain

    kind, options = _pretraining(config)
    own = model.config
    stand_in = MLPAutoencoder(
        MLPConfig(
            channels=1, height=1, width=own.vocab_size, hidden_dims=own.hidden_dims, latent_dim=own.latent_dim, posterior="point",
            activation=own.activation, likelihood="bernoulli",
        )
    )  # fmt: skip
    present = torch.cat([(batch["counts"] > 0).float() for batch in splits.train.clean().epoch(0)])
    pretrain(stand_in, present[:, None, None], kind, config.get("trainer", {}).get("seed", 0), **options)
    pairs = [*zip(model.encoder, stand_in.encoder, strict=True), (model.head.mean, stand_in.posterior_head.mean)]
    pairs += [*zip(model.decoder, stand_in.decoder, strict=True), (model.output, stand_in.output)]
    for ours, theirs in pairs:
        ours.load_state_dict(theirs.state_dict())


def fit(trainer: Any, config: Mapping[str, Any]) -> None:
    """Train from the start."""
    trainer.fit()


def finish(folder: Path, config: Mapping[str, Any]) -> None:
    """What a finished model gets beside its prior: nothing."""
