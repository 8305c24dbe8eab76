"""Which examples keep their labels where only a few may: a random choice, even over the values."""

from collections.abc import Sequence

import numpy as np


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
