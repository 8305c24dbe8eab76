"""A penalty on codes that are not sparse. (A k-sparse code is a matter of the model, not of a term.)

Shapes: B examples, D latent dimensions.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule

KINDS = ("l1", "kl")
EDGE = 1e-6  # keeps the logarithms finite where float32 says that a unit is always or never on


class Sparsity(Term):
    """Pushes codes towards few active units.

    "l1": the sum of absolute values of each example's code; any code. "kl": KL(ρ || ρ̂) of Bernoulli variables in nats,
    summed over units, ρ̂ being a unit's mean over the batch (Ng 2011, CS294A notes, sec. 3); a code of
    sigmoids. L1 asks every example for small values; KL asks every unit for a rate, and lets single examples use many.
    Both read the posterior's mean.

    Args:
        weight: Of the penalty.
        kind: "l1" or "kl".
        target: ρ, the wanted mean activation of a unit; "l1" does not use it, and refuses another than the default.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, kind: str = "l1", target: float | None = None):
        super().__init__(weight)
        if kind not in KINDS:
            raise ValueError(f"objective.sparsity.kind is {kind!r}; it must be l1 or kl")
        if kind == "l1" and target is not None:
            raise ValueError("objective.sparsity.target is the rate of kind=kl; kind=l1 has none")
        self.kind, self.target = kind, 0.05 if target is None else target  # 0.05: Ng 2011, sec. 3
        if not 0 < self.target < 1:
            raise ValueError(f"objective.sparsity.target is {self.target}; a rate lies between 0 and 1")

    def bind(self, model: Autoencoder) -> None:
        if self.kind == "kl" and model.config.to_dict().get("code_activation") != "sigmoid":
            raise ValueError("objective.sparsity.kind=kl needs codes between 0 and 1: set model.code_activation=sigmoid, or kind=l1")

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        code_BD = output.posterior.mean
        if self.kind == "l1":
            value = code_BD.abs().sum(1)
            return TermValue(value, value)
        if ((code_BD < 0) | (code_BD > 1)).any():
            raise ValueError("objective.sparsity.kind=kl needs codes between 0 and 1, and this model's go beyond: take kind=l1")
        rate_D, wanted = code_BD.mean(0).clamp(EDGE, 1 - EDGE), self.target
        value = (wanted * (wanted / rate_D).log() + (1 - wanted) * ((1 - wanted) / (1 - rate_D)).log()).sum()
        return TermValue(value, value)
