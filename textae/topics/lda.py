"""Latent Dirichlet allocation beside the autoencoders: scikit-learn's topics, judged by the same bound as ours.

Shapes: N documents, V words of the vocabulary, K topics, S draws.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import digamma, gammaln, logsumexp


@dataclass(frozen=True)
class LDA:
    """A fitted LDA as a model of held-out documents.

    Attributes:
        topics: p(word | topic), the means of scikit-learn's posterior, shape (K, V).
        alpha: Of the symmetric Dirichlet prior over shares.
    """

    topics: np.ndarray
    alpha: float

    def posteriors(self, counts: csr_matrix, iterations: int = 100) -> np.ndarray:
        """γ of q(shares | document) = Dirichlet(γ), shape (N, K), by Blei et al. 2003, fig. 6."""
        found = np.empty((counts.shape[0], len(self.topics)))
        for row in range(counts.shape[0]):
            words, n = _words(counts, row)
            beta = self.topics[:, words]
            gamma = np.full(len(self.topics), self.alpha + n.sum() / len(self.topics))
            for _ in range(iterations):
                weight = np.exp(digamma(gamma) - digamma(gamma.sum()))
                new = self.alpha + weight * (beta @ (n / np.maximum(weight @ beta, 1e-300)))
                moved, gamma = np.abs(new - gamma).mean(), new
                if moved < 1e-3:  # of a word: what scikit-learn stops at as well
                    break
            found[row] = gamma
        return found

    def nll(self, counts: csr_matrix, samples: int = 100, seed: int = 0) -> np.ndarray:
        """Importance-weighted upper bound on -log p(document) in nats, shape (N,), with q of `posteriors` as the proposal.

        The same estimator as `textae.core.metrics.importance_nll` (Burda et al. 2016, eq. 8), so that both can be compared:
        scikit-learn's own `perplexity` charges for the uncertainty of the topics as well.
        """
        if samples < 1:
            raise ValueError(f"samples is {samples}; at least one draw is needed")
        random = np.random.default_rng(seed)
        alpha, bounds = np.full(len(self.topics), self.alpha), np.empty(counts.shape[0])
        for row, gamma in enumerate(self.posteriors(counts)):
            words, n = _words(counts, row)
            log_shares = _log_dirichlet_draws(random, gamma, samples)
            likelihood = np.log(np.maximum(np.exp(log_shares) @ self.topics[:, words], 1e-300)) @ n
            log_w = likelihood + _log_beta(gamma) - _log_beta(alpha) + log_shares @ (alpha - gamma)
            bounds[row] = np.log(samples) - logsumexp(log_w)
        return bounds


def fit(counts: csr_matrix, num_topics: int, *, iterations: int = 20, seed: int = 0) -> LDA:
    """scikit-learn's `LatentDirichletAllocation` with its own priors (1/K), by variational Bayes on all documents at once."""
    from sklearn.decomposition import LatentDirichletAllocation

    model = LatentDirichletAllocation(num_topics, max_iter=iterations, learning_method="batch", random_state=seed).fit(counts)
    return LDA(model.components_ / model.components_.sum(1, keepdims=True), model.doc_topic_prior_)


def _words(counts: csr_matrix, row: int) -> tuple[np.ndarray, np.ndarray]:
    part = slice(counts.indptr[row], counts.indptr[row + 1])
    return counts.indices[part], counts.data[part].astype(np.float64)


def _log_dirichlet_draws(random: np.random.Generator, gamma: np.ndarray, num: int) -> np.ndarray:
    """log of draws, (S, K); in logarithms, since a share of a small γ is smaller than any float."""
    # G(γ) is distributed as G(γ + 1) U^(1/γ)
    log_g = np.log(random.gamma(gamma + 1, size=(num, len(gamma)))) + np.log1p(-random.random((num, len(gamma)))) / gamma
    return log_g - logsumexp(log_g, 1, keepdims=True)


def _log_beta(gamma: np.ndarray) -> float:
    return gammaln(gamma).sum() - gammaln(gamma.sum())
