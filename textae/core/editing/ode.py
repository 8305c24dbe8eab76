"""Codes moved or drawn by the probability-flow ODE of a diffusion under attribute classifiers.

The variance-preserving SDE dz = -½ β(t) z dt + √β(t) dw, t from 0 to 1, β(t) = β_min + t (β_max - β_min), keeps N(0, I). With the energy
E(a|z) = -Σ_i k_i log p(a_i|z) its probability flow is dz/dt = ½ β(t) ∇E, from t = 1 to 0 (Liu et al. 2022,
"Composable text control operations in latent space with ODEs"; Nie et al. 2021 for images): prior and drift cancel. β only sets the
clock: in s = ½ ∫₀ᵗ β the flow is dz/ds = ∇E. Steps are equal in t, and so small in s at the end, where codes are nearly clean.

Shapes: B codes, D latent dimensions, Q points, R dimensions that the probes see, K values.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from textae.core.config import choose
from textae.core.editing.base import Editor, Target, Targets, gradient, parse_targets
from textae.core.editing.codes import CLASSIFIERS, AttributeCodes

GUIDANCES = ("frozen", "exact")
POINTS = 256  # of the average over noise: quantiles of draws are right to a few hundredths of a standard deviation
ROWS = 512  # codes averaged at once; bounds the memory


class OdeEdit(Editor):
    """Flow from t = 1 to 0 under the targets' classifiers: from a source's code for an edit, from N(0, I) for a draw.

    k multiplies the energy of a target. Take it to draw codes with several attributes, or to edit softly: the
    push fades as the classifier is convinced, and there is no wanted confidence.

    Args:
        attributes: What is known of the codes.
        classifier: "mlp" or "probe".
        guidance: "frozen" takes the classifier of clean codes at every t, as LatentOps does: all codes end convinced, and
            draws are more typical of the attribute than p(z|a) is. "exact" takes p_t(a|z) = E p(a|α z + √(1 - α²) ε),
            α = exp -s, ε ~ N(0, I), which is what the classifier knows of a noisy code where the prior is N(0, I): draws then follow
            p(z|a) ∝ N(z; 0, I) p(a|z)^k and keep its diversity. The average is over fixed quasi-random points, and
            for the probe only, which sees few dimensions.
        beta_min, beta_max: Of β. The values of Song et al. 2021, app. C, end at s = 5.025, where a code keeps 0.7 % of its
            start: large enough for draws. An edit is softer with less.
        steps: Of Heun's method; two gradients each.
    """

    def __init__(
        self, attributes: AttributeCodes, *, classifier: str = "mlp", guidance: str = "frozen", beta_min: float = 0.1, beta_max: float = 20.0,
        steps: int = 100,
    ):  # fmt: skip
        super().__init__(attributes)
        choose(dict.fromkeys(CLASSIFIERS), classifier, "classifier of codes")
        if guidance not in GUIDANCES:
            raise ValueError(f"guidance is {guidance!r}; it must be one of {', '.join(GUIDANCES)}")
        if guidance == "exact" and classifier != "probe":
            raise ValueError("guidance=exact averages over the few dimensions that a probe sees: set classifier=probe")
        if not 0 <= beta_min <= beta_max or not 0 < beta_max < float("inf"):
            raise ValueError(f"beta goes from {beta_min} to {beta_max}; it must start at 0 or more and must not fall")
        if steps < 1:
            raise ValueError(f"steps is {steps}; at least 1 is needed")
        self.classifier, self.guidance, self.steps = classifier, guidance, steps
        self.beta_min, self.beta_max = beta_min, beta_max

    def clock(self, t: float) -> float:
        """s at t, ½ ∫₀ᵗ β."""
        return 0.5 * (self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2)

    def edit(self, z_BD: Tensor, targets: list[Target]) -> Tensor:
        if self.guidance == "exact":
            noisy = _NoisyProbes(targets)
            return torch.cat([self._integrate(part, noisy) for part in z_BD.split(ROWS)])

        def log_prob(z: Tensor) -> Tensor:
            return torch.stack([t.strength * t.log_prob(z, self.classifier) for t in targets]).sum(0)

        return self._integrate(z_BD, lambda z, s: gradient(log_prob, z))

    def sample(self, num: int, targets: Targets, *, seed: int = 0, strength: float = 1.0) -> Tensor:
        """Draws of codes under targets, shape (num, D), float32; without targets draws from N(0, I).

        Args:
            num: How many.
            targets: As for an edit, or none.
            seed: Of the draws from N(0, I) that the flow starts at.
            strength: k.

        Raises:
            ValueError: As for an edit, or `num` below one.
        """
        if num < 1:
            raise ValueError(f"num is {num}; at least one draw must be asked for")
        wanted = parse_targets(self.attributes, targets, strength)
        z = torch.randn(num, self.attributes.latent_dim, generator=torch.Generator().manual_seed(seed))
        return self.edit(z.double(), wanted).float() if wanted else z

    def _integrate(self, z_BD: Tensor, slope: Callable[[Tensor, float], Tensor]) -> Tensor:
        """Heun's method on dz = -∇ log p_s(a|z) ds from s(1) to 0; `slope` is that gradient at codes and s."""
        for step in range(self.steps, 0, -1):
            s, after = self.clock(step / self.steps), self.clock((step - 1) / self.steps)
            first = slope(z_BD, s)
            second = slope(z_BD + (s - after) * first, after)
            z_BD = z_BD + 0.5 * (s - after) * (first + second)
        return z_BD


class _NoisyProbes:
    """∇ log E Π_i p(a_i|α z + √(1 - α²) ε)^k_i of codes at time s, (B, D) -> (B, D)."""

    def __init__(self, targets: list[Target]):
        self.targets = targets
        weights = [t.attribute.probe.weight.double() for t in targets]
        self.weight = torch.cat([w - w.mean(0) for w in weights])  # what all values share changes no probability
        self.bias = torch.cat([t.attribute.probe.bias for t in targets]).double()
        # The probes see ε through W ε = (U S) (V ε), and V ε is standard normal in R dimensions.
        left, values, _ = torch.linalg.svd(self.weight, full_matrices=False)
        seen = max(1, int((values > 1e-6 * values[0]).sum()))
        uniform = torch.quasirandom.SobolEngine(seen, scramble=True, seed=0).draw(POINTS // 2, dtype=torch.float64)
        points_QR = torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9))
        self.noise_QK = torch.cat([points_QR, -points_QR]) @ (left[:, :seen] * values[:seen]).T

    def __call__(self, z_BD: Tensor, s: float) -> Tensor:
        alpha = math.exp(-s)
        logits_BQK = (alpha * z_BD @ self.weight.T + self.bias)[:, None] + math.sqrt(1 - alpha**2) * self.noise_QK
        log_p_BQ, slopes = 0.0, []
        for target, logits in zip(
            self.targets, logits_BQK.split([len(t.attribute.values) for t in self.targets], 2), strict=True
        ):
            log_p = logits.log_softmax(2)
            log_p_BQ = log_p_BQ + target.strength * log_p[..., target.index]
            wanted_K = torch.nn.functional.one_hot(torch.tensor(target.index), logits.shape[2])
            slopes.append(target.strength * (wanted_K - log_p.exp()))
        return alpha * torch.einsum("bq,bqk->bk", log_p_BQ.softmax(1), torch.cat(slopes, 2)) @ self.weight
