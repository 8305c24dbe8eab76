"""AIS against machines that can be enumerated or integrated."""

import pytest
import torch

from vision.ais import estimate_log_partition, temperatures
from vision.rbm import RBM


def machine(visible, hidden, seed=0):
    g = torch.Generator().manual_seed(seed)
    rbm = RBM(8, 6, visible=visible, hidden=hidden, sigma=0.8 if visible == "gaussian" else 1.0, init_std=1.0, generator=g)
    with torch.no_grad():
        rbm.visible_bias.copy_(torch.randn(8, generator=g))
        rbm.hidden_bias.copy_(torch.randn(6, generator=g))
        if hidden == "gaussian":
            rbm.weight.mul_(0.8 / torch.linalg.matrix_norm(rbm.weight, 2))
    return rbm


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("with_data", [False, True])
def test_the_estimate_is_within_its_error(visible, hidden, with_data):
    rbm = machine(visible, hidden)
    data = None
    if with_data:
        data = torch.rand(100, 8, generator=torch.Generator().manual_seed(5))
        data[:, 0] = 0  # a unit that is never on, or has no variance
    found = estimate_log_partition(rbm, data, distributions=400, chains=400, seed=1)
    exact = rbm.log_partition().item()
    assert found.standard_error < 0.15 and found.chains == 400 and 40 < found.effective_chains <= 400
    assert abs(found.log_z - exact) < 4 * found.standard_error, (found, exact)


def test_more_distributions_mean_less_error():
    rbm = machine("bernoulli", "bernoulli")
    errors = [estimate_log_partition(rbm, distributions=d, chains=200).standard_error for d in (10, 100, 1000)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_a_machine_without_weights_is_its_own_base_model():
    rbm = machine("bernoulli", "bernoulli")
    with torch.no_grad():
        rbm.weight.zero_()
        rbm.hidden_bias.zero_()
    found = estimate_log_partition(rbm, distributions=3, chains=2)
    assert found.log_z == pytest.approx(rbm.log_partition().item(), abs=1e-5) and found.standard_error < 1e-5


def test_estimates_repeat_by_seed():
    rbm = machine("bernoulli", "bernoulli")
    before = torch.get_rng_state()
    a, b, c = (estimate_log_partition(rbm, distributions=20, chains=10, seed=s).log_z for s in (0, 0, 1))
    assert a == b != c and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("distributions", [3, 10, 14_500])
def test_temperatures_climb_in_the_proportions_of_the_source(distributions):
    beta = temperatures(distributions)
    assert len(beta) == distributions + 1 and beta[0] == 0 and beta[-1] == 1 and (beta.diff() > 0).all()
    if distributions == 14_500:
        assert ((beta <= 0.5).sum(), (beta <= 0.9).sum()) == (501, 4501)


def test_bad_arguments_are_refused():
    rbm = machine("bernoulli", "bernoulli")
    with pytest.raises(ValueError, match="at least 3 distributions and 2 chains; got 2 and 9"):
        estimate_log_partition(rbm, distributions=2, chains=9)
    with pytest.raises(ValueError, match="AIS: data runs from"):
        estimate_log_partition(rbm, torch.full((3, 8), 2.0))
    with torch.no_grad():
        rbm.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="AIS met infinite weights"):
        estimate_log_partition(rbm, distributions=3)
