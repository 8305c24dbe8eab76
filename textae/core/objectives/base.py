"""What a term is, how terms add up to a loss, and how a critic plays against the autoencoder in one backward pass.

Shapes: B examples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.config import arguments, build, nearest
from textae.core.schedules import Schedule, build_schedule


@dataclass
class TermValue:
    """What a term says about one batch.

    Attributes:
        value: The quantity itself in its own unit, unweighted and before any thresholds, shape (B,) or (): for logs.
        loss: What is minimized in its place, same shapes; the same tensor where the two do not differ.
        own_loss: Loss of the term's own parameters (a critic), shape (); None where it has none. It is added with
            weight one, and must not reach the autoencoder's parameters.
    """

    value: Tensor
    loss: Tensor
    own_loss: Tensor | None = None


class Term(nn.Module):
    """One summand of an objective.

    Subclasses take plain keyword arguments and implement `forward(model, output, batch, step) -> TermValue`.
    Parameters that a term registers are a player of their own: they get their own learning rate and clipping.

    Args:
        weight: A number or a schedule.
        lr: Learning rate of the term's own parameters, as a share of the autoencoder's.
    """

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, lr: float = 1.0):
        super().__init__()
        self.schedule = build_schedule(weight, where="objective weight")
        self.lr = lr

    def bind(self, model: Autoencoder) -> None:
        """Called once, before training, with the model: size a critic, or refuse a model that does not fit."""

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        raise NotImplementedError


def frozen_call(module: nn.Module, *args: Tensor) -> Tensor:
    """`module(*args)` through detached weights: gradients reach the arguments and never the module."""
    weights = {name: p.detach() for name, p in module.named_parameters()}
    return torch.func.functional_call(module, weights, args)


class Objective(nn.Module):
    """The weighted sum of terms, the mean over the batch taken here and nowhere else.

    Args:
        terms: Terms by name, in the order of the log.
    """

    def __init__(self, terms: Mapping[str, Term]):
        super().__init__()
        if not terms:
            raise ValueError("objective has no terms; the least is 'reconstruction'")
        self.terms = nn.ModuleDict(terms)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], table: Mapping[str, Callable[..., Term]]) -> "Objective":
        """Build from `{term: {argument: value}}`; a bare number is the term's weight, null its defaults."""
        terms = {}
        for name, options in config.items():
            if name not in table:
                raise ValueError(f"objective has no term {name!r}: {nearest(name, table)}")
            if not isinstance(options, Mapping):
                options = {} if options is None else {"weight": options}
            where = "objective" if "weight" in arguments(table[name]) else f"objective.{name}"
            terms[name] = build(table, {"term": name, **options}, kind="term", where=where)
        return cls(terms)

    def bind(self, model: Autoencoder) -> None:
        for term in self.terms.values():
            term.bind(model)

    def players(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        """Parameters and relative learning rate of every term that has some, by name."""
        return {n: (list(t.parameters()), t.lr) for n, t in self.terms.items() if any(True for _ in t.parameters())}

    def weights(self, step: int) -> dict[str, float]:
        """The weight of every term at an optimizer step."""
        return {name: float(term.schedule(step)) for name, term in self.terms.items()}

    def forward(
        self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss (nats per example, mean over the batch) and every term's unweighted mean, detached."""
        loss, logs = output.nll.new_zeros(()), {}
        for name, weight in self.weights(step).items():
            said = self.terms[name](model, output, batch, step)
            loss = loss + weight * said.loss.mean()
            logs[name] = said.value.detach().mean()
            if said.own_loss is not None:
                loss = loss + said.own_loss
                logs[f"{name}_own_loss"] = said.own_loss.detach()
        return loss, logs
