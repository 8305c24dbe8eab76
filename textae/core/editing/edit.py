"""One call that edits codes by a method's name."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from textae.core.config import arguments, check_keys, choose
from textae.core.editing.base import Editor, Targets
from textae.core.editing.codes import AttributeCodes
from textae.core.editing.gradient import GradientEdit
from textae.core.editing.linear import LinearProbe
from textae.core.editing.ode import OdeEdit
from textae.core.editing.offset import MeanOffset

if TYPE_CHECKING:  # the space reads this package in its own verbs
    from textae.core.space import LatentSpace

EDITORS: dict[str, type[Editor]] = {
    "offset": MeanOffset,
    "probe": LinearProbe,
    "gradient": GradientEdit,
    "ode": OdeEdit,
}


def make_editor(attributes: AttributeCodes, method: str, **options: Any) -> Editor:
    """An editor by name; an unknown method or option is a ValueError that lists what exists."""
    editor = choose(EDITORS, method, "method of editing")
    check_keys(options, [n for n in arguments(editor) if n != "attributes"], f"method {method!r}")
    return editor(attributes, **options)


def edit_codes(
    source: "AttributeCodes | LatentSpace",
    z: Tensor,
    targets: Targets,
    method: str = "probe",
    strength: float = 1.0,
    **options: Any,
) -> Tensor:
    """Codes moved to where attributes have wanted values.

    Args:
        source: What is known of the codes, or a space whose folder holds it (`AttributeCodes.save`).
        z: Codes, shape (D,) or (N, D).
        targets: `{"tense": "past"}`, `{"sentiment": 1.5}`: values, or for two-valued attributes a number whose sign picks
            the value (negative the first) and whose size multiplies the strength; several at once.
        method: A name in `EDITORS`.
        strength: k, above 0 and at most 10; one unit is the full difference of means for "offset", the wanted log-odds
            for "probe" and "gradient", and the whole energy for "ode".
        **options: Of that editor.

    Returns:
        The shape, type and device of `z`.

    Raises:
        ValueError: An unknown method, option, attribute or value, bad codes or strength, no attributes in the space's folder.
    """
    attributes = source if isinstance(source, AttributeCodes) else attributes_of(source)
    codes = torch.as_tensor(z)
    edited = make_editor(attributes, method, **options)(codes[None] if codes.dim() == 1 else codes, targets, strength)
    return edited[0] if codes.dim() == 1 else edited


def attributes_of(space: "LatentSpace") -> AttributeCodes:
    """The attributes that lie beside a space's model.

    Raises:
        ValueError: There are none, or they were fitted to codes of another width.
    """
    if space.folder is None:
        raise ValueError(
            f"{space.name} was not loaded from a folder, so no attributes lie beside it: give AttributeCodes in its place"
        )
    found = AttributeCodes.load(space.folder)
    if found.latent_dim != space.latent_dim:
        raise ValueError(
            f"{space.folder}: its attributes are of codes with {found.latent_dim} dimensions and the model has {space.latent_dim}: fit them again"
        )
    return found
