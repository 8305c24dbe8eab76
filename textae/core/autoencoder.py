"""The contract of every autoencoder: what it computes, how it is initialized, saved and strictly loaded.

Shapes: B examples, D latent dimensions, A attributes.
"""

import json
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as hf_logging

from textae.core.config import call, check_keys, choose, nearest
from textae.core.families import check_family, check_prior, own_prior
from textae.core.latent import Posterior, check_categories
from textae.core.learned_prior import LearnedPrior
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
        posterior: "gaussian" (a VAE) or "point" (an AE, AAE or WAE); and where the model's class lists more in `families`, other
            names in `textae.core.families.FAMILIES`.
        posterior_options: Arguments of that family's head, apart from its sizes, such as `kappa`, `groups` or `num_codes`.
        categories: K of a point code whose first K dimensions are probabilities q(y|x) and the others a style; 0: none.
        prior: A name in `textae.core.prior.PRIORS`. "standard" is N(0, I), or the own prior of a family that has another;
            "categorical" is the same beside a one-hot vector, and what a code with categories needs; "uniform_codes" is that of a
            codebook's codes; those in `LEARNED` learn with the model; those in `FITTED` are fitted after training.
        prior_options: Arguments of that prior, apart from its dimension and what it shares with the posterior.
        attributes: Values of each attribute of its batches, by name; empty: none.
        conditioned: Whether the decoder is given them, p(x|z, a); False leaves them to the objective's terms alone.
    """

    families = ("gaussian", "point")  # what a model class without heads of its own choice can have
    input_dim = 0  # width of the vectors that may stand in the place of its input; 0: there are none

    latent_dim: int = 32
    posterior: str = "gaussian"
    posterior_options: dict[str, Any] = field(default_factory=dict)
    categories: int = 0
    prior: str = "standard"
    prior_options: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    conditioned: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        """A family whose codes are not standard normal gets its own prior."""
        if isinstance(self.posterior, str) and isinstance(self.prior_options, dict) and isinstance(self.posterior_options, dict):
            self.prior, self.prior_options = own_prior(self)  # of other types `strict` tells
        super().__post_init__(**kwargs)

    @property
    def decoder_attributes(self) -> dict[str, list[str]]:
        """The attributes that the decoder is given."""
        return self.attributes if self.conditioned else {}

    def validate_kinds(self) -> None:
        """Posterior and prior exist and fit the code; called by `strict` after the types are checked."""
        choose(dict.fromkeys(self.families), self.posterior, "posterior")
        choose(PRIORS, self.prior, "prior")
        check_categories(self.categories, self.latent_dim, self.posterior)
        if self.posterior_options and self.families is AutoencoderConfig.families:
            raise ValueError(f"posterior_options is {self.posterior_options}, and this model's posterior has none: leave it out")
        check_family(self.posterior, self.latent_dim, self.posterior_options)
        check_prior(self.prior, self.prior_options, self)
        if self.latent_dim >= 1:
            options = {**self.prior_options, **({"categories": self.categories} if self.prior == "categorical" else {})}
            with torch.device("meta"):
                call(PRIORS[self.prior], {"dim": self.latent_dim, **options}, where="prior_options")

    def validate_sizes(self) -> None:
        """Every width and count is at least one; called by `strict` after the types are checked."""
        for name, value in vars(self).items():
            if name.endswith(("_dim", "_size")) or name.startswith("num_"):
                if isinstance(value, int) and value < 1:
                    raise ValueError(f"{name} is {value}; it must be at least 1")


def make_config(config_class: type[AutoencoderConfig], settings: Mapping[str, Any], where: str = "model") -> AutoencoderConfig:
    """A config from plain settings, checked.

    Raises:
        ValueError: Unknown key (with the nearest known one), wrong type, or a size below one.
    """
    known = [f.name for f in fields(config_class) if not f.name.startswith("_")]
    check_keys(settings, known, where)
    for key, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where}.{key} is {value}; it must be finite")
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
    encoder_modules: tuple[str, ...] = ()  # dotted names of what q(z|x) alone is made of; empty: nobody says
    shared_modules: tuple[str, ...] = ()  # what both sides read, such as word vectors

    def __init__(self, config: AutoencoderConfig):
        super().__init__(config)
        options = dict(config.prior_options)
        if config.prior == "categorical":
            options["categories"] = config.categories
        self.prior = choose(PRIORS, config.prior, "prior")(config.latent_dim, **options)
        self.prior.requires_grad_(self._prior_learns)

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
        check_prior(name, options, self.config)
        self.prior = prior.to(self.device)
        self.prior.requires_grad_(self._prior_learns)
        self.config.prior = name
        self.config.prior_options = dict(options)

    @property
    def _prior_learns(self) -> bool:
        """Whether the prior's parameters are the model's own; others are fitted after training, never by it."""
        return isinstance(self.prior, LearnedPrior) and self.prior.in_model

    @property
    def has_standard_prior(self) -> bool:
        """Whether the analytic KL of the posterior is the KL to this model's prior."""
        return isinstance(self.prior, StandardNormal)

    def take_weights(self, folder: str | Path, reset: Sequence[str] = ()) -> None:
        """Copy a checkpoint's weights, but for parts that shall stay as they are (a decoder's fresh start; Li et al. 2019, sec. 3).

        Args:
            folder: With `model.safetensors` of a model of this type; its config may differ where the kept weights do not.
            reset: Dotted names of modules or weights, such as "decoder" or "head.logvar". What both sides read
                (`shared_modules`) is taken with the encoder, unless it is named itself; a prior is taken only where it learns with
                the model and `reset` does not name it.

        Raises:
            ValueError: A name that the model does not have, or a weight that is missing, left over or of another shape.
        """
        path, own = Path(folder) / "model.safetensors", self.state_dict(keep_vars=True)
        if not path.is_file():
            raise ValueError(f"{str(folder)!r} has no model.safetensors to take weights from")
        check_config_type(Path(folder), self.config_class)
        for name in reset:
            if not any(is_part(key, name) for key in own):
                raise ValueError(f"reset names {name!r}, which this model does not have: {nearest(name, {k.rpartition('.')[0] or k for k in own})}")
        skipped = [*reset, *(() if self._prior_learns else ("prior",))]

        def stays(key: str) -> bool:
            shared = [s for s in self.shared_modules if is_part(key, s) and s not in skipped]
            return not shared and any(is_part(key, name) for name in skipped)

        firsts: dict[int, str] = {}  # of a weight with several names, such as a tied output layer's, which goes by its first
        for key, tensor in own.items():
            firsts.setdefault(id(tensor), key)
        try:
            stored = {firsts[id(own[k])] if k in own else k: t for k, t in load_file(path).items()}
            found = {k: t for k, t in stored.items() if not stays(k)}
        except SafetensorError as error:
            raise ValueError(f"the weights in {str(folder)!r} are damaged or truncated ({error}); fetch or save them again") from None
        wanted = {k: own[k] for k in firsts.values() if not stays(k)}
        wrong = [f"{k} is missing" for k in wanted if k not in found] + [f"{k} is left over" for k in found if k not in wanted]
        wrong += [f"{k} is {tuple(found[k].shape)}, here {tuple(t.shape)}" for k, t in wanted.items() if k in found and found[k].shape != t.shape]
        if wrong:
            raise ValueError(f"the weights in {str(folder)!r} do not fit: {'; '.join(wrong[:5])}; name the part in reset, or change the model")
        with torch.no_grad():
            for key, tensor in wanted.items():
                tensor.copy_(found[key])

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
        model.prior.requires_grad_(model._prior_learns)  # loading makes new parameters, which want gradients again
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


def is_part(key: str, name: str) -> bool:
    """Whether a weight's dotted name is `name` or lies in the module of that name."""
    return key == name or key.startswith(f"{name}.")


def check_config_type(folder: Path, config_class: type[PreTrainedConfig]) -> dict[str, Any]:
    """The config of a local checkpoint as plain values.

    Raises:
        ValueError: It is damaged, or of another model type.
    """
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is not valid JSON: the checkpoint is damaged") from None
    found = content.get("model_type")
    if found != config_class.model_type:
        raise ValueError(f"{str(folder)!r} holds a model of type {found!r}, not {config_class.model_type!r}")
    return content


def check_config_file(folder: str, config_class: type[PreTrainedConfig]) -> None:
    """Refuse a local checkpoint of another model type or with keys that its config class does not know.

    Hub names are left to transformers, which downloads before it reads.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        return
    content = check_config_type(path.parent, config_class)
    written_by_library = ("architectures", "dtype", "model_type", "transformers_version", "_name_or_path")
    make_config(config_class, {k: v for k, v in content.items() if k not in written_by_library}, where=str(path))
