"""Named endpoints of digits. A picture goes in as a data address or base64, so that no path is opened; images come out as rows of gray values."""

from typing import Any

import gradio as gr
import numpy as np

from apps.digits import verbs
from apps.limits import ONE_LINE, refusing
from apps.shelf import Shelf


def register(shelf: Shelf) -> None:
    """Add the verbs whose models stand on the shelf; inside `gr.Blocks`."""
    default = next(iter([n for n in verbs.digit_models(shelf) if n == "mnist-vae"] or verbs.digit_models(shelf)), None)

    def digit_reconstruct(picture: str, model: str = default or "") -> dict[str, Any]:
        """Encode a picture of a digit and decode it again.

        Args:
            picture: A PNG, JPEG, GIF, BMP or WebP file as a data address or base64, at most 2.9 MB and 4,096 pixels a side. It is scaled and
                centered as MNIST's digits are; a gray one of 28 x 28 pixels is taken as it is, light on dark.
            model: A model of 28 x 28 gray pixels, such as mnist-ae, mnist-vae, mnist-aae or mnist-conv-vae.

        Returns:
            `image` and `seen` (what the model read) as rows of gray values from 0 to 255, `code`, and `squared_error` summed over the pixels.
        """
        found = verbs.rebuild(shelf, picture, model)
        return {"image": found.image.tolist(), "seen": found.seen.tolist(), "code": found.code, "squared_error": found.squared_error}

    def digit_samples(digit: str = verbs.ALL, num: int = 10, spread: float = 1.0, seed: int = 0) -> list[dict[str, Any]]:
        """Draw digits of a class from a model that knows classes.

        Args:
            digit: "0" to "9", or "all" for all ten in turn.
            num: How many, 1 to 30.
            spread: Scale of the prior's noise, 0 to 2; below one is more typical.
            seed: Makes the draw repeatable, 0 to 2147483647.

        Returns:
            For each `digit` and `image`, rows of gray values from 0 to 255.
        """
        return [{"digit": label, "image": image.tolist()} for label, image in verbs.samples(shelf, digit, num, spread, seed)]

    def digit_interpolate(a: str, b: str, steps: int = 9, path: str = "lerp") -> list[list[list[int]]]:
        """Walk from one digit to another through a code of 30 numbers.

        Args:
            a: The first picture, as of `digit_reconstruct`.
            b: The second picture.
            steps: Points on the path, 2 to 25, both ends included.
            path: "lerp" (a straight line) or "slerp" (an arc).

        Returns:
            Images as rows of gray values from 0 to 255.
        """
        return np.stack(verbs.interpolate(shelf, a, b, steps, path)).tolist()

    def digit_denoise(picture: str, sigma: float = 0.0, seed: int = 0) -> dict[str, Any]:
        """Take noise away from a digit, and before that, if asked, add some.

        Args:
            picture: As of `digit_reconstruct`.
            sigma: Standard deviation of Gaussian noise that is added first, 0 to 1; 0 adds none.
            seed: Of the noise, 0 to 2147483647.

        Returns:
            `noisy` and `image` as rows of gray values from 0 to 255, `psnr_noisy` and `psnr` in dB (null where no noise was added).
        """
        found = verbs.denoise(shelf, picture, sigma, seed)
        return {"image": found.clean.tolist(), "noisy": found.noisy.tolist(), "psnr": found.psnr_clean, "psnr_noisy": found.psnr_noisy}

    def digit_anomaly(picture: str) -> dict[str, Any]:
        """How odd a digit is beside those of MNIST, and where.

        Args:
            picture: As of `digit_reconstruct`.

        Returns:
            `score` (higher is odder), `p_value` (the share of ordinary digits that are at least as odd), `map` (the squared error of each pixel,
            smoothed) and `image` (what the model makes of the digit).
        """
        found = verbs.anomaly(shelf, picture)
        return {"score": found.score, "p_value": found.p_value, "map": found.heat.round(5).tolist(), "image": found.rebuilt.tolist()}

    offered = {digit_reconstruct: default is not None, digit_samples: verbs.can(shelf, "samples"), digit_interpolate: verbs.can(shelf, "interpolate")}
    offered |= {digit_denoise: verbs.can(shelf, "denoise"), digit_anomaly: verbs.can(shelf, "anomaly")}
    for endpoint, there in offered.items():
        if there:
            gr.api(refusing(endpoint), api_name=endpoint.__name__, **ONE_LINE)
