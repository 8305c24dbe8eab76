"""The chunked likelihood against PyTorch's own, values and gradients."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear
from torch.testing import assert_close

from textae.models.cross_entropy import CHUNK, token_nll


def case(num, width=7, vocabulary=31, scale=1.0):
    torch.manual_seed(num)
    states, weight, bias = torch.randn(num, width), scale * torch.randn(vocabulary, width), torch.randn(vocabulary)
    return [t.requires_grad_() for t in (states, weight, bias)], torch.randint(vocabulary, (num,))


def reference(states, weight, bias, targets):
    return cross_entropy(linear(states, weight, bias).float(), targets, reduction="none")


@pytest.mark.parametrize("num", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_equals_cross_entropy_with_its_gradients(num):
    inputs, targets = case(num)
    upstream = torch.randn(num)  # another one for each row: sums and means alone would hide a mix-up
    ours, theirs = token_nll(*inputs, targets), reference(*inputs, targets)
    assert_close(ours, theirs)
    assert ours.dtype == torch.float32 and ours.shape == (num,)
    with torch.no_grad():  # another way through the sums
        assert_close(token_nll(*inputs, targets), theirs)
    for a, b in zip(torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True):
        assert_close(a, b, atol=2e-5, rtol=1e-4)


def test_no_positions_cost_nothing():
    inputs, targets = case(0)
    costs = token_nll(*inputs, targets)
    assert costs.shape == (0,)
    costs.sum().backward()
    assert (inputs[1].grad == 0).all()


def test_large_logits_stay_finite():
    inputs, targets = case(20, scale=1e4)
    ours = token_nll(*inputs, targets)
    assert ours.isfinite().all()
    assert_close(ours, reference(*inputs, targets), rtol=1e-4, atol=1e-2)
    with torch.no_grad():
        assert_close(token_nll(*inputs, targets), ours.detach(), rtol=1e-4, atol=1e-2)
    ours.sum().backward()
    assert all(t.grad.isfinite().all() for t in inputs)


def test_gradients_equal_differences():
    """A numerical check that shares nothing with the reference; `gradcheck` itself needs float64, and the sums are float32."""
    (states, weight, bias), targets = case(CHUNK + 3, width=4, vocabulary=9)
    upstream = torch.randn(len(targets))
    token_nll(states, weight, bias, targets).backward(upstream)
    for tensor in (states, weight, bias):
        torch.manual_seed(0)
        direction, values = torch.randn_like(tensor), []
        with torch.no_grad():
            for move in (1e-2, -2e-2):
                tensor.add_(direction, alpha=move)
                values.append((token_nll(states, weight, bias, targets).double() * upstream).sum())
            tensor.add_(direction, alpha=1e-2)
        slope = (values[0] - values[1]).float() / 2e-2
        assert_close(slope, (tensor.grad * direction).sum(), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("which", range(3))
def test_only_what_needs_a_gradient_gets_one(which):
    inputs, targets = case(5)
    for i, tensor in enumerate(inputs):
        tensor.requires_grad_(i == which)
    token_nll(*inputs, targets).sum().backward()
    expected = [t.detach().clone().requires_grad_(i == which) for i, t in enumerate(inputs)]
    reference(*expected, targets).sum().backward()
    for a, b in zip(inputs, expected, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            assert_close(a.grad, b.grad)


def test_without_gradients_it_keeps_nothing():
    inputs, targets = case(5)
    with torch.no_grad():
        assert token_nll(*inputs, targets).grad_fn is None


def test_bfloat16_autocast_is_close_and_reduces_in_float32():
    inputs, targets = case(2 * CHUNK + 9, width=16, vocabulary=60)
    upstream = torch.rand(len(targets)) + 0.5
    with torch.autocast("cpu", torch.bfloat16):
        ours = token_nll(*inputs, targets)
    assert ours.dtype == torch.float32
    theirs = reference(*inputs, targets)
    assert (ours - theirs).abs().max() < 0.3 and (ours.mean() - theirs.mean()).abs() < 0.01
    for a, b in zip(torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() < 0.02 * b.norm()


def test_second_derivatives_are_refused_not_wrong():
    inputs, targets = case(5)
    with pytest.raises(RuntimeError, match="not differentiable twice"):
        torch.autograd.grad(token_nll(*inputs, targets).sum(), inputs[0], create_graph=True)
