"""Layers of a Transformer (Vaswani et al. 2017), pre-norm: attention, positions, feed-forward, pooling; no model.

Shapes: B sentences, T tokens that attend, K tokens that are attended to (cached ones and the T), M memory slots, N heads,
W width of a head, H = N·W, C width of the context (z and attributes).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention, silu
from transformers import Cache

from textae.models.tokens import VariationalDropout, WordEmbedding

ROTARY_BASE = 10_000  # Su et al. 2021, sec. 3.2.2


class ScaledEmbedding(WordEmbedding):
    """Vectors drawn from N(0, std²) and multiplied by sqrt(H) when read (Vaswani et al. 2017, sec. 3.4).

    A table that is also the output layer wants small vectors, and a stream of states wants inputs of about unit size.
    """

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) * math.sqrt(self.embedding_dim)


class Positions(nn.Module):
    """Tells tokens where they stand: vectors added to the input, or a rotation of queries and keys (Su et al. 2021).

    Args:
        hidden_dim: H.
        head_dim: W.
        learned: Number of positions that have a vector; 0 rotates, and knows no limit.
        std: Of fresh vectors.
    """

    def __init__(self, hidden_dim: int, head_dim: int, learned: int, std: float):
        super().__init__()
        self.head_dim = head_dim
        self.table = ScaledEmbedding(learned, hidden_dim, std) if learned else None

    def forward(self, x_BTH: Tensor, positions_BT: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """The input with its positions, and the rotation that every layer applies: cos and sin, (B, T, 1, 1, W), or None.

        `positions_BT` may have one row for all sentences.

        Raises:
            ValueError: A position has no learned vector.
        """
        if self.table is None:
            return x_BTH, self.rotation(positions_BT)
        limit, length = self.table.num_embeddings, int(positions_BT.max()) + 1
        if length > limit:
            raise ValueError(
                f"a sentence has {length} tokens; this model has learned {limit} positions (num_positions): split it"
            )
        return x_BTH + self.table(positions_BT), None

    def rotation(self, positions_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Pair i of the W/2 pairs turns by position / base^(2i/W), in float32."""
        half = self.head_dim // 2
        rates = ROTARY_BASE ** (-torch.arange(half, device=positions_BT.device, dtype=torch.float32) / half)
        angles = positions_BT[:, :, None, None, None].float() * rates
        sin = angles.sin()
        return torch.cat([angles.cos()] * 2, -1), torch.cat([-sin, sin], -1)


