"""The restricted Boltzmann machine: energy, conditionals, gradient and exact likelihood; and how it learns.

Shapes: B examples, V visible units, H hidden units. Energies and log-probabilities are in nats.
"""

import math
import sys
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from tqdm import tqdm

from textae.core.config import choose
from vision.options import RBMOptions

UNITS = {"bernoulli": "0 or 1", "gaussian": "a real number"}
ENUMERABLE = 20  # units: a million states
WATCHED = 2000  # examples by which an epoch is judged, the same in each (Hinton 2010, sec. 6)


class RBM(nn.Module):
    """p(v, h) = exp(-E(v, h)) / Z with no connections within a layer.

    E(v, h) = E_v(v) + E_h(h) - Σ_ij (v_i / σ_i) W_ij h_j, where a Bernoulli side has E_v = -b·v, a Gaussian one
    Σ_i (v_i - b_i)² / 2σ_i²; Gaussian hidden units have unit variance (Hinton 2010, sec. 13.2; Hinton & Salakhutdinov
    2006 for their code layer). Bernoulli visible units take probabilities in [0, 1] as data, too.

    Args:
        num_visible, num_hidden: V, H.
        visible, hidden: "bernoulli" or "gaussian".
        sigma: Standard deviation of Gaussian visible units, one number or shape (V,).
        learn_sigma: Whether it is learned.
        init_std: Standard deviation of the initial weights; biases start at zero.
        generator: Of the initial weights; on the CPU.

    Attributes:
        weight: W, shape (V, H).
        visible_bias: b, shape (V,): the mean of a Gaussian unit without hidden ones.
        hidden_bias: c, shape (H,).
        log_sigma: Natural logarithm of σ, shape (V,); None where visible units are Bernoulli.
    """

    def __init__(
        self, num_visible: int, num_hidden: int, *, visible: str = "bernoulli", hidden: str = "bernoulli",
        sigma: float | Tensor = 1.0, learn_sigma: bool = False, init_std: float = 0.1, generator: torch.Generator | None = None,
    ):  # fmt: skip
        super().__init__()
        choose(UNITS, visible, "kind of visible unit")
        choose(UNITS, hidden, "kind of hidden unit")
        if num_visible < 1 or num_hidden < 1:
            raise ValueError(f"an RBM of {num_visible} visible and {num_hidden} hidden units lacks a side: each needs at least one unit")
        sigma = torch.as_tensor(sigma, dtype=torch.float32)
        if not bool(((sigma > 0) & sigma.isfinite()).all()):
            raise ValueError("sigma must be above 0 and finite: it is a standard deviation")
        if visible == "bernoulli" and (learn_sigma or bool((sigma != 1).any())):
            raise ValueError("Bernoulli visible units have no sigma: leave it out, or set visible=gaussian")
        self.visible, self.hidden = visible, hidden
        self.weight = nn.Parameter(torch.randn(num_visible, num_hidden, generator=generator) * init_std)
        self.visible_bias = nn.Parameter(torch.zeros(num_visible))
        self.hidden_bias = nn.Parameter(torch.zeros(num_hidden))
        self.log_sigma = None
        if visible == "gaussian":
            self.log_sigma = nn.Parameter(sigma.log().expand(num_visible).clone(), requires_grad=learn_sigma)

    # --- what it computes -------------------------------------------------------------------------------------

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """E(v, h); `v` (B, V) and `h` (B, H) give (B,)."""
        return self.visible_energy(v) + self.hidden_energy(h) - (self.hidden_input(v) * h).sum(-1)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log Σ_h exp(-E(v, h)), an integral where hidden units are Gaussian; (B, V) gives (B,)."""
        x, c = self.hidden_input(v), self.hidden_bias.to(v.dtype)
        if self.hidden == "bernoulli":
            return self.visible_energy(v) - softplus(c + x).sum(-1)
        return self.visible_energy(v) - (0.5 * math.log(2 * math.pi) + c * x + 0.5 * x.square()).sum(-1)

    def hidden_free_energy(self, h: Tensor) -> Tensor:
        """-log Σ_v exp(-E(v, h)), an integral where visible units are Gaussian; (B, H) gives (B,)."""
        y, b = h @ self.weight.T.to(h.dtype), self.visible_bias.to(h.dtype)
        if self.log_sigma is None:
            return self.hidden_energy(h) - softplus(b + y).sum(-1)
        log_sigma = self.log_sigma.to(h.dtype)
        log_integral = 0.5 * math.log(2 * math.pi) + log_sigma + b / log_sigma.exp() * y + 0.5 * y.square()
        return self.hidden_energy(h) - log_integral.sum(-1)

    def hidden_input(self, v: Tensor) -> Tensor:
        """What hidden units receive beside their bias, Σ_i (v_i / σ_i) W_ij; (B, V) gives (B, H)."""
        scaled = v if self.log_sigma is None else v / self.log_sigma.to(v.dtype).exp()
        return scaled @ self.weight.to(v.dtype)

    def visible_energy(self, v: Tensor) -> Tensor:
        """E_v(v), shape (B,)."""
        b = self.visible_bias.to(v.dtype)
        if self.log_sigma is None:
            return -(v @ b)
        return 0.5 * ((v - b) / self.log_sigma.to(v.dtype).exp()).square().sum(-1)

    def hidden_energy(self, h: Tensor) -> Tensor:
        """E_h(h), shape (B,)."""
        c = self.hidden_bias.to(h.dtype)
        return -(h @ c) if self.hidden == "bernoulli" else 0.5 * (h - c).square().sum(-1)

    def hidden_mean(self, v: Tensor) -> Tensor:
        """E[h|v]: probabilities, or the means of Gaussian units; (B, V) gives (B, H)."""
        scaled = v if self.log_sigma is None else v / self.log_sigma.exp()
        x = torch.addmm(self.hidden_bias, scaled, self.weight)
        return torch.sigmoid(x) if self.hidden == "bernoulli" else x

    def visible_mean(self, h: Tensor) -> Tensor:
        """E[v|h]: probabilities, or the means of Gaussian units; (B, H) gives (B, V)."""
        if self.log_sigma is None:
            return torch.sigmoid(torch.addmm(self.visible_bias, h, self.weight.T))
        return self.visible_bias + self.log_sigma.exp() * (h @ self.weight.T)

    def sample_hidden(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Draws from p(h|v), given E[h|v]."""
        return _draw(mean, None if self.hidden == "bernoulli" else 1.0, generator)

    def sample_visible(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Draws from p(v|h), given E[v|h]."""
        return _draw(mean, None if self.log_sigma is None else self.log_sigma.exp(), generator)

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator) -> Tensor:
        """Visible states `steps` full Gibbs steps after `v`, shape (B, V)."""
        for _ in range(steps):
            v = self.sample_visible(self.visible_mean(self.sample_hidden(self.hidden_mean(v), generator)), generator)
        return v

    @torch.no_grad()
    def free_energy_gradient(self, v: Tensor, hidden_mean: Tensor | None = None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """The gradient of the mean of F(v) for each learned parameter, in closed form.

        CD's gradient is this at the data less this at the negative phase's states (Hinton 2002); with the model's own
        distribution as the negative phase it is the gradient of -log p(v).

        Args:
            v: Shape (B, V).
            hidden_mean: E[h|v], where it is known already.
            weights: Of the examples, summing to one, shape (B,); None weighs them alike.
        """
        h = self.hidden_mean(v) if hidden_mean is None else hidden_mean
        share = v.new_full((len(v),), 1 / len(v)) if weights is None else weights
        weighted = v * share[:, None]
        found = {"hidden_bias": -(share @ (h if self.hidden == "bernoulli" else h - self.hidden_bias))}
        if self.log_sigma is None:
            found["visible_bias"] = -weighted.sum(0)
        else:
            sigma = self.log_sigma.exp()
            weighted = weighted / sigma
            deviation = (v - self.visible_bias) / sigma
            found["visible_bias"] = -(share @ deviation) / sigma
            if self.log_sigma.requires_grad:
                found["log_sigma"] = -(share @ deviation.square()) + (weighted * (h @ self.weight.T)).sum(0)
        found["weight"] = (weighted.T @ h).neg_()
        return found

    @torch.no_grad()
    def start_at(self, data: Tensor) -> None:
        """Set the visible biases to what they are without hidden units: log-odds or means of `data`, shape (N, V).

        Source: Hinton 2010, sec. 8; a unit that is never or always on is taken to be on in 1 % or 99 % of the cases.
        """
        mean = data.mean(0)
        self.visible_bias.copy_(mean if self.visible == "gaussian" else torch.logit(mean.clamp(0.01, 0.99)))

    # --- exact likelihood -------------------------------------------------------------------------------------

    def log_partition(self) -> Tensor:
        """log Z in float64, exactly: by enumeration of a Bernoulli side, or in closed form where both are Gaussian.

        Raises:
            ValueError: No Bernoulli side has at most 20 units, or a Gaussian machine has no Z.
        """
        if self.visible == self.hidden == "gaussian":
            return self._gaussian_log_partition()
        sides = {"visible": len(self.visible_bias)} if self.visible == "bernoulli" else {}
        sides |= {"hidden": len(self.hidden_bias)} if self.hidden == "bernoulli" else {}
        side, units = min(sides.items(), key=lambda item: item[1])
        if units > ENUMERABLE:
            raise ValueError(f"{units} {side} units have too many states to enumerate (at most {ENUMERABLE} units): estimate by vision.ais")
        free_energy = self.free_energy if side == "visible" else self.hidden_free_energy
        parts = []
        for codes in torch.arange(2**units, device=self.weight.device).split(2**13):
            states = (codes[:, None] >> torch.arange(units, device=codes.device)) & 1
            parts.append(torch.logsumexp(-free_energy(states.double()), 0))
        return torch.logsumexp(torch.stack(parts), 0)

    def log_likelihood(self, v: Tensor, log_partition: Tensor | float) -> float:
        """Mean of log p(v) = -F(v) - log Z over `v` of shape (B, V), in nats; Bernoulli units need zeros and ones for it."""
        with torch.no_grad():
            total = sum((-self.free_energy(part)).double().sum().item() for part in v.split(4096))
            return total / len(v) - torch.as_tensor(log_partition, dtype=torch.float64).item()

    def extra_repr(self) -> str:
        return f"{len(self.visible_bias)} {self.visible} visible, {len(self.hidden_bias)} {self.hidden} hidden units"

    def _gaussian_log_partition(self) -> Tensor:
        assert self.log_sigma is not None
        w, sigma = self.weight.double(), self.log_sigma.double().exp()
        b, c = self.visible_bias.double() / sigma, self.hidden_bias.double()  # in units of sigma
        # With v in units of sigma, -E is a quadratic form with precision [[I, -W], [-Wᵀ, I]].
        precision = torch.eye(len(b) + len(c), dtype=w.dtype, device=w.device)
        precision[: len(b), len(b) :], precision[len(b) :, : len(b)] = -w, -w.T
        factor, failed = torch.linalg.cholesky_ex(precision)
        if failed:
            raise ValueError("this Gaussian machine has no Z: the largest singular value of its weights is not below 1")
        linear = torch.cat([b, c])
        mean = torch.cholesky_solve(linear[:, None], factor)[:, 0]
        constant = 0.5 * math.log(2 * math.pi) * len(linear) + sigma.log().sum()
        return constant - factor.diagonal().log().sum() + 0.5 * (linear @ mean - linear.square().sum())


@dataclass(frozen=True)
class RBMEpoch:
    """What an epoch of training ended with, on the first 2,000 examples.

    Attributes:
        epoch: From 1.
        reconstruction_error: Squared error summed over visible units after one step of means, mean over examples.
        free_energy: Mean F of the training data, nats; only differences mean something.
        valid_error: The reconstruction error of the validation data; None without.
        free_energy_gap: Mean F of the validation data less that of the training data, nats: it grows with overfitting
            (Hinton 2010, sec. 6); None without.
        seconds: Since the layer's start.
    """

    epoch: int
    reconstruction_error: float
    free_energy: float
    valid_error: float | None
    free_energy_gap: float | None
    seconds: float


@torch.no_grad()
def fit_rbm(
    rbm: RBM, data: Tensor, options: RBMOptions, seed: int = 0, valid: Tensor | None = None, name: str = "rbm"
) -> list[RBMEpoch]:
    """Train a machine by (persistent) contrastive divergence, in place; the same on every call with the same seed.

    Args:
        rbm: On the device of `data`.
        data: Shape (N, V): in [0, 1] for Bernoulli units.
        options: How; `sigma`, `learn_sigma`, `init_std` and the layers are the business of who makes the machine.
        seed: Of order and draws.
        valid: Held-out data of the same kind.
        name: For the progress bar and for errors.

    Raises:
        ValueError: The data does not fit the machine, or learning diverged.
    """
    for what, values in (("data", data), ("valid", valid)):
        if values is not None:
            check_data(values, len(rbm.visible_bias), rbm.visible == "bernoulli", f"{name}: {what}")
    torch.set_flush_denormal(True)  # velocities of dead units decay into subnormals, which are slow
    generator = torch.Generator(data.device).manual_seed(seed)
    learned = {n: p for n, p in rbm.named_parameters() if p.requires_grad}
    velocity = {n: torch.zeros_like(p) for n, p in learned.items()}
    chains = None
    if options.persistent:
        rows = torch.randint(len(data), (options.chains,), generator=generator, device=data.device)
        chains = data.index_select(0, rows)
    top = options.gaussian_lr if "gaussian" in (rbm.visible, rbm.hidden) else options.lr
    history, started = [], time.perf_counter()
    done, updates = 0, options.epochs * math.ceil(len(data) / options.batch_size)
    quiet = not (options.progress and sys.stderr.isatty())
    with tqdm(total=options.epochs, desc=name, unit="epoch", disable=quiet, dynamic_ncols=True) as bar:
        for epoch in range(1, options.epochs + 1):
            momentum = options.momentum if epoch <= options.momentum_epochs else options.final_momentum
            for rows in torch.randperm(len(data), generator=generator, device=data.device).split(options.batch_size):
                lr = top * (1 - done / updates) if options.decay == "linear" else top
                v = data.index_select(0, rows)
                h = rbm.hidden_mean(v)
                if chains is None:
                    model_v, model_h = reconstruct(rbm, h, options.steps, options.sample_visible, generator)
                else:
                    model_v = chains = rbm.gibbs(chains, options.steps, generator)
                    model_h = rbm.hidden_mean(model_v)
                gradient, negative = rbm.free_energy_gradient(v, h), rbm.free_energy_gradient(model_v, model_h)
                for n, parameter in learned.items():
                    velocity[n].mul_(momentum).add_(gradient[n], alpha=-lr).add_(negative[n], alpha=lr)
                    if n == "weight":
                        velocity[n].add_(parameter, alpha=-lr * options.weight_decay)
                    parameter.add_(velocity[n])
                done += 1
            history.append(_watch(rbm, epoch, data[:WATCHED], None if valid is None else valid[:WATCHED], time.perf_counter() - started))
            if not math.isfinite(history[-1].reconstruction_error + history[-1].free_energy):
                key = "gaussian_lr" if "gaussian" in (rbm.visible, rbm.hidden) else "lr"
                raise ValueError(f"{name} diverged in epoch {epoch}: lower pretraining.{key}, now {top}")
            bar.update()
            bar.set_postfix(error=f"{history[-1].reconstruction_error:.3g}")
    return history


@torch.no_grad()
def reconstruct(rbm: RBM, hidden_mean: Tensor, steps: int, sample_visible: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """CD-k's negative phase: visible states k steps from the data, and their E[h|v].

    Hidden states are drawn, but for the last; visible ones where `sample_visible` says so (Hinton 2010, sec. 3.1-3.3).
    """
    for _ in range(steps):
        v = rbm.visible_mean(rbm.sample_hidden(hidden_mean, generator))
        if sample_visible:
            v = rbm.sample_visible(v, generator)
        hidden_mean = rbm.hidden_mean(v)
    return v, hidden_mean


def check_data(values: Tensor, width: int, bounded: bool, where: str) -> None:
    """Raise a ValueError where `values` is not a finite float (N, width), in [0, 1] if `bounded`."""
    if values.dim() != 2 or values.shape[1] != width or not len(values) or not values.is_floating_point():
        raise ValueError(f"{where} is {values.dtype} of shape {tuple(values.shape)}; it must be floating-point of shape (N, {width}), N at least 1")
    low, high = values.min().item(), values.max().item()
    if not math.isfinite(low + high):
        raise ValueError(f"{where} holds NaN or infinity: mend or drop those rows")
    if bounded and not (low >= 0 and high <= 1):
        raise ValueError(f"{where} runs from {low:.3g} to {high:.3g}; Bernoulli units need values in [0, 1]")


def _draw(mean: Tensor, std: Tensor | float | None, generator: torch.Generator) -> Tensor:
    """Bernoulli draws with probabilities `mean`; Gaussian ones where there is a `std`."""
    if std is None:
        return torch.empty_like(mean).uniform_(generator=generator).lt_(mean)
    return torch.empty_like(mean).normal_(generator=generator).mul_(std).add_(mean)


def _watch(rbm: RBM, epoch: int, data: Tensor, valid: Tensor | None, seconds: float) -> RBMEpoch:
    def figures(v: Tensor) -> tuple[float, float]:
        error = (rbm.visible_mean(rbm.hidden_mean(v)) - v).square().sum(1).mean().item()
        return error, rbm.free_energy(v).mean().item()

    error, free_energy = figures(data)
    valid_error, valid_energy = (None, None) if valid is None else figures(valid)
    gap = None if valid_energy is None else valid_energy - free_energy
    return RBMEpoch(epoch, error, free_energy, valid_error, gap, seconds)
