"""How to train: the plain options of a `Trainer`, checked when they are made."""

import math
from dataclasses import dataclass, field, fields
from importlib.util import find_spec

from textae.core.config import nearest

PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
TRACKERS = ("tensorboard", "wandb", "trackio")
DECAYS = ("none", "linear", "cosine")


@dataclass
class TrainerOptions:
    """How to train.

    Attributes:
        epochs: Passes over the data; with `max_steps`, whichever ends first.
        max_steps: Optimizer steps; 0 leaves the end to `epochs`. A stream that decays its rate needs it.
        lr: Peak learning rate of Adam; a critic's is relative to it.
        warmup: Steps of a linear climb to `lr`.
        decay: "none", "linear" or "cosine", from the warm-up's end to the last step.
        final_lr: What the decay ends at, as a share of `lr`.
        betas: Of Adam.
        weight_decay: Decoupled (AdamW); 0 is none.
        clip: Largest norm of each player's gradient; 0 does not clip.
        accumulate: Batches whose gradients are averaged into one step.
        aggressive: Encoder-only steps at most before each step of the decoder, as long as held-out mutual information climbs
            (He et al. 2019, who take 100); 0: none.
        aggressive_window: Of these, how many are averaged to see whether the bound still improves; their code takes 15.
        precision: "fp32", "bf16" or "fp16" (fp16 on a GPU only), by autocast; weights stay float32.
        seed: Of everything.
        eval_every: Steps between validations; 0 is once an epoch (needs a data set of known length).
        save_every: Steps between resumable states; 0 is at every validation.
        log_every: Steps between lines of the log.
        keep: Resumable states kept; older ones are deleted.
        select: Weights that `model/` holds: "best" (lowest validation loss) or "last". A β below one trains another
            objective than the ELBO that validation measures: take "last" there.
        patience: Validations without a better ELBO before training stops; 0 never stops early.
        log_with: Trackers beside the JSONL log: any of tensorboard, wandb, trackio.
        progress: Whether to draw a progress bar.
        device: "auto" or "cpu".
    """

    epochs: int = 10
    max_steps: int = 0
    lr: float = 1e-3
    warmup: int = 0
    decay: str = "none"
    final_lr: float = 0.0
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    weight_decay: float = 0.0
    clip: float = 5.0
    accumulate: int = 1
    aggressive: int = 0
    aggressive_window: int = 15
    precision: str = "fp32"
    seed: int = 0
    eval_every: int = 0
    save_every: int = 0
    log_every: int = 50
    keep: int = 2
    select: str = "best"
    patience: int = 0
    log_with: list[str] = field(default_factory=list)
    progress: bool = True
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, kind in {f.name: f.type for f in fields(self)}.items():
            value, expected = getattr(self, name), getattr(kind, "__origin__", kind)
            good = isinstance(value, int | float) if expected is float else isinstance(value, expected)
            if not good or (isinstance(value, bool) and expected is not bool):
                raise ValueError(f"trainer.{name} is {value!r}; it must be of type {expected.__name__}")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"trainer.{name} is {value}; it must be finite")
        for name in ("epochs", "accumulate", "log_every", "keep", "aggressive_window"):
            if getattr(self, name) < 1:
                raise ValueError(f"trainer.{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("max_steps", "warmup", "eval_every", "save_every", "patience", "weight_decay", "clip", "lr", "aggressive"):
            if getattr(self, name) < 0:
                raise ValueError(f"trainer.{name} is {getattr(self, name)}; it cannot be negative")
        if not 0 <= self.final_lr <= 1:
            raise ValueError(f"trainer.final_lr is {self.final_lr}; it is a share of trainer.lr, from 0 to 1")
        if self.seed < 0:
            raise ValueError(f"trainer.seed is {self.seed}; it cannot be negative")
        if 0 < self.aggressive < 2 * self.aggressive_window:
            raise ValueError(
                f"trainer.aggressive is {self.aggressive}; to see whether the bound still improves it takes two windows of "
                f"trainer.aggressive_window={self.aggressive_window}: set it to {2 * self.aggressive_window} or more, or to 0 (none)"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f"trainer.precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}")
        if self.decay not in DECAYS:
            raise ValueError(f"trainer.decay is {self.decay!r}; it must be one of {', '.join(DECAYS)}")
        for name in self.log_with:
            if name not in TRACKERS:
                raise ValueError(f"trainer.log_with names {name!r}: {nearest(name, TRACKERS)}")
            if find_spec(name) is None:
                raise ValueError(f"trainer.log_with={name} needs a package that is not installed: pip install {name}")
        if len(self.betas) != 2 or not all(isinstance(b, float | int) and 0 <= b < 1 for b in self.betas):
            raise ValueError(f"trainer.betas is {self.betas}; it must be two numbers from 0 to below 1")
        if self.select not in ("best", "last"):
            raise ValueError(f"trainer.select is {self.select!r}; it must be best or last")
        if self.device not in ("auto", "cpu"):
            raise ValueError(f"trainer.device is {self.device!r}; it must be auto or cpu")
