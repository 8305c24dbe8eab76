"""One greedy layer: a denoising, contractive or plain autoencoder of what the layers below yield.

Shapes: N examples, B of a batch, F units of a level.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear
from tqdm import tqdm

from textae.core.schedules import Constant, Cosine, Linear, Schedule
from vision.levels import Level
from vision.models.mlp import MLPAutoencoder
from vision.options import StackOptions
from vision.rbm import WATCHED

RANGES = {"pixels": (0.0, 1.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # of units that have a least and a greatest value


@dataclass(frozen=True)
class LayerEpoch:
    """What an epoch of a greedy layer ended with; errors are of clean inputs, on the first 2,000 examples.

    Attributes:
        epoch: From 1.
        cost: Mean reconstruction cost of the training batches, corrupted as they were: nats or squared error, summed
            over units.
        contraction: Their mean squared Frobenius norm of the Jacobian, unweighted; None for other layers.
        reconstruction_error: Squared error summed over units, mean over examples.
        valid_error: The same of the validation data; None without.
        seconds: Since the layer's start.
    """

    epoch: int
    cost: float
    contraction: float | None
    reconstruction_error: float
    valid_error: float | None
    seconds: float


def corrupt(
    x: Tensor, noise: str, level: float, generator: torch.Generator, limits: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """A corrupted copy of `x`.

    Source: Vincent et al. 2010, sec. 3.

    Args:
        x: Any shape.
        noise: "masking": a share `level` becomes zero; "gaussian": N(0, level²) is added and not clipped;
            "salt_pepper": a share `level` becomes the least or the greatest value, a fair coin each.
        level: See there.
        generator: On the device of `x`.
        limits: The least and the greatest value.
    """
    if noise == "gaussian":
        return torch.empty_like(x).normal_(generator=generator).mul_(level).add_(x)
    chance = torch.empty_like(x).uniform_(generator=generator)
    if noise == "masking":
        return x * (chance >= level)
    return torch.where(chance < level / 2, limits[0], torch.where(chance < level, limits[1], x))


def contraction(layer: nn.Linear, activation: nn.Module, x: Tensor) -> Tensor:
    """‖∂h/∂x‖² of h = activation(W x + b), the squared Frobenius norm, for each example: (B, F) gives (B,).

    Elementwise activations leave Σ_j a'_j² Σ_i W_ji² (Rifai et al. 2011, for any activation).
    """
    return _squared_jacobian(layer.weight, activation, layer(x))[1]


def _squared_jacobian(weight: Tensor, activation: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Activations, and the squared norm of their Jacobian; `inputs` are what the activation receives."""
    h = activation(inputs)
    slopes = torch.autograd.grad(h.sum(), inputs, create_graph=True)[0]
    return h, slopes.square() @ weight.square().sum(1)


def reconstruction_cost(model: MLPAutoencoder, level: Level, loss: str) -> Callable[[Tensor, Tensor], Tensor]:
    """What a level's reconstruction costs, summed over units: linear outputs and inputs, both (B, F), give (B,).

    Raises:
        ValueError: Cross-entropy was asked for where inputs or outputs are not in [0, 1].
    """
    config = model.config
    if loss == "auto" and level.below == "pixels":
        shape = (-1, config.channels, config.height, config.width)
        return lambda outputs, x: model.likelihood.nll(outputs.view(shape), x.view(shape)).flatten(1).sum(1)
    shares = level.link == "sigmoid" and level.below in ("pixels", "sigmoid")
    if loss == "cross_entropy" and not shares:
        raise ValueError(
            f"cross-entropy needs inputs in [0, 1] and a sigmoid that decodes; layer {level.index} reads {level.below} units and decodes "
            f"by a {level.link} one: take pretraining.loss=auto or squared_error"
        )
    if shares and loss != "squared_error":
        return lambda outputs, x: binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(1)
    return lambda outputs, x: (level.undo(outputs) - x).square().sum(1)


