"""`LatentSpace` for images: finds a checkpoint, loads model and processor, adds what only pixels have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textae.core.catalog import find_checkpoint, model_type
from textae.core.config import nearest
from textae.core.space import LatentSpace as CoreLatentSpace
from vision.data.processor import ImageProcessor
from vision.models import MODELS, model_classes

ZOO = Path(__file__).parent / "zoo"


class LatentSpace(CoreLatentSpace):
    """The latent space of images: arrays, PIL images or paths in, uint8 arrays out.

    `reconstruct` of a model that was trained on corrupted inputs is what it restores: denoised, enlarged, colorized.
    """

    @classmethod
    def from_pretrained(cls, source: str | Path = "mnist-vae", *, device: str = "cpu") -> "LatentSpace":
        """Load a bundled name, a folder or a Hub id.

        Raises:
            ValueError: There is no such model, it is of another kind, or its files are damaged.
        """
        types = {model_classes(name)[0].model_type: name for name in MODELS}
        folder = find_checkpoint(source, [ZOO], types)
        kind = model_type(folder)
        if kind not in types:
            raise ValueError(f"{str(source)!r} is a model of type {kind!r}, which is not one of images: {nearest(kind, types)}")
        model = model_classes(types[kind])[1].from_pretrained(folder)
        processor = ImageProcessor.from_pretrained(folder)
        wanted = (model.config.channels, model.config.height, model.config.width)
        if (processor.channels, processor.height, processor.width) != wanted:
            raise ValueError(f"{folder}: the processor yields other images than the model's {wanted[0]} x {wanted[1]} x {wanted[2]}")
        space = cls(model, processor, name=str(source))
        space.folder = folder
        return space.to(device)

    def pixels(self, raw: Sequence[Any]) -> Tensor:
        """A list of images as the model reads them, shape (N, C, H, W), in [0, 1], on the CPU."""
        return self.processor(list(raw))["pixel_values"]

    def rebuild(self, raw: Sequence[Any] | Tensor, attributes: Sequence[Mapping[str, str]] | None = None) -> Tensor:
        """Expected pixels at the posterior means, unrounded: shape (N, C, H, W), on the CPU.

        Args:
            raw: A list of images, or pixels of shape (N, C, H, W).
            attributes: What each image is conditioned on.
        """
        pixels = raw if isinstance(raw, Tensor) else self.pixels(raw)
        rows, parts = None, []
        if attributes is not None:
            rows = torch.from_numpy(self.processor.attribute_ids(attributes))
            if len(rows) != len(pixels):
                raise ValueError(f"{len(pixels)} images come with {len(rows)} rows of attributes; there must be one for each")
        with torch.no_grad():
            for start in range(0, len(pixels), self.batch_size):
                part = slice(start, start + self.batch_size)
                posterior = self.model.encode(pixel_values=pixels[part].to(self.device))
                given = {} if rows is None else {"attributes": rows[part].to(self.device)}
                parts.append(self.model.generate(posterior.mean, **given).cpu())
        return torch.cat(parts)

    def evaluate(
        self, raw: Sequence[Any], *, samples: int = 100, seed: int = 0, attributes: Sequence[Mapping[str, str]] | None = None,
        bf16: bool = False, progress: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Figures of a list of images: those of every autoencoder, and those of pixels.

        Adds `mse` (of a pixel), `squared_error` (summed over an image's pixels, mean over images), `psnr` in dB, each of
        the reconstruction at the posterior mean; and `bits_per_dim` of the importance-weighted bound, or of a codebook's exact one.
        """
        import math

        images = list(raw)
        figures = super().evaluate(images, samples=samples, seed=seed, attributes=attributes, bf16=bf16, progress=progress)
        pixels = self.pixels(images)
        error = (self.rebuild(pixels, attributes) - pixels).double().square().flatten(1).sum(1)
        figures["squared_error"] = error.mean().item()
        figures["mse"] = figures["squared_error"] / pixels[0].numel()
        figures["psnr"] = -10 * math.log10(max(figures["mse"], 1e-12))
        if bound := figures.get("nll") or figures.get("elbo_nll"):
            figures["bits_per_dim"] = bound / pixels[0].numel() / math.log(2)
        return figures