def rotate(x_BTPNW: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the pairs (x_i, x_{i + W/2}) by their position's angles."""
    cos, sin = (part.to(x_BTPNW.dtype) for part in rotation)
    return torch.addcmul(x_BTPNW * cos, x_BTPNW.roll(x_BTPNW.shape[-1] // 2, -1), sin)


def padding_bias(mask_BT: Tensor) -> Tensor | None:
    """0 where a token may be attended to and -inf at padding, (B, 1, 1, T); None where there is no padding."""
    mask = mask_BT.bool()
    if mask.all():
        return None
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, -torch.inf)[:, None, None]


def causal_bias(num_tokens: int, past: int, slots: int, mask_BK: Tensor | None, device: torch.device) -> Tensor | None:
    """0 where a decoder's token may attend and -inf elsewhere: to all slots, itself, and tokens before it that are no padding.

    Args:
        num_tokens: T, the last of the K tokens.
        past: Tokens in the cache, K - T.
        slots: M, which stand before all tokens.
        mask_BK: 0 for padding, cached tokens included; None: there is none.
        device: Where the bias is made.

    Returns:
        Shape (B or 1, 1, T, M + K); None where nothing is hidden.
    """
    if num_tokens == 1 and mask_BK is None:
        return None
    seen = torch.ones(num_tokens, past + num_tokens, dtype=torch.bool, device=device).tril_(past)[None]
    if mask_BK is not None:  # padding attends to itself, so that no row is empty and nothing becomes NaN
        itself = torch.ones_like(seen).tril_(past).triu_(past)
        seen = seen & (mask_BK.bool()[:, None] | itself)
    seen = pad(seen, (slots, 0), value=True)
    return torch.zeros(seen.shape, device=device).masked_fill_(~seen, -torch.inf)[:, None]


def attend(query_BNTW: Tensor, key_BNKW: Tensor, value_BNKW: Tensor, bias: Tensor | None) -> Tensor:
    """softmax(query · keyᵀ / sqrt(W) + bias) · value, shape (B, N, T, W), with the softmax in float32.

    On a CPU it is written out. Measured on one core in bf16 with gradients, 128 sentences of 9 tokens: 3 ms against 145 ms
    of torch's fused kernel; 8 sentences of 128 tokens: 25 against 92. In float32 or without gradients they are alike.
    """
    if query_BNTW.device.type != "cpu":
        bias = None if bias is None else bias.to(query_BNTW.dtype)
        return scaled_dot_product_attention(query_BNTW, key_BNKW, value_BNKW, bias)
    scale, scores = query_BNTW.shape[-1] ** -0.5, query_BNTW @ key_BNKW.transpose(-1, -2)
    scores = scores * scale if bias is None else torch.add(bias, scores, alpha=scale)
    return scores.softmax(-1, dtype=torch.float32).to(value_BNKW.dtype) @ value_BNKW


class Attention(nn.Module):
    """Self-attention of N heads; a decoder's also attends to M slots, whose keys and values are projected from the context.

    Slots are made anew at each call and stay out of the cache, whose length is then the number of tokens. Their keys are
    not rotated: a position reads them as if they stood before the sentence.

    Args:
        hidden_dim: H.
        num_heads: N.
        context_dim: C.
        slots: M; 0: it attends to tokens alone, and needs no context.
    """

    def __init__(self, hidden_dim: int, num_heads: int, context_dim: int = 0, slots: int = 0):
        super().__init__()
        self.num_heads = num_heads
        self.project = nn.Linear(hidden_dim, 3 * hidden_dim, bias=False)
        self.memory = nn.Linear(context_dim, 2 * slots * hidden_dim) if slots else None
        self.out = nn.Linear(hidden_dim, hidden_dim, bias=False)

    def forward(
        self, x_BTH: Tensor, rotation: tuple[Tensor, Tensor] | None, bias: Tensor | None, context_BC: Tensor | None = None,
        cache: Cache | None = None, layer: int = 0,
    ) -> Tensor:  # fmt: skip
        """What each token takes from those it may attend to, shape (B, T, H); with a cache, K - T of them are in there."""
        size, length, width = x_BTH.shape
        heads = self.num_heads, width // self.num_heads
        query_key, value = self.project(x_BTH).view(size, length, 3, *heads).split([2, 1], 2)
        if rotation is not None:
            query_key = rotate(query_key, rotation)
        query, key = query_key.transpose(1, 3).unbind(2)
        value = value[:, :, 0].transpose(1, 2)
        if cache is not None:
            key, value = cache.update(key, value, layer)
        if self.memory is not None:
            slots = self.memory(context_BC).view(size, 2, -1, *heads).transpose(2, 3)
            key, value = torch.cat([slots[:, 0], key], 2), torch.cat([slots[:, 1], value], 2)
        return self.out(attend(query, key, value, bias).transpose(1, 2).reshape(size, length, width))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, eq. 6): down(silu(gate(x)) · up(x)); three matrices of H x `inner_dim`, no biases."""

    def __init__(self, hidden_dim: int, inner_dim: int):
        super().__init__()
        self.gate_up = nn.Linear(hidden_dim, 2 * inner_dim, bias=False)
        self.down = nn.Linear(inner_dim, hidden_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down(silu(gate) * up)


class Block(nn.Module):
    """x + attention(norm(x)), then x + feedforward(norm(x)) (Xiong et al. 2020); arguments as in `Attention`.

    Dropout keeps one mask for all tokens of a sentence, as the RNN's does: on a CPU most of its cost is drawing masks.
    """

    def __init__(
        self, hidden_dim: int, num_heads: int, inner_dim: int, dropout: float, context_dim: int = 0, slots: int = 0
    ):
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_dim)
        self.attention = Attention(hidden_dim, num_heads, context_dim, slots)
        self.feedforward_norm = nn.LayerNorm(hidden_dim)
        self.feedforward = FeedForward(hidden_dim, inner_dim)
        self.dropout = VariationalDropout(dropout)

    def forward(
        self, x_BTH: Tensor, rotation: tuple[Tensor, Tensor] | None, bias: Tensor | None, context_BC: Tensor | None = None,
        cache: Cache | None = None, layer: int = 0,
    ) -> Tensor:  # fmt: skip
        taken = self.attention(self.attention_norm(x_BTH), rotation, bias, context_BC, cache, layer)
        x_BTH = x_BTH + self.dropout(taken)
        return x_BTH + self.dropout(self.feedforward(self.feedforward_norm(x_BTH)))


class FirstToken(nn.Module):
    """Pools by the state of a learned token before the sentence (Devlin et al. 2019)."""

    def __init__(self, hidden_dim: int, num_heads: int):
        super().__init__()
        self.token = nn.Parameter(torch.randn(hidden_dim))

    def open(self, x_BTH: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.token.to(x_BTH.dtype).expand(x_BTH.shape[0], 1, -1)
        return torch.cat([tokens, x_BTH], 1), pad(mask_BT, (1, 0), value=1)

    def forward(self, x_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        return x_BTH[:, 0]


class MeanOfTokens(nn.Module):
    """Pools by the mean of all tokens' states."""

    def __init__(self, hidden_dim: int, num_heads: int):
        super().__init__()

    def open(self, x_BTH: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        return x_BTH, mask_BT

    def forward(self, x_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        weight = mask_BT[:, :, None].to(x_BTH.dtype)
        return (x_BTH * weight).sum(1) / weight.sum(1)


class AttentionOfTokens(MeanOfTokens):
    """Pools each head's part of the states by weights of its own: the softmax of a learned linear score."""

    def __init__(self, hidden_dim: int, num_heads: int):
        super().__init__(hidden_dim, num_heads)
        self.score = nn.Linear(hidden_dim, num_heads, bias=False)  # a softmax knows no shift

    def forward(self, x_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        scores_BTN = self.score(x_BTH).float().masked_fill(~mask_BT.bool()[:, :, None], -torch.inf)
        weights_BTN = scores_BTN.softmax(1).to(x_BTH.dtype)
        return (x_BTH.unflatten(-1, (weights_BTN.shape[-1], -1)) * weights_BTN[..., None]).sum(1).flatten(1)


# How an encoder's states become one vector. `open` sees the input before the first layer, `forward` the last layer's states.
POOLINGS = {"first": FirstToken, "mean": MeanOfTokens, "attention": AttentionOfTokens}
