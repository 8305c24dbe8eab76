"""RBMs against enumeration, numerical integration and autograd; and what learning does to the exact likelihood."""

import math
from dataclasses import replace

import pytest
import torch

from vision.options import RBMOptions
from vision.rbm import RBM, fit_rbm, reconstruct

KINDS = [(v, h) for v in ("bernoulli", "gaussian") for h in ("bernoulli", "gaussian")]
QUIET = RBMOptions(progress=False)


def machine(visible="bernoulli", hidden="bernoulli", sizes=(6, 5), scale=0.7, learn_sigma=False, seed=0):
    g = torch.Generator().manual_seed(seed)
    sigma = 0.5 + torch.rand(sizes[0], generator=g) if visible == "gaussian" else 1.0
    rbm = RBM(*sizes, visible=visible, hidden=hidden, sigma=sigma, learn_sigma=learn_sigma, init_std=scale, generator=g)
    with torch.no_grad():
        rbm.visible_bias.copy_(torch.randn(sizes[0], generator=g))
        rbm.hidden_bias.copy_(torch.randn(sizes[1], generator=g))
        if visible == hidden == "gaussian":  # it has a partition function below 1
            rbm.weight.mul_(0.8 / torch.linalg.matrix_norm(rbm.weight, 2))
    return rbm


def states(units, dtype=torch.float64):
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=dtype)] * units).view(-1, units)


def grid(dims, half=30.0, points=601):
    """Points of a grid and the volume that each stands for."""
    axis = torch.linspace(-half, half, points, dtype=torch.float64)
    return torch.cartesian_prod(*[axis] * dims).view(-1, dims), (2 * half / (points - 1)) ** dims


def data_of(rbm, num=40, seed=1):
    g = torch.Generator().manual_seed(seed)
    v = torch.rand(num, len(rbm.visible_bias), generator=g)
    return v.round() if rbm.visible == "bernoulli" else 3 * v - 1


