"""The layers against torch's own: written-out attention is the fused one, rotation keeps norms and knows distances only."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close

from textae.models.transformer_layers import POOLINGS, Attention, Positions, attend, causal_bias, padding_bias, rotate


def test_attention_is_that_of_torch():
    query, key, value = torch.randn(3, 2, 4, 8), torch.randn(3, 2, 9, 8), torch.randn(3, 2, 9, 8)
    bias = causal_bias(4, 3, 2, torch.tensor([[0, 1, 1, 1, 1, 1, 1], [1] * 7, [0, 0, 0, 0, 0, 1, 1]]), query.device)
    assert bias.shape == (3, 1, 4, 9)
    for given in (None, bias, bias[1:2]):
        assert_close(attend(query, key, value, given), scaled_dot_product_attention(query, key, value, given))


def test_self_attention_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = Attention(12, 3), torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True)
    x = torch.randn(2, 5, 12)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.project.weight)
        theirs.out_proj.weight.copy_(ours.out.weight)
    hidden = ~torch.ones(5, 5, dtype=torch.bool).tril()
    assert_close(ours(x, None, None), theirs(x, x, x)[0])
    assert_close(ours(x, None, causal_bias(5, 0, 0, None, x.device)), theirs(x, x, x, attn_mask=hidden)[0])


def test_slots_are_keys_and_values_that_all_may_read():
    """The same as tokens before the sentence with those keys and values."""
    torch.manual_seed(0)
    layer, x, context = Attention(12, 3, context_dim=5, slots=2), torch.randn(2, 4, 12), torch.randn(2, 5)
    query, key, value = layer.project(x).view(2, 4, 3, 3, 4).permute(2, 0, 3, 1, 4)
    slots = layer.memory(context).view(2, 2, 2, 3, 4)  # sentence, key or value, slot, head, width
    for i in range(2):
        keys = torch.cat([slots[i, 0].transpose(0, 1), key[i]], 1)
        values = torch.cat([slots[i, 1].transpose(0, 1), value[i]], 1)
        for t in range(4):
            weights = torch.einsum("nw,nkw->nk", query[i, :, t], keys[:, : 2 + t + 1]).div(2).softmax(-1)
            expected = layer.out(torch.einsum("nk,nkw->nw", weights, values[:, : 2 + t + 1]).flatten())
            assert_close(layer(x, None, causal_bias(4, 0, 2, None, x.device), context)[i, t], expected)


@pytest.mark.parametrize("past, slots", [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_causal_bias_hides_what_comes_later_and_padding(past, slots):
    mask = torch.tensor([[1] * 5, [0, 0, 1, 1, 1]])[:, : past + 3]
    bias = causal_bias(3, past, slots, mask, mask.device)
    assert bias.shape == (2, 1, 3, slots + past + 3)
    for b in range(2):
        for t in range(3):
            seen = [m for m in range(slots)] + [slots + k for k in range(past + t + 1) if mask[b, k] or k == past + t]
            assert (bias[b, 0, t] == 0).nonzero()[:, 0].tolist() == seen
    assert set(bias.unique().tolist()) == {0.0, -torch.inf}


def test_no_bias_where_nothing_is_hidden():
    assert causal_bias(1, 6, 2, None, torch.device("cpu")) is None
    assert padding_bias(torch.ones(2, 3)) is None
    assert padding_bias(torch.tensor([[1, 1, 0], [1, 1, 1]]))[0, 0, 0].tolist() == [0.0, 0.0, -torch.inf]


def test_rotation_keeps_norms_and_knows_distances_only():
    positions = Positions(16, 8, learned=0, std=1.0)
    query, key = torch.randn(1, 1, 1, 1, 8), torch.randn(1, 1, 1, 1, 8)

    def turned(x, position):
        return rotate(x, positions.rotation(torch.tensor([[position]]))).flatten()

    assert_close(turned(query, 0), query.flatten())
    assert_close(turned(query, 9).norm(), query.norm())
    for i, j in ((5, 2), (3, 0), (40, 37)):
        assert_close(turned(query, i) @ turned(key, j), turned(query, 3) @ turned(key, 0))
    assert abs(turned(query, 4) @ turned(key, 0) - turned(query, 3) @ turned(key, 0)) > 1e-3
    first = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0]).view(1, 1, 1, 1, 8)
    expected = torch.tensor(
        [0.5403, 0, 0, 0, 0.8415, 0, 0, 0]
    )  # the first pair is dimensions 0 and 4, and turns by one
    assert_close(turned(first, 1), expected, atol=1e-4, rtol=0)


def test_poolings():
    torch.manual_seed(0)
    x, mask = torch.randn(2, 4, 6), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    mean = POOLINGS["mean"](6, 2)
    assert_close(mean(x, mask), torch.stack([x[0, :2].mean(0), x[1].mean(0)]))
    attention = POOLINGS["attention"](6, 2)
    weights = attention.score(x[0, :2]).softmax(0)
    assert_close(attention(x, mask)[0], torch.cat([weights[:, 0] @ x[0, :2, :3], weights[:, 1] @ x[0, :2, 3:]]))
    first = POOLINGS["first"](6, 2)
    opened, wide = first.open(x, mask)
    assert wide.tolist() == [[1, 1, 1, 0, 0], [1] * 5] and torch.equal(opened[:, 1:], x)
    assert torch.equal(first(opened, wide)[1], first.token)
