"""The file `attributes.safetensors`: tensors by number of the attribute, and one JSON object in its metadata.

Shapes: D latent dimensions, H hidden units, K values.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from textae.core.editing.classifiers import Linear, Perceptron
from textae.core.editing.codes import Attribute, AttributeCodes

FILE = "attributes.safetensors"
FORMAT = 1
KEY = "textae_attributes"
NUMBERS = ("l2", "accuracy", "mlp_accuracy", "majority")  # of an attribute, in the JSON


def save_codes(codes: AttributeCodes, folder: str | Path) -> Path:
    """Write the file: readers see the old one or the new, never a part.

    Raises:
        ValueError: There is no such folder.
        OSError: Writing failed; what was there before is untouched.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(
            f"there is no folder {str(folder)!r} to save attributes in: give the folder of the model they belong to"
        )
    tensors = {"mean": codes.mean, "within": codes.within}
    for number, attribute in enumerate(codes.attributes.values()):
        tensors |= {f"{number}.{name}": tensor for name, tensor in _tensors(attribute).items()}
    content = {
        "format": FORMAT, "scale": codes.scale, "num_examples": codes.num_examples,
        "attributes": [
            {"name": a.name, "values": list(a.values), "counts": list(a.counts), **{n: getattr(a, n) for n in NUMBERS}}
            for a in codes.attributes.values()
        ],
    }  # fmt: skip
    data = save({name: t.contiguous() for name, t in tensors.items()}, {KEY: json.dumps(content, ensure_ascii=False)})
    path = folder / FILE
    temporary = path.with_name(f".{FILE}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"could not write {path}: {error.strerror or error}") from None
    return path


def load_codes(folder: str | Path) -> AttributeCodes:
    """Read the file strictly.

    Raises:
        ValueError: There is none, or it is damaged or of another format.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise ValueError(
            f"{str(folder)!r} has no {FILE}: fit attributes to labelled examples and save them there first"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or truncated ({error}): fit and save the attributes again") from None
    try:
        return _read(json.loads(metadata[KEY]), tensors)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is damaged or no file of attributes: its description cannot be read ({error!r})"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _tensors(attribute: Attribute) -> dict[str, Tensor]:
    return {
        "means": attribute.means,
        "probe.weight": attribute.probe.weight,
        "probe.bias": attribute.probe.bias,
        **{f"mlp.{name}": tensor for name, tensor in vars(attribute.mlp).items()},
    }


def _read(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AttributeCodes:
    if content["format"] != FORMAT:
        raise ValueError(
            f"its format is {content['format']!r} and this version reads {FORMAT}: fit and save the attributes again, or update textae"
        )
    scale, num_examples = content["scale"], content["num_examples"]
    if not _is_number(scale) or scale <= 0 or not isinstance(num_examples, int) or num_examples < 1:
        raise ValueError(f"damaged: scale {scale!r}, {num_examples!r} examples")
    if not content["attributes"]:
        raise ValueError("damaged: it holds no attributes")
    dim = tensors["mean"].numel() if "mean" in tensors else 0
    expected: dict[str, tuple[int, ...]] = {"mean": (dim,), "within": (dim, dim)}
    for number, entry in enumerate(content["attributes"]):
        _check_entry(entry)
        num = len(entry["values"])
        bias = tensors.get(f"{number}.mlp.hidden_bias")
        hidden = 0 if bias is None else bias.numel()
        shapes = {
            "means": (num, dim), "probe.weight": (num, dim), "probe.bias": (num,), "mlp.hidden_weight": (hidden, dim),
            "mlp.hidden_bias": (hidden,), "mlp.output_weight": (num, hidden), "mlp.output_bias": (num,),
        }  # fmt: skip
        expected |= {f"{number}.{name}": shape for name, shape in shapes.items()}
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ValueError(f"damaged: it lacks {', '.join(missing[:5])}")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ValueError(f"damaged: it holds the unexpected {', '.join(extra[:5])}")
    for name, shape in expected.items():
        found = tensors[name]
        if tuple(found.shape) != shape or found.dtype != torch.float32 or 0 in shape:
            raise ValueError(
                f"damaged: {name} is {found.dtype} of shape {tuple(found.shape)}, not float32 of shape {shape}"
            )
        if not torch.isfinite(found).all():
            raise ValueError(f"damaged: {name} holds numbers that are not finite")
    attributes = {}
    for number, entry in enumerate(content["attributes"]):
        own = {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(f"{number}.")}
        mlp = Perceptron(**{name.removeprefix("mlp."): t for name, t in own.items() if name.startswith("mlp.")})
        attributes[entry["name"]] = Attribute(
            entry["name"], tuple(entry["values"]), tuple(entry["counts"]), own["means"], Linear(own["probe.weight"], own["probe.bias"]), mlp,
            **{name: entry[name] for name in NUMBERS},
        )  # fmt: skip
    if list(attributes) != sorted({entry["name"] for entry in content["attributes"]}) or len(attributes) < len(
        content["attributes"]
    ):
        raise ValueError("damaged: its attributes are not sorted by different names")
    return AttributeCodes(attributes, tensors["mean"], scale, tensors["within"], num_examples)


def _check_entry(entry: Mapping[str, Any]) -> None:
    """Refuse an attribute's JSON that `save_codes` could not have written."""
    values, counts = entry["values"], entry["counts"]
    names = [entry["name"], *values]
    if not all(isinstance(n, str) for n in names) or len(values) < 2 or len(set(values)) < len(values):
        raise ValueError(f"damaged: attribute {entry['name']!r} has the values {values!r}")
    if len(counts) != len(values) or not all(isinstance(c, int) and c > 0 for c in counts):
        raise ValueError(f"damaged: attribute {entry['name']!r} has the counts {counts!r}")
    for name in NUMBERS:
        if not _is_number(entry[name]):
            raise ValueError(f"damaged: {name} of {entry['name']!r} is {entry[name]!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
