"""`LatentSpace` for sentences: finds a checkpoint, loads model and tokenizer, adds what only text has."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from textae.core.catalog import find_checkpoint, model_type
from textae.core.config import nearest
from textae.core.space import LatentSpace as CoreLatentSpace
from textae.data.processor import SentenceProcessor
from textae.evaluation import MEASURES
from textae.models import MODELS, model_classes
from textae.models.conditioning import attribute_weights

if TYPE_CHECKING:
    from textae.classifiers.bag import BagClassifier
    from textae.core.editing import AttributeCodes
    from textae.editing import Edit

ZOO = Path(__file__).parent / "zoo"
EXAMPLES = "examples.txt"
SURE = 0.5  # of a reader's probability: above it a value counts as the sentence's own


class LatentSpace(CoreLatentSpace):
    """The latent space of sentences.

    Its `evaluate` adds to the core's figures `ppl` = exp(total nats / (words + one end mark each)), words being separated by
    blanks whatever the tokenizer, and `ppl_per_token`; `bleu` (corpus BLEU-4 of greedy reconstructions), `exact_match` and
    `token_accuracy` in percent; and how even the ways between sentences are.

    >>> space = LatentSpace.from_pretrained("everyday")
    >>> len(space.interpolate("I was happy.", "It will rain tomorrow.", steps=5))
    5
    """

    MEASURES = MEASURES

    @classmethod
    def from_pretrained(cls, source: str | Path = "everyday", *, device: str = "cpu") -> "LatentSpace":
        """Load a bundled name, a folder or a Hub id.

        Raises:
            ValueError: There is no such model, it is of another kind, or its files are damaged.
        """
        types = {model_classes(name)[0].model_type: name for name in MODELS}
        folder = find_checkpoint(source, [ZOO], types)
        kind = model_type(folder)
        if kind not in types:
            raise ValueError(f"{str(source)!r} is a model of type {kind!r}, which is not one of sentences: {nearest(kind, types)}")
        model = model_classes(types[kind])[1].from_pretrained(folder)
        processor = SentenceProcessor.from_pretrained(folder)
        if len(processor.tokenizer) > model.config.vocab_size:
            raise ValueError(f"{folder}: the tokenizer has {len(processor.tokenizer)} entries, the model only {model.config.vocab_size}")
        examples = (folder / EXAMPLES).read_text(encoding="utf-8").split("\n") if (folder / EXAMPLES).is_file() else []
        space = cls(model, processor, name=str(source), examples=[s for s in examples if s])
        space.folder = folder
        return space.to(device)

    # --- attributes -------------------------------------------------------------------------------------------

    @cached_property
    def readers(self) -> "dict[str, BagClassifier]":
        """Classifiers beside the model that tell which value of an attribute a sentence has; empty where there are none."""
        from textae.editing.readers import load_readers

        return load_readers(self.folder)

    @cached_property
    def attribute_codes(self) -> "AttributeCodes | None":
        """What `attributes.safetensors` beside the model says of attributes in its codes; None where there is none."""
        from textae.core.editing import attributes_of
        from textae.core.editing.storage import FILE

        return attributes_of(self) if self.folder is not None and (self.folder / FILE).is_file() else None

    @property
    def attributes(self) -> dict[str, list[str]]:
        """Values of each attribute that `edit` can give a sentence, by name; of `sample` those that the decoder is told."""
        found = {} if self.attribute_codes is None else {n: list(a.values) for n, a in self.attribute_codes.attributes.items()}
        return dict(sorted({**found, **self.model.config.decoder_attributes}.items()))

    def own_values(self, sentences: Sequence[str]) -> list[dict[str, str]]:
        """What the readers are sure of in sentences, of the attributes that the decoder is told."""
        rows: list[dict[str, str]] = [{} for _ in sentences]
        for name, values in self.model.config.decoder_attributes.items():
            if name not in self.readers or not rows:
                continue
            reader = self.readers[name]
            for row, found in zip(rows, reader.probabilities(list(sentences)), strict=True):
                value = reader.values[int(found.argmax())]
                if found.max() > SURE and value in values:
                    row[name] = value
        return rows

    def told(self, sentences: Sequence[str]) -> Tensor | None:
        """What decoding sentences is told of them: their own values as weights (`textae.models.conditioning`), shape (N, W).

        None where the decoder is told nothing, or nobody reads sentences for it.
        """
        known = self.model.config.decoder_attributes
        if not any(name in self.readers for name in known):
            return None
        rows = torch.from_numpy(self.processor.attribute_ids(self.own_values(sentences)))
        return attribute_weights(rows, known)

    def reconstruct(self, raw: Any, *, attributes: Mapping[str, str] | None = None, **options: Any) -> Any:
        """Decode the posterior means. The decoder is told `attributes`, or else what the readers beside the model find in each sentence."""
        listed = [raw] if self.processor.is_single(raw) else list(raw)
        return self.decode(self.encode(raw), attributes=attributes or self.told(listed), **options)

    def interpolate(
        self, a: str, b: str, *, steps: int = 7, path: str = "lerp", attributes: Mapping[str, str] | None = None, **options: Any
    ) -> list[str]:
        """As in the core; without `attributes` the decoder is told a mixture of what the two sentences say of them."""
        if attributes is None and steps >= 2 and (told_2W := self.told([a, b])) is not None:
            ways = torch.linspace(0, 1, steps)[:, None]
            return super().interpolate(a, b, steps=steps, path=path, attributes=(1 - ways) * told_2W[0] + ways * told_2W[1], **options)
        return super().interpolate(a, b, steps=steps, path=path, attributes=attributes, **options)

    def edit(self, raw: str | Sequence[str], *, method: str = "auto", strength: float = 1.0, candidates: int = 24, **targets: Any) -> "Edit | list[Edit]":
        """Sentences with other attributes and the same content: `edit("I am happy.", tense="past", sentiment=-1.5)`.

        Args:
            raw: One sentence, or a list.
            method: "auto", "condition", "offset", "probe", "gradient" or "ode"; see `textae.editing.edit_sentences`.
            strength: How far; 1 is one step as the method counts it.
            candidates: From which the best is chosen; 1 is the quickest.
            **targets: A value for each attribute, or of two-valued ones a number whose sign picks the value and whose size
                multiplies the strength; and options of `edit_sentences` and of the method.

        Returns:
            An `Edit` for one sentence, a list of them in order for a list.

        Raises:
            ValueError: An unknown attribute, value, method or option, or a number out of range.
        """
        from textae.editing import edit_sentences

        single = self.processor.is_single(raw)
        wanted = {k: v for k, v in targets.items() if k in self.attributes}
        options = {k: v for k, v in targets.items() if k not in wanted}
        if not wanted and options and isinstance(next(iter(options.values())), str):  # an attribute that does not exist
            wanted, options = options, {}
        found = edit_sentences(self, [raw] if single else list(raw), wanted, method=method, strength=strength, candidates=candidates, **options)
        return found[0] if single else found

    def sample(
        self, num: int = 1, *, spread: float = 1.0, seed: int | None = None, attributes: Mapping[str, str] | None = None, **options: Any
    ) -> list[str]:
        """As in the core; attributes may be given by name: `sample(5, tense="future", sentiment="negative")`."""
        named = {k: options.pop(k) for k in list(options) if k in self.model.config.decoder_attributes}
        return super().sample(num, spread=spread, seed=seed, attributes={**(attributes or {}), **named} or None, **options)

    def decode(self, z: Tensor, **options: Any) -> Any:
        """As in the core; a sentence may become as long as the model takes, unless `max_new_tokens` or `max_length` says less."""
        if "max_length" not in options:
            options.setdefault("max_new_tokens", self.processor.max_length + 1)
        return super().decode(z, **options)

    def rebuild(self, sentences: list[str], attributes: Sequence[Mapping[str, str]] | None) -> list[str]:
        """Greedy reconstructions, each conditioned on the attributes that it comes with; no reader is asked."""
        if attributes is None:
            return self.decode(self.encode(sentences))
        rows = [tuple(sorted(row.items())) for row in attributes]
        codes, rebuilt = self.encode(sentences), [""] * len(sentences)
        for row in dict.fromkeys(rows):  # decoding takes one set of values at a time
            where = [i for i, other in enumerate(rows) if other == row]
            for i, text in zip(where, self.decode(codes[where], attributes=dict(row)), strict=True):
                rebuilt[i] = text
        return rebuilt
