"""`edit_sentences`: give sentences other attributes and keep the rest.

Shapes: N sentences, D latent dimensions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import LogitsProcessorList

from textae.content import content_f1
from textae.core.editing import Unreachable, edit_codes
from textae.editing.candidates import KeepWords, heavy_words, kept_letters, kept_words, shares_a_word, token_nats
from textae.editing.edit import CONDITION, Edit, Wish, make_wish
from textae.editing.refine import refine
from textae.models.conditioning import attribute_weights

if TYPE_CHECKING:
    from textae.space import LatentSpace

NO_VERB = {"tense": "other"}  # the value that stands for "there is nothing to change"
SURE, ALREADY = 0.5, 0.9  # of a reader's probability: above it a value counts as read; a sentence is called past already
UNKNOWN_TEXT = 0.25  # content words that the model must be able to say again before its edits are worth showing
# Chosen on the first 200 tense-pairs of Tatoeba, which are in no training text, and on 300 training sentences of Yelp: candidates come
# from beams at these multiples of the strength, once with source tokens likelier by BIAS nats, once with those that stand in the way of
# the wish less likely by as much. In the choice the reader's log-odds count up to CERTAIN, above which it is as good as sure, and weigh
# ODDS, a nat of the model's own cost FLUENCY, the log share of words in their order 1 and of letters ("lives" and "lived", not "died") LETTERS.
STEPS = (1.0, 1.5, 2.0)
WAYS = [(step, release) for release in (False, True) for step in STEPS]
BIAS, HEAVY, CERTAIN = 1.0, 0.5, 4.0
ODDS, FLUENCY, LETTERS = 0.5, 0.3, 10.0


def edit_sentences(
    space: "LatentSpace", sentences: Sequence[str], targets: Mapping[str, str | float], *, method: str = "auto", strength: float = 1.0,
    candidates: int = 24, refine_steps: int | None = None, keep: float = 1.0, **options: Any,
) -> list[Edit]:  # fmt: skip
    """Edits of sentences, in order.

    Each sentence is encoded, its code refined until the model says it word for word, moved or told the wanted values, and
    decoded into several candidates. The reader's probability of the wanted values, the words and letters kept and the
    model's own likelihood choose one.

    Args:
        space: Conditioned on the attributes, or with `attributes.safetensors` beside its model.
        sentences: N.
        targets: Values by attribute; of two-valued attributes also a number, whose sign picks the value (negative the first)
            and whose size multiplies the strength.
        method: "condition" decodes the same code under other values; the others move the code (`textae.core.editing`); "auto"
            conditions where the model can, and is "probe" elsewhere.
        strength: How far; 1 is one step as the method counts it. Above 0, and at most 2 for "condition" and 10 elsewhere.
        candidates: At least so many, from beams at once, 1.5 and 2 times the strength; 1 decodes greedily and asks nobody.
        refine_steps: Of latent optimization; 0 edits the posterior mean; None is 15, and 0 with one candidate.
        keep: Weight of kept words and letters against the wanted values in the choice.
        options: Of an editor of codes.

    Raises:
        ValueError: An unknown attribute, value, method or option, no target, or a number out of range.
    """
    wish = make_wish(
        space, targets, method=method, strength=strength, candidates=candidates, refine_steps=refine_steps, keep=keep, **options
    )
    space.processor.check(list(sentences))
    job = _Job(space, wish)
    rows = max(1, space.batch_size // candidates)
    return [edit for start in range(0, len(sentences), rows) for edit in job.edit(list(sentences[start : start + rows]))]


@dataclass(frozen=True)
class _Job:
    """One wish for any number of sentences."""

    space: "LatentSpace"
    wish: Wish

    @property
    def told(self) -> dict[str, list[str]]:
        """The attributes that the decoder is given."""
        return self.space.model.config.decoder_attributes

    @property
    def readable(self) -> list[str]:
        """The wanted attributes whose wanted value a reader can tell."""
        return [n for n, v in self.wish.values.items() if n in self.space.readers and v in self.space.readers[n].values]

    def edit(self, sentences: list[str]) -> list[Edit]:
        """Edits of one batch."""
        read = {name: reader.probabilities(sentences) for name, reader in self.space.readers.items()}
        normal = [self.space.processor.normalize(s) for s in sentences]  # as the model would write them
        rows = self.space.own_values(sentences)
        z, rebuilt = self._codes(normal, rows)
        why = [
            "the model cannot say this sentence again, so it cannot edit it: it knows short everyday English"
            if content_f1(source, again) < UNKNOWN_TEXT
            else self._why_not(i, read)
            for i, (source, again) in enumerate(zip(normal, rebuilt, strict=True))
        ]
        todo = [i for i, reason in enumerate(why) if not reason]
        moved, reached = self._moved([rows[i] for i in todo], z[todo], self.wish.strength) if todo else ((z[:0], None), [])
        for k, i in enumerate(todo):
            if not reached[k]:
                why[i] = f"no step of its code makes it {self.wish.words} with the wanted confidence: ask for less strength, or another method"
        keep = [k for k in range(len(todo)) if reached[k]]
        todo = [todo[k] for k in keep]
        edits: dict[int, Edit] = {}
        if todo:
            start = moved[0][keep], None if moved[1] is None else moved[1][keep]
            texts = self._decode([normal[i] for i in todo], [rows[i] for i in todo], z[todo], start)
            for k, i in enumerate(todo):
                edits[i] = self._best(sentences[i], normal[i], texts[k], start[0][k], None if start[1] is None else start[1][k])
        return [edits[i] if i in edits else self._unchanged(s, why[i]) for i, s in enumerate(sentences)]

    # --- before -----------------------------------------------------------------------------------------------

    def _why_not(self, i: int, read: Mapping[str, Any]) -> str:
        """Why a sentence needs no edit or can have none; empty where it can."""
        already = []
        for name, value in self.wish.values.items():
            if name not in self.readable:
                return ""
            values, row = self.space.readers[name].values, read[name][i]
            found = values[int(row.argmax())]
            if found == NO_VERB.get(name) and row.max() > SURE and value != found:
                return f"no finite verb was found, so there is no {name} to change"
            already.append(found == value and row.max() > ALREADY and name not in self.wish.signed)
        return f"it is {self.wish.words} already" if all(already) else ""

    def _codes(self, sentences: list[str], rows: list[dict[str, str]]) -> tuple[Tensor, list[str]]:
        """Codes, and what the model says with each of the sentence's own words before it."""
        batch = {name: t.to(self.space.device) for name, t in self.space.processor(sentences, None).items()}
        z, _, said = refine(self.space.model, batch, self._told_ids(rows), steps=self.wish.refine_steps)
        return z, self.space.processor.decode(said.cpu())

    def _told_ids(self, rows: Sequence[Mapping[str, str | None]]) -> Tensor | None:
        return torch.from_numpy(self.space.processor.attribute_ids(rows)).to(self.space.device) if self.told else None

    # --- candidates -------------------------------------------------------------------------------------------

    def _decode(
        self, sentences: list[str], rows: list[dict[str, str]], z: Tensor, start: tuple[Tensor, Tensor | None]
    ) -> list[list[str]]:
        """Candidates of each sentence, different ones, which the model can read.

        `start` is what one step makes of the codes; longer ones are made here.
        """
        ways = WAYS if self.wish.candidates > 1 else WAYS[:1]
        beams = -(-self.wish.candidates // len(ways))
        codes = {step: start if step == 1 else self._moved(rows, z, self.wish.farther(step))[0] for step in dict(ways)}
        moved = [codes[step] for step, _ in ways]
        ids = self.space.processor.tokenize(sentences)
        given = None if moved[0][1] is None else torch.cat([a for _, a in moved])
        bias = KeepWords(self._nats(sentences, [release for _, release in ways]), self.space.model.config.vocab_size)
        limit = self.space.processor.max_length
        longest = min(max(map(len, ids)) + 8, limit + 1)  # an edit is about as long as its source
        texts = self._generate(torch.cat([c for c, _ in moved]), given, beams, longest, LogitsProcessorList([bias]))
        n = len(sentences) * beams
        found = [
            dict.fromkeys(t for k in range(len(ways)) for t in texts[k * n + i * beams : k * n + (i + 1) * beams] if t.strip())
            for i in range(len(sentences))
        ]
        sizes = self.space.processor.tokenizer([t for row in found for t in row] or [""], add_special_tokens=False)["input_ids"]
        fits = iter([len(tokens) <= limit for tokens in sizes])  # what was generated in few tokens may be read in more
        return [[t for t in row if next(fits)] for row in found]

    def _nats(self, sentences: list[str], releases: Sequence[bool]) -> list[dict[int, float]]:
        """What each sentence's tokens gain, way by way; where a way releases words that stand in the way of the wish, these lose."""
        if len(releases) == 1:  # greedy decoding asks nobody
            return [{}] * len(sentences)
        read = self.space.processor.tokenizer(sentences, add_special_tokens=False, return_offsets_mapping=True)
        heavy = [heavy_words(sentence, self._log_odds, HEAVY) for sentence in sentences]
        rows = list(zip(read["input_ids"], read["offset_mapping"], heavy, strict=True))
        return [token_nats(ids, places, words if release else [], BIAS) for release in releases for ids, places, words in rows]

    def _log_odds(self, texts: list[str]) -> list[float]:
        """Of the wanted values in nats, by the readers, summed over attributes."""
        total = [0.0] * len(texts)
        for name in self.readable:
            probabilities = self.space.readers[name].probabilities(texts).clip(1e-30)
            column = self.space.readers[name].values.index(self.wish.values[name])
            others = probabilities.sum(1) - probabilities[:, column]
            odds = [math.log(p) - math.log(max(q, 1e-30)) for p, q in zip(probabilities[:, column].tolist(), others.tolist(), strict=True)]
            total = [t + min(o, CERTAIN) for t, o in zip(total, odds, strict=True)]
        return total

    def _moved(
        self, rows: list[dict[str, str]], z: Tensor, strength: float
    ) -> tuple[tuple[Tensor, Tensor | None], list[bool]]:
        """Codes and values that candidates are decoded from, and which codes could be brought there; the others stay."""
        if self.wish.method == CONDITION:
            factors = [self.wish.sizes.get(name, 1.0) * (strength if name in self.wish.values else 1.0) for name in sorted(self.told)]
            values = self._told_ids([{**row, **self.wish.values} for row in rows])
            base = "opposite" if all(len(v) > 1 for v in self.told.values()) else "unspecified"
            return (z, attribute_weights(values, self.told, torch.tensor([factors], device=self.space.device), base)), [True] * len(z)
        reached = torch.ones(len(z), dtype=torch.bool)
        codes = z.clone()
        try:
            codes = self._edited(z, strength)
        except Unreachable as refusal:
            reached = ~refusal.codes_B
            if reached.any():
                codes[reached] = self._edited(z[reached], strength)
        untold = self._told_ids([{k: v for k, v in row.items() if k not in self.wish.values} for row in rows])
        return (codes, untold), reached.tolist()

    def _edited(self, z: Tensor, strength: float) -> Tensor:
        known = self.space.attribute_codes
        return edit_codes(known, z, self.wish.targets(known.attributes), self.wish.method, strength, **self.wish.options)

    def _generate(self, codes: Tensor, attributes: Tensor | None, beams: int, longest: int, processors: LogitsProcessorList) -> list[str]:
        given = {} if attributes is None else {"attributes": attributes}
        with torch.no_grad():
            ids = self.space.model.generate(
                codes, **given, num_beams=beams, num_return_sequences=beams, logits_processor=processors, max_new_tokens=longest
            )
        return self.space.processor.decode(ids.cpu())

    def _costs(self, texts: list[str], z_D: Tensor, attributes: Tensor | None) -> list[float]:
        """-log p(text | code, wanted values) in nats, under one step of the strength."""
        batch = {name: t.to(self.space.device) for name, t in self.space.processor(texts, None).items()}
        batch["attributes"] = None if attributes is None else attributes.expand(len(texts), -1)
        with torch.no_grad():
            return self.space.model.nll(z_D.expand(len(texts), -1), **batch)[0].tolist()

    # --- after ------------------------------------------------------------------------------------------------

    def _best(self, source: str, normal: str, texts: list[str], z_D: Tensor, attributes: Tensor | None) -> Edit:
        """The candidate with the best of wanted values, words kept and likelihood; neither a copy nor another sentence is one."""
        different = [t for t in texts if t != normal]
        if not different:
            return self._unchanged(source, f"no candidate became {self.wish.words}")
        texts = [t for t in different if shares_a_word(normal, t)]
        if not texts:
            return self._unchanged(source, f"every candidate that became {self.wish.words} lost all of its words")
        costs = self._costs(texts, z_D, attributes)
        kept = [kept_words(normal, t) for t in texts]
        same = [math.log(max(k, 1e-3)) + LETTERS * math.log(max(kept_letters(normal, t), 1e-3)) for k, t in zip(kept, texts, strict=True)]
        found = self._log_odds(texts)
        scores = [ODDS * f + self.wish.keep * s - FLUENCY * c for f, s, c in zip(found, same, costs, strict=True)]
        order = sorted(range(len(texts)), key=lambda i: -scores[i]) if self.wish.candidates > 1 else list(range(len(texts)))
        first = order[0]
        read = self._read(texts[first])
        missed = [self.wish.values[n] for n in self.readable if max(read[n], key=read[n].get) != self.wish.values[n]]
        return Edit(
            source, texts[first], True, not missed if self.readable else None,
            f"the reader does not find {' and '.join(missed)} in it" if missed else "", dict(self.wish.values), read,
            content_f1(normal, texts[first]), kept[first], costs[first], self.wish.method, [texts[i] for i in order],
        )  # fmt: skip

    def _unchanged(self, source: str, reason: str) -> Edit:
        read = self._read(source)
        reached = None
        if len(self.readable) == len(self.wish.values):
            reached = all(max(read[n], key=read[n].get) == v for n, v in self.wish.values.items())
        return Edit(source, source, False, reached, reason, dict(self.wish.values), read, 1.0, 1.0, None, self.wish.method)

    def _read(self, text: str) -> dict[str, dict[str, float]]:
        return {name: dict(zip(r.values, r.probabilities([text])[0].tolist(), strict=True)) for name, r in self.space.readers.items()}
