"""The shortest step that brings several softmax classifiers to wanted log-odds: a small convex program, solved for a batch.

    minimize ½ ‖y‖²  subject to  g_i(y) ≥ 0,   g_i(y) = -log Σ_j exp -(s_ij + (A_i y)_j),

with s_ij the margins of target i over its other values j, less what is wanted. Each g_i is concave, so the feasible set is
convex and the step unique. Augmented Lagrangian (Rockafellar 1973) with Newton's method inside, then Newton steps on the
optimality conditions, of which the last carries the gradient of the implicit function.

Shapes: B codes, I targets, J other values of one of them, R dimensions of the step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

OUTER, INNER, HALVINGS = 40, 50, 30
TOLERANCE = 1e-9  # of the wanted log-odds in nats, before the last Newton steps
MISSED = 1e-6  # nats by which a target that was reached may be missed


@dataclass(frozen=True, eq=False)
class Constraint:
    """One target: its margins at the start, shape (B, J), and how they change with the step, shape (J, R)."""

    start: Tensor
    change: Tensor

    def parts(self, y_BR: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """g, shape (B,), its gradient, shape (B, R), and minus its Hessian, shape (B, R, R)."""
        margins_BJ = self.start + y_BR @ self.change.T
        share_BJ = (-margins_BJ).softmax(1)
        slope_BR = share_BJ @ self.change
        curve = torch.einsum("bj,jr,js->brs", share_BJ, self.change, self.change)
        return -(-margins_BJ).logsumexp(1), slope_BR, curve - slope_BR[:, :, None] * slope_BR[:, None, :]


def shortest_step(constraints: list[Constraint]) -> tuple[Tensor, Tensor]:
    """The step, shape (B, R), float64, with its first derivative by the margins at the start; and by how much each constraint is missed.

    Returns:
        The step, and the largest shortfall of a code's log-odds in nats, shape (B,): 0 where all are reached.
    """
    still = [Constraint(c.start.detach(), c.change) for c in constraints]
    # In units where constraints have slopes of about one, which leaves the shortest step the shortest.
    unit = torch.stack([c.change.square().sum(1).max() for c in still]).max().sqrt()
    if not unit > 0:
        return torch.zeros_like(still[0].start[:, :1]).expand(-1, still[0].change.shape[1]), _shortfall(
            _values(still, None)
        )
    with torch.no_grad():
        scaled = [Constraint(c.start, c.change / unit) for c in still]
        y, multipliers = _augmented_lagrangian(scaled)
        missed = _shortfall(_values(scaled, y))
        if (missed > MISSED).any():  # the optimality conditions have no solution to polish
            return y / unit, missed
        for _ in range(3):
            y, multipliers = _newton(scaled, y, multipliers)
        missed = _shortfall(_values(scaled, y))
    y, _ = _newton([Constraint(c.start, c.change / unit) for c in constraints], y, multipliers)
    return y / unit, missed


def _values(constraints: list[Constraint], y_BR: Tensor | None) -> Tensor:
    """g of every constraint, shape (B, I); at no step where `y_BR` is None."""
    return torch.stack(
        [-(-(c.start if y_BR is None else c.start + y_BR @ c.change.T)).logsumexp(1) for c in constraints], 1
    )


def _shortfall(values_BI: Tensor) -> Tensor:
    return (-values_BI).amax(1).clamp_min(0)


def _all(constraints: list[Constraint], y_BR: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`Constraint.parts` of all, stacked: (B, I), (B, I, R), (B, I, R, R)."""
    g, slope, curve = zip(*(c.parts(y_BR) for c in constraints), strict=True)
    return torch.stack(g, 1), torch.stack(slope, 1), torch.stack(curve, 1)


def _augmented_lagrangian(constraints: list[Constraint]) -> tuple[Tensor, Tensor]:
    """A step and multipliers, shapes (B, R) and (B, I), near the solution."""
    num, width = len(constraints[0].start), constraints[0].change.shape[1]
    y = torch.zeros(num, width, dtype=torch.float64)
    multipliers = torch.zeros(num, len(constraints), dtype=torch.float64)
    penalty = 10.0
    for _ in range(OUTER):
        y = _inner(constraints, y, multipliers, penalty)
        g = _values(constraints, y)
        # Complementary slackness: what is not reached, or a multiplier of a constraint that does not bind.
        gap = torch.maximum(-g, -multipliers / penalty).abs().max()
        multipliers = (multipliers - penalty * g).clamp_min(0)
        if gap < TOLERANCE:
            break
        penalty = min(2 * penalty, 1e6)
    return y, multipliers


def _inner(constraints: list[Constraint], y: Tensor, multipliers: Tensor, penalty: float) -> Tensor:
    """Minimize ½‖y‖² + Σ max(0, λ_i - ρ g_i)² / 2ρ by Newton's method with step halving, each code for itself."""

    def value(y: Tensor) -> Tensor:
        pull = (multipliers - penalty * _values(constraints, y)).clamp_min(0)
        return 0.5 * y.square().sum(1) + pull.square().sum(1) / (2 * penalty)

    eye = torch.eye(y.shape[1], dtype=y.dtype)
    now = value(y)
    for _ in range(INNER):
        g, slope, curve = _all(constraints, y)
        pull = (multipliers - penalty * g).clamp_min(0)
        down = y - torch.einsum("bi,bir->br", pull, slope)
        if (down.abs().amax(1) <= 1e-11 * (1 + y.abs().amax(1))).all():
            break
        active = (pull > 0).double()
        hessian = (
            eye
            + penalty * torch.einsum("bi,bir,bis->brs", active, slope, slope)
            + torch.einsum("bi,birs->brs", pull, curve)
        )
        move = -torch.linalg.solve(hessian, down)
        size = torch.ones_like(now)
        for _ in range(HALVINGS):
            after = value(y + size[:, None] * move)
            worse = after > now + 1e-4 * size * (move * down).sum(1)
            if not worse.any():
                break
            size = torch.where(worse, size / 2, size)
        better = after < now
        y = torch.where(better[:, None], y + size[:, None] * move, y)
        now = torch.where(better, after, now)
        if not better.any():
            break
    return y


def _newton(constraints: list[Constraint], y: Tensor, multipliers: Tensor) -> tuple[Tensor, Tensor]:
    """One Newton step on y = Σ λ_i ∇g_i, g_i = 0 for the constraints that bind, λ_i = 0 for the others.

    At the solution it moves nothing, and its derivative by what the constraints depend on is the solution's own: the inverse
    Jacobian is held fixed and the residual is not (the implicit function theorem).
    """
    g, slope, curve = _all(constraints, y)
    binding = multipliers > 0
    width = y.shape[1]
    first = y - torch.einsum("bi,bir->br", multipliers, slope)
    second = torch.where(binding, g, multipliers)
    with torch.no_grad():
        num = multipliers.shape[1]
        system = torch.zeros(len(y), width + num, width + num, dtype=y.dtype)
        system[:, :width, :width] = torch.eye(width, dtype=y.dtype) + torch.einsum("bi,birs->brs", multipliers, curve)
        system[:, :width, width:] = -slope.mT
        system[:, width:, :width] = slope * binding[:, :, None]
        # Targets that ask for the same have no unique multipliers; a trace on the diagonal picks some.
        system[:, width:, width:] = torch.diag_embed(torch.where(binding, 1e-12, 1.0).to(y.dtype))
    step = torch.linalg.solve(system, torch.cat([first, second], 1))
    return y - step[:, :width], (multipliers - step[:, width:]).clamp_min(0)
