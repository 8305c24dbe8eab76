"""What the width of the code is for: few training images, codes from narrow to wider than the image, and what each copies.

A network that merely copies reproduces anything: images of another kind, images with their pixels shuffled, noise on
a digit. A narrow code cannot, so what it rebuilds has to look like what it was trained on. What a narrow code does not
prevent is learning by heart: with layers enough around it, two numbers can index a hundred images, and only
`test_error` beside `train_error` tells. Both are measured here.

Shapes: N images, C channels, H, W height and width, P = C · H · W.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from textae.core.autoencoder import make_config
from textae.core.data import Splits
from textae.core.objectives import TERMS, Objective
from textae.core.options import TrainerOptions
from textae.core.space import seeded
from textae.core.trainer import Trainer
from vision.data.batching import in_memory
from vision.data.images import ImageSet, as_pixels
from vision.data.processor import ImageProcessor
from vision.metrics import squared_error
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.reduction import pixels_of
from vision.space import LatentSpace

NOISE = 0.3  # standard deviation of the noise on test images, before it is cut to [0, 1]


@dataclass(frozen=True)
class Row:
    """One width of the code.

    Attributes:
        width: D; P and above is no bottleneck.
        train_error, test_error: Squared error of an image, summed over pixels, mean over images.
        copied: Of images that the model has no business to know, by kind: the share of their squared distance to the
            mean training image that the reconstruction covers. 1 is a copy, 0 what that mean image would do; below 0
            is worse still.
        noise_kept: Squared distance of rebuilt noisy test images to the clean ones, as a share of the noisy ones'.
            1 is what copying does; below it the model denoises, though it never saw noise.
    """

    width: int
    train_error: float
    test_error: float
    copied: dict[str, float]
    noise_kept: float


def narrow_code(
    train: ImageSet, test: ImageSet, foreign: Mapping[str, ImageSet] | None = None, *,
    widths: Sequence[int] | None = None, hidden_dims: Sequence[int] = (), steps: int = 400, lr: float = 5e-3, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Train the same autoencoder with codes of several widths on a few images; one row for each width.

    Every width sees the same batches (all images at once) and the same number of steps. Among the foreign images are
    always `shuffled` (the test images with their pixels in one random order, so of the same brightness) and `noise`
    (every pixel drawn evenly from [0, 1]).

    Args:
        train: A few images; a hundred show the effect.
        test: Others of the same kind.
        foreign: Further kinds by name, of the same size, such as letters for a model of digits.
        widths: None takes powers of four from 2 to below P, then P and 2 P, which are no bottleneck.
        hidden_dims: Of the encoder's hidden layers, mirrored in the decoder; none shows the copying most plainly, some
            show learning by heart.
        steps: Of Adam with a cosine rate.
        lr: Its peak.
        seed: Of weights, shuffling and noise.
    """
    processor = ImageProcessor.of(train)
    size = processor.channels * processor.height * processor.width
    if widths is None:
        widths = [2 * 4**k for k in range(10) if 2 * 4**k < size] + [size, 2 * size]
    with seeded(seed):  # leaves the global generator as it was, whatever the trainer does to it
        test_pixels = as_pixels(processor.of_set(test))
        order = torch.randperm(size)
        shuffled = test_pixels.flatten(1)[:, order].view_as(test_pixels)
        noisy = (test_pixels + NOISE * torch.randn_like(test_pixels)).clamp(0, 1)
        strange = {"shuffled": shuffled, "noise": torch.rand_like(test_pixels)}
        strange |= {name: as_pixels(processor.of_set(images, name)) for name, images in (foreign or {}).items()}
        rows = []
        for width in widths:
            space = _trained(train, processor, width, list(hidden_dims), steps, lr, seed)
            rows.append(_measured(space, width, pixels_of(space, train), test_pixels, noisy, strange))
    return rows


def _trained(train: ImageSet, processor: ImageProcessor, width: int, hidden_dims: list[int], steps: int, lr: float, seed: int) -> LatentSpace:
    settings = {
        "channels": processor.channels, "height": processor.height, "width": processor.width, "latent_dim": width,
        "hidden_dims": hidden_dims, "posterior": "point", "likelihood": "gaussian",
    }  # fmt: skip
    torch.manual_seed(seed)
    model = MLPAutoencoder(make_config(MLPConfig, settings))
    batches = in_memory(train, processor, batch_size=len(train), seed=seed)
    options = TrainerOptions(
        epochs=steps, lr=lr, decay="cosine", seed=seed, save_every=steps + 1, log_every=steps, device="cpu", progress=False
    )
    with tempfile.TemporaryDirectory() as folder:
        Trainer(model, Objective.from_config({"reconstruction": None}, TERMS), Splits(batches), f"{folder}/run", options).fit()
    return LatentSpace(model, processor, name=f"code of {width}")


def _measured(space: LatentSpace, width: int, train: Tensor, test: Tensor, noisy: Tensor, strange: Mapping[str, Tensor]) -> Row:
    mean = train.mean(0, keepdim=True)
    copied = {
        name: 1 - (squared_error(space.rebuild(x), x).sum() / squared_error(mean.expand_as(x), x).sum()).item()
        for name, x in strange.items()
    }
    kept = squared_error(space.rebuild(noisy), test).sum() / squared_error(noisy, test).sum()
    errors = (squared_error(space.rebuild(x), x).mean().item() for x in (train, test))
    return Row(width, *errors, copied, kept.item())
