"""The config tree of a run: what sections and keys exist, and every check that can be made before anything is loaded."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from apps.modalities import MODALITIES, modality, of_model
from apps.run import LIMIT
from textae.core.config import arguments, call, check_counts, check_keys, choose, read_config

SECTIONS = ("init", "reset", "model", "data", "objective", "trainer", "prior", "save", "card", "out")  # and what its modality adds
CARD_KEYS = ("name", "title", "summary", "license", "data", "describes", "terms", "limits", "use")
DTYPES = ("float32", "float16", "bfloat16")


def resolve(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a config and check every name, key and type in it.

    Raises:
        ValueError: The first thing that does not exist or cannot be, with its nearest known name.
    """
    config = read_config(path, overrides)
    if not isinstance(config.get("model"), Mapping):
        check_keys(config, _all_sections(), f"config {path}")
        raise ValueError(f"config {path} needs a section 'model'" if not config.get("model") else f"the section 'model' must hold keys and values; got {config['model']!r}")
    kind = of_model(_named(config, "model"))
    check_keys(config, [*SECTIONS, *kind.SECTIONS], f"config {path}")
    config = {key: value for key, value in config.items() if value is not None}
    for section in ("model", "data", "objective"):
        if section not in config:
            raise ValueError(f"config {path} needs a section {section!r}")
    for section, value in config.items():
        if section not in ("init", "reset", "out") and not isinstance(value, Mapping):
            raise ValueError(f"the section {section!r} must hold keys and values; got {value!r}")
    config.setdefault("out", f"runs/{Path(path).stem}")
    _check_start(config)
    _check_model(config, kind)
    _check_prior(config, kind)
    _named(config, "data")
    kind.check(config)
    _check_rest(config)
    return config


def _all_sections() -> list[str]:
    return [*SECTIONS, *(section for name in MODALITIES for section in modality(name).SECTIONS)]


def _check_start(config: Mapping[str, Any]) -> None:
    if (reset := config.get("reset")) is None:
        return
    if not isinstance(reset, list) or not all(isinstance(name, str) for name in reset):
        raise ValueError(f"reset must list parts of the model, such as [decoder], or none; got {reset!r}")
    if not config.get("init"):
        raise ValueError("reset says what of a checkpoint is begun anew, and there is no init: name the checkpoint, or leave reset out")


def _check_model(config: Mapping[str, Any], kind: ModuleType) -> None:
    from textae.core.autoencoder import make_config
    from textae.core.objectives import Objective
    from textae.core.options import TrainerOptions
    from textae.core.prior import FITTED

    made = make_config(kind.model_classes(config["model"]["name"])[0], {k: v for k, v in config["model"].items() if k != "name"})
    if made.prior in FITTED:
        raise ValueError(f"model.prior={made.prior} is fitted after training: use the section prior: {{name: {made.prior}}}, and leave model.prior out")
    Objective.from_config(config["objective"], kind.terms())
    call(TrainerOptions, config.get("trainer", {}), where="trainer")


def _check_prior(config: Mapping[str, Any], kind: ModuleType) -> None:
    if not (prior := config.get("prior")):
        return
    from textae.core.autoencoder import make_config
    from textae.core.families import POSSIBLE_PRIORS, code_sizes
    from textae.core.prior import FITTED

    choose(dict.fromkeys(("standard", *FITTED)), _named(config, "prior"), "prior to fit")
    config_class = kind.model_classes(config["model"]["name"])[0]
    if "num_beams" in prior:
        raise ValueError("prior.num_beams: a prior is drawn from and never searched; beams belong to the decoding of one code, `textae sample --beams`")
    if prior["name"] != "standard":
        model = make_config(config_class, {k: v for k, v in config["model"].items() if k != "name"})
        if prior["name"] == "codes" and model.prior != "uniform_codes":
            raise ValueError(f"prior.name=codes is for codes of a codebook, and the model {config['model']['name']!r} has none: fit mixture or flow")
        if prior["name"] not in (possible := POSSIBLE_PRIORS[model.posterior]):
            raise ValueError(f"prior.name={prior['name']} is no prior of codes with posterior={model.posterior}, which can have {', '.join(possible)}: leave the section out")
        if model.posterior == "quantized" and prior["name"] == "codes":
            prior |= {k: v for k, v in code_sizes(model).items() if k not in prior}
    options = {k: v for k, v in prior.items() if k not in ("name", "fit", "limit")}
    made = _fresh_prior(config)
    check_counts("prior", limit=prior.get("limit", LIMIT))
    if prior["name"] == "standard":
        check_keys(prior.get("fit") or {}, [], "prior.fit")
        return
    make_config(config_class, {**{k: v for k, v in config["model"].items() if k not in ("name", "prior", "prior_options")}, "prior": prior["name"], "prior_options": options})
    check_keys(prior.get("fit") or {}, _fit_defaults(made), "prior.fit")
    check_prior_fit(config)


def check_prior_fit(config: Mapping[str, Any], num: int | None = None) -> None:
    """Refuse what the prior of a resolved config cannot be fitted to: the codes of `num` examples; None: of as many as it would take."""
    if (prior := config.get("prior") or {}).get("name", "standard") == "standard":
        return
    made, limit = _fresh_prior(config), prior.get("limit", LIMIT)
    call(made.check_fit, {"num": limit if num is None else min(num, limit), **_fit_defaults(made), **(prior.get("fit") or {})}, where="prior.fit")


def _fresh_prior(config: Mapping[str, Any]) -> Any:
    """What the section `prior` would have fitted."""
    from textae.core.prior import PRIORS

    model, options = config["model"], {k: v for k, v in config["prior"].items() if k not in ("name", "fit", "limit")}
    dim = model.get("latent_dim", of_model(model["name"]).model_classes(model["name"])[0].latent_dim)
    return call(PRIORS[config["prior"]["name"]], {"dim": dim, **options}, where="prior")


def _fit_defaults(prior: Any) -> dict[str, Any]:
    return {k: p.default for k, p in arguments(prior.fit).items() if k not in ("z_ND", "seed")}


def _check_rest(config: Mapping[str, Any]) -> None:
    check_keys(config.get("save", {}), ["dtype"], "save")
    if config["data"].get("batch_size") == 1:
        alone = [f"objective.{name}" for name in ("mmd", "total_correlation") if name in config["objective"]]
        if (config["model"].get("posterior_options") or {}).get("mean_scale"):
            alone.append("model.posterior_options.mean_scale")
        if alone:
            raise ValueError(f"{' and '.join(alone)} compare the examples of a batch, and data.batch_size is 1: set it to 2 or more")
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