@pytest.mark.parametrize("visible,hidden", KINDS)
def test_free_energies_sum_the_energy_out(visible, hidden):
    rbm = machine(visible, hidden, sizes=(2, 2))
    v, h = torch.randn(3, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    for given, free_energy, kind, energy in (
        (v, rbm.free_energy, hidden, lambda all_, one: rbm.energy(one.expand(len(all_), -1), all_)),
        (h, rbm.hidden_free_energy, visible, lambda all_, one: rbm.energy(all_, one.expand(len(all_), -1))),
    ):
        all_, volume = (states(2), 1.0) if kind == "bernoulli" else grid(2)
        with torch.no_grad():
            summed = torch.stack([-torch.logsumexp(-energy(all_, one), 0) - math.log(volume) for one in given])
            torch.testing.assert_close(free_energy(given), summed, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("visible,hidden", KINDS)
def test_log_partition_is_exact(visible, hidden):
    sizes = {"bernoulli": 6, "gaussian": 2}
    rbm = machine(visible, hidden, sizes=(sizes[visible], 5 if hidden == "bernoulli" else 2))
    v, volume = (states(6), 1.0) if visible == "bernoulli" else grid(2)
    with torch.no_grad():
        summed = torch.logsumexp(-rbm.free_energy(v), 0) + math.log(volume)
    assert rbm.log_partition().item() == pytest.approx(summed.item(), abs=1e-7)
    assert rbm.log_partition().dtype == torch.float64


def test_both_sides_of_a_binary_machine_sum_to_the_same():
    rbm = machine()
    with torch.no_grad():
        by_visible = torch.logsumexp(-rbm.free_energy(states(6)), 0)
        by_hidden = torch.logsumexp(-rbm.hidden_free_energy(states(5)), 0)
        pairs = [torch.logsumexp(-rbm.energy(states(6), h.expand(64, -1)), 0) for h in states(5)]
    torch.testing.assert_close(by_visible, by_hidden)
    torch.testing.assert_close(rbm.log_partition().detach(), torch.logsumexp(torch.stack(pairs), 0))
    assert rbm.log_likelihood(states(6, torch.float32), 0.0) == pytest.approx(-rbm.free_energy(states(6)).mean().item(), abs=1e-5)


def test_what_cannot_be_enumerated_is_refused():
    with pytest.raises(ValueError, match="21 visible units have too many states"):
        RBM(21, 22).log_partition()
    with pytest.raises(ValueError, match="too many states"):
        RBM(2, 30, visible="gaussian").log_partition()
    assert RBM(300, 3, init_std=0.0).log_partition().item() == pytest.approx(303 * math.log(2))
    rbm = RBM(3, 3, visible="gaussian", hidden="gaussian")
    with torch.no_grad():
        rbm.weight.copy_(torch.eye(3) * 1.01)
    with pytest.raises(ValueError, match="has no Z"):
        rbm.log_partition()


@pytest.mark.parametrize("visible,hidden", KINDS)
def test_conditional_means_are_slopes_of_the_log_integrals(visible, hidden):
    rbm = machine(visible, hidden)
    v, h = data_of(rbm), torch.rand(40, 5)
    # d(-F)/dc = E[h|v], but for a Gaussian's own -c; d(-F_h)/db likewise in units of the variance
    slope = torch.autograd.grad(-rbm.free_energy(v)[0], rbm.hidden_bias)[0]
    expected = slope + (rbm.hidden_bias if hidden == "gaussian" else 0)
    torch.testing.assert_close(rbm.hidden_mean(v)[0], expected)
    slope = torch.autograd.grad(-rbm.hidden_free_energy(h)[0], rbm.visible_bias)[0]
    expected = slope if visible == "bernoulli" else slope * rbm.log_sigma.exp() ** 2 + rbm.visible_bias
    torch.testing.assert_close(rbm.visible_mean(h)[0], expected)


@pytest.mark.parametrize("visible,hidden", KINDS)
def test_the_gradient_of_contrastive_divergence_is_that_of_a_difference_of_free_energies(visible, hidden):
    rbm = machine(visible, hidden, learn_sigma=visible == "gaussian")
    v = data_of(rbm)
    g = torch.Generator().manual_seed(2)
    with torch.no_grad():
        model_v, model_h = reconstruct(rbm, rbm.hidden_mean(v), 2, True, g)
    positive, negative = rbm.free_energy_gradient(v), rbm.free_energy_gradient(model_v, model_h)
    loss = rbm.free_energy(v).mean() - rbm.free_energy(model_v).mean()
    names = [n for n, p in rbm.named_parameters() if p.requires_grad]
    assert sorted(names) == sorted(positive) and ("log_sigma" in names) == (visible == "gaussian")
    for name, wanted in zip(names, torch.autograd.grad(loss, [getattr(rbm, n) for n in names]), strict=True):
        torch.testing.assert_close(positive[name] - negative[name], wanted, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_with_the_exact_model_expectation_it_is_the_gradient_of_the_likelihood(hidden):
    rbm = machine(hidden=hidden, scale=0.5).double()
    v, everything = data_of(rbm).double(), states(6)
    log_z = rbm.log_partition()
    weights = torch.exp(-rbm.free_energy(everything) - log_z).detach()
    assert weights.sum().item() == pytest.approx(1)
    positive, negative = rbm.free_energy_gradient(v), rbm.free_energy_gradient(everything, weights=weights)
    names = [n for n, _ in rbm.named_parameters()]
    loss = rbm.free_energy(v).mean() + log_z  # -log p(v)
    for name, wanted in zip(names, torch.autograd.grad(loss, [getattr(rbm, n) for n in names]), strict=True):
        torch.testing.assert_close(positive[name] - negative[name], wanted)


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_gibbs_sampling_reaches_the_exact_distribution(hidden):
    rbm = machine(sizes=(4, 3), hidden=hidden, scale=0.6)
    everything = states(4)
    exact = torch.exp(-rbm.free_energy(everything) - rbm.log_partition()).detach()
    g = torch.Generator().manual_seed(0)
    v = rbm.gibbs(torch.zeros(40_000, 4), 20, g)
    counts = torch.bincount((v.long() * torch.tensor([8, 4, 2, 1])).sum(1), minlength=16) / len(v)
    assert (counts - exact).abs().max() < 5 * 0.5 / math.sqrt(len(v))  # five standard errors of a share


def test_gibbs_sampling_of_gaussian_units_has_the_exact_moments():
    rbm = machine("gaussian", sizes=(2, 3))
    points, volume = grid(2)
    weights = torch.exp(-rbm.free_energy(points) - rbm.log_partition()).detach() * volume
    mean = weights @ points
    variance = weights @ (points - mean).square()
    v = rbm.gibbs(torch.zeros(40_000, 2), 30, torch.Generator().manual_seed(0)).double()
    assert (v.mean(0) - mean).abs().max() < 5 * variance.max().sqrt() / 200
    torch.testing.assert_close(v.var(0), variance, rtol=0.05, atol=0)


# --- learning -----------------------------------------------------------------------------------------------------


def bars(num=200, seed=0):
    """3 x 3 images whose columns are each wholly on or off: 8 kinds, log-likelihood at best -log 8."""
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(num, 3, generator=g) < 0.5).float().repeat_interleave(3, 1)


# The likelihood that three seeds reached: CD-1 by means -3.4 to -4.1 (its known bias), CD-10 -2.23 to -2.28, PCD-5 -2.29 to -2.32
@pytest.mark.parametrize(
    "least,changes",
    [
        (-4.5, {"epochs": 60}),
        (-2.4, {"epochs": 150, "steps": 10, "sample_visible": True}),
        (-2.4, {"epochs": 150, "steps": 5, "persistent": True}),
    ],
)
def test_learning_raises_the_exact_likelihood(least, changes):
    data = bars()
    rbm = RBM(9, 6, init_std=0.1, generator=torch.Generator().manual_seed(0))
    before = rbm.log_likelihood(data, rbm.log_partition())
    options = replace(QUIET, batch_size=20, lr=0.05, decay="linear", weight_decay=0.0, **changes)
    history = fit_rbm(rbm, data, options, seed=0)
    after = rbm.log_likelihood(data, rbm.log_partition())
    assert before < -6 and least < after < -2.07, (before, after)  # -log 8 = -2.079, a little less for these 200
    assert history[-1].reconstruction_error < 0.2 * history[0].reconstruction_error and len(history) == changes["epochs"]


def test_gaussian_visible_units_learn_mean_and_sigma():
    g = torch.Generator().manual_seed(0)
    data = 2.0 + torch.randn(1000, 3, generator=g) * torch.tensor([0.5, 1.0, 2.0])
    rbm = RBM(3, 2, visible="gaussian", learn_sigma=True, init_std=0.01, generator=g)
    fit_rbm(rbm, data, replace(QUIET, epochs=60, gaussian_lr=0.01, weight_decay=0.0, persistent=True, decay="linear"), seed=0)
    torch.testing.assert_close(rbm.log_sigma.exp().detach(), torch.tensor([0.5, 1.0, 2.0]), rtol=0.15, atol=0)
    frozen = RBM(3, 2, visible="gaussian", sigma=2.0)
    fit_rbm(frozen, data, replace(QUIET, epochs=2))
    assert (frozen.log_sigma == math.log(2)).all()


def test_the_update_is_momentum_on_the_gradient_and_weight_decay():
    data = bars(12)
    options = replace(
        QUIET, epochs=3, batch_size=12, lr=0.2, momentum=0.3, final_momentum=0.8, momentum_epochs=2, weight_decay=0.05, decay="linear"
    )
    rbm = RBM(9, 4, generator=torch.Generator().manual_seed(3))
    twin = RBM(9, 4, generator=torch.Generator().manual_seed(3))
    fit_rbm(rbm, data, options, seed=7)
    g = torch.Generator().manual_seed(7)
    velocity = {n: torch.zeros_like(p) for n, p in twin.named_parameters()}
    for lr, momentum in [(0.2, 0.3), (0.2 * 2 / 3, 0.3), (0.2 / 3, 0.8)]:
        v = data[torch.randperm(12, generator=g)]
        with torch.no_grad():
            h = torch.sigmoid(v @ twin.weight + twin.hidden_bias)
            drawn = (torch.rand(h.shape, generator=g) < h).float()
            model_v = torch.sigmoid(drawn @ twin.weight.T + twin.visible_bias)
            model_h = torch.sigmoid(model_v @ twin.weight + twin.hidden_bias)
            ascent = {
                "weight": (v.T @ h - model_v.T @ model_h) / 12 - 0.05 * twin.weight,
                "visible_bias": (v - model_v).mean(0), "hidden_bias": (h - model_h).mean(0),
            }  # fmt: skip
            for name, parameter in twin.named_parameters():
                velocity[name] = momentum * velocity[name] + lr * ascent[name]
                parameter += velocity[name]
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(getattr(rbm, name), parameter)


@pytest.mark.parametrize("changes", [{}, {"persistent": True, "chains": 7}, {"sample_visible": True, "steps": 3}])
def test_training_repeats_by_seed_and_leaves_the_global_generator_alone(changes):
    def weights(seed):
        rbm = RBM(9, 4, generator=torch.Generator().manual_seed(1))
        before = torch.get_rng_state()
        fit_rbm(rbm, bars(50), replace(QUIET, epochs=2, batch_size=8, **changes), seed=seed)
        assert torch.equal(before, torch.get_rng_state())
        return rbm.weight.detach()

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))


