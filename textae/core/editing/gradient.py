"""Codes that climb the gradient of a classifier until it is convinced.

Shapes: B codes, D latent dimensions.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from textae.core.config import choose
from textae.core.editing.base import Editor, Target, check_confidence, gradient, wanted_log_odds
from textae.core.editing.codes import CLASSIFIERS, AttributeCodes


class GradientEdit(Editor):
    """Fast gradient iterative modification: steps up the classifier's gradient, of several sizes, the smallest that works.

    Source: Wang, Hua & Wan 2019, algorithm 1. For each size w, from small to large: z ← z + w ∇ log (p / (1 - p)), p being C's
    probability of what is wanted and w shrinking by `decay` at each of at most `steps` steps, until p is as high as
    wanted; the first size that gets there is taken for each code. A code that none brings there keeps the try that came
    closest. Log-odds stand where the paper has the cross-entropy: its gradient is (1 - p) times theirs and fades just before
    the goal, which only huge steps would then reach. Take it where attributes are not linear in the code; it follows
    the classifier's mistakes too, further than `LinearProbe` does.

    The gradient is summed over the targets that are not reached yet. Sizes count in codes of unit mean variance, so they do not
    depend on the model's scale. k multiplies the wanted log-odds, as in `LinearProbe`.

    Args:
        attributes: What is known of the codes.
        confidence: Probability of each target that is wanted at k = 1, above 0.5.
        sizes: w, from small to large.
        decay: λ, above 0 and at most 1.
        steps: Of each size, at least 1.
        classifier: "mlp" or "probe".
    """

    def __init__(
        self, attributes: AttributeCodes, *, confidence: float = 0.95, sizes: Sequence[float] = (0.03, 0.1, 0.3, 1.0, 3.0), decay: float = 0.95,
        steps: int = 30, classifier: str = "mlp",
    ):  # fmt: skip
        super().__init__(attributes)
        self.confidence = check_confidence(confidence)
        self.sizes = [float(w) for w in sizes]
        if not self.sizes or not all(0 < w < math.inf for w in self.sizes) or self.sizes != sorted(self.sizes):
            raise ValueError(f"sizes are {list(sizes)}; they must be one or more numbers above 0, from small to large")
        if not 0 < decay <= 1:
            raise ValueError(f"decay is {decay}; it must be above 0 and at most 1")
        if steps < 1:
            raise ValueError(f"steps is {steps}; at least 1 is needed")
        choose(dict.fromkeys(CLASSIFIERS), classifier, "classifier of codes")
        self.decay, self.steps, self.classifier = decay, steps, classifier

    def edit(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        best, shortfall = z_BD, self._short(z_BD, targets)
        for size in self.sizes:
            rows = (shortfall > 0).nonzero()[:, 0]
            if not len(rows):
                break
            tried, left = self._climb(z_BD[rows], targets, size)
            closer = left < shortfall[rows]
            best = best.index_put((rows[closer],), tried[closer])
            shortfall = shortfall.index_put((rows[closer],), left[closer])
        return best

    def _climb(self, z_BD: Tensor, targets: list[Target], size: float) -> tuple[Tensor, Tensor]:
        """Where steps of one size lead, and what is still missing there."""
        z, short = z_BD, self._short(z_BD, targets)
        for step in range(self.steps):
            rate = size * self.decay**step * self.attributes.scale**2
            moved = z + rate * gradient(lambda z: self._reward(z, targets), z)
            z = torch.where((short > 0)[:, None], moved, z)
            short = self._short(z, targets)
            if not (short > 0).any():
                break
        return z, short

    def _reward(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        """Log-odds of the targets that are not reached, summed, shape (B,)."""
        odds = [(t.log_odds(z_BD, self.classifier), wanted_log_odds(t, self.confidence)) for t in targets]
        return torch.stack([(found.detach() < wanted) * found for found, wanted in odds]).sum(0)

    def _short(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        """The largest shortfall of the targets' log-odds in nats, shape (B,): 0 where all are reached."""
        z = z_BD.detach()
        gaps = [wanted_log_odds(t, self.confidence) - t.log_odds(z, self.classifier) for t in targets]
        return torch.stack(gaps).amax(0).clamp_min(0)
