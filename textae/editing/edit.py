"""`edit_sentences`: give sentences other attributes and keep the rest.

Shapes: N sentences, D latent dimensions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import LogitsProcessorList

from textae.content import content_f1
from textae.core.config import check_keys, choose, nearest
from textae.core.editing import EDITORS, edit_codes
from textae.editing.candidates import KeepWords, kept_words
from textae.editing.refine import refine
from textae.models.conditioning import MAX_STRENGTH, attribute_weights

if TYPE_CHECKING:
    from textae.space import LatentSpace

METHODS = ("auto", "condition", *EDITORS)
NO_VERB = {"tense": "other"}  # the value that stands for "there is nothing to change"
SURE = 0.5  # of a reader's probability: above it a value counts as read
UNKNOWN_TEXT = 0.25  # content words that the model must be able to say again before its edits are worth showing
# Chosen on tense-pairs of Tatoeba that are in no training text: candidates come from beams at these multiples of the strength,
# with source tokens likelier by so many nats, and a nat of their cost weighs so much against a nat of the reader's.
STEPS = (1.0, 1.5, 2.0)
BIAS, FLUENCY = 1.0, 0.3
MAX_CANDIDATES, REFINE_STEPS = 48, 30


@dataclass(frozen=True)
class Edit:
    """What became of one sentence.

    Attributes:
        source: The sentence.
        text: The edit; the source itself where nothing was changed.
        changed: Whether they differ.
        reached: Whether the reader finds all wanted values in `text`; None without readers.
        reason: Why nothing was changed, or what is missing; empty where all went well.
        wanted: Values by attribute.
        attributes: The reader's probabilities of each attribute's values in `text`.
        similarity: F1 of content words of source and text, 0 to 1.
        kept: Share of words in the same order, 0 to 1.
        nll: -log p(text | its code, wanted values) in nats, at the code it was decoded from; None where nothing changed.
        method: That made it.
        candidates: All that were considered, best first.
    """

    source: str
    text: str
    changed: bool
    reached: bool | None
    reason: str
    wanted: dict[str, str]
    attributes: dict[str, dict[str, float]]
    similarity: float
    kept: float
    nll: float | None
    method: str
    candidates: list[str] = field(default_factory=list)


def edit_sentences(
    space: "LatentSpace", sentences: Sequence[str], targets: Mapping[str, str | float], *, method: str = "auto", strength: float = 1.0,
    candidates: int = 12, refine_steps: int | None = None, keep: float = 1.0, **options: Any,
) -> list[Edit]:  # fmt: skip
    """Edits of sentences, in order.

    Each sentence is encoded, its code refined until the model says it word for word, moved or told the wanted values, and
    decoded into several candidates. The reader's probability of the wanted values, the words kept and the model's own
    likelihood choose one.

    Args:
        space: Conditioned on the attributes, or with `attributes.safetensors` beside its model.
        sentences: N.
        targets: Values by attribute; of two-valued attributes also a number, whose sign picks the value (negative the first)
            and whose size multiplies the strength.
        method: "condition" decodes the same code under other values; the others move the code (`textae.core.editing`); "auto"
            conditions where the model can, and is "probe" elsewhere.
        strength: How far; 1 is one step as the method counts it. From 0 to 2 for "condition".
        candidates: At least so many, from beams at once, 1.5 and 2 times the strength; 1 decodes greedily and asks nobody.
        refine_steps: Of latent optimization; 0 edits the posterior mean; None is 30, and 0 with one candidate.
        keep: Weight of kept words against the wanted values in the choice.
        options: Of an editor of codes.

    Raises:
        ValueError: An unknown attribute, value or method, no target, or a number out of range.
    """
    choose(dict.fromkeys(METHODS), method, "method of editing")
    if not 1 <= candidates <= MAX_CANDIDATES:
        raise ValueError(f"candidates is {candidates}; it must be from 1 to {MAX_CANDIDATES}")
    refine_steps = (REFINE_STEPS if candidates > 1 else 0) if refine_steps is None else refine_steps
    if refine_steps < 0 or keep < 0:
        raise ValueError(f"refine_steps={refine_steps} and keep={keep} cannot be negative")
    wanted, size = _wanted(space, targets)
    method = _method(space, method, wanted)
    if method == "condition":
        check_keys(options, [], "method 'condition'")
        if not 0 < strength * max(size.values()) <= MAX_STRENGTH:
            raise ValueError(f"the strength is {strength * max(size.values()):g}; for conditioning it must be above 0 and at most {MAX_STRENGTH:g}")
    space.processor.check(list(sentences))
    job = _Job(space, wanted, size, method, strength, candidates, refine_steps, keep, dict(targets), options)
    rows = max(1, space.batch_size // candidates)
    return [edit for start in range(0, len(sentences), rows) for edit in job.edit(list(sentences[start : start + rows]))]


def _wanted(space: "LatentSpace", targets: Mapping[str, str | float]) -> tuple[dict[str, str], dict[str, float]]:
    """Each target's value by name, and the size of a number (1 for a name)."""
    known, wanted, sizes = space.attributes, {}, {}
    if not known:
        raise ValueError(f"{space.name} knows no attributes: open a model that was trained with some, or fit them to its codes")
    if not targets:
        raise ValueError(f"nothing to edit: give a value for one of {', '.join(known)}")
    for name, value in targets.items():
        if name not in known:
            raise ValueError(f"{space.name} knows no attribute {name!r}: {nearest(name, known)}")
        values = known[name]
        if isinstance(value, int | float) and not isinstance(value, bool):
            if len(values) != 2:
                raise ValueError(f"{name}={value}: a number moves between two values and {name!r} has {len(values)}: name one of {', '.join(values)}")
            if value == 0 or not math.isfinite(value):
                raise ValueError(f"{name}={value}: the number's sign picks {' or '.join(values)}; it must be finite and not 0")
            wanted[name], sizes[name] = values[value > 0], abs(float(value))
        else:
            if value not in values:
                raise ValueError(f"attribute {name!r} has no value {value!r}: {nearest(str(value), values)}")
            wanted[name], sizes[name] = str(value), 1.0
    return wanted, sizes


