"""What the server does with digits: rebuild, sample by class, walk from one to another, denoise, show where one is odd.

Every verb takes what a visitor sent, checks it, and answers with plain arrays. Which model does what stands in `MODELS`.

Shapes: S steps; images are (28, 28), float32 in [0, 1] where they come in, uint8 where they go out.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from apps.digits.picture import SIDE, read_digit
from apps.digits.recorded import ALARM, detector
from apps.limits import check_choice, check_number, check_seed, check_whole
from apps.shelf import Shelf
from textae.core.config import choose
from textae.core.latent import PATHS
from textae.core.space import seeded
from vision.metrics import psnr
from vision.space import LatentSpace

# Verb: the bundled model that does it; a page without the model goes without the verb.
MODELS = {"samples": "mnist-cvae", "interpolate": "mnist-conv-vae", "denoise": "mnist-denoiser", "anomaly": "mnist-conv-vae"}
MAX_NUM, MAX_STEPS, MAX_SPREAD, MAX_SIGMA = 30, 25, 2.0, 1.0
ALL = "all"


def can(shelf: Shelf, verb: str) -> bool:
    """Whether the verb's model stands on the shelf."""
    return MODELS[verb] in shelf.names("images")


def digit_models(shelf: Shelf) -> list[str]:
    """Models of one gray image of 28 x 28 pixels that rebuild it."""
    return [name for name in shelf.names("images") if name != MODELS["denoise"] and _reads_digits(shelf, name)]


def _reads_digits(shelf: Shelf, name: str) -> bool:
    folder = shelf.folder(name)
    if shelf.is_open(name) or folder is None:
        config = shelf.open(name, "images").model.config.to_dict()
    else:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return (config.get("channels"), config.get("height"), config.get("width")) == (1, SIDE, SIDE)


def _batch(*digits: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(digits))[:, None]


def _encoded(space: LatentSpace, *digits: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return space.model.encode(pixel_values=_batch(*digits).to(space.device)).mean.cpu()


@dataclass(frozen=True)
class Rebuilt:
    """A digit as a model sees it.

    Attributes:
        seen: What the model read.
        image: What it makes of it.
        code: The mean of its posterior.
        squared_error: Summed over the pixels.
    """

    seen: np.ndarray
    image: np.ndarray
    code: list[float]
    squared_error: float


def rebuild(shelf: Shelf, picture: Any, model: str) -> Rebuilt:
    """Encode and decode a digit."""
    name = check_choice(model, "the model", digit_models(shelf))
    digit, space = read_digit(picture), shelf.open(name, "images")
    code = _encoded(space, digit)
    with torch.no_grad():
        pixels = space.model.generate(code.to(space.device)).cpu()
    error = float((pixels - _batch(digit)).square().sum())
    return Rebuilt(_bytes(digit), space.processor.decode(pixels)[0], code[0].tolist(), error)


def samples(shelf: Shelf, label: Any, num: Any, spread: Any, seed: Any) -> list[tuple[str, np.ndarray]]:
    """Digits drawn from the prior, each with its class: `num` of one class, or `num` spread over all ten in order."""
    space = shelf.open(MODELS["samples"], "images")
    classes = space.processor.attributes["label"]
    label = check_choice(str(label) if isinstance(label, int) and not isinstance(label, bool) else label, "the digit", [ALL, *classes])
    num, spread = check_whole(num, "the number of digits", 1, MAX_NUM), check_number(spread, "spread", 0, MAX_SPREAD)
    seed = check_seed(seed)
    labels = [classes[i % len(classes)] for i in range(num)] if label == ALL else [label] * num
    with torch.no_grad(), seeded(seed):
        z = space.model.prior.sample(num, spread)
        rows = torch.from_numpy(space.processor.attribute_ids([{"label": c} for c in labels]))
        pixels = space.model.generate(z.to(space.device), attributes=rows.to(space.device)).cpu()
    return list(zip(labels, space.processor.decode(pixels), strict=True))


def interpolate(shelf: Shelf, a: Any, b: Any, steps: Any, path: Any) -> list[np.ndarray]:
    """Decode `steps` points of the way from one digit to another, both ends included."""
    steps = check_whole(steps, "steps", 2, MAX_STEPS)
    way = choose(PATHS, check_choice(path, "the path", list(PATHS)), "path")
    space = shelf.open(MODELS["interpolate"], "images")
    z = _encoded(space, read_digit(a, "the first picture"), read_digit(b, "the second picture"))
    return space.decode(way(z[0], z[1], torch.linspace(0, 1, steps)))


@dataclass(frozen=True)
class Denoised:
    """A digit before and after: `noisy` and `clean` images, and their PSNR to what was sent, in dB; None where no noise was added."""

    noisy: np.ndarray
    clean: np.ndarray
    psnr_noisy: float | None
    psnr_clean: float | None


def denoise(shelf: Shelf, picture: Any, sigma: Any, seed: Any) -> Denoised:
    """Add Gaussian noise of a standard deviation to a digit, cut to [0, 1], and take it away again; 0 denoises what was sent."""
    sigma, seed = check_number(sigma, "sigma", 0, MAX_SIGMA), check_seed(seed)
    clean, space = _batch(read_digit(picture)), shelf.open(MODELS["denoise"], "images")
    with torch.no_grad(), seeded(seed):
        noisy = (clean + sigma * torch.randn(clean.shape)).clamp(0, 1)
        restored = space.model.generate(space.model.encode(pixel_values=noisy.to(space.device)).mean).cpu()
    ratios = (psnr(noisy, clean), psnr(restored, clean)) if sigma else (None, None)
    return Denoised(_bytes(noisy[0, 0].numpy()), space.processor.decode(restored)[0], *ratios)


@dataclass(frozen=True)
class Odd:
    """How odd a digit is, and where.

    Attributes:
        seen, rebuilt: What the model read, and what it makes of it.
        heat: Squared error of each pixel, smoothed over a pixel; float32 (28, 28).
        score: The smoothed error as a share of the digit's energy; higher is odder.
        p_value: The share of ordinary test digits that are at least as odd (conformal, so never 0).
    """

    seen: np.ndarray
    rebuilt: np.ndarray
    heat: np.ndarray
    score: float
    p_value: float

    @property
    def alarm(self) -> bool:
        """Whether so few are that it is called odd."""
        return self.p_value <= ALARM


def anomaly(shelf: Shelf, picture: Any) -> Odd:
    """Compare a digit with what a model of digits makes of it."""
    space = shelf.open(MODELS["anomaly"], "images")
    pixels = _batch(read_digit(picture))
    judge = detector(space)
    heat = judge.localize(pixels)[0]
    return Odd(
        _bytes(pixels[0, 0].numpy()), space.processor.decode(space.rebuild(pixels))[0], heat, float(judge.score(pixels)[0]),
        float(judge.p_value(pixels)[0]),
    )  # fmt: skip


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels * 255).astype(np.uint8)
