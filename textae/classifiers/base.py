"""What every sentence classifier is: trained on texts and labels, asked for probabilities, saved without pickles.

Shapes: N sentences, K classes.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from textae.core.config import nearest
from textae.core.files import whole_folder

CONFIG, WEIGHTS, VOCABULARY = "classifier.json", "classifier.safetensors", "vocabulary.json"
FORMAT = 1  # of the three files; a reader refuses any other
ROWS = 8192  # sentences scored at once; bounds the memory


class Classifier(ABC):
    """p(value | sentence) for the values of one attribute.

    Attributes:
        kind: Its name in `textae.classifiers.CLASSIFIERS`.
        values: Names of the K classes, sorted; the order of the columns of `probabilities`.
    """

    kind: ClassVar[str]
    values: list[str]

    @classmethod
    @abstractmethod
    def train(cls, texts: Sequence[str], labels: Sequence[str], *, seed: int = 0) -> Self:
        """A classifier of `texts`; the same for the same arguments, and subclasses have settings beside these.

        Args:
            texts: Training sentences.
            labels: The class of each; at least two classes.
            seed: Of whatever is drawn.

        Raises:
            ValueError: A text is empty or no text, a label is no name, there is one class only, or lengths differ.
        """

    @abstractmethod
    def _logits(self, texts: Sequence[str]) -> np.ndarray:
        """Unnormalized log probabilities of checked texts, in order, shape (N, K)."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str] | None]:
        """What is saved: settings (JSON), arrays, and the vocabulary, if there is one."""

    @classmethod
    @abstractmethod
    def _restore(
        cls, values: list[str], settings: dict[str, Any], arrays: dict[str, np.ndarray], vocabulary: list[str] | None
    ) -> Self:
        """The classifier of `_state`; a KeyError, TypeError or ValueError where the parts do not belong together."""

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """p(value | sentence), float32 of shape (N, K), rows in the order of `texts`, columns in that of `values`.

        Raises:
            ValueError: A sentence is empty or no text; its number is named.
        """
        check_texts(texts)
        found = np.empty((len(texts), len(self.values)), dtype=np.float32)
        for start in range(0, len(texts), ROWS):
            logits = self._logits(texts[start : start + ROWS]).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            exponents = np.exp(logits)
            found[start : start + ROWS] = exponents / exponents.sum(axis=1, keepdims=True)
        return found

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable value of each sentence, in order; of equals the first."""
        return [self.values[i] for i in self.probabilities(texts).argmax(axis=1)]

    def accuracy(self, texts: Sequence[str], labels: Sequence[str]) -> float:
        """Percent of sentences whose most probable value is their label.

        Raises:
            ValueError: No sentences, lengths differ, or a label is none of `values`.
        """
        if not len(texts):
            raise ValueError("there are no sentences to measure the accuracy on")
        _check_lengths(texts, labels)
        for label in sorted(set(labels), key=str):
            if label not in self.values:
                raise ValueError(f"the classifier knows no value {label!r}: {nearest(label, self.values)}")
        return 100.0 * sum(p == label for p, label in zip(self.predict(texts), labels, strict=True)) / len(texts)

    def save(self, folder: str | Path) -> None:
        """Write `classifier.json`, `classifier.safetensors` and perhaps `vocabulary.json`, all or nothing.

        Raises:
            ValueError: The folder holds something else than a classifier, which would be lost.
        """
        folder = Path(folder)
        check_target(folder)
        settings, arrays, vocabulary = self._state()
        config = {"format": FORMAT, "kind": self.kind, "values": self.values, "settings": settings}
        with whole_folder(folder) as new:
            (new / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            if vocabulary is not None:
                (new / VOCABULARY).write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, new / WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote, strictly.

        Raises:
            ValueError: There is no classifier of this kind in the folder, or its files are damaged or do not fit.
        """
        folder = Path(folder)
        kind = read_kind(folder)
        if kind != cls.kind:
            raise ValueError(f"{str(folder)!r} holds a classifier of kind {kind!r}, not {cls.kind!r}")
        config = _read_json(folder / CONFIG)
        vocabulary = _read_json(folder / VOCABULARY) if (folder / VOCABULARY).is_file() else None
        try:
            arrays = load_file(folder / WEIGHTS)
        except FileNotFoundError:
            raise ValueError(f"{str(folder)!r} is not a complete classifier: {WEIGHTS} is missing") from None
        except SafetensorError as error:
            raise ValueError(f"{folder / WEIGHTS} is damaged ({error}); save or fetch it again") from None
        try:
            values, settings = config["values"], dict(config["settings"])
            if not _are_names(values) or len(values) < 2:
                raise ValueError(f"values is {values!r}, which are no names of classes")
            if vocabulary is not None and not _are_names(vocabulary):
                raise ValueError(f"{VOCABULARY} is no list of different words")
            classifier = cls._restore(values, settings, arrays, vocabulary)
            own_settings, own_arrays, _ = classifier._state()
            if unknown := sorted({*settings, *arrays} - {*own_settings, *own_arrays}):
                raise ValueError(f"{unknown[0]!r} is no part of a classifier of kind {kind!r}")
            return classifier
        except (KeyError, TypeError, ValueError) as error:
            why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
            raise ValueError(f"the files of the classifier in {str(folder)!r} do not fit each other: {why}") from None


