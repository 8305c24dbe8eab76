"""`textae attributes`: what edits need beside a model: readers of sentences, and attributes of its codes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textae.core.config import nearest

Rows = list[dict[str, str | None]]
CODES = 20_000  # labelled codes that probes, perceptrons and means are fitted to: more change nothing in the second digit


def fit_attributes(
    model: str, data: str, attributes: Sequence[str], *, buckets: int = 40_000, num: int = CODES, seed: int = 0, device: str = "auto"
) -> list[dict[str, Any]]:
    """Train readers and fit attributes of codes on a named data set's training split; write both beside the model.

    Args:
        model: A folder of a model of sentences.
        data: A named data set.
        attributes: Its columns, or names of labelers.
        buckets: Of each reader: a number of two bytes for each of them and each value.
        num: Labelled sentences whose codes are taken.
        seed: Of whatever is drawn.
        device: "auto" or a torch device.

    Returns:
        For each attribute its values and the held-out accuracies in percent: of the reader on the split `valid`, of the linear
        probe and the perceptron on codes, and what the most frequent value reaches there; and of a probe of as many codes of
        each value (`balanced`), where `chance` is one in as many as there are values.

    Raises:
        ValueError: No folder, no such data set or attribute, or too few labels.
    """
    import numpy as np

    from apps.catalog import open_space
    from textae.classifiers.bag import BagClassifier
    from textae.core.editing import AttributeCodes
    from textae.core.labelled import balanced, value_ids
    from textae.editing import save_readers

    space = open_space(model, device)
    if not Path(model).is_dir() or space.folder is None:
        raise ValueError(f"{model!r} is no folder: attributes are written beside a model of your own")
    if not attributes:
        raise ValueError("name at least one attribute, such as tense")
    splits = {split: labelled_rows(data, split, attributes) for split in ("train", "valid")}
    readers, found = {}, []
    for name in attributes:
        texts, labels = _known(splits["train"], name)
        readers[name] = BagClassifier.train([*texts, *map(plainly, texts)], labels * 2, buckets=buckets, seed=seed)
    rng = np.random.default_rng(seed)
    rows = splits["train"]
    chosen = [rows[i] for i in sorted(rng.permutation(len(rows))[:num])]
    values = {name: space.model.config.attributes.get(name, readers[name].values) for name in attributes}
    z_ND = space.encode([row["text"] for row in chosen])
    codes = AttributeCodes.fit(z_ND, [{n: row[n] for n in attributes} for row in chosen], values=values, seed=seed)
    save_readers(readers, space.folder)
    codes.save(space.folder)
    for name in attributes:
        fitted = codes[name]
        ids = value_ids({name: fitted.values}, [{name: row[name] if row[name] in fitted.values else None} for row in chosen])[:, 0]
        even = balanced(ids, len(fitted.values) * int(np.bincount(ids[ids >= 0]).min()), seed)
        alone = AttributeCodes.fit(z_ND[even], [{name: fitted.values[ids[i]]} for i in even], seed=seed)[name]
        found.append({
            "attribute": name, "values": list(fitted.values), "reader": readers[name].accuracy(*_known(splits["valid"], name)),
            "probe": 100 * fitted.accuracy, "perceptron": 100 * fitted.mlp_accuracy, "most_frequent": 100 * fitted.majority,
            "balanced": 100 * alone.accuracy, "chance": 100 / len(fitted.values),
        })  # fmt: skip
    return found


def plainly(text: str) -> str:
    """A sentence as people type it into a box: no capitals, and no mark at its end. Readers learn both ways of writing.

    >>> plainly("She is at home.")
    'she is at home'
    """
    return text.lower().rstrip(" .!?") or text


def labelled_rows(data: str, split: str, attributes: Sequence[str]) -> Rows:
    """The rows of a named data set's split with these attributes, labelled where the set has no such column."""
    from textae.core.config import choose
    from textae.data import DATASETS
    from textae.labels import LABELERS
    from textae.labels.labeler import find_labelers, labelled

    corpus = choose(choose(DATASETS, data, "data set")(), split, f"split of {data}")
    missing = [name for name in attributes if name not in corpus.attributes]
    for name in missing:
        if name not in LABELERS:
            raise ValueError(f"{data} has no attribute {name!r} and nobody labels it: {nearest(name, [*corpus.attributes, *LABELERS])}")
    return list(labelled(corpus, find_labelers(missing, LABELERS)) if missing else corpus)


def _known(rows: Sequence[Mapping[str, str | None]], name: str) -> tuple[list[str], list[str]]:
    kept = [(row["text"], row[name]) for row in rows if row[name] is not None]
    return [text for text, _ in kept], [value for _, value in kept if value is not None]
