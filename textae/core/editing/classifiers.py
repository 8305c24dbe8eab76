"""The two small classifiers of one attribute on codes, and how they are fitted: a linear probe and a perceptron.

Weights are float32, as they are saved; logits are computed in float64. Codes are scaled by one number for all
dimensions and not by one for each: that would blow up dimensions that the posterior has collapsed, and the shortest edit
would then move those that no decoder listens to. The scale is folded into the weights.

Shapes: N codes of a fit, B of a batch, D latent dimensions, H hidden units, K values.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, gelu, one_hot

# L2 strengths tried, from strong to weak while held-out likelihood gains; per example, for codes of unit mean variance.
L2_PATH = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
GAIN = 1e-3  # nats per example that a weaker penalty must gain: less is not worth the confidence
CHECK_EVERY = 50  # steps between looks at the held-out likelihood of a perceptron


@dataclass(frozen=True, eq=False)
class Linear:
    """Multinomial logistic regression, log p(k|z) = (W z + b)_k - log Σ_j exp (W z + b)_j.

    Attributes:
        weight: W, shape (K, D).
        bias: b, shape (K,).
    """

    weight: Tensor
    bias: Tensor

    def logits(self, z_BD: Tensor) -> Tensor:
        """Shape (B, K), float64."""
        return z_BD.double() @ self.weight.double().T + self.bias.double()


@dataclass(frozen=True, eq=False)
class Perceptron:
    """One hidden layer of GELUs, which is smooth: edits that follow its gradient can be differentiated.

    Attributes:
        hidden_weight, hidden_bias: Shapes (H, D) and (H,).
        output_weight, output_bias: Shapes (K, H) and (K,).
    """

    hidden_weight: Tensor
    hidden_bias: Tensor
    output_weight: Tensor
    output_bias: Tensor

    def logits(self, z_BD: Tensor) -> Tensor:
        """Shape (B, K), float64."""
        return _perceive(z_BD.double(), [w.double() for w in vars(self).values()])


def _perceive(z_BD: Tensor, weights: list[Tensor]) -> Tensor:
    """Logits of one hidden layer; `weights` in the order of `Perceptron`."""
    return gelu(z_BD @ weights[0].T + weights[1]) @ weights[2].T + weights[3]


Classifier = Linear | Perceptron


def log_odds(logits_BK: Tensor, index: int) -> Tensor:
    """log p_index - log(1 - p_index) in nats, shape (B,): concave in the logits, and linear for two values."""
    others = torch.cat([logits_BK[:, :index], logits_BK[:, index + 1 :]], 1)
    return logits_BK[:, index] - others.logsumexp(1)


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled codes, some of them held out.

    Attributes:
        train, held_out: Codes, shape (·, D), float64.
        train_labels, held_out_labels: int64, shape (·,).
        num: K.
        mean: Of all codes, shape (D,), float64.
        scale: Root of the mean variance of a dimension.
    """

    train: Tensor
    train_labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    num: int
    mean: Tensor
    scale: float

    def accuracy(self, classifier: Classifier) -> float:
        """Share of held-out codes that are given their label, 0 to 1."""
        return (classifier.logits(self.held_out).argmax(1) == self.held_out_labels).double().mean().item()

    @property
    def majority(self) -> float:
        """Share of the most frequent label among held-out codes: what a constant answer reaches."""
        return (torch.bincount(self.held_out_labels, minlength=self.num).max() / len(self.held_out_labels)).item()


