"""What an edit of a sentence is, and what is asked of one; how it is made is in `sentences.py`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textae.core.config import arguments, check_keys, choose, nearest
from textae.core.editing import EDITORS
from textae.core.editing import MAX_STRENGTH as MAX_CODE_STRENGTH
from textae.models.conditioning import MAX_STRENGTH as MAX_TOLD_STRENGTH

if TYPE_CHECKING:
    from textae.space import LatentSpace

CONDITION = "condition"
METHODS = ("auto", CONDITION, *EDITORS)
MAX_CANDIDATES, REFINE_STEPS = 48, 15  # 30 steps make one more sentence of 200 exact, for twice the time of those that never are


@dataclass(frozen=True)
class Edit:
    """What became of one sentence.

    Attributes:
        source: The sentence.
        text: The edit; the source itself where nothing was changed.
        changed: Whether they differ.
        reached: Whether the reader finds all wanted values in `text`; None without readers.
        reason: Why nothing was changed, or what is missing; empty where all went well.
        wanted: Values by attribute.
        attributes: The reader's probabilities of each attribute's values in `text`.
        similarity: F1 of content words of source and text, 0 to 1.
        kept: Share of words in the same order, 0 to 1.
        nll: -log p(text | its code, wanted values) in nats, at the code it was decoded from; None where nothing changed.
        method: That made it.
        candidates: All that were considered, best first.
    """

    source: str
    text: str
    changed: bool
    reached: bool | None
    reason: str
    wanted: dict[str, str]
    attributes: dict[str, dict[str, float]]
    similarity: float
    kept: float
    nll: float | None
    method: str
    candidates: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """What edits are to be, checked against what a space can do.

    Attributes:
        values: Wanted values by attribute.
        sizes: Factors of the strength by attribute: the size of a number, 1 where a value was named.
        signed: Attributes that were given as a number.
        method: "condition", or a name in `textae.core.editing.EDITORS`.
        strength: How far.
        candidates: How many at least.
        refine_steps: Of latent optimization.
        keep: Weight of kept words in the choice.
        options: Of the editor.
    """

    values: dict[str, str]
    sizes: dict[str, float]
    signed: frozenset[str]
    method: str
    strength: float
    candidates: int
    refine_steps: int
    keep: float
    options: dict[str, Any]

    @property
    def words(self) -> str:
        """The wanted values, as text."""
        return " and ".join(self.values.values())

    @property
    def limit(self) -> float:
        """The largest strength that the method knows."""
        return MAX_TOLD_STRENGTH if self.method == CONDITION else MAX_CODE_STRENGTH

    def farther(self, step: float) -> float:
        """The strength of a candidate's step, as far as the method goes with the largest number that was asked for."""
        return min(self.limit / max(self.sizes.values()), self.strength * step)

    def targets(self, known: Mapping[str, Any]) -> dict[str, str | float]:
        """What an editor of codes is asked for: names, and numbers with the sign that its own order of values gives them.

        Args:
            known: `AttributeCodes.attributes`.
        """
        return {
            name: self.sizes[name] * (1 if known[name].index(value) else -1) if name in self.signed else value
            for name, value in self.values.items()
        }


def make_wish(
    space: "LatentSpace", targets: Mapping[str, str | float], *, method: str = "auto", strength: float = 1.0, candidates: int = 24,
    refine_steps: int | None = None, keep: float = 1.0, **options: Any,
) -> Wish:  # fmt: skip
    """The wish behind the arguments of `edit_sentences`.

    Raises:
        ValueError: The space cannot do it, or a number is out of range; the message says what would be right.
    """
    choose(dict.fromkeys(METHODS), method, "method of editing")
    if not 1 <= candidates <= MAX_CANDIDATES:
        raise ValueError(f"candidates is {candidates}; it must be from 1 to {MAX_CANDIDATES}")
    refine_steps = (REFINE_STEPS if candidates > 1 else 0) if refine_steps is None else refine_steps
    if refine_steps < 0 or keep < 0:
        raise ValueError(f"refine_steps={refine_steps} and keep={keep} cannot be negative")
    values, sizes, signed = _values(space, targets)
    method = _method(space, method, values)
    check_keys(options, [] if method == CONDITION else [n for n in arguments(EDITORS[method]) if n != "attributes"], f"method {method!r}")
    wish = Wish(values, sizes, signed, method, strength, candidates, refine_steps, keep, options)
    if not 0 < strength * max(sizes.values()) <= wish.limit:
        raise ValueError(
            f"the strength is {strength * max(sizes.values()):g}; for method {method!r} it must be above 0 and at most {wish.limit:g}"
        )
    return wish


def _values(space: "LatentSpace", targets: Mapping[str, str | float]) -> tuple[dict[str, str], dict[str, float], frozenset[str]]:
    """Each target's value by name, the size of a number (1 for a name), and which were numbers."""
    known, wanted, sizes, signed = space.attributes, {}, {}, set()
    if not known:
        raise ValueError(f"{space.name} knows no attributes: open a model that was trained with some, or fit them to its codes")
    if not targets:
        raise ValueError(f"nothing to edit: give a value for one of {', '.join(known)}")
    for name, value in targets.items():
        if name not in known:
            raise ValueError(f"{space.name} knows no attribute {name!r}: {nearest(name, known)}")
        values = known[name]
        if isinstance(value, int | float) and not isinstance(value, bool):
            if len(values) != 2:
                raise ValueError(f"{name}={value}: a number moves between two values and {name!r} has {len(values)}: name one of {', '.join(values)}")
            if value == 0 or not math.isfinite(value):
                raise ValueError(f"{name}={value}: the number's sign picks {' or '.join(values)}; it must be finite and not 0")
            wanted[name], sizes[name] = values[value > 0], abs(float(value))
            signed.add(name)
        else:
            if value not in values:
                raise ValueError(f"attribute {name!r} has no value {value!r}: {nearest(str(value), values)}")
            wanted[name], sizes[name] = str(value), 1.0
    return wanted, sizes, frozenset(signed)


def _method(space: "LatentSpace", method: str, values: Mapping[str, str]) -> str:
    """The method that "auto" stands for, and whether the space can do the one that is asked for."""
    told = space.model.config.decoder_attributes
    untold = [name for name in values if name not in told]
    if method == "auto":
        method = "probe" if untold else CONDITION
    if method == CONDITION:
        if untold:
            raise ValueError(f"{space.name} is not conditioned on {untold[0]!r}: choose another method, such as probe")
        return method
    if space.attribute_codes is None:
        raise ValueError(
            f"method {method!r} moves codes, and {space.name} has no attributes.safetensors that says where to: "
            f"`textae attributes {' '.join(values)}` fits one to its codes"
        )
    codes = space.attribute_codes.attributes
    for name, value in values.items():
        if name not in codes or value not in codes[name].values:
            raise ValueError(f"method {method!r} moves codes, and nothing was fitted to those of {space.name} for {name}={value}: fit it with `textae attributes`")
    return method
