"""Numbers of topics as lists of words: how well their words go together, and whether topics differ; no model.

Shapes: N documents, V words of the vocabulary, K topics, M words of a topic.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix


def npmi(topics: Sequence[Sequence[int]], counts: csr_matrix) -> np.ndarray:
    """Normalized pointwise mutual information of each topic's words, mean over its pairs, from -1 to 1, shape (K,).

    log(p(a, b) / (p(a) p(b))) / -log p(a, b), where p is the share of documents that have a word, or both: 0 where the two are
    independent, 1 where they only occur together, -1 where they never do (and where one never occurs at all).

    Source: Bouma 2009; as a coherence of topics Aletras & Stevenson 2013, Lau et al. 2014, here with whole documents as windows.

    Args:
        topics: Columns of `counts`, M of each topic.
        counts: Of the documents that are asked, (N, V): any with the topics' words, best those that the model was trained on.

    Raises:
        ValueError: A topic has fewer than two words, or the same twice, or there is no document.
    """
    if counts.shape[0] == 0:
        raise ValueError("there is no document to look for words in")
    means = []
    for number, topic in enumerate(topics, 1):
        if len(set(topic)) != len(topic) or len(topic) < 2:
            raise ValueError(f"topic {number} has {len(set(topic))} different words in a list of {len(topic)}; coherence is of at least two, each once")
        present = (counts[:, list(topic)] > 0).astype(np.float64)
        together = np.asarray((present.T @ present).todense()) / counts.shape[0]
        first, second = np.triu_indices(len(topic), 1)
        alone, both = together.diagonal(), together[first, second]
        values = np.full(len(both), -1.0)
        values[both == 1] = 1.0  # in every document, and so always together: the limit of the formula
        some = (both > 0) & (both < 1)
        values[some] = np.log(both[some] / (alone[first] * alone[second])[some]) / -np.log(both[some])
        means.append(values.mean())
    return np.array(means)


def diversity(topics: Sequence[Sequence[int]]) -> float:
    """Different words among all top words of all topics, a share (Dieng et al. 2020): 1 where no two topics share one.

    Coherence alone is highest where every topic is the same good one.
    """
    listed = [word for topic in topics for word in topic]
    if not listed:
        raise ValueError("there are no topics")
    return len(set(listed)) / len(listed)
