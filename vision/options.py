"""How to pretrain and fine-tune: plain options, checked when they are made; what they do is in `pretraining` and `classifier`."""

from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, get_args

from textae.core.options import DECAYS

LAYERS = ("denoising", "contractive", "plain")
NOISES = ("masking", "gaussian", "salt_pepper")
LOSSES = ("auto", "cross_entropy", "squared_error")
OPTIMIZERS = ("adam", "sgd")


@dataclass
class RBMOptions:
    """How to train restricted Boltzmann machines; the defaults are those of Hinton & Salakhutdinov 2006.

    Attributes:
        epochs: Passes over the data for each layer.
        batch_size: Examples of an update.
        lr: Learning rate between Bernoulli units (Hinton 2010, sec. 7).
        gaussian_lr: The same where visible or hidden units are Gaussian (their sec. 13.2: one or two orders lower).
        momentum: In the first `momentum_epochs` epochs.
        final_momentum: After them (Hinton 2010, sec. 9).
        momentum_epochs: See there.
        weight_decay: L2 cost of the weights, not of the biases, times the learning rate (sec. 10).
        decay: "none", or "linear": the learning rate falls to zero over the epochs, as persistent chains want.
        steps: k, full Gibbs steps of the negative phase.
        persistent: Whether the negative phase goes on from where its chains stood (PCD, Tieleman 2008) instead of
            from the data (CD, Hinton 2002).
        chains: Persistent chains.
        sample_visible: Whether CD's reconstructions are drawn; otherwise they are probabilities or means (Hinton 2010,
            sec. 3.2). Persistent chains are always drawn.
        init_std: Standard deviation of the initial weights (sec. 8).
        sigma: Standard deviation of Gaussian visible units; 0 takes that of the data around their means.
        learn_sigma: Whether each Gaussian visible unit learns its own.
        start_layer: Layers below it are taken from the model as they are.
        stop_layer: The first layer not trained; 0 goes on to the code.
        progress: Whether to draw a progress bar for each layer, where there is a terminal.
    """

    epochs: int = 10
    batch_size: int = 100
    lr: float = 0.1
    gaussian_lr: float = 0.001
    momentum: float = 0.5
    final_momentum: float = 0.9
    momentum_epochs: int = 5
    weight_decay: float = 2e-4
    decay: str = "none"
    steps: int = 1
    persistent: bool = False
    chains: int = 100
    sample_visible: bool = False
    init_std: float = 0.1
    sigma: float = 0.0
    learn_sigma: bool = False
    start_layer: int = 0
    stop_layer: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        where = "pretraining"
        check_types(self, where)
        check_least(self, where, 1, "epochs", "batch_size", "steps", "chains")
        check_least(self, where, 0, "lr", "gaussian_lr", "momentum_epochs", "weight_decay", "init_std", "sigma", "start_layer", "stop_layer")
        check_shares(self, where, "momentum", "final_momentum")
        check_names(self, where, decay=("none", "linear"))


@dataclass
class StackOptions:
    """How to train greedy layers, each an autoencoder of what the layer below yields.

    Attributes:
        layer: "denoising" (Vincent et al. 2010), "contractive" (Rifai et al. 2011) or "plain".
        epochs: Passes over the data for each layer.
        batch_size: Examples of an update.
        lr: Of Adam.
        decay: "none", "linear" or "cosine": the learning rate falls to zero over the epochs.
        weight_decay: Decoupled (AdamW).
        noise: Of a denoising layer: "masking" (to zero), "gaussian" (added) or "salt_pepper" (to the least or
            greatest value); None is masking there.
        noise_level: Share of the inputs that are masked or salted, or the standard deviation; None is 0.25 there.
        contraction: Weight of a contractive layer's squared Frobenius norm of the Jacobian; None is 0.1 there.
        loss: "cross_entropy" in nats or "squared_error", summed over units; "auto" takes the model's own likelihood
            for pixels, and above them cross-entropy where both sides are sigmoid and squared error elsewhere.
        tied: Whether a layer decodes by its transposed weights while it is trained; the unrolled decoder then starts
            from them. A tied model needs tied layers.
        start_layer: Layers below it are taken from the model as they are.
        stop_layer: The first layer not trained; 0 goes on to the code.
        progress: Whether to draw a progress bar for each layer, where there is a terminal.
    """

    layer: str = "denoising"
    epochs: int = 10
    batch_size: int = 100
    lr: float = 1e-3
    decay: str = "none"
    weight_decay: float = 0.0
    noise: str | None = None
    noise_level: float | None = None
    contraction: float | None = None
    loss: str = "auto"
    tied: bool = True
    start_layer: int = 0
    stop_layer: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        where = "pretraining"
        check_types(self, where)
        check_least(self, where, 1, "epochs", "batch_size")
        check_least(self, where, 0, "lr", "weight_decay", "start_layer", "stop_layer")
        check_names(self, where, layer=LAYERS, decay=DECAYS, loss=LOSSES)
        if self.layer == "denoising":
            self.noise = "masking" if self.noise is None else self.noise
            self.noise_level = 0.25 if self.noise_level is None else self.noise_level
            check_noise(self, where)
        elif self.noise is not None or self.noise_level is not None:
            raise ValueError(f"pretraining.noise and noise_level are for denoising layers; the layers are {self.layer}: leave them out")
        if self.layer == "contractive":
            self.contraction = 0.1 if self.contraction is None else self.contraction
            check_least(self, where, 0, "contraction")
        elif self.contraction is not None:
            raise ValueError(f"pretraining.contraction is for contractive layers; the layers are {self.layer}: leave it out")


