"""Priors over the codes of a codebook: probabilities of discrete codes where `textae.core.prior` has densities.

A quantized posterior puts all its mass on one row of codes, so -log p of that row is its KL to such a prior, and
reconstruction + -log p an upper bound on -log p(x) in nats: the VQ-VAE's own ELBO (van den Oord et al. 2017, sec. 3.1).

Shapes: N points, D latent dimensions, P positions with a code each, C dimensions of a code, D = P · C, K codes, H hidden.
"""

import logging
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from textae.core.codebook import nearest
from textae.core.config import check_counts

logger = logging.getLogger(__name__)
ROWS = 256  # rows of codes judged or drawn at once
CHUNK = 16_384  # vectors that are searched for codes not met before at once


class UniformCodes(nn.Module):
    """Every code equally likely at every position: the prior that a VQ-VAE is trained under. Nothing to fit.

    It keeps a copy of the codebook, numbered like it, which its model gives it and keeps up to date; without one it has
    nothing to draw, and its draws are NaN.

    Args:
        dim: D.
        num_codes: K.
        code_dim: C, which divides D.
    """

    def __init__(self, dim: int, num_codes: int, code_dim: int):
        super().__init__()
        if num_codes < 2:
            raise ValueError(f"prior over codes: num_codes is {num_codes}; a codebook has at least 2 codes")
        if code_dim < 1 or dim % code_dim:
            raise ValueError(f"prior over codes: a code of {dim} dimensions is not made of whole codes of code_dim={code_dim}")
        self.dim, self.num_codes, self.code_dim, self.positions = dim, num_codes, code_dim, dim // code_dim
        self.register_buffer("codebook", torch.full((num_codes, code_dim), math.nan))

    def log_prob(self, z: Tensor) -> Tensor:
        """log p in nats of the codes nearest to `z`, a probability and no density; the shape of `z` without its last axis."""
        return torch.full(z.shape[:-1], -self.positions * math.log(self.num_codes), device=z.device)

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """`num` rows of codes from torch's global generator, shape (num, D); `spread` has nothing to scale: all are alike."""
        drawn = torch.randint(self.num_codes, (num, self.positions), device=self.codebook.device)
        return self.codebook[drawn].flatten(1).float()

    def take(self, codes_KC: Tensor) -> None:
        """Copy a codebook and its numbering."""
        self.codebook.copy_(codes_KC)


