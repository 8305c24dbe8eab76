"""A classifier on a pretrained encoder, and its supervised fine-tuning. The test set belongs to whoever reports, never to `fine_tune`.

Shapes: N images, B of a batch, C, H, W of an image, K classes.
"""

import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from textae.core.config import choose
from textae.core.files import whole_folder
from vision.data.corruption import Corruption
from vision.greedy import corrupt, learning_rate
from vision.models.base import ACTIVATIONS
from vision.models.mlp import MLPAutoencoder
from vision.options import FineTuneOptions

MODEL_TYPE = "textae_classifier"
ROWS = 4096  # images scored at once; bounds the memory


class Classifier(nn.Module):
    """Dense layers and a softmax.

    Args:
        shape: C, H, W.
        hidden_dims: Widths of the hidden layers.
        activations: Their names, one for each.
        labels: Names of the K classes, in the order of their numbers.
        dropout: Rate at which hidden units are dropped in training.
        input_dropout: The same for pixels (Srivastava et al. 2014, app. A: 0.5 and 0.2).
    """

    def __init__(
        self, shape: Sequence[int], hidden_dims: Sequence[int], activations: Sequence[str], labels: Sequence[str], *,
        dropout: float = 0.0, input_dropout: float = 0.0,
    ):  # fmt: skip
        super().__init__()
        if len(shape) != 3 or any(n < 1 for n in (*shape, *hidden_dims)) or not hidden_dims or len(hidden_dims) != len(activations):
            raise ValueError(
                f"a classifier needs the shape (C, H, W) and a width and an activation for each hidden layer; got {list(shape)}, "
                f"{list(hidden_dims)} and {list(activations)}"
            )
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(f"labels is {list(labels)}; a classifier needs at least two classes with different names")
        for name, value in (("dropout", dropout), ("input_dropout", input_dropout)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} is {value}; it must be from 0 to below 1")
        self.config = {
            "model_type": MODEL_TYPE, "shape": list(shape), "hidden_dims": list(hidden_dims), "activations": list(activations),
            "labels": [str(label) for label in labels], "dropout": dropout, "input_dropout": input_dropout,
        }  # fmt: skip
        widths = [math.prod(shape), *hidden_dims]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.activations = nn.ModuleList(choose(ACTIVATIONS, name, "activation")() for name in activations)
        self.dropout, self.input_dropout = nn.Dropout(dropout), nn.Dropout(input_dropout)
        self.output = nn.Linear(widths[-1], len(labels))
        nn.init.zeros_(self.output.weight)  # a softmax alone is convex, and so starts without a draw
        nn.init.zeros_(self.output.bias)

    @classmethod
    def from_autoencoder(
        cls, model: MLPAutoencoder, labels: Sequence[str], *, code: bool = True, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> "Classifier":
        """All hidden layers of a pretrained encoder, copied, then its code where `code` says so, then a new softmax.

        Raises:
            ValueError: The model is no MLP, has nothing to build on, or a code that is not a plain layer.
        """
        if not isinstance(model, MLPAutoencoder):
            raise ValueError(f"a classifier is built on the encoder of an MLP autoencoder, not of {type(model).__name__}")
        config = model.config
        if code and (config.categories or config.k_sparse):
            raise ValueError("a code with categories or k_sparse is no plain layer: set code=False")
        num = len(config.hidden_dims)
        layers, widths = list(model.encoder), list(config.hidden_dims)
        names = [config.activation] * num if isinstance(config.activation, str) else list(config.activation)
        if code:
            layers, widths, names = [*layers, model.posterior_head.mean], [*widths, config.latent_dim], [*names, config.code_activation]
        if not layers:
            raise ValueError("the encoder has no hidden layers to classify by: set code=True")
        shape = (config.channels, config.height, config.width)
        classifier = cls(shape, widths, names, labels, dropout=dropout, input_dropout=input_dropout).to(model.device)
        with torch.no_grad():
            for own, trained in zip(classifier.layers, layers, strict=True):
                own.weight.copy_(trained.weight)
                own.bias.copy_(trained.bias)
        return classifier.eval()

    @property
    def labels(self) -> list[str]:
        """Names of the K classes."""
        return self.config["labels"]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (B, K), of images of shape (B, C, H, W) in [0, 1]."""
        x = self.input_dropout(images.flatten(1))
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = self.dropout(activation(layer(x)))
        return self.output(x)

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """p(class | image) without dropout, shape (N, K), on the CPU."""
        self._check_images(images, "images")
        training = self.training
        self.eval()
        device = self.output.weight.device
        found = torch.cat([self(part.to(device)).softmax(1).cpu() for part in images.split(ROWS)])
        self.train(training)
        return found

    def error_rate(self, images: Tensor, labels: Tensor) -> float:
        """Share of images whose most probable class is not their label, between 0 and 1.

        Args:
            images: Shape (N, C, H, W), in [0, 1].
            labels: int64, shape (N,).
        """
        self._check_labels(images, labels, "labels")
        return (self.probabilities(images).argmax(1) != labels.cpu()).double().mean().item()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, the folder as a whole or not at all."""
        with whole_folder(folder) as new:
            (new / "config.json").write_text(json.dumps(self.config, indent=2) + "\n", encoding="utf-8")
            save_file({name: t.detach().cpu().contiguous() for name, t in self.state_dict().items()}, new / "model.safetensors")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Classifier":
        """Load strictly, in eval mode, on the CPU.

        Raises:
            ValueError: There is no classifier in the folder, or its files are damaged or do not belong together.
        """
        folder = Path(folder)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "model.safetensors")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ValueError(f"{str(folder)!r} holds no classifier: {Path(error.filename or 'model.safetensors').name} is missing") from None
        except (ValueError, SafetensorError) as error:
            raise ValueError(f"the classifier in {str(folder)!r} is damaged ({error}); save or fetch it again") from None
        kind = config.pop("model_type", None) if isinstance(config, dict) else None
        if kind != MODEL_TYPE:
            raise ValueError(f"{str(folder)!r} holds a model of type {kind!r}, not a classifier")
        try:
            classifier = cls(**config)
            classifier.load_state_dict(weights)
        except (TypeError, RuntimeError) as error:
            raise ValueError(f"the classifier in {str(folder)!r} does not fit its own config: {' '.join(str(error).split())}") from None
        return classifier.eval()

    def _check_images(self, images: Tensor, where: str) -> None:
        shape = tuple(self.config["shape"])
        if images.dim() != 4 or tuple(images.shape[1:]) != shape or not len(images) or images.dtype != torch.float32:
            raise ValueError(
                f"{where} are {images.dtype} of shape {tuple(images.shape)}; the classifier reads float32 of shape "
                f"(N, {', '.join(map(str, shape))}), N at least 1"
            )
        low, high = images.min().item(), images.max().item()
        if not (low >= 0 and high <= 1):  # NaN is neither
            raise ValueError(f"{where} run from {low:.3g} to {high:.3g}; the classifier reads pixels in [0, 1]")

    def _check_labels(self, images: Tensor, labels: Tensor, where: str) -> None:
        self._check_images(images, "images")
        if labels.dtype != torch.int64 or labels.shape != (len(images),):
            raise ValueError(f"{where} are {labels.dtype} of shape {tuple(labels.shape)}; it must be int64 of shape ({len(images)},), one an image")
        low, high = labels.min().item(), labels.max().item()
        if low < 0 or high >= len(self.labels):
            raise ValueError(f"{where} run from {low} to {high}; the {len(self.labels)} classes are numbered from 0")


