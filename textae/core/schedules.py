"""Weights that change while training: each is a pure function of the optimizer step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textae.core.config import build

Schedule = Callable[[int], float]


def _check_steps(name: str, **counts: int) -> None:
    for key, value in counts.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"schedule {name}: {key} is {value}; it counts optimizer steps, so it is a finite number and cannot be negative")


@dataclass(frozen=True)
class Constant:
    """The same value at every step."""

    value: float = 1.0

    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class Linear:
    """`start` for `warmup` steps, then a straight line to `end` over `steps` steps, then `end` (Bowman et al. 2016, sec. 3)."""

    start: float = 0.0
    end: float = 1.0
    steps: int = 1000
    warmup: int = 0

    def __post_init__(self) -> None:
        _check_steps("linear", steps=self.steps, warmup=self.warmup)

    def __call__(self, step: int) -> float:
        share = 1.0 if self.steps == 0 else min(max((step - self.warmup) / self.steps, 0.0), 1.0)
        return self.start + share * (self.end - self.start) if step >= self.warmup else self.start


@dataclass(frozen=True)
class Logistic:
    """An S-curve from `start` to `end`, half-way at `midpoint` steps after `warmup` (Bowman et al. 2016, fig. 2).

    `rate` is the steepness for each step: 90 % of the climb takes about 5.9 / rate steps.
    """

    start: float = 0.0
    end: float = 1.0
    midpoint: int = 2500
    rate: float = 0.0025
    warmup: int = 0

    def __post_init__(self) -> None:
        _check_steps("logistic", midpoint=self.midpoint, warmup=self.warmup)
        if not 0 < self.rate < math.inf:
            raise ValueError(f"schedule logistic: rate is {self.rate}; it must be a finite number above 0, or the curve would not go from start to end")

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.start
        x = self.rate * (step - self.warmup - self.midpoint)
        share = 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Cyclical:
    """`cycles` ramps from `start` to `end` in `steps` steps, then `end` for good (Fu et al. 2019, eq. 6-8).

    Each cycle climbs in a straight line during its first `ramp` part and stays at `end` for the rest. The learning
    rate is no part of it and does not restart.
    """

    start: float = 0.0
    end: float = 1.0
    steps: int = 10000
    cycles: int = 4
    ramp: float = 0.5
    warmup: int = 0

    def __post_init__(self) -> None:
        _check_steps("cyclical", steps=self.steps, warmup=self.warmup)
        if not (isinstance(self.cycles, int) and 1 <= self.cycles <= self.steps and 0 < self.ramp <= 1):
            raise ValueError(f"schedule cyclical: cycles={self.cycles} must be a whole number from 1 to steps={self.steps}, and ramp={self.ramp} in (0, 1]")

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.start
        step -= self.warmup
        if step >= self.steps:
            return self.end
        period = self.steps / self.cycles
        position = (step % period) / period
        return self.start + min(position / self.ramp, 1.0) * (self.end - self.start)


@dataclass(frozen=True)
class CosineRamp:
    """`start` for `warmup` steps, then half a cosine to `end` over `steps` steps, then `end`: slow at both ends, where `linear` has corners."""

    start: float = 0.0
    end: float = 1.0
    steps: int = 10000
    warmup: int = 0

    def __post_init__(self) -> None:
        _check_steps("cosine", steps=self.steps, warmup=self.warmup)

    def __call__(self, step: int) -> float:
        return self.start if step < self.warmup else _half_cosine(self.start, self.end, self.steps, step - self.warmup)


@dataclass(frozen=True)
class Cosine:
    """The usual curve of a learning rate, and no weight of a term: up from 0 to `start`, then half a cosine down to `end`.

    The climb is a straight line over `warmup` steps, the way down takes `steps` steps (Loshchilov & Hutter 2017, eq. 5, without
    restarts).
    """

    start: float = 1.0
    end: float = 0.0
    steps: int = 10000
    warmup: int = 0

    def __post_init__(self) -> None:
        _check_steps("cosine", steps=self.steps, warmup=self.warmup)

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.start * (step + 1) / (self.warmup + 1)
        return _half_cosine(self.start, self.end, self.steps, step - self.warmup)


def _half_cosine(start: float, end: float, steps: int, step: int) -> float:
    share = min(step / steps, 1.0) if steps else 1.0
    return end + 0.5 * (start - end) * (1 + math.cos(math.pi * share))


SCHEDULES: dict[str, type] = {
    "constant": Constant,
    "linear": Linear,
    "logistic": Logistic,
    "cyclical": Cyclical,
    "cosine": CosineRamp,
}


def build_schedule(value: float | dict[str, Any] | Schedule, where: str = "schedule") -> Schedule:
    """A number is a constant; a mapping names a schedule: `{schedule: linear, end: 0.4, steps: 2000}`.

    Raises:
        ValueError: The name or one of its arguments does not exist; the message lists those that do.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(float(value))
    if callable(value):
        return value
    return build(SCHEDULES, value, kind="schedule", where=where)
