"""What is known about attributes from labelled codes of one model: fitted once, saved beside it, read by every editor.

Shapes: N codes of a fit, B of a batch, D latent dimensions, A attributes, K values of one attribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from textae.core.config import choose, nearest
from textae.core.editing.classifiers import Classifier, Linear, Perceptron, fit_linear, fit_perceptron, split
from textae.core.editing.moments import group_means, within_covariance

if TYPE_CHECKING:  # the space reads this package in its own verbs
    from textae.core.space import LatentSpace

Rows = Sequence[Mapping[str, str | None]] | Tensor | np.ndarray
CLASSIFIERS = ("probe", "mlp")


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute, as labelled codes show it.

    Attributes:
        name: Such as "tense".
        values: Its K values, in order; of a two-valued one the first is the negative side and the second the positive.
        counts: Codes with each value.
        means: Mean code of each value, shape (K, D), float32.
        probe: Linear classifier.
        mlp: Perceptron.
        l2: Strength of the probe's penalty, per example, for codes of unit mean variance.
        accuracy: Share of held-out codes that the probe reads right, 0 to 1 (fitted without them).
        mlp_accuracy: The same for the perceptron.
        majority: What answering with the most frequent value reaches on them.
    """

    name: str
    values: tuple[str, ...]
    counts: tuple[int, ...]
    means: Tensor
    probe: Linear
    mlp: Perceptron
    l2: float
    accuracy: float
    mlp_accuracy: float
    majority: float

    def index(self, value: str) -> int:
        """The number of a value, or a ValueError that lists them."""
        if value not in self.values:
            raise ValueError(f"attribute {self.name!r} has no value {value!r}: {nearest(value, self.values)}")
        return self.values.index(value)

    def classifier(self, kind: str) -> Classifier:
        """The classifier "probe" or "mlp"."""
        return choose(dict(zip(CLASSIFIERS, (self.probe, self.mlp), strict=True)), kind, "classifier of codes")


