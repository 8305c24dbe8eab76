"""What a labeler is, and corpora that are labelled as they are read. The labelers themselves are next door."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice

from textae.core.config import choose
from textae.data.corpus import Corpus

CHUNK = 1000  # sentences labelled at once: many beside the cost of a call, few beside those in memory


@dataclass(frozen=True)
class Labeler:
    """Gives each sentence a value of one attribute, or None where it abstains.

    Attributes:
        values: All that it gives, in the order that models use.
        package: The package it needs, which the extra `labels` installs.
        label: From sentences to values.
    """

    values: tuple[str, ...]
    package: str
    label: Callable[[Sequence[str]], list[str | None]]

    def __call__(self, sentences: Sequence[str]) -> list[str | None]:
        """One value, or None, for each sentence, in their order.

        Raises:
            ValueError: The package it needs is not installed, or `sentences` is one string and not a list.
        """
        self.check()
        if isinstance(sentences, str):
            raise ValueError("a labeler takes a list of sentences; got one string: put it in a list")
        return self.label(sentences)

    def check(self) -> None:
        """Raise a ValueError that says what to install, if the labeler cannot work here."""
        if find_spec(self.package) is None:
            raise ValueError(f"labels need the package {self.package}: pip install 'textae[labels]'")


def find_labelers(names: Sequence[str], table: Mapping[str, Labeler]) -> dict[str, Labeler]:
    """The labelers of a table by their names, each ready to work.

    Raises:
        ValueError: There is no such labeler, one is named twice, none is named, or its package is missing.
    """
    if not names:
        raise ValueError(f"name at least one attribute to label. Known: {', '.join(sorted(table))}")
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise ValueError(f"the labeler {twice[0]!r} is named twice")
    found = {name: choose(table, name, "labeler") for name in names}
    for labeler in found.values():
        labeler.check()
    return found


def labelled(corpus: Corpus, labelers: Mapping[str, Labeler]) -> Corpus:
    """The corpus with the labelers' attributes on every row; a value that a row has already stays.

    Rows are labelled as they are read, `CHUNK` at a time, and anew in every pass: memory does not grow.
    """
    attributes = (*corpus.attributes, *(name for name in labelers if name not in corpus.attributes))
    return Corpus(corpus.name, attributes, partial(_rows, corpus, labelers))


def _rows(corpus: Corpus, labelers: Mapping[str, Labeler]) -> Iterator[dict]:
    rows = iter(corpus)
    while chunk := [{**row} for row in islice(rows, CHUNK)]:
        for name, labeler in labelers.items():
            bare = [row for row in chunk if row.get(name) is None]
            for row, value in zip(bare, labeler([row["text"] for row in bare]), strict=True):
                row[name] = value
        yield from chunk
