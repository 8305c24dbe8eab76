"""Groups of a Gaussian code: densities that factor, KL that is summed, draws that go from the top."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.hierarchical import HierarchicalGaussian, HierarchicalHead, HierarchicalPrior, group_sizes
from textae.core.latent import gaussian_log_prob, join
from textae.core.metrics import kl_parts, mutual_information


@pytest.fixture
def parts():
    torch.manual_seed(0)
    head, prior = HierarchicalHead(6, 5, [2, 1, 2], hidden_dim=7), HierarchicalPrior(5, [2, 1, 2], hidden_dim=7)
    with torch.no_grad():
        for parameter in [*head.parameters(), *prior.parameters()]:
            parameter.mul_(2)
    return head, prior, head(torch.randn(4, 6))


def test_density_is_the_product_of_the_groups(parts):
    head, prior, q = parts
    z = torch.randn(3, 4, 5)
    expected, features = 0, q.features.expand(3, 4, 6)
    for number, (start, end) in enumerate([(0, 2), (2, 3), (3, 5)]):
        given = head.group(number, features, z[..., :start])
        expected = expected + gaussian_log_prob(z[..., start:end], given.mean, given.logvar)
    assert_close(q.log_prob(z), expected)
    assert_close(q.log_prob(z)[1], q.log_prob(z[1]))
    below = prior.at(z)
    assert (below.mean[..., :2] == 0).all() and (below.logvar[..., :2] == 0).all() and below.mean[..., 2:].abs().min() > 0
    assert_close(prior.log_prob(z), gaussian_log_prob(z, below.mean, below.logvar))


def test_codes_held_against_every_example_have_the_same_density(parts):
    """(3, 1, D) instead of (3, 4, D): the first layers read features and codes apart."""
    _, _, q = parts
    z = torch.randn(3, 5)
    assert_close(q.log_prob(z[:, None]), q.log_prob(z[:, None].expand(3, 4, 5)))


def test_information_of_pairs_does_not_carry_their_features(monkeypatch):
    """No tensor is as large as pairs times features; the value is that of the densities pair by pair."""
    torch.manual_seed(0)
    head = HierarchicalHead(300, 4, hidden_dim=8)
    q, sizes = head(torch.randn(60, 300)), []
    with torch.no_grad():
        z = q.sample()
        pairs = torch.stack([q.log_prob(one.expand(60, 4)) for one in z]).double()
        monkeypatch.setattr(HierarchicalGaussian, "sample", lambda self: z)

        class Watch(torch.utils._python_dispatch.TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                result = function(*args, **kwargs or {})
                sizes.extend(r.numel() for r in (result if isinstance(result, tuple | list) else [result]) if isinstance(r, torch.Tensor))
                return result

        with Watch():
            found = mutual_information(q)
    assert found == pytest.approx((pairs.diagonal() - pairs.logsumexp(1) + math.log(60)).mean().item(), abs=1e-5)
    assert max(sizes) == 60 * 60 * 8, "pairs times hidden units"


def test_kl_is_summed_over_groups_and_is_the_mean_log_ratio(parts):
    """Averaged over groups it would be a third: the record perplexity of 2022 came from that."""
    _, prior, q = parts
    torch.manual_seed(1)
    with torch.no_grad():
        z = q.sample(20_000)
        ratios = (q.log_prob(z) - prior.log_prob(z)).double()
        kl = torch.stack([q.kl(prior, draw).sum(1) for draw in z[:1000]]).double()
    error = (ratios.std(0) / 20_000**0.5).max() + (kl.std(0) / 1000**0.5).max()
    assert ((ratios.mean(0) - kl.mean(0)).abs() < 5 * error).all()
    assert q.kl(prior, z[0]).shape == (4, 5) and (q.kl(prior, z[0]) > 0).all()
    assert_close(kl_parts(q, prior, z[0]), q.kl(prior, z[0]))


def test_draws_go_from_the_top_and_means_stand_still(parts):
    head, _, q = parts
    torch.manual_seed(0)
    a = q.sample()
    torch.manual_seed(0)
    assert torch.equal(a, q.sample()) and q.sample(6).shape == (6, 4, 5) and torch.equal(q.mean, head(q.features).mean)
    given = head.group(1, q.features, q.mean[:, :2])
    assert_close(q.mean[:, 2:3], given.mean)
    torch.manual_seed(0)
    with torch.no_grad():
        draws = q.sample(20_000)
    top = head.top(q.features).chunk(2, 1)
    assert_close(draws[..., :2].mean(0), top[0], atol=0.1, rtol=0)
    assert_close(draws[..., :2].var(0), top[1].exp(), rtol=0.06, atol=0)


def test_prior_draws_follow_its_density(parts):
    _, prior, _ = parts
    torch.manual_seed(0)
    with torch.no_grad():
        z = prior.sample(4000)
        at = prior.at(z)
        white = (z - at.mean) * torch.exp(-0.5 * at.logvar)
    assert white.mean(0).abs().max() < 0.08 and (white.std(0) - 1).abs().max() < 0.06


def test_gradients_reach_every_network(parts):
    head, prior, q = parts
    z = q.sample()
    (q.kl(prior, z).sum() + z.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in [*head.parameters(), *prior.parameters()])


def test_posteriors_are_joined_and_say_what_they_know(parts):
    head, _, q = parts
    whole = join([q, head(50 * torch.randn(4, 6))])
    assert whole.mean.shape == (8, 5) and torch.equal(whole.mean[:4], q.mean)
    assert 0 < mutual_information(whole) <= torch.tensor(8.0).log()


@pytest.mark.parametrize("dim, groups, message", [(4, [4], "at least two sizes"), (4, [4, 0], "at least 1"), (4, [1, 2], "have 3 dimensions and latent_dim is 4"), (1, None, "at least 1")])
def test_groups_that_cannot_be(dim, groups, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalHead(3, dim, groups)


def test_two_halves_unless_said_otherwise():
    assert group_sizes(5, None) == [2, 3]
