"""What an editor is, and what it is asked for: targets, their strengths, and how a classifier's gradient is taken.

Shapes: B codes, D latent dimensions, K values of one attribute.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from textae.core.editing.classifiers import log_odds
from textae.core.editing.codes import Attribute, AttributeCodes, check_codes

Targets = Mapping[str, str | float]
MAX_STRENGTH = 10.0  # ten times the difference of group means is far outside of every code seen


class Unreachable(ValueError):
    """Some codes cannot be brought to the targets.

    Attributes:
        codes_B: Which, bool.
    """

    def __init__(self, message: str, codes_B: Tensor):
        super().__init__(message)
        self.codes_B = codes_B


@dataclass(frozen=True, eq=False)
class Target:
    """One attribute that an edit is to give a value.

    Attributes:
        attribute: Which.
        index: Of the value.
        strength: k, above 0 and at most `MAX_STRENGTH`.
        signed: Whether it was asked for by a number on the axis from the first value to the second.
    """

    attribute: Attribute
    index: int
    strength: float
    signed: bool

    @property
    def value(self) -> str:
        """The value's name."""
        return self.attribute.values[self.index]

    def log_odds(self, z_BD: Tensor, classifier: str) -> Tensor:
        """log p - log(1 - p) of the value in nats, shape (B,), float64; float64 codes in."""
        return log_odds(self.attribute.classifier(classifier).logits(z_BD), self.index)

    def log_prob(self, z_BD: Tensor, classifier: str) -> Tensor:
        """log p of the value in nats, shape (B,), float64; float64 codes in."""
        return self.attribute.classifier(classifier).logits(z_BD).log_softmax(1)[:, self.index]


def parse_targets(codes: AttributeCodes, targets: Targets, strength: float = 1.0) -> list[Target]:
    """Check what is asked for.

    Args:
        codes: What is known.
        targets: A value's name for each attribute; of two-valued attributes also a number, whose sign picks the value
            (negative the first, positive the second) and whose size multiplies the strength.
        strength: k of all targets.

    Raises:
        ValueError: An unknown attribute or value, a number for an attribute with more than two values, a number
            without a sign, or a strength out of range.
    """
    if not isinstance(targets, Mapping):
        raise ValueError(f"targets are {targets!r}; they must be a dictionary such as {{'tense': 'past'}}")
    found = []
    for name, wanted in targets.items():
        attribute, size, signed = codes[name], 1.0, False
        if isinstance(wanted, str):
            index = attribute.index(wanted)
        elif isinstance(wanted, int | float) and not isinstance(wanted, bool):
            if len(attribute.values) != 2:
                raise ValueError(
                    f"{name}={wanted}: a number moves between two values and {name!r} has {len(attribute.values)}; "
                    f"name one of {', '.join(attribute.values)}"
                )
            if wanted == 0 or not math.isfinite(wanted):
                raise ValueError(
                    f"{name}={wanted}: the number's sign picks {' or '.join(attribute.values)}; it must be finite and not 0"
                )
            index, size, signed = int(wanted > 0), abs(float(wanted)), True
        else:
            raise ValueError(
                f"{name} is {wanted!r}; it must be one of {', '.join(attribute.values)}, or a number where there are two values"
            )
        k = _strength(strength) * size
        if k > MAX_STRENGTH:
            raise ValueError(f"{name}: the strength is {k:g}; it must be above 0 and at most {MAX_STRENGTH:g}")
        found.append(Target(attribute, index, k, signed))
    return found


def _strength(strength: float) -> float:
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength <= MAX_STRENGTH:
        raise ValueError(f"the strength is {strength!r}; it must be above 0 and at most {MAX_STRENGTH:g}")
    return float(strength)


class Editor(ABC):
    """Moves codes to where attributes have wanted values.

    A subclass implements `edit` on float64 codes. Calling it is deterministic, and differentiable in the codes.

    Args:
        attributes: What is known of the codes.
    """

    def __init__(self, attributes: AttributeCodes):
        self.attributes = attributes

    def __call__(self, z_BD: Tensor, targets: Targets, strength: float = 1.0) -> Tensor:
        """Edited codes, of the shape, type and device of `z_BD`.

        Args:
            z_BD: Codes of the model that the attributes were fitted to.
            targets: What is wanted, as in `parse_targets`; at least one attribute.
            strength: k; what one unit of it is, each editor says.

        Raises:
            ValueError: Bad codes, targets or strength, or a target that cannot be reached.
        """
        z = check_codes(z_BD, self.attributes.latent_dim)
        wanted = parse_targets(self.attributes, targets, strength)
        if not wanted:
            raise ValueError(f"nothing to edit: give a value for one of {', '.join(self.attributes.attributes)}")
        given = torch.as_tensor(z_BD)
        dtype = given.dtype if given.is_floating_point() else torch.float32
        return self.edit(z, wanted).to(given.device, dtype)

    @abstractmethod
    def edit(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        """Edited codes of finite float64 codes on the CPU, same shape."""


def wanted_log_odds(target: Target, confidence: float) -> float:
    """The log-odds of a confidence, times the strength: k = 2 asks for the confidence squared over its complement squared."""
    return target.strength * math.log(confidence / (1 - confidence))


def check_confidence(confidence: float) -> float:
    """A confidence between one half and one, both excluded, or a ValueError."""
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.5 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it must be above 0.5 and below 1")
    return float(confidence)


def gradient(function: Callable[[Tensor], Tensor], z_BD: Tensor) -> Tensor:
    """∇ of a function of each code, (B, D) -> (B,); itself differentiable where `z_BD` is part of a graph."""
    track = z_BD.requires_grad and torch.is_grad_enabled()
    with torch.enable_grad():
        z = z_BD if track else z_BD.detach().requires_grad_()
        (found,) = torch.autograd.grad(function(z).sum(), z, create_graph=track)
    return found