@dataclass(frozen=True)
class FineTuneEpoch:
    """What an epoch of fine-tuning ended with.

    Attributes:
        epoch: From 1.
        loss: Mean cross-entropy of the training batches as they were seen (noise, dropout, smoothing), nats.
        train_error: Their error rate, as they were seen.
        valid_error: Error rate of the validation images, of the averaged weights where there are such; None without.
        valid_loss: Their mean cross-entropy, nats; None without.
        seconds: Since the start.
    """

    epoch: int
    loss: float
    train_error: float
    valid_error: float | None
    valid_loss: float | None
    seconds: float


@dataclass(frozen=True)
class FineTuning:
    """A finished fine-tuning.

    Attributes:
        epochs: Each epoch's figures.
        best_epoch: Whose weights the classifier holds: of the lowest validation error, the lower loss where errors
            tie; the last one without validation.
        num_train, num_valid: Images that were learned from and validated on.
    """

    epochs: list[FineTuneEpoch]
    best_epoch: int
    num_train: int
    num_valid: int


def fine_tune(
    classifier: Classifier, images: Tensor, labels: Tensor, options: FineTuneOptions, seed: int = 0, *,
    valid: tuple[Tensor, Tensor] | None = None,
) -> FineTuning:  # fmt: skip
    """Train all layers on labels, in place; the classifier ends in eval mode with the best epoch's weights.

    The same on every call with the same seed and weights; torch's global generator is left as it was.

    Args:
        classifier: On the device where it is to be trained.
        images: Training images, shape (N, C, H, W), float32, in [0, 1].
        labels: int64, shape (N,).
        options: How.
        seed: Of the held-out images, order, noise and dropout.
        valid: Validation images and labels; None holds out `options.valid_share` of the training images.

    Raises:
        ValueError: Images, labels or options do not fit, or learning diverged.
    """
    classifier._check_labels(images, labels, "labels")
    if valid is not None:
        classifier._check_labels(*valid, "validation labels")
    device = classifier.output.weight.device
    torch.set_flush_denormal(True)  # Adam's moments decay into subnormals, which cost a CPU three times the epoch
    generator = torch.Generator(device).manual_seed(seed)
    images, labels = images.to(device), labels.to(device)
    if valid is None and options.valid_share:
        held_out = round(len(images) * options.valid_share)
        if not 1 <= held_out < len(images):
            raise ValueError(f"fine_tuning.valid_share={options.valid_share} of {len(images)} images leaves none for validation or training")
        order = torch.randperm(len(images), generator=generator, device=device)
        valid = images[order[:held_out]], labels[order[:held_out]]
        images, labels = images[order[held_out:]], labels[order[held_out:]]
    elif valid is not None:
        valid = valid[0].to(device), valid[1].to(device)
    if options.patience and valid is None:
        raise ValueError("fine_tuning.patience stops by the validation error: set valid_share above 0, or patience=0")
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout draws from the global generator
        epochs, best = _train(classifier, images, labels, valid, options, generator)
    return FineTuning(epochs, best, len(images), 0 if valid is None else len(valid[0]))