class CodeSequence(UniformCodes):
    """A small causal Transformer over the codes in their order (for images: row by row), p = Π p(code | codes before).

    Fitted after training as the second stage of a VQ-VAE (van den Oord et al. 2017, sec. 3.3), with a Transformer in the
    place of its PixelCNN: pre-norm blocks of attention and a two-layer perceptron (Radford et al. 2019, sec. 2.3).
    Until it is fitted it says what `UniformCodes` says.

    Args:
        dim, num_codes, code_dim: As in `UniformCodes`.
        hidden_dim: H, a multiple of `heads`.
        layers: Blocks, at least 1.
        heads: Of attention.
    """

    def __init__(self, dim: int, num_codes: int, code_dim: int, hidden_dim: int = 128, layers: int = 3, heads: int = 4):
        super().__init__(dim, num_codes, code_dim)
        if layers < 1:
            raise ValueError(f"prior codes: layers is {layers}; at least 1 is needed")
        if heads < 1 or hidden_dim < 1 or hidden_dim % heads:
            raise ValueError(f"prior codes: hidden_dim is {hidden_dim}; it must be a multiple of heads, which is {heads}")
        self.embed = nn.Embedding(num_codes + 1, hidden_dim)  # the last entry stands before the first code
        self.place = nn.Parameter(torch.zeros(self.positions, hidden_dim))
        self.blocks = nn.ModuleList(_Block(hidden_dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden_dim)
        # Parameters and no linear layer, which the model's initialization would fill: zeros are the uniform distribution.
        self.output = nn.Parameter(torch.zeros(num_codes, hidden_dim))
        self.bias = nn.Parameter(torch.zeros(num_codes))

    def log_prob(self, z: Tensor) -> Tensor:
        """As in `UniformCodes`; in float32 under autocast too, or bounds would be none."""
        with torch.autocast(z.device.type, enabled=False):
            parts = [self._log_prob(self._indices(part)) for part in z.reshape(-1, self.dim).float().split(ROWS)]
        return torch.cat(parts).view(z.shape[:-1])

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """Draws as in `UniformCodes`, one code after the other; `spread` is the temperature: 0 takes the likeliest code."""
        drawn = torch.cat([self._draw(min(ROWS, num - start), spread) for start in range(0, num, ROWS)])
        return self.codebook[drawn].flatten(1).float()

    def take(self, codes_KC: Tensor) -> None:
        """Copy a codebook and its numbering, codes included that the fit did not meet.

        Raises:
            ValueError: It lacks codes that the prior was fitted to.
        """
        slots: dict[tuple[float, ...], int] = {}
        for slot, row in enumerate(self.codebook[: self._num_known()].tolist()):
            slots.setdefault(tuple(row), slot)
        spare = [slot for slot in range(self.num_codes) if slot not in slots.values()]
        order = [slots.pop(tuple(row), None) for row in codes_KC.tolist()]
        if slots:
            raise ValueError(f"prior codes was fitted to {len(slots)} codes that the model's codebook lacks: fit it to this model's codes")
        order = [spare.pop(0) if slot is None else slot for slot in order]
        self.codebook.copy_(codes_KC)
        for table in (self.embed.weight, self.output, self.bias):
            table.data[: self.num_codes] = table.data[order]

    def check_fit(self, num: int, *, steps: int, batch_size: int, lr: float, held_out: float) -> None:
        """Refuse what `fit` could not do with `num` codes.

        Raises:
            ValueError: Fewer than two codes, or an option out of range.
        """
        if num < 2:
            raise ValueError("prior codes: at least two codes are needed, one to learn from and one to hold out")
        check_descent(steps, batch_size, lr, held_out)

    def fit(
        self, z_ND: Tensor, *, steps: int = 3000, batch_size: int = 64, lr: float = 1e-3, seed: int = 0, held_out: float = 0.05,
    ) -> float:  # fmt: skip
        """Maximize the likelihood with Adam and a cosine rate; returns the mean log probability of held-out rows, nats.

        Args:
            z_ND: Codes of a quantized posterior. What distinct vectors they consist of is the codebook, as far as it is
                used; `take` adds the rest.
            steps, batch_size, lr: Of Adam.
            seed: Of the initial weights and the batches; the global generator is left alone.
            held_out: Share of the rows that are not learned from, at least one row.

        Raises:
            ValueError: As `check_fit`, or more distinct vectors than `num_codes`: they come from no such codebook.
        """
        self.check_fit(len(z_ND), steps=steps, batch_size=batch_size, lr=lr, held_out=held_out)
        generator = torch.Generator().manual_seed(seed)
        self._meet(z_ND.float().cpu())
        indices = torch.cat([self._indices(part) for part in z_ND.float().cpu().split(ROWS)])
        indices = indices[torch.randperm(len(indices), generator=generator)]
        cut = max(1, int(len(indices) * held_out))
        test, train = indices[:cut], indices[cut:]
        self._start(generator)
        self.requires_grad_(True)
        optimizer = torch.optim.Adam(self.parameters(), lr=lr, betas=(0.9, 0.95))
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        with torch.enable_grad():
            for step in range(steps):
                index = torch.randint(len(train), (batch_size,), generator=generator)
                loss = -self._log_prob(train[index]).mean() / self.positions
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                if step % 500 == 0:
                    logger.info("prior over codes, step %d: %.2f nats", step, self.positions * loss.item())
        self.requires_grad_(False)
        return torch.cat([self._log_prob(part) for part in test.split(ROWS)]).mean().item()

    def _num_known(self) -> int:
        """Codes with a vector; before `take` there may be some without, behind the others."""
        return int(self.codebook.isfinite().all(1).sum())

    def _meet(self, z_ND: Tensor) -> None:
        """Read the codebook off rows of codes: their distinct vectors."""
        known = z_ND.new_empty(0, self.code_dim)
        for part in z_ND.reshape(-1, self.code_dim).split(CHUNK):
            if len(known):
                part = part[(known[nearest(part, known)] != part).any(1)]
            known = torch.cat([known, part.unique(dim=0)])
            if len(known) > self.num_codes:
                raise ValueError(
                    f"prior codes: these codes are not made of {self.num_codes} vectors of {self.code_dim} dimensions, so they are of no such "
                    "codebook: give the model's num_codes and code_dim, or take prior mixture or flow for a model without a codebook"
                )
        self.codebook.fill_(math.nan)
        self.codebook[: len(known)] = known

    def _start(self, generator: torch.Generator) -> None:
        """Fresh weights, as GPT-2's: N(0, 0.02²), no biases; the output alone starts at zero."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if "norm" in name:
                    parameter.fill_(1.0 if name.endswith("weight") else 0.0)
                elif parameter.dim() > 1 and name != "output":
                    parameter.normal_(0.0, 0.02, generator=generator)
                else:
                    parameter.zero_()

    def _indices(self, z_ND: Tensor) -> Tensor:
        """(N, D) -> (N, P)."""
        return nearest(z_ND.reshape(-1, self.code_dim), self.codebook[: self._num_known()]).view(-1, self.positions)

    def _log_prob(self, indices_NP: Tensor) -> Tensor:
        before_NP = torch.cat([torch.full_like(indices_NP[:, :1], self.num_codes), indices_NP[:, :-1]], 1)
        x = self.embed(before_NP) + self.place
        for block in self.blocks:
            x, _ = block(x)
        logits_NPK = self.norm(x) @ self.output.T + self.bias
        return -cross_entropy(logits_NPK.flatten(0, 1), indices_NP.flatten(), reduction="none").view_as(indices_NP).sum(1)

    @torch.no_grad()
    def _draw(self, num: int, spread: float) -> Tensor:
        """Indices, shape (num, P); each block keeps the keys and values of the positions before."""
        last = torch.full((num,), self.num_codes, device=self.codebook.device)
        pasts: list[tuple[Tensor, Tensor] | None] = [None] * len(self.blocks)
        drawn, known = [], self._num_known() or self.num_codes
        for place in self.place:
            x = (self.embed(last) + place)[:, None]
            for i, block in enumerate(self.blocks):
                x, pasts[i] = block(x, pasts[i])
            logits = (self.norm(x[:, 0]) @ self.output.T + self.bias)[:, :known].float()
            if spread:  # argmax(logits + Gumbel noise) is a draw, and scaled noise a temperature
                logits = logits - spread * torch.empty_like(logits).exponential_().log()
            last = logits.argmax(1)
            drawn.append(last)
        return torch.stack(drawn, 1)


def check_descent(steps: int, batch_size: int, lr: float, held_out: float) -> None:
    """Refuse options of a fit by gradients that would leave a prior as it was, or nothing to learn from.

    Raises:
        ValueError: One that is out of range.
    """
    check_counts("prior.fit", steps=steps, batch_size=batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"prior.fit: lr is {lr}; a learning rate is finite and above 0")
    if not 0 < held_out < 1:
        raise ValueError(f"prior.fit: held_out is {held_out}; a share of the codes lies between 0 and 1, both excluded")


def take_codebook(prior: nn.Module, codes_KC: Tensor) -> None:
    """Give a prior over codes a model's codebook; other priors need none.

    Raises:
        ValueError: It is over codes of another number or size, or was fitted to other ones.
    """
    if not isinstance(prior, UniformCodes):
        return
    if (prior.num_codes, prior.code_dim) != tuple(codes_KC.shape):
        raise ValueError(
            f"the prior is over {prior.num_codes} codes of {prior.code_dim} dimensions, the model's codebook has {len(codes_KC)} of "
            f"{codes_KC.shape[1]}: fit one with the same"
        )
    prior.take(codes_KC)


class _Block(nn.Module):
    """Causal self-attention and a perceptron, each on a normalized input and added to what came in."""

    def __init__(self, hidden_dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(hidden_dim), nn.LayerNorm(hidden_dim)
        self.attend, self.join = nn.Linear(hidden_dim, 3 * hidden_dim), nn.Linear(hidden_dim, hidden_dim)
        self.widen, self.narrow = nn.Linear(hidden_dim, 4 * hidden_dim), nn.Linear(4 * hidden_dim, hidden_dim)

    def forward(self, x_NTH: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """All positions, or with `past` (or at the first position) one alone; and keys and values so far."""
        n, t, h = x_NTH.shape
        parts = self.attend(self.norm_attention(x_NTH)).view(n, t, 3, self.heads, h // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        mixed = scaled_dot_product_attention(query, key, value, is_causal=past is None)
        x_NTH = x_NTH + self.join(mixed.transpose(1, 2).reshape(n, t, h))
        return x_NTH + self.narrow(gelu(self.widen(self.norm_mlp(x_NTH)))), (key, value)
