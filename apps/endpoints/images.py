"""Endpoints of models of images. An image is a list of rows of gray values from 0 to 255, as JSON: no file is read."""

from typing import Any

import gradio as gr
import numpy as np

from apps.limits import (
    MAX_SEED,
    ONE_LINE,
    check_attributes,
    check_codes,
    check_list,
    check_number,
    check_seed,
    check_whole,
    refusing,
)
from apps.shelf import Shelf

MAX_IMAGES, MAX_STEPS, MAX_SIDE, MAX_SPREAD = 50, 25, 256, 2.0
assert MAX_SEED == 2147483647  # as the docstrings say


def register(shelf: Shelf) -> None:
    """Add the verbs of images, their names beginning with "image_"."""
    default = shelf.names("images")[0]

    def opened(model: str) -> Any:
        return shelf.open(model, "images")

    def image_encode(image: list[list[int]], model: str = default) -> list[float]:
        """The code of an image: the mean of its posterior.

        Args:
            image: Rows of gray values, 0 (black) to 255 (white), in the model's size, such as 28 x 28.
            model: One of `models`.
        """
        return opened(model).encode(check_image(image)).tolist()

    def image_decode(codes: list[list[float]], label: str = "", model: str = default) -> list[list[list[int]]]:
        """Images at codes.

        Args:
            codes: 1 to 50 lists of `latent_dim` numbers.
            label: A class to condition on, of a model that knows classes.
            model: One of `models`.

        Returns:
            For each code its rows of gray values.
        """
        import torch

        space = opened(model)
        z = torch.tensor(check_codes(codes, space.latent_dim, MAX_IMAGES))
        return _rows(space.decode(z, attributes=_told(space, label)))

    def image_reconstruct(image: list[list[int]], model: str = default) -> list[list[int]]:
        """Encode an image and decode it again; a denoiser gives what it restores.

        Args:
            image: As of `image_encode`.
            model: One of `models`.
        """
        return _rows([opened(model).reconstruct(check_image(image))])[0]

    def image_sample(num: int = 10, spread: float = 1.0, seed: int = 0, label: str = "", model: str = default) -> list[list[list[int]]]:
        """Images drawn from the model's prior.

        Args:
            num: How many, 1 to 50.
            spread: Scale of the prior's noise, 0 to 2.
            seed: Makes the draw repeatable, 0 to 2147483647.
            label: A class to condition on, of a model that knows classes.
            model: One of `models`.
        """
        space = opened(model)
        num, spread = check_whole(num, "num", 1, MAX_IMAGES), check_number(spread, "spread", 0, MAX_SPREAD)
        return _rows(space.sample(num, spread=spread, seed=check_seed(seed), attributes=_told(space, label)))

    def image_interpolate(a: list[list[int]], b: list[list[int]], steps: int = 7, path: str = "lerp", model: str = default) -> list[list[list[int]]]:
        """Images on the way from one to another through latent space.

        Args:
            a: As of `image_encode`.
            b: The other image.
            steps: Points on the path, 2 to 25, both ends included.
            path: "lerp" (a straight line) or "slerp" (an arc).
            model: One of `models`.
        """
        steps = check_whole(steps, "steps", 2, MAX_STEPS)
        return _rows(opened(model).interpolate(check_image(a, "a"), check_image(b, "b"), steps=steps, path=str(path)[:80]))

    for verb in (image_encode, image_decode, image_reconstruct, image_sample, image_interpolate):
        gr.api(refusing(verb), api_name=verb.__name__, **ONE_LINE)


def check_image(value: Any, what: str = "the image") -> np.ndarray:
    """Rows of gray values as an array of uint8.

    Raises:
        ValueError: It is none.
    """
    rows = check_list(value, what, MAX_SIDE)
    width = len(rows[0]) if isinstance(rows[0], list) else 0
    for i, row in enumerate(rows, 1):
        if len(check_list(row, f"row {i} of {what}", MAX_SIDE)) != width:
            raise ValueError(f"{what} must have rows of one length: row {i} has {len(row)} values, the first {width}")
        for gray in row:
            check_whole(gray, f"a gray value of {what}", 0, 255)
    return np.array(rows, dtype=np.uint8)


def _told(space: Any, label: Any) -> dict[str, str] | None:
    return check_attributes({"label": label}, space.model.config.decoder_attributes) if label else None


def _rows(images: list[np.ndarray]) -> list[list[list[int]]]:
    return [np.asarray(image).tolist() for image in images]
