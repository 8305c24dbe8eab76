"""LDA's held-out bound, against what it can be computed from exactly."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.sparse import csr_matrix
from scipy.stats import beta

from textae.topics.lda import LDA, fit

COUNTS = csr_matrix(np.array([[3, 0, 1], [0, 2, 2]]))
TOPICS = np.array([[0.7, 0.1, 0.2], [0.05, 0.75, 0.2]])


def test_one_topic_has_no_shares_to_infer():
    words = TOPICS[:1]
    assert LDA(words, 0.3).nll(COUNTS, samples=3) == pytest.approx(-(COUNTS @ np.log(words[0])))


@pytest.mark.parametrize("alpha", [0.05, 0.5, 2.0])
def test_bound_meets_the_integral(alpha):
    """-log ∫ p(words | share) Beta(share; α, α), by quadrature, split where the density is steep."""

    def exact(row):
        n = COUNTS.toarray()[row]

        def likelihood(share):
            return np.prod((share * TOPICS[0] + (1 - share) * TOPICS[1]) ** n) * beta.pdf(share, alpha, alpha)

        return -np.log(sum(quad(likelihood, a, b, limit=500)[0] for a, b in ((0, 1e-3), (1e-3, 0.5), (0.5, 1 - 1e-3), (1 - 1e-3, 1))))

    found = LDA(TOPICS, alpha).nll(COUNTS, samples=40_000, seed=0)
    assert found == pytest.approx([exact(0), exact(1)], abs=0.02)


def test_more_draws_tighten_the_bound():
    model = LDA(TOPICS, 0.5)
    few = np.mean([model.nll(COUNTS, samples=1, seed=s).mean() for s in range(300)])
    assert few > model.nll(COUNTS, samples=5000).mean()
    with pytest.raises(ValueError, match="at least one draw"):
        model.nll(COUNTS, samples=0)


def test_fit_finds_planted_topics():
    random = np.random.default_rng(0)
    halves = np.kron(np.eye(2), np.ones(5)) / 5
    documents = csr_matrix(np.array([random.multinomial(30, halves[i % 2]) for i in range(60)]))
    model = fit(documents, 2, iterations=20)
    assert np.allclose(np.sort(model.topics[:, :5].sum(1)), [0, 1], atol=0.05) and np.allclose(model.topics.sum(1), 1)
    assert model.alpha == 0.5 and (model.posteriors(documents).argmax(1)[::2] == model.posteriors(documents).argmax(1)[0]).all()
