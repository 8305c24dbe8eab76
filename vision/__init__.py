"""vision: image autoencoders on the core of textae. The public names are imported when first used."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "LatentSpace": "vision.space",
    "MLPAutoencoder": "vision.models.mlp",
    "MLPConfig": "vision.models.mlp",
    "ConvAutoencoder": "vision.models.conv",
    "ConvConfig": "vision.models.conv",
    "VQAutoencoder": "vision.models.vq",
    "VQConfig": "vision.models.vq",
    "ImageProcessor": "vision.data.processor",
}

__all__ = ["ConvAutoencoder", "ConvConfig", "ImageProcessor", "LatentSpace", "MLPAutoencoder", "MLPConfig", "VQAutoencoder", "VQConfig"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'vision' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
