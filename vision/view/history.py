"""How codes move while a model learns: the same examples seen at many moments, with the exact pull of the loss on each.

Nothing is drawn here. Shapes: K moments, N examples, D latent dimensions, P numbers of one output.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.data import Batch, Batches, Splits
from textae.core.objectives.base import Objective
from textae.core.options import TrainerOptions
from textae.core.trainer import Trainer

FILE = "history.safetensors"  # in a run's folder
UNITS = ("epoch", "step")
# Name in the file: field of `History`.
FIELDS = {
    "moments": "moments_K", "codes": "codes_KND", "gradients": "gradients_KND", "losses": "losses_K", "outputs": "outputs_KNP",
    "examples": "examples", "labels": "labels_N",
}  # fmt: skip


@dataclass(frozen=True)
class History:
    """What a model made of the same examples at some moments of its training.

    Attributes:
        moments_K: Epochs or steps done, ascending, int64; 0 is before the first.
        codes_KND: Posterior means.
        gradients_KND: dL/dz of each example's own loss, in nats per unit of code. The opposite direction is where the
            decoder and the other terms would have the code move.
        losses_K: Mean loss of the examples, nats.
        unit: "epoch" or "step".
        outputs_KNP: Expected outputs at the codes, flat; None where they were not kept.
        examples: What the model read, (N, ...); None where it was not kept.
        labels_N: Their labels, int64, -1 unlabelled; None where they have none.
    """

    moments_K: Tensor
    codes_KND: Tensor
    gradients_KND: Tensor
    losses_K: Tensor
    unit: str = "epoch"
    outputs_KNP: Tensor | None = None
    examples: Tensor | None = None
    labels_N: Tensor | None = None

    def __post_init__(self):
        shape = self.codes_KND.shape
        if len(shape) != 3 or self.gradients_KND.shape != shape or self.moments_K.shape != shape[:1] or self.losses_K.shape != shape[:1]:
            raise ValueError(f"a history of codes {tuple(shape)} needs gradients of the same shape and {len(self.codes_KND)} moments and losses")
        if self.outputs_KNP is not None and self.outputs_KNP.shape[:2] != shape[:2]:
            raise ValueError(f"outputs have shape {tuple(self.outputs_KNP.shape)} beside codes of {tuple(shape)}")
        for name, values in (("examples", self.examples), ("labels", self.labels_N)):
            if values is not None and len(values) != shape[1]:
                raise ValueError(f"a history of {shape[1]} codes has {len(values)} {name}; there must be one for each")
        if self.unit not in UNITS:
            raise ValueError(f"unit is {self.unit!r}; it must be one of {', '.join(UNITS)}")
        if (self.moments_K.diff() <= 0).any():
            raise ValueError("the moments of a history must ascend")

    def save(self, path: str | Path) -> None:
        """Write a safetensors file as a whole."""
        path = Path(path)
        tensors = {name: getattr(self, field) for name, field in FIELDS.items() if getattr(self, field) is not None}
        content = save({n: t.contiguous() for n, t in tensors.items()}, {"textae": json.dumps({"kind": "history", "unit": self.unit})})
        temporary = path.with_name(f".{path.name}.new")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OSError(f"could not write {path}: {error.strerror or error}") from None

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Read what `save` wrote.

        Raises:
            ValueError: There is no such file, it is damaged, or it holds something else.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"there is no history at {str(path)!r}: record one with record_history")
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {}).get("textae", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, ValueError, OSError) as error:
            raise ValueError(f"the history in {str(path)!r} is damaged ({error}): record it again") from None
        if about.get("kind") != "history" or not {"moments", "codes", "gradients", "losses"} <= set(tensors) <= set(FIELDS):
            raise ValueError(f"{str(path)!r} holds no history of a training")
        return cls(**{FIELDS[name]: tensor for name, tensor in tensors.items()}, unit=about.get("unit", ""))


@dataclass(frozen=True)
class Look:
    """One moment: fields as in `History`, without K."""

    codes_ND: Tensor
    gradients_ND: Tensor
    loss: float
    outputs_NP: Tensor | None = None


def look(model: Autoencoder, objective: Objective, batch: Batch, step: int, *, outputs: bool = False) -> Look:
    """Codes of a batch as they are now, and the exact gradient of the loss with respect to each, by autograd.

    The loss is the objective's, with its weights at `step`, at the posterior mean, and counted for each example alone:
    N times its share of the batch's mean. Training is left untouched: modes, gradients, buffers of terms and the global
    generator are as they were.

    Args:
        model: Any autoencoder.
        objective: Its terms, bound to the model.
        batch: The model's forward arguments, N examples.
        step: Optimizer steps done.
        outputs: Whether to keep the expected outputs too.
    """
    modes = model.training, objective.training
    buffers = copy.deepcopy(dict(objective.named_buffers()))
    batch = {name: t.to(model.device) for name, t in batch.items()}
    try:
        model.eval()
        objective.eval()
        with torch.random.fork_rng(), torch.enable_grad():
            with torch.no_grad():
                posterior = model.encode(**batch)
            code_ND = posterior.mean.detach().requires_grad_()
            posterior = replace(posterior, mean=code_ND)
            nll, count = model.nll(code_ND, **batch)
            loss, _ = objective(model, AutoencoderOutput(nll, posterior, code_ND, count), batch, step)
            (gradient_ND,) = torch.autograd.grad(loss * len(code_ND), code_ND)
        with torch.no_grad():
            decoded = model.generate(code_ND, batch.get("attributes")).flatten(1).cpu() if outputs else None
    finally:
        model.train(modes[0])
        objective.train(modes[1])
        for name, buffer in objective.named_buffers():
            buffer.copy_(buffers[name])
    return Look(code_ND.detach().cpu().clone(), gradient_ND.cpu(), loss.item(), decoded)


def history_of(looks: Mapping[int, Look], unit: str, examples: Tensor | None = None, labels_N: Tensor | None = None) -> History:
    """Looks by their moment, as one history."""
    moments = sorted(looks)
    seen = [looks[m] for m in moments]
    kept = [s.outputs_NP for s in seen if s.outputs_NP is not None]
    return History(
        torch.tensor(moments), torch.stack([s.codes_ND for s in seen]), torch.stack([s.gradients_ND for s in seen]),
        torch.tensor([s.loss for s in seen]), unit, torch.stack(kept) if kept else None, examples, labels_N,
    )  # fmt: skip


class _Watched:
    """A split that tells when an epoch begins: the trainer asks for its batches just then."""

    def __init__(self, batches: Batches, begin: Callable[[int], None]):
        self.batches, self.begin = batches, begin

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, *, skip: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        self.begin(epoch)
        return self.batches.epoch(epoch, skip=skip, rank=rank, world=world)

    def clean(self) -> Batches:
        return self.batches.clean()


def record_history(
    model: Autoencoder, objective: Objective, splits: Splits, out: str | Path, options: TrainerOptions, batch: Batch, *,
    labels_N: Tensor | None = None, config: Mapping[str, Any] | None = None, write_model: Callable[[Path, dict[str, Any]], None] | None = None,
) -> History:  # fmt: skip
    """Train by the core's `Trainer`, look at the same examples before every epoch and after the last, and keep what was seen.

    The model that is saved is the one that training without looking saves. `out/history.safetensors` is read by
    `write_view` when it is given the run's folder. With `trainer.select=last` its last moment is the saved model.

    Args:
        model, objective, splits, out, options, config, write_model: Of the trainer.
        batch: The examples to look at: the model's forward arguments, clean. Its pixels are kept as bytes.
        labels_N: Their labels, to be kept too.

    Returns:
        E + 1 moments for E epochs.

    Raises:
        ValueError: A stream, which has no epochs; and all that the trainer raises.
    """
    _check_epochs(splits)
    trainer = Trainer(model, objective, splits, out, options, config=None if config is None else dict(config), write_model=write_model)
    return film(trainer, batch, labels_N)


def film(trainer: Trainer, batch: Batch, labels_N: Tensor | None = None) -> History:
    """`record_history` with a trainer that is ready to fit: fits it."""
    splits, model, objective = trainer.splits, trainer.model, trainer.objective
    _check_epochs(splits)
    looks: dict[int, Look] = {}

    def begin(epoch: int) -> None:
        looks[epoch] = look(model, objective, batch, trainer.state.step)

    trainer.splits = Splits(_Watched(splits.train, begin), splits.valid)
    state = trainer.fit()
    looks[state.epoch + (state.batch > 0)] = look(model, objective, batch, state.step)
    pixels = batch["pixel_values"].clamp(0, 1).mul(255).round().to(torch.uint8)
    history = history_of(looks, "epoch", pixels, labels_N)
    history.save(trainer.out / FILE)
    return history


def _check_epochs(splits: Splits) -> None:
    if not len(splits.train):
        raise ValueError("a stream has no epochs to look between: record a data set of known length")