def test_an_epoch_reports_the_gap_of_free_energies():
    train, valid = bars(30), 1 - bars(30, seed=1)
    valid[:, 1] = 1 - valid[:, 1]  # half-broken columns, which were never seen
    rbm = RBM(9, 12, generator=torch.Generator().manual_seed(0))
    history = fit_rbm(rbm, train, replace(QUIET, epochs=60, batch_size=10), valid=valid)
    with torch.no_grad():
        gap = (rbm.free_energy(valid).mean() - rbm.free_energy(train).mean()).item()
        error = (rbm.visible_mean(rbm.hidden_mean(valid)) - valid).square().sum(1).mean().item()
    assert history[-1].free_energy_gap == pytest.approx(gap) and history[-1].valid_error == pytest.approx(error)
    assert gap > 1 > history[0].free_energy_gap
    assert fit_rbm(rbm, train, replace(QUIET, epochs=1))[0].free_energy_gap is None


def test_biases_start_at_the_base_rates():
    data = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    rbm = RBM(3, 2)
    rbm.start_at(data)
    torch.testing.assert_close(torch.sigmoid(rbm.visible_bias.detach()), torch.tensor([0.01, 0.99, 0.5]))
    rbm = RBM(3, 2, visible="gaussian")
    rbm.start_at(data)
    assert rbm.visible_bias.tolist() == [0.0, 1.0, 0.5]