def split(z_ND: Tensor, labels_N: Tensor, num: int, mean: Tensor, scale: float, held_out: float, seed: int) -> Split:
    """Hold out a share of each group, at least one code and at most all but one; order drawn by `seed`."""
    generator = torch.Generator().manual_seed(seed)
    kept, out = [], []
    for k in range(num):
        members = (labels_N == k).nonzero()[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        cut = min(max(1, round(held_out * len(members))), len(members) - 1)
        out.append(members[:cut])
        kept.append(members[cut:])
    train, test = torch.cat(kept), torch.cat(out)
    return Split(z_ND[train], labels_N[train], z_ND[test], labels_N[test], num, mean, scale)


def fit_linear(parts: Split, l2: float | None) -> tuple[Linear, float, float]:
    """Fit a probe; returns it with the L2 strength taken and the held-out accuracy of its fit without those codes.

    The strength is the one of `L2_PATH` with the best held-out likelihood, unless given; the probe itself is then fitted to
    all codes. The choice among six makes the accuracy optimistic by very little.
    """
    x, y = (parts.train - parts.mean) / parts.scale, parts.train_labels
    x_out, y_out = (parts.held_out - parts.mean) / parts.scale, parts.held_out_labels
    best, best_nll, best_weights = 0.0, float("inf"), None
    weights = None
    for strength in L2_PATH if l2 is None else (l2,):
        weights = _minimize(x, y, parts.num, strength, weights)
        nll = cross_entropy(x_out @ weights[:, :-1].T + weights[:, -1], y_out).item()
        if nll > best_nll - GAIN:
            break
        best, best_nll, best_weights = strength, nll, weights
    assert best_weights is not None, "a finite likelihood is below infinity"
    accuracy = parts.accuracy(_unscaled(best_weights, parts))
    final = _minimize(torch.cat([x, x_out]), torch.cat([y, y_out]), parts.num, best, best_weights)
    return _unscaled(final, parts), best, accuracy


def _minimize(x_ND: Tensor, labels_N: Tensor, num: int, l2: float, start: Tensor | None) -> Tensor:
    """Minimize mean cross-entropy + l2/2 ‖W‖² by L-BFGS in float64; weights with the bias last, shape (K, D + 1)."""
    targets_NK = one_hot(labels_N, num).double()
    if start is None:
        start = torch.zeros(num, x_ND.shape[1] + 1, dtype=torch.float64)
        start[:, -1] = targets_NK.mean(0).log()
    weights = start.clone()
    optimizer = torch.optim.LBFGS(
        [weights],
        max_iter=300,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        log_p_NK = (x_ND @ weights[:, :-1].T + weights[:, -1]).log_softmax(1)
        error_NK = (log_p_NK.exp() - targets_NK) / len(x_ND)
        weights.grad = torch.cat([error_NK.T @ x_ND + l2 * weights[:, :-1], error_NK.sum(0)[:, None]], 1)
        return -(log_p_NK * targets_NK).sum() / len(x_ND) + 0.5 * l2 * weights[:, :-1].square().sum()

    with torch.no_grad():
        optimizer.step(closure)
    weights.grad = None
    return weights


def _unscaled(weights: Tensor, parts: Split) -> Linear:
    weight = weights[:, :-1] / parts.scale
    return Linear(weight.float(), (weights[:, -1] - weight @ parts.mean).float())


def fit_perceptron(parts: Split, hidden_dim: int, steps: int, seed: int) -> tuple[Perceptron, float]:
    """Fit a perceptron by AdamW, keeping the weights of the best held-out likelihood; returns it with held-out accuracy."""
    generator = torch.Generator().manual_seed(seed)
    x, y = ((parts.train - parts.mean) / parts.scale).float(), parts.train_labels
    x_out, y_out = ((parts.held_out - parts.mean) / parts.scale).float(), parts.held_out_labels
    weights = []
    for out_dim, in_dim in ((hidden_dim, x.shape[1]), (parts.num, hidden_dim)):
        weights += [torch.randn(out_dim, in_dim, generator=generator) * in_dim**-0.5, torch.zeros(out_dim)]
    weights = [w.requires_grad_() for w in weights]
    optimizer = torch.optim.AdamW(weights, lr=3e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, best_nll = [w.detach().clone() for w in weights], float("inf")
    for step in range(1, steps + 1):
        index = torch.randint(len(x), (min(len(x), 256),), generator=generator)
        with torch.enable_grad():
            loss = cross_entropy(_perceive(x[index], weights), y[index])
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        scheduler.step()
        if step % CHECK_EVERY == 0 or step == steps:
            with torch.no_grad():
                nll = cross_entropy(_perceive(x_out, weights), y_out).item()
            if nll < best_nll:
                best, best_nll = [w.detach().clone() for w in weights], nll
    weight = best[0].double() / parts.scale
    bias = best[1].double() - weight @ parts.mean
    fitted = Perceptron(weight.float(), bias.float(), best[2], best[3])
    return fitted, parts.accuracy(fitted)