def check_texts(texts: Sequence[str]) -> None:
    """Raise a ValueError that names, by its number from 1, the first text that is empty or no text."""
    if isinstance(texts, str):
        raise ValueError("texts must be a list of sentences, not one string")
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise ValueError(f"sentence {number} is {type(text).__name__}, not text")
        if not text.strip():
            raise ValueError(f"sentence {number} is empty: a classifier needs at least a word")
        if not _is_unicode(text):
            raise ValueError(
                f"sentence {number} holds half a character (a lone surrogate): it was read with a wrong encoding"
            )


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def class_ids(texts: Sequence[str], labels: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Check training data; the names of its classes, sorted, and the class of each text, int64 of shape (N,).

    Raises:
        ValueError: See `Classifier.train`.
    """
    check_texts(texts)
    if isinstance(labels, str):
        raise ValueError("labels must be a list with a class name for each sentence, not one string")
    _check_lengths(texts, labels)
    for number, label in enumerate(labels, 1):
        if not isinstance(label, str) or not label:
            raise ValueError(f"label {number} is {label!r}, not the name of a class: leave unlabelled sentences out")
    values = sorted(set(labels))
    if len(values) < 2:
        only = f"all labels are {values[0]!r}" if values else "there are no sentences"
        raise ValueError(f"a classifier needs at least two classes to tell apart; {only}")
    ids = {value: i for i, value in enumerate(values)}
    return values, np.array([ids[label] for label in labels], dtype=np.int64)


def check_target(folder: str | Path) -> None:
    """Raise a ValueError if saving a classifier into `folder` would replace anything but a classifier."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file; a classifier is saved into a folder of its own")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CONFIG).is_file():
        raise ValueError(f"{str(folder)!r} holds other things than a classifier; choose a folder of its own")


def check_array(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """The array `name`; a KeyError if there is none, a ValueError if it has another shape or type or is not finite."""
    array = arrays[name]
    if array.shape != shape or array.dtype != dtype:
        expected = f"{np.dtype(dtype).name} of shape {shape}"
        raise ValueError(f"{name} is {array.dtype.name} of shape {array.shape}; it must be {expected}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array


def read_kind(folder: str | Path) -> str:
    """The kind of the classifier in a folder.

    Raises:
        ValueError: There is none, or one of another format.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise ValueError(f"{str(folder)!r} holds no classifier: {CONFIG} is missing")
    config = _read_json(folder / CONFIG)
    if not isinstance(config, dict) or not isinstance(config.get("kind"), str):
        raise ValueError(f"{folder / CONFIG} does not say what kind of classifier it is")
    if config.get("format") != FORMAT:
        raise ValueError(f"{folder / CONFIG} has format {config.get('format')!r}; this version reads format {FORMAT}")
    return config["kind"]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); save or fetch it again") from None


def _are_names(given: Any) -> bool:
    """Whether this is a list of different strings, none of them empty."""
    return isinstance(given, list) and all(isinstance(x, str) and x for x in given) and len(set(given)) == len(given)


def _check_lengths(texts: Sequence[str], labels: Sequence[str]) -> None:
    if len(texts) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(texts)} sentences: need one for each")