def _method(space: "LatentSpace", method: str, wanted: Mapping[str, str]) -> str:
    told = space.model.config.decoder_attributes
    if method == "auto":
        return "condition" if all(name in told for name in wanted) else "probe"
    if method == "condition" and (missing := [name for name in wanted if name not in told]):
        raise ValueError(f"{space.name} is not conditioned on {missing[0]!r}: choose another method, such as probe")
    return method


@dataclass(frozen=True)
class _Job:
    """The arguments of `edit_sentences`, checked."""

    space: "LatentSpace"
    wanted: dict[str, str]
    size: dict[str, float]
    method: str
    strength: float
    candidates: int
    refine_steps: int
    keep: float
    targets: dict[str, str | float]
    options: dict[str, Any]

    @property
    def told(self) -> dict[str, list[str]]:
        """The attributes that the decoder is given."""
        return self.space.model.config.decoder_attributes

    def edit(self, sentences: list[str]) -> list[Edit]:
        """Edits of one batch."""
        read = {name: reader.probabilities(sentences) for name, reader in self.space.readers.items()}
        why = [self._why_not(i, read) for i in range(len(sentences))]
        todo = [i for i, reason in enumerate(why) if not reason]
        edits: dict[int, Edit] = {}
        if todo:
            normal = [self.space.processor.normalize(sentences[i]) for i in todo]  # as the model would write them
            rows = [self._source_values(i, read) for i in todo]
            z, rebuilt = self._codes(normal, rows)
            texts = self._decode(normal, rows, z)
            for k, i in enumerate(todo):
                if content_f1(normal[k], rebuilt[k]) < UNKNOWN_TEXT:
                    why[i] = "the model cannot say this sentence again, so it cannot edit it: it knows short everyday English"
                else:
                    edits[i] = self._best(sentences[i], normal[k], texts[k], z[k], rows[k])
        return [edits[i] if i in edits else self._unchanged(s, why[i]) for i, s in enumerate(sentences)]

    # --- before -----------------------------------------------------------------------------------------------

    def _why_not(self, i: int, read: Mapping[str, Any]) -> str:
        """Why a sentence needs no edit or can have none; empty where it can."""
        already = []
        for name, value in self.wanted.items():
            if name not in read:
                return ""
            values, row = self.space.readers[name].values, read[name][i]
            found = values[int(row.argmax())]
            if found == NO_VERB.get(name) and row.max() > SURE and value != found:
                return f"no finite verb was found, so there is no {name} to change"
            already.append(found == value and row.max() > SURE and self.size[name] == 1.0)
        return f"it is {' and '.join(self.wanted.values())} already" if all(already) else ""

    def _source_values(self, i: int, read: Mapping[str, Any]) -> dict[str, str | None]:
        """What the sentence says of the attributes that the decoder is told, where the reader is sure."""
        found: dict[str, str | None] = {}
        for name, values in self.told.items():
            if name in read and read[name][i].max() > SURE:
                value = self.space.readers[name].values[int(read[name][i].argmax())]
                found[name] = value if value in values else None
        return found

    def _codes(self, sentences: list[str], rows: list[dict[str, str | None]]) -> tuple[Tensor, list[str]]:
        """Codes, and what the model says with each of the sentence's own words before it."""
        batch = {name: t.to(self.space.device) for name, t in self.space.processor(sentences, None).items()}
        z, _, said = refine(self.space.model, batch, self._values(rows), steps=self.refine_steps)
        return z, self.space.processor.decode(said.cpu())

    def _values(self, rows: Sequence[Mapping[str, str | None]]) -> Tensor | None:
        return torch.from_numpy(self.space.processor.attribute_ids(rows)).to(self.space.device) if self.told else None

    # --- candidates -------------------------------------------------------------------------------------------

    def _decode(self, sentences: list[str], rows: list[dict[str, str | None]], z: Tensor) -> list[list[str]]:
        """Candidates of each sentence, different ones, empty ones left out."""
        steps = STEPS if self.candidates > 1 else STEPS[:1]
        beams = -(-self.candidates // len(steps))
        moved = [self._moved(rows, z, step) for step in steps]
        ids = self.space.processor.tokenize(sentences)
        given = None if moved[0][1] is None else torch.cat([a for _, a in moved])
        bias = KeepWords(ids * len(steps), BIAS if beams > 1 else 0.0, self.space.model.config.vocab_size)
        longest = max(map(len, ids)) + 8  # an edit is about as long as its source
        texts = self._generate(torch.cat([c for c, _ in moved]), given, beams, longest, LogitsProcessorList([bias]))
        n = len(sentences) * beams
        return [
            list(dict.fromkeys(t for k in range(len(steps)) for t in texts[k * n + i * beams : k * n + (i + 1) * beams] if t.strip()))
            for i in range(len(sentences))
        ]

    def _moved(self, rows: list[dict[str, str | None]], z: Tensor, step: float) -> tuple[Tensor, Tensor | None]:
        """Codes and values that a candidate is decoded from, `step` times as far as asked."""
        if self.method != "condition":
            codes = edit_codes(self.space.attribute_codes, z, self.targets, self.method, self.strength * step, **self.options)
            return codes, self._values([{k: v for k, v in row.items() if k not in self.wanted} for row in rows])
        factors = [min(MAX_STRENGTH, self.strength * step * self.size[n]) if n in self.wanted else 1.0 for n in sorted(self.told)]
        values = self._values([{**row, **self.wanted} for row in rows])
        base = "opposite" if all(len(v) > 1 for v in self.told.values()) else "unspecified"
        return z, attribute_weights(values, self.told, torch.tensor([factors], device=self.space.device), base)

    def _generate(
        self, codes: Tensor, attributes: Tensor | None, beams: int = 1, longest: int | None = None, processors: LogitsProcessorList | None = None
    ) -> list[str]:
        given = {} if attributes is None else {"attributes": attributes}
        with torch.no_grad():
            ids = self.space.model.generate(
                codes, **given, num_beams=beams, num_return_sequences=beams, logits_processor=processors or LogitsProcessorList(),
                max_new_tokens=longest or self.space.processor.max_length + 1,
            )  # fmt: skip
        return self.space.processor.decode(ids.cpu())

    def _costs(self, texts: list[str], z_D: Tensor, row: dict[str, str | None]) -> list[float]:
        """-log p(text | code, wanted values) in nats, under one step of the strength."""
        codes, attributes = self._moved([row], z_D[None], 1.0)
        batch = {name: t.to(self.space.device) for name, t in self.space.processor(texts, None).items()}
        batch["attributes"] = None if attributes is None else attributes.expand(len(texts), -1)
        with torch.no_grad():
            return self.space.model.nll(codes.expand(len(texts), -1), **batch)[0].tolist()

    # --- after ------------------------------------------------------------------------------------------------

    def _best(self, source: str, normal: str, texts: list[str], z_D: Tensor, row: dict[str, str | None]) -> Edit:
        """The candidate with the best of wanted values, words kept and likelihood; a copy is no candidate."""
        texts = [t for t in texts if t != normal]
        if not texts:
            return self._unchanged(source, f"no candidate became {' and '.join(self.wanted.values())}")
        costs = self._costs(texts, z_D, row)
        readable = [n for n in self.wanted if n in self.space.readers]
        found = [0.0] * len(texts)
        for name in readable:
            column = self.space.readers[name].values.index(self.wanted[name])
            probabilities = self.space.readers[name].probabilities(texts)[:, column].tolist()
            found = [a + math.log(max(p, 1e-6)) for a, p in zip(found, probabilities, strict=True)]
        kept = [kept_words(normal, t) for t in texts]
        scores = [f + self.keep * math.log(max(k, 1e-3)) - FLUENCY * c for f, k, c in zip(found, kept, costs, strict=True)]
        order = sorted(range(len(texts)), key=lambda i: -scores[i]) if self.candidates > 1 else list(range(len(texts)))
        first = order[0]
        attributes = self._read(texts[first])
        reached = all(max(attributes[n], key=attributes[n].get) == self.wanted[n] for n in readable) if readable else None
        reason = "" if reached is not False else f"the reader does not find {' and '.join(self.wanted[n] for n in readable)} in it"
        return Edit(
            source, texts[first], True, reached, reason, dict(self.wanted), attributes, content_f1(normal, texts[first]), kept[first],
            costs[first], self.method, [texts[i] for i in order],
        )  # fmt: skip

    def _unchanged(self, source: str, reason: str) -> Edit:
        attributes = self._read(source)
        known = all(name in attributes for name in self.wanted)
        reached = all(max(attributes[n], key=attributes[n].get) == v for n, v in self.wanted.items()) if known else None
        return Edit(source, source, False, reached, reason, dict(self.wanted), attributes, 1.0, 1.0, None, self.method)

    def _read(self, text: str) -> dict[str, dict[str, float]]:
        return {name: dict(zip(r.values, r.probabilities([text])[0].tolist(), strict=True)) for name, r in self.space.readers.items()}
