"""Anomaly detection: scores of normal images, a threshold with a stated rate of false alarms, and maps of where.

Scores themselves are in `vision.scores`; sets of images with masked defects, to measure maps on, in `vision.defects`.

Shapes: N images, C channels, H, W height and width.
"""

import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from textae.core.config import build
from vision.data.images import ImageSet, as_pixels
from vision.metrics import auroc
from vision.reduction import pixels_of
from vision.scores import SCORES, Score, smoothed
from vision.space import LatentSpace

FILE = "anomaly.safetensors"
FORMAT = 1
STANDARDIZED_ON = 0.2  # share of the normal images kept from fitting, on which combined scores are brought to one scale
DEVIATION_FLOOR = 0.1  # of normalized maps: the share of the mean squared residual that every pixel is granted

# Of the projection (Dehaene et al. 2020), chosen on MNIST's training images with our defects: of steps 20-50, rates
# 0.5-1 and penalties 0-0.2, all within 0.001 in pixel AUROC and 0.006 in PRO.
PROJECTION_RATE, PROJECTION_PENALTY = 0.5, 0.05


class AnomalyDetector:
    """A model of normal images with a score, and a threshold once it is fitted.

    Images are given as a list (then results are arrays in its order), as one image (then as one value), as an
    `ImageSet`, or as pixels (N, C, H, W) in [0, 1].

    Args:
        space: An autoencoder that was trained on normal images.
        score: A name in `vision.scores.SCORES`, or names with their options such as
            `{"relative": {"smoothing": 1.0}, "neighbours": {}}`. Several are brought to mean 0 and deviation 1 on normal
            images that none was fitted on, and added.
        seed: Of the division of normal images that several scores need.
    """

    def __init__(self, space: LatentSpace, score: str | Sequence[str] | Mapping[str, Any] = "relative", *, seed: int = 0):
        given = {score: None} if isinstance(score, str) else score if isinstance(score, Mapping) else dict.fromkeys(score)
        if not given:
            raise ValueError(f"a detector needs a score: name at least one of {', '.join(SCORES)}")
        self.settings = {name: dict(options or {}) for name, options in given.items()}
        self.scores: dict[str, Score] = {
            name: build(SCORES, {"score": name, **options}, kind="score", where="score") for name, options in self.settings.items()
        }
        self.space, self.seed = space, seed
        self.scales = torch.tensor([[0.0, 1.0]] * len(self.scores), dtype=torch.float64)  # mean and deviation of each score
        self.residual_HW: Tensor | None = None  # mean squared residual of normal images at each pixel
        self.calibration: Tensor | None = None  # sorted scores of held-out normal images
        self.false_positive_rate = math.nan

    # --- fitting ----------------------------------------------------------------------------------------------

    def fit(self, normal: Any, held_out: Any, *, false_positive_rate: float = 0.05) -> "AnomalyDetector":
        """Fit the scores to normal images and the threshold to other normal images.

        The threshold is the conformal quantile (Vovk et al. 2005; Bates et al. 2023): a normal image raises an
        alarm with a probability of at most `false_positive_rate`, whatever the model and the score, on average over
        the draw of `held_out`, provided that the image and those in `held_out` are exchangeable (drawn alike) and
        that neither model nor scores have seen them. Images that the model was trained on do not serve: their errors
        are smaller.

        Args:
            normal: What scores are fitted to; the model's training images may serve.
            held_out: Normal images that neither the model nor `normal` holds, at least 1 / false_positive_rate - 1.
            false_positive_rate: Between 0 and 1.

        Raises:
            ValueError: Too few held-out images for the rate, images that the model cannot take, or a score that does
                not fit the model.
        """
        self._fit_scores(pixels_of(self.space, normal))
        self.calibration = torch.from_numpy(np.sort(self._score(pixels_of(self.space, held_out))))
        self.set_rate(false_positive_rate)
        return self

    def _fit_scores(self, pixels: Tensor) -> None:
        self.residual_HW = (self.space.rebuild(pixels) - pixels).double().square().sum(1).mean(0).float()
        if len(self.scores) == 1:
            next(iter(self.scores.values())).fit(self.space, pixels)
            return
        aside = max(2, round(STANDARDIZED_ON * len(pixels)))
        if len(pixels) - aside < 2:
            raise ValueError(f"several scores need more normal images to be fitted and brought to one scale; there are {len(pixels)}")
        order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(self.seed))
        for i, score in enumerate(self.scores.values()):
            score.fit(self.space, pixels[order[aside:]])
            values = torch.cat([score(self.space, part) for part in pixels[order[:aside]].split(self.space.batch_size)])
            if not values.std() > 0:
                raise ValueError(f"the score {list(self.scores)[i]!r} is the same for all normal images: leave it out")
            self.scales[i] = torch.stack([values.mean(), values.std()])

    def set_rate(self, false_positive_rate: float) -> None:
        """Move the threshold to another rate of false alarms; nothing is computed anew."""
        calibration = self._fitted()
        if not 0 < false_positive_rate < 1:
            raise ValueError(f"false_positive_rate is {false_positive_rate}; it must lie between 0 and 1")
        if _rank(len(calibration), false_positive_rate) > len(calibration):
            least = math.ceil(1 / false_positive_rate - 1e-9) - 1
            raise ValueError(f"{len(calibration)} held-out images cannot promise a rate of {false_positive_rate}: give at least {least}")
        self.false_positive_rate = false_positive_rate

    @property
    def threshold(self) -> float:
        """Images that score above it are called anomalous."""
        calibration = self._fitted()
        return calibration[_rank(len(calibration), self.false_positive_rate) - 1].item()

    def _fitted(self) -> Tensor:
        if self.calibration is None:
            raise ValueError("the detector has no threshold yet: call fit with normal and with held-out normal images")
        return self.calibration

    # --- verdicts ---------------------------------------------------------------------------------------------

    def score(self, images: Any) -> Any:
        """How strange each image is: float64 of shape (N,), or a float for one image. Higher is stranger."""
        self._fitted()
        pixels, single = self._pixels(images)
        scores = self._score(pixels)
        return float(scores[0]) if single else scores

    def predict(self, images: Any) -> Any:
        """Whether each image is anomalous: booleans of shape (N,), or one for one image."""
        scores = self.score(images)
        return scores > self.threshold

    def p_value(self, images: Any) -> Any:
        """The chance that a normal image is at least as strange, of each image: floats of shape (N,), or one for one image.

        The conformal p-value (1 + number of held-out scores at or above it) / (1 + held-out images): for normal images
        it is at most p with a probability of at most p.
        """
        calibration, scores = self._fitted().numpy(), np.asarray(self.score(images))
        above = len(calibration) - np.searchsorted(calibration, scores, side="left")
        values = (1 + above) / (1 + len(calibration))
        return float(values) if values.ndim == 0 else values

    def _score(self, pixels: Tensor) -> np.ndarray:
        parts = []
        for part in pixels.split(self.space.batch_size):
            columns = torch.stack([score(self.space, part) for score in self.scores.values()])
            parts.append(((columns - self.scales[:, :1]) / self.scales[:, 1:]).sum(0))
        scores = torch.cat(parts).numpy()
        if not np.isfinite(scores).all():
            raise ValueError(f"the scores of {self.space.name} are not finite numbers: the model's weights or codes are not")
        return scores

    def _pixels(self, images: Any) -> tuple[Tensor, bool]:
        single = not isinstance(images, Tensor | ImageSet) and self.space.processor.is_single(images)
        return pixels_of(self.space, [images] if single else images), single

    # --- where ------------------------------------------------------------------------------------------------

    def localize(self, images: Any, *, smoothing: float = 1.0, normalize: bool = False, projection_steps: int = 0) -> np.ndarray:
        """Maps of how much each pixel is at odds with what normal images show there.

        The squared residual, summed over channels, then smoothed. Works before `fit`, but for `normalize`.

        Args:
            images: As for `score`.
            smoothing: Standard deviation in pixels of a Gaussian filter on the squared residual; 0 does not filter.
            normalize: Divide by the mean squared residual of normal images at the pixel. It evens out places that the
                model never gets right; where anomalies lie just there (strokes of digits) it does harm.
            projection_steps: Steps by which the image is first moved towards what the model rebuilds well, so that a
                defect does not spoil the reconstruction around it (Dehaene et al. 2020); 0 takes the plain
                reconstruction, 20 is enough, at 20 times the time and more.

        Returns:
            float32, shape (N, H, W), or (H, W) for one image.
        """
        if smoothing < 0 or projection_steps < 0:
            raise ValueError(f"smoothing is {smoothing} and projection_steps {projection_steps}; neither can be negative")
        pixels, single = self._pixels(images)
        seen = projected(self.space, pixels, projection_steps) if projection_steps else pixels
        maps = smoothed((self.space.rebuild(seen) - pixels).square().sum(1), smoothing)
        if normalize:
            if self.residual_HW is None:
                raise ValueError("normalized maps need the residuals of normal images: call fit first")
            maps = maps / (self.residual_HW + DEVIATION_FLOOR * self.residual_HW.mean())
        return maps[0].numpy() if single else maps.numpy()

    # --- files ------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write `anomaly.safetensors` into an existing folder, such as the model's own; returns its path."""
        from safetensors.torch import save

        calibration = self._fitted()
        assert self.residual_HW is not None
        tensors = {f"{n}.{k}": t.contiguous() for n, score in self.scores.items() for k, t in score.learned.items()}
        tensors |= {"scales": self.scales, "residual": self.residual_HW, "calibration": calibration}
        content = {
            "format": FORMAT, "score": self.settings, "seed": self.seed, "false_positive_rate": self.false_positive_rate,
            "model": fingerprint(self.space),
        }  # fmt: skip
        path = Path(folder) / FILE
        temporary = path.with_name(f".{FILE}.new")
        try:
            temporary.write_bytes(save(tensors, {"detector": json.dumps(content)}))
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OSError(f"could not write {path}: {error.strerror or error}") from None
        return path

    @classmethod
    def load(cls, space: LatentSpace, folder: str | Path | None = None) -> "AnomalyDetector":
        """Read what `save` wrote.

        Args:
            space: The model it was fitted with.
            folder: Where the file lies; None takes the folder that the model was loaded from.

        Raises:
            ValueError: There is no such file, it is damaged, or it belongs to another model.
        """
        from safetensors import safe_open

        folder = space.folder if folder is None else Path(folder)
        if folder is None:
            raise ValueError("the model was not loaded from a folder: name the one that holds its detector")
        path = folder / FILE
        if not path.is_file():
            raise ValueError(f"{str(folder)!r} has no {FILE}: fit a detector and save it there")
        try:
            with safe_open(path, framework="pt") as file:
                content = json.loads((file.metadata() or {})["detector"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
            if content["format"] != FORMAT:
                raise ValueError(f"{path} has format {content['format']}; this version reads {FORMAT}")
            detector = cls(space, content["score"], seed=content["seed"])
            for name, score in detector.scores.items():
                score.learned = {k.removeprefix(f"{name}."): t for k, t in tensors.items() if k.startswith(f"{name}.")}
            detector.scales, detector.residual_HW, detector.calibration = (tensors[n] for n in ("scales", "residual", "calibration"))
            detector.set_rate(content["false_positive_rate"])
            owner = content["model"]
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is damaged: {error!r}") from None
        if owner != fingerprint(space):
            raise ValueError(f"{path} was fitted with another model than {space.name}: fit it anew")
        return detector


def _rank(num: int, rate: float) -> int:
    """Which of the sorted held-out scores, counted from 1, is the threshold; num + 1 where none will do."""
    return math.ceil((num + 1) * (1 - rate) - 1e-9)


def fingerprint(space: LatentSpace) -> str:
    """A checksum of the model's weights, to know it again."""
    value = 0
    for name, tensor in sorted(space.model.state_dict().items()):
        value = zlib.crc32(tensor.cpu().contiguous().numpy().tobytes(), zlib.crc32(name.encode(), value))
    return f"{value:08x}"


def projected(space: LatentSpace, pixels: Tensor, steps: int) -> Tensor:
    """Images moved towards what the model rebuilds well, each pixel the faster the worse it is rebuilt: shape (N, C, H, W).

    Descends |x - f(x)|² + penalty · |x - x₀|₁ with steps that are weighted by the squared residual (Dehaene et al. 2020,
    sec. 3), f being encoding to the posterior mean and decoding. Pixels stay in [0, 1].
    """
    model, parts = space.model, []
    for start in pixels.split(space.batch_size):
        start = start.to(space.device)
        x = start.clone()
        for _ in range(steps):
            with torch.enable_grad():
                x.requires_grad_(True)
                residual = x - model.generate(model.encode(pixel_values=x).mean)
                energy = residual.square().sum() + PROJECTION_PENALTY * (x - start).abs().sum()
                (slope,) = torch.autograd.grad(energy, x)
            x = (x - PROJECTION_RATE * slope * residual.square()).detach().clamp(0, 1)
        parts.append(x.cpu())
    return torch.cat(parts)


# --- the one-class protocol -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneClass:
    """How well a class is told from all others by a model that has seen no other.

    Attributes:
        auroc: Of each class, by its name.
    """

    auroc: dict[str, float]

    @property
    def mean(self) -> float:
        """Over the classes."""
        return sum(self.auroc.values()) / len(self.auroc)


def one_class_auroc(
    make_space: Callable[[ImageSet], LatentSpace], train: ImageSet, test: ImageSet, *,
    score: str | Sequence[str] | Mapping[str, Any] = "relative", seed: int = 0,
) -> OneClass:  # fmt: skip
    """Train on one class and score the whole test set, its other classes being the anomalies; for each class in turn.

    No threshold is involved, so no image is held out. Whatever was chosen with the help of anomalies (a model, a score)
    should have been chosen on other images than `test`.

    Args:
        make_space: Trains an autoencoder on a set of normal images, such as `lambda images: pca_space(images, 32)`.
        train, test: Labelled sets with the same label names.
        score: As for `AnomalyDetector`.
        seed: Likewise.
    """
    if train.labels is None or test.labels is None or train.label_names != test.label_names or len(train.label_names) < 2:
        raise ValueError("the protocol needs labelled sets for training and testing, with the same label names, at least two")
    found = {}
    for index, name in enumerate(train.label_names):
        normal = train.only([name])
        detector = AnomalyDetector(make_space(normal), score, seed=seed)
        detector._fit_scores(pixels_of(detector.space, normal))
        pixels = as_pixels(detector.space.processor.of_set(test, "the test images"))
        found[name] = auroc(detector._score(pixels), test.labels != index)
    return OneClass(found)
