"""What was recorded of MNIST's test digits: their codes on the maps of the 2-D models, and how odd ordinary digits are.

    TEXTAE_DATA=... python -m apps.digits.recorded

records both anew from the bundled models; it takes half a minute. The files know the weights they were recorded with, and
serve no other model. Codes do not let anybody rebuild the images: they are two numbers each.

Shapes: N digits.
"""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textae.core.files import write_text
from vision.space import LatentSpace

if TYPE_CHECKING:
    from vision.anomaly import AnomalyDetector

FOLDER = Path(__file__).parent / "recordings"
CODES = "codes.json"
MAPS = ("mnist-ae", "mnist-vae", "mnist-aae")
JUDGE = "mnist-conv-vae"
PER_CLASS = 80  # digits on a map: enough to see the regions, few enough to see between them
ALARM = 0.05  # share of ordinary digits that are called odd
NORMAL, HELD_OUT = 5000, 2000  # digits that the score and the threshold of anomalies are fitted to

_detectors: dict[str, "AnomalyDetector"] = {}


def codes_on_map(space: LatentSpace) -> dict[str, Any] | None:
    """Recorded codes of a model, packed for JavaScript, with their `labels` as a string of digits; None where there are none."""
    from vision.anomaly import fingerprint

    recorded = json.loads((FOLDER / CODES).read_text(encoding="utf-8"))
    packed = recorded["codes"].get(fingerprint(space))
    return None if packed is None else {**packed, "labels": recorded["labels"]}


def detector(space: LatentSpace) -> "AnomalyDetector":
    """The fitted detector of a model, read once.

    Raises:
        ValueError: It was recorded with other weights.
    """
    from vision.anomaly import AnomalyDetector, fingerprint

    key = fingerprint(space)
    if key not in _detectors:
        _detectors[key] = AnomalyDetector.load(space, FOLDER)
    return _detectors[key]


def record(folder: Path = FOLDER) -> None:
    """Write both files from the bundled models and MNIST."""
    from vision.anomaly import AnomalyDetector, fingerprint
    from vision.data.mnist import load

    splits = load()
    test = splits["test"]
    assert test.labels is not None
    chosen = np.concatenate([np.flatnonzero(test.labels == digit)[:PER_CLASS] for digit in range(10)])
    images = [test.images[i, :, :, 0] for i in chosen]
    codes = {}
    for name in MAPS:
        space = LatentSpace.from_pretrained(name)
        half = np.ascontiguousarray(space.encode(images).numpy().astype("<f2"))
        codes[fingerprint(space)] = {"model": name, "dtype": "float16", "shape": list(half.shape), "data": base64.b64encode(half.tobytes()).decode()}
    folder.mkdir(parents=True, exist_ok=True)
    labels = "".join(str(n) for n in test.labels[chosen])
    write_text(folder / CODES, json.dumps({"labels": labels, "codes": codes}, indent=1) + "\n")
    space = LatentSpace.from_pretrained(JUDGE)
    normal = splits["train"].limit(NORMAL)
    AnomalyDetector(space, "relative").fit(normal, test.limit(HELD_OUT), false_positive_rate=ALARM).save(folder)


if __name__ == "__main__":
    record()
