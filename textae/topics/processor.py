"""Documents ↔ counts of words: the one place that knows what a batch of documents looks like.

Shapes: B documents, V words of the vocabulary, M words of a list.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from textae.core.data import Batch
from textae.topics.vocabulary import words

FILE = "processor.json"
MAX_CHARS = 1_000_000  # a thick book; what is longer is a file of many documents


class BagProcessor:
    """Counts the words of documents; saved beside the model.

    Args:
        vocabulary: The words that are counted, each once; others are as if they were not there.
    """

    def __init__(self, vocabulary: Sequence[str]):
        self.vocabulary = list(vocabulary)
        self.ids = {word: i for i, word in enumerate(self.vocabulary)}
        if len(self.ids) != len(self.vocabulary) or len(self.ids) < 2:
            raise ValueError("a vocabulary has at least two words, each of them once")

    def matrix(self, documents: Sequence[str]) -> csr_matrix:
        """Counts of the vocabulary's words, int32, shape (B, V); a document may have none of them.

        Raises:
            ValueError: A document is not text, or is far too long; its number is named.
        """
        columns, starts = [], [0]
        for number, document in enumerate(documents, 1):
            if not isinstance(document, str):
                raise ValueError(f"document {number} is {type(document).__name__}, not text")
            if len(document) > MAX_CHARS:
                raise ValueError(f"document {number} has {len(document):,} characters; at most {MAX_CHARS:,} are taken: split it")
            columns += [self.ids[w] for w in words(document) if w in self.ids]
            starts.append(len(columns))
        ones = np.ones(len(columns), dtype=np.int32)
        counts = csr_matrix((ones, np.array(columns, dtype=np.int32), np.array(starts)), shape=(len(documents), len(self.vocabulary)))
        counts.sum_duplicates()
        return counts

    def check(self, raw: Sequence[str]) -> None:
        """Raise a ValueError for the first document that has no word of the vocabulary, or is no text."""
        for number, document in enumerate(raw, 1):
            if isinstance(document, str) and not document.strip():
                raise ValueError(f"document {number} is empty")
        bare = np.flatnonzero(self.matrix(raw).sum(1) == 0)
        if len(bare):
            raise ValueError(
                f"document {bare[0] + 1} has none of the {len(self.vocabulary):,} words that this model counts: "
                "give a longer one, or one of the kind it was trained on"
            )

    def __call__(self, raw: Sequence[str], attributes: Sequence[Mapping[str, str | None]] | None = None) -> Batch:
        if attributes is not None:
            self.attribute_ids(attributes)
        self.check(raw)
        return {"counts": as_batch(self.matrix(raw))}

    def attribute_ids(self, rows: Sequence[Mapping[str, str | None]]) -> np.ndarray:
        """No columns: documents are modeled by their words alone.

        Raises:
            ValueError: A row names an attribute.
        """
        for row in rows:
            if row:
                raise ValueError(f"models of documents know no attributes, and so no {next(iter(row))!r}: leave it out")
        return np.zeros((len(rows), 0), dtype=np.int64)

    def decode(self, generated: Tensor) -> list[str]:
        """Lists of words, shape (B, M), as texts: in their order, with blanks between."""
        return [" ".join(self.vocabulary[i] for i in row) for row in generated.tolist()]

    def is_single(self, raw: Any) -> bool:
        return isinstance(raw, str)

    def cost(self, raw: str) -> int:
        return len(raw)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `processor.json` into an existing or new folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"vocabulary": self.vocabulary}, ensure_ascii=False, indent=0)
        (folder / FILE).write_text(content + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "BagProcessor":
        """Read what `save_pretrained` wrote."""
        path = Path(folder) / FILE
        if not path.is_file():
            raise ValueError(f"{str(folder)!r} has no {FILE}: it is not a complete checkpoint of a model of documents")
        try:
            vocabulary = json.loads(path.read_text(encoding="utf-8"))["vocabulary"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged, or of another kind of model: {error!r}") from None
        if not isinstance(vocabulary, list) or not all(isinstance(word, str) for word in vocabulary):
            raise ValueError(f"{path} is damaged: its vocabulary is not a list of words")
        return cls(vocabulary)


def as_batch(counts: csr_matrix) -> Tensor:
    """Counts as the model reads them: float32, dense, shape (B, V)."""
    return torch.from_numpy(counts.toarray().astype(np.float32))