def fit_layer(
    level: Level, cost: Callable[[Tensor, Tensor], Tensor], x: Tensor, options: StackOptions, seed: int = 0,
    valid: Tensor | None = None, name: str = "layer",
) -> list[LayerEpoch]:  # fmt: skip
    """Train one greedy autoencoder in place, from the weights it has; the same on every call with the same seed.

    Args:
        level: Its two layers, on the device of `x`.
        cost: From `reconstruction_cost`.
        x: Its clean inputs, shape (N, F).
        options: How.
        seed: Of order and noise.
        valid: Held-out inputs, only watched.
        name: For the progress bar and for errors.

    Raises:
        ValueError: Learning diverged.
    """
    torch.set_flush_denormal(True)  # Adam's moments decay into subnormals, which cost a CPU three times the epoch
    encoder, decoder = level.encoder, level.decoder
    tied = options.tied or decoder is None
    limits = RANGES.get(level.below, (0.0, 1.0))

    def decode(h: Tensor) -> Tensor:
        return linear(h, encoder.weight.T if tied else decoder.weight, level.decoder_bias)

    @torch.no_grad()
    def error(clean: Tensor) -> float:
        rebuilt = level.undo(decode(level.activation(encoder(clean))))
        return (rebuilt - clean).square().sum(1).mean().item()

    learned = [encoder.weight, encoder.bias, level.decoder_bias] + ([] if tied else [decoder.weight])
    fused = x.device.type in ("cpu", "cuda")
    optimizer = torch.optim.AdamW(learned, lr=options.lr, weight_decay=options.weight_decay, fused=fused)
    rate = learning_rate(options.decay, options.lr, 0.0, options.epochs * math.ceil(len(x) / options.batch_size))
    generator = torch.Generator(x.device).manual_seed(seed)
    history, step, started = [], 0, time.perf_counter()
    quiet = not (options.progress and sys.stderr.isatty())
    with tqdm(total=options.epochs, desc=name, unit="epoch", disable=quiet, dynamic_ncols=True) as bar:
        for epoch in range(1, options.epochs + 1):
            cost_sum, penalty_sum = torch.zeros((), device=x.device), torch.zeros((), device=x.device)
            for rows in torch.randperm(len(x), generator=generator, device=x.device).split(options.batch_size):
                optimizer.param_groups[0]["lr"] = rate(step)
                clean = x.index_select(0, rows)
                seen = corrupt(clean, options.noise, options.noise_level, generator, limits) if options.noise else clean
                if options.contraction is None:
                    costs = cost(decode(level.activation(encoder(seen))), clean)
                    loss = costs.mean()
                else:
                    h, penalties = _squared_jacobian(encoder.weight, level.activation, encoder(seen))
                    costs = cost(decode(h), clean)
                    loss = costs.mean() + options.contraction * penalties.mean()
                    penalty_sum += penalties.detach().sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                cost_sum += costs.detach().sum()
                step += 1
            mean, penalty = cost_sum.item() / len(x), penalty_sum.item() / len(x)
            rebuilt = error(x[:WATCHED])
            if not math.isfinite(mean + penalty + rebuilt):
                raise ValueError(f"{name} diverged in epoch {epoch}: lower pretraining.lr, now {options.lr}")
            history.append(
                LayerEpoch(
                    epoch, mean, None if options.contraction is None else penalty, rebuilt,
                    None if valid is None else error(valid[:WATCHED]), time.perf_counter() - started,
                )
            )  # fmt: skip
            bar.update()
            bar.set_postfix(error=f"{rebuilt:.3g}")
    optimizer.zero_grad()
    if tied and decoder is not None:
        with torch.no_grad():
            decoder.weight.copy_(encoder.weight.T)
    return history


def learning_rate(decay: str, start: float, end: float, steps: int) -> Schedule:
    """The rate at each step: constant, or from `start` to `end` over `steps` steps in a straight line or a cosine."""
    if decay == "none":
        return Constant(start)
    return Linear(start, end, steps) if decay == "linear" else Cosine(start, end, steps)
