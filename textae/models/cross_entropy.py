"""The likelihood of tokens: softmax cross-entropy over a vocabulary, without float32 logits of a whole batch.

Shapes: N positions, H width of the states, V vocabulary.
"""

import torch
from torch import Tensor

# Positions per chunk: measured best of 128 to 1024 at V = 5,800, where a chunk's float32 logits (6 MB) stay in cache.
CHUNK = 256


def _chunked_nll(states_NH: Tensor, weight_VH: Tensor, bias_V: Tensor, targets_N: Tensor, residual_NV: Tensor | None = None) -> Tensor:
    """The costs, and softmax - one-hot into `residual_NV` where it is given. One buffer serves all chunks: fresh pages cost more than the sums."""
    nll = torch.empty(len(states_NH), dtype=torch.float32, device=states_NH.device)
    weight_HV = weight_VH.T
    buffer = states_NH.new_empty(min(CHUNK, len(states_NH)), len(weight_VH))
    wide = buffer if buffer.dtype == torch.float32 else torch.empty_like(buffer, dtype=torch.float32)
    for i in range(0, len(states_NH), CHUNK):
        states, target = states_NH[i : i + CHUNK], targets_N[i : i + CHUNK, None]
        logits = torch.addmm(bias_V, states, weight_HV, out=buffer[: len(states)])
        if wide is not buffer:
            logits = wide[: len(states)].copy_(logits)
        over = {"out": logits} if logits.device.type == "cpu" else {}  # there each row is read, in cache, before it is written
        if residual_NV is None:
            nll[i : i + CHUNK] = -torch.log_softmax(logits, 1, **over).gather(1, target)[:, 0]
            continue
        below_peak = logits.amax(1, keepdim=True) - logits.gather(1, target)
        share = torch.softmax(logits, 1, **over)
        nll[i : i + CHUNK] = (below_peak - share.amax(1, keepdim=True).log())[:, 0]  # the largest share never underflows, the target's may
        residual_NV[i : i + CHUNK] = share.scatter_add_(1, target, share.new_full(target.shape, -1.0))
    return nll


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Keeps softmax - one-hot in the states' own precision; the backward pass is then two matrix products.

    Float32 exists for one chunk at a time. The incoming gradient scales the narrow factor of each product (N x H),
    never the wide one (N x V).
    """

    @staticmethod
    def forward(ctx, states_NH: Tensor, weight_VH: Tensor, bias_V: Tensor, targets_N: Tensor) -> Tensor:
        residual = states_NH.new_empty(len(states_NH), len(weight_VH))
        nll = _chunked_nll(states_NH, weight_VH, bias_V, targets_N, residual)
        ctx.save_for_backward(states_NH, weight_VH, bias_V, residual)
        return nll

    @staticmethod
    def backward(ctx, grad_N: Tensor):
        # Not `once_differentiable`: it lets create_graph=True through with a gradient that counts as a constant.
        if torch.is_grad_enabled():
            raise RuntimeError("token_nll is not differentiable twice: its gradient cannot be part of a loss")
        states, weight, bias, residual = ctx.saved_tensors
        grad = grad_N[:, None].to(states.dtype)
        d_states = (residual @ weight) * grad if ctx.needs_input_grad[0] else None
        d_weight = residual.T @ (states * grad) if ctx.needs_input_grad[1] else None
        d_bias = (residual.T @ grad)[:, 0].to(bias.dtype) if ctx.needs_input_grad[2] else None
        return d_states, d_weight, d_bias, None


def token_nll(states_NH: Tensor, weight_VH: Tensor, bias_V: Tensor, targets_N: Tensor) -> Tensor:
    """-log softmax(states · weightᵀ + bias)[target] for each position, in nats.

    Equal to `torch.nn.functional.cross_entropy(..., reduction="none")` of the float32 logits. Under autocast the
    products run in its dtype and the reductions in float32. First derivatives only.

    Args:
        states_NH: Shape (N, H).
        weight_VH: Output embeddings, shape (V, H).
        bias_V: Shape (V,).
        targets_N: Token ids, shape (N,), all in [0, V).

    Returns:
        Shape (N,), float32.
    """
    device = states_NH.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        states_NH, weight_VH, bias_V = states_NH.to(dtype), weight_VH.to(dtype), bias_V.to(dtype)
    with torch.autocast(device, enabled=False):
        if not torch.is_grad_enabled():  # asked here: inside a Function it is always off, and needs_input_grad is not
            return _chunked_nll(states_NH, weight_VH, bias_V, targets_N)
        return _ChunkedCrossEntropy.apply(states_NH, weight_VH, bias_V, targets_N)
