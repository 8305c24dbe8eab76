"""Labels of examples: attributes' values as numbers, and which examples keep theirs where only a few may."""

from collections.abc import Mapping, Sequence

import numpy as np

from textae.core.config import nearest


def value_ids(attributes: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, str | None]]) -> np.ndarray:
    """Values as indices, -1 where unspecified, shape (B, A).

    >>> value_ids({"tense": ["past", "present"]}, [{"tense": "present"}, {}]).tolist()
    [[1], [-1]]

    Args:
        attributes: Values of each attribute, by name, in the order of the columns.
        rows: B.

    Raises:
        ValueError: An unknown attribute or value; the message lists those that exist.
    """
    out = np.full((len(rows), len(attributes)), -1, dtype=np.int64)
    columns = {name: i for i, name in enumerate(attributes)}
    for r, row in enumerate(rows):
        for name, value in row.items():
            if name not in columns:
                raise ValueError(f"the model knows no attribute {name!r}: {nearest(name, columns)}")
            if value is None:
                continue
            known = attributes[name]
            if str(value) not in known:
                raise ValueError(f"attribute {name!r} has no value {value!r}: {nearest(value, known)}")
            out[r, columns[name]] = known.index(str(value))
    return out


def balanced(labels_N: np.ndarray, num: int, seed: int | Sequence[int]) -> np.ndarray:
    """Indices of `num` examples drawn at random, the same number of each label to within one; unknown ones are left out.

    Args:
        labels_N: -1 where unknown.
        num: At least one for each label.
        seed: Of the draw.

    Returns:
        Sorted indices, shape (num,).

    Raises:
        ValueError: There are fewer labelled examples, or a label has too few for an even share.
    """
    rng = np.random.default_rng(seed)
    members = {label: rng.permutation(np.flatnonzero(labels_N == label)) for label in np.unique(labels_N[labels_N >= 0])}
    found = sum(map(len, members.values()))
    if not 1 <= len(members) <= num <= found:
        raise ValueError(f"{num} labels cannot be kept: there are {len(members)} values and {found} labelled examples")
    share, over = divmod(num, len(members))
    larger = rng.permutation([label for label, indices in members.items() if len(indices) > share])[:over].tolist()
    smallest = min(members, key=lambda label: len(members[label]))
    if len(larger) < over or len(members[smallest]) < share:
        raise ValueError(
            f"{num} labels are at least {share} of each of {len(members)} values, but value {smallest} has {len(members[smallest])} examples"
        )
    return np.sort(np.concatenate([indices[: share + (label in larger)] for label, indices in members.items()]))
