"""The contract of every autoencoder: what it computes, how it is initialized, saved and strictly loaded.

Shapes: B examples, D latent dimensions, A attributes.
"""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as hf_logging

from textae.core.config import check_keys, choose
from textae.core.latent import POSTERIORS, Posterior, check_categories
from textae.core.prior import PRIORS, StandardNormal


@dataclass
class AutoencoderOutput:
    """What one forward pass yields; objectives and metrics read nothing else.

    Attributes:
        nll: -log p(x|z) in nats for each example, summed over its tokens or pixels, shape (B,).
        posterior: q(z|x).
        z: The code that `nll` was computed from, shape (B, D).
        count: Tokens (with the end mark) or pixels of each example, shape (B,).
    """

    nll: Tensor
    posterior: Posterior
    z: Tensor
    count: Tensor


@strict
class AutoencoderConfig(PreTrainedConfig):
    """What every autoencoder's config holds.

    Attributes:
        latent_dim: D.
        posterior: "gaussian" (a VAE) or "point" (an AE, AAE or WAE).
        categories: K of a point code whose first K dimensions are probabilities q(y|x) and the others a style; 0: none.
        prior: A name in `textae.core.prior.PRIORS`. "standard" is N(0, I); "categorical" is the same beside a one-hot
            vector, and what a code with categories needs; "uniform_codes" is that of a codebook's codes; the others are
            fitted after training.
        prior_options: Arguments of that prior, apart from its dimension; "categorical" needs none.
        attributes: Values of each attribute of its batches, by name; empty: none.
        conditioned: Whether the decoder is given them, p(x|z, a); False leaves them to the objective's terms alone.
    """

    latent_dim: int = 32
    posterior: str = "gaussian"
    categories: int = 0
    prior: str = "standard"
    prior_options: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    conditioned: bool = True

    @property
    def decoder_attributes(self) -> dict[str, list[str]]:
        """The attributes that the decoder is given."""
        return self.attributes if self.conditioned else {}

    def validate_kinds(self) -> None:
        """Posterior and prior exist and fit the code; called by `strict` after the types are checked."""
        choose(POSTERIORS, self.posterior, "posterior")
        choose(PRIORS, self.prior, "prior")
        check_categories(self.categories, self.latent_dim, self.posterior)
        check_prior(self.prior, self.prior_options, self.categories)

    def validate_sizes(self) -> None:
        """Every width and count is at least one; called by `strict` after the types are checked."""
        for name, value in vars(self).items():
            if name.endswith(("_dim", "_size")) or name.startswith("num_"):
                if isinstance(value, int) and value < 1:
                    raise ValueError(f"{name} is {value}; it must be at least 1")


def check_prior(name: str, options: Mapping[str, Any], categories: int) -> None:
    """Refuse a prior whose draws would not look like codes.

    Raises:
        ValueError: A standard normal for a code with categories, or a categorical prior for another number of them.
    """
    if name == "standard" and categories:
        raise ValueError(f"a code with {categories} categories is not standard normal, nor would samples be: set prior=categorical")
    if name == "categorical" and options.get("categories", categories) != categories:
        raise ValueError(f"the prior has {options['categories']} categories and the code {categories}: leave prior_options out")
    if name == "categorical" and not categories:
        raise ValueError("prior=categorical is for a code with categories: set categories, or prior=standard")


def make_config(config_class: type[AutoencoderConfig], settings: Mapping[str, Any], where: str = "model") -> AutoencoderConfig:
    """A config from plain settings, checked.

    Raises:
        ValueError: Unknown key (with the nearest known one), wrong type, or a size below one.
    """
    known = [f.name for f in fields(config_class) if not f.name.startswith("_")]
    check_keys(settings, known, where)
    try:
        return config_class(**settings)
    except StrictDataclassError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise ValueError(f"{where}: {lines[-1].partition(': ')[2] or lines[-1]}") from None