def test_bad_machines_and_data_are_refused():
    for arguments, match in (
        ({"visible": "gausian"}, "did you mean 'gaussian'"),
        ({"hidden": "relu"}, "no kind of hidden unit 'relu'"),
        ({"sigma": 0.5}, "Bernoulli visible units have no sigma"),
        ({"visible": "gaussian", "sigma": 0.0}, "above 0 and finite"),
    ):
        with pytest.raises(ValueError, match=match):
            RBM(3, 2, **arguments)
    with pytest.raises(ValueError, match="lacks a side"):
        RBM(3, 0)
    rbm, good = RBM(3, 2), torch.rand(5, 3)
    for data, match in (
        (good[:, :2], r"shape \(5, 2\)"), (good * 2, "need values in"), (good.long(), "int64"), (good[:0], "N at least 1"),
        (torch.full((2, 3), math.nan), "NaN or infinity"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            fit_rbm(rbm, data, QUIET)
    with pytest.raises(ValueError, match="rbm: valid runs from"):
        fit_rbm(rbm, good, QUIET, valid=good - 1)
    wild = RBM(3, 2, visible="gaussian", hidden="gaussian", generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="diverged in epoch .*lower pretraining.gaussian_lr, now 500.0"):
        fit_rbm(wild, torch.rand(200, 3), replace(QUIET, gaussian_lr=500.0, epochs=50, batch_size=2))


@pytest.mark.parametrize(
    "changes,match",
    [
        ({"epochs": 0}, "pretraining.epochs is 0; it must be a number of at least 1"),
        ({"lr": -1.0}, "pretraining.lr is -1.0"),
        ({"final_momentum": 1.0}, "final_momentum is 1.0; it must be from 0 to below 1"),
        ({"decay": "cosine"}, "decay is 'cosine'; it must be one of none, linear"),
        ({"steps": 1.5}, "steps is 1.5; it must be of type int"),
        ({"persistent": 1}, "persistent is 1; it must be of type bool"),
    ],
)
def test_bad_options_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        RBMOptions(**changes)