def _train(
    classifier: Classifier, images: Tensor, labels: Tensor, valid: tuple[Tensor, Tensor] | None, options: FineTuneOptions,
    generator: torch.Generator,
) -> tuple[list[FineTuneEpoch], int]:  # fmt: skip
    learned = list(classifier.parameters())
    if options.optimizer == "adam":
        fused = images.device.type in ("cpu", "cuda")
        optimizer = torch.optim.AdamW(learned, lr=options.lr, weight_decay=options.weight_decay, fused=fused)
    else:
        optimizer = torch.optim.SGD(learned, lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay)
    rate = learning_rate(
        options.decay, options.lr, options.lr * options.final_lr, options.epochs * math.ceil(len(images) / options.batch_size)
    )
    average = [p.detach().clone() for p in learned] if options.average else None
    changed = None if options.augmentation is None else Corruption.from_config(options.augmentation, where="fine_tuning.augmentation")
    history, kept, best, best_epoch, step, started = [], None, (math.inf, math.inf), 0, 0, time.perf_counter()
    quiet = not (options.progress and sys.stderr.isatty())
    with tqdm(total=options.epochs, desc="fine-tuning", unit="epoch", disable=quiet, dynamic_ncols=True) as bar:
        for epoch in range(1, options.epochs + 1):
            classifier.train()
            loss_sum, wrong = torch.zeros((), device=images.device), torch.zeros((), device=images.device)
            for rows in torch.randperm(len(images), generator=generator, device=images.device).split(options.batch_size):
                optimizer.param_groups[0]["lr"] = rate(step)
                seen, wanted = images.index_select(0, rows), labels[rows]  # indexing images takes four times as long
                if changed is not None:
                    seen = changed(seen)
                if options.noise is not None:
                    seen = corrupt(seen, options.noise, options.noise_level, generator)
                with torch.autocast(images.device.type, torch.bfloat16, enabled=options.precision == "bf16"):
                    logits = classifier(seen)
                logits = logits.float()
                loss = cross_entropy(logits, wanted, label_smoothing=options.label_smoothing)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                with torch.no_grad():
                    if options.max_norm:
                        for layer in classifier.layers:
                            layer.weight.copy_(torch.renorm(layer.weight, 2, 0, options.max_norm))
                    if average is not None:  # a young average leans on few weights, so it decays faster (as in TensorFlow)
                        share = 1 - min(options.average, (1 + step) / (10 + step))
                        torch._foreach_lerp_(average, learned, share)
                    loss_sum += loss.detach() * len(rows)
                    wrong += (logits.argmax(1) != wanted).sum()
            mean = loss_sum.item() / len(images)
            weights = average if average is not None else [p.detach() for p in learned]
            if not math.isfinite(mean + sum(w.abs().sum().item() for w in weights)):
                raise ValueError(f"fine-tuning diverged in epoch {epoch}: lower fine_tuning.lr, now {options.lr}")
            scores = (None, None) if valid is None else _score(classifier, learned, weights, *valid)
            history.append(FineTuneEpoch(epoch, mean, wrong.item() / len(images), *scores, time.perf_counter() - started))
            if valid is None or scores < best:
                kept, best, best_epoch = [w.clone() for w in weights], scores, epoch
            bar.update()
            bar.set_postfix(valid="-" if valid is None else f"{scores[0]:.2%}", refresh=False)
            if options.patience and epoch - best_epoch >= options.patience:
                break
    optimizer.zero_grad()
    _put(learned, kept)
    classifier.eval()
    return history, best_epoch


@torch.no_grad()
def _score(classifier: Classifier, learned: list[Tensor], weights: list[Tensor], images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Error rate and cross-entropy of `weights` on images; the classifier's own weights stay."""
    own = [p.clone() for p in learned]
    _put(learned, weights)
    classifier.eval()
    wrong = loss = 0.0
    for part, wanted in zip(images.split(ROWS), labels.split(ROWS), strict=True):
        logits = classifier(part)
        wrong += (logits.argmax(1) != wanted).sum().item()
        loss += cross_entropy(logits, wanted, reduction="sum").item()
    _put(learned, own)
    return wrong / len(images), loss / len(images)


@torch.no_grad()
def _put(parameters: list[Tensor], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
