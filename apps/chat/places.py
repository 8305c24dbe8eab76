"""The map beside the chat: sentences of our own as points of a plane, and from a point of the plane back to a code.

The plane is that of the two widest directions of the sentences' codes (PCA). Two of many dimensions say little, so the way back
does not go through the plane alone: a point stands for the mix of the three sentences nearest to it on the map, each weighted by
one over its squared distance, shifted to lie exactly under the point. On a dot that is the dot's own sentence, between dots it is a
path. Compared on 60 random points with the bundled `everyday` (64 dimensions; different sentences of 60, those that are no
sentence of the map, and -log p per word): the current code moved inside the plane 2, 1, 2.1 (it hardly moves); the plane's own point
38, 58, 2.8; the nearest sentence's code moved under the point 53, 12, 3.6; the three neighbours 56, 42, 3.2.

Shapes: N sentences, D latent dimensions.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from textae.content import content_f1
from textae.core.space import LatentSpace

FILE = Path(__file__).parent / "sentences.txt"  # of our own: in every tense and mood, taken from no data set
SAYABLE = 0.6  # content words that the model must say again of a sentence, for it to stand on the map
FEWEST = 20
NEAREST = 3
MAX_ON_MAP = 400


@dataclass(frozen=True)
class Places:
    """Sentences with their codes and their points on the map.

    Attributes:
        sentences: N.
        codes: Posterior means, shape (N, D), float32.
        points: On the map, shape (N, 2).
        center: Mean code, shape (D,).
        axes: Two orthonormal directions, shape (2, D).
        share: Of the codes' variance that the map shows, 0 to 1.
        values: By attribute, what its reader finds in each sentence.
    """

    sentences: tuple[str, ...]
    codes: np.ndarray
    points: np.ndarray
    center: np.ndarray
    axes: np.ndarray
    share: float
    values: dict[str, tuple[str, ...]]

    def project(self, code: Tensor | np.ndarray) -> tuple[float, float]:
        """Where a code of shape (D,) lies on the map."""
        x, y = (np.asarray(code, dtype=np.float32) - self.center) @ self.axes.T
        return float(x), float(y)

    def code_at(self, x: float, y: float) -> tuple[Tensor, int]:
        """A code under a point of the map, and which sentence is nearest to it there."""
        point = np.array([x, y])
        gaps = np.square(self.points - point).sum(1)
        near = gaps.argsort()[:NEAREST]
        weights = 1 / (gaps[near] + 1e-9)
        code = (weights / weights.sum()) @ self.codes[near]
        code = code + (point - (code - self.center) @ self.axes.T) @ self.axes
        return torch.tensor(code, dtype=torch.float32), int(near[0])

    def nearest(self, code: Tensor | np.ndarray, num: int = 5, beside: str | None = None) -> list[tuple[int, float]]:
        """Sentences nearest to a code, of shape (D,), in all dimensions, the one that is `beside` left out: which, and how far."""
        gaps = np.linalg.norm(self.codes - np.asarray(code, dtype=np.float32), axis=1)
        return [(int(i), float(gaps[i])) for i in gaps.argsort()[: num + 1] if self.sentences[i] != beside][:num]

    def about(self, topic: str) -> list[int]:
        """Sentences in which a word of the topic stands."""
        return [i for i, sentence in enumerate(self.sentences) if speaks(sentence, topic)]

    @property
    def spread(self) -> float:
        """Standard deviation of a dimension of the codes, on average."""
        return float(self.codes.std(0).mean())


def build(space: LatentSpace) -> Places:
    """The map of a model of sentences: ours that it can say, else its bundled examples, else draws from its prior.

    Takes half a second on one core for 250 sentences and 64 dimensions.
    """
    sentences = _sayable(space, FILE.read_text(encoding="utf-8").split("\n"))
    if len(sentences) < FEWEST:
        sentences = list(dict.fromkeys(_taken(space, space.examples[:MAX_ON_MAP])))
    if len(sentences) < 3:
        sentences = list(dict.fromkeys(_taken(space, space.sample(200, seed=0))))
    codes = space.encode(sentences).numpy()
    center = codes.mean(0)
    _, sizes, directions = np.linalg.svd(codes - center, full_matrices=False)
    axes = np.zeros((2, codes.shape[1]), dtype=np.float32)
    axes[: len(directions[:2])] = directions[:2]
    axes *= np.where(axes[np.arange(2), np.abs(axes).argmax(1)] < 0, -1, 1)[:, None]  # the sign that SVD leaves open
    return Places(
        tuple(sentences), codes, (codes - center) @ axes.T, center, axes,
        float(np.square(sizes[:2]).sum() / max(np.square(sizes).sum(), 1e-9)), readings(space, sentences),
    )  # fmt: skip


def readings(space: LatentSpace, sentences: list[str]) -> dict[str, tuple[str, ...]]:
    """What each reader beside the model finds in each sentence, by attribute."""
    return {name: tuple(reader.values[i] for i in reader.probabilities(sentences).argmax(1)) for name, reader in space.readers.items()}


def _sayable(space: LatentSpace, sentences: list[str]) -> list[str]:
    """Those that the model can roughly say again."""
    sentences = _taken(space, sentences)
    if not sentences:
        return []
    return [s for s, again in zip(sentences, space.reconstruct(sentences), strict=True) if content_f1(s, again) >= SAYABLE]


def _taken(space: LatentSpace, sentences: list[str]) -> list[str]:
    found = []
    for sentence in sentences:
        if sentence.strip():
            try:
                space.processor.check([sentence])
            except ValueError:
                continue
            found.append(sentence)
    return found


def speaks(sentence: str, topic: str) -> bool:
    """Whether a word of the topic stands in a sentence, in the singular or the plural.

    >>> speaks("The dog barked.", "dogs"), speaks("They found a dogma.", "dog")
    (True, False)
    """
    stems = [word[:-1] if word.endswith("s") and len(word) > 3 and not word.endswith("ss") else word for word in topic.lower().split()]
    return re.search(rf"\b(?:{'|'.join(map(re.escape, stems))})(?:s|es)?\b", sentence, re.I) is not None
