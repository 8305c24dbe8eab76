"""A run: config → data → model → objective → Trainer → prior, in that order. The only reader of the config tree."""

import copy
import logging
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from textae.core.config import arguments, call, check_keys, choose, dump_config, read_config

logger = logging.getLogger(__name__)

SECTIONS = ("init", "model", "tokenizer", "data", "objective", "trainer", "prior", "examples", "save", "card", "out")
# What the section `data` says itself; the rest goes to the data set.
DATA_KEYS = ("name", "batch_size", "max_tokens", "corruption", "word_drop", "streaming", "attributes", "pool", "valid_limit")


def resolve(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a config and check every name and key in it, before anything is loaded.

    Raises:
        ValueError: The first thing that does not exist, with its nearest known name.
    """
    config = read_config(path, overrides)
    check_keys(config, SECTIONS, f"config {path}")
    for section in ("model", "data", "objective"):
        if not isinstance(config.get(section), dict):
            raise ValueError(f"config {path} needs a section {section!r}")
    config.setdefault("out", f"runs/{Path(path).stem}")
    _check(config)
    return config


def _check(config: Mapping[str, Any]) -> None:
    from textae.core.autoencoder import make_config
    from textae.core.objectives import TERMS, Objective
    from textae.core.prior import PRIORS
    from textae.core.trainer import TrainerOptions
    from textae.data import DATASETS
    from textae.data.corpus import read_files, read_hub
    from textae.data.corruption import Corruption
    from textae.data.tokenizer import train_tokenizer
    from textae.models import MODELS, model_classes

    model = _named(config["model"], "model")
    choose(MODELS, model, "model")
    make_config(model_classes(model)[0], {k: v for k, v in config["model"].items() if k != "name"})
    Objective.from_config(config["objective"], TERMS)
    call(TrainerOptions, (config.get("trainer") or {}), where="trainer")
    call(Corruption, config["data"].get("corruption") or {}, where="data.corruption")
    for key in ("batch_size", "max_tokens"):
        if not isinstance(config["data"].get(key, 1), int) or config["data"].get(key, 1) < 1:
            raise ValueError(f"data.{key} is {config['data'][key]!r}; it must be a whole number of at least 1")
    data = choose(DATASETS, _named(config["data"], "data"), "data set")
    options = {k: v for k, v in config["data"].items() if k not in DATA_KEYS}
    reader = read_hub if config["data"]["name"] == "hub" else read_files  # where a data set passes its options on to
    check_keys(options, [*DATA_KEYS, *arguments(data), *(k for k in arguments(reader) if k not in ("paths", "name"))], "data")
    if config.get("prior"):
        choose(PRIORS, _named(config["prior"], "prior"), "prior")
    check_keys(config.get("tokenizer") or {}, [*arguments(train_tokenizer), "path", "train_on"], "tokenizer")
    check_keys(config.get("examples") or {}, ["num", "seed"], "examples")
    check_keys(config.get("save") or {}, ["dtype"], "save")


def _named(section: Mapping[str, Any], where: str) -> str:
    if "name" not in section:
        raise ValueError(f"the section {where!r} needs the key 'name'")
    return section["name"]


def train(config: dict[str, Any], resume: bool = False) -> Path:
    """Run a resolved config to its end; returns the folder of the model.

    The run's folder gets `config.yaml`, `log.jsonl`, `state/` to resume from and `model/` to share.
    """
    import torch

    from textae.core.checkpoint import latest_state
    from textae.core.files import recover, write_text
    from textae.core.objectives import TERMS, Objective
    from textae.core.trainer import Trainer, TrainerOptions

    out = Path(config["out"])
    if resume:
        latest_state(out / "state")  # says so at once where there is nothing to resume
    elif (out / "state").exists() or (out / "model").exists():
        raise ValueError(f"{str(out)!r} already holds a run: go on with --resume, or choose another folder with out=...")
    options = TrainerOptions(**(config.get("trainer") or {}))
    splits, processor = load_data(config, options.seed)
    torch.manual_seed(options.seed)
    model = make_model(config, processor)
    logger.info("model %s: %s parameters", config["model"]["name"], f"{sum(p.numel() for p in model.parameters()):,}")
    started = {"command": _command(), "date": str(date.today()), "seed": options.seed, **_machine()}

    def write_model(folder: Path, figures: dict[str, Any]) -> None:
        training = {**started, "step": figures["step"], "minutes": round(figures["seconds"] / 60, 1)}
        if "loss" in figures:
            training["validation_loss"] = round(figures["loss"], 3)
        write_checkpoint(folder, model, processor, config, {"training": training})

    objective = Objective.from_config(config["objective"], TERMS)
    trainer = Trainer(model, objective, splits, out, options, config=config, write_model=write_model)
    if trainer.accelerator.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "config.yaml", dump_config(config))
    trainer.fit(resume=resume)
    trainer.accelerator.wait_for_everyone()
    if trainer.accelerator.is_main_process:
        recover(out / "model")
        if (config.get("prior") or {"name": "standard"})["name"] != "standard":
            fit_prior(out / "model", config, splits.train)
        if config.get("examples"):
            write_examples(out / "model", config)
    return out / "model"


def make_model(config: Mapping[str, Any], processor: Any) -> Any:
    """A fresh model, or with `init` the weights of a checkpoint, its fitted prior set aside.

    Raises:
        ValueError: The checkpoint's config differs from what the section `model` says.
    """
    from textae.core.autoencoder import make_config
    from textae.core.config import differences
    from textae.core.prior import StandardNormal
    from textae.models import model_classes

    config_class, model_class = model_classes(config["model"]["name"])
    settings = {k: v for k, v in config["model"].items() if k != "name"}
    settings |= {"vocab_size": len(processor.tokenizer), "attributes": processor.attributes}
    if not config.get("init"):
        return model_class(make_config(config_class, settings))
    model = model_class.from_pretrained(_init_folder(config))
    found = model.config.to_dict()
    if changed := differences({k: found[k] for k in settings}, settings):
        raise ValueError(f"the model at init={config['init']} is another one than the config's: {'; '.join(changed)}")
    model.set_prior("standard", StandardNormal(model.config.latent_dim), {})
    return model


def _init_folder(config: Mapping[str, Any]) -> Path:
    from apps.catalog import TEXT_ZOO
    from textae.core.catalog import find_checkpoint

    return find_checkpoint(config["init"], [TEXT_ZOO])


def load_data(config: Mapping[str, Any], seed: int):
    """The splits of a config as batches, and the processor, whose tokenizer is trained or loaded here."""
    from textae.core.data import POOL, Splits
    from textae.data import DATASETS
    from textae.data.batching import StreamedBatches, in_memory
    from textae.data.corruption import Corruption
    from textae.data.processor import SentenceProcessor

    data = config["data"]
    streaming = bool(data.get("streaming", False))
    options = {k: v for k, v in data.items() if k not in DATA_KEYS}
    if streaming:
        options["streaming"] = True
    attributes = data.get("attributes") or {}
    if attributes and data["name"] in ("files", "hub"):
        options["attribute_columns"] = list(attributes)
    corpora = DATASETS[data["name"]](**options)
    tokenizer = {"path": _init_folder(config)} if config.get("init") else config.get("tokenizer") or {}
    processor = SentenceProcessor(make_tokenizer(tokenizer, corpora["train"]), attributes)
    corruption = Corruption(**data["corruption"]) if data.get("corruption") else None
    shared = {"batch_size": data.get("batch_size", 64), "max_tokens": data.get("max_tokens", 64), "seed": seed}
    noise = {"corruption": corruption, "word_drop": data.get("word_drop", 0.0)}
    if streaming:
        train = StreamedBatches(processor, corpora["train"], **shared, **noise)
    else:
        train = in_memory(processor, corpora["train"], **shared, **noise, pool=data.get("pool", POOL), name="train")
    valid = corpora.get("valid")
    if valid is not None:
        from itertools import islice

        rows = islice(iter(valid), data.get("valid_limit"))
        valid = in_memory(processor, rows, **shared, shuffle=False, name="valid")
    return Splits(train, valid), processor


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


def write_checkpoint(folder: Path, model: Any, processor: Any, config: Mapping[str, Any], figures: dict[str, Any]) -> None:
    """Everything a shared checkpoint consists of: config, weights, processor, run config, figures and card."""
    import torch

    from textae.core.card import write_figures
    from textae.core.files import write_text

    dtype = (config.get("save") or {}).get("dtype", "float32")
    if dtype not in ("float32", "float16", "bfloat16"):
        raise ValueError(f"save.dtype is {dtype!r}; it must be float32, float16 or bfloat16")
    stored = model if dtype == "float32" else copy.deepcopy(model).to(getattr(torch, dtype))
    stored.save_pretrained(folder)
    processor.save_pretrained(folder)
    write_text(folder / "run.yaml", dump_config(config))
    write_figures(folder, config, figures)


def fit_prior(folder: Path, config: Mapping[str, Any], batches: Any) -> None:
    """Fit the config's prior to draws of q(z) on the (clean) training split and save the model with it."""
    import torch

    from textae.core.card import read_figures
    from textae.core.files import whole_folder
    from textae.core.latent import gaussian_log_prob
    from textae.core.prior import PRIORS
    from textae.core.space import seeded
    from textae.space import LatentSpace

    space = LatentSpace.from_pretrained(folder)
    spec = dict(config["prior"])
    name, fit, limit = spec.pop("name"), spec.pop("fit", {}), spec.pop("limit", 200_000)
    started = time.perf_counter()
    seed = (config.get("trainer") or {}).get("seed", 0)
    parts, count = [], 0
    with torch.no_grad(), seeded(seed):
        for batch in batches.clean().epoch(0):
            posterior = space.model.encode(**batch)
            parts.append(posterior.sample())
            count += len(parts[-1])
            if count >= limit:
                break
        codes = torch.cat(parts)[:limit]
        prior = call(PRIORS[name], {"dim": space.latent_dim, **spec}, where="prior")
        density = call(prior.fit, {"z_ND": codes, "seed": seed, **fit}, where="prior.fit")
    before = gaussian_log_prob(codes).mean().item()
    words = f"{name} fitted after training to {len(codes):,} codes: log density {density:.2f} nats, N(0, I) gives {before:.2f}"
    logger.info("prior: %s", words)
    space.model.set_prior(name, prior, spec)
    figures = read_figures(folder)
    figures["prior"] = f"{words} ({time.perf_counter() - started:.0f} s)"
    with whole_folder(folder) as new:
        write_checkpoint(new, space.model, space.processor, config, figures)


def write_examples(folder: Path, config: Mapping[str, Any]) -> None:
    """Give the model sentences of its own to search: prior samples that it reads back as they are.

    None of them occurs in the data, so that nothing of the data is shipped with the model.
    """
    from textae.core.files import write_text
    from textae.data import DATASETS
    from textae.space import EXAMPLES, LatentSpace

    num, seed = config["examples"].get("num", 500), config["examples"].get("seed", 0)
    options = {k: v for k, v in config["data"].items() if k not in DATA_KEYS}
    taken = {row["text"].strip() for corpus in DATASETS[config["data"]["name"]](**options).values() for row in corpus}
    space = LatentSpace.from_pretrained(folder)
    drawn = list(dict.fromkeys(s for s in space.sample(6 * num, seed=seed) if s and s not in taken))
    kept = [s for s, back in zip(drawn, space.reconstruct(drawn), strict=True) if s == back][:num]
    write_text(folder / EXAMPLES, "".join(f"{s}\n" for s in kept))
    logger.info("examples: %d sentences of the model's own", len(kept))


def evaluate(
    source: str, sentences: list[str], *, on: str, train_sentences: list[str] | None = None, samples: int = 100, num_samples: int = 10_000,
    seed: int = 0, bf16: bool = False, device: str = "auto",
) -> dict[str, Any]:  # fmt: skip
    """All figures of a model on a list of sentences; with training text also the quality of prior samples."""
    from dataclasses import asdict

    from apps.catalog import open_space
    from textae.metrics import sample_quality

    space = open_space(source, device)
    started = time.perf_counter()
    figures = {"on": on, **space.evaluate(sentences, samples=samples, seed=seed, bf16=bf16)}
    if train_sentences is not None:
        drawn = space.sample(num_samples, seed=seed)
        figures.update(asdict(sample_quality(drawn, train_sentences, sentences, seed=seed, size=num_samples)))
    figures |= {"command": _command(), "seed": seed, "date": str(date.today()), **_machine()}
    return {**figures, "minutes": round((time.perf_counter() - started) / 60, 1)}


def write_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation on the card of a checkpoint."""
    from textae.core.card import read_figures, write_figures

    config = read_config(folder / "run.yaml") if (folder / "run.yaml").is_file() else {}
    write_figures(folder, config, {**read_figures(folder), "evaluation": dict(evaluation)})


def _command() -> str:
    """The command line as a user would type it again."""
    return " ".join(["textae", *map(shlex.quote, sys.argv[1:])])


def _machine() -> dict[str, str]:
    import torch
    import transformers

    from textae.core.card import hardware

    return {"hardware": hardware(), "versions": f"torch {torch.__version__}, transformers {transformers.__version__}"}

