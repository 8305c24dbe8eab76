"""One evaluation of an autoencoder on a list: what can be asked for by name, computed once, with each example's own numbers kept.

What only sentences or only images have, their `LatentSpace` adds; how models compare is no business of this room.

Shapes: N examples, D latent dimensions, K draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from textae.core.config import choose
from textae.core.importance import curve_counts
from textae.core.latent import DiagonalGaussian, PointPosterior, Posterior, join
from textae.core.metrics import active_units, active_variance, mutual_information

if TYPE_CHECKING:
    from textae.core.space import LatentSpace

MUTUAL_INFORMATION_EXAMPLES = 10_000  # pairs grow with the square: 10,000 take about ten seconds on one core


@dataclass
class Scores:
    """How well a model explains each example of a list, in nats; lists in its order, as in `Score`.

    Attributes:
        exact: Whether `nll` is a bound without draws: a quantized code's under a prior over codes.
        curve: Mean bound of the first k draws, for each k of `curve_counts`; empty without draws.
        kl_parts: Mean KL of each dimension, or in one number where the prior knows no dimensions.
    """

    nll: list[float]
    reconstruction: list[float]
    kl: list[float]
    effective_samples: list[float]
    count: list[int]
    exact: bool
    curve: list[float]
    kl_parts: list[float]


@dataclass
class Evaluation:
    """What was measured.

    Attributes:
        figures: By name: numbers, or lists of them (`nll_curve` is [[k, nats], ...], `kl_per_dimension` D numbers).
        columns: What the figures are means or sums of, by name, one number for each example in the list's order, shape (N,).
    """

    figures: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Tensor] = field(default_factory=dict)


class Measuring:
    """The list, the options, and what several measures share.

    Args:
        space: Model and processor.
        raw: Examples.
        only: Names of measures; empty: all that the space has.
        samples: K.
        seed: Of all draws; each measure begins anew with it.
        attributes: What each example is conditioned on.
        bf16: Bounds in bfloat16 by autocast.
        progress: Whether to draw bars on standard error.
    """

    def __init__(
        self, space: "LatentSpace", raw: Sequence[Any], only: Sequence[str], samples: int, seed: int,
        attributes: Sequence[Mapping[str, str]] | None, bf16: bool, progress: bool,
    ):  # fmt: skip
        for name in only:
            choose(space.MEASURES, name, "measure")
        self.space, self.raw, self.samples, self.seed = space, list(raw), samples, seed
        self.attributes, self.bf16, self.progress, self.only = attributes, bf16, progress, tuple(only)
        self.names = [name for name in space.MEASURES if not only or name in only]

    def run(self) -> Evaluation:
        """All measures in their table's order."""
        found = Evaluation()
        found.figures["num_examples"] = len(self.raw)
        found.columns["count"] = torch.tensor(self.scores.count, dtype=torch.float64)
        found.figures["tokens_or_pixels"] = int(sum(self.scores.count))
        bar = tqdm(self.names, unit="measure", disable=not self.progress)
        for name in bar:
            bar.set_description(name)
            self.space.MEASURES[name](self, found)
        return found

    def lacks(self, name: str, found: Evaluation) -> None:
        """A figure that this model cannot have is None where it was asked for by name, and left out of all that it has."""
        if self.only:
            found.figures[name] = None

    @cached_property
    def scores(self) -> Scores:
        """Of each example; with importance weights only where the likelihood is asked for."""
        samples = self.samples if "likelihood" in self.names else 0
        return self.space.score_all(self.raw, samples, self.seed, self.attributes, self.bf16, self.progress)

    @cached_property
    def posterior(self) -> Posterior:
        """q(z|x) of all."""
        return self.space.posterior(self.raw)

    @property
    def has_density(self) -> bool:
        """Whether there is a KL and a bound with draws."""
        return not isinstance(self.posterior, PointPosterior)


def reconstruction(ask: Measuring, found: Evaluation) -> None:
    """`reconstruction_at_mean`: -log p(x|z) at the posterior mean, nats per example."""
    found.columns["reconstruction"] = torch.tensor(ask.scores.reconstruction, dtype=torch.float64)
    found.figures["reconstruction_at_mean"] = mean(ask.scores.reconstruction)


def units(ask: Measuring, found: Evaluation) -> None:
    """`active_units`: dimensions whose posterior mean varies over the data."""
    found.figures["active_units"] = active_units(ask.posterior.mean, active_variance(ask.space.model.config))


def likelihood(ask: Measuring, found: Evaluation) -> None:
    """`nll` of `samples` draws, its running curve `nll_curve` and the median `effective_samples`."""
    scores = ask.scores
    if not ask.has_density:
        return ask.lacks("nll", found)
    found.figures["samples"] = ask.samples
    found.figures["nll"] = mean(scores.nll)
    found.columns["nll"] = torch.tensor(scores.nll, dtype=torch.float64)
    found.figures["nll_curve"] = [[k, nats] for k, nats in zip(curve_counts(ask.samples), scores.curve, strict=True)]
    found.figures["effective_samples"] = float(torch.tensor(scores.effective_samples).median())


def elbo(ask: Measuring, found: Evaluation) -> None:
    """`elbo_nll`: reconstruction + KL of one draw for each example; of a quantized code, which has no other, exact."""
    if ask.has_density:
        found.columns["elbo_nll"] = ask.space.elbo_all(ask.raw, ask.seed, ask.attributes, ask.bf16)
    elif ask.scores.exact:
        found.columns["elbo_nll"] = torch.tensor(ask.scores.nll, dtype=torch.float64)
    else:
        return ask.lacks("elbo_nll", found)
    found.figures["elbo_nll"] = found.columns["elbo_nll"].mean().item()


def kl(ask: Measuring, found: Evaluation) -> None:
    """`kl` to the model's prior, of a Gaussian `kl_standard` to N(0, I) too, and `kl_per_dimension` where it has dimensions."""
    if not ask.has_density and not ask.scores.exact:
        return ask.lacks("kl", found)
    found.figures["kl"] = mean(ask.scores.kl)
    found.columns["kl"] = torch.tensor(ask.scores.kl, dtype=torch.float64)
    parts = ask.scores.kl_parts
    if isinstance(ask.posterior, DiagonalGaussian):
        standard = ask.posterior.kl()
        found.figures["kl_standard"] = standard.sum(1).mean().item()
        parts = standard.mean(0).tolist()
    if len(parts) == ask.space.latent_dim:
        found.figures["kl_per_dimension"] = parts


def information(ask: Measuring, found: Evaluation) -> None:
    """`mi`, the mutual information of examples and codes, of `mi_examples` and so with the ceiling `ln_n`."""
    if not ask.has_density:
        return ask.lacks("mi", found)
    from textae.core.space import seeded

    n = min(len(ask.raw), MUTUAL_INFORMATION_EXAMPLES)
    with seeded(ask.seed):
        # families that carry networks stay where those are
        part = join([ask.posterior], lambda columns: columns[0][:n])
        found.figures["mi"], found.figures["ln_n"] = mutual_information(part), float(torch.tensor(n).log())
    found.figures["mi_examples"] = n


# In the order in which they are computed and shown.
MEASURES = {"reconstruction": reconstruction, "active_units": units, "likelihood": likelihood, "elbo": elbo, "kl": kl, "mi": information}


def mean(values: Sequence[float]) -> float:
    """In float64."""
    return float(torch.tensor(values, dtype=torch.float64).mean())
