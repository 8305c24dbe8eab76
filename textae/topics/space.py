"""`LatentSpace` for documents: finds a checkpoint, loads model and vocabulary, adds what only topics have."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from textae.core import evaluation as core
from textae.core.catalog import find_checkpoint, model_type
from textae.core.config import nearest
from textae.core.evaluation import Evaluation, Measuring
from textae.core.space import LatentSpace as CoreLatentSpace
from textae.topics import MODELS, model_classes
from textae.topics.processor import BagProcessor


def likelihood(ask: Measuring, found: Evaluation) -> None:
    """The core's, with `word_ppl` = exp(total nats / total counted words)."""
    core.likelihood(ask, found)
    _perplexity(ask, found, "nll", "word_ppl")


def elbo(ask: Measuring, found: Evaluation) -> None:
    """The core's, with `elbo_word_ppl`."""
    core.elbo(ask, found)
    _perplexity(ask, found, "elbo_nll", "elbo_word_ppl")


def _perplexity(ask: Measuring, found: Evaluation, bound: str, name: str) -> None:
    found.figures["words"] = found.figures["tokens_or_pixels"]
    if bound in found.figures:
        found.figures[name] = math.exp(found.figures[bound] * len(ask.raw) / found.figures["words"])


class LatentSpace(CoreLatentSpace):
    """The latent space of documents. What it decodes is a list of words, the most probable first.

    Its `evaluate` adds to the core's figures, in nats per document, perplexities per word: `word_ppl` from the importance-weighted
    bound and `elbo_word_ppl`. Only words of the vocabulary are counted: figures of two models compare where they share it.
    """

    MEASURES = {**core.MEASURES, "likelihood": likelihood, "elbo": elbo}

    @classmethod
    def from_pretrained(cls, source: str | Path, *, device: str = "cpu") -> "LatentSpace":
        """Load a folder or a Hub id.

        Raises:
            ValueError: There is no such model, it is of another kind, or its files are damaged.
        """
        types = {model_classes(name)[0].model_type: name for name in MODELS}
        folder = find_checkpoint(source, [], types)
        kind = model_type(folder)
        if kind not in types:
            raise ValueError(f"{str(source)!r} is a model of type {kind!r}, which is not one of documents: {nearest(kind, types)}")
        model = model_classes(types[kind])[1].from_pretrained(folder)
        processor = BagProcessor.from_pretrained(folder)
        if len(processor.vocabulary) != model.config.vocab_size:
            raise ValueError(f"{folder}: the vocabulary has {len(processor.vocabulary):,} words, the model {model.config.vocab_size:,}")
        space = cls(model, processor, name=str(source))
        space.folder = folder
        return space.to(device)

    def topics(self, num_words: int = 10) -> list[list[str]]:
        """The top words of each topic, the strongest first; of a Gaussian code those of each dimension's positive end.

        Raises:
            ValueError: There are not so many words.
        """
        if not 1 <= num_words <= len(self.processor.vocabulary):
            raise ValueError(f"num_words is {num_words}; it must be from 1 to the {len(self.processor.vocabulary):,} words of the vocabulary")
        best = self.model.topic_words().topk(num_words, -1).indices
        return [[self.processor.vocabulary[i] for i in row] for row in best.tolist()]

    def shares(self, raw: str | Sequence[str]) -> Tensor:
        """What the decoder reads at the posterior means, (D,) or (N, D): of a simplex code each document's shares of topics."""
        with torch.no_grad():
            return self.model.shares(self.encode(raw))
