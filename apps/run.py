"""A run: data → model → objective → Trainer → prior, in that order, from a resolved config."""

import copy
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from apps.settings import DATA_KEYS
from textae.core.config import call, check_keys, dump_config

logger = logging.getLogger(__name__)
EXAMPLE_CHARS = 120  # an example is to be read at a glance
PROCESSOR = "processor"  # in the run's folder: the tokenizer that a resumed run takes up again


def train(config: dict[str, Any], resume: bool = False) -> Path:
    """Run a resolved config to its end; returns the folder of the model.

    The run's folder gets `config.yaml`, `log.jsonl`, `state/` to resume from and `model/` to share.
    """
    import torch

    from textae.core.card import provenance
    from textae.core.checkpoint import has_state, latest_state
    from textae.core.files import recover, whole_folder, write_text
    from textae.core.objectives import TERMS, Objective
    from textae.core.options import TrainerOptions
    from textae.core.trainer import Trainer

    out = Path(config["out"])
    if resume:
        latest_state(out / "state")  # says so at once where there is nothing to resume
    elif has_state(out / "state"):
        raise ValueError(f"{str(out)!r} already holds a run: go on with --resume, or choose another folder with out=...")
    elif (out / "model").exists():
        raise ValueError(f"{str(out / 'model')!r} is a model without a state to go on from: choose another folder with out=...")
    options = TrainerOptions(**config.get("trainer", {}))
    splits, processor = load_data(config, options.seed, kept=out / PROCESSOR if resume else None)
    torch.manual_seed(options.seed)
    model = make_model(config, processor)
    logger.info("model %s: %s parameters", config["model"]["name"], f"{sum(p.numel() for p in model.parameters()):,}")
    started = provenance(options.seed)

    def write_model(folder: Path, figures: dict[str, Any]) -> None:
        training = {**started, "step": figures["step"], "minutes": round(figures["seconds"] / 60, 1)}
        if "loss" in figures:
            training["validation_loss"] = round(figures["loss"], 3)
        write_checkpoint(folder, model, processor, config, {"training": training})

    objective = Objective.from_config(config["objective"], TERMS)
    known = {**config, "corpus": getattr(splits.train, "fingerprint", "a stream")}  # a resumed run must find the same data
    trainer = Trainer(model, objective, splits, out, options, config=known, write_model=write_model)
    if trainer.accelerator.is_main_process and not resume:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "config.yaml", dump_config(config))
        with whole_folder(out / PROCESSOR) as folder:
            processor.save_pretrained(folder)
    trainer.fit(resume=resume)
    trainer.accelerator.wait_for_everyone()
    if trainer.accelerator.is_main_process:
        recover(out / "model")
        if config.get("prior", {}).get("name", "standard") != "standard":
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
    check_keys(attributes, corpora["train"].attributes, "data.attributes")
    return corpora


def load_data(config: Mapping[str, Any], seed: int, kept: Path | None = None):
    """The splits of a config as batches, and the processor.

    The tokenizer is trained here, or taken from `kept`, a processor's folder, or from the checkpoint that `init` names.
    """
    from itertools import islice

    from textae.core.data import POOL, Splits
    from textae.data.batching import Noise, StreamedBatches, in_memory
    from textae.data.corruption import Corruption
    from textae.data.processor import SentenceProcessor

    data, corpora = config["data"], load_corpora(config)
    attributes = data.get("attributes") or {}
    if kept is not None:
        processor = SentenceProcessor.from_pretrained(kept)
    else:
        tokenizer = {"path": _init_folder(config)} if config.get("init") else config.get("tokenizer", {})
        longest = max(256, data.get("max_tokens", 64))
        processor = SentenceProcessor(make_tokenizer(tokenizer, corpora["train"]), attributes, max_length=longest)
    noise = Noise(
        corruption=Corruption(**data["corruption"]) if data.get("corruption") else None,
        word_drop=data.get("word_drop", 0.0),
        attribute_drop=data.get("attribute_drop", 0.1),
    )
    shared = {"batch_size": data.get("batch_size", 64), "max_tokens": data.get("max_tokens", 64), "seed": seed}
    if data.get("streaming"):
        train = StreamedBatches(processor, corpora["train"], **shared, noise=noise)
    else:
        train = in_memory(processor, corpora["train"], **shared, noise=noise, pool=data.get("pool", POOL), name="train")
    valid = corpora.get("valid")
    if valid is not None:
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

    dtype = config.get("save", {}).get("dtype", "float32")
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
    name, fit, limit = spec.pop("name"), spec.pop("fit", None) or {}, spec.pop("limit", 200_000)
    started = time.perf_counter()
    seed = config.get("trainer", {}).get("seed", 0)
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
    from textae.space import EXAMPLES, LatentSpace

    num, seed = config["examples"].get("num", 500), config["examples"].get("seed", 0)
    space = LatentSpace.from_pretrained(folder)
    drawn = list(dict.fromkeys(s for s in space.sample(6 * num, seed=seed) if 0 < len(s) <= EXAMPLE_CHARS))
    wanted = set(drawn)  # the corpus is only looked through, never held
    copied = {text for corpus in load_corpora(config).values() for row in corpus if (text := row["text"].strip()) in wanted}
    drawn = [s for s in drawn if s not in copied]
    if not drawn:
        logger.warning("examples: none, every sample was empty, long or a copy")
        return
    kept = [s for s, back in zip(drawn, space.reconstruct(drawn), strict=True) if s == back][:num]
    write_text(folder / EXAMPLES, "".join(f"{s}\n" for s in kept))
    logger.info("examples: %d sentences of the model's own", len(kept))
