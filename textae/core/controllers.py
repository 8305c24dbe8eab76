"""Weights that steer: unlike a schedule each has a state, moved by what its term has just measured, saved and resumed with the run.

A weight names one where it could name a schedule: `kl: {weight: {schedule: pi, target: 4}}`. Most useful for a KL, but any term has a
value that can be held at a target, in the unit of that value.
"""

import math

import torch
from torch import Tensor, distributed, nn


class Controller(nn.Module):
    """A weight between `least` and `most` that follows a term's values, one for each batch.

    Args:
        target: The value that is wanted, above 0.
        least, most: Limits of the weight.
    """

    def __init__(self, target: float, least: float = 0.0, most: float = 1.0):
        super().__init__()
        if not 0 < target < math.inf:
            raise ValueError(f"a controller's target is {target}; it must be above 0")
        if not 0 <= least < most < math.inf:
            raise ValueError(f"a controller's weight is to stay from least={least} to most={most}; give 0 <= least < most")
        self.target, self.least, self.most = target, least, most
        self.register_buffer("weight", torch.tensor(float(least), dtype=torch.float64))

    def forward(self, step: int) -> float:
        """The weight as it is now, whatever the step."""
        return self.weight.item()

    @torch.no_grad()
    def observe(self, value: Tensor) -> None:
        """Move the weight by a batch's mean value, shape (); of all processes where there are several."""
        value = value.detach().double()
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            distributed.all_reduce(value := value.clone())
            value = value / distributed.get_world_size()
        if value.isfinite():  # a loss that is none stops the run; what it is stopped at should be whole
            self.weight.copy_(self._next(value).clamp(self.least, self.most))

    def _next(self, value: Tensor) -> Tensor:
        """The next weight before its limits."""
        raise NotImplementedError


class PI(Controller):
    """The proportional-integral controller of ControlVAE (Shao et al. 2020, eq. 8-10, alg. 1).

    With e = target - value the weight is kp / (1 + exp(e)) - ki Σ e + least: too small a value lowers it. The sum stands still
    while the weight is at a limit (anti-windup).

    Args:
        target, least, most: As above.
        kp, ki: The two gains; the paper's for text are 0.01 and 0.0001 (sec. 5.2). The weight needs about
            1 / (ki · |e|) batches from one limit to the other.
    """

    def __init__(self, target: float, kp: float = 0.01, ki: float = 0.0001, least: float = 0.0, most: float = 1.0):
        super().__init__(target, least, most)
        if not (0 <= kp < math.inf and 0 < ki < math.inf):
            raise ValueError(f"schedule pi: kp={kp} cannot be negative, and ki={ki} must be above 0")
        self.kp, self.ki = kp, ki
        self.register_buffer("integral", torch.zeros((), dtype=torch.float64))

    def _next(self, value: Tensor) -> Tensor:
        error = self.target - value
        step = self.ki * error
        # Alg. 1 adds to the sum where the last weight lay within its limits; it may also come back from one.
        if (self.weight > self.least or step < 0) and (self.weight < self.most or step > 0):
            self.integral -= step
        return self.kp * torch.sigmoid(-error) + self.integral + self.least


class MinimumRate(Controller):
    """The minimum desired rate (Pelsmaeker & Aziz 2020, sec. 3.2): the weight is 1 - u, u a Lagrange multiplier of value >= target.

    u climbs by `rate` · (target - value) at each batch and stays from 0 to 1, so that the term is charged in full once the target is
    reached, and is free while it is far away. (The paper's u knows no upper limit: it would then reward the KL.)

    Args:
        target: The least value that is wanted.
        rate: Step size of the multiplier's ascent.
    """

    def __init__(self, target: float, rate: float = 0.001):
        super().__init__(target)
        if not 0 < rate < math.inf:
            raise ValueError(f"schedule minimum_rate: rate is {rate}; it must be above 0")
        self.rate = rate
        self.weight.fill_(1.0)

    def _next(self, value: Tensor) -> Tensor:
        return self.weight - self.rate * (self.target - value)


CONTROLLERS: dict[str, type[Controller]] = {"pi": PI, "minimum_rate": MinimumRate}
