"""Terms that only sentences have, beside the core's. `TERMS` is the whole list for configs of text."""

from collections.abc import Callable

from textae.core.objectives import TERMS as CORE_TERMS
from textae.core.objectives import Term
from textae.objectives.bag_of_words import BagOfWords
from textae.objectives.controlled_generation import ControlledGeneration
from textae.objectives.cycle import Cycle
from textae.objectives.missing_attributes import MissingAttributes

TERMS: dict[str, Callable[..., Term]] = {
    **CORE_TERMS,
    "bag_of_words": BagOfWords,
    "controlled_generation": ControlledGeneration,
    "cycle": Cycle,
    "missing_attributes": MissingAttributes,
}
