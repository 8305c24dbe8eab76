"""Paths of sentences that the page and its API show: between two of them, and from one to what its attributes become.

Shapes: S steps, D latent dimensions, W weights of attributes (`textae.models.conditioning`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from apps.limits import check_choice, check_sentence
from textae.content import content_f1
from textae.core.latent import PATHS
from textae.space import LatentSpace

SPARE = 12  # tokens that a step may have more than the longer of its ends: a code far out may never come to an end


@dataclass(frozen=True)
class Step:
    """A point of a path.

    Attributes:
        t: Its position; 0 is the beginning, 1 the end.
        sentence: What it decodes to, greedily.
        nll: -log p(sentence | point) in nats; None where the model cannot read its own sentence back (it is empty or too long).
        like_a: F1 of content words with the sentence at the beginning, 0 to 1.
        like_b: The same with the end.
    """

    t: float
    sentence: str
    nll: float | None
    like_a: float
    like_b: float


def evenly(steps: int) -> list[float]:
    """`steps` positions from 0 to 1, both included."""
    return [i / (steps - 1) for i in range(steps)]


def between(space: LatentSpace, a: str, b: str, path: str = "lerp") -> "Path":
    """The path from one sentence to another; `path` is "lerp" or "slerp". A decoder that is told attributes is told a mixture of the two's.

    Raises:
        ValueError: A sentence is none, or there is no such path.
    """
    ends = [check_sentence(a, "the first sentence"), check_sentence(b, "the second sentence")]
    way = PATHS[check_choice(path, "the path", list(PATHS))]
    z, told_2W = space.encode(ends), space.told(ends)

    def at(t_S: Tensor) -> tuple[Tensor, Tensor | None]:
        t_S1 = t_S[:, None]
        return way(z[0], z[1], t_S), None if told_2W is None else (1 - t_S1) * told_2W[0] + t_S1 * told_2W[1]

    return Path(space, at, tuple(ends))


def through(space: LatentSpace, sentence: str, targets: Mapping[str, str], method: str = "auto", strength: float = 1.0) -> "Path":
    """The path from a sentence to its edit: by strength, from what it is (0) to the wanted values at the full strength (1).

    A decoder that is told attributes is told a mixture of the sentence's own values and the wanted ones; elsewhere the code
    moves in a straight line to where the method puts it. The code is first refined until the model says the sentence itself.

    Raises:
        ValueError: As of `LatentSpace.edit`.
    """
    from textae.core.editing import edit_codes
    from textae.editing.edit import make_wish
    from textae.editing.refine import refine

    wish = make_wish(space, targets, method=method, strength=strength, candidates=1)
    space.processor.check([check_sentence(sentence)])
    told = space.model.config.decoder_attributes
    (own,) = space.own_values([sentence])
    batch = {name: t.to(space.device) for name, t in space.processor([sentence], None).items()}
    own_W = _weights(space, own) if told else None
    z = refine(space.model, batch, own_W)[0].cpu()
    if wish.method == "condition":
        wanted_W = _weights(space, {**own, **wish.values}) if told else None
        assert own_W is not None and wanted_W is not None
        return Path(space, lambda t_S: (z.expand(len(t_S), -1), own_W + strength * t_S[:, None].to(own_W) * (wanted_W - own_W)), (sentence, None))
    codes = space.attribute_codes
    assert codes is not None  # the wish was refused otherwise
    goal = edit_codes(codes, z, wish.values, wish.method, strength)
    free = _weights(space, {k: v for k, v in own.items() if k not in wish.values}) if told else None
    return Path(space, lambda t_S: (z + t_S[:, None] * (goal - z), None if free is None else free.expand(len(t_S), -1)), (sentence, None))


@dataclass(frozen=True)
class Path:
    """A line of codes, and of what the decoder is told at each.

    Attributes:
        space: That decodes it.
        at: From positions of shape (S,) to codes (S, D) and weights (S, W), or None where the decoder is told nothing.
        ends: What was typed; None for an end that the model writes itself.
    """

    space: LatentSpace
    at: Callable[[Tensor], tuple[Tensor, Tensor | None]]
    ends: tuple[str, str | None]

    def sentences(self, positions: Sequence[float]) -> list[str]:
        """What the points at `positions` decode to."""
        return self._decode(*self.at(torch.tensor(positions)))

    def steps(self, positions: Sequence[float]) -> list[Step]:
        """The points at `positions` with their figures."""
        points, told = self.at(torch.tensor(positions))
        found = self._decode(points, told)
        end = self.ends[1] if self.ends[1] is not None else self.sentences([1.0])[0]
        return [
            Step(t, s, n, content_f1(self.ends[0], s), content_f1(end, s))
            for t, s, n in zip(positions, found, costs(self.space, points, found, told), strict=True)
        ]

    def _decode(self, points_SD: Tensor, told_SW: Tensor | None) -> list[str]:
        processor = self.space.processor
        longest = max(map(len, processor.tokenize([end for end in self.ends if end is not None])))
        longest = min(longest + SPARE, processor.max_length + 1)
        return self.space.decode(points_SD, attributes=told_SW, max_new_tokens=longest)


def costs(space: LatentSpace, points_SD: Tensor, sentences: Sequence[str], told_SW: Tensor | None = None) -> list[float | None]:
    """-log p(sentence | point) of each in nats; None for a sentence that the model does not take."""
    taken = [i for i, s in enumerate(sentences) if _takes(space, s)]
    found: list[float | None] = [None] * len(sentences)
    if taken:
        batch = {k: v.to(space.device) for k, v in space.processor([sentences[i] for i in taken]).items()}
        if told_SW is not None:
            batch["attributes"] = told_SW[taken].to(space.device)
        with torch.no_grad():
            nll, _ = space.model.nll(points_SD[taken].to(space.device), **batch)
        for i, value in zip(taken, nll.tolist(), strict=True):
            found[i] = value
    return found


def read_values(space: LatentSpace, sentences: Sequence[str]) -> list[dict[str, dict[str, float]]]:
    """The readers' probabilities of each attribute's values in each sentence; empty where there are no readers."""
    rows: list[dict[str, dict[str, float]]] = [{} for _ in sentences]
    for name, reader in space.readers.items() if sentences else ():
        for row, found in zip(rows, reader.probabilities(list(sentences)).tolist(), strict=True):
            row[name] = dict(zip(reader.values, found, strict=True))
    return rows


def _weights(space: LatentSpace, values: Mapping[str, str]) -> Tensor:
    from textae.models.conditioning import attribute_weights

    rows = torch.from_numpy(space.processor.attribute_ids([values])).to(space.device)
    return attribute_weights(rows, space.model.config.decoder_attributes)


def _takes(space: LatentSpace, sentence: str) -> bool:
    try:
        space.processor.check([sentence])
    except ValueError:
        return False
    return True
