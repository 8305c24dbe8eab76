"""A run: data → model → objective → Trainer → prior, in that order, from a resolved config."""

import copy
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.modalities import of_model
from apps.modalities.checks import init_folder
from textae.core.config import call, dump_config

logger = logging.getLogger(__name__)
LIMIT = 200_000  # codes that a prior is fitted to after training
PROCESSOR = "processor"  # in the run's folder: the tokenizer that a resumed run takes up again


def train(config: dict[str, Any], resume: bool = False) -> Path:
    """Run a resolved config to its end; returns the folder of the model.

    The run's folder gets `config.yaml`, `log.jsonl`, `state/` to resume from and `model/` to share.
    """
    import torch

    from textae.core.card import provenance
    from textae.core.checkpoint import has_state, latest_state
    from textae.core.files import recover, whole_folder, write_text
    from textae.core.objectives import Objective
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
    kind = of_model(config["model"]["name"])
    splits, processor = kind.load(config, options.seed, kept=out / PROCESSOR if resume else None)
    torch.manual_seed(options.seed)
    model = make_model(config, processor)
    logger.info("model %s: %s parameters", config["model"]["name"], f"{sum(p.numel() for p in model.parameters()):,}")
    started = provenance(options.seed)

    def write_model(folder: Path, figures: dict[str, Any]) -> None:
        training = {**started, "step": figures["step"], "minutes": round(figures["seconds"] / 60, 1)}
        if "loss" in figures:
            training["validation_loss"] = round(figures["loss"], 3)
        write_checkpoint(folder, model, processor, config, {"training": training})

    check_fit(config, model, splits, options, kind)
    if not resume and not config.get("init"):
        kind.prepare(model, config, splits)
    objective = Objective.from_config(config["objective"], kind.terms())
    known = {**config, "corpus": getattr(splits.train, "fingerprint", "a stream")}  # a resumed run must find the same data
    trainer = Trainer(model, objective, splits, out, options, config=known, write_model=write_model)
    if trainer.accelerator.is_main_process and not resume:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "config.yaml", dump_config(config))
        with whole_folder(out / PROCESSOR) as folder:
            processor.save_pretrained(folder)
    if resume:
        trainer.fit(resume=True)
    else:
        kind.fit(trainer, config)
    trainer.accelerator.wait_for_everyone()
    if trainer.accelerator.is_main_process:
        recover(out / "model")
        record_whole(out / "model", config, trainer.state)
        if config.get("prior", {}).get("name", "standard") != "standard":
            fit_prior(out / "model", config, splits.train)
        kind.finish(out / "model", config)
    return out / "model"


def check_fit(config: Mapping[str, Any], model: Any, splits: Any, options: Any, kind: Any) -> None:
    """What only the data and the model can tell of a config, before any weights are fetched or trained for long.

    Raises:
        ValueError: A term does not fit the model, or the encoder cannot be trained ahead, or there are too few examples for the prior.
    """
    import torch

    from apps.settings import check_prior_fit
    from textae.core.aggressive import encoder_parameters
    from textae.core.objectives import Objective

    with torch.random.fork_rng():
        Objective.from_config(config["objective"], kind.terms()).bind(model)
    if options.aggressive:
        encoder_parameters(model, splits)
    if hasattr(model, "check_length"):
        model.check_length(config["data"].get("max_tokens", 64))
    if (num := getattr(splits.train, "num_examples", None)) is not None:
        check_prior_fit(config, num)


def record_whole(folder: Path, config: Mapping[str, Any], state: Any) -> None:
    """Put the whole run's steps and minutes beside those of the weights that were kept."""
    from textae.core.card import read_figures, write_figures

    figures = read_figures(folder)
    figures["training"] = {**figures.get("training", {}), "updates": state.step, "minutes": round(state.seconds / 60, 1)}
    write_figures(folder, with_use(config), figures)


def make_model(config: Mapping[str, Any], processor: Any) -> Any:
    """A fresh model, or with `init` the weights of a checkpoint, its fitted prior set aside and what `reset` names begun anew.

    With `reset`, which may be empty, the checkpoint's config may differ wherever its weights do not: another likelihood, another dropout.

    Raises:
        ValueError: The checkpoint's config differs from what the section `model` says; with `reset`, its weights do.
    """
    from textae.core.autoencoder import make_config
    from textae.core.config import differences
    from textae.core.prior import LEARNED

    kind = of_model(config["model"]["name"])
    config_class, model_class = kind.model_classes(config["model"]["name"])
    settings = {k: v for k, v in config["model"].items() if k != "name"}
    settings |= kind.model_settings(config, processor)
    fresh = model_class(make_config(config_class, settings))
    if not config.get("init"):
        return fresh
    if config.get("reset") is not None:
        fresh.take_weights(init_folder(config, kind.ZOO), config["reset"])
        return fresh
    model = model_class.from_pretrained(init_folder(config, kind.ZOO))
    found, wanted = model.config.to_dict(), fresh.config.to_dict()  # not `settings`: a config fills in what a prior shares with its model
    if changed := differences({k: found[k] for k in settings}, {k: wanted[k] for k in settings}):
        raise ValueError(f"the model at init={config['init']} is another one than the config's: {'; '.join(changed)} (reset=[] takes its weights all the same, where they fit)")
    if not model.config.prior == fresh.config.prior in LEARNED:
        model.set_prior(fresh.config.prior, fresh.prior, fresh.config.prior_options)
    return model


def with_use(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its modality's lines of code for the card, unless it has its own."""
    return {**config, "card": {"use": of_model(config["model"]["name"]).USE, **config.get("card", {})}}


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
    write_figures(folder, with_use(config), figures)


def fit_prior(folder: Path, config: Mapping[str, Any], batches: Any) -> None:
    """Fit the config's prior to draws of q(z) on the (clean) training split and save the model with it."""
    import torch

    from textae.core.card import read_figures
    from textae.core.files import whole_folder
    from textae.core.prior import PRIORS, WITHOUT_DENSITY
    from textae.core.space import seeded

    space = of_model(config["model"]["name"]).space_class().from_pretrained(folder)
    spec = dict(config["prior"])
    name, fit, limit = spec.pop("name"), spec.pop("fit", None) or {}, spec.pop("limit", LIMIT)
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
    former = {"standard": "N(0, I)", "uniform_codes": "the uniform"}.get(space.model.config.prior, space.model.config.prior)
    what = "log probability" if name == "codes" else "log density"
    if space.model.config.prior in WITHOUT_DENSITY:
        compared = f"no density before ({former})"
    else:
        with torch.no_grad():
            before = torch.cat([space.model.prior.log_prob(part) for part in codes.split(4096)]).mean().item()
        compared = f"{former} gives {before:.2f}"
    words = f"{name} fitted after training to {len(codes):,} codes: {what} {density:.2f} nats, {compared}"
    logger.info("prior: %s", words)
    space.model.set_prior(name, prior, spec)
    figures = read_figures(folder)
    figures["prior"] = f"{words} ({time.perf_counter() - started:.0f} s)"
    with whole_folder(folder) as new:
        write_checkpoint(new, space.model, space.processor, config, figures)


