"""Sampling in bulk, the one thing of the page that is worth a GPU's start: an endpoint of its own."""

import copy
from collections.abc import Callable
from typing import Any

import gradio as gr
import torch

from apps.limits import LONG_LINE, check_attributes, check_number, check_seed, check_whole, refusing
from apps.shelf import Shelf
from textae.core.space import seeded

MAX_NUM, MAX_SPREAD = 1000, 2.0
PART = 100  # sentences that are decoded at once


def register(shelf: Shelf, gpu: Callable | None = None) -> None:
    """Add the endpoint `sample_many`, wrapped in `gpu` (`spaces.GPU` on ZeroGPU) where one is given."""
    default = shelf.names("text")[0]

    def sample_many(num: int = 500, spread: float = 1.0, seed: int = 0, attributes: dict[str, str] | None = None, model: str = default) -> list[str]:
        """`sample` in bulk, on a GPU where there is one.

        Args:
            num: How many, 1 to 1000.
            spread: Scale of the prior's noise, 0 to 2; below one is more typical.
            seed: Makes the draw repeatable, 0 to 2147483647.
            attributes: Values to condition on, such as {"tense": "past"}, of a model that knows some.
            model: One of `models`.
        """
        space = shelf.open(model, "text")
        num, spread = check_whole(num, "num", 1, MAX_NUM), check_number(spread, "spread", 0, MAX_SPREAD)
        wanted = check_attributes(attributes, space.model.config.decoder_attributes)
        return draw(num, spread, check_seed(seed), wanted, model)

    def draw(num: int, spread: float, seed: int, wanted: dict[str, Any], model: str) -> list[str]:
        # By name: ZeroGPU calls this in another process, to which a model would have to travel.
        space = _on_gpu(shelf.open(model, "text"))
        with torch.no_grad(), seeded(seed):
            codes = space.model.prior.sample(num, spread)
        return [said for part in codes.split(PART) for said in space.decode(part, attributes=wanted)]

    draw = gpu(draw) if gpu is not None else draw
    gr.api(refusing(sample_many), api_name="sample_many", **LONG_LINE)  # its codes are drawn at once, so nobody waits for its sentences


def _on_gpu(space: Any) -> Any:
    """The space where there is no GPU, or it is there already; else a copy, for others go on using the original."""
    if space.device.type != "cpu" or not torch.cuda.is_available():
        return space
    moved = copy.copy(space)
    moved.model = copy.deepcopy(space.model).to("cuda")
    return moved
