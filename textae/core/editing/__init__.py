"""Editing of codes without conditioning: attributes fitted to labelled codes, and editors that move codes by them.

Knows codes alone, of sentences and images alike; what they decode to is the space's business.
"""

from textae.core.editing.base import MAX_STRENGTH, Editor, Target, Targets, Unreachable, parse_targets
from textae.core.editing.codes import Attribute, AttributeCodes
from textae.core.editing.edit import EDITORS, attributes_of, edit_codes, make_editor
from textae.core.editing.gradient import GradientEdit
from textae.core.editing.linear import LinearProbe
from textae.core.editing.ode import OdeEdit
from textae.core.editing.offset import MeanOffset

__all__ = [
    "EDITORS",
    "MAX_STRENGTH",
    "Attribute",
    "AttributeCodes",
    "Editor",
    "GradientEdit",
    "LinearProbe",
    "MeanOffset",
    "OdeEdit",
    "Target",
    "Targets",
    "Unreachable",
    "attributes_of",
    "edit_codes",
    "make_editor",
    "parse_targets",
]
