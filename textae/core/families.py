"""The families of q(z|x) by name: what makes each, which priors fit it, and what cannot be. Their mathematics is elsewhere.

| family | what a code is | module | its own prior |
|---|---|---|---|
| gaussian | a draw of a diagonal Gaussian | `latent` | standard |
| point | the encoder's word, with nothing around it | `latent` | standard |
| vmf | a direction | `von_mises_fisher` | sphere |
| quantized | codes of a codebook side by side | `codebook` | uniform_codes |
| hierarchical | Gaussian groups, each given those above | `hierarchical` | hierarchical |
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from textae.core.codebook import QuantizedHead
from textae.core.config import call, choose
from textae.core.hierarchical import HierarchicalHead
from textae.core.latent import PosteriorHead
from textae.core.von_mises_fisher import SphereHead


def _gaussian(in_dim: int, latent_dim: int, mean_scale: float = 0.0) -> PosteriorHead:
    return PosteriorHead(in_dim, latent_dim, "gaussian", mean_scale=mean_scale)


def _point(in_dim: int, latent_dim: int, categories: int = 0) -> PosteriorHead:
    return PosteriorHead(in_dim, latent_dim, "point", categories)


FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "gaussian": _gaussian,
    "point": _point,
    "vmf": SphereHead,
    "quantized": QuantizedHead,
    "hierarchical": HierarchicalHead,
}
DENSITIES = ("gaussian", "vmf", "hierarchical")  # families with a density, and so with a KL and a bound
# The prior that a family is trained under where the config names none, and all that it can have.
OWN_PRIOR = {"gaussian": "standard", "point": "standard", "vmf": "sphere", "quantized": "uniform_codes", "hierarchical": "hierarchical"}
CODES = ("uniform_codes", "codes")
POSSIBLE_PRIORS = {
    "gaussian": ("standard", "learned_mixture", "vamp", "mixture", "flow"),
    "point": ("standard", "categorical", "generator", "mixture", "flow", *CODES),
    "vmf": ("sphere",),
    "quantized": (*CODES, "mixture", "flow"),
    "hierarchical": ("hierarchical", "mixture", "flow"),
}


def make_head(in_dim: int, config: Any) -> nn.Module:
    """What maps an encoder's features, (B, in_dim), to the posterior of an `AutoencoderConfig`."""
    options = {**config.posterior_options, **({"categories": config.categories} if config.categories else {})}
    return FAMILIES[config.posterior](in_dim, config.latent_dim, **options)


def check_family(kind: str, latent_dim: int, options: Mapping[str, Any]) -> None:
    """Refuse options that a family does not have or cannot take, without drawing a weight.

    Raises:
        ValueError: With the option and the reason.
    """
    for key in ("in_dim", "latent_dim", "categories"):
        if key in options:
            raise ValueError(f"posterior_options has no key {key!r}: the model's own settings say it")
    if latent_dim < 1:  # which another check tells
        return
    with torch.device("meta"):
        call(FAMILIES[kind], {"in_dim": 1, "latent_dim": latent_dim, **options}, where="posterior_options")


def own_prior(config: Any) -> tuple[str, dict[str, Any]]:
    """The prior of a config and its options: a family's own where none is named, with the sizes that both share."""
    name, options = config.prior, dict(config.prior_options)
    if name == "standard":
        name = OWN_PRIOR.get(config.posterior, name)
    if config.posterior == "quantized" and name in CODES:
        options = {**code_sizes(config), **options}
    if name == "hierarchical":
        options = {**{k: config.posterior_options[k] for k in ("groups", "hidden_dim") if k in config.posterior_options}, **options}
    if name == "vamp":
        options = {"width": config.input_dim, **options}
    return name, options


def code_sizes(config: Any) -> dict[str, int]:
    """What a prior over codes must know of a quantized posterior's codebook."""
    options = config.posterior_options
    return {"num_codes": options.get("num_codes", QuantizedHead.NUM_CODES), "code_dim": options.get("code_dim") or config.latent_dim}


def check_prior(name: str, options: Mapping[str, Any], config: Any) -> None:
    """Refuse a prior whose draws would not look like the codes of a config.

    Raises:
        ValueError: With the reason, and what fits.
    """
    posterior, categories = config.posterior, config.categories
    if name == "standard" and categories:
        raise ValueError(f"a code with {categories} categories is not standard normal, nor would samples be: set prior=categorical")
    if name == "categorical" and options.get("categories", categories) != categories:
        raise ValueError(f"the prior has {options['categories']} categories and the code {categories}: leave prior_options out")
    if name == "categorical" and not categories:
        raise ValueError("prior=categorical is for a code with categories: set categories, or prior=standard")
    possible = choose(POSSIBLE_PRIORS, posterior, "posterior")
    if name not in possible:
        raise ValueError(f"prior={name} is no prior of codes with posterior={posterior}: take one of {', '.join(possible)}")
    shared = {"codes": code_sizes, "uniform_codes": code_sizes} if posterior == "quantized" else {}
    for key, value in shared.get(name, lambda _: {})(config).items():
        if options.get(key) != value:
            raise ValueError(f"prior={name} has {key}={options.get(key)} and the codebook {value}: leave prior_options.{key} out")
    if name == "vamp" and options.get("width") != config.input_dim:
        raise ValueError(f"prior=vamp has width={options.get('width')} and the words {config.input_dim}: leave prior_options.width out")
    if name == "hierarchical" and options.get("groups") != config.posterior_options.get("groups"):
        raise ValueError("prior=hierarchical has other groups than the posterior: leave prior_options.groups out")
    if name == "vamp" and config.posterior_options.get("mean_scale"):
        raise ValueError("prior=vamp sends its pseudo-inputs through the encoder, and mean_scale would average them with the sentences: leave one out")
