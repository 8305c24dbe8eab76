"""Resumable states: everything a run needs to go on bit for bit, as safetensors and JSON. Private to the run."""

import json
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from textae.core.config import differences
from textae.core.files import recover, whole_folder

# Keys that may differ between a state and the run that resumes it: they change no number.
FREE_KEYS = ("trainer.keep", "trainer.log_with", "trainer.progress", "trainer.log_every", "out")


@dataclass
class RunState:
    """Where a run stands.

    Attributes:
        step: Optimizer steps done.
        epoch: The epoch under way.
        batch: Batches of that epoch this process has drawn.
        drawn: Batches this process has drawn in all; seeds the randomness.
        seconds: Time spent training.
        best: Lowest validation loss so far, and `best_step` its step.
        bad_evaluations: Validations since then.
        evaluated_step: Step of the last validation.
        finished: Whether the run has ended.
        aggressive: Whether the encoder is still trained ahead of the decoder.
        encoder_epoch, encoder_batch: Where the batches of encoder-only steps stand.
        information: Held-out mutual information of the last validation in that time, nats; -1 before the first.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    drawn: int = 0
    seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    bad_evaluations: int = 0
    evaluated_step: int = -1
    finished: bool = False
    aggressive: bool = False
    encoder_epoch: int = 0
    encoder_batch: int = 0
    information: float = -1.0


def save_state(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, state: RunState, config: dict[str, Any], scaler: Any, keep: int
) -> None:
    """Write `folder/step-N` as a whole and delete all but the newest `keep`."""
    moments, scalars = {}, {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                moments[f"{index}.{name}"] = value.contiguous()
            else:
                scalars[f"{index}.{name}"] = value
    content = {
        "run": asdict(state), "config": config, "scalars": scalars, "scaler": scaler.state_dict() if scaler is not None else None,
    }  # fmt: skip
    with whole_folder(folder / f"step-{state.step:08d}") as new:
        save_file(_without_sharing(module.state_dict()), new / "weights.safetensors")
        save_file(moments, new / "optimizer.safetensors")
        (new / "state.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    for old in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def _without_sharing(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same with a copy of what is tied to another weight: safetensors stores no memory twice."""
    apart, seen = {}, set()
    for name, weight in weights.items():
        apart[name] = weight.clone() if weight.data_ptr() in seen else weight.contiguous()
        seen.add(weight.data_ptr())
    return apart


def has_state(folder: Path) -> bool:
    """Whether a run left anything to go on from."""
    return any(folder.glob("step-*")) or any(folder.glob(".step-*.old"))


def latest_state(folder: Path) -> Path:
    """The newest complete state of a run, or a ValueError that says there is none."""
    for old in folder.glob(".step-*.old"):
        recover(folder / old.name[1:].removesuffix(".old"))
    found = sorted(p for p in folder.glob("step-*") if (p / "state.json").is_file())
    if not found:
        raise ValueError(f"nothing to resume: {str(folder)!r} holds no state; start the run without --resume")
    return found[-1]


def load_state(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, config: dict[str, Any], scaler: Any) -> RunState:
    """Read a state back.

    Raises:
        ValueError: The state is damaged, or the config of the run differs; the message lists the keys.
    """
    try:
        content = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "weights.safetensors")
        moments = load_file(folder / "optimizer.safetensors")
    except (ValueError, SafetensorError, OSError) as error:
        raise ValueError(f"the state in {folder} is damaged ({error}); delete it to resume from the one before") from None
    plain = json.loads(json.dumps(config))
    changed = [d for d in differences(content["config"], plain) if d.split(": ")[0] not in FREE_KEYS]
    if changed:
        raise ValueError(f"cannot resume with a changed config ({'; '.join(changed[:5])}): undo the change, or start anew")
    module.load_state_dict(weights)
    values: dict[int, dict[str, Any]] = {}
    for key, value in {**moments, **content["scalars"]}.items():
        index, name = key.split(".", 1)
        values.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
    if scaler is not None and content["scaler"] is not None:
        scaler.load_state_dict(content["scaler"])
    return RunState(**content["run"])
