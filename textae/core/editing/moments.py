"""Statistics of labelled codes: means of groups, and the covariance within groups of several attributes at once.

Shapes: N codes, D latent dimensions, A attributes, K values, P columns of a design.
"""

import torch
from torch import Tensor

ROWS = 16_384  # codes whose residuals are held at once


def group_means(z_ND: Tensor, labels_N: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """Means, shape (K, D), and counts, shape (K,), of the groups 0 to num - 1; -1 belongs to none."""
    labelled = labels_N >= 0
    labels = labels_N[labelled]
    counts = torch.bincount(labels, minlength=num)
    sums = torch.zeros(num, z_ND.shape[1], dtype=z_ND.dtype).index_add_(0, labels, z_ND[labelled])
    return sums / counts[:, None].clamp_min(1), counts


def within_covariance(z_ND: Tensor, labels_NA: Tensor) -> Tensor:
    """How codes vary where all attributes stay as they are, shape (D, D), float64, positive definite.

    The covariance of what remains after an additive model, z = μ + Σ_a m_a[label_a] + ε, fitted by least squares; with one
    attribute the pooled covariance within its groups. An unlabelled code is in a group of its own for that attribute,
    whose spread therefore holds some of what the attribute itself does. Shrunk towards a multiple of the identity with
    the intensity of Ledoit & Wolf 2004, eq. 14 and lemmas 3.2-3.4, so that few codes in many dimensions have an inverse.

    Args:
        z_ND: Codes, float64.
        labels_NA: Values as indices, -1 unlabelled; rows that are unlabelled throughout are left out.

    Raises:
        ValueError: Nothing varies within groups.
    """
    labelled = (labels_NA >= 0).any(1)
    z, labels = z_ND[labelled], labels_NA[labelled]
    z = z - z.mean(0)
    design = torch.cat([_one_hot(column) for column in labels.T], 1)  # its columns are dependent: the pseudo-inverse
    gram = design.T @ design
    rank = int(torch.linalg.matrix_rank(gram, hermitian=True))
    effects = torch.linalg.pinv(gram, hermitian=True) @ (design.T @ z)
    n, dim = len(z), z.shape[1]
    freedom = max(n - rank, 1)
    scatter, fourth = torch.zeros(dim, dim, dtype=z.dtype), 0.0
    for part, columns in zip(z.split(ROWS), design.split(ROWS), strict=True):
        residual = part - columns @ effects
        scatter += residual.T @ residual
        fourth += residual.square().sum(1).square().sum().item()
    covariance = scatter / freedom
    target = covariance.diagonal().mean()
    if not target > 0:
        raise ValueError("the codes of each group are all equal: nothing tells how codes vary within a group")
    spread = (covariance - target * torch.eye(dim, dtype=z.dtype)).square().sum()
    noise = (fourth / freedom - covariance.square().sum()).clamp_min(0) / freedom
    shrinkage = float((noise / spread).clamp(1e-6, 1)) if spread > 0 else 1.0  # 1e-6: float32 keeps it invertible
    return (1 - shrinkage) * covariance + shrinkage * target * torch.eye(dim, dtype=z.dtype)


def _one_hot(labels_N: Tensor) -> Tensor:
    """Columns for the values that occur, unlabelled among them, shape (N, P), float64."""
    found, index = labels_N.unique(return_inverse=True)
    return torch.nn.functional.one_hot(index, len(found)).double()
