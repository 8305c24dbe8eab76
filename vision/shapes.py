"""The toy shapes of "An Interactive Introduction to Autoencoders" (Bertucci, VISxAI 2021): 25 points in space, a small
network that flattens them to a plane and back, and the film of its training. Points are images of 1 x 3 pixels here.

Shapes: N points, K recorded moments.
"""

import math

import torch
from torch import Tensor

from textae.core.objectives import TERMS, Objective
from textae.core.space import seeded
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.view.history import History, history_of, look

NUM_POINTS = 25
LR = 0.01  # of Adam, as in the article


def _curve(name: str) -> tuple[Tensor, Tensor, Tensor]:
    index = torch.arange(NUM_POINTS, dtype=torch.float64)
    angle, line = 2 * math.pi * index / NUM_POINTS, 2 * index / NUM_POINTS - 1
    return {
        "circle": (angle.cos(), angle.sin(), angle.sin()),
        "roller": (angle.cos(), angle.sin(), (2 * angle).sin()),
        "sin": (angle.sin(), index, index),
        "twisted cubic": (line, line**2, line**3),
    }[name]


SHAPES = ("circle", "roller", "sin", "twisted cubic")


def shape(name: str) -> Tensor:
    """The points of a shape, float32 (25, 3), each coordinate scaled to 0.5 + v / (2 max |v|), as the article's data are.

    Raises:
        ValueError: There is no such shape.
    """
    if name not in SHAPES:
        raise ValueError(f"there is no shape {name!r}; choose one of {', '.join(SHAPES)}")
    return torch.stack([0.5 + v / (2 * v.abs().max()) for v in _curve(name)], 1).float()


def shape_pixels(name: str) -> Tensor:
    """The points of a shape as the model reads them, (25, 1, 1, 3)."""
    return shape(name).view(NUM_POINTS, 1, 1, 3)


def shape_model(seed: int = 0) -> MLPAutoencoder:
    """The article's network, untrained: 3-64-64-2-2 to the code and 2-2-64-64-3 back, tanh in all hidden layers."""
    config = MLPConfig(
        channels=1, height=1, width=3, latent_dim=2, hidden_dims=[64, 64, 2], activation="tanh", posterior="point", likelihood="gaussian"
    )  # fmt: skip
    with seeded(seed):
        return MLPAutoencoder(config)


def record(model: MLPAutoencoder, points: Tensor, *, steps: int = 1000, every: int = 20, lr: float = LR) -> History:
    """Train on all points at once with Adam, and look before the first step, after every `every`-th, and after the last.

    The loss is the squared error of a point, summed over its coordinates, plus a constant (a Gaussian of variance 1/2).

    Args:
        model: Trained in place; left in eval mode.
        points: Shape (N, 3).
        steps: Of the optimizer.
        every: Steps between looks.
        lr: Of Adam.

    Returns:
        Codes, exact dL/dz, losses and the reconstructed points (N, 3) of each moment.

    Raises:
        ValueError: Points of another shape, or a count below one.
    """
    if points.dim() != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"points have shape {tuple(points.shape)}; they must be (N, 3) with at least one row")
    if steps < 1 or every < 1:
        raise ValueError(f"steps is {steps} and every is {every}; each must be at least 1")
    objective = Objective.from_config({"reconstruction": None}, TERMS)
    objective.bind(model)
    pixels = points.float().view(-1, 1, 1, 3)
    batch = {"pixel_values": pixels, "targets": pixels}
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    looks = {}
    model.train()
    for step in range(steps):
        if step % every == 0:
            looks[step] = look(model, objective, batch, step, outputs=True)
        loss, _ = objective(model, model(**batch), batch, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    looks[steps] = look(model, objective, batch, steps, outputs=True)
    model.eval()
    return history_of(looks, "step")