@dataclass(frozen=True, eq=False)
class AttributeCodes:
    """Attributes of one model's codes.

    Attributes:
        attributes: By name, sorted.
        mean: Of all codes, shape (D,), float32.
        scale: Root of the mean variance of a dimension, in units of the code.
        within: Covariance within groups (`textae.core.editing.moments`), shape (D, D), float32.
        num_examples: N.
    """

    attributes: dict[str, Attribute]
    mean: Tensor
    scale: float
    within: Tensor
    num_examples: int

    @property
    def latent_dim(self) -> int:
        """D."""
        return len(self.mean)

    def __getitem__(self, name: str) -> Attribute:
        """An attribute, or a ValueError that lists them."""
        if name not in self.attributes:
            raise ValueError(f"no attribute {name!r} was fitted to these codes: {nearest(name, self.attributes)}")
        return self.attributes[name]

    def logits(self, z_BD: Tensor, attribute: str, classifier: str = "probe") -> Tensor:
        """Logits of an attribute's values, shape (B, K), float64, on the CPU; differentiable in `z_BD`."""
        chosen = self[attribute].classifier(classifier)
        return chosen.logits(check_codes(z_BD, self.latent_dim))

    def probabilities(self, z_BD: Tensor, attribute: str, classifier: str = "probe") -> Tensor:
        """p(value|z) by the probe or the perceptron ("mlp"), shape (B, K), float64, on the CPU."""
        return self.logits(z_BD, attribute, classifier).softmax(1)

    @classmethod
    def fit(
        cls, codes_ND: Tensor, rows: Rows, *, values: Mapping[str, Sequence[str]] | None = None, held_out: float = 0.1,
        l2: float | None = None, hidden_dim: int = 64, steps: int = 1500, seed: int = 0,
    ) -> "AttributeCodes":  # fmt: skip
        """Learn from labelled codes.

        Args:
            codes_ND: Codes of one model.
            rows: For each code a dictionary of values, with None or nothing where there is no label; or indices, int64 of
                shape (N, A) with -1 for none and columns sorted by name, as batches hold them.
            values: The values of each attribute in order. None takes those that occur, sorted; indices need them.
            held_out: Share of each group that only judges.
            l2: Strength of the probes' penalty, per example, for codes of unit mean variance; None chooses by held-out
                likelihood.
            hidden_dim: H of the perceptrons.
            steps: Of their training.
            seed: Of the held-out share, and of the perceptrons' weights and batches.

        Raises:
            ValueError: Codes that are no finite matrix or do not vary, labels that do not match them, an unknown attribute or
                value, a group with fewer than two codes, an attribute with one value only, or an option out of range.
        """
        if not 0 < held_out < 1:
            raise ValueError(f"held_out is {held_out}; it must be between 0 and 1")
        if l2 is not None and not 0 < l2 < float("inf"):
            raise ValueError(f"l2 is {l2}; it must be above 0, or None to have it chosen")
        if hidden_dim < 1 or steps < 1:
            raise ValueError(f"hidden_dim={hidden_dim} and steps={steps} must be at least 1")
        codes = torch.as_tensor(codes_ND)
        z = check_codes(codes, codes.shape[-1] if codes.dim() == 2 else 0).detach()
        if len(rows) != len(z):
            raise ValueError(f"{len(z)} codes come with {len(rows)} rows of labels; there must be one for each")
        known, labels = label_ids(rows, values)
        mean = z.mean(0)
        scale = float((z - mean).square().mean().sqrt())
        if not scale > 0:
            raise ValueError("all codes are equal: nothing tells their attributes apart")
        within = within_covariance(z, labels).float()
        found = {}
        for column, (name, names) in enumerate(known.items()):
            means, counts = group_means(z, labels[:, column], len(names))
            for value, count in zip(names, counts.tolist(), strict=True):
                if count < 2:
                    raise ValueError(
                        f"attribute {name!r}: value {value!r} has {count or 'no'} labelled code{'s' if count != 1 else ''}; each needs at least 2"
                    )
            labelled = labels[:, column] >= 0
            parts = split(z[labelled], labels[labelled, column], len(names), mean, scale, held_out, seed)
            probe, strength, accuracy = fit_linear(parts, l2)
            mlp, mlp_accuracy = fit_perceptron(parts, hidden_dim, steps, seed)
            found[name] = Attribute(
                name,
                names,
                tuple(counts.tolist()),
                means.float(),
                probe,
                mlp,
                strength,
                accuracy,
                mlp_accuracy,
                parts.majority,
            )
        return cls(found, mean.float(), scale, within, len(z))

    @classmethod
    def fit_space(
        cls,
        space: "LatentSpace",
        examples: Sequence[Any],
        rows: Rows,
        *,
        sample: bool = False,
        seed: int = 0,
        **options: Any,
    ) -> "AttributeCodes":
        """Encode examples and learn from their codes.

        Args:
            space: Of any modality.
            examples: N raw examples.
            rows: Their labels, as in `fit`.
            sample: Whether to learn from one draw of each posterior in the place of its mean: for classifiers that judge
                draws from the prior, which vary as draws do and more than means.
            seed: As in `fit`, and of those draws.
            **options: As in `fit`.
        """
        examples = list(examples)
        if len(rows) != len(examples):
            raise ValueError(
                f"{len(examples)} examples come with {len(rows)} rows of labels; there must be one for each"
            )
        return cls.fit(space.encode(examples, sample=sample, seed=seed), rows, seed=seed, **options)

    def save(self, folder: str | Path) -> Path:
        """Write `attributes.safetensors` into a folder, as a whole or not at all; returns its path."""
        from textae.core.editing.storage import save_codes

        return save_codes(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> "AttributeCodes":
        """Read what `save` wrote; strict, and it runs no code from the file.

        Raises:
            ValueError: There is none in the folder, or it is damaged or of another format.
        """
        from textae.core.editing.storage import load_codes

        return load_codes(folder)


def check_codes(z_BD: Tensor, dim: int) -> Tensor:
    """Codes as float64 on the CPU, still in the graph they come from.

    Raises:
        ValueError: They are no matrix of that width, there are none, or one is not finite.
    """
    z = torch.as_tensor(z_BD)
    if z.dim() != 2 or z.shape[1] != dim or dim == 0:
        raise ValueError(
            f"codes have shape {tuple(z.shape)}; they must be rows of {dim or 'at least 1'} numbers, (N, {dim or 'D'})"
        )
    if len(z) == 0:
        raise ValueError("there are no codes: give at least one")
    if z.is_complex() or not torch.isfinite(z).all():
        raise ValueError("codes must be finite numbers")
    return z.to("cpu", torch.float64)


def label_ids(rows: Rows, values: Mapping[str, Sequence[str]] | None) -> tuple[dict[str, tuple[str, ...]], Tensor]:
    """Values of each attribute, sorted by name, and labels as indices, -1 for none, shape (N, A).

    Raises:
        ValueError: An unknown attribute or value, an attribute with fewer than two values, or indices that do not fit.
    """
    if isinstance(rows, Tensor | np.ndarray):
        return _checked_ids(torch.as_tensor(rows), values)
    seen: dict[str, set[str]] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise ValueError(
                f"row {number} of the labels is {type(row).__name__}; it must be a dictionary such as {{'tense': 'past'}}"
            )
        for name, value in row.items():
            if value is not None and not isinstance(value, str):
                raise ValueError(f"row {number}: {name!r} is {value!r}; a value is text, or None for no label")
            seen.setdefault(str(name), set()).update([] if value is None else [value])
    known = _known(seen if values is None else values)
    for name, names in seen.items():
        if name not in known:
            raise ValueError(f"the labels hold an attribute {name!r} that is not in values: {nearest(name, known)}")
        for value in sorted(names - set(known[name])):
            raise ValueError(f"attribute {name!r} has no value {value!r}: {nearest(value, known[name])}")
    index = {name: {value: i for i, value in enumerate(names)} for name, names in known.items()}
    ids = [[-1 if (value := row.get(name)) is None else index[name][value] for name in known] for row in rows]
    return known, torch.tensor(ids, dtype=torch.int64).view(len(rows), len(known))


def _known(values: Mapping[str, Sequence[str] | set[str]]) -> dict[str, tuple[str, ...]]:
    if not values:
        raise ValueError("there are no labels: give rows such as {'tense': 'past'}")
    known = {}
    for name, given in sorted(values.items()):
        names = tuple(sorted(given) if isinstance(given, set) else given)
        if len(names) < 2:
            only = f"one value only, {names[0]!r}" if names else "no labels at all"
            raise ValueError(f"attribute {name!r} has {only}: an edit needs labelled examples of at least two values")
        if len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
            raise ValueError(f"attribute {name!r}: values are {list(names)}; they must be different texts")
        known[name] = names
    return known


def _checked_ids(ids: Tensor, values: Mapping[str, Sequence[str]] | None) -> tuple[dict[str, tuple[str, ...]], Tensor]:
    if values is None:
        raise ValueError(
            "labels as indices need values, the names that they stand for: values={'tense': ['past', 'present']}"
        )
    known = _known(values)
    if ids.dim() != 2 or ids.shape[1] != len(known) or ids.is_floating_point() or ids.is_complex():
        raise ValueError(
            f"labels have shape {tuple(ids.shape)} of {ids.dtype}; {len(known)} attributes need integers of shape (N, {len(known)})"
        )
    for column, (name, names) in zip(ids.T, known.items(), strict=True):
        if len(column) and (column.min() < -1 or column.max() >= len(names)):
            raise ValueError(
                f"labels of {name!r} go from {column.min()} to {column.max()}; they must be -1 or an index below {len(names)}"
            )
    return known, ids.to("cpu", torch.int64)
