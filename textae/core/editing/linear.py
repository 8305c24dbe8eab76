"""Minimal steps under linear probes: no shorter one reaches the wanted confidence.

Shapes: B codes, D latent dimensions, J other values of one target, R dimensions that matter.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from textae.core.editing.base import Editor, Target, Unreachable, check_confidence, wanted_log_odds
from textae.core.editing.codes import AttributeCodes
from textae.core.editing.minimal import MISSED, Constraint, shortest_step

METRICS = ("euclidean", "within")


class LinearProbe(Editor):
    """The shortest step after which the probes of all targets are as sure as wanted; none where they are already.

    For two values, log-odds w·z + c and a metric M the step is M w (m - w·z - c)⁺ / (w·M w), m being the wanted log-odds
    (the projection onto a half-space); for more values or several targets see `textae.core.editing.minimal`. Take it where
    a code should change as little as it can: how far it moves depends on where it is, unlike with `MeanOffset`.

    k multiplies the wanted log-odds: k = 1 ends at `confidence`, k = 2 at confidence² : (1 - confidence)².

    Args:
        attributes: What is known of the codes.
        confidence: Probability of each target that is wanted at k = 1, above 0.5.
        metric: What "short" means. "euclidean" counts all directions alike, as the prior N(0, I) and a decoder trained under it
            do. "within" measures by the covariance within groups, where directions in which codes vary are cheap. With
            groups of one covariance its direction is that of the means' difference (linear discriminant analysis,
            w = M⁻¹(m₁ - m₀)), with whatever else tells the groups apart on average: at the same confidence it changes content
            more, but codes that are far from isotropic (an AE's) stay where codes are.
        keep: Attributes whose probabilities under their probes must not change at all, by name; True: all but the targets.
    """

    def __init__(
        self,
        attributes: AttributeCodes,
        *,
        confidence: float = 0.95,
        metric: str = "euclidean",
        keep: bool | Sequence[str] = False,
    ):
        super().__init__(attributes)
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(METRICS)}")
        if isinstance(keep, str):
            raise ValueError(f"keep is {keep!r}; it must be a list of attributes, or True for all but the targets")
        self.confidence, self.keep = check_confidence(confidence), keep
        if not isinstance(keep, bool):
            for name in keep:
                attributes[name]  # an unknown name is refused here
        self.root = (
            _root(attributes.within.double())
            if metric == "within"
            else torch.eye(attributes.latent_dim, dtype=torch.float64)
        )

    def edit(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        differences = [_differences(t) for t in targets]
        free = self.root @ _null_space(self._kept(targets) @ self.root)  # steps that may be taken, by their length
        seen = torch.cat([weight_JD @ free for weight_JD, _ in differences])
        size = max((weight_JD @ self.root).norm(dim=1).max() for weight_JD, _ in differences)
        _, values, basis = torch.linalg.svd(seen, full_matrices=False)
        basis = free @ basis[values > 1e-6 * size].T  # below, only what rounding left of directions that are kept
        constraints = [
            Constraint(z_BD @ weight_JD.T + bias_J - wanted_log_odds(target, self.confidence), weight_JD @ basis)
            for target, (weight_JD, bias_J) in zip(targets, differences, strict=True)
        ]
        if not basis.shape[1]:
            constraints = [Constraint(c.start, c.change.new_zeros(len(c.change), 1)) for c in constraints]
            basis = z_BD.new_zeros(z_BD.shape[1], 1)
        step_BR, missed_B = shortest_step(constraints)
        if (missed_B > MISSED).any():
            raise Unreachable(self._refusal(targets, int((missed_B > MISSED).sum()), len(z_BD)), missed_B > MISSED)
        return z_BD + step_BR @ basis.T

    def _kept(self, targets: list[Target]) -> Tensor:
        """Weights whose products with a step must be zero, shape (·, D)."""
        changed = {t.attribute.name for t in targets}
        if isinstance(self.keep, bool):
            names = [n for n in self.attributes.attributes if n not in changed] if self.keep else []
        else:
            names = list(self.keep)
            if both := sorted(changed & set(names)):
                raise ValueError(f"{both[0]!r} is both a target and to be kept: leave it out of one")
        weights = [(w := self.attributes[n].probe.weight.double())[1:] - w[:1] for n in names]
        return torch.cat([*weights, torch.zeros(0, self.attributes.latent_dim, dtype=torch.float64)])

    def _refusal(self, targets: list[Target], num: int, total: int) -> str:
        asked = ", ".join(f"{t.attribute.name}={t.value}" for t in targets)
        why = (
            "the targets or the attributes to keep contradict it"
            if self.keep or len(targets) > 1
            else "another value is always likelier there"
        )
        return (
            f"{num} of {total} codes cannot reach {asked} at the wanted confidence ({self.confidence:g} at strength 1): {why}; ask for "
            "less, or take method='offset'"
        )


def _differences(target: Target) -> tuple[Tensor, Tensor]:
    """Weights and biases of the target's logit less each other value's, shapes (J, D) and (J,)."""
    weight, bias = target.attribute.probe.weight.double(), target.attribute.probe.bias.double()
    others = [k for k in range(len(bias)) if k != target.index]
    return weight[target.index] - weight[others], bias[target.index] - bias[others]


def _root(matrix: Tensor) -> Tensor:
    """A symmetric square root; rounding to float32 may have left eigenvalues a little below zero."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(1e-12 * values[-1]).sqrt()) @ vectors.T


def _null_space(rows_RD: Tensor) -> Tensor:
    """An orthonormal basis of what all rows are orthogonal to, shape (D, ·)."""
    if not len(rows_RD):
        return torch.eye(rows_RD.shape[1], dtype=rows_RD.dtype)
    _, values, basis = torch.linalg.svd(rows_RD, full_matrices=True)
    return basis[int((values > 1e-9 * values[0]).sum()) :].T
