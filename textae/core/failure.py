"""What ends a run whose numbers are none: finding out what it was, and writing down the batch that it happened on."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from textae.core.files import whole_folder

REMEDY = "lower trainer.lr, set trainer.clip, or use precision=fp32"


@dataclass(frozen=True)
class Fault:
    """A number that is none.

    Attributes:
        what: What it was to be.
        value: What it is.
        blamed: Which terms, or which players' gradients.
    """

    what: str
    value: float
    blamed: list[str]


def fault_of_loss(loss: Tensor, summands: Mapping[str, Tensor]) -> Fault | None:
    """Whether a loss is not finite, and which of its summands, by name, it has that from."""
    if math.isfinite(value := loss.item()):
        return None
    return Fault("loss", value, [name for name, part in summands.items() if not part.isfinite()] or ["the sum of all terms"])


def fault_of_gradients(norms: Mapping[str, Tensor]) -> Fault | None:
    """Whether a player's gradient is not finite, as it may be where the loss is."""
    if not norms or math.isfinite(sum(norms.values()).item()):
        return None
    blamed = [name for name, norm in norms.items() if not norm.isfinite()] or list(norms)
    return Fault("norm of a gradient", norms[blamed[0]].item(), [f"the gradient of {name}" for name in blamed])


def check_weights(module: nn.Module, step: int) -> None:
    """Refuse to save what a step without clipping, which looks at no gradient, may have broken.

    Raises:
        ValueError: With the name of the first weight that is not finite.
    """
    for name, parameter in module.named_parameters():
        if not parameter.isfinite().all():
            raise ValueError(f"the weights {name} are not finite at step {step}: {REMEDY}; what was saved before is untouched")


def save_failure(folder: Path, batch: Mapping[str, torch.Tensor], report: Mapping[str, Any]) -> None:
    """Write a batch and a report of what happened on it, in the place of an older one."""
    with whole_folder(folder) as new:
        save_file({n: t.detach().cpu().contiguous() for n, t in batch.items()}, new / "batch.safetensors")
        (new / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
