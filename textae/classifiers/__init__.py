"""Sentence classifiers: judges of what editors write, and a reader that editors may ask; no autoencoder belongs here.

| kind | what it is | role |
|---|---|---|
| `ngram` | TF-IDF of word n-grams, logistic regression | judge |
| `cnn` | word embeddings, convolutions, maximum over time | judge |
| `bag` | mean of hashed n-gram embeddings, at most 1 MB on disk | reader |

A **judge** measures edits. It is trained on training text only and no method may ask it anything, or its accuracy would
be that of a student who marks the own paper. A **reader** is what methods ask, while they choose among candidates, say:
it is shipped beside a model, and what measures edits refuses it. To add a kind, write one file with a subclass of
`textae.classifiers.base.Classifier`, and one line in the table.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from textae.core.config import choose

if TYPE_CHECKING:
    from textae.classifiers.base import Classifier

# kind: (module, class); imported when asked for, so that listing names costs nothing
CLASSIFIERS = {
    "ngram": ("textae.classifiers.ngram", "NgramClassifier"),
    "cnn": ("textae.classifiers.cnn", "CNNClassifier"),
    "bag": ("textae.classifiers.bag", "BagClassifier"),
}
JUDGES = ("ngram", "cnn")


def classifier_class(kind: str) -> "type[Classifier]":
    """The class of a kind in `CLASSIFIERS`; a ValueError lists what exists."""
    module, name = choose(CLASSIFIERS, kind, "classifier")
    return getattr(import_module(module), name)


def load_classifier(folder: str | Path) -> "Classifier":
    """The classifier that was saved in a folder, whatever its kind.

    Raises:
        ValueError: There is none, or its files are damaged or do not belong together.
    """
    from textae.classifiers.base import read_kind

    return classifier_class(read_kind(folder)).load(folder)
