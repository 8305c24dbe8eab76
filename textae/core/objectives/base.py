"""What a term is, how terms add up to a loss, and how a critic plays against the autoencoder in one backward pass.

Shapes: B examples.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.config import arguments, build, nearest
from textae.core.controllers import CONTROLLERS, Controller
from textae.core.learned_prior import LearnedPrior
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
        weight: A number, a schedule, or a controller of the term's value.
        lr: Learning rate of the term's own parameters, as a share of the autoencoder's; above 0.

    Attributes:
        charges: Parts of the bound on -log p(x) that the term stands for: "likelihood", "kl". An objective has the first
            from one term, and none from two.
    """

    charges: tuple[str, ...] = ()

    def __init__(self, weight: float | Mapping[str, Any] | Schedule = 1.0, lr: float = 1.0):
        super().__init__()
        self.schedule = build_weight(weight)
        if not 0 < lr < math.inf:
            raise ValueError(f"a term's lr is {lr}; a share of the autoencoder's learning rate is a finite number above 0")
        self.lr = lr

    def bind(self, model: Autoencoder) -> None:
        """Called once, before training, with the model: size a critic, or refuse a model that does not fit."""

    def settle(self, model: Autoencoder) -> None:
        """Called before the model is measured or saved: bring what the term has learned for it into it."""

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        raise NotImplementedError


def build_weight(value: float | Mapping[str, Any] | Schedule, where: str = "objective weight") -> Schedule:
    """A term's weight: as `build_schedule`, or one of `CONTROLLERS` by name.

    Raises:
        ValueError: An unknown name, or a weight that is negative or no finite number: it would reward what the term charges.
    """
    if isinstance(value, Mapping) and value.get("schedule") in CONTROLLERS:
        return build(CONTROLLERS, value, kind="schedule", where=where)
    schedule = build_schedule(value, where=where)
    for name in ("value", "start", "end"):
        number = getattr(schedule, name, 0.0)
        if not 0 <= number < math.inf:
            raise ValueError(f"{where}: {name} is {number}; a weight is a finite number and cannot be negative")
    return schedule


def frozen_call(module: nn.Module, *args: Tensor) -> Tensor:
    """`module(*args)` through detached weights and copied statistics: gradients reach the arguments, and nothing the module.

    What is computed of the result afterwards goes through the module itself: let `module` return tensors.
    """
    weights = {name: p.detach() for name, p in module.named_parameters()}
    statistics = {name: b.clone() for name, b in module.named_buffers()}
    return torch.func.functional_call(module, {**weights, **statistics}, args)


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
        self.summands: dict[str, Tensor] = {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], table: Mapping[str, Callable[..., Term]]) -> "Objective":
        """Build from `{term: {argument: value}}`; a bare number is the term's weight, null its defaults.

        Raises:
            ValueError: An unknown term or argument, a value that a term refuses, or terms that make no bound: `check_bound`.
        """
        terms = {}
        for name, options in config.items():
            if name not in table:
                raise ValueError(f"objective has no term {name!r}: {nearest(name, table)}")
            if not isinstance(options, Mapping):
                options = {} if options is None else {"weight": options}
            where = "objective" if "weight" in arguments(table[name]) else f"objective.{name}"
            terms[name] = build(table, {"term": name, **options}, kind="term", where=where)
        objective = cls(terms)
        objective.check_bound(table)
        return objective

    def check_bound(self, table: Mapping[str, Callable[..., Term]]) -> None:
        """Refuse terms that never ask for the data, or that charge a part of the bound twice.

        Raises:
            ValueError: With the terms in question, and those of `table` that would do.
        """
        charged: dict[str, list[str]] = {}
        for name, term in self.terms.items():
            for part in term.charges:
                charged.setdefault(part, []).append(name)
        if "likelihood" not in charged:
            known = [name for name, term in table.items() if isinstance(term, type) and "likelihood" in term.charges]
            raise ValueError(f"objective has {', '.join(self.terms)} and no term that reconstructs: add {' or '.join(known)}")
        for part, names in charged.items():
            if len(names) > 1:
                raise ValueError(f"objective charges the {part} twice, by {' and by '.join(names)}: leave one of them out")

    def bind(self, model: Autoencoder) -> None:
        """Tell every term of the model.

        Raises:
            ValueError: A term does not fit the model, or the model has a prior that no term would teach.
        """
        prior = model.prior
        if isinstance(prior, LearnedPrior) and not set(prior.trained_by) & set(self.terms):
            raise ValueError(f"prior={model.config.prior} is learned by {' or '.join(prior.trained_by)}, and the objective has none of them: add one, or choose another prior")
        for term in self.terms.values():
            term.bind(model)

    def settle(self, model: Autoencoder) -> None:
        """Called before the model is measured or saved."""
        for term in self.terms.values():
            term.settle(model)

    def players(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        """Parameters and relative learning rate of every term that has some, by name."""
        return {n: (list(t.parameters()), t.lr) for n, t in self.terms.items() if any(True for _ in t.parameters())}

    def weights(self, step: int) -> dict[str, float]:
        """The weight of every term at an optimizer step; of a controller as it is now."""
        return {name: float(term.schedule(step)) for name, term in self.terms.items()}

    def forward(
        self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss (nats per example, mean over the batch) and every term's unweighted mean, detached.

        `summands` then holds what was added up, by name, for whoever looks for the one that is not finite.
        """
        loss, logs, self.summands = output.nll.new_zeros(()), {}, {}
        for name, term in self.terms.items():
            said = term(model, output, batch, step)
            logs[name] = said.value.detach().mean()
            if isinstance(term.schedule, Controller) and self.training:
                term.schedule.observe(logs[name])
            mean = said.loss.mean()
            loss = loss + float(term.schedule(step)) * mean
            self.summands[name] = mean.detach()
            if said.own_loss is not None:
                loss = loss + said.own_loss
                logs[f"{name}_own_loss"] = self.summands[f"{name}_own_loss"] = said.own_loss.detach()
        return loss, logs
