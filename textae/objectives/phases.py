"""When a term that generates sentences does so, and which of a batch's sentences it takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sleep:
    """The steps of an objective that generate: from `start` on, each `every`-th.

    The wake and sleep phases of Hu et al. 2017, algorithm 1, in one loop: before `start` the model learns from
    real sentences alone.

    Args:
        start: Optimizer steps before the first.
        every: 1: all steps; more is cheaper, and the term's weight counts at these steps only.
        examples: Sentences each time; 0: as many as the batch has.
    """

    start: int = 0
    every: int = 1
    examples: int = 0

    def __post_init__(self) -> None:
        for name, value, least in (("start", self.start, 0), ("every", self.every, 1), ("examples", self.examples, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"a generating term's {name} is {value!r}; it must be a whole number of at least {least}")

    def due(self, step: int) -> bool:
        """Whether sentences are generated at an optimizer step."""
        return step >= self.start and (step - self.start) % self.every == 0

    def size(self, batch_size: int) -> int:
        """How many of a batch's sentences are taken."""
        return min(self.examples or batch_size, batch_size)