@dataclass
class FineTuneOptions:
    """How to fine-tune a classifier.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Examples of an update.
        optimizer: "adam" (with decoupled weight decay) or "sgd" (with `momentum` and L2).
        lr: Learning rate of the first step.
        decay: "none", "linear" or "cosine", from the first step to the last.
        final_lr: What the decay ends at, as a share of `lr`.
        momentum: Of sgd.
        weight_decay: See `optimizer`.
        max_norm: Largest norm of the weights into one hidden unit (Srivastava et al. 2014, sec. 5.1); 0 sets no limit.
        average: Decay of an exponential moving average of the weights, which is what is validated and kept; 0 is off.
        label_smoothing: Share of the target that is spread over all classes (Szegedy et al. 2016, sec. 7).
        noise: Corruption of the training images: "masking", "gaussian" or "salt_pepper"; None leaves them clean.
        noise_level: Share of pixels, or the standard deviation.
        augmentation: Changes of the training images before the noise, as `data.augmentation` of a config: such as
            {kind: affine, rotate: 10, shift: 1}.
        valid_share: Share of the training images held out for validation where none are given; 0 validates nothing
            and keeps the last weights.
        patience: Epochs without a lower validation error before training stops; 0 never stops early.
        precision: "fp32" or "bf16", of the training steps' products; weights and validation stay in float32.
        progress: Whether to draw a progress bar, where there is a terminal.
    """

    epochs: int = 50
    batch_size: int = 100
    optimizer: str = "adam"
    lr: float = 1e-3
    decay: str = "linear"
    final_lr: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    max_norm: float = 0.0
    average: float = 0.0
    label_smoothing: float = 0.0
    noise: str | None = None
    noise_level: float | None = None
    augmentation: dict | list | None = None
    valid_share: float = 1 / 6
    patience: int = 0
    precision: str = "fp32"
    progress: bool = True

    def __post_init__(self) -> None:
        where = "fine_tuning"
        check_types(self, where)
        check_least(self, where, 1, "epochs", "batch_size")
        check_least(self, where, 0, "lr", "final_lr", "weight_decay", "max_norm", "patience")
        check_shares(self, where, "momentum", "average", "label_smoothing", "valid_share")
        check_names(self, where, optimizer=OPTIMIZERS, decay=DECAYS, precision=("fp32", "bf16"))
        if (self.noise is None) != (self.noise_level is None):
            raise ValueError(f"{where}.noise is {self.noise!r} and noise_level {self.noise_level}: give both or neither")
        if self.noise is not None:
            check_noise(self, where)


def check_types(options: Any, where: str) -> None:
    """Raise a ValueError that names the first field whose value is not of its declared type."""
    for field in fields(options):
        value = getattr(options, field.name)
        kinds = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        wanted = tuple({float: int | float}.get(kind, kind) for kind in kinds)
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
            raise ValueError(f"{where}.{field.name} is {value!r}; it must be of type {names}")


def check_least(options: Any, where: str, least: int, *names: str) -> None:
    """Raise a ValueError that names the first of `names` that is below `least`, infinite or NaN."""
    for name in names:
        if not least <= getattr(options, name) < float("inf"):
            raise ValueError(f"{where}.{name} is {getattr(options, name)}; it must be a number of at least {least}")


def check_shares(options: Any, where: str, *names: str) -> None:
    """Raise a ValueError that names the first of `names` outside [0, 1)."""
    for name in names:
        if not 0 <= getattr(options, name) < 1:
            raise ValueError(f"{where}.{name} is {getattr(options, name)}; it must be from 0 to below 1")


def check_names(options: Any, where: str, **known: tuple[str, ...]) -> None:
    """Raise a ValueError that lists what a field may be."""
    for name, names in known.items():
        if getattr(options, name) not in names:
            raise ValueError(f"{where}.{name} is {getattr(options, name)!r}; it must be one of {', '.join(names)}")


def check_noise(options: Any, where: str) -> None:
    """The noise exists and its level is one."""
    check_names(options, where, noise=NOISES)
    top = float("inf") if options.noise == "gaussian" else 1
    if not 0 < options.noise_level < top:
        asked = "above 0" if options.noise == "gaussian" else "a share between 0 and 1"
        raise ValueError(f"{where}.noise_level is {options.noise_level}; for {options.noise} noise it must be {asked}")
