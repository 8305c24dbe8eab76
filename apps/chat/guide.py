"""Answers: a message and a walk become the next walk, over one latent space. What was said and done is all in the walk.

Shapes: N sentences, D latent dimensions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from apps.chat import moves, opening, replies
from apps.chat.grammar import parse
from apps.chat.places import Places, build
from apps.chat.walk import MAX_TURNS, Path, Step, Turn, Walk, rounded
from apps.limits import check_sentence
from textae.core.space import LatentSpace

SAMPLES = 10  # importance-weighted draws behind a step's likelihood: a bound a little looser than with 100, in a fifth of the time
RANKING_SAMPLES = 3
SURE = 0.5  # of a reader's probability: above it the decoder is told what the sentence is


@dataclass(frozen=True)
class Guide:
    """One latent space and its map, asked by any number of walks.

    Args:
        space: Of sentences.
        places: Its map.
    """

    space: LatentSpace
    places: Places

    @classmethod
    def of(cls, space: LatentSpace) -> "Guide":
        """With a map made now."""
        return cls(space, build(space))

    @property
    def attributes(self) -> dict[str, list[str]]:
        """What can be edited here."""
        return self.space.attributes

    @cached_property
    def pair(self) -> tuple[str, str]:
        """Two sentences that the model knows."""
        return opening.pair(self)

    def chips(self, walk: Walk, kind: str) -> tuple[str, ...]:
        """Messages that make sense after an answer of a kind."""
        return replies.chips(walk, kind, self.attributes, self.pair)

    def answer(self, walk: Walk, message: str) -> Walk:
        """The walk after a message.

        Raises:
            ValueError: The message is empty, too long or no text, or the conversation is too long.
        """
        message = " ".join(check_sentence(message, "the message").split())
        if len(walk.turns) >= MAX_TURNS:
            raise ValueError(f"this conversation has {MAX_TURNS} turns, which is as long as it gets: export it, or begin a new one")
        intent = parse(message, self.attributes)
        try:
            after = moves.MOVES[intent.kind](self, walk, intent, message)
        except ValueError as error:  # of the model: a sentence too long for it, say
            after = walk.answered(Turn(message, "unknown", _sentence(str(error))))
        turn = after.turns[-1]
        chips = tuple(chip for chip in turn.chips or self.chips(after, turn.kind) if replies.offered(chip, self.attributes))
        return replace(after, turns=(*after.turns[:-1], replace(turn, chips=chips)))

    def replay(self, model: str, messages: Sequence[str], seed: int = 0) -> Walk:
        """The walk that messages make."""
        walk = Walk(model, seed)
        for message in messages:
            walk = self.answer(walk, message)
        return walk

    # --- steps --------------------------------------------------------------------------------------------------------

    def read(self, sentences: Sequence[str]) -> list[dict[str, dict[str, float]]]:
        """Probabilities of each attribute's values, for each sentence."""
        rows: list[dict[str, dict[str, float]]] = [{} for _ in sentences]
        for name, reader in self.space.readers.items():
            for row, values in zip(rows, reader.probabilities(list(sentences)).tolist(), strict=True):
                row[name] = {value: round(p, 4) for value, p in zip(reader.values, values, strict=True)}
        return rows

    def told(self, found: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
        """What the decoder is to be told of a sentence: what the readers are sure of."""
        known = self.space.model.config.decoder_attributes
        best = {name: max(row, key=row.get) for name, row in found.items() if name in known}
        return {name: value for name, value in best.items() if found[name][value] > SURE and value in known[name]}

    def code_of(self, sentence: str) -> tuple[Tensor, dict[str, str]]:
        """A sentence's code, and what the decoder is told of it."""
        return self.space.encode(sentence), self.told(self.read([sentence])[0])

    def decode(self, codes: Tensor, told: Sequence[Mapping[str, str]]) -> list[str]:
        """What codes say, of shape (N, D), each told its own values."""
        rows = [tuple(sorted(row.items())) for row in told]
        said = [""] * len(rows)
        for row in dict.fromkeys(rows):
            where = [i for i, other in enumerate(rows) if other == row]
            for i, sentence in zip(where, self.space.decode(codes[where], attributes=dict(row)), strict=True):
                said[i] = sentence
        return said

    def costs(self, codes: Tensor, sentences: Sequence[str], told: Sequence[Mapping[str, str]]) -> list[float]:
        """-log p(sentence | code, what the decoder is told) of each in nats; infinite for one that the model cannot read."""
        found = [math.inf] * len(sentences)
        if where := [i for i, sentence in enumerate(sentences) if self._takes(sentence)]:
            rows = [told[i] for i in where] if any(told) else None
            batch = self.space.processor([sentences[i] for i in where], rows)
            with torch.no_grad():
                nll, _ = self.space.model.nll(codes[where].to(self.space.device), **{k: v.to(self.space.device) for k, v in batch.items()})
            for i, value in zip(where, nll.tolist(), strict=True):
                found[i] = value
        return found

    def likelihoods(self, sentences: Sequence[str], told: Mapping[str, str]) -> list[float]:
        """-log p(sentence) of each in nats by a few draws, enough to compare them; infinite where the model cannot read one."""
        found = [math.inf] * len(sentences)
        if where := [i for i, sentence in enumerate(sentences) if self._takes(sentence)]:
            rows = [told] * len(where) if told else None
            scores = self.space.score([sentences[i] for i in where], samples=RANKING_SAMPLES, attributes=rows)
            for i, score in zip(where, scores, strict=True):
                found[i] = score.nll if math.isfinite(score.nll) else score.reconstruction
        return found

    def _takes(self, sentence: str) -> bool:
        try:
            self.space.processor.check([sentence])
        except ValueError:
            return False
        return True

    def step(
        self, walk: Walk, kind: str, code: Tensor, told: dict[str, str], reasons: Sequence[str], *,
        sentence: str | None = None, path: Path | None = None, typed: Tensor | None = None, cost: float | None = None,
    ) -> Step:  # fmt: skip
        """A step to a code, decoded (unless the sentence is given) and measured.

        Args:
            typed: Code of the sentence that was typed for it; else that of the walk's last typed one is taken.
            cost: Where it is known already.
        """
        code = torch.tensor(rounded(code))
        if sentence is None:
            sentence = self.decode(code[None], [told])[0]
        attributes = self.read([sentence])[0]
        kl = nll = distance = None
        if cost is None:
            cost = self.costs(code[None], [sentence], [told])[0]
        if self._takes(sentence):
            score = self.space.score(sentence, samples=SAMPLES, attributes=[told] if told else None)
            kl, nll = _finite(score.kl), _finite(score.nll)
            if typed is None and walk.typed is not None:
                typed = torch.tensor(walk.typed.code)
            if typed is not None:
                distance = round(float((self.space.encode(sentence) - typed).norm()), 3)
        return Step(kind, sentence, rounded(code), dict(told), attributes, kl, nll, _finite(cost), distance, tuple(reasons), path)


def _finite(value: float | None) -> float | None:
    return round(value, 3) if value is not None and math.isfinite(value) else None


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "!", "?")) else ".")