class Autoencoder(PreTrainedModel):
    """Base of all models, of sentences and of images.

    A subclass implements `encode`, `nll` and `generate`; each takes the batch's tensors by name and ignores those
    it does not need.
    """

    config_class = AutoencoderConfig
    base_model_prefix = ""
    _no_split_modules = None

    def __init__(self, config: AutoencoderConfig):
        super().__init__(config)
        options = dict(config.prior_options)
        if config.prior == "categorical":
            options["categories"] = config.categories
        self.prior = choose(PRIORS, config.prior, "prior")(config.latent_dim, **options)
        self.prior.requires_grad_(False)  # fitted after training, never by it

    @abstractmethod
    def encode(self, **batch: Tensor) -> Posterior:
        """q(z|x) of each example."""

    @abstractmethod
    def nll(self, z: Tensor, **batch: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) in nats for each example and its count of tokens or pixels, both of shape (B,)."""

    @abstractmethod
    def generate(self, latents: Tensor, **options: Any) -> Tensor:
        """Decode codes of shape (B, D) into token ids or pixels."""

    def forward(self, sample: bool = True, **batch: Tensor) -> AutoencoderOutput:
        """Encode, draw one code for each example (its mean where `sample` is False), and score the input under it."""
        posterior = self.encode(**batch)
        z = posterior.sample() if sample else posterior.mean
        nll, count = self.nll(z, **batch)
        return AutoencoderOutput(nll=nll, posterior=posterior, z=z, count=count)

    def set_prior(self, name: str, prior: nn.Module, options: dict[str, Any]) -> None:
        """Install a prior and write it into the config, so that it is saved and loaded with the model.

        Raises:
            ValueError: Its draws would not look like this model's codes.
        """
        check_prior(name, options, self.config.categories)
        self.prior = prior.to(self.device).requires_grad_(False)
        self.config.prior = name
        self.config.prior_options = dict(options)

    @property
    def has_standard_prior(self) -> bool:
        """Whether the analytic KL of the posterior is the KL to this model's prior."""
        return isinstance(self.prior, StandardNormal)

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own initialization for every kind of layer.

        The library's default overwrites linear layers with N(0, 0.02) and leaves recurrent layers and bare
        parameters as uninitialized memory when a checkpoint lacks them. Loading is strict here, so a missing weight
        is an error in any case; this keeps a fresh model as its author wrote it.
        """
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Write `config.json` and `model.safetensors`; without a progress bar for a file of a few megabytes."""
        with no_progress_bars():
            super().save_pretrained(save_directory, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, *args: Any, **kwargs: Any) -> "Autoencoder":
        """Load a checkpoint strictly, in float32 unless `dtype` says otherwise.

        Raises:
            ValueError: The checkpoint is of another model type, its config has an unknown key, its weights are
                damaged, or a weight is missing, unexpected or of another shape.
        """
        where = str(pretrained_model_name_or_path)
        kwargs.setdefault("dtype", torch.float32)
        kwargs.setdefault("use_safetensors", True)
        kwargs["ignore_mismatched_sizes"] = True  # reported below by name; the library's own error names no weight
        with_info = kwargs.pop("output_loading_info", False)
        if "config" not in kwargs:
            check_config_file(where, cls.config_class)
        try:
            with no_progress_bars():
                model, info = super().from_pretrained(where, *args, output_loading_info=True, **kwargs)
        except SafetensorError as error:
            raise ValueError(f"the weights in {where!r} are damaged or truncated ({error}); fetch or save them again") from None
        for key, what in (("missing_keys", "lack"), ("unexpected_keys", "hold the unexpected"), ("mismatched_keys", "misshape")):
            if names := info.get(key):
                listed = ", ".join(sorted(n if isinstance(n, str) else f"{n[0]} (stored {tuple(n[1])}, model {tuple(n[2])})" for n in names)[:5])
                raise ValueError(f"the weights in {where!r} {what} {listed}; {len(names)} such in all")
        model.prior.requires_grad_(False)  # loading makes new parameters, which want gradients again
        return (model, info) if with_info else model


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Silence transformers' bars for a moment; they are for models that take minutes."""
    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()


def check_config_file(folder: str, config_class: type[PreTrainedConfig]) -> None:
    """Refuse a local checkpoint of another model type or with keys that its config class does not know.

    Hub names are left to transformers, which downloads before it reads.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is not valid JSON: the checkpoint is damaged") from None
    found = content.get("model_type")
    if found != config_class.model_type:
        raise ValueError(f"{folder!r} holds a model of type {found!r}, not {config_class.model_type!r}")
    written_by_library = ("architectures", "dtype", "model_type", "transformers_version", "_name_or_path")
    make_config(config_class, {k: v for k, v in content.items() if k not in written_by_library}, where=str(path))
