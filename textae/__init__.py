"""textae: sentence autoencoders. The public names are imported when first used, so that `import textae` costs nothing."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "LatentSpace": "textae.space",
    "Edit": "textae.editing",
    "RNNVAE": "textae.models.rnn",
    "RNNVAEConfig": "textae.models.rnn",
    "SentenceProcessor": "textae.data.processor",
    "Trainer": "textae.core.trainer",
    "TrainerOptions": "textae.core.options",
    "Objective": "textae.core.objectives",
    "Score": "textae.core.space",
    "TransformerVAE": "textae.models.transformer",
    "TransformerVAEConfig": "textae.models.transformer",
}

__version__ = "0.1.0"
__all__ = [
    "Edit", "LatentSpace", "Objective", "RNNVAE", "RNNVAEConfig", "Score", "SentenceProcessor", "Trainer", "TrainerOptions", "TransformerVAE",
    "TransformerVAEConfig",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'textae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
